"""Does an order of sources foretell their performance? Weighted Kendall tau, target by target.

Targets are the unit: the sources of one target are compared with each other only, the taus are
averaged over targets, and intervals come from drawing targets again, five or more of them. Fewer
than eight sources give a tau of any size by chance; it is then said to be undetermined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import InputError

FEWEST_SOURCES = 8
FEWEST_TARGETS = 5  # for an interval: drawn again, fewer look more alike than they are
RESAMPLES = 5000
PERMUTATIONS = 2000
_Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tau:
    """How far one order agrees with another over targets.

    Args:
        tau: mean over targets, in [-1, 1]; None where undetermined.
        low: 95% bootstrap over targets; None where undetermined or for fewer than five targets.
        high: its other end.
        p: two-sided, by permutation; None where undetermined or not asked for.
        n_targets: targets that count.
        n_sources: the fewest and the most sources of a target that counts; (0, 0) for none.
        why: why it is undetermined; "" where it is not.
    """

    tau: float | None
    low: float | None
    high: float | None
    p: float | None
    n_targets: int
    n_sources: tuple[int, int]
    why: str


def weighted_tau(one: Sequence[float] | _Doubles, other: Sequence[float] | _Doubles) -> float:
    """Vigna's tau: exchanges near the top weigh more; NaN where one of them does not vary.

    As `scipy.stats.weightedtau` by default: a pair weighs 1/(r+1) + 1/(s+1) for ranks r, s from 0;
    the ranks are those of the first argument, ties by the second, then the other way round, and
    the two taus are averaged. Ties count as in Kendall's tau-b.

    Source: Vigna 2015, doi:10.1145/2736277.2741088.
    """
    from scipy.stats import weightedtau

    if len(one) != len(other):
        raise InputError(f"{len(one)} values cannot be compared with {len(other)}")
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(weightedtau(one, other).statistic)


def agreement(
    scores: pd.DataFrame,
    values: pd.DataFrame,
    *,
    rng: np.random.Generator,
    permutations: int = 0,
    one_score_a_source: bool = False,
) -> Tau:
    """The mean weighted tau of scores with measured values, over targets.

    A pair that lacks either does not count, nor a target where either does not vary or that has
    fewer than eight such sources.

    Args:
        scores: columns source, target, value; one row a pair.
        values: the same.
        rng: of bootstrap and permutations.
        permutations: how many, for a p value; none if 0.
        one_score_a_source: scores are of the source, the same for each target (popularity, size).
            Sources are then permuted once for all targets; else in each target by itself.

    Raises:
        InputError: a pair is twice in a frame.
    """
    targets = _matched(scores, values)
    counted = {
        name: pair
        for name, pair in targets.items()
        if len(pair) >= FEWEST_SOURCES and not np.isnan(weighted_tau(*_columns(pair)))
    }
    if not counted:
        most = max((len(pair) for pair in targets.values()), default=0)
        why = f"no target has {FEWEST_SOURCES} sources that differ; at most {most} share a target"
        unknown = {"tau": None, "low": None, "high": None, "p": None}
        return Tau(**unknown, n_targets=len(counted), n_sources=(0, 0), why=why)
    taus = np.array([weighted_tau(*_columns(pair)) for pair in counted.values()])
    low, high = None, None
    if len(taus) >= FEWEST_TARGETS:
        drawn = taus[rng.integers(0, len(taus), (RESAMPLES, len(taus)))].mean(axis=1)
        low, high = (float(end) for end in np.quantile(drawn, [0.025, 0.975]))
    sizes = [len(pair) for pair in counted.values()]
    p = None
    if permutations:
        chance = _by_chance(counted, rng, permutations, together=one_score_a_source)
        p = float((1 + np.sum(np.abs(chance) >= abs(taus.mean()) - 1e-12)) / (1 + permutations))
    return Tau(
        tau=float(taus.mean()),
        low=low,
        high=high,
        p=p,
        n_targets=len(taus),
        n_sources=(min(sizes), max(sizes)),
        why="",
    )


def _matched(scores: pd.DataFrame, values: pd.DataFrame) -> dict[str, pd.DataFrame]:
    for name, frame in (("scores", scores), ("values", values)):
        twice = frame[frame.duplicated(["source", "target"])]
        if not twice.empty:
            source, target = twice.iloc[0][["source", "target"]]
            raise InputError(f"{name} have two rows for source {source!r} and target {target!r}")
    both = scores.merge(values, on=["source", "target"], suffixes=("_score", "_value"))
    both = both.dropna(subset=["value_score", "value_value"])
    return {str(target): pair for target, pair in both.groupby("target", sort=True)}


def _columns(pair: pd.DataFrame) -> tuple[_Doubles, _Doubles]:
    return (
        pair["value_score"].to_numpy(dtype=np.float64),
        pair["value_value"].to_numpy(dtype=np.float64),
    )


def _by_chance(
    counted: Mapping[str, pd.DataFrame], rng: np.random.Generator, n: int, *, together: bool
) -> _Doubles:
    """Mean taus where scores have nothing to do with sources. *Shape:* (n,)."""
    names = sorted({str(name) for pair in counted.values() for name in pair["source"]})
    place = {name: i for i, name in enumerate(names)}
    of_source = np.empty(len(names))
    parts = []
    for pair in counted.values():
        score, value = _columns(pair)
        sources = np.array([place[str(name)] for name in pair["source"]])
        of_source[sources] = score
        parts.append((score, value, sources))
    means = np.empty(n)
    for drawn in range(n):
        # One exchange of sources for all targets: what popularity says by chance of one target it
        # says of those that resemble it.
        exchanged = of_source[rng.permutation(len(names))]
        means[drawn] = np.nanmean(
            [
                weighted_tau(exchanged[sources] if together else rng.permutation(score), value)
                for score, value, sources in parts
            ]
        )
    return means
