"""The dashboard at 10,000 to 1,000,000 invented papers: first page, filter to chart, memory.

    python tests/benchmarks/dashboard.py --sizes 10000 100000 1000000

A survey of that size is generated in a temporary folder and shown by the real command in a real
browser. The first page is by a fresh server and a fresh browser, twice: of a survey that nobody has
counted yet, and of the same, counted before. A filter is one click, on a choice that nobody made
before, and its chart is redrawn when the picture on the screen has other data. The query alone is
`data.trends.shares` on the cube, beside the same count by pandas on frames that are in memory.
Memory is the largest resident set of the server; a large survey is counted by another process.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from builders import PROTOCOL, use, work

from data.corpus import Corpus
from data.cube import Selection, survey_cube
from data.records import Use, Work
from data.trends import shares

_PART = 2_000  # works, as `cats mine` and `cats annotate` write them
_CLICKS = 36
_SOURCES = ("ImageNet", "RadImageNet", "CheXpert", "SA-1B", "MIMIC-CXR", "COCO", "CIFAR-10")
_TARGETS = ("ISIC", "BraTS", "CAMELYON16", "ChestX-ray14", "LIDC-IDRI", "Kvasir-SEG")
_WORDS = ("an MRI study of the brain", "CT of the liver", "chest X-ray findings", "histology")
_CHART, _IDLE = ".js-plotly-plot .main-svg", '[data-test-script-state="notRunning"]'
_CHROMIUM = "/usr/bin/chromium"


def generated(path: Path, n: int, *, seed: int = 0) -> Corpus:
    """A survey of n invented papers, 1.4 uses each, as if mined and annotated."""
    rng = random.Random(seed)
    corpus = Corpus.create(path, protocol=PROTOCOL)
    now = datetime.now(UTC)
    lists = [tuple(f"W{rng.randrange(10**9, 10**10)}" for _ in range(30)) for _ in range(1000)]
    for first in range(0, n, _PART):
        ids = range(first, min(first + _PART, n))
        works = [
            work(
                f"W{i}",
                title=f"Paper {i}: {rng.choice(_WORDS)}",
                abstract=f"{rng.choice(_WORDS)}. " + "We study images at length. " * 30,
                year=2015 + int(12 * rng.random() ** 0.6),
                venue=f"Venue {int(200 * rng.random() ** 2)}",
                countries=(rng.choice(("US", "DE", "CN", "DK", "IN")),),
                references=rng.choice(lists),
            )
            for i in ids
        ]
        uses = [
            made
            for i in ids
            for made in (
                use(f"W{i}", rng.choice(_SOURCES), score=rng.random()),
                use(f"W{i}", rng.choice(_TARGETS), "target", start=20, score=rng.random()),
            )
            if rng.random() < 0.7
        ]
        corpus.append(Work, works, name=f"w{first:08}")
        corpus.append(Use, uses, name=f"u{first:08}")
        with corpus.journal() as journal:
            journal.restore("hits", ("work_id", "query", "run"), _hits(ids))
            journal.screen("protocol", [(f"W{i}", True, "fits") for i in ids], now=now)
            rows = [(f"W{i}", "0123456789ab", False) for i in ids]
            journal.annotated_done("r1", "test@1", rows, now=now)
    return corpus


def _hits(ids: range) -> list[tuple[str, str, str]]:
    return [(f"W{i}", "search", "m1") for i in ids]


def selections(rng: random.Random) -> Iterator[Selection]:
    """Filters that a reader might set, no two alike."""
    while True:
        first = rng.randint(2015, 2024)
        yield Selection(
            years=(first, rng.randint(first, 2026)),
            venue=tuple(f"Venue {rng.randrange(200)}" for _ in range(rng.randrange(3))),
            min_score=round(rng.random() / 2, 2),
            text="abstract",
        )


def query_alone(corpus: Corpus) -> tuple[float, list[float], list[float]]:
    """Seconds to make the cube; milliseconds of queries on it; of the same by pandas."""
    began = time.perf_counter()
    with corpus.connect() as db:
        cube = survey_cube(db)
        made = time.perf_counter() - began
        papers = db.sql("SELECT id, year, venue FROM included").to_arrow_table().to_pandas()
        uses = (
            db.sql("SELECT work_id, dataset, score FROM uses WHERE role = 'source'")
            .to_arrow_table()
            .to_pandas()
        )
    rng = random.Random(1)
    asked = selections(rng)
    ours, theirs = [], []
    for _ in range(_CLICKS):
        where = next(asked)
        began = time.perf_counter()
        frame = shares(cube, by="year", where=where)
        ours.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        same = by_pandas(papers, uses, where)
        theirs.append(1000 * (time.perf_counter() - began))
        total = frame.loc[frame["dataset"] == "ImageNet", "n"].sum()
        assert total == same.get("ImageNet", 0), (where, total, same)
    return made, ours, theirs


def by_pandas(papers: pd.DataFrame, uses: pd.DataFrame, where: Selection) -> dict[str, int]:
    """The same counts, as one would write them by hand."""
    assert where.years is not None
    inside = papers[papers["year"].between(*where.years)]
    if where.venue:
        inside = inside[inside["venue"].isin(where.venue)]
    inside.groupby("year").size()
    kept = uses[uses["score"] >= np.float32(where.min_score)]
    joined = kept.merge(inside, left_on="work_id", right_on="id")
    counts = joined.groupby(["year", "dataset"])["work_id"].nunique()
    totals = counts.groupby(level="dataset").sum()
    return {str(name): int(n) for name, n in totals.items()}


@contextmanager
def served(corpus: Corpus) -> Iterator[tuple[str, int]]:
    """The address of a fresh server, and the process id of the command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cats", "dashboard", "-C", str(corpus.path)]
    server = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait()


