"""How well uses are found: precision, recall and F1 against a gold file, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from annotate.paper import is_unnamed
from data.catalogue import Catalogue, key
from data.records import Role

Measure = Literal[
    "named sources", "implied sources", "all sources", "targets", "mentions", "unnamed sources (I3)"
]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True, slots=True)
class Label:
    """One use, reduced to what is compared."""

    dataset: str
    role: Role
    implied: bool


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of one measure, each with its 95% bootstrap interval.

    A rate without a denominator is None; `n_gold` and `n_found` are its denominators.
    """

    measure: Measure
    n_gold: int
    n_found: int
    n_right: int
    precision: float | None
    recall: float | None
    f1: float | None
    precision_interval: tuple[float, float] | None
    recall_interval: tuple[float, float] | None
    f1_interval: tuple[float, float] | None


def labels(uses: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> frozenset[Label]:
    """The labels of one paper, with every dataset by its catalogue id.

    A name that the catalogue lacks is compared by its letters and digits alone.
    """
    return frozenset(
        Label(
            catalogue.resolve(use["dataset"]) or key(use["dataset"]),
            cast(Role, use["role"]),
            bool(use["implied"]),
        )
        for use in uses
    )


_WANTED: dict[Measure, Callable[[Label], bool]] = {
    "named sources": lambda label: label.role == "source" and not label.implied,
    "implied sources": lambda label: (
        label.role == "source" and label.implied and not is_unnamed(label.dataset)
    ),
    "all sources": lambda label: label.role == "source" and not is_unnamed(label.dataset),
    "targets": lambda label: label.role == "target",
    "mentions": lambda label: label.role == "mention",
    "unnamed sources (I3)": lambda label: label.role == "source" and is_unnamed(label.dataset),
}


def scores(
    gold: Sequence[frozenset[Label]],
    found: Sequence[frozenset[Label]],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> list[Score]:
    """Each measure over all papers, micro-averaged over (paper, dataset) pairs.

    Intervals are percentiles of a bootstrap over papers, as uses of one paper are not independent.

    Args:
        gold: the labels of each paper.
        found: the annotator's, same length and order.
        resamples: bootstrap samples.
    """
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(gold), (resamples, len(gold))) if gold else None
    return [_score(measure, gold, found, draws) for measure in MEASURES]


def _score(
    measure: Measure,
    gold: Sequence[frozenset[Label]],
    found: Sequence[frozenset[Label]],
    draws: Any,
) -> Score:
    wanted = _WANTED[measure]
    pairs = [
        (
            {label.dataset for label in a if wanted(label)},
            {label.dataset for label in b if wanted(label)},
        )
        for a, b in zip(gold, found, strict=True)
    ]
    counts = np.array([(len(a), len(b), len(a & b)) for a, b in pairs]).reshape(-1, 3)
    total = counts.sum(axis=0)
    rates = _rates(total[None, :])[0]
    spread = _rates(counts[draws].sum(axis=1)) if draws is not None else rates[None, :]
    precision, recall, f1 = (None if np.isnan(rate) else float(rate) for rate in rates)
    n_gold, n_found, n_right = (int(n) for n in total)
    return Score(
        measure,
        n_gold,
        n_found,
        n_right,
        precision,
        recall,
        f1,
        _interval(spread[:, 0]),
        _interval(spread[:, 1]),
        _interval(spread[:, 2]),
    )


def _rates(totals: Any) -> Any:
    """Precision, recall, F1 of rows (n_gold, n_found, n_right). *Shape:* (r, 3) -> (r, 3)."""
    gold, found, right = (totals[:, column].astype(float) for column in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([right / found, right / gold, 2 * right / (gold + found)], axis=1)


def _interval(values: Any) -> tuple[float, float] | None:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
