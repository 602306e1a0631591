"""The survey as the pages see it: questions to DuckDB, kept until the survey on disk changes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import streamlit as st

from annotate.review import progress
from annotate.reviewers import survey_reviewers
from data.account import Account, account
from data.catalogue import Catalogue, load, own_tables
from data.citations import dataset_papers
from data.claims import claims
from data.corpus import PROTOCOL, SNAPSHOT, Corpus
from data.protocol import Protocol
from data.protocol import load as load_protocol
from data.sample import LABEL
from data.summary import Summary
from data.summary import summary as made_or_kept

CORPUS, REVIEW = "CATS_CORPUS", "CATS_REVIEW"
_Spans = list[dict[str, Any]]
_OF_PAPERS = {"included": "id", "uses": "work_id", "decisions": "work_id", "passages": "work_id"}


def directory() -> Path:
    """The survey's directory, as `cats dashboard` hands it over."""
    return Path(os.environ.get(CORPUS, "."))


def is_reviewed() -> bool:
    """Whether the pages on which people decide are open: `cats dashboard --review` does it."""
    return os.environ.get(REVIEW, "") == "1"


def protocol(path: Path) -> Protocol:
    """The survey's question."""
    return load_protocol(path / PROTOCOL)


def title(path: Path) -> str:
    """The survey's title."""
    return protocol(path).title


def is_sample(path: Path) -> bool:
    """Whether the survey holds the embedded sample, which every page must then say."""
    return LABEL in title(path)


@st.cache_resource(max_entries=2, show_spinner=False)
def _connection(path: Path, at: str) -> tuple[duckdb.DuckDBPyConnection, threading.Lock]:
    return Corpus(path).connect(), threading.Lock()


@contextmanager
def connected(path: Path, at: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """One connection for all: reading the journal takes seconds where it is long."""
    db, lock = _connection(path, at)
    with lock:
        yield db


@st.cache_resource(max_entries=2, show_spinner="Counting the survey ...")
def summary(path: Path, at: str) -> Summary:
    """`data.summary.summary`; `at` is the survey's `data.kept.stamp`, as in all functions."""
    return made_or_kept(path, at)


@st.cache_data(max_entries=8, show_spinner=False)
def account_of(path: Path, at: str) -> Account:
    """`data.account.account`."""
    with connected(path, at) as db:
        return account(db)


@st.cache_resource(max_entries=2, show_spinner=False)
def catalogue(path: Path, at: str) -> Catalogue:
    """The catalogue with the survey's own datasets."""
    return load(extra=own_tables(path))


def models_of(path: Path, at: str, dataset: str) -> list[str]:
    """Pretrained models that the catalogue knows to be trained on this dataset."""
    models = catalogue(path, at).models.values()
    return [model.id for model in models if dataset in model.datasets]


@st.cache_data(max_entries=4, show_spinner=False)
def reviewers(path: Path, at: str) -> dict[str, Any]:
    """`annotate.reviewers.survey_reviewers`, as plain lists and numbers."""
    with connected(path, at) as db:
        return survey_reviewers(db).as_json()


@st.cache_data(max_entries=8, show_spinner=False)
def n_disputes(path: Path, at: str, reviewer: str = "") -> int:
    """Claims that wait in queue `adjudicate`: for this reviewer, or for anybody if ""."""
    with connected(path, at) as db:
        return progress(db, name="adjudicate", reviewer=reviewer).waiting


@st.cache_data(max_entries=8, show_spinner=False)
def results(path: Path, at: str) -> pd.DataFrame:
    """The survey's own measured results: `Result` rows."""
    with connected(path, at) as db:
        frame: pd.DataFrame = db.sql("SELECT * FROM results").to_arrow_table().to_pandas()
        return frame


@st.cache_data(max_entries=16, show_spinner=False)
def with_words(path: Path, at: str, words: str) -> frozenset[str]:
    """Ids of the included papers whose title or abstract has these words, in any case."""
    with connected(path, at) as db:
        rows = db.execute(
            "SELECT id FROM included WHERE "
            "contains(lower(concat_ws(' ', title, abstract)), lower($words))",
            {"words": words},
        ).fetchall()
    return frozenset(work_id for (work_id,) in rows)


@st.cache_data(max_entries=64, show_spinner=False)
def papers(path: Path, at: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Everything on these papers, in the order asked; those that the survey lacks are left out.

    Returns: for each `work` (its fields), `claims` (rows), `uses` (rows), and `passages`: section,
        order, text, and the `spans` of its uses (start, end, role, dataset, implied).
    """
    with connected(path, at) as db:
        works, uses, decisions, passages = (
            db.sql(
                f"SELECT * FROM {view} WHERE {key} IN (SELECT unnest($ids))",
                params={"ids": list(ids)},
            ).to_arrow_table()
            for view, key in _OF_PAPERS.items()
        )
        found = claims(uses, decisions, works=works, papers=_dataset_papers(path, at, db))
    by_id = {work["id"]: work for work in works.to_pylist()}
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {
        work_id: {"claims": [], "uses": [], "texts": []} for work_id in by_id
    }
    for name, table in (("claims", found), ("uses", uses), ("texts", passages)):
        for row in table.to_pylist():
            if row["work_id"] in rows:
                rows[row["work_id"]][name].append(row)
    return [_paper(by_id[work_id], **rows[work_id]) for work_id in ids if work_id in by_id]


@st.cache_resource(max_entries=2, show_spinner=False)
def _dataset_papers(path: Path, at: str, _db: duckdb.DuckDBPyConnection) -> Any:
    return dataset_papers(_db)


def _paper(
    work: dict[str, Any],
    *,
    claims: list[dict[str, Any]],
    uses: list[dict[str, Any]],
    texts: list[dict[str, Any]],
) -> dict[str, Any]:
    uses.sort(key=lambda use: use["start"])
    claims.sort(key=lambda claim: (claim["role"], claim["dataset"]))
    own = [("title", 0, work["title"]), ("abstract", 0, work["abstract"])]
    held = {section for section, _, text in own if text}
    full = sorted(texts, key=lambda row: (row["section"], row["order"]))
    own += [(row["section"], row["order"], row["text"]) for row in full]
    seen: set[tuple[str, int]] = set()
    passages = []
    for place, (section, order, text) in enumerate(own):
        # A title or abstract of a full text gives way to the work's own.
        if not text or (section, order) in seen or (place > 1 and section in held):
            continue
        seen.add((section, order))
        spans = _spans(uses, section, order)
        passages.append({"section": section, "order": order, "text": text, "spans": spans})
    return {"work": work, "claims": claims, "uses": uses, "passages": passages}


def paper(path: Path, at: str, work_id: str) -> dict[str, Any]:
    """Everything on one paper, as `papers` gives it.

    Raises:
        KeyError: the survey has no such paper.
    """
    found = papers(path, at, (work_id,))
    if not found:
        raise KeyError(work_id)
    return found[0]


def _spans(uses: Sequence[dict[str, Any]], section: str, order: int) -> _Spans:
    wanted = ("start", "end", "role", "dataset", "implied")
    return [
        {name: use[name] for name in wanted}
        for use in uses
        if use["section"] == section and use["order"] == order
    ]


@st.cache_data(max_entries=8, show_spinner=False)
def snapshot_id(path: Path) -> str:
    """The id of a released snapshot; "" for a survey that still grows."""
    file = path / SNAPSHOT
    return str(json.loads(file.read_text(encoding="utf-8"))["id"]) if file.exists() else ""