@contextmanager
def first_page(url: str) -> Iterator[tuple[Any, float]]:
    """A fresh browser on the first page, and seconds until its first chart was there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(600_000)
        began = time.perf_counter()
        page.goto(url)
        page.locator(_CHART).first.wait_for()
        yield page, time.perf_counter() - began
        browser.close()


def in_browser(corpus: Corpus) -> tuple[float, float, list[float], float]:
    """Seconds to the first page, uncounted and counted; ms from click to chart; the server's MB."""
    time.sleep(3)  # what changed just now is counted, and not kept
    with served(corpus) as (url, pid), first_page(url) as (_, uncounted):
        size_mb = resident_mb(pid)
    with served(corpus) as (url, pid), first_page(url) as (page, counted):
        page.goto(f"{url}/trends")
        page.locator(_CHART).first.wait_for()
        page.locator(_IDLE).first.wait_for()
        clicks = [_click(page, n) for n in range(_CLICKS)]
        size_mb = max(size_mb, resident_mb(pid))
    return uncounted, counted, clicks[2:], size_mb


_REDRAWN = """before => {
  const plot = document.querySelector('.js-plotly-plot');
  return plot && JSON.stringify(plot.data.map(trace => trace.y)) !== before;
}"""
_DATA = "JSON.stringify(document.querySelector('.js-plotly-plot').data.map(trace => trace.y))"


def _click(page: Any, n: int) -> float:
    """One filter: all papers, or papers with a source, in turns, of years not chosen before."""
    before = page.evaluate(_DATA)
    first, last = page.get_by_role("slider").all()[:2]
    if n and n % 8 == 0:
        last.press("ArrowLeft")
    else:
        first.press("ArrowRight" if n // 8 % 2 == 0 else "ArrowLeft")
    _redrawn(page, before)
    before = page.evaluate(_DATA)
    began = time.perf_counter()
    page.get_by_text("papers with a source" if n % 2 == 0 else "all papers", exact=True).click()
    page.wait_for_function(_REDRAWN, arg=before, polling="raf")
    took = 1000 * (time.perf_counter() - began)
    page.locator(_IDLE).first.wait_for()
    return took


def _redrawn(page: Any, before: str) -> None:
    page.wait_for_function(_REDRAWN, arg=before)
    page.locator(_IDLE).first.wait_for()
    time.sleep(0.3)  # a reader looks up from the slider


def wait_for(address: str) -> None:
    """Until a server answers."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.05)


def resident_mb(pid: int) -> float:
    """Resident memory of the process that serves, which is a child of the command."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    sizes = []
    for each in (str(pid), *children):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{each}/status").read_text())
        sizes.append(int(found[1]) / 1024 if found else 0.0)
    return max(sizes)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} / {np.quantile(values, 0.95):.0f}"


def main() -> None:
    """Print one row a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--no-browser", action="store_true", help="only the query alone")
    given = parser.parse_args()
    print(
        "| papers | first page s, never counted / counted before | filter to chart ms, "
        "median / p95 | server MB | cube s | query ms, median / p95 | "
        "pandas ms, median / p95 |"
    )
    print("|---|---|---|---|---|---|---|")
    for n in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            corpus = generated(Path(folder) / "s", n)
            shown = ("", "", "")
            if not given.no_browser:
                uncounted, counted, clicks, size_mb = in_browser(corpus)
                pages = f"{uncounted:.1f} / {counted:.1f}"
                shown = (pages, _spread(clicks), f"{size_mb:.0f}")
            made, ours, theirs = query_alone(corpus)
        cells = [f"{n:,}", *shown, f"{made:.1f}", _spread(ours), _spread(theirs)]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
