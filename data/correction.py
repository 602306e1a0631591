"""Shares corrected for the annotator's errors by gold labels. Pure.

Open `stratified` first: the estimate that the numbers show. `among_transfers` is its like where the
denominator has errors of its own, `rogan_gladen` the second opinion, and `prediction_powered` the
general form, of which `stratified` is the case of a yes or no prediction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.intervals import CONFIDENCE, Floats, effective_size, jeffreys_bounds, wilson_bounds, z_of

# Fewer gold papers in a group give no corrected value. Chosen by `tests/benchmarks/coverage.py`:
# with 30, intervals hold, and are so wide that they promise nothing.
MIN_GOLD = 30
_MIN_EACH = 5  # gold papers with, and without, the dataset: for sensitivity and specificity


@dataclass(frozen=True, slots=True)
class Counts:
    """Papers by what the annotator says, and gold papers by what is true as well.

    Classes are 0 (does not use the dataset) and 1 (does); among papers that transfer 0 (no
    source), 1 (a source, not this use), 2 (this use).

    Args:
        papers: all papers of the group. *Shape:* (..., said).
        gold: how many gold papers. *Shape:* (..., said, true).
        weight: sum of their weights, 1 / probability of being drawn. *Shape:* as `gold`.
        weight2: sum of the squares of these. *Shape:* as `gold`.
    """

    papers: Floats
    gold: Floats
    weight: Floats
    weight2: Floats

    @property
    def n_gold(self) -> Floats:
        """Gold papers of the group. *Shape:* (...)."""
        return np.asarray(self.gold.sum((-1, -2)))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Shares with their 95% intervals; NaN where they cannot be told. Arrays of one shape."""

    value: Floats
    low: Floats
    high: Floats


def why_not(counts: Counts) -> NDArray[Any]:
    """Why a corrected share cannot be told from these counts; None where it can."""
    n_gold = counts.n_gold
    unread = ((counts.papers > 0) & (counts.gold.sum(-1) == 0)).any(-1)
    few = f"fewer than {MIN_GOLD} gold papers in the group"
    lacking = "no gold paper among those that the annotator counts, or among the others"
    reasons = np.full(n_gold.shape, None, object)
    reasons[unread] = lacking
    reasons[n_gold < MIN_GOLD] = few
    reasons[n_gold == 0] = "no gold papers in the group"
    return reasons


def stratified(counts: Counts) -> Estimate:
    """Shares of papers that use a dataset, by what is true of those that the annotator counts.

    The papers are split by what the annotator says. In each part the share that is right comes
    from its gold papers, weighted; the parts are added by their known sizes. With equal weights
    this is prediction-powered inference with power tuning for a yes or no prediction. The
    interval adds the parts' own (Jeffreys, at Kish's effective size) and the chance in how many
    papers are in each part (Wilson), by MOVER: a normal interval, as PPI's, covers far less than
    95% where a dataset is rare.

    Source: Angelopoulos et al. (2023), doi:10.1126/science.adi6000, and arXiv:2311.01453; Zou &
        Donner (2008), doi:10.1002/sim.3095; Kish (1965), Survey Sampling, 11.7. Chosen by
        simulation, `tests/benchmarks/coverage.py`.

    >>> one = Counts(*map(np.array, ([900., 100.], [[48., 2.], [10., 40.]], [[48., 2.], [10., 40.]],
    ...     [[48., 2.], [10., 40.]])))
    >>> float(stratified(one).value)  # 0.9 * 2 / 50 + 0.1 * 40 / 50
    0.116
    """
    total = counts.papers.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = counts.papers / total[..., None]
        right = counts.weight[..., 1] / counts.weight.sum(-1)
    right = np.where(np.isfinite(right), right, 0.5)  # a part without papers has no say
    size = effective_size(counts.weight.sum(-1), counts.weight2.sum(-1))
    low, high = jeffreys_bounds(right * size, size)
    value = (part * right).sum(-1)
    gain = right[..., 1] - right[..., 0]
    part_low, part_high = wilson_bounds(counts.papers[..., 1], total)
    fewer, more = gain * (part[..., 1] - part_low), gain * (part_high - part[..., 1])
    down, up = np.where(gain > 0, fewer, more), np.where(gain > 0, more, fewer)
    below = np.sqrt(((part * (right - low)) ** 2).sum(-1) + down**2)
    above = np.sqrt(((part * (high - right)) ** 2).sum(-1) + up**2)
    return _told(counts, value, value - below, value + above)


