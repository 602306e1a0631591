"""Since when a dataset is used, and whether it is used more each year. Pure."""

from __future__ import annotations

import pandas as pd

from data.cube import Cube, Of, Selection
from data.records import Role


def first_use(cube: Cube, *, role: Role = "source", where: Selection = _ALL) -> pd.DataFrame:
    """The earliest paper of the selection that uses each dataset, whatever was read of it.

    Returns: columns dataset, released (year of the dataset, None if unknown), year, work_id (of
        several in that year the earliest by date, then by id), text (what was read of that
        paper), n (papers in all years); by year, then by n.
    """
    raise NotImplementedError


def growth(
    cube: Cube,
    *,
    role: Role = "source",
    of: Of = "dataset",
    where: Selection = _ALL,
    top: int | None = None,
) -> pd.DataFrame:
    """How the odds that a paper uses a dataset change from year to year.

    A logistic regression of the yearly counts on the year; the interval is widened by the spread
    of the years around the line where that is more than chance (quasi-binomial).

    Returns: columns text, dataset, n, n_papers, first_year, last_year, slope (log-odds a year),
        low, high (95%), odds_ratio, odds_ratio_low, odds_ratio_high (a year), dispersion, p, and
        not_fitted (why slope and interval are None); the most used first.
    """
    raise NotImplementedError
