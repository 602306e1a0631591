"""Which papers a page speaks of: the widgets, and the same in words. The address holds them all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import streamlit as st

from dashboard import numbers
from data.cube import By, ReadAs, Selection

_READ = {
    "full text": "full text",
    "abstract": "title and abstract",
    "together": "either, mixed",
}
_AMONG = {"all": "all papers", "transfer": "papers with a source"}
_MOST_OPTIONS = 300  # a longer list is no help; a rarer group comes in by a link
_BY: tuple[Literal["modality", "organ", "task", "country", "venue"], ...] = (
    "modality",
    "organ",
    "task",
    "country",
    "venue",
)


def selection(path: Path, at: str) -> Selection:
    """Draw the filters and give what they choose."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        years = _years(path, at)
        among = st.segmented_control(
            "Share of",
            list(_AMONG),
            format_func=_AMONG.__getitem__,
            default="all",
            required=True,
            key="among",
            bind="query-params",
        )
        text = _text(path, at)
        with st.popover("More filters", icon=":material/filter_list:"):
            groups = {by: _groups(path, at, by) for by in _BY}
            score = st.slider(
                "Least score of a claim", 0.0, 1.0, 0.5, 0.05, key="score", bind="query-params"
            )
    return Selection(
        years=years,
        venue=groups["venue"],
        country=groups["country"],
        modality=groups["modality"],
        organ=groups["organ"],
        task=groups["task"],
        text=text,
        among=cast(Literal["all", "transfer"], among),
        min_score=score,
    )


def narrowed(where: Selection, by: By, groups: Sequence[str]) -> Selection:
    """The selection with only the papers of these groups of a venue, country, modality, ..."""
    wanted: dict[str, Any] = {by: tuple(groups)}
    return replace(where, **wanted)


def in_words(where: Selection) -> str:
    """A selection as a reader says it; what holds for all papers is left out."""
    parts = [f"{by} {', '.join(getattr(where, by))}" for by in _BY if getattr(where, by)]
    if where.years is not None:
        parts.insert(0, f"published {where.years[0]}\u2013{where.years[1]}")
    if where.targets:
        parts.append(f"with {', '.join(where.targets)} as target")
    if where.among == "transfer":
        parts.append("among papers with a source")
    if where.text != "separate":
        parts.append(f"read by {_READ[where.text]}")
    return "; ".join([*parts, f"claims scored {where.min_score:g} or more"])


def as_text(words: str) -> str:
    """Words as Markdown shows them unchanged, whatever signs a name may hold."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|:])", r"\\\1", words)


def as_sentence(words: str) -> str:
    """The same with a full stop, and a capital but where it begins with n."""
    first = words[:1] if words.startswith("n =") else words[:1].upper()
    return as_text(f"{first}{words[1:].rstrip('.')}.")


def _years(path: Path, at: str) -> tuple[int, int] | None:
    known = [int(year) for year in numbers.groups(path, at, "year") if year.isdigit()]
    first, last = (min(known), max(known)) if known else (0, 0)
    if first == last:
        return None
    years = st.slider("Years", first, last, (first, last), key="years", bind="query-params")
    # All years: then also papers whose year nobody knows.
    return None if years == (first, last) else years


def _text(path: Path, at: str) -> ReadAs:
    """Papers read by their abstracts under-report sources: they are mixed only if asked for."""
    kinds = list(numbers.read_of(path, at))
    if len(kinds) < 2:
        return numbers.kind_of_text(path, at)
    chosen = st.selectbox(
        "Read by",
        [*kinds, "together"],
        format_func=_READ.__getitem__,
        key="read",
        bind="query-params",
        width=170,
    )
    return cast(ReadAs, chosen)


def _groups(path: Path, at: str, by: By) -> tuple[str, ...]:
    known = numbers.groups(path, at, by)
    options = _with_linked(known[:_MOST_OPTIONS], known, by)
    return tuple(
        st.multiselect(by.capitalize(), options, key=by, bind="query-params", placeholder="all")
    )


def _with_linked(options: Sequence[str], known: Sequence[str], key: str) -> list[str]:
    """The options, and what a link asks for if it is known: else the link would not hold."""
    linked = [value for value in st.query_params.get_all(key) if value in known]
    return list(dict.fromkeys([*options, *linked]))
