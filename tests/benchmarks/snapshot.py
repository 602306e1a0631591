"""The miner over parts of a snapshot, beside the loops that one would write, and what that makes of
300 million works.

    python tests/benchmarks/snapshot.py [--works N] [--parts N] [--workers N]

The parts are invented: the fields that a protocol reads, in the size of real ones, one work in 300
asked for. Every way must find the same works.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from mining import _cpu_s, works

from data.corpus import Corpus
from data.engines import Engine
from data.protocol import load
from miner.snapshot import mine_snapshot

_ONE_IN = 300
_WHOLE = 300e6  # works of the snapshot without its expansion set
_TOPICS = [f"T{number}" for number in range(90_000, 90_011)]  # as many as the usual protocol has
_PROTOCOL = f"""
title = "Benchmark"
[search]
topics = [{", ".join(f'{{ id = "{topic}", name = "n" }}' for topic in _TOPICS)}]
first_year = 2015
last_year = 2024
types = ["article"]
languages = ["en"]
"""


def records(n: int) -> Iterator[dict[str, Any]]:
    """`mining.works` with three topics each out of 4,500; one in 300 has a topic asked for."""
    rng = random.Random(11)
    for number, work in enumerate(works(n)):
        topics = [f"T{rng.randint(10_000, 14_500)}" for _ in range(3)]
        if number % _ONE_IN == 0:
            topics[rng.randrange(3)] = rng.choice(_TOPICS)
        named = [
            {"id": f"https://openalex.org/{topic}", "display_name": "A Topic", "score": 0.9}
            for topic in topics
        ]
        yield work | {"topics": named, "is_xpac": False, "updated_date": "2026-05-01T00:00:00"}


def write(root: Path, n: int, n_parts: int) -> None:
    """The same records as parts of JSON lines (gzip 6) and of Parquet (snappy)."""
    found = list(records(n))
    size = -(-n // n_parts)
    for number in range(n_parts):
        mine = found[number * size : (number + 1) * size]
        name = f"works/updated_date=2026-05-01/part_{number:04d}"
        for form, ending in (("jsonl", ".gz"), ("parquet", ".parquet")):
            path = root / form / f"{name}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if form == "jsonl":
                lines = "".join(json.dumps(w, separators=(",", ":")) + "\n" for w in mine)
                path.write_bytes(gzip.compress(lines.encode(), compresslevel=6))
            else:
                # A map of words would be a struct of all words here; OpenAlex's JSON as text.
                packed = [
                    w | {"abstract_inverted_index": json.dumps(w["abstract_inverted_index"])}
                    for w in mine
                ]
                pq.write_table(pa.Table.from_pylist(packed), path, compression="snappy")


def loop(root: Path) -> int:
    """What one writes first: gzip, json.loads, the conditions; kept as JSON lines."""
    count = 0
    wanted = {f"https://openalex.org/{topic}" for topic in _TOPICS}
    with (root / "kept.jsonl").open("w") as kept:
        for path in sorted(root.rglob("part_*.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    work = json.loads(line)
                    if _is_asked_for(work, wanted):
                        kept.write(line)
                        count += 1
    return count


def _is_asked_for(work: Mapping[str, Any], wanted: set[str]) -> bool:
    return (
        not work["is_xpac"]
        and 2015 <= work["publication_year"] <= 2024
        and work["type"] == "article"
        and work["language"] == "en"
        and any(topic["id"] in wanted for topic in work["topics"])
    )


def frames(root: Path) -> int:
    """The same with pandas.read_parquet, kept as Parquet."""
    import pandas as pd

    wanted = {f"https://openalex.org/{topic}" for topic in _TOPICS}
    found = []
    for path in sorted(root.rglob("part_*.parquet")):
        frame = pd.read_parquet(path)
        has_topic = frame["topics"].map(lambda topics: any(t["id"] in wanted for t in topics))
        years = frame["publication_year"].between(2015, 2024)
        kept = ~frame["is_xpac"] & years & (frame["type"] == "article")
        found.append(frame[kept & (frame["language"] == "en") & has_topic])
    together = pd.concat(found)
    together.to_parquet(root / "kept.parquet")
    return len(together)


def cats(engine: Engine) -> Callable[[Path], int]:
    def run(root: Path) -> int:
        seen = _SEEN
        seen.clear()
        with tempfile.TemporaryDirectory() as folder:
            survey = Corpus.create(Path(folder) / "s", protocol=_PROTOCOL)
            at = mine_snapshot(
                survey,
                load(survey.path / "protocol.toml"),
                str(root),
                clock=lambda: datetime.now(UTC),
                engine=engine,
                progress=lambda at: seen.append((time.perf_counter(), at.records)),
            )
            return at.mined.works

    return run


_SEEN: list[tuple[float, int]] = []  # (time, records so far) after each part of the last run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--works", type=int, default=240_000)
    parser.add_argument("--parts", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    two, n = options.workers, options.works
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), n, options.parts)
        print(f"{n} works in {options.parts} parts, one in {_ONE_IN} asked for")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it began")
        peers: dict[str, tuple[str, Callable[[Path], int]]] = {
            "jsonl": ("gzip and json.loads", loop),
            "parquet": ("pandas.read_parquet", frames),
        }
        for form, peer in peers.items():
            root = Path(folder) / form
            size = sum(path.stat().st_size for path in root.rglob("part_*"))
            print(f"{form}: {size / 1e6:.1f} MB, {size / n:.0f} bytes a work", flush=True)
            ways = {
                peer[0]: (1, peer[1]),
                "cats, 1 process": (1, cats(Engine(workers=1))),
                f"cats, {two} processes": (two, cats(Engine(workers=two))),
                f"cats, Dask, {two} workers": (two, cats(Engine("dask", workers=two))),
            }
            for name, (workers, run) in ways.items():
                _measured(name, run, root, n, workers=workers, bytes_a_work=size / n)
        packed = (Path(folder) / "jsonl").rglob("part_*")
        raw = sum(len(gzip.decompress(path.read_bytes())) for path in packed)
        print(f"JSON lines unpacked: {raw / n:.0f} bytes a work")


def _measured(
    name: str,
    run: Callable[[Path], int],
    root: Path,
    n: int,
    *,
    workers: int,
    bytes_a_work: float,
) -> None:
    _SEEN.clear()
    began, cpu = time.perf_counter(), _cpu_s()
    found = run(root)
    wall, cpu = time.perf_counter() - began, _cpu_s() - cpu
    assert found == -(-n // _ONE_IN), f"{found} of {-(-n // _ONE_IN)} works"
    pace = n / wall
    if _SEEN:
        # From a quarter on: by then all processes have started.
        (start, before), (end, after) = _SEEN[len(_SEEN) // 4], _SEEN[-1]
        pace = (after - before) / (end - start)
    hours = {each: _WHOLE / (pace / workers * each) / 3600 for each in (1, 8, 64)}
    print(
        f"  {name:24} {wall:6.2f} s in all, CPU {cpu:6.2f} s; once begun {pace:8.0f} works/s"
        f"  {pace * bytes_a_work / 1e6:6.1f} MB/s;  300M works on "
        + ", ".join(f"{each}: {time_h:.2f} h" for each, time_h in hours.items()),
        flush=True,
    )


if __name__ == "__main__":
    main()
