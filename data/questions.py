"""A question in words, as a command line or an address has it -> its frame. Open `frame` first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Literal, cast, get_args

import pandas as pd
import pyarrow as pa

from data.compare import compare
from data.concentration import concentration
from data.cube import By, Cube, Of, Selection, one_of
from data.errors import InputError
from data.findings import findings, sensitivity
from data.growth import first_use, growth
from data.records import Role
from data.transfers import transfers
from data.trends import shares

What = Literal[
    "shares",
    "concentration",
    "transfers",
    "growth",
    "first",
    "compare",
    "findings",
    "sensitivity",
]
_YEARS = re.compile(r"(\d{4})(?:-(\d{4}))?")
_SEVERAL = ("venue", "country", "modality", "organ", "task", "targets")


def selection(words: Mapping[str, Any]) -> Selection:
    """The selection that these words speak of; what is None or empty is left as it is by default.

    Args:
        words: name of a field of `Selection` -> its value; years as "2018-2024" or "2020", names
            as lists.

    Raises:
        InputError: a name or a value is none of those that are known.
    """
    return _with(Selection(), words)


def otherwise(where: Selection, words: Iterable[str]) -> Selection:
    """A selection with some fields changed: "years=2012-2019", "modality=ct;mri", "organ=".

    Raises:
        InputError: a word is no NAME=VALUE, or its name is no field of `Selection`.
    """
    changed: dict[str, Any] = {}
    for word in words:
        name, found, value = word.partition("=")
        if not found:
            raise InputError(f"{word!r} is not NAME=VALUE, such as years=2012-2019; correct it")
        changed[name] = tuple(filter(None, value.split(";"))) if name in _SEVERAL else value
    return _with(where, changed, clear=True)


def _with(where: Selection, words: Mapping[str, Any], *, clear: bool = False) -> Selection:
    known = {each.name for each in fields(Selection)}
    changed: dict[str, Any] = {}
    for name, value in words.items():
        one_of("against", name, sorted(known))
        if value or clear:
            changed[name] = _value(name, value)
    return replace(where, **changed)


def _value(name: str, value: Any) -> Any:
    if name == "years":
        return _years(value) if value else None
    if name == "min_score":
        return _score(value)
    return tuple(value) if name in _SEVERAL else value or None


def _score(value: Any) -> float:
    try:
        return float(value)
    except ValueError as e:
        raise InputError(f"min_score {value!r} is no number; correct it") from e


def _years(value: str) -> tuple[int, int]:
    found = _YEARS.fullmatch(value)
    if found is None:
        raise InputError(f"years {value!r} are not such as 2018-2024 or 2020; correct them")
    first = int(found[1])
    return first, int(found[2] or first)


def frame(
    what: str,
    cube: Cube,
    *,
    by: str = "year",
    role: str = "source",
    of: str = "dataset",
    where: Selection,
    other: Selection | None = None,
    datasets: tuple[str, ...] = (),
    top: int | None = None,
    gold: pa.Table | None = None,
) -> pd.DataFrame:
    """The frame that answers a question; `data.trends` and its neighbours say its columns.

    Args:
        what: one of `What`.
        other: for 'compare': the second selection.
        datasets: for shares, growth and compare.
        top: the first so many datasets, pairs or differences.

    Raises:
        InputError: a choice is none of those that are known, or 'compare' has nothing to compare.
    """
    one_of("what", what, get_args(What))
    role_, of_, by_ = cast(Role, role), cast(Of, of), cast(By, by)
    few = None if datasets or of != "dataset" else top

    def compared() -> pd.DataFrame:
        if other is None or other == where:
            raise InputError("nothing to compare with; add --against years=2012-2019, or the like")
        found = compare(cube, where, other, role=role_, of=of_, datasets=datasets, gold=gold)
        return found if few is None else found.head(few)

    answers: dict[What, Callable[[], pd.DataFrame]] = {
        "shares": lambda: shares(
            cube, by=by_, role=role_, of=of_, where=where, datasets=datasets, top=few, gold=gold
        ),
        "concentration": lambda: concentration(cube, by=by_, role=role_, where=where, gold=gold),
        "transfers": lambda: transfers(cube, where=where, top=top),
        "growth": lambda: growth(
            cube, role=role_, of=of_, where=where, datasets=datasets, top=few, gold=gold
        ),
        "first": lambda: first_use(cube, role=role_, where=where)[:top],
        "compare": compared,
        "findings": lambda: pd.DataFrame(findings(cube, where=where, gold=gold)),
        "sensitivity": lambda: sensitivity(cube, where=where, gold=gold),
    }
    return answers[cast(What, what)]()
