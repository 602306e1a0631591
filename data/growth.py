"""Since when a dataset is used, and whether it is used more than before. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa

from data.catalogue import PSEUDO_IDS
from data.compare import compare
from data.counting import ABSTRACT, FULL, counted, standing
from data.cube import UNKNOWN, Cube, Of, Selection, Text
from data.intervals import Floats, two_sided_p, z_of
from data.records import Role
from data.trends import shares

_ALL = Selection()
_STEPS, _SETTLED = 50, 1e-10


def first_use(cube: Cube, *, role: Role = "source", where: Selection = _ALL) -> pd.DataFrame:
    """The earliest paper of the selection that uses each dataset, whatever was read of it.

    Papers of unknown year tell nothing here.

    Returns: columns dataset, released (year of the dataset, missing if unknown), year, work_id (of
        several in that year the earliest by date, then the last by id), text (what was read of
        that paper), n (papers in all years); by year, then by n.
    """
    mask = counted(cube, where) & (cube.year > 0)
    paper, dataset = standing(cube, role, where, mask=mask)
    first = np.full(len(cube.datasets), -1)
    np.maximum.at(first, dataset, paper)  # papers are newest first
    n = np.bincount(dataset, minlength=len(cube.datasets))
    used = [i for i in np.flatnonzero(n) if cube.datasets[i] not in PSEUDO_IDS]
    rows = [
        {
            "dataset": cube.datasets[i],
            "released": cube.released.get(cube.datasets[i]),
            "year": int(cube.year[first[i]]),
            "work_id": cube.ids[int(first[i])].as_py(),
            "text": FULL if cube.full_text[first[i]] else ABSTRACT,
            "n": int(n[i]),
        }
        for i in used
    ]
    columns = ["dataset", "released", "year", "work_id", "text", "n"]
    frame = pd.DataFrame(rows, columns=columns).astype({"released": "Int64"})
    return frame.sort_values(
        ["year", "n", "dataset"], ascending=[True, False, True], ignore_index=True
    )


def growth(
    cube: Cube,
    *,
    role: Role = "source",
    of: Of = "dataset",
    where: Selection = _ALL,
    datasets: tuple[str, ...] = (),
    top: int | None = None,
    gold: pa.Table | None = None,
) -> pd.DataFrame:
    """How the odds that a paper uses a dataset change from year to year, and its share over time.

    A logistic regression of the yearly counts on the year; the interval is widened by the spread
    of the years around the line where that is more than chance (quasi-binomial). Single years have
    too few gold papers for a corrected slope, so that what is corrected is the change between two
    periods: the years of a kind of text, cut where the papers before and after are most evenly
    many. It is `data.compare.compare` of the two.

    Args:
        gold: see `data.gold_sample.GOLD`.

    Returns: columns text, dataset, n, n_papers, first_year, last_year, slope (log-odds a year),
        low, high (95%), odds_ratio, odds_ratio_low, odds_ratio_high (a year), dispersion, p,
        not_fitted (why slope and interval are missing), since (first year of the later period),
        change (share since then less share before), change_low, change_high, corrected,
        corrected_low, corrected_high (the same change by gold), and not_corrected (why these are
        missing); the most used first.

    Source: McCullagh & Nelder (1989), Generalized Linear Models, 4.4 and 4.5.
    """
    by_year = shares(cube, by="year", role=role, of=of, where=where, datasets=datasets, top=top)
    by_year = by_year[by_year["group"] != UNKNOWN]
    names = tuple(by_year["dataset"].unique()) if of == "dataset" else ()
    changes: dict[object, dict[str, object]] = {}
    for text in by_year["text"].unique():
        part = by_year[by_year["text"] == text]
        papers = part.groupby(part["group"].astype(int))["n_papers"].first()
        own = replace(where, text=cast(Text, text))
        changes |= _changes(cube, own, papers, role=role, of=of, names=names, gold=gold)
    rows = []
    for (name, text), part in by_year.groupby(["dataset", "text"], sort=False):
        years = np.asarray(part["group"].astype(int), float)
        rows.append(
            {"text": text, "dataset": name}
            | _row(years, part["n"].to_numpy(float), part["n_papers"].to_numpy(float))
            | changes.get((text, name), dict.fromkeys(_CHANGE, np.nan) | _ONE_YEAR)
        )
    columns = ["text", "dataset", "n", "n_papers", "first_year", "last_year", *_FITTED]
    return pd.DataFrame(rows, columns=[*columns, "not_fitted", *_CHANGE, "not_corrected"])


def _changes(
    cube: Cube,
    where: Selection,
    papers: pd.Series,
    *,
    role: Role,
    of: Of,
    names: tuple[str, ...],
    gold: pa.Table | None,
) -> dict[object, dict[str, object]]:
    """(text, dataset) -> how its share changed between two periods; empty for a single year.

    Args:
        papers: of each year.
    """
    years = sorted(papers.index)
    if len(years) < 2:
        return {}
    before = papers.sort_index().cumsum().iloc[:-1]
    since = years[int(np.argmin(np.abs(before - papers.sum() / 2))) + 1]
    later, earlier = (
        replace(where, years=span) for span in ((since, years[-1]), (years[0], since - 1))
    )
    found = compare(cube, later, earlier, role=role, of=of, datasets=names, gold=gold)
    names_of = {"difference": "change", "low": "change_low", "high": "change_high"}
    found = found.rename(columns=names_of).assign(since=since)
    columns = [*_CHANGE, "not_corrected"]
    return {
        (row["text"], row["dataset"]): {name: row[name] for name in columns}
        for row in found.to_dict("records")
    }


_CHANGE = (
    "since",
    "change",
    "change_low",
    "change_high",
    "corrected",
    "corrected_low",
    "corrected_high",
)
_ONE_YEAR = {"not_corrected": "all papers are of one year"}
_FITTED = (
    "slope",
    "low",
    "high",
    "odds_ratio",
    "odds_ratio_low",
    "odds_ratio_high",
    "dispersion",
    "p",
)


def _row(years: Floats, n: Floats, n_papers: Floats) -> dict[str, object]:
    counts: dict[str, object] = {
        "n": int(n.sum()),
        "n_papers": int(n_papers.sum()),
        "first_year": int(years.min()),
        "last_year": int(years.max()),
    }
    fit = slope_of(np.asarray(years, float), n, n_papers)
    if isinstance(fit, str):
        return counts | dict.fromkeys(_FITTED, np.nan) | {"not_fitted": fit}
    half = z_of() * fit.error
    low, high = fit.slope - half, fit.slope + half
    told = (fit.slope, low, high, *np.exp([fit.slope, low, high]).tolist())
    p = float(two_sided_p(fit.slope, fit.error))
    return (
        counts | dict(zip(_FITTED, (*told, fit.dispersion, p), strict=True)) | {"not_fitted": None}
    )


@dataclass(frozen=True, slots=True)
class Slope:
    """Log-odds a unit of x, its standard error, and the dispersion that it is widened by."""

    slope: float
    error: float
    dispersion: float


def slope_of(x: Floats, successes: Floats, n: Floats) -> Slope | str:
    """The slope of a logistic regression of grouped counts on x, or why there is none.

    Newton's method on the likelihood. The dispersion is Pearson's chi-square by its degrees of
    freedom, 1 at least, and 1 where there are none.
    """
    if len(x) < 3:
        return "fewer than three years"
    if successes.sum() == 0 or (successes == n).all():
        return "no paper uses it, or all do"
    used, rest = x[successes > 0], x[successes < n]
    if used.min() >= rest.max() or used.max() <= rest.min():
        return "papers that use it and papers that do not are of different years"
    centre = np.average(x, weights=n)
    design = np.stack([np.ones_like(x), x - centre], 1)
    share = successes.sum() / n.sum()
    beta = np.array([np.log(share / (1 - share)), 0.0])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-design @ beta))
        information = (design.T * (n * chance * (1 - chance))) @ design
        step = np.linalg.solve(information, design.T @ (successes - n * chance))
        beta = beta + step
        if np.abs(step).max() < _SETTLED:
            break
    else:
        return "the fit does not settle"
    pearson = ((successes - n * chance) ** 2 / (n * chance * (1 - chance))).sum()
    dispersion = max(1.0, float(pearson / (len(x) - 2)))
    error = float(np.sqrt(dispersion * np.linalg.inv(information)[1, 1]))
    return Slope(float(beta[1]), error, dispersion)
