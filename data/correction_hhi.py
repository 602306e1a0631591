"""How concentrated uses truly are, by gold papers alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.intervals import CONFIDENCE, Floats

# Fewer gold papers that have a use give no corrected value, as of shares.
MIN_USING = 30


def n_using(true: Floats) -> int:
    """How many gold papers use any dataset, by one of their readers at least."""
    return int((true.sum(1) > 0).sum())


def herfindahl(true: Floats, weight: Floats) -> tuple[float, float, float]:
    """The Herfindahl index of what a survey's papers truly use, and its 95% interval.

    It is the index that the survey would show if the annotator made no errors. NaN where gold
    papers cannot tell: too few, or they all use the same dataset, or no two the same, which would
    leave an interval of no width.

    Counts of datasets are weighted sums over the gold papers. The square of an estimated count is
    too large by its variance, and so is that of the number of uses: both are taken off, which
    leaves what two different papers have in common.

    The variance is the jackknife's over gold papers, without finite population correction, so that
    the chance in which papers were published is in it. The interval is of the logarithm, by
    Student's t at Satterthwaite's degrees of freedom, since a few heavy papers may carry most of
    the variance. What the annotator says does not enter: with it intervals are narrower, but hold
    the truth less often where many datasets are used alike (`tests/benchmarks/coverage.py`).

    Args:
        true: which datasets each gold paper uses: 0 or 1, or between where its readers differ.
            *Shape:* (n, n_datasets)
        weight: papers that each stands for, 1 or more. *Shape:* (n,)

    Source: Simpson (1949), doi:10.1038/163688a0 (the index without the same paper twice); Särndal,
        Swensson & Wretman (1992), Model Assisted Survey Sampling, 5.5 (weights); Wolter (2007),
        Introduction to Variance Estimation, 4 (jackknife); Satterthwaite (1946),
        doi:10.2307/3002019.
    """
    nothing = (np.nan, np.nan, np.nan)
    papers = (true > 0).sum(0)
    if n_using(true) < MIN_USING or papers.max() < 2 or (papers > 0).sum() < 2:
        return nothing
    sums, n = _sums(true, weight), len(weight)
    every = [part.sum(0) for part in sums]
    value = float(_index(every, n=n))
    left = _index([all_ - own for all_, own in zip(every, sums, strict=True)], n=n - 1)
    if not (value > 0 and np.isfinite(left).all()):
        return nothing
    spread = (n - 1) / n * (left - left.mean()) ** 2
    variance = spread.sum()
    half = min(_quantile(spread) * np.sqrt(variance) / value, 700.0)  # exp(710) is too large
    return value, float(value * np.exp(-half)), float(value * np.exp(min(half, -np.log(value))))


def _sums(true: Floats, weight: Floats) -> list[Floats]:
    """What `_index` needs of each paper. *Shape:* (n, 1) or (n, n_datasets + 1) each.

    The last column is of all datasets together. (weight - 1) is the finite population correction
    of a paper that stands for `weight` papers, itself among them.
    """
    uses = np.concatenate([true, true.sum(1, keepdims=True)], 1)
    w = weight[:, None]
    return [w, w * uses, w * (w - 1), w * (w - 1) * uses, w * (w - 1) * uses**2]


def _index(sums: Sequence[Floats], *, n: int) -> Floats:
    """The index from `_sums` over n papers. *Shape:* (..., n_datasets + 1) -> (...)."""
    w, uses, v, first, second = sums
    mean = uses / w
    variance = n / (n - 1) * (second - 2 * mean * first + mean**2 * v)
    squares = uses**2 - variance
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(squares[..., :-1].sum(-1) / squares[..., -1])


def _quantile(spread: Floats) -> float:
    from scipy.special import stdtrit

    squares = (spread**2).sum()
    freedom = spread.sum() ** 2 / squares if squares > 0 else np.inf
    return float(stdtrit(max(min(freedom, 1e6), 1.0), 0.5 + CONFIDENCE / 2))
