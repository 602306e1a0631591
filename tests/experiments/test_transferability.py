"""Each score against a value worked by hand or an independent computation, and what it ignores."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, stats
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from data.errors import InputError
from experiments.transferability import (
    SCORES,
    alignment,
    cka,
    frechet_distance,
    gbc,
    hscore,
    knn,
    leep,
    linear_probe,
    logme,
    nleep,
    sfda,
    transrate,
)

OF_FEATURES: dict[str, Callable[..., float]] = {
    name: score.of for name, score in SCORES.items() if score.needs == "features"
}
SEVERAL = ["logme", "cka", "knn", "linear-probe"]


def blobs(n: int = 60, d: int = 8, c: int = 3, *, apart: float = 1.0, seed: int = 0) -> Any:
    """Features of c classes around means that lie `apart`, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % c
    means = apart * rng.normal(size=(c, d))
    return means[labels] + rng.normal(size=(n, d)), labels


def evidence_by_optimisation(features: Any, column: Any) -> float:
    """Log density of the column under N(0, I / beta + FF' / alpha), at its best."""
    n = len(column)
    gram = features @ features.T

    def loss(logs: Any) -> float:
        alpha, beta = np.exp(logs)
        factor = linalg.cholesky(np.eye(n) / beta + gram / alpha, lower=True)
        solved = linalg.solve_triangular(factor, column, lower=True)
        return float(
            np.log(np.diag(factor)).sum() + solved @ solved / 2 + n / 2 * np.log(2 * np.pi)
        )

    starts = [(a, b) for a in (-2.0, 2.0, 6.0) for b in (0.0, 3.0)]
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
    bounds = [(-15, 20), (-15, 20)]  # at alpha = exp(20) weights are zero but for 1e-9
    found = [
        optimize.minimize(loss, start, method="Nelder-Mead", bounds=bounds, options=options)
        for start in starts
    ]
    return -min(one.fun for one in found)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (30, 30), (24, 100)])
def test_logme_is_the_greatest_evidence_also_for_fewer_images_than_features(n: int, d: int) -> None:
    features, labels = blobs(n, d, apart=0.4)
    columns = np.eye(3)[labels]
    best = np.mean([evidence_by_optimisation(features, column) / n for column in columns.T])
    assert logme(features, labels) == pytest.approx(best, abs=1e-6)


def test_logme_of_noise_is_the_evidence_of_no_weights() -> None:
    # Columns orthogonal to the features: the best weights are zero, sigma² the mean square.
    features = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    labels = np.array([0, 0, 1, 1])
    assert logme(features, labels) == pytest.approx(-0.5 * (np.log(2 * np.pi * 0.5) + 1), abs=1e-5)


def test_logme_of_labels_given_without_error_is_finite() -> None:
    labels = np.arange(20) % 2
    assert np.isfinite(logme(np.eye(2)[labels], labels))


def test_features_of_32_bits_give_the_same() -> None:
    features, labels = blobs(200, 20)
    assert logme(features.astype(np.float32), labels) == pytest.approx(
        logme(features, labels), rel=1e-5
    )


def test_leep_by_hand() -> None:
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    assert leep(probabilities, np.array([0, 0, 1])) == pytest.approx(-0.505996, abs=1e-6)


def test_leep_of_a_perfect_and_of_an_empty_source() -> None:
    labels = np.array([0, 1, 1, 1])
    assert leep(np.eye(2)[labels], labels) == 0.0
    entropy = stats.entropy([0.25, 0.75])
    assert leep(np.full((4, 5), 0.2), labels) == pytest.approx(-entropy)


@pytest.mark.parametrize("row", [[0.9, 0.9], [1.5, -0.5], [0.0, 0.0]])
def test_leep_refuses_what_is_no_distribution(row: list[float]) -> None:
    with pytest.raises(InputError, match="row 1 of the probabilities"):
        leep(np.array([[0.5, 0.5], row, [1.0, 0.0]]), np.array([0, 1, 1]))


