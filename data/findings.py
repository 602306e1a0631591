"""What the survey says, in five sentences, and what it would say at other thresholds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

from data.cube import Cube, Selection

Sure = Literal["corrected", "uncorrected", "undetermined"]
THRESHOLDS: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: its number, its interval, and how sure it is.

    Args:
        name: 'most used', 'medical', 'medical since 2020', 'implied', 'concentration' or 'unnamed'.
        sentence: the finding in words, with n and interval; says so where it is undetermined.
        how_sure: in words, what the interval covers and what it does not.
        sure: 'corrected' (by gold), 'uncorrected' (the annotator's errors are not in the
            interval), 'undetermined' (too few papers, or the interval holds both answers).
        dataset: the dataset that the finding is about; None if about all.
        value, low, high: the number and its 95% interval; None if there is none. A share or a
            difference of shares in [-1, 1], except 'concentration': effective number of sources.
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


def findings(
    cube: Cube, *, where: Selection = _ALL, gold: pa.Table | None = None
) -> list[Finding]:
    """The findings on a selection of papers, in the order of `Finding.name`.

    Args:
        where: with `text` 'separate' the findings are on the kind of text that the most papers
            have; each finding says which.
    """
    raise NotImplementedError


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
    raise NotImplementedError
