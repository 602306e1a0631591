"""What the survey says, in five sentences, and what it would say at other thresholds. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from data.compare import compare
from data.concentration import concentration
from data.corrected import Question
from data.counting import chosen, counted, items
from data.cube import Cube, Of, ReadAs, Selection
from data.trends import answers, shares

_ALL = Selection()

NAMES = ("most used", "medical", "implied", "concentration", "unnamed")
SINCE = 2020  # the year from which the change is told
_FEW = 30  # fewer papers than these tell nothing

Sure = Literal["corrected", "uncorrected", "undetermined"]
THRESHOLDS: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: its number, its interval, and how sure it is.

    Args:
        name: one of `NAMES`.
        sentence: the finding in words, with n and interval; says so where it is undetermined.
        how_sure: in words, what the interval covers and what it does not.
        sure: 'corrected' (by gold), 'uncorrected' (the annotator's errors are not in the
            interval), 'undetermined' (too few papers, or the interval holds both answers).
        dataset: the dataset that the finding is about; None if about all.
        value, low, high: the number and its 95% interval; None if there is none. A share; for
            'medical' a difference of shares in [-1, 1]; for 'concentration' the effective number of
            sources, 1 / HHI.
        n, n_papers: of how many papers.
        corrected, corrected_low, corrected_high: the same by gold; None without enough of it.
        text: what was read of these papers, 'full text' or 'abstract'.
    """

    name: str
    sentence: str
    how_sure: str
    sure: Sure
    dataset: str | None
    value: float | None
    low: float | None
    high: float | None
    n: int
    n_papers: int
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None
    text: str


def findings(cube: Cube, *, where: Selection = _ALL, gold: pa.Table | None = None) -> list[Finding]:
    """The five findings on a selection of papers, in the order of `NAMES`.

    1. which source most papers use, of all papers;
    2. how the share of papers with a medical source, of those with any, changed with `SINCE`;
    3. how many of the papers with a source never name one: a pretrained model implies it;
    4. how many sources used evenly would be as diverse as these: 1 / HHI;
    5. how many of the papers with a source say "pretrained" and not on what (rule I3).

    Args:
        where: with `text` 'separate' the findings are on the kind of text that the most papers
            have; each finding says which. `among` is each finding's own.
        gold: see `data.gold_sample.GOLD`.
    """
    asked = replace(where, among="all", text=kind_of_text(cube, where))
    told: list[Callable[[Cube, Selection, pa.Table | None], Finding]] = [
        _most_used,
        _medical,
        _implied,
        _concentration,
        _unnamed,
    ]
    return [ask(cube, asked, gold) for ask in told]


def kind_of_text(cube: Cube, where: Selection = _ALL) -> ReadAs:
    """What was read of most papers of a selection, or of all that it mixes."""
    if where.text != "separate":
        return where.text
    mask = chosen(cube, where)
    most_in_full = 2 * int((mask & cube.full_text).sum()) >= int(mask.sum())
    return "full text" if most_in_full else "abstract"


def _most_used(cube: Cube, where: Selection, gold: pa.Table | None) -> Finding:
    frame = shares(cube, by="all", where=where, gold=gold, top=1)
    row = None if frame.empty else frame.iloc[0]
    of = "papers"
    words = f"{{dataset}} is the source that more {of} use than any other"
    return _of_share("most used", row, where, words, of)