def test_nleep_is_leep_of_a_mixture_on_the_components_of_80_percent() -> None:
    features, labels = blobs(120, 10, 2, apart=2.0)
    parts = PCA(0.8, svd_solver="full").fit_transform(features)
    mixture = GaussianMixture(10, covariance_type="diag", random_state=0, max_iter=200)
    told = leep(mixture.fit(parts / parts.std()).predict_proba(parts / parts.std()), labels)
    assert nleep(features, labels) == pytest.approx(told, abs=0.02)
    assert nleep(features, labels) == nleep(features, labels)
    assert nleep(*blobs(120, 10, 2, apart=9.0)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50)])
def test_hscore_is_the_trace_over_the_shrunk_covariance(n: int, d: int) -> None:
    features, labels = blobs(n, d)
    fitted = LedoitWolf().fit(features)
    means = np.stack([features[labels == k].mean(0) for k in range(3)])[labels] - features.mean(0)
    between = means.T @ means / n
    expected = (1 - fitted.shrinkage_) * np.trace(np.linalg.inv(fitted.covariance_) @ between)
    assert hscore(features, labels) == pytest.approx(expected, rel=1e-9)


def test_gbc_by_hand() -> None:
    features = np.array([[-1.0], [1.0], [3.0], [5.0]])
    # Means 0 and 4, variance 1: the distance is 16 / 8 = 2, counted in both orders.
    assert gbc(features, np.array([0, 0, 1, 1])) == pytest.approx(-2 * np.exp(-2))
    # Variances 1 and 4 about one mean: log(2.5 / 2) / 2.
    wide = np.array([[-1.0], [1.0], [-2.0], [2.0]])
    assert gbc(wide, np.array([0, 0, 1, 1])) == pytest.approx(-2 * (2.5 / 2) ** -0.5)


def test_gbc_refuses_a_class_of_one_image() -> None:
    with pytest.raises(InputError, match="has one"):
        gbc(np.arange(3.0)[:, None], np.array([0, 0, 1]))


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50)])
def test_transrate_by_determinants(n: int, d: int) -> None:
    features, labels = blobs(n, d)
    z = (features - features.mean(0)) / np.sqrt(features.var(0).mean())

    def rate(rows: Any) -> float:
        return float(np.linalg.slogdet(np.eye(d) + rows.T @ rows / len(rows) / 1e-4)[1]) / 2

    within = sum(np.mean(labels == k) * rate(z[labels == k]) for k in range(3))
    assert transrate(features, labels) == pytest.approx(rate(z) - within, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (30, 50)])
def test_sfda_is_two_shrunk_discriminant_analyses(n: int, d: int) -> None:
    features, labels = blobs(n, d, apart=0.5)
    means = np.stack([features[labels == k].mean(0) for k in range(3)])
    within = np.cov((features - means[labels]).T, bias=True)
    a = np.exp(-5 * np.linalg.eigvalsh(within)[-1] / np.trace(within))

    def analysis(rows: Any) -> Any:
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=a).fit(rows, labels)

    chance = np.exp(analysis(features).predict_proba(features))
    own = (chance / chance.sum(1, keepdims=True))[np.arange(n), labels][:, None]
    others = np.stack([features[labels != k].mean(0) for k in range(3)])
    mixed = own * features + (1 - own) * others[labels]
    told = analysis(mixed).predict_log_proba(mixed)[np.arange(n), labels]
    assert sfda(features, labels) == pytest.approx(told.mean(), rel=1e-6)


def test_knn_by_a_library() -> None:
    features, labels = blobs(150, 8, apart=0.5)
    searched = NearestNeighbors(n_neighbors=21, metric="cosine", algorithm="brute").fit(features)
    votes = np.eye(3)[labels][searched.kneighbors(features)[1][:, 1:]].mean(axis=1)
    expected = roc_auc_score(labels, votes, multi_class="ovr")
    assert knn(features, labels) == pytest.approx(expected)


def test_knn_of_few_images_without_direction() -> None:
    assert knn(np.array([[0.0], [1.0], [1.0]]), np.array([0, 1, 1])) == 0.0


