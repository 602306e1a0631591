"""Class probabilities by logistic regression on frozen features."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from data.errors import InputError
from experiments.features import Features
from experiments.metrics import Scores, auc
from experiments.targets import Labels

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)  # C of scikit-learn, chosen on the validation split
_STEPS = 200


def probe(
    train: Features, train_labels: Labels, val: Features, val_labels: Labels, test: Features
) -> tuple[Scores, float]:
    """Class probabilities of the test images, and the penalty (C) that validation chose.

    Features are standardised by the training images; the penalty is the one of `PENALTIES` with
    the best validation AUC, the strongest of equals. Of several labels each has a regression of
    its own. *Shape:* (n_test, n_classes).

    Raises:
        InputError: a feature is not a number, or a label the same for all training images.
    """
    scaled = _standardised(train, val, test)
    columns = train_labels.T if train_labels.ndim == 2 else train_labels[None]
    same = [place for place, column in enumerate(columns) if np.ptp(column) == 0]
    if same:
        raise InputError(
            f"label {same[0]}, counted from 0, has a single class among {len(train)} training "
            "images; take more of them"
        )
    best_auc, best, chosen = -1.0, None, PENALTIES[0]
    starts: list[Any] = [None] * len(columns)
    for penalty in PENALTIES:
        starts = [
            _fitted(scaled[0], column, penalty, start)
            for column, start in zip(columns, starts, strict=True)
        ]
        found = auc(val_labels, _scores(starts, scaled[1], val_labels))
        if found > best_auc:
            best_auc, chosen = found, penalty
            best = _scores(starts, scaled[2], train_labels)
    assert best is not None
    return best, chosen


def _standardised(*splits: Features) -> list[Features]:
    """Each feature less its mean over its deviation in the first split; constant ones are 0."""
    for split in splits:
        if not np.isfinite(split).all():
            raise InputError(
                f"{int((~np.isfinite(split)).any(axis=1).sum())} of {len(split)} images have "
                "features that are no numbers; make them again"
            )
    mean, deviation = splits[0].mean(axis=0), splits[0].std(axis=0)
    safe = np.where(deviation > 0, deviation, 1)
    return [((split - mean) / safe).astype(np.float32) for split in splits]


def _fitted(features: Features, labels: Labels, penalty: float, start: Any) -> Any:
    """A regression; it begins where the one with a stronger penalty ended."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=penalty, max_iter=_STEPS, warm_start=True)
    if start is not None:
        model.coef_, model.intercept_ = start.coef_.copy(), start.intercept_.copy()
        model.classes_ = start.classes_
    with warnings.catch_warnings():
        # A weak penalty may stop at max_iter; validation decides whether that one is used.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, labels)


def _scores(models: list[Any], features: Features, labels: Labels) -> Scores:
    if labels.ndim == 1:
        made: Scores = models[0].predict_proba(features).astype(np.float64)
        return made
    return np.stack([model.predict_proba(features)[:, 1] for model in models], axis=1).astype(
        np.float64
    )
