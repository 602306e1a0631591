"""Versions of papers found among invented works, beside two plain ways.

    python tests/benchmarks/versions.py [--works N ...]

Each way runs in a process of its own. "exact title" groups lower-case titles in pandas; "all pairs
in a block" compares all titles (rapidfuzz, 0.9) whose first author's last name and year are the
same. One work in ten is a version of another, under a title changed as titles are; one in ten is a
trap: a title one word or number away, by the same authors.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pandas as pd
from rapidfuzz import fuzz, process

from data.records import Work
from miner.versions import versions

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_METHODS = ["segmentation", "detection", "grading", "registration", "retrieval", "synthesis"]
_ORGANS = ["liver", "kidney", "retina", "prostate", "breast", "lung", "brain", "colon", "knee"]
_SCANS = ["MRI", "CT", "ultrasound", "radiographs", "fundus photographs", "dermoscopy", "OCT"]
_WAYS = ["Supervised", "Self-supervised", "Federated", "Few-shot", "Calibrated", "Robust", "Causal"]
_NETS = ["transformers", "convolutional neural networks", "graph networks", "diffusion models"]
_GOALS = ["clinical triage", "radiotherapy planning", "population screening", "surgical guidance"]
_SURNAMES = ["Wang", "Li", "Zhang", "Chen", "Liu", "Smith", "Müller", "García", "Kumar", "Kim"]
_LETTERS = "bcdfghklmnprstvw"


def _surname(rng: random.Random) -> str:
    """One in three has one of ten frequent names."""
    if rng.random() < 1 / 3:
        return rng.choice(_SURNAMES)
    return "".join(rng.choice(_LETTERS) + rng.choice("aeiou") for _ in range(3)).title()


def _title(rng: random.Random) -> str:
    parts = [rng.choice(words) for words in (_WAYS, _ORGANS, _METHODS, _SCANS, _NETS, _GOALS)]
    site = "".join(rng.choice(_LETTERS) + rng.choice("aeiou") for _ in range(2)).title()
    way, organ, method, scan, net, goal = parts
    return f"{way} {organ} {method} in {scan} with {net} for {goal} at {site}"


def _reworded(title: str, rng: random.Random) -> str:
    change = rng.randrange(4)
    if change == 0:
        return title.upper()
    if change == 1:
        return title.replace("convolutional neural networks", "CNNs").replace("-", " ")
    return title if change == 2 else f"{title} (extended version)"


def works(n: int, *, seed: int = 0) -> Iterator[tuple[Work, int]]:
    """(work, number of the paper that it is a version of)."""
    rng = random.Random(seed)
    last: Work | None = None
    for number in range(n):
        kind = number % 10
        if last is not None and kind == 1:
            year = (last.year or 0) + rng.randint(0, 3)
            title = _reworded(last.title or "", rng)
            names = {"links": (f"doi:10.5555/{number}",), "doi": f"10.5555/{number}"}
            if rng.random() < 0.5:
                names["links"] = (*last.links, f"doi:10.5555/{number}")
            yield _work(number, title, last.authors, year, "article", **names), number - 1
            continue
        if last is not None and kind == 2:
            title, authors = _trap(last.title or "", rng), last.authors
            yield _work(number, title, authors, last.year or 0, "article"), number
            continue
        authors = tuple(f"{rng.choice('ABCDEFGH')}ria {_surname(rng)}" for _ in range(4))
        links = (f"arxiv:{number // 99999:04d}.{number % 99999:05d}",) if kind == 0 else ()
        kinds = "preprint" if kind == 0 else "article"
        last = _work(number, _title(rng), authors, rng.randint(2015, 2023), kinds, links=links)
        yield last, number


def _trap(title: str, rng: random.Random) -> str:
    for old, new in (("MRI", "CT"), ("liver", "kidney"), ("Supervised", "Unsupervised")):
        if old in title:
            return title.replace(old, new)
    return f"{title}, part {rng.choice(['II', '2', 'B'])}"


def _work(
    number: int, title: str, authors: tuple[str, ...], year: int, kind: str, **names: object
) -> Work:
    fields = {"links": (), "doi": None} | names
    return Work(
        id=f"W{number:08d}",
        title=title,
        authors=authors,
        year=year,
        type=kind,
        venue="arXiv" if kind == "preprint" else "Journal of Invented Imaging",
        abstract="A",
        fetched_at=_NOW,
        **fields,  # type: ignore[arg-type]
    )


_Pairs = set[tuple[str, str]]


def ours(given: Iterator[Work]) -> _Pairs:
    return {(merge.work_id, merge.into) for merge in versions(given)}


def exact_title(given: Iterator[Work]) -> _Pairs:
    frame = pd.DataFrame({"id": work.id, "title": (work.title or "").lower()} for work in given)
    first = frame.groupby("title")["id"].transform("first")
    twice = frame[frame["id"] != first]
    return set(zip(twice["id"], first[twice.index], strict=True))


def pairs_in_block(given: Iterator[Work]) -> _Pairs:
    blocks: dict[object, list[tuple[str, str]]] = defaultdict(list)
    for work in given:
        name = work.authors[0].rsplit(" ", 1)[-1]
        blocks[name, work.year].append((work.id, (work.title or "").lower()))
    found = set()
    for block in blocks.values():
        titles = [title for _, title in block]
        near = process.cdist(titles, titles, scorer=fuzz.ratio, score_cutoff=90)
        for one, other in zip(*near.nonzero(), strict=True):
            if one < other:
                found.add((block[one][0], block[other][0]))
    return found


_ALL: dict[str, Callable[[Iterator[Work]], _Pairs]] = {
    "cats versions": ours,
    "exact title": exact_title,
    "all pairs in a block": pairs_in_block,
}


def measure(name: str, n: int) -> None:
    truth: _Pairs = set()

    def given() -> Iterator[Work]:
        for work, paper in works(n):
            if work.id != f"W{paper:08d}":
                truth.add((f"W{paper:08d}", work.id))
            yield work

    start = time.perf_counter()
    for _ in given():
        pass
    making = time.perf_counter() - start
    start = time.perf_counter()
    found = {(min(pair), max(pair)) for pair in _ALL[name](given())}
    wall = time.perf_counter() - start - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    right = len(found & truth)
    print(
        f"{n:>9,} works  {name:22} {wall:7.1f} s {n / wall:9,.0f} works/s {peak:7,.0f} MB  "
        f"precision {right / max(1, len(found)):.3f}  recall {right / max(1, len(truth)):.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--works", type=int, nargs="+", default=[100_000])
    parser.add_argument("--way", choices=sorted(_ALL))
    options = parser.parse_args()
    for n in options.works:
        if options.way:
            measure(options.way, n)
            continue
        for name in _ALL:
            command = [sys.executable, __file__, "--works", str(n), "--way", name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