def test_the_probe_is_cross_validated_ridge_regression() -> None:
    features, labels = blobs(100, 12, 2, apart=0.4)
    # Dealt out class by class: 50 images of each.
    fold = np.array([(i // 2) % 5 for i in range(100)])
    predicted = np.empty(100)
    for held_out in range(5):
        train, test = fold != held_out, fold == held_out
        mean, std = features[train].mean(0), features[train].std(0)
        x, y = (features[train] - mean) / std, (labels[train] == 1).astype(float)
        best = (np.inf, None)
        for power in range(-6, 5):
            penalty = 10.0**power * np.linalg.eigvalsh(x.T @ x).mean()
            hat = x @ np.linalg.inv(x.T @ x + penalty * np.eye(12)) @ x.T
            rest = (np.eye(len(x)) - hat) @ (y - y.mean())
            error = len(x) * (rest @ rest) / np.trace(np.eye(len(x)) - hat) ** 2
            best = min(best, (error, penalty))
        model = Ridge(best[1]).fit(x, y)
        predicted[test] = model.predict((features[test] - mean) / std)
    assert linear_probe(features, labels) == pytest.approx(roc_auc_score(labels, predicted))


def test_the_probe_of_noise_is_chance_with_few_images_too() -> None:
    found = [
        linear_probe(np.random.default_rng(i).normal(size=(40, 100)), np.arange(40) % 2)
        for i in range(30)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 6), (12, 9, 30)])
def test_the_frechet_distance_by_a_matrix_root(n: int, m: int, d: int) -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(n, d)), 1 + 2 * rng.normal(size=(m, d))
    a, b = np.cov(one.T, bias=True), np.cov(other.T, bias=True)
    values = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0)).sum()
    gap = one.mean(0) - other.mean(0)
    expected = gap @ gap + np.trace(a) + np.trace(b) - 2 * values
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, one + 3.0) == pytest.approx(9.0 * d)


def test_alignment_by_centred_kernels() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(30, 50)), rng.normal(size=(30, 4))
    centre = np.eye(30) - 1 / 30
    k, m = centre @ one @ one.T @ centre, centre @ other @ other.T @ centre
    expected = np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))
    assert alignment(one, other) == pytest.approx(expected)
    assert alignment(one, one) == pytest.approx(1)


def test_cka_is_the_alignment_with_the_labels() -> None:
    features, labels = blobs()
    assert cka(features, labels) == pytest.approx(alignment(features, np.eye(3)[labels]))


# What scores ignore

SEEDS = st.integers(0, 10_000)
SHAPES = st.sampled_from([(30, 6), (24, 40)])
# Standardising each feature ties the probe to its axes, and its folds to the order of the images;
# a mixture starts at images drawn by their place.
ANY_ROTATION = sorted(set(OF_FEATURES) - {"linear-probe"})
ANY_ORDER = sorted(set(OF_FEATURES) - {"linear-probe", "nleep"})