def _medical(cube: Cube, where: Selection, gold: pa.Table | None) -> Finding:
    where = replace(where, among="transfer")
    spans = [(SINCE, 9999), (1, SINCE - 1)]
    later, before = (replace(where, years=_both(where.years, span)) for span in spans)
    n_later, n_before = (0 if each.years is None else _n(cube, each) for each in (later, before))
    if min(n_later, n_before) < _FEW:
        sentence = (
            f"Whether medical sources gained since {SINCE} is undetermined: "
            f"{_number(n_later)} papers with a source since then and {_number(n_before)} before, "
            f"{_FEW} of each needed"
        )
        return _undetermined("medical", where, sentence, n_later + n_before)
    frame = compare(cube, later, before, of="images", datasets=(), gold=gold)
    rows = frame[frame["dataset"] == "medical"]
    if rows.empty:  # these papers have natural sources alone
        return _nothing("medical", where, "papers with a medical source", 0)
    row = rows.iloc[0]
    n_papers = n_later + n_before
    words = (
        f"Of papers with a source, {row['share_1']:.0%} have a medical one since {SINCE} "
        f"({_number(row['n_1'])} of {_number(row['n_papers_1'])}) and {row['share_2']:.0%} before "
        f"({_number(row['n_2'])} of {_number(row['n_papers_2'])}): a change of"
    )
    value = (row["difference"], row["low"], row["high"])
    told = (row["corrected"], row["corrected_low"], row["corrected_high"])
    best = told if np.isfinite(told[0]) else value
    open_ = best[1] <= 0 <= best[2]
    sentence = f"{words} {_points(*value)}"
    if best is told:
        sentence += f" as found, and of {_points(*told)} corrected for the annotator's errors"
    if open_:
        sentence = f"Whether medical sources gained since {SINCE} is undetermined. {sentence}"
    return _finding(
        "medical",
        where,
        sentence,
        value,
        told,
        n=int(row["n_1"] + row["n_2"]),
        n_papers=n_papers,
        undetermined=open_,
    )


def _both(years: tuple[int, int] | None, span: tuple[int, int]) -> tuple[int, int] | None:
    """The years in both spans; None where there are none."""
    first, last = years or (1, 9999)
    first, last = max(first, span[0]), min(last, span[1])
    return (first, last) if first <= last else None


def _implied(cube: Cube, where: Selection, gold: pa.Table | None) -> Finding:
    where = replace(where, presence=None)
    words = "a pretrained model alone tells the source, which the paper never names"
    return _of_transfers(
        cube, where, gold, name="implied", of="naming", item="implied only", words=words
    )


def _unnamed(cube: Cube, where: Selection, gold: pa.Table | None) -> Finding:
    words = "weights are called pretrained, and not on what"
    return _of_transfers(
        cube, where, gold, name="unnamed", of="unnamed", item="unnamed", words=words
    )


def _of_transfers(
    cube: Cube,
    where: Selection,
    gold: pa.Table | None,
    *,
    name: str,
    of: Of,
    item: str,
    words: str,
) -> Finding:
    where = replace(where, among="transfer")
    found = items(cube, "source", of, where, mask=counted(cube, where))
    frame = answers(cube, Question("all", "source", of, where), found, (item,), gold=gold)
    row = None if frame.empty else frame.iloc[0]
    return _of_share(name, row, where, words, "papers with a source")


def _concentration(cube: Cube, where: Selection, gold: pa.Table | None) -> Finding:
    frame = concentration(cube, where=where, gold=gold)
    of = "papers with a named source"
    if frame.empty:
        return _nothing("concentration", where, of, 0)
    rows = {row["measure"]: row for row in frame.to_dict(orient="records")}
    row, first = rows["effective number (HHI)"], rows["share of the first five"]
    if row["n_papers"] < _FEW:
        return _nothing("concentration", where, of, int(row["n_papers"]))
    value = (row["value"], row["low"], row["high"])
    told = (row["corrected"], row["corrected_low"], row["corrected_high"])
    best = told if np.isfinite(told[0]) else value
    found = "" if best is value else f" (found: {_effective(*value)})"
    sentence = (
        f"{_number(row['n_papers'])} {of} use {_number(row['n_datasets'])} sources, as diverse as "
        f"{_effective(*best)} used evenly{found}; the first five are {first['value']:.0%} "
        f"[{first['low']:.0%}, {first['high']:.0%}] of {_number(row['n_uses'])} uses found"
    )
    return _finding(
        "concentration",
        where,
        sentence,
        value,
        told,
        n=int(row["n_uses"]),
        n_papers=int(row["n_papers"]),
    )


