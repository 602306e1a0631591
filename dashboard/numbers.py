"""What the pages ask of the survey's numbers: kept until the survey on disk changes.

All counting is in `data`; here is only what a page asks twice. In each function `at` is the
survey's `stamp`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import cast

import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboard import survey
from dashboard.source import Source
from data import findings as findings_
from data import growth as growth_
from data.compare import compare
from data.concentration import concentration
from data.counting import datasets_of, values_of, works_of
from data.cube import By, Cube, Of, ReadAs, Selection
from data.quality import quality, reliability
from data.records import ROLES, Role
from data.transfers import transfers
from data.trends import note, shares

_ALL = Selection()


def cube(path: Path, at: str) -> Cube:
    """The survey's cube."""
    return survey.summary(path, at).cube


def gold(path: Path, at: str) -> pa.Table | None:
    """The survey's gold labels; None where people have read no gold paper."""
    return survey.summary(path, at).gold


@st.cache_data(max_entries=256, show_spinner=False)
def shares_of(
    path: Path,
    at: str,
    *,
    by: By,
    role: Role = "source",
    of: Of = "dataset",
    where: Selection = _ALL,
    datasets: tuple[str, ...] = (),
) -> pd.DataFrame:
    """`data.trends.shares`."""
    asked = cube(path, at)
    return shares(
        asked, by=by, role=role, of=of, where=where, gold=gold(path, at), datasets=datasets
    )


@st.cache_data(max_entries=64, show_spinner=False)
def note_of(path: Path, at: str, where: Selection = _ALL) -> str:
    """`data.trends.note`."""
    return note(cube(path, at), where, gold(path, at))


@st.cache_data(max_entries=8, show_spinner=False)
def read_of(path: Path, at: str) -> dict[str, int]:
    """How many papers were read in which way, 'full text' or 'abstract'; the most papers first."""
    frame = shares(cube(path, at), by="all", of="images")
    sizes = frame.groupby("text")["n_papers"].first().sort_values(ascending=False)
    return {str(text): int(n) for text, n in sizes.items()}


@st.cache_resource(max_entries=64, show_spinner=False)
def groups(path: Path, at: str, by: By) -> tuple[str, ...]:
    """The groups of `data.counting.values_of`; a resource, since each filter asks at each press."""
    return tuple(values_of(cube(path, at), by)["group"])


@st.cache_data(max_entries=16, show_spinner=False)
def datasets(path: Path, at: str, role: Role | None = None) -> pd.DataFrame:
    """`data.counting.datasets_of`."""
    return datasets_of(cube(path, at), role)


@st.cache_data(max_entries=32, show_spinner=False)
def works(
    path: Path,
    at: str,
    *,
    where: Selection,
    dataset: str | None = None,
    role: Role | None = None,
) -> list[str]:
    """`data.counting.works_of`; with a dataset and no role, those that use it in any."""
    asked = cube(path, at)
    if dataset is None:
        return works_of(asked, where)
    roles = ROLES if role is None else (role,)
    using = {
        work_id for each in roles for work_id in works_of(asked, where, dataset=dataset, role=each)
    }
    return [work_id for work_id in works_of(asked, where) if work_id in using]


@st.cache_data(max_entries=32, show_spinner=False)
def findings(path: Path, at: str, where: Selection = _ALL) -> list[findings_.Finding]:
    """`data.findings.findings`."""
    on_all = survey.summary(path, at).findings
    if where == Selection(text=cast(ReadAs, on_all[0].text)):
        return list(on_all)
    return findings_.findings(cube(path, at), where=where, gold=gold(path, at))


@st.cache_data(max_entries=8, show_spinner="Asking at each threshold ...")
def sensitivity(path: Path, at: str, where: Selection = _ALL) -> pd.DataFrame:
    """`data.findings.sensitivity`."""
    return findings_.sensitivity(cube(path, at), where=where, gold=gold(path, at))


@st.cache_data(max_entries=32, show_spinner=False)
def concentration_of(path: Path, at: str, *, by: By, role: Role, where: Selection) -> pd.DataFrame:
    """`data.concentration.concentration`."""
    return concentration(cube(path, at), by=by, role=role, where=where, gold=gold(path, at))


@st.cache_data(max_entries=32, show_spinner=False)
def transfers_of(path: Path, at: str, where: Selection, top: int) -> pd.DataFrame:
    """`data.transfers.transfers`."""
    return transfers(cube(path, at), where=where, top=top)


@st.cache_data(max_entries=32, show_spinner=False)
def partners(path: Path, at: str, where: Selection, dataset: str) -> pd.DataFrame:
    """The pairs of `data.transfers.transfers` that this dataset is in."""
    frame = transfers(cube(path, at), where=where)
    return frame[(frame["source"] == dataset) | (frame["target"] == dataset)]


@st.cache_data(max_entries=32, show_spinner=False)
def growth_of(path: Path, at: str, *, role: Role, of: Of, where: Selection) -> pd.DataFrame:
    """`data.growth.growth`."""
    return growth_.growth(cube(path, at), role=role, of=of, where=where, gold=gold(path, at))


@st.cache_data(max_entries=8, show_spinner=False)
def first_use(path: Path, at: str, role: Role, where: Selection = _ALL) -> pd.DataFrame:
    """`data.growth.first_use`."""
    return growth_.first_use(cube(path, at), role=role, where=where)


@st.cache_data(max_entries=32, show_spinner=False)
def compared(
    path: Path, at: str, *, first: Selection, second: Selection, role: Role, of: Of
) -> pd.DataFrame:
    """`data.compare.compare`."""
    return compare(cube(path, at), first, second, role=role, of=of, gold=gold(path, at))


@st.cache_data(max_entries=2, show_spinner=False)
def quality_of(path: Path, at: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """`data.quality.quality` and `reliability` on the survey's gold papers; None without any."""
    labels = gold(path, at)
    if labels is None or not labels.num_rows:
        return None
    return quality(cube(path, at), labels), reliability(cube(path, at), labels)


def all_of(path: Path, at: str) -> Selection:
    """All papers of the kind of text that the most were read by."""
    return Selection(text=kind_of_text(path, at))


def source(path: Path, at: str, choice: str = "") -> Source:
    """Where a chart on these numbers comes from."""
    state = survey.snapshot_id(path)
    return Source(
        survey=survey.title(path),
        state=f"snapshot {state}" if state else f"a survey that still grows, state {at}",
        choice=choice,
        drawn=datetime.now(UTC).date(),
        version=version("cats-toolkit"),
    )


def this_year() -> int:
    """The year that is not over."""
    return datetime.now(UTC).year


def kind_of_text(path: Path, at: str) -> ReadAs:
    """The kind of text that the most papers were read by."""
    return findings_.kind_of_text(cube(path, at))