def among_transfers(counts: Counts) -> Estimate:
    """Shares among papers that do transfer, where the annotator errs on these as well.

    A ratio of two corrected shares. Its variance is linearised over the three parts by what the
    annotator says. For it alone a third of an observation of each class is added to each part, so
    that a rare class that no gold paper shows is not taken for impossible. The interval is
    Jeffreys' at the effective size that this variance amounts to.

    Source: Korn & Graubard (1998), Survey Methodology 24, 193-201 (effective size); Woodruff
        (1971), doi:10.1080/01621459.1971.10482279 (ratio).
    """
    total = counts.papers.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = counts.papers / total[..., None]
        true = counts.weight / counts.weight.sum(-1, keepdims=True)
    true = np.where(np.isfinite(true), true, 0.0)
    size = effective_size(counts.weight.sum(-1), counts.weight2.sum(-1))
    uses, only = (part * true[..., 2]).sum(-1), (part * true[..., 1]).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = uses / (uses + only)
        variance = _ratio_variance(part, true, size, total, value) / (uses + only) ** 2
    return _told(counts, value, *_at_size(value, variance, counts.n_gold))


_PSEUDO = 1 / 3  # of an observation, a class


def _ratio_variance(
    part: Floats, true: Floats, size: Floats, total: Floats, value: Floats
) -> Floats:
    """Of the numerator less `value` times the denominator."""
    smoothed = (true * size[..., None] + _PSEUDO) / (size + 3 * _PSEUDO)[..., None]
    residual = np.stack([np.zeros_like(value), -value, 1 - value], -1)[..., None, :]
    mean = (smoothed * residual).sum(-1)
    spread = (smoothed * residual**2).sum(-1) - mean**2
    within = (part**2 * spread / np.maximum(size, 1)).sum(-1)
    between = (part * mean**2).sum(-1) - (part * mean).sum(-1) ** 2
    return np.asarray(within + between / total)


def _at_size(value: Floats, variance: Floats, n_gold: Floats) -> tuple[Floats, Floats]:
    edge = 0.5 / np.maximum(n_gold, 1)
    inner = np.clip(value, edge, 1 - edge)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = inner * (1 - inner) / variance
    size = np.where(np.isfinite(size), size, 0)
    return jeffreys_bounds(np.where(np.isfinite(value), value, 0) * size, size)


def _told(counts: Counts, value: Floats, low: Floats, high: Floats) -> Estimate:
    told = np.isfinite(value) & pd.isna(why_not(counts))
    parts = (np.where(told, each, np.nan) for each in (value, low.clip(0, 1), high.clip(0, 1)))
    return Estimate(*parts)


