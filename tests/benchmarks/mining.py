"""The miner beside a cursor loop, against `cats replay` in a process of its own.

    python tests/benchmarks/mining.py [--works N] [--workers N] [--way WAY ...] [--server KIND ...]

The loop asks page after page and keeps the JSON, as pyalex's `paginate` does (its host is fixed, so
the loop is written out here); the miner also parses, screens and writes Parquet and its journal.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

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
_SERVERS: Mapping[str, list[str]] = {"latency": ["latency"], "prompt": []}  # 50 ms, or none
_WAYS = {"cats": "cats mine", "loop": "cursor loop, JSON lines", "table": "cursor loop, Parquet"}
_VOCABULARY = 20_000
_SYLLABLES = ["ra", "dio", "lo", "gi", "cal", "net", "work", "trans", "fer", "ima", "ge", "seg"]


def works(n: int) -> Iterator[dict[str, Any]]:
    """Invented works of the size of real ones (4.4 kB in the fields that are asked for).

    An abstract of 150 words, 30 references, 4 authors, 2 locations; spread over ten years.
    """
    rng = random.Random(7)
    words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 3))) for _ in range(_VOCABULARY)]
    first = date(2015, 1, 1)
    for number in range(n):
        day = first + timedelta(days=(number * 7919) % 3650)
        places: dict[str, list[int]] = {}
        for place in range(150):
            word = words[int(_VOCABULARY * rng.random() ** 5)]
            places.setdefault(word, []).append(place)
        yield {
            "id": f"https://openalex.org/W{number}",
            "doi": f"https://doi.org/10.5555/{number}",
            "title": " ".join(rng.choices(words, k=12)),
            "publication_year": day.year,
            "publication_date": day.isoformat(),
            "type": "article",
            "language": "en",
            "ids": {"openalex": f"https://openalex.org/W{number}"},
            "primary_location": _location(number),
            "locations": [_location(number), _location(number + 1)],
            "authorships": [_authorship(number + k) for k in range(4)],
            "topics": [{"id": f"https://openalex.org/T{k}"} for k in (1, 2, 3)],
            "referenced_works": [f"https://openalex.org/W{number + k}" for k in range(30)],
            "abstract_inverted_index": places,
        }


def _location(number: int) -> dict[str, Any]:
    return {
        "is_oa": True,
        "landing_page_url": f"https://example.org/articles/{number}",
        "pdf_url": f"https://example.org/articles/{number}.pdf",
        "source": {"display_name": "A Journal", "host_organization_name": "A Publisher"},
    }


def _authorship(number: int) -> dict[str, Any]:
    return {
        "author": {"id": f"https://openalex.org/A{number}", "display_name": f"Ada Nr {number}"},
        "countries": ["NL"],
        "institutions": [{"display_name": f"University {number}", "country_code": "NL"}],
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


def _looped(url: str, survey: Path) -> Iterator[list[dict[str, Any]]]:
    (query,) = queries(load(survey / "protocol.toml"))
    cursor = "*"
    with requests.Session() as session:
        while cursor:
            params = dict(query.params) | {"per-page": str(PER_PAGE), "cursor": cursor}
            page = session.get(f"{url}/works", params=params, timeout=30).json()
            yield page["results"]
            cursor = page["meta"]["next_cursor"] if page["results"] else None


def loop(url: str, survey: Path) -> int:
    """Page after page, kept as JSON lines."""
    count = 0
    with (survey / "works.jsonl").open("w") as kept:
        for page in _looped(url, survey):
            kept.writelines(json.dumps(work) + "\n" for work in page)
            count += len(page)
    return count


def loop_to_table(url: str, survey: Path) -> int:
    """The same, ending in a table with abstracts as text: what one does next by hand."""
    import pandas as pd  # here, so that it is not counted as memory of `cats mine`

    rows = []
    for page in _looped(url, survey):
        for work in page:
            inverted = work.pop("abstract_inverted_index")
            places = [(place, word) for word, at in inverted.items() for place in at]
            rows.append(work | {"abstract": " ".join(word for _, word in sorted(places))})
    pd.DataFrame(rows).to_parquet(survey / "works.parquet")
    return len(rows)


def cats(workers: int, readers: int | None = None) -> Callable[[str, Path], int]:
    def run(url: str, survey: Path) -> int:
        with Pages(Settings(openalex_url=url)) as pages:
            return mine(
                Corpus(survey),
                load(survey / "protocol.toml"),
                pages,
                server=url,
                clock=lambda: datetime.now(UTC),
                workers=workers,
                readers=readers,
            ).works

    return run


@dataclass(frozen=True)
class Run:
    """What a run took: wall and CPU seconds of all its processes, and its files' bytes."""

    wall: float
    cpu: float
    bytes: int


