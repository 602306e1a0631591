"""How long a filter takes to become a frame, beside pandas, at 10k, 100k and 1M invented papers.

    python tests/benchmarks/trends.py [--papers 10000 100000 1000000]

Papers have random years, venues, countries, short abstracts and 1.4 claims each. The same question
(share of papers with each of eight sources, by year, of CT papers since 2018, score 0.6 or more) is
asked of `data.trends.shares`, of pandas over the tables in memory, and of DuckDB over them. Every
way must give the same counts. Memory is the peak of a process of its own that holds one cube.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from data.cube import Cube, Selection, cube
from data.records import Claim, Work, schema
from data.trends import shares

_DATASETS = 300
_TOP = tuple(f"D{i:03}" for i in range(8))
_WHERE = Selection(years=(2018, 2026), modality=("ct",), min_score=0.6, text="together")
_WORDS = ("CT", "MRI", "chest X-ray", "ultrasound", "fundus images", "histopathology", "images")
_ORGANS = ("brain", "lung", "breast", "liver", "skin", "eye", "prostate", "tissue")
_TASKS = ("classification", "segmentation", "detection", "an atlas")


def tables(n: int, seed: int = 0) -> tuple[pa.Table, pa.Table, list[str]]:
    """(claims, works, ids with full text) of n invented papers."""
    rng = np.random.default_rng(seed)
    ids = np.char.add("W", np.arange(n).astype(str))
    texts = [f"We study {task} of the {organ} in {word}." for word in _WORDS for organ in _ORGANS
             for task in _TASKS]  # fmt: skip
    filled = {
        "id": pa.array(ids),
        "title": pa.array(["A study"] * n),
        "abstract": pa.array(texts).take(pa.array(rng.integers(0, len(texts), n))),
        "year": pa.array(rng.integers(2012, 2027, n)),
        "venue": pa.array([f"Venue {i}" for i in range(2000)]).take(
            pa.array(np.minimum(rng.zipf(1.5, n), 2000) - 1)
        ),
        "countries": pa.array([["US"], ["CN"], ["DE", "US"], ["GB"], []]).take(
            pa.array(rng.integers(0, 5, n))
        ),
    }
    works = _table(Work, filled, n)
    m = int(1.4 * n)
    dataset = np.minimum(rng.zipf(1.4, m), _DATASETS) - 1
    role = rng.choice(["source", "target", "mention"], m, p=[0.4, 0.4, 0.2])
    rows = pd.DataFrame({"work_id": ids[rng.integers(0, n, m)], "dataset": dataset, "role": role})
    rows = rows.drop_duplicates()
    m = len(rows)
    names = pa.array([f"D{i:03}" for i in range(_DATASETS)])
    found = _table(
        Claim,
        {
            "work_id": pa.array(rows["work_id"]),
            "dataset": names.take(pa.array(rows["dataset"].to_numpy())),
            "role": pa.array(rows["role"]),
            "score": pa.array(rng.uniform(0.3, 1, m)),
            "uses": pa.array(np.ones(m, int)),
            "named": pa.array(rng.random(m) < 0.7),
            "implied": pa.array(rng.random(m) < 0.4),
            "state": pa.array(["machine"] * m),
        },
        m,
    )
    return found, works, ids[rng.random(n) < 0.3].tolist()


def _table(kind: type[Work] | type[Claim], filled: dict[str, pa.Array], n: int) -> pa.Table:
    columns = [
        filled[field.name].cast(field.type) if field.name in filled else pa.nulls(n, field.type)
        for field in schema(kind)
    ]
    return pa.table(columns, names=schema(kind).names)


def by_cube(held: Cube) -> pd.DataFrame:
    """What the toolkit does."""
    return shares(held, by="year", where=_WHERE, datasets=_TOP)


def by_pandas(claims: pd.DataFrame, papers: pd.DataFrame) -> pd.DataFrame:
    """The same by two frames in memory, the paper's modality looked up beforehand."""
    chosen = papers[papers["year"].between(2018, 2026) & papers["ct"]]
    sizes = chosen.groupby("year", observed=True).size()
    kept = claims[
        (claims["role"] == "source") & (claims["score"] >= 0.6) & claims["dataset"].isin(_TOP)
    ]
    joined = kept.merge(chosen[["id", "year"]], left_on="work_id", right_on="id")
    counts = joined.groupby(["dataset", "year"], observed=True)["work_id"].nunique()
    frame = counts.rename("n").reset_index()
    frame["n_papers"] = frame["year"].map(sizes)
    return frame