def rogan_gladen(counts: Counts, survey: Counts) -> Estimate:
    """Shares corrected by the annotator's sensitivity and specificity: the second opinion.

    Unlike `stratified` it takes both to be the same in all papers of the survey, and so needs no
    gold papers in the group itself. NaN where the survey's gold has fewer than five papers with, or
    without, the dataset, or where the annotator is no better than chance.

    Args:
        counts: of the groups; their gold papers are not used.
        survey: of all papers that share the annotator's errors. *Shape:* broadcasts with `counts`.

    Source: Rogan & Gladen (1978), doi:10.1093/oxfordjournals.aje.a112510; interval of Lang &
        Reiczigel (2014), doi:10.1016/j.prevetmed.2013.09.015, at effective sizes where gold
        papers have weights.
    """
    z = z_of()
    sensitivity, n_sensitivity = _rate(survey, true=1)
    false_alarms, n_specificity = _rate(survey, true=0)
    n = counts.papers.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apparent = counts.papers[..., 1] / n
        youden = sensitivity - false_alarms
        value = ((apparent - false_alarms) / youden).clip(0, 1)
        # Wilson's centre, and a success and a failure more for either rate.
        p = (counts.papers[..., 1] + z * z / 2) / (n + z * z)
        se = (sensitivity * n_sensitivity + 1) / (n_sensitivity + 2)
        sp = ((1 - false_alarms) * n_specificity + 1) / (n_specificity + 2)
        centre = (p + sp - 1) / (se + sp - 1)
        se_spread, sp_spread = (
            se * (1 - se) / (n_sensitivity + 2),
            sp * (1 - sp) / (n_specificity + 2),
        )
        shift = 2 * z * z * (centre * se_spread - (1 - centre) * sp_spread)
        spread = p * (1 - p) / (n + z * z) + centre**2 * se_spread + (1 - centre) ** 2 * sp_spread
        half = z * np.sqrt(spread) / np.abs(se + sp - 1)
        # Infinite where the annotator is no better than chance, and then not told.
        bounds = (value, (centre + shift - half).clip(0, 1), (centre + shift + half).clip(0, 1))
    true = survey.gold.sum(-2)
    told = (true >= _MIN_EACH).all(-1) & (youden > 0) & (n > 0)
    return Estimate(*(np.where(told, each, np.nan) for each in bounds))


def _rate(survey: Counts, *, true: int) -> tuple[Floats, Floats]:
    """How often the annotator says yes of gold papers of a true class, and the effective n."""
    weight, weight2 = survey.weight[..., true], survey.weight2[..., true]
    total = weight.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = weight[..., 1] / total
        # The weights go with what the annotator says, so that Kish's size alone would be wrong.
        variance = (rate**2 * weight2[..., 0] + (1 - rate) ** 2 * weight2[..., 1]) / total**2
        size = rate * (1 - rate) / variance
    kish = effective_size(total, weight2.sum(-1))
    return rate, np.where(np.isfinite(size) & (size > 0), size, kish)


def prediction_powered(
    truth: Floats,
    said: Floats,
    said_elsewhere: Floats,
    *,
    weight: Floats | None = None,
    tuning: float | None = None,
    confidence: float = CONFIDENCE,
) -> tuple[float, float, float]:
    """A mean by prediction-powered inference: its value, low and high.

    Args:
        truth: of papers that people read. *Shape:* (n,).
        said: what the annotator says of these. *Shape:* (n,).
        said_elsewhere: what it says of the others. *Shape:* (N,).
        weight: of the papers that people read; equal if None.
        tuning: how much the annotator counts, lambda in [0, 1]; 1 is PPI, None tunes it (PPI++).

    Source: Angelopoulos et al. (2023), doi:10.1126/science.adi6000, algorithm 1; Angelopoulos,
        Duchi & Zrnic (2023), arXiv:2311.01453, section 3 and example 6.1. Equal to `ppi_mean_ci`
        of ppi-python 0.2.3.
    """
    n, elsewhere = len(truth), len(said_elsewhere)
    w = np.ones(n) if weight is None else weight / weight.sum() * n
    share = tuning if tuning is not None else _tuned(truth, said, said_elsewhere, w)
    value = share * said_elsewhere.mean() + (w * (truth - share * said)).mean()
    spread = (share * said_elsewhere).var() / elsewhere + (w * (truth - share * said)).var() / n
    half = z_of(confidence) * np.sqrt(spread)
    return float(value), float(value - half), float(value + half)


def _tuned(truth: Floats, said: Floats, said_elsewhere: Floats, w: Floats) -> float:
    """The lambda of least variance, within [0, 1]."""
    first = said_elsewhere.mean() + (w * (truth - said)).mean()
    true_part, said_part = w * (truth - first), w * (said - first)
    together = ((true_part - true_part.mean()) * (said_part - said_part.mean())).mean()
    spread = np.concatenate([said_part, said_elsewhere - first]).var(ddof=1)
    if spread == 0:
        return 0.0
    return float(np.clip(together / ((1 + len(truth) / len(said_elsewhere)) * spread), 0, 1))
