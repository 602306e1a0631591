from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from experiments.metrics import (
    auc,
    auc_interval,
    aucs,
    balanced_accuracy,
    brier,
    calibration_error,
    resamples,
)


def drawn(seed: int, n: int, k: int) -> tuple[Any, Any]:
    """Labels of k classes, each there, and probabilities with ties."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, n)])
    scores = rng.integers(1, 6, (len(labels), k)).astype(float)
    return labels, scores / scores.sum(axis=1, keepdims=True)


def test_auc_by_hand() -> None:
    labels = np.array([0, 0, 1, 1])
    scores = np.array([0.1, 0.6, 0.35, 0.8])
    assert auc(labels, np.stack([1 - scores, scores], axis=1)) == 0.75
    assert auc(np.array([0, 1, 2, 0]), np.eye(3)[[0, 1, 2, 0]]) == 1.0
    assert auc(labels, np.full((4, 2), 0.5)) == 0.5


@given(st.integers(0, 10**6), st.integers(5, 40), st.integers(2, 5))
def test_auc_is_that_of_scikit_learn_also_of_resamples(seed: int, n: int, k: int) -> None:
    labels, scores = drawn(seed, n, k)
    weights = resamples(labels, np.random.default_rng(seed), 3)
    for row, found in zip(weights, aucs(labels, scores, weights), strict=True):
        again = np.repeat(np.arange(len(labels)), row.astype(int))
        truth, said = labels[again], scores[again]
        each = [roc_auc_score(truth == i, said[:, i]) for i in range(k)]
        expected = each[1] if k == 2 else np.mean(each)
        assert found == pytest.approx(expected)


@given(st.integers(0, 10**6), st.integers(5, 40), st.integers(1, 4))
def test_auc_of_several_labels_is_that_of_scikit_learn(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.zeros((1, k)), np.ones((1, k)), rng.integers(0, 2, (n, k))])
    scores = rng.random((len(labels), k))
    found = auc(labels.astype(np.int64), scores)
    assert found == pytest.approx(roc_auc_score(labels, scores, average="macro"))


def test_resamples_keep_every_class_and_its_size() -> None:
    labels = np.array([0] * 9 + [1])
    weights = resamples(labels, np.random.default_rng(0), 50)
    assert (weights[:, 9] == 1).all()
    assert (weights.sum(axis=1) == 10).all()
    several = np.array([[0, 1], [1, 0], [1, 1], [0, 0]])
    for row in resamples(several, np.random.default_rng(0), 20):
        assert ((row @ several > 0) & (row @ several < 4)).all()


def test_the_interval_narrows_with_more_images() -> None:
    rng = np.random.default_rng(0)

    def width(n: int) -> float:
        labels = np.arange(n) % 2
        scores = labels + rng.normal(0, 1, n)
        low, high = auc_interval(labels, np.stack([-scores, scores], 1), np.random.default_rng(1))
        return high - low

    assert width(40) > 1.5 * width(400)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    n_held, truth = 0, 0.7602  # Phi(1 / sqrt 2), of two normals one apart
    for _ in range(150):
        labels = np.arange(120) % 2
        scores = labels + rng.normal(0, 1, 120)
        low, high = auc_interval(labels, np.stack([-scores, scores], 1), rng)
        n_held += low <= truth <= high
    assert 0.88 <= n_held / 150 <= 1  # .95 within 3.5 standard errors, sqrt(.95 * .05 / 150)


@given(st.integers(0, 10**6), st.integers(5, 40), st.integers(2, 5))
def test_balanced_accuracy_is_that_of_scikit_learn(seed: int, n: int, k: int) -> None:
    labels, scores = drawn(seed, n, k)
    expected = balanced_accuracy_score(labels, scores.argmax(axis=1))
    assert balanced_accuracy(labels, scores) == pytest.approx(expected)


def test_calibration_by_hand() -> None:
    labels = np.array([0, 0, 0, 1])
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
    assert calibration_error(labels, scores) == pytest.approx(0.15)  # says .9, is right in .75
    assert brier(labels, scores) == pytest.approx((3 * 2 * 0.01 + 2 * 0.81) / 4)
    several = np.array([[1, 0], [0, 0]])
    sure = several.astype(float)
    assert (calibration_error(several, sure), brier(several, sure)) == (0, 0)
    assert balanced_accuracy(np.array([[1], [0]]), np.array([[0.9], [0.8]])) == 0.5
