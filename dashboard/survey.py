"""The survey as the pages see it: questions to DuckDB, kept until the survey on disk changes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import duckdb
import pandas as pd
import pyarrow as pa
import streamlit as st

from annotate.reviewers import survey_reviewers
from data.catalogue import own_table
from data.citations import looked_up_path
from data.corpus import PROTOCOL, Corpus
from data.cube import Among, By, Cube, Selection, survey_cube
from data.protocol import load
from data.records import Role
from data.sample import LABEL
from data.trends import (
    note,
    survey_claims,
    survey_counts,
    survey_papers_by_year,
)
from data.trends import shares as shares_of

CORPUS, REVIEW = "CATS_CORPUS", "CATS_REVIEW"
_WATCHED = ("works", "passages", "uses", "results")
_Spans = list[dict[str, Any]]


def directory() -> Path:
    """The survey's directory, as `cats dashboard` hands it over."""
    return Path(os.environ.get(CORPUS, "."))


def is_reviewed() -> bool:
    """Whether the pages on which people decide are open: `cats dashboard --review` does it."""
    return os.environ.get(REVIEW, "") == "1"


def title(path: Path) -> str:
    """The survey's title."""
    return load(path / PROTOCOL).title


def is_sample(path: Path) -> bool:
    """Whether the survey holds the embedded sample, which every page must then say."""
    return LABEL in title(path)


def stamp(path: Path) -> str:
    """What changes when the survey on disk does: names, sizes and times of its files."""
    files = [file for folder in _WATCHED for file in sorted((path / folder).glob("*.parquet"))]
    files += [path / PROTOCOL, path / "journal.db", path / "journal.db-wal"]
    files += [own_table(path), looked_up_path(path)]
    digest = hashlib.sha256()
    for file in files:
        if file.exists():
            state = file.stat()
            digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


@st.cache_data(max_entries=8, show_spinner=False)
def counts(path: Path, at: str) -> dict[str, int]:
    """`data.trends.survey_counts`; `at` is the survey's `stamp`, as in all functions here."""
    with Corpus(path).connect() as db:
        return survey_counts(db)


@st.cache_data(max_entries=8, show_spinner=False)
def papers_by_year(path: Path, at: str) -> pd.DataFrame:
    """`data.trends.survey_papers_by_year`."""
    with Corpus(path).connect() as db:
        return survey_papers_by_year(db)


@st.cache_data(max_entries=32, show_spinner=False)
def shares(path: Path, at: str, *, by: str, role: str, among: str) -> tuple[pd.DataFrame, str]:
    """`data.trends.shares` of all papers together, and the note on them."""
    where = Selection(among=cast(Among, among), text="together")
    counted = cube(path, at)
    return shares_of(counted, by=cast(By, by), role=cast(Role, role), where=where), note(
        counted, where
    )


@st.cache_resource(max_entries=2, show_spinner=False)
def cube(path: Path, at: str) -> Cube:
    """`data.cube.survey_cube`; a resource, since it never changes."""
    with Corpus(path).connect() as db:
        return survey_cube(db)


@st.cache_data(max_entries=4, show_spinner=False)
def reviewers(path: Path, at: str) -> dict[str, Any]:
    """`annotate.reviewers.survey_reviewers`, as plain lists and numbers."""
    with Corpus(path).connect() as db:
        return survey_reviewers(db).as_json()


@st.cache_resource(max_entries=2, show_spinner=False)
def _tables(path: Path, at: str) -> tuple[pa.Table, pa.Table]:
    """Claims and works; a resource, since Arrow tables never change and are dear to copy."""
    with Corpus(path).connect() as db:
        return survey_claims(db)


@st.cache_data(max_entries=4, show_spinner=False)
def choices(path: Path, at: str) -> tuple[list[str], int, int]:
    """(datasets by how many papers use them, first year, last year) of the survey."""
    claims, works = _tables(path, at)
    with duckdb.connect() as db:
        db.register("claims", claims)
        db.register("works", works)
        named = db.sql("SELECT dataset FROM claims GROUP BY 1 ORDER BY count(*) DESC, 1").fetchall()
        years = db.sql("SELECT min(year), max(year) FROM works").fetchall()[0]
    return [name for (name,) in named], years[0] or 0, years[1] or 0


_PAPERS = """
SELECT id, count(*) OVER () AS found FROM works
WHERE ($words = '' OR contains(lower(concat_ws(' ', title, abstract)), lower($words)))
  AND (year IS NULL OR year BETWEEN $first AND $last)
  AND (($dataset = '' AND $role = '') OR id IN (
      SELECT work_id FROM claims WHERE state <> 'rejected'
      AND ($dataset = '' OR dataset = $dataset) AND ($role = '' OR role = $role)))
ORDER BY year DESC NULLS LAST, id LIMIT $size OFFSET $skip
"""


@st.cache_data(max_entries=64, show_spinner=False)
def papers(
    path: Path,
    at: str,
    *,
    words: str,
    dataset: str,
    role: str,
    years: tuple[int, int],
    page: int,
    size: int,
) -> tuple[list[str], int]:
    """(ids on that page, how many in all) of the papers that meet the filters, newest first.

    A filter of "" meets all papers; pages count from 0.
    """
    claims, works = _tables(path, at)
    wanted = {"words": words, "dataset": dataset, "role": role, "size": size}
    place = {"first": years[0], "last": years[1], "skip": page * size}
    with duckdb.connect() as db:
        db.register("claims", claims)
        db.register("works", works)
        rows = db.execute(_PAPERS, wanted | place).fetchall()
    return [work_id for work_id, _ in rows], rows[0][1] if rows else 0


@st.cache_data(max_entries=64, show_spinner=False)
def paper(path: Path, at: str, work_id: str) -> dict[str, Any]:
    """Everything on one paper.

    Returns: `work` (its fields), `claims` (rows), `passages` (section, order, text, and the
        `spans` of its uses: start, end, role, dataset, implied), in the order of reading.
    """
    claims, works = _tables(path, at)
    with Corpus(path).connect() as db:
        db.register("all_claims", claims)
        db.register("annotated_works", works)
        one = {"id": work_id}
        work = _rows(db, "SELECT * FROM annotated_works WHERE id = $id", one)[0]
        own = _rows(db, "SELECT * FROM all_claims WHERE work_id = $id ORDER BY role, dataset", one)
        uses = _rows(db, "SELECT * FROM uses WHERE work_id = $id ORDER BY start", one)
        full = _rows(
            db, 'SELECT * FROM passages WHERE work_id = $id ORDER BY section, "order"', one
        )
    texts = [("title", 0, work["title"]), ("abstract", 0, work["abstract"])]
    held = {section for section, _, text in texts if text}
    texts += [
        (row["section"], row["order"], row["text"]) for row in full if row["section"] not in held
    ]
    passages = [
        {"section": section, "order": order, "text": text, "spans": _spans(uses, section, order)}
        for section, order, text in texts
        if text
    ]
    return {"work": work, "claims": own, "uses": uses, "passages": passages}


def _rows(
    db: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any]
) -> Sequence[dict[str, Any]]:
    rows: list[dict[str, Any]] = db.sql(sql, params=values).to_arrow_table().to_pylist()
    return rows


def _spans(uses: Sequence[dict[str, Any]], section: str, order: int) -> _Spans:
    wanted = ("start", "end", "role", "dataset", "implied")
    return [
        {name: use[name] for name in wanted}
        for use in uses
        if use["section"] == section and use["order"] == order
    ]
