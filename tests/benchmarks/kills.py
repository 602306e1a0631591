"""Kill `cats mine` at random moments and continue it each time: what is lost, doubled, refetched?

    python tests/benchmarks/kills.py [--kills N] [--works N]

Compares the survey, row by row, with one that was mined undisturbed from the same `cats replay`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from mining import _PROTOCOL, works

from data.corpus import Corpus
from miner.replay import Library, serve

_LONGEST_S = 0.5  # from the first request to the kill; an answer takes 0.2 s


def start(survey: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cats", "mine", "-C", str(survey), "--workers", "4"]
    environment = os.environ | {"CATS_OPENALEX_URL": url}
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def rows(survey: Path) -> list[tuple[object, ...]]:
    """All rows of works but for the time of fetching, with every part counted."""
    with Corpus(survey).connect() as db:
        return db.sql(
            "SELECT * EXCLUDE (fetched_at, filename) FROM all_works ORDER BY ALL"
        ).fetchall()


def _until_asked(child: subprocess.Popen[bytes], library: Library) -> None:
    """Wait for the process's first request, so that a slow start leaves no moment out."""
    before = len(library.requests)
    while len(library.requests) == before and child.poll() is None:
        time.sleep(0.005)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--works", type=int, default=40_000)
    options = parser.parse_args()
    rng = random.Random(20261124)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(list(works(options.works)), faults=["slow"]) as (url, library),
    ):
        requests.get(f"{url}/works", timeout=60)
        surveys = [Path(folder) / name for name in ("disturbed", "undisturbed")]
        for survey in surveys:
            Corpus.create(survey, protocol=_PROTOCOL)
        start(surveys[1], url).wait()
        whole = len(library.requests)
        kills = 0
        while True:
            child = start(surveys[0], url)
            if kills < options.kills:
                _until_asked(child, library)
                time.sleep(rng.uniform(0, _LONGEST_S))
            elif child.wait() == 0:
                break
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                kills += 1
            elif child.returncode == 0:
                break
            child.wait()
        pages = len(library.requests) - whole
        same = rows(surveys[0]) == rows(surveys[1])
        print(
            f"{kills} kills; rows equal: {same}, {len(rows(surveys[0]))} rows of {options.works} "
            f"works; {pages - whole + 1} requests more than undisturbed ({whole - 1} pages), "
            f"4 slices at once"
        )


if __name__ == "__main__":
    main()
