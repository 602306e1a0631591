"""Whether a score means what it says: of uses scored 0.8, are 80% right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotate.gold import Label, Labels
from annotate.resampling import RESAMPLES, interval, resampled
from data.intervals import wilson

_BINS = 10
_NOISE_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Bin:
    """Uses of neighbouring scores, and how many of them are right.

    Args:
        low, high: least and greatest score in it.
        mean_score: what the scores promise.
        share: n_right / n, what was kept of it.
        interval: Wilson's 95% of that share.
    """

    low: float
    high: float
    n: int
    n_right: int
    mean_score: float
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores agree with what is right, of the uses of one kind.

    Args:
        of: the kind: "all", a role, or "unnamed sources (I3)"; the latter count nowhere else.
        ece: expected calibration error: the mean over uses of |mean score - share right| of
            their bin.
        ece_interval: 95% by bootstrap over papers, the bins held.
        ece_noise: the mean error that as many uses of perfect calibration would show by chance.
        brier: the mean of (score - right)^2.
        brier_interval: 95% by bootstrap over papers.
        bins: by rising score.
    """

    of: str
    n: int
    n_right: int
    ece: float
    ece_interval: tuple[float, float] | None
    ece_noise: float
    brier: float
    brier_interval: tuple[float, float] | None
    bins: list[Bin]


_KINDS: dict[str, Callable[[Label], bool]] = {
    "all": lambda label: not label.is_unnamed,
    "source": lambda label: label.role == "source" and not label.is_unnamed,
    "target": lambda label: label.role == "target",
    "mention": lambda label: label.role == "mention",
    "unnamed sources (I3)": lambda label: label.is_unnamed,
}


def calibrations(
    gold: Sequence[Labels],
    found: Sequence[Labels],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Calibration]:
    """The calibration of each kind of which something was found with a score.

    A use is right if gold has its dataset in its role, named or implied.
    """
    right = [{(label.dataset, label.role) for label in paper} for paper in gold]
    scored = [
        (paper, label)
        for paper, labels in enumerate(found)
        # A set has no order of its own, and sums of floats depend on it.
        for label in sorted(labels, key=lambda label: (label.dataset, label.role, label.implied))
        if label.score is not None
    ]
    kinds = {
        of: [(p, label) for p, label in scored if of_kind(label)] for of, of_kind in _KINDS.items()
    }
    return [
        calibration(
            np.array([label.score for _, label in members]),
            np.array([(label.dataset, label.role) in right[paper] for paper, label in members]),
            np.array([paper for paper, _ in members]),
            of=of,
            n_papers=len(gold),
            resamples=resamples,
            seed=seed,
        )
        for of, members in kinds.items()
        if members
    ]


def calibration(
    score: Any,
    right: Any,
    paper: Any,
    *,
    of: str = "all",
    n_papers: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Calibration:
    """The calibration of one or more uses.

    The plain estimate of the error is never below zero, so it is too high by about `ece_noise`;
    its bootstrap interval shares that.

    Args:
        score: of each use, in [0, 1]. *Shape:* (n,)
        right: whether each is. *Shape:* (n,)
        paper: number of its paper, from 0. *Shape:* (n,)
        n_papers: papers, those without a use included.

    Source: Naeini et al. (2015), doi:10.1609/aaai.v29i1.9602, with bins of equal mass; the noise
        by consistency resampling, Bröcker and Smith (2007), doi:10.1175/WAF993.1.
    """
    members = _members(score)
    # Per paper: score minus right summed in each bin, then uses, then squared error.
    terms = np.column_stack(
        [members * (score - right)[:, None], np.ones(len(score)), (score - right) ** 2]
    )
    counts = np.zeros((n_papers, terms.shape[1]))
    np.add.at(counts, paper, terms)
    ece, brier = _errors(counts.sum(axis=0))
    spread_ece, spread_brier = _errors(resampled(counts, resamples=resamples, seed=seed))
    return Calibration(
        of=of,
        n=len(score),
        n_right=int(right.sum()),
        ece=float(ece),
        ece_interval=interval(spread_ece),
        ece_noise=_noise(score, members, seed=seed),
        brier=float(brier),
        brier_interval=interval(spread_brier),
        bins=[_bin(score[inside], right[inside]) for inside in members.T],
    )


def _members(score: Any) -> Any:
    """Which bin each score is in: ten of equal mass, or fewer, as equal scores share a bin.

    *Shape:* (n,) -> (n, bins), each row with one True.
    """
    edges = np.quantile(score, np.arange(1, _BINS) / _BINS, method="inverted_cdf")
    place = np.searchsorted(np.unique(edges), score, side="left")
    return place[:, None] == np.unique(place)


def _errors(sums: Any) -> tuple[Any, Any]:
    """Calibration error and Brier score of sums (gap of each bin ..., uses, squared error)."""
    with np.errstate(invalid="ignore"):
        return np.abs(sums[..., :-2]).sum(axis=-1) / sums[..., -2], sums[..., -1] / sums[..., -2]


def _noise(score: Any, members: Any, *, seed: int) -> float:
    rng = np.random.default_rng(seed)
    gaps = [score - (rng.random(len(score)) < score) for _ in range(_NOISE_DRAWS)]
    return float(np.abs(np.array(gaps) @ members).sum(axis=1).mean() / len(score))


def _bin(score: Any, right: Any) -> Bin:
    n, n_right = len(score), int(right.sum())
    low, high, mean = float(score.min()), float(score.max()), float(score.mean())
    return Bin(low, high, n, n_right, mean, n_right / n, wilson(n_right, n))