def measured(run: Callable[[str, Path], int], url: str, n: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        Corpus.create(Path(folder) / "s", protocol=_PROTOCOL)
        wall, cpu = time.perf_counter(), _cpu_s()
        found = run(url, Path(folder) / "s")
        wall, cpu = time.perf_counter() - wall, _cpu_s() - cpu
        assert found == n, f"{found} of {n} works"
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        return Run(wall, cpu, size)


def _cpu_s() -> float:
    """CPU seconds of this process and of the children that it has waited for."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in each)


class _Memory:
    """The most memory, in MB, of this process and its pool together, looked at once a second."""

    def __enter__(self) -> Self:
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(1):
            pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
            self.peak_mb = max(self.peak_mb, sum(map(_resident_mb, pids)))


def _resident_mb(pid: int | None) -> float:
    """Memory of a process, what it shares with others divided among them (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # it has ended
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--works", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--way", choices=_WAYS, nargs="+", default=list(_WAYS))
    parser.add_argument("--server", choices=_SERVERS, nargs="+", default=list(_SERVERS))
    options = parser.parse_args()
    runs = {"cats": cats(options.workers), "loop": loop, "table": loop_to_table}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "works.jsonl"
        with path.open("w") as file:
            file.writelines(json.dumps(work) + "\n" for work in works(options.works))
        size = path.stat().st_size / options.works
        print(f"{options.works} works, {size:.0f} bytes each as JSON; server on the same machine")
        runs = {_WAYS[way]: run for way, run in runs.items() if way in options.way}
        for name in options.server:
            with replay(path, *_SERVERS[name]) as url:
                _warm(url)
                print(f"{name}, load {os.getloadavg()[0]:.1f}")
                _compare(runs, url, options.works)


def _warm(url: str) -> None:
    """Let the server read its file and find the works asked for, as a real one has them indexed."""
    with tempfile.TemporaryDirectory() as folder:
        Corpus.create(Path(folder) / "s", protocol=_PROTOCOL)
        (query,) = queries(load(Path(folder) / "s" / "protocol.toml"))
    requests.get(f"{url}/works", params=dict(query.params), timeout=600)
    requests.get(
        f"{url}/works",
        params={"filter": query.filter, "group_by": "publication_year", "per-page": "200"},
        timeout=600,
    )
    dated = query.during(date(2015, 1, 1), date(2015, 1, 2))
    requests.get(f"{url}/works", params=dict(dated.params), timeout=600)


def _compare(runs: Mapping[str, Callable[[str, Path], int]], url: str, n: int) -> None:
    for name, run in runs.items():
        with _Memory() as memory:
            found = measured(run, url, n)
        print(
            f"  {name:26} {found.wall:7.1f} s  {n / found.wall:7.0f} works/s"
            f"  CPU {1e6 * found.cpu / n:5.0f} us/work"
            f"  {memory.peak_mb:5.0f} MB memory  {found.bytes / n:5.0f} bytes/work on disk",
            flush=True,
        )


if __name__ == "__main__":
    main()
