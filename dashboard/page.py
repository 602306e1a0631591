"""What all pages have in common: how they open, what they say when there is nothing to show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pandas as pd
import streamlit as st

from dashboard import filters, numbers, survey
from data.cube import Of, Selection
from data.errors import CatsError
from data.kept import stamp
from data.records import Role


@dataclass(frozen=True, slots=True)
class Here:
    """The survey that a page shows: its directory, its state on disk, whether it is the sample."""

    path: Path
    at: str
    sample: bool


def opened(title: str, question: str) -> Here:
    """Draw the heading, and stop where there is nothing to count yet."""
    path = survey.directory()
    here = Here(path, stamp(path), survey.is_sample(path))
    st.title(title, anchor=False)
    st.markdown(question)
    try:
        n_papers = numbers.cube(here.path, here.at).n_papers
    except CatsError as e:
        st.error(f"The survey cannot be read: {e}")
        st.stop()
    if not n_papers:
        found = survey.summary(path, here.at).counts["works"]
        nothing(
            f"{found:,} works are here and none is annotated yet: `cats annotate`."
            if found
            else "No works yet: `cats mine`, or `cats mine --from FILE`. This page follows."
        )
    return here


def nothing(message: str) -> NoReturn:
    """Say why there is nothing to draw and what would change that, and end the page."""
    st.info(message, icon=":material/hourglass_empty:")
    st.stop()
    raise AssertionError("st.stop does not return")


def counted(here: Here, where: Selection, frame: pd.DataFrame | None = None) -> None:
    """Under the charts: among what was counted, and where and why nothing is corrected."""
    told = numbers.note_of(here.path, here.at, where)
    if frame is not None and frame["corrected"].isna().any():
        rest = frame[frame["corrected"].isna()]
        why = [reason for reason in rest["not_corrected"].dropna().unique() if reason]
        part = "" if len(rest) == len(frame) else f" in {len(rest):,} of {len(frame):,} values"
        told += f"; not corrected for the annotator's errors{part}: {why[0]}" if why else ""
    st.caption(filters.as_sentence(told))


def rate(value: float, low: float, high: float) -> str:
    """A rate with its interval, to two places; a dash where it has none."""
    return "-" if math.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def growth(here: Here, *, role: Role, of: Of, where: Selection, names: list[str]) -> None:
    """In words, before the chart: which of these is used more each year, and which less."""
    frame = numbers.growth_of(here.path, here.at, role=role, of=of, where=where)
    told = [_trend(row) for row in frame.to_dict("records") if row["dataset"] in names]
    st.markdown("\n".join(f"- {line}" for line in told[:6]))


def _trend(row: dict[object, object]) -> str:
    name = f"**{filters.as_text(str(row['dataset']))}**"
    about = (
        f"n = {row['n']} of {row['n_papers']} papers, {row['first_year']}\u2013{row['last_year']}"
    )
    change = _change(row)
    if pd.isna(row["odds_ratio"]):  # type: ignore[call-overload]
        why = filters.as_text(str(row["not_fitted"]))
        return f"{name}: no yearly trend can be told ({why}; {about}){change}"
    odds, low, high = (
        100 * (float(str(row[key])) - 1)
        for key in ("odds_ratio", "odds_ratio_low", "odds_ratio_high")
    )
    verdict = (
        "is used **more** each year"
        if low > 0
        else "is used **less** each year"
        if high < 0
        else "shows **no clear change**"
    )
    told = f"odds {odds:+.0f}% a year [{low:+.0f}%, {high:+.0f}%]"
    return f"{name} {verdict}: {told}, {about}{change}"


def _change(row: dict[object, object]) -> str:
    """How the share changed between two periods, as found and corrected; nothing where untold."""
    said = [
        f"{100 * value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] {how}"
        for how, name in (("as found", "change"), ("corrected", "corrected"))
        for value, low, high in [[float(str(row[name + end])) for end in ("", "_low", "_high")]]
        if not pd.isna(value)
    ]
    if not said:
        return ""
    return f"; points since {float(str(row['since'])):.0f}: {', '.join(said)}"
