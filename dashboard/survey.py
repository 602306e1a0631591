"""The survey as the pages see it: questions to DuckDB, kept until the survey on disk changes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import streamlit as st

from data.catalogue import own_table
from data.citations import looked_up_path
from data.corpus import PROTOCOL, Corpus
from data.protocol import load
from data.sample import LABEL
from data.trends import (
    survey_claims,
    survey_counts,
    survey_papers_by_year,
    survey_shares,
)

CORPUS_VARIABLE, REVIEWER_VARIABLE = "CATS_CORPUS", "CATS_REVIEWER"
_WATCHED = ("works", "passages", "uses", "results")
_Spans = list[dict[str, Any]]


def directory() -> Path:
    """The survey's directory, as `cats dashboard` hands it over."""
    return Path(os.environ.get(CORPUS_VARIABLE, "."))


def reviewer() -> str:
    """The reviewer's name, as `cats review` hands it over; "" if none."""
    return os.environ.get(REVIEWER_VARIABLE, "")


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


@st.cache_resource(max_entries=2, show_spinner=False)
def _tables(path: Path, at: str) -> tuple[pa.Table, pa.Table]:
    """Claims and works; a resource, since Arrow tables never change and are dear to copy."""
    with Corpus(path).connect() as db:
        return survey_claims(db)


@st.cache_data(max_entries=16, show_spinner=False)
def with_words(path: Path, at: str, words: str) -> frozenset[str]:
    """Ids of the included papers whose title or abstract has these words, in any case."""
    with Corpus(path).connect() as db:
        rows = db.execute(
            "SELECT id FROM included WHERE "
            "contains(lower(concat_ws(' ', title, abstract)), lower($words))",
            {"words": words},
        ).fetchall()
    return frozenset(work_id for (work_id,) in rows)


@st.cache_data(max_entries=8, show_spinner=False)
def snapshot_id(path: Path) -> str:
    """The id of a released snapshot; "" for a survey that still grows."""
    return ""


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