@pytest.mark.parametrize("name", sorted(OF_FEATURES))
@given(seed=SEEDS, shape=SHAPES, scale=st.floats(1e-3, 1e3))
@settings(max_examples=8)
def test_scale_changes_nothing(name: str, seed: int, shape: tuple[int, int], scale: float) -> None:
    features, labels = blobs(*shape, seed=seed)
    of = OF_FEATURES[name]
    assert of(scale * features, labels) == pytest.approx(of(features, labels), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", ANY_ROTATION)
@given(seed=SEEDS, shape=SHAPES)
@settings(max_examples=8)
def test_rotation_changes_nothing(name: str, seed: int, shape: tuple[int, int]) -> None:
    features, labels = blobs(*shape, seed=seed)
    turn = stats.ortho_group.rvs(shape[1], random_state=seed)
    of = OF_FEATURES[name]
    assert of(features @ turn, labels) == pytest.approx(of(features, labels), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", ANY_ORDER)
@given(seed=SEEDS, shape=SHAPES)
@settings(max_examples=8)
def test_the_order_of_images_changes_nothing(name: str, seed: int, shape: tuple[int, int]) -> None:
    features, labels = blobs(*shape, seed=seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    of = OF_FEATURES[name]
    assert of(features[order], labels[order]) == pytest.approx(
        of(features, labels), rel=1e-5, abs=1e-6
    )


@pytest.mark.parametrize("name", sorted(OF_FEATURES))
@given(seed=SEEDS)
@settings(max_examples=5)
def test_the_names_of_classes_change_nothing(name: str, seed: int) -> None:
    features, labels = blobs(seed=seed)
    renamed = np.array([7, -2, 40])[labels]
    of = OF_FEATURES[name]
    assert of(features, renamed) == pytest.approx(of(features, labels), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", sorted(OF_FEATURES))
def test_classes_that_lie_apart_score_higher(name: str) -> None:
    near, far = (
        [OF_FEATURES[name](*blobs(90, 6, apart=a, seed=s)) for s in range(5)] for a in (0.1, 1.5)
    )
    assert min(far) > max(near)


@given(seed=SEEDS, shape=SHAPES)
@settings(max_examples=20)
def test_scores_keep_their_bounds(seed: int, shape: tuple[int, int]) -> None:
    features, labels = blobs(*shape, seed=seed)
    assert 0 <= hscore(features, labels) <= 2
    assert -6 <= gbc(features, labels) <= 0
    assert transrate(features, labels) >= 0
    assert sfda(features, labels) <= 0
    for of in (cka, knn, linear_probe):
        assert 0 <= of(features, labels) <= 1


# Several labels an image


def test_several_labels_are_the_mean_over_labels() -> None:
    features, _ = blobs(60, 6)
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (60, 3))
    one_by_one = [evidence_by_optimisation(features, column) / 60 for column in labels.T]
    assert logme(features, labels) == pytest.approx(np.mean(one_by_one), abs=1e-6)
    for name in SEVERAL:
        assert np.isfinite(OF_FEATURES[name](features, labels))


def test_which_scores_take_several_labels_is_told() -> None:
    features, _ = blobs(60, 6)
    labels = np.random.default_rng(1).integers(0, 2, (60, 3))
    for score in SCORES.values():
        if score.needs == "reference":
            continue
        given_ = np.full((60, 2), 0.5) if score.needs == "probabilities" else features
        if score.several_labels:
            score.of(given_, labels)
        else:
            with pytest.raises(InputError, match="several labels"):
                score.of(given_, labels)
    assert sorted(name for name in OF_FEATURES if SCORES[name].several_labels) == sorted(SEVERAL)


# What is refused


def with_value(value: float) -> Any:
    features, labels = blobs()
    features[3, 2] = value
    return features, labels


FAULTS = {
    "NaN": (*with_value(np.nan), "NaN or infinity, the first in row 3"),
    "infinity": (*with_value(np.inf), "NaN or infinity, the first in row 3"),
    "one class": (blobs()[0], np.ones(60, int), "all labels are 1"),
    "lengths": (blobs()[0], np.arange(59) % 2, "of 60 images, but labels of 59"),
    "one image": (np.ones((1, 4)), np.array([1]), "at least two"),
    "no image": (np.ones((0, 4)), np.zeros(0, int), "at least two"),
    "a vector": (np.ones(4), np.array([0, 1, 0, 1]), "shape"),
    "fractions": (blobs()[0], np.linspace(0, 1, 60), "whole numbers"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("name", sorted({*OF_FEATURES, "leep"}))
def test_what_cannot_be_scored_is_named(name: str, fault: str) -> None:
    features, labels, said = FAULTS[fault]
    with pytest.raises(InputError, match=said):
        SCORES[name].of(features, labels)


@pytest.mark.parametrize("name", sorted(set(OF_FEATURES) - {"knn", "linear-probe", "logme"}))
def test_features_that_do_not_vary_are_refused(name: str) -> None:
    labels = np.arange(20) % 2
    with pytest.raises(InputError, match=r"same for all images|do not vary"):
        OF_FEATURES[name](np.ones((20, 5)), labels)


def test_a_label_that_all_images_have_is_named() -> None:
    features, _ = blobs(20)
    labels = np.stack([np.arange(20) % 2, np.ones(20, int)], axis=1)
    for name in SEVERAL:
        with pytest.raises(InputError, match=r"label 1 .* is the same"):
            OF_FEATURES[name](features, labels)


def test_references_of_another_network_are_refused() -> None:
    with pytest.raises(InputError, match="one network"):
        frechet_distance(np.zeros((3, 4)), np.zeros((3, 5)))