def _effective(value: float, low: float, high: float) -> str:
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _of_share(name: str, row: pd.Series | None, where: Selection, words: str, of: str) -> Finding:
    """A finding that is a share of papers."""
    if row is None or row["n_papers"] < _FEW:
        return _nothing(name, where, of, 0 if row is None else int(row["n_papers"]))
    value = (row["share"], row["low"], row["high"])
    told = (row["corrected"], row["corrected_low"], row["corrected_high"])
    best = told if np.isfinite(told[0]) else value
    dataset = row["dataset"] if name == "most used" else None
    said = words.format(dataset=dataset)
    share, found = _percent(*best), "" if best is value else f": {_percent(*value)},"
    counts = f"found{found} in {_number(row['n'])} of {_number(row['n_papers'])}"
    sentence = f"{said}: {share} ({counts})" if dataset else f"In {share} of {of} {said} ({counts})"
    return _finding(
        name, where, sentence, value, told, n=int(row["n"]), n_papers=int(row["n_papers"]),
        dataset=dataset,
    )  # fmt: skip


def _finding(
    name: str,
    where: Selection,
    sentence: str,
    value: tuple[float, float, float],
    told: tuple[float, float, float],
    *,
    n: int,
    n_papers: int,
    dataset: str | None = None,
    undetermined: bool = False,
) -> Finding:
    is_corrected = bool(np.isfinite(told[0]))
    how = "corrected for the annotator's errors by gold papers" if is_corrected else _CHANCE_ALONE
    by = "whole texts and abstracts together" if where.text == "together" else f"{where.text}s"
    numbers = [None if not np.isfinite(each) else float(each) for each in (*value, *told)]
    return Finding(
        name=name,
        sentence=sentence + ".",
        how_sure=f"95% interval, {how}; read from {by}, scores of {where.min_score:g} or more.",
        sure="undetermined" if undetermined else "corrected" if is_corrected else "uncorrected",
        dataset=dataset,
        value=numbers[0],
        low=numbers[1],
        high=numbers[2],
        n=n,
        n_papers=n_papers,
        corrected=numbers[3],
        corrected_low=numbers[4],
        corrected_high=numbers[5],
        text=where.text,
    )


_CHANCE_ALONE = "of chance alone: the annotator's errors are not in it"


def _nothing(name: str, where: Selection, of: str, n_papers: int) -> Finding:
    """A finding that there are too few papers for."""
    sentence = f"Undetermined: {_number(n_papers)} {of}, {_FEW} needed"
    return _undetermined(name, where, sentence, n_papers)


def _undetermined(name: str, where: Selection, sentence: str, n_papers: int) -> Finding:
    return _finding(
        name, where, sentence, (np.nan,) * 3, (np.nan,) * 3, n=0, n_papers=n_papers,
        undetermined=True,
    )  # fmt: skip


def _n(cube: Cube, where: Selection) -> int:
    """How many papers a selection counts."""
    return int(counted(cube, where).sum())


def _number(n: float) -> str:
    return f"{int(n):,}"


def _percent(value: float, low: float, high: float) -> str:
    return f"{value:.0%} [{low:.0%}, {high:.0%}]"


def _points(value: float, low: float, high: float) -> str:
    """A difference of shares in words, in percentage points."""
    return f"{100 * value:+.0f} [{100 * low:+.0f}, {100 * high:+.0f}] percentage points"


def sensitivity(
    cube: Cube,
    *,
    where: Selection = _ALL,
    thresholds: tuple[float, ...] = THRESHOLDS,
    gold: pa.Table | None = None,
) -> pd.DataFrame:
    """Each finding at each score threshold: does it hang on where the line is drawn?

    Returns: columns min_score, then the fields of `Finding`, by finding, then threshold.
    """
    rows = [
        {"min_score": threshold} | asdict(finding)
        for threshold in thresholds
        for finding in findings(cube, where=replace(where, min_score=threshold), gold=gold)
    ]
    rows.sort(key=lambda row: (NAMES.index(row["name"]), row["min_score"]))
    return pd.DataFrame(rows, columns=["min_score", *(each.name for each in fields(Finding))])
