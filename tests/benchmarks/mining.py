"""The miner beside a cursor loop, against `cats replay` in a process of its own.

    python tests/benchmarks/mining.py [--works N] [--workers N]

The loop asks page after page and keeps the JSON, as pyalex's `paginate` does (its host is fixed, so
the loop is written out here); the miner also parses, screens and writes Parquet and its journal.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from data.corpus import Corpus
from data.protocol import load
from data.settings import Settings
from miner.mine import mine
from miner.openalex import PER_PAGE, queries
from miner.pages import Pages

_PROTOCOL = """
title = "Benchmark"
[search]
topics = [{ id = "T1", name = "Imaging" }]
first_year = 2015
last_year = 2024
types = ["article"]
languages = ["en"]
"""
_WORDS = [
    "We",
    "fine",
    "tune",
    "a",
    "pretrained",
    "network",
    "on",
    "images",
    "and",
    "report",
    "its",
    "accuracy",
    "for",
    "each",
    "class",
]


def works(n: int) -> Iterator[dict[str, Any]]:
    """Works with an abstract of 150 words and 20 references, spread over ten years."""
    first = date(2015, 1, 1)
    for number in range(n):
        day = first + timedelta(days=(number * 7919) % 3650)
        places: dict[str, list[int]] = {}
        for place in range(150):
            places.setdefault(_WORDS[(place * number) % len(_WORDS)], []).append(place)
        yield {
            "id": f"https://openalex.org/W{number}",
            "doi": f"https://doi.org/10.5555/{number}",
            "title": f"Paper {number}",
            "publication_year": day.year,
            "publication_date": day.isoformat(),
            "type": "article",
            "language": "en",
            "topics": [{"id": "https://openalex.org/T1"}],
            "referenced_works": [f"https://openalex.org/W{number + k}" for k in range(20)],
            "abstract_inverted_index": places,
        }


@contextmanager
def replay(path: Path, *faults: str) -> Iterator[str]:
    options = [option for fault in faults for option in ("--fault", fault)]
    command = [sys.executable, "-m", "cats", "replay", str(path), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def loop(url: str, survey: Path) -> int:
    """Page after page, kept as JSON lines."""
    (query,) = queries(load(survey / "protocol.toml"))
    count, cursor = 0, "*"
    with requests.Session() as session, (survey / "works.jsonl").open("w") as kept:
        while cursor:
            params = dict(query.params) | {"per-page": str(PER_PAGE), "cursor": cursor}
            page = session.get(f"{url}/works", params=params, timeout=30).json()
            kept.writelines(json.dumps(work) + "\n" for work in page["results"])
            count += len(page["results"])
            cursor = page["meta"]["next_cursor"] if page["results"] else None
    return count


def cats(workers: int) -> Callable[[str, Path], int]:
    def run(url: str, survey: Path) -> int:
        with Pages(Settings(openalex_url=url)) as pages:
            return mine(
                Corpus(survey),
                load(survey / "protocol.toml"),
                pages,
                server=url,
                clock=lambda: datetime.now(UTC),
                workers=workers,
            ).works

    return run


def measured(run: Callable[[str, Path], int], url: str, n: int) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process)."""
    with tempfile.TemporaryDirectory() as folder:
        Corpus.create(Path(folder) / "s", protocol=_PROTOCOL)
        wall, cpu = time.perf_counter(), time.process_time()
        found = run(url, Path(folder) / "s")
        assert found == n, f"{found} of {n} works"
        return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--works", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "works.jsonl"
        with path.open("w") as file:
            file.writelines(json.dumps(work) + "\n" for work in works(options.works))
        print(
            f"{options.works} works, {path.stat().st_size / options.works:.0f} bytes each as JSON"
        )
        for faults, name in ((["latency"], "50 ms latency"), ([], "no latency")):
            with replay(path, *faults) as url:
                requests.get(f"{url}/works", timeout=60)  # the server has read its file
                table = {
                    "cursor loop": measured(loop, url, options.works),
                    f"cats mine, {options.workers} slices": measured(
                        cats(options.workers), url, options.works
                    ),
                }
            base = table["cursor loop"][0]
            for run, (wall, cpu) in table.items():
                speed = options.works / wall
                print(
                    f"  {name:14} {run:22} {wall:7.1f} s  {speed:7.0f} works/s  x {wall / base:.2f}"
                    f"  CPU {1e6 * cpu / options.works:5.0f} us/work"
                )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of this process {peak:.0f} MB")


if __name__ == "__main__":
    main()
