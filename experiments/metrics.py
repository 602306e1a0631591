"""How good class probabilities are: AUC, balanced accuracy, calibration; with bootstrap intervals.

Every metric takes weights of the images, one row a resample, so that a thousand resamples are one
computation and not a thousand.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from experiments.targets import Labels

Scores = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float64]
RESAMPLES = 1000
_BINS = 15


def auc(labels: Labels, scores: Scores) -> float:
    """Area under the ROC curve; of several classes or labels the mean of each against the rest.

    Args:
        labels: *Shape:* (n,) class indices, or (n, k) of 0 and 1.
        scores: *Shape:* (n, k).

    Source: as MedMNIST evaluates, doi:10.1038/s41597-022-01721-8. Ties count half.
    """
    return float(aucs(labels, scores, np.ones((1, len(labels))))[0])


def aucs(labels: Labels, scores: Scores, weights: Floats) -> Floats:
    """`auc` with each row of weights. *Shape:* weights (b, n) -> (b,)."""
    truths = one_hot(labels, scores.shape[1])
    if labels.ndim == 1 and scores.shape[1] == 2:  # both classes have the same
        truths, scores = truths[:, 1:], scores[:, 1:]
    each = [
        _binary_aucs(truth, score, weights) for truth, score in zip(truths.T, scores.T, strict=True)
    ]
    made: Floats = np.mean(each, axis=0)
    return made


def _binary_aucs(truth: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Share of pairs, positive above negative. Mann & Whitney 1947, doi:10.1214/aoms/1177730491."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    sorted_weights, sorted_truth = weights[:, order], truth[order]
    positive = np.add.reduceat(sorted_weights * sorted_truth, starts, axis=1)
    negative = np.add.reduceat(sorted_weights * ~sorted_truth, starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    made: Floats = (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))
    return made


def one_hot(labels: Labels, n_classes: int) -> npt.NDArray[np.bool_]:
    """Which image has which label. *Shape:* (n, k)."""
    made: npt.NDArray[np.bool_] = (
        labels == 1 if labels.ndim == 2 else labels[:, None] == np.arange(n_classes)
    )
    return made


def balanced_accuracy(labels: Labels, scores: Scores) -> float:
    """The mean over classes of the share of their images that is recognised.

    Of several labels an image: the mean over labels of (sensitivity + specificity) / 2, at 0.5.
    """
    truths = one_hot(labels, scores.shape[1])
    if labels.ndim == 1:
        right = scores.argmax(axis=1) == labels
        return float(np.mean([right[truth].mean() for truth in truths.T]))
    said = scores >= 0.5
    each = [
        (yes[truth].mean() + (~yes[~truth]).mean()) / 2
        for truth, yes in zip(truths.T, said.T, strict=True)
    ]
    return float(np.mean(each))


def brier(labels: Labels, scores: Scores) -> float:
    """The mean over images of the squared distance of probabilities from the truth, over classes.

    0 is best. Of one class an image it is Brier's own sum, at most 2; of several labels the mean
    over labels, at most 1. Source: Brier 1950, Monthly Weather Review 78, 1-3.
    """
    squares = (scores - one_hot(labels, scores.shape[1])) ** 2
    return float((squares.sum(axis=1) if labels.ndim == 1 else squares.mean(axis=1)).mean())


def calibration_error(labels: Labels, scores: Scores) -> float:
    """Expected calibration error: how far confidence is from accuracy, in 15 bins of equal width.

    Of several labels an image each label's probability is a confidence of its own.
    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    if labels.ndim == 1:
        confidence, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    else:
        confidence, right = scores.ravel(), labels.ravel() == 1
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def resamples(labels: Labels, rng: np.random.Generator, n: int = RESAMPLES) -> Floats:
    """How often each image is drawn in each resample. *Shape:* (n, images).

    Classes are drawn one by one, so that none is lost; of several labels an image, images are
    drawn as they are, again where a label came out the same for all.
    """
    if labels.ndim == 2:
        return np.stack([_with_all_labels(labels, rng) for _ in range(n)])
    made = np.zeros((n, len(labels)))
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        made[:, places] = rng.multinomial(len(places), np.full(len(places), 1 / len(places)), n)
    return made


def _with_all_labels(labels: Labels, rng: np.random.Generator) -> Floats:
    while True:
        weights = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)))
        positive = weights @ labels
        if ((positive > 0) & (positive < len(labels))).all():
            return weights.astype(np.float64)


def auc_interval(labels: Labels, scores: Scores, rng: np.random.Generator) -> tuple[float, float]:
    """The 95% bootstrap interval (percentiles) of `auc` over test images."""
    low, high = np.quantile(aucs(labels, scores, resamples(labels, rng)), [0.025, 0.975])
    return float(low), float(high)
