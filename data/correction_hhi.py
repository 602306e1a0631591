"""How concentrated uses are, corrected for the annotator's errors by gold papers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.intervals import CONFIDENCE, Floats, effective_size

# Fewer gold papers that have a use give no corrected value, as of shares.
MIN_USING = 30
# Of a paper that is all wrong: so much spread there is at least, or a gold sample that happens to
# show no error would be taken for proof that there is none. Chosen by tests/benchmarks/coverage.py.
_LEAST = 0.25


@dataclass(frozen=True, slots=True)
class GoldUses:
    """Which datasets gold papers use by the annotator, and in truth.

    Args:
        said: 0 or 1. *Shape:* (n, n_datasets).
        true: 0 or 1, or between where readers differ. *Shape:* as `said`.
        weight: papers that each stands for, 1 or more. *Shape:* (n,).
    """

    said: Floats
    true: Floats
    weight: Floats

    @property
    def using(self) -> NDArray[np.bool_]:
        """Which of them use any, by one reader at least. *Shape:* (n,)."""
        return np.asarray(self.true.sum(1) > 0)


def herfindahl(
    paper: NDArray[np.int32], item: NDArray[np.int32], gold: GoldUses, *, n_papers: int
) -> tuple[float, float, float]:
    """The Herfindahl index of what papers truly use, and its 95% interval; NaN where untold.

    It is the index that the survey would show if the annotator made no errors. Counts are what
    the annotator says plus the errors of gold papers by their weights. The square of an estimated
    count is too large by its variance, and so is that of the number of uses: both are taken off.

    The variance is the jackknife's over gold papers, but no less than a quarter of a paper that is
    all wrong would bring, and, by linearisation, that of which papers were published. The interval
    is of the logarithm, by Student's t at Satterthwaite's degrees of freedom, since a few heavy
    gold papers may carry most of the variance. Chosen by simulation,
    `tests/benchmarks/coverage.py`.

    Args:
        paper, item: pairs of a paper and a dataset that it uses, by the annotator.
        gold: the gold papers; datasets in the same order.
        n_papers: papers of the survey, those without a use included.

    Source: Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, 6.3 (difference
        estimator), as prediction-powered inference, doi:10.1126/science.adi6000; Wolter (2007),
        Introduction to Variance Estimation, 4 (jackknife); Satterthwaite (1946),
        doi:10.2307/3002019.
    """
    nothing = (np.nan, np.nan, np.nan)
    if gold.using.sum() < MIN_USING:
        return nothing
    said = np.bincount(item, minlength=gold.true.shape[1]).astype(float)
    sums, n = _sums(gold), len(gold.weight)
    every = [part.sum(0) for part in sums]
    others = [all_ - own for all_, own in zip(every, sums, strict=True)]
    value = float(_index(said, every, n=n, n_papers=n_papers))
    left = _index(said, others, n=n - 1, n_papers=n_papers)
    if not (value > 0 and np.isfinite(left).all()):
        return nothing
    # What a paper's use of each dataset adds to the index.
    counts, total = _counts(said, every, n_papers=n_papers)
    slope = 2 * counts / total**2 - 2 * value / total
    by_paper = np.bincount(np.unique(paper, return_inverse=True)[1], weights=slope[item])
    published = (by_paper**2).sum() - by_paper.sum() ** 2 / n_papers
    spread = (n - 1) / n * (left - left.mean()) ** 2
    variance = max(spread.sum(), _LEAST * _all_wrong(gold, slope, n_papers)) + published
    half = _quantile(variance, spread) * np.sqrt(variance) / value
    return value, float(value * np.exp(-half)), float(value * np.exp(min(half, -np.log(value))))


def _sums(gold: GoldUses) -> list[Floats]:
    """What `_index` needs of each gold paper. *Shape:* (n, 1) or (n, n_datasets + 1) each.

    The last column is of all datasets together. (weight - 1) is the finite population correction
    of a paper that stands for `weight` papers, itself among them.
    """
    wrong = gold.true - gold.said
    wrong = np.concatenate([wrong, wrong.sum(1, keepdims=True)], 1)
    w = gold.weight[:, None]
    return [w, w * wrong, w * (w - 1), w * (w - 1) * wrong, w * (w - 1) * wrong**2]


def _index(said: Floats, sums: Sequence[Floats], *, n: int, n_papers: int) -> Floats:
    """The index from `_sums` over n gold papers. *Shape:* (..., n_datasets + 1) -> (...)."""
    w, wrong, v, first, second = sums
    mean = wrong / w
    variance = (n_papers / w) ** 2 * n / (n - 1) * (second - 2 * mean * first + mean**2 * v)
    counts, total = _counts(said, sums, n_papers=n_papers)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = (counts**2).sum(-1) - variance[..., :-1].sum(-1)
        return np.asarray(squares / (total**2 - variance[..., -1]))


def _counts(said: Floats, sums: Sequence[Floats], *, n_papers: int) -> tuple[Floats, Floats]:
    """Papers that use each dataset, and uses."""
    counts = n_papers * sums[1] / sums[0]
    return counts[..., :-1] + said, counts[..., -1] + said.sum()


def _all_wrong(gold: GoldUses, slope: Floats, n_papers: int) -> float:
    """The variance that one gold paper brings of which the annotator says nothing that is true."""
    w = gold.weight
    size = effective_size(w.sum(), (w**2).sum())
    adds = (gold.true @ slope)[gold.using] ** 2
    return float(np.average(adds, weights=w[gold.using]) * (n_papers / size) ** 2)


def _quantile(variance: float, spread: Floats) -> float:
    from scipy.special import stdtrit

    squares = (spread**2).sum()
    freedom = variance**2 / squares if squares > 0 else np.inf
    return float(stdtrit(max(min(freedom, 1e6), 1.0), 0.5 + CONFIDENCE / 2))
