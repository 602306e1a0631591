"""Measure a source on a target by linear probe: AUC with its interval, time, energy, CO2.

One cell (source, target, fraction, seed) is one part of `results/`, named for what it measures, so
a stopped run continues and a repeated one measures nothing twice.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from data.corpus import Corpus
from data.records import Result
from experiments.sources import Features, Source, features
from experiments.targets import Labels, Split, Target

STRATEGY = "linear probe"
PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)  # C of scikit-learn, chosen on the validation split
_RESAMPLES = 1000
_Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement to make."""

    source: Source
    fraction: float
    seed: int
    size_px: int

    def name(self, target: Target) -> str:
        """The name of its part of `results/`."""
        return (
            f"probe-{self.source.id}-{self.source.model}-{self.size_px}px-{target.name}-"
            f"{target.sha256}-f{self.fraction:g}-s{self.seed}"
        )


def cells(
    origins: Sequence[Source], *, fractions: Sequence[float], seeds: int, size_px: int
) -> Iterator[Cell]:
    """The cells of a run. Where no seed can change anything (fixed weights, all training images)
    there is one cell, so that no spread of zero is taken for certainty.
    """
    for origin in origins:
        for fraction in fractions:
            is_fixed = fraction == 1 and not origin.is_seeded
            for seed in range(1 if is_fixed else seeds):
                yield Cell(source=origin, fraction=fraction, seed=seed, size_px=size_px)


def run(
    corpus: Corpus,
    target: Target,
    planned: Sequence[Cell],
    *,
    country: str,
    clock: Callable[[], datetime],
    progress: Callable[[Cell], None] = lambda cell: None,
) -> int:
    """Measure the cells that the survey does not hold yet.

    Args:
        country: ISO 3166-1 alpha-3 code whose electricity is assumed.
        clock: gives the time, UTC.
        progress: is told each cell that is done or was there.

    Returns: how many cells were measured now.
    """
    measured = 0
    for cell in planned:
        name = cell.name(target)
        if not (corpus.path / "results" / f"{name}.parquet").exists():
            corpus.append(Result, measure(target, cell, country=country, now=clock()), name=name)
            measured += 1
        progress(cell)
    return measured


def measure(target: Target, cell: Cell, *, country: str, now: datetime) -> list[Result]:
    """Rows `auc`, `auc_low` and `auc_high` (bootstrap 95% over test images) of one cell."""
    train = fraction_of(target.train, cell.fraction, np.random.default_rng(cell.seed))
    meter, started = _meter(country), time.perf_counter()
    splits = (train.images, target.val.images, target.test.images)
    made = features(cell.source, *splits, seed=cell.seed, size_px=cell.size_px)
    scores = probe(made[0], train.labels, made[1], target.val.labels, made[2])
    seconds = time.perf_counter() - started
    energy_kwh, co2_kg = meter()
    low, high = auc_interval(target.test.labels, scores, np.random.default_rng(cell.seed))
    values = {"auc": auc(target.test.labels, scores), "auc_low": low, "auc_high": high}
    return [
        Result(
            source=cell.source.id,
            target=target.name,
            model=f"{cell.source.model}@{cell.size_px}px",
            strategy=STRATEGY,
            fraction=cell.fraction,
            seed=cell.seed,
            metric=metric,
            value=value,
            n_train=len(train.labels),
            n_test=len(target.test.labels),
            seconds=seconds,
            energy_kwh=energy_kwh,
            co2_kg=co2_kg,
            origin="run",
            at=now,
        )
        for metric, value in values.items()
    ]


def fraction_of(split: Split, fraction: float, rng: np.random.Generator) -> Split:
    """A share of a split, drawn class by class, at least one image of each."""
    if fraction == 1:
        return split
    kept: list[npt.NDArray[np.int64]] = []
    for label in np.unique(split.labels):
        places = np.flatnonzero(split.labels == label)
        count = max(1, round(fraction * len(places)))
        kept.append(rng.choice(places, count, replace=False))
    places = np.sort(np.concatenate(kept))
    return Split(split.images[places], split.labels[places])


def probe(
    train: Features, train_labels: Labels, val: Features, val_labels: Labels, test: Features
) -> _Scores:
    """Class probabilities of the test images by logistic regression on frozen features.

    Features are standardised by the training images; the penalty is the one of `PENALTIES` with
    the best validation AUC, the strongest of equals. *Shape:* (n_test, n_classes).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    best_auc, best = -1.0, None
    for penalty in PENALTIES:
        model = LogisticRegression(C=penalty, max_iter=500)
        with warnings.catch_warnings():
            # A weak penalty may stop at max_iter; validation decides whether that one is used.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(scaler.transform(train), train_labels)
        found = auc(val_labels, model.predict_proba(scaler.transform(val)))
        if found > best_auc:
            best_auc, best = found, model
    assert best is not None
    scores: _Scores = best.predict_proba(scaler.transform(test))
    return scores


def auc(labels: Labels, scores: _Scores) -> float:
    """Area under the ROC curve; of several classes the mean of each against the rest.

    As MedMNIST evaluates: doi:10.1038/s41597-022-01721-8.
    """
    from sklearn.metrics import roc_auc_score

    if scores.shape[1] == 2:
        return float(roc_auc_score(labels, scores[:, 1]))
    classes = np.unique(labels)
    return float(np.mean([roc_auc_score(labels == k, scores[:, i]) for i, k in enumerate(classes)]))


def auc_interval(labels: Labels, scores: _Scores, rng: np.random.Generator) -> tuple[float, float]:
    """The 95% bootstrap interval of `auc` over test images, drawn class by class."""
    places = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    values = []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in places])
        values.append(auc(labels[drawn], scores[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _meter(country: str) -> Callable[[], tuple[float | None, float | None]]:
    """Start measuring; what is returned stops and gives kWh and kg CO2e, None where unknown."""
    from codecarbon import OfflineEmissionsTracker

    # Its own log_level comes too late for what it says while it is made.
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    tracker: Any = OfflineEmissionsTracker(
        country_iso_code=country, save_to_file=False, log_level="critical", allow_multiple_runs=True
    )
    tracker.start()

    def stop() -> tuple[float | None, float | None]:
        co2_kg = tracker.stop()
        measured = getattr(tracker, "final_emissions_data", None)
        return (None if measured is None else float(measured.energy_consumed)), co2_kg

    return stop
