"""How far two people agree on what a paper uses: Cohen's kappa, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotate.gold import Labels
from annotate.resampling import RESAMPLES, interval, resampled

_ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cohen's kappa over (paper, dataset) pairs.

    Args:
        of: which pairs: those that either names, or those that both name.
        n: pairs.
        n_same: of these, pairs of the same category.
        kappa: None where there is no pair, or one category only.
        kappa_interval: 95% by bootstrap over papers.
        categories: what a pair can be; a dataset in two roles is a category of its own.
        table: pairs by the first's category, then the second's.
    """

    of: str
    n: int
    n_same: int
    kappa: float | None
    kappa_interval: tuple[float, float] | None
    categories: list[str]
    table: list[list[int]]


def agreements(
    first: Sequence[Labels],
    second: Sequence[Labels],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Agreement]:
    """Agreement on the role of each dataset, first with "absent" as a role, then without.

    Pairs that neither has do not exist, so nothing is absent for both: the first kappa is
    a strict one. I3 is left out.

    Args:
        first, second: the labels of each paper, same length and order.
    """
    pairs = [
        (paper, a.get(dataset, _ABSENT), b.get(dataset, _ABSENT))
        for paper, (a, b) in enumerate(
            (_categories(one), _categories(two)) for one, two in zip(first, second, strict=True)
        )
        for dataset in sorted({*a, *b})
    ]
    both = [pair for pair in pairs if _ABSENT not in pair]
    return [
        _agreement(of, members, len(first), resamples=resamples, seed=seed)
        for of, members in (
            ("role of datasets that either has, absent as a role", pairs),
            ("role of datasets that both have", both),
        )
    ]


def _categories(labels: Labels) -> dict[str, str]:
    roles: dict[str, set[str]] = {}
    for label in labels:
        if not label.is_unnamed:
            roles.setdefault(label.dataset, set()).add(label.role)
    return {dataset: " and ".join(sorted(of)) for dataset, of in roles.items()}


def _agreement(
    of: str, pairs: Sequence[tuple[int, str, str]], n_papers: int, *, resamples: int, seed: int
) -> Agreement:
    categories = sorted({category for _, *said in pairs for category in said})
    place = {category: n for n, category in enumerate(categories)}
    shape = (len(categories), len(categories))
    counts = np.zeros((n_papers, *shape))
    for paper, a, b in pairs:
        counts[paper, place[a], place[b]] += 1
    table = counts.sum(axis=0)
    value = float(kappa(table)) if pairs else np.nan
    draws = resampled(counts.reshape(n_papers, -1), resamples=resamples, seed=seed)
    return Agreement(
        of=of,
        n=len(pairs),
        n_same=int(np.trace(table)),
        kappa=None if np.isnan(value) else value,
        kappa_interval=None if np.isnan(value) else interval(kappa(draws.reshape(-1, *shape))),
        categories=categories,
        table=table.astype(int).tolist(),
    )


def kappa(table: Any) -> Any:
    """Cohen's kappa of square tables of counts; not a number where chance alone agrees fully.

    *Shape:* (..., c, c) -> (...).

    Source: Cohen (1960), doi:10.1177/001316446002000104

    >>> round(float(kappa(np.array([[20, 5], [10, 15]]))), 6)
    0.4
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = table / table.sum(axis=(-2, -1), keepdims=True)
        seen = np.trace(shares, axis1=-2, axis2=-1)
        chance = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
        return (seen - chance) / (1 - chance)


def alpha(coincidences: Any) -> Any:
    """Krippendorff's alpha for names of kinds; not a number where only one kind was said.

    Args:
        coincidences: how often two values were said of one unit, a unit of m values adding each
            ordered pair of them 1 / (m - 1) times. *Shape:* (..., c, c) -> (...).

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C
    """
    said = coincidences.sum(axis=-1)
    n = said.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = 1 - np.trace(coincidences, axis1=-2, axis2=-1) / n
        chance = (n * n - (said * said).sum(axis=-1)) / (n * (n - 1))
        return 1 - seen / chance