def by_duckdb(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The same by DuckDB over the two tables in memory."""
    return db.sql(
        "WITH chosen AS (SELECT id, year FROM papers WHERE ct AND year BETWEEN 2018 AND 2026), "
        "sizes AS (SELECT year, count(*) AS n_papers FROM chosen GROUP BY 1) "
        "SELECT dataset, year, count(DISTINCT work_id) AS n, any_value(n_papers) AS n_papers "
        "FROM claims JOIN chosen ON id = work_id JOIN sizes USING (year) "
        f"WHERE role = 'source' AND score >= 0.6 AND dataset IN {_TOP} GROUP BY 1, 2"
    ).df()


def timed(ask: Callable[[], pd.DataFrame], n: int) -> tuple[float, float]:
    """(median, 95th percentile) of n calls, ms, after one that is not counted."""
    ask()
    took = []
    for _ in range(n):
        start = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - start))
    return float(np.median(took)), float(np.quantile(took, 0.95))


def measure(n: int) -> list[tuple[str, float, float]]:
    """(way, median ms, p95 ms) at n papers."""
    found, works, full = tables(n)
    held = cube(found, works, full_texts=full)
    claims = found.select(["work_id", "dataset", "role", "score"]).to_pandas()
    papers = works.select(["id", "year", "abstract"]).to_pandas()
    papers["ct"] = papers.pop("abstract").str.contains(r"\bCT\b")
    db = duckdb.connect()
    db.register("claims", pa.Table.from_pandas(claims))
    db.register("papers", pa.Table.from_pandas(papers))
    expected = _counts(by_cube(held).rename(columns={"group": "year"}))
    assert _counts(by_pandas(claims, papers)) == expected == _counts(by_duckdb(db))
    every = Selection(text="separate")
    return [
        ("cube, by year, CT since 2018", *timed(lambda: by_cube(held), 41)),
        ("pandas", *timed(lambda: by_pandas(claims, papers), 7)),
        ("DuckDB over tables", *timed(lambda: by_duckdb(db), 7)),
        ("cube, by year, all papers, each text", *timed(
            lambda: shares(held, by="year", where=every, top=8), 21)),
        ("cube, by modality, all papers", *timed(
            lambda: shares(held, by="modality", where=every, top=8), 21)),
        ("cube, by venue, all papers", *timed(
            lambda: shares(held, by="venue", where=every, top=8), 21)),
        ("cube, natural or medical by year", *timed(
            lambda: shares(held, by="year", of="images", where=every), 21)),
    ]  # fmt: skip


def _counts(frame: pd.DataFrame) -> set[tuple[int, str, int, int]]:
    rows = frame[frame["n"] > 0].itertuples()
    return {(int(row.year), row.dataset, int(row.n), int(row.n_papers)) for row in rows}


def memory(n: int) -> dict[str, float]:
    """Of this process: MB before, after the cube, seconds to make it."""
    found, works, full = tables(n)
    before = _peak_mb()
    start = time.perf_counter()
    held = cube(found, works, full_texts=full)
    seconds = time.perf_counter() - start
    return {
        "tables": before,
        "peak": _peak_mb(),
        "seconds": seconds,
        "cube": _size_mb(held),
    }


def _peak_mb() -> float:
    # Not getrusage: a child inherits its parent's peak there.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def _size_mb(held: Cube) -> float:
    arrays = [held.year, held.full_text, held.has_references]
    for groups in held.groups.values():
        arrays += [groups.of_paper, *(groups.sets or ())]
    for uses in held.uses.values():
        names = ("paper", "dataset", "score", "predicted", "named", "implied", "cited")
        arrays += [getattr(uses, name) for name in names]
    return (held.ids.nbytes + sum(each.nbytes for each in arrays)) / 2**20


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.memory:
        print(json.dumps(memory(asked.memory)))
        return
    print("| papers | way | median ms | p95 ms |\n|---|---|---|---|")
    for n in asked.papers:
        for way, median, high in measure(n):
            print(f"| {n:,} | {way} | {median:.1f} | {high:.1f} |", flush=True)
    print("\n| papers | cube MB | process peak MB (tables, cube) | seconds to make |")
    print("|---|---|---|---|")
    for n in asked.papers:
        call = [sys.executable, __file__, "--memory", str(n)]
        told = json.loads(subprocess.run(call, check=True, capture_output=True).stdout)
        print(
            f"| {n:,} | {told['cube']:.0f} | {told['tables']:.0f}, {told['peak']:.0f} | "
            f"{told['seconds']:.1f} |"
        )


if __name__ == "__main__":
    main()
