"""Shares as tables and figures: found and corrected side by side, each with n and interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from dashboard.report.asked import Asked
from dashboard.report.document import Html, code, figure, joined, paragraph, table, text
from data.cube import UNKNOWN, By, Of, Selection
from data.drawing import lines_svg
from data.sample import LABEL
from data.trends import note, shares

FEW = 30  # a group of fewer papers is paler, as it is hollow in a figure
WILSON = "Brackets are Wilson 95% intervals."
PALE = f"Years of fewer than {FEW} papers are paler."
_LINES_READ = (
    f"Bands are Wilson 95% intervals; groups of fewer than {FEW} papers are hollow; the year that "
    "was not over is dashed."
)
Row = dict[str, Any]


def count(n: float) -> str:
    """A count in digits."""
    return f"{int(n):,}"


def rate(row: Row, *names: str, form: str = ".1f", times: float = 100) -> str:
    """A value with its interval; a dash where there is none."""
    values = [row[name] for name in names]
    if any(each is None or pd.isna(each) for each in values):
        return "–"
    value, low, high = (f"{times * each:{form}}" for each in values)
    return f"{value} [{low}, {high}]"


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame, each by its columns' names."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def as_found(row: Row) -> str:
    """The share of a row of `data.trends.shares` as it was found, in percent."""
    return rate(row, "share", "low", "high")


def as_corrected(row: Row) -> str:
    """The same corrected for the annotator's errors; a dash where gold papers do not allow it."""
    return rate(row, "corrected", "corrected_low", "corrected_high")


def _why_not(frame: pd.DataFrame) -> str:
    """Why shares have no corrected value, where they have none."""
    lacking = frame.loc[frame["corrected"].isna(), "not_corrected"]
    reasons = sorted({str(why) for why in lacking.dropna()})
    if not reasons:
        return ""
    where = "where none is given" if frame["corrected"].notna().any() else "here"
    return f"Not corrected {where}: {'; '.join(reasons)}."


def command(survey: Asked, words: str) -> Html:
    """The command that prints the numbers of a table."""
    kind = '"full text"' if survey.where.text == "full text" else survey.where.text
    return joined(("By ", code(f"cats trends {words} --text {kind}"), "."))


def counted_among(survey: Asked, where: Selection | None = None) -> str:
    """The line under a drawing: among what was counted."""
    told = note(survey.cube, where or survey.where).split(";")[0]
    return f"{told}.{f' {LABEL}.' if survey.is_sample else ''}"


def shares_of(
    survey: Asked, by: By, *, of: Of = "dataset", where: Selection | None = None
) -> pd.DataFrame:
    """`data.trends.shares` of the papers that the report counts, or of a selection of them."""
    return shares(survey.cube, by=by, of=of, where=where or survey.where, gold=survey.gold)


def transferring(survey: Asked) -> Selection:
    """Of the papers that are counted, those with a source."""
    return replace(survey.where, among="transfer")


def nothing(what: str) -> Html:
    """What stands where a section has nothing to show."""
    return paragraph(f"No paper here has {what}.")


def chosen(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows on these datasets."""
    return frame[frame["dataset"].isin(names)]


def shares_table(frame: pd.DataFrame, name: str, *caption: object, by: Sequence[Html]) -> Html:
    """Shares of all papers, as found and corrected side by side.

    Args:
        name: heads the first column.
        by: the commands that print the same.
    """
    is_corrected = frame["corrected"].notna().any()
    columns = [name, "papers", "of", "found, % [95%]"]
    columns += ["corrected, % [95%]", "gold papers"] if is_corrected else []
    rows = []
    for row in rows_of(frame):
        cells = [row["dataset"], count(row["n"]), count(row["n_papers"]), as_found(row)]
        rows.append([*cells, *([as_corrected(row), count(row["n_gold"])] if is_corrected else [])])
    return table(columns, rows, *caption, WILSON, _why_not(frame), *by)


def years_table(
    frame: pd.DataFrame, names: Sequence[str], caption: str, *, by: Sequence[Html]
) -> Html:
    """Years down, datasets across: the share with its interval, and the corrected one below it."""
    rows, few = [], []
    for year, part in frame[frame["group"] != UNKNOWN].groupby("group", sort=True):
        told = {row["dataset"]: row for row in rows_of(part)}
        n_papers = int(part["n_papers"].iloc[0])
        rows.append([str(year), count(n_papers), *(_cell(told.get(name)) for name in names)])
        few.append(n_papers < FEW)
    below = "The second line is corrected." if frame["corrected"].notna().any() else ""
    told_of = [caption, WILSON, below, PALE if any(few) else "", _why_not(frame), *by]
    return table(["year", "papers", *(f"{name}, %" for name in names)], rows, *told_of, few=few)


def _cell(row: Row | None) -> Html | str:
    if row is None:
        return "–"
    found = as_found(row)
    if pd.isna(row["corrected"]):
        return found
    return Html(f'{text(found)}<br><span class="by">{text(as_corrected(row))}</span>')


def lines(survey: Asked, frame: pd.DataFrame, title: str, where: Selection | None = None) -> Html:
    """Shares by year, drawn."""
    drawn = lines_svg(
        frame, title=title, note=counted_among(survey, where), this_year=survey.state.year
    )
    return figure(drawn, _LINES_READ)
