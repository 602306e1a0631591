"""Scores of a source for a target without fine-tuning: open `SCORES` first.

Each is a function of the features that a source's network gives for the target's images, and of
their labels; higher is better, unless it is named a distance. No torch; sums are in 64 bits.

What the arguments have in common:
    features: one image a row. *Shape:* (n, d), finite, n >= 2.
    labels: a class an image, any integers, at least two of them. *Shape:* (n,). `logme`, `cka`,
        `knn` and `linear_probe` also take several labels an image, 0 or 1, each column with both.
        *Shape:* (n, c), c >= 2.
What they raise:
    InputError: lengths differ, n < 2, NaN or infinity, a single class, or several labels an image
        where the score is not defined for them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from data.errors import InputError

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]
Needs = Literal["features", "probabilities", "reference"]
_Doubles = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]

_ROWS = 4096  # taken to 64 bits at a time, so that features of 32 bits are never copied whole
_GRID = 128
_GOLDEN = (5**0.5 - 1) / 2
_PENALTIES = tuple(10.0**power for power in range(-6, 5))  # of the mean squared singular value
_FOLDS = 5
_NEIGHBOURS = 20


# Evidence and regression


def logme(features: Array, labels: Labels) -> float:
    """The log evidence, an image, of a Bayesian linear model of the labels; mean over classes.

    A class is a column of 0 and 1; the precisions of weights (alpha) and noise (beta) are those of
    the greatest evidence. Given alpha / beta the best beta has a closed form, so that one number a
    class is searched: on a grid, then by golden section. That ratio is held above 1e-10 of the
    largest squared singular value, since the evidence has no maximum where the features give the
    labels without error. Rotating or scaling the features changes nothing.

    Right also for fewer images than features: log |A| has d terms, d - k of them log alpha, which
    the authors' code leaves out.

    Source: You et al. 2021, arXiv:2102.11005, eq. 2.
    """
    rows, targets = _with_indicators(features, labels)
    return float(np.mean(_log_evidence(_Ridge(rows, targets))) / len(rows))


class _Ridge:
    """Least squares under a penalty, for any penalty: features F = U S V', targets y.

    `variances` is s², `energy` (U'y)², `left` what no weights can explain. Found from F'F or FF',
    whichever is smaller.
    """

    def __init__(self, features: Array, targets: _Doubles) -> None:
        self.n, d = features.shape
        self._features = features
        self._is_tall = self.n >= d
        gram = _gram(features) if self._is_tall else _outer(features, features)
        variances, basis = np.linalg.eigh(gram)
        kept = variances > max(self.n, d) * np.finfo(float).eps * variances[-1]
        if not kept.any():
            raise InputError("all features are zero; look at the network that made them")
        self.variances: _Doubles = variances[kept]
        self._basis: _Doubles = basis[:, kept]
        answers = _cross(features, targets) if self._is_tall else targets
        self._projected: _Doubles = self._basis.T @ answers
        scale = self.variances[:, None] if self._is_tall else 1.0
        self.energy: _Doubles = self._projected**2 / scale
        self.left: _Doubles = np.maximum((targets**2).sum(axis=0) - self.energy.sum(axis=0), 0.0)

    def loss(self, penalty: _Doubles) -> _Doubles:
        """The least |y - Fw|² + penalty |w|². *Shape:* (c,) -> (c,)."""
        kept = penalty / (penalty + self.variances[:, None])
        found: _Doubles = self.left + (kept * self.energy).sum(axis=0)
        return found

    def generalised_error(self, penalty: float) -> _Doubles:
        """Generalised cross-validation; doi:10.1080/00401706.1979.10489751, eq. 1.4."""
        shrunk = penalty / (penalty + self.variances)
        residual = self.left + (shrunk**2) @ self.energy
        freedom = self.n - (1 - shrunk).sum()
        found: _Doubles = self.n * residual / freedom**2
        return found

    def weights(self, penalty: _Doubles) -> _Doubles:
        """*Shape:* (c,) -> (d, c)."""
        inner = self._basis @ (self._projected / (self.variances[:, None] + penalty))
        return inner if self._is_tall else _cross(self._features, inner)


def _log_evidence(ridge: _Ridge) -> _Doubles:
    """The greatest log evidence of each target. *Shape:* (c,)."""
    n, variances = ridge.n, ridge.variances

    def at(log_ratio: _Doubles) -> _Doubles:
        ratio = np.exp(log_ratio)
        noise = np.maximum(ridge.loss(ratio) / n, np.finfo(float).tiny)
        shrunk = np.log1p(variances[:, None] / ratio).sum(axis=0)
        found: _Doubles = -0.5 * (n * np.log(2 * np.pi * noise) + n + shrunk)
        return found

    low, high = np.log(variances[-1] * 1e-10), np.log(variances.sum() * 1e6)
    grid, step = np.linspace(low, high, _GRID, retstep=True)
    c = len(ridge.left)
    values = np.stack([at(np.full(c, place)) for place in grid])
    best = grid[np.argmax(values, axis=0)]
    found: _Doubles = np.maximum(_golden_section(at, best - step, best + step), values.max(axis=0))
    return found


def _golden_section(
    function: Callable[[_Doubles], _Doubles], low: _Doubles, high: _Doubles
) -> _Doubles:
    """The greatest value between bounds of a function of one peak, for many at once."""
    for _ in range(40):
        width = _GOLDEN * (high - low)
        is_left = function(high - width) > function(low + width)
        low, high = np.where(is_left, low, high - width), np.where(is_left, low + width, high)
    return function((low + high) / 2)


def linear_probe(features: Array, labels: Labels) -> float:
    """The AUC of a ridge classifier in 5-fold cross-validation; macro, one class against the rest.

    The folds take each class in turn, in the order of the images. Features are standardised by the
    training part; each class's penalty has the least generalised cross-validation error there, so
    that no held-out image chooses anything.

    Source: the usual proxy of a linear probe; ridge regression in place of logistic, since it has a
    closed form.
    """
    rows, targets = _with_indicators(features, labels)
    fold = _folds(labels)
    predicted = np.empty_like(targets)
    for held_out in range(_FOLDS):
        test, train = fold == held_out, fold != held_out
        inputs, mean, std = _standardising(rows[train])
        answers = targets[train]
        ridge = _Ridge(inputs, answers - answers.mean(axis=0))
        penalties = np.array(_PENALTIES) * ridge.variances.mean()
        errors = np.stack([ridge.generalised_error(penalty) for penalty in penalties])
        weights = ridge.weights(penalties[np.argmin(errors, axis=0)])
        predicted[test] = ((rows[test] - mean) / std) @ weights + answers.mean(axis=0)
    return float(_areas(predicted, targets).mean())


def knn(features: Array, labels: Labels) -> float:
    """The AUC of the votes of each image's 20 nearest others by cosine; macro, one against rest.

    With 20 images or fewer all others vote. An image without direction (all zero) is near to none.

    Source: Meng et al. 2025, arXiv:2503.18528, who find it ahead of 23 scores; cosine and vote as
    in Wu et al. 2018, arXiv:1805.01978, unweighted.
    """
    rows, targets = _with_indicators(features, labels)
    n = len(rows)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    directions = rows / np.where(length > 0, length, 1.0)
    k = min(_NEIGHBOURS, n - 1)
    votes = np.empty_like(targets)
    for start in range(0, n, _ROWS):
        near = directions[start : start + _ROWS] @ directions.T
        own = np.arange(len(near))
        near[own, start + own] = -np.inf
        nearest = np.argpartition(near, n - k, axis=1)[:, n - k :]
        votes[start : start + _ROWS] = targets[nearest].mean(axis=1)
    return float(_areas(votes, targets).mean())


# Of probabilities


def leep(probabilities: Array, labels: Labels) -> float:
    """The mean log of the expected empirical prediction: what source classes tell of the labels.

    Args:
        probabilities: of the source's classes, by the source's own head. *Shape:* (n, z), rows sum
            to 1 within 1e-3.

    Returns: at most 0.

    Raises:
        InputError: as all; or a row is no distribution.

    Source: Nguyen et al. 2020, arXiv:2002.12462, eq. 1 and 2.
    """
    rows, codes = _with_codes(probabilities, labels, what="probabilities")
    sums = rows.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero((np.abs(sums - 1) > 1e-3) | (rows.min(axis=1) < 0))
    if len(wrong):
        raise InputError(
            f"row {wrong[0]} of the probabilities sums to {sums[wrong[0]]:.4g} with least "
            f"{rows[wrong[0]].min():.4g}; expected a distribution over the source's classes: "
            "give the softmax of the logits"
        )
    places = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    joint = np.stack([rows[place].sum(axis=0, dtype=np.float64) for place in places])
    mass = joint.sum(axis=0)
    given = np.divide(joint, mass, out=np.zeros_like(joint), where=mass > 0)
    # An image of a class is only asked for that class: n z products, not n z c.
    told = [np.log(rows[place] @ given[code]).sum() for code, place in enumerate(places)]
    return float(np.sum(told) / len(rows))


def nleep(features: Array, labels: Labels, *, seed: int = 0) -> float:
    """`leep` of the components of a Gaussian mixture, in place of source classes.

    Principal components that hold 80% of the variance; five components a class, at most n / 2.
    Covariances are diagonal, where the authors' are full: with few images a component's full
    covariance is singular.

    Args:
        seed: of the mixture's start.

    Source: Li et al. 2021, arXiv:2011.11200, section 3.2.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    rows, codes = _with_codes(features, labels)
    parts = _principal(rows, share=0.8)
    n_components = max(1, min(5 * (int(codes.max()) + 1), len(rows) // 2))
    mixture = GaussianMixture(
        n_components, covariance_type="diag", random_state=seed, max_iter=200, tol=1e-3
    )
    scaled = parts / parts.std()
    with warnings.catch_warnings():
        # A mixture that has not settled is a mixture still.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(scaled)
    return leep(mixture.predict_proba(scaled), codes)


# Of class means and covariances


def hscore(features: Array, labels: Labels) -> float:
    """The share of feature variance between classes, by a shrunk covariance: tr(S^-1 B)(1 - a).

    S = (1 - a) C + a tr(C)/d I with C the covariance, a after Ledoit and Wolf
    (doi:10.1016/S0047-259X(03)00096-4), B the covariance of class means; (1 - a) shrinks B too.
    Between 0 and the number of classes less one; unchanged by rotation, scale and shift.

    Source: Ibrahim et al. 2021, arXiv:2110.06893, eq. 5, for Bao et al. 2019,
    doi:10.1109/ICIP.2019.8803726.
    """
    rows, codes = _with_codes(features, labels)
    centred = _centred(rows)
    n, d = centred.shape
    shrinkage, covariance = _ledoit_wolf(centred)
    means, counts = _class_means(centred, codes)
    weighted = means * np.sqrt(counts / n)[:, None]
    covariance *= 1 - shrinkage
    covariance.flat[:: d + 1] += shrinkage * _mean_variance(centred)
    solved = _solve(covariance, weighted.T)
    return float((1 - shrinkage) * np.sum(weighted.T * solved))


def _ledoit_wolf(centred: _Doubles) -> tuple[float, _Doubles]:
    """The shrinkage towards a multiple of the identity, and the covariance (divided by n)."""
    n, d = centred.shape
    covariance = _gram(centred) / n
    squares = float(np.sum(covariance**2))
    away = squares - d * _mean_variance(centred) ** 2
    noise = (float(np.mean(np.sum(centred**2, axis=1) ** 2)) - squares) / n
    return (min(max(noise, 0.0), away) / away if away > 0 else 0.0), covariance


def gbc(features: Array, labels: Labels, *, dimensions: int = 64) -> float:
    """Minus the overlap of classes: the sum over ordered pairs of their Bhattacharyya coefficients.

    A class is a Gaussian of one variance for all directions, in the first 64 principal components.

    Returns: between -c (c - 1) and 0.

    Raises:
        InputError: as all; or a class has a single image, which has no variance.

    Source: Pándy et al. 2022, arXiv:2111.12780, eq. 3 to 5, spherical.
    """
    rows, codes = _with_codes(features, labels)
    parts = _principal(rows, most=dimensions)
    means, counts = _class_means(parts, codes)
    if counts.min() < 2:
        raise InputError("gbc needs two images of each class; a class here has one")
    around = parts - means[codes]
    d = parts.shape[1]
    spread = np.bincount(codes, (around**2).sum(axis=1)) / (counts * d)
    spread = np.maximum(spread, 1e-12 * _mean_variance(parts))
    pooled = (spread[:, None] + spread[None]) / 2
    apart = np.sum((means[:, None] - means[None]) ** 2, axis=2) / pooled / 8
    shape = 0.5 * d * np.log(pooled / np.sqrt(spread[:, None] * spread[None]))
    overlap = np.exp(-(apart + shape))
    return float(-(overlap.sum() - np.trace(overlap)))


def transrate(features: Array, labels: Labels, *, distortion: float = 1e-4) -> float:
    """The bits, in nats, that class labels take off coding the features within a distortion.

    Features are centred and scaled to a mean variance of 1 first, so that a source does not win by
    the scale of its features; the paper leaves them as they come.

    Args:
        distortion: the squared error allowed, epsilon², in units of the mean variance.

    Returns: at least 0.

    Source: Huang et al. 2022, arXiv:2106.09732, eq. 5 and 6.
    """
    rows, codes = _with_codes(features, labels)
    scaled = _centred(rows)
    scaled /= np.sqrt(_mean_variance(scaled))
    n, parts = len(scaled), [scaled[codes == code] for code in range(codes.max() + 1)]
    within = sum(len(part) / n * _coding_rate(part, distortion) for part in parts)
    return float(_coding_rate(scaled, distortion) - within)


def _coding_rate(rows: _Doubles, distortion: float) -> float:
    n, d = rows.shape
    gram = _gram(rows) if n >= d else _outer(rows, rows)
    gram /= n * distortion
    gram.flat[:: len(gram) + 1] += 1
    return float(np.linalg.slogdet(gram)[1] / 2)


def sfda(features: Array, labels: Labels) -> float:
    """The mean log probability of the labels in a regularised Fisher space, made harder once.

    Discriminant analysis with within-class covariance (1 - a) W + a tr(W)/d I. Then each image is
    moved towards the mean of all other classes, by one minus the softmax of its own class's
    probability, and the analysis is fitted to these. a = exp(-5 s): the paper takes s as the
    largest eigenvalue of W, which makes a vanish unless features are small, and the score the same
    for all; here s is that eigenvalue's share of tr(W), so that scale does not matter.

    Source: Shao et al. 2022, arXiv:2207.03036, eq. 3 to 8; 5 as in the authors' code.
    """
    rows, codes = _with_codes(features, labels)
    rows = _centred(rows)
    means, counts = _class_means(rows, codes)
    within = _gram(rows - means[codes]) / len(rows)
    _mean_variance(rows)  # which refuses features that do not vary
    trace = float(np.trace(within))
    largest = float(np.linalg.eigvalsh(within)[-1])
    shrinkage = float(np.exp(-5 * largest / trace)) if trace > 0 else 1.0
    log_chance = _discriminant(rows, codes, shrinkage)
    softened = np.exp(np.exp(log_chance))
    own = softened[np.arange(len(rows)), codes] / softened.sum(axis=1)
    others = (counts @ means - counts[:, None] * means) / (len(rows) - counts)[:, None]
    mixed = own[:, None] * rows + (1 - own[:, None]) * others[codes]
    return float(_discriminant(mixed, codes, shrinkage)[np.arange(len(rows)), codes].mean())


def _discriminant(rows: _Doubles, codes: _Codes, shrinkage: float) -> _Doubles:
    """Log class probabilities by linear discriminant analysis. *Shape:* (n, c)."""
    n, d = rows.shape
    means, counts = _class_means(rows, codes)
    within = _gram(rows - means[codes]) / n
    level = shrinkage * float(np.trace(within)) / d
    within *= 1 - shrinkage
    within.flat[:: d + 1] += level if level > 0 else np.finfo(float).eps
    solved = _solve(within, means.T)
    logits = rows @ solved - 0.5 * np.sum(means.T * solved, axis=0) + np.log(counts / n)
    logits -= logits.max(axis=1, keepdims=True)
    found: _Doubles = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return found


# Of two sets of features


def frechet_distance(features: Array, reference: Array) -> float:
    """The squared distance of two Gaussians with the sets' means and covariances; 0 is the nearest.

    Args:
        reference: features of other images, such as the source's own, by the same network.
            *Shape:* (m, d).

    Raises:
        InputError: as all; or the sets differ in d.

    Source: Dowson and Landau 1982, doi:10.1016/0047-259X(82)90077-X; as a distance of image sets
    Heusel et al. 2017, arXiv:1706.08500, eq. 6. Covariances are divided by n.
    """
    one, other = _matrix(features, "features"), _matrix(reference, "reference features")
    if one.shape[1] != other.shape[1]:
        raise InputError(
            f"features have {one.shape[1]} columns, reference features {other.shape[1]}; "
            "both must come from one network"
        )
    gap = one.mean(axis=0, dtype=np.float64) - other.mean(axis=0, dtype=np.float64)
    one, other = _centred(one), _centred(other)
    d = one.shape[1]
    spreads = d * (_mean_variance(one) + _mean_variance(other))
    # tr sqrt(AB) is the sum of singular values of sqrt(A) sqrt(B), and with few images of X Y'.
    if len(one) * len(other) <= d * d:
        shared = np.linalg.svd(one @ other.T, compute_uv=False).sum()
        shared /= np.sqrt(len(one) * len(other))
    else:
        roots = [_root(_gram(rows) / len(rows)) for rows in (one, other)]
        shared = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    return float(max(gap @ gap + spreads - 2 * shared, 0.0))


def cka(features: Array, labels: Labels) -> float:
    """Linear centred kernel alignment of features and labels, between 0 and 1.

    Few images and many features raise it: compare sources at the same n.

    Source: Kornblith et al. 2019, arXiv:1905.00414, eq. 2 and 3, with a linear kernel.
    """
    return alignment(*_with_indicators(features, labels))


def alignment(one: Array, other: Array) -> float:
    """Linear centred kernel alignment of two sets of features of the same images, in [0, 1].

    Args:
        one: *Shape:* (n, d).
        other: *Shape:* (n, e), the same images in the same order.

    Raises:
        InputError: lengths differ, NaN or infinity, or one of them does not vary.

    Source: Kornblith et al. 2019, arXiv:1905.00414, eq. 3.
    """
    _same_length(one, other, "the other features")
    first, second = _centred(_matrix(one, "features")), _centred(_matrix(other, "features"))
    between = np.sum(_cross(first, second) ** 2)
    own = [
        np.linalg.norm(_gram(rows) if len(rows) >= rows.shape[1] else _outer(rows, rows))
        for rows in (first, second)
    ]
    if min(own) == 0:
        raise InputError("features that do not vary have no alignment")
    return float(min(between / (own[0] * own[1]), 1.0))


# The list of them


@dataclass(frozen=True, slots=True)
class Score:
    """A score by name.

    Args:
        name: as `cats experiments rank --score` takes it.
        of: what it is computed by: of features and labels; of probabilities and labels; or of
            features and reference features.
        needs: what that is beside labels.
        several_labels: whether it is defined for several labels an image.
        paper: where it comes from.
    """

    name: str
    of: Callable[[Array, Labels], float] | Callable[[Array, Array], float]
    needs: Needs
    several_labels: bool
    paper: str


def _nearness(features: Array, reference: Array) -> float:
    return -frechet_distance(features, reference)


SCORES = {
    score.name: score
    for score in (
        Score("knn", knn, "features", True, "arXiv:2503.18528"),
        Score("linear-probe", linear_probe, "features", True, "arXiv:2412.20172"),
        Score("logme", logme, "features", True, "arXiv:2102.11005"),
        Score("leep", leep, "probabilities", False, "arXiv:2002.12462"),
        Score("nleep", nleep, "features", False, "arXiv:2011.11200"),
        Score("hscore", hscore, "features", False, "arXiv:2110.06893"),
        Score("gbc", gbc, "features", False, "arXiv:2111.12780"),
        Score("transrate", transrate, "features", False, "arXiv:2106.09732"),
        Score("sfda", sfda, "features", False, "arXiv:2207.03036"),
        Score("cka", cka, "features", True, "arXiv:1905.00414"),
        Score("nearness", _nearness, "reference", True, "arXiv:1706.08500"),
    )
}


# What they share


def _matrix(values: Array, what: str) -> Array:
    rows = np.asarray(values)
    if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind not in "fiu":
        raise InputError(
            f"{what} are {rows.dtype} of shape {rows.shape}; expected numbers, one image a row"
        )
    if len(rows) < 2:
        raise InputError(f"{what} of {len(rows)} image(s); at least two are needed")
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        raise InputError(
            f"{what} of {len(wrong)} image(s) have NaN or infinity, the first in row {wrong[0]}; "
            "look at that image, or at a network that overflowed"
        )
    return rows if rows.dtype.kind == "f" else rows.astype(np.float64)


def _same_length(one: Any, other: Any, what: str) -> None:
    if len(one) != len(other):
        raise InputError(f"features of {len(one)} images, but {what} of {len(other)}")


def _with_codes(features: Array, labels: Labels, *, what: str = "features") -> tuple[Array, _Codes]:
    """Rows, and classes as 0, 1, ... in their order."""
    rows, found = _matrix(features, what), np.asarray(labels)
    _same_length(rows, found, "labels")
    if found.size != len(found):
        raise InputError(
            f"labels have shape {found.shape}: this score is not defined for several labels an "
            "image; take logme, cka, knn or linear-probe"
        )
    return rows, _codes(found.reshape(len(found)))


def _codes(labels: npt.NDArray[Any]) -> _Codes:
    if labels.dtype.kind not in "iub":
        raise InputError(f"labels are {labels.dtype}; expected whole numbers")
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"all labels are {classes[0]}: a target of a single class cannot be scored"
        )
    return codes.astype(np.int64)


def _with_indicators(features: Array, labels: Labels) -> tuple[Array, _Doubles]:
    """Rows, and a column of 0 and 1 a class or label. *Shape:* (n, c)."""
    found = np.asarray(labels)
    if found.ndim != 2 or found.shape[1] < 2:
        rows, codes = _with_codes(features, labels)
        return rows, np.eye(int(codes.max()) + 1)[codes]
    rows = _matrix(features, "features")
    _same_length(rows, found, "labels")
    if not np.isin(found, (0, 1)).all():
        raise InputError("several labels an image must be 0 or 1 each")
    single = np.flatnonzero(found.min(axis=0) == found.max(axis=0))
    if len(single):
        raise InputError(
            f"label {single[0]} (counted from 0) is the same for all images; leave it out"
        )
    return rows, found.astype(np.float64)


def _folds(labels: Labels) -> _Codes:
    """A fold an image: images of the same label or labels are dealt out in turn."""
    _, kinds = np.unique(np.asarray(labels), axis=0, return_inverse=True)
    order = np.argsort(kinds.reshape(-1), kind="stable")
    fold = np.empty(len(order), np.int64)
    fold[order] = np.arange(len(order)) % _FOLDS
    return fold


def _areas(scores: _Doubles, targets: _Doubles) -> _Doubles:
    """The area under the ROC curve of each column, ties counting one half. *Shape:* (c,)."""
    from scipy.stats import rankdata

    positives = targets.sum(axis=0)
    negatives = len(targets) - positives
    ranks = (rankdata(scores, axis=0) * targets).sum(axis=0)
    found: _Doubles = (ranks - positives * (positives + 1) / 2) / (positives * negatives)
    return found


def _blocks(rows: Array) -> Iterator[tuple[int, _Doubles]]:
    for start in range(0, len(rows), _ROWS):
        yield start, rows[start : start + _ROWS].astype(np.float64)


def _gram(rows: Array) -> _Doubles:
    """X'X. *Shape:* (d, d)."""
    total = np.zeros((rows.shape[1],) * 2)
    for _, block in _blocks(rows):
        total += block.T @ block
    return total


def _cross(rows: Array, others: Array) -> _Doubles:
    """X'Y. *Shape:* (d, e)."""
    total = np.zeros((rows.shape[1], others.shape[1]))
    for start, block in _blocks(rows):
        total += block.T @ others[start : start + _ROWS]
    return total


def _outer(rows: Array, others: Array) -> _Doubles:
    """XY'. *Shape:* (n, m)."""
    found: _Doubles = rows.astype(np.float64) @ others.astype(np.float64).T
    return found


def _centred(rows: Array) -> _Doubles:
    found: _Doubles = rows - rows.mean(axis=0, dtype=np.float64)
    return found


def _standardising(rows: Array) -> tuple[_Doubles, _Doubles, _Doubles]:
    """Standardised rows, mean and standard deviation; what does not vary is left at 0."""
    centred = _centred(rows)
    std = np.sqrt(np.mean(centred**2, axis=0))
    std[std <= 1e-12 * std.max(initial=0.0)] = 1.0
    return centred / std, rows.mean(axis=0, dtype=np.float64), std


def _mean_variance(centred: _Doubles) -> float:
    found = float(np.mean(centred**2))
    if found == 0:
        raise InputError("features are the same for all images; look at the network")
    return found


def _class_means(rows: Array, codes: _Codes) -> tuple[_Doubles, _Codes]:
    """The mean of each class, *Shape:* (c, d), and its number of images."""
    counts = np.bincount(codes)
    sums = np.stack([rows[codes == code].sum(axis=0) for code in range(len(counts))])
    return sums / counts[:, None], counts


def _principal(rows: Array, *, share: float = 1.0, most: int | None = None) -> _Doubles:
    """Principal components, the largest first: as few as hold that share of variance."""
    centred = _centred(rows)
    is_tall = len(centred) >= centred.shape[1]
    gram = _gram(centred) if is_tall else _outer(centred, centred)
    variances, basis = (found[..., ::-1] for found in np.linalg.eigh(gram))
    kept = variances > max(rows.shape) * np.finfo(float).eps * variances[0]
    held = np.cumsum(variances[kept]) / variances[kept].sum()
    if not kept.any():
        raise InputError("features are the same for all images; look at the network")
    count = int(np.searchsorted(held, share * (1 - 1e-12))) + 1
    count = min(count, int(kept.sum()), most or len(variances))
    scale = np.sqrt(variances[:count])
    found: _Doubles = centred @ basis[:, :count] if is_tall else basis[:, :count] * scale
    return found


def _root(symmetric: _Doubles) -> _Doubles:
    values, basis = np.linalg.eigh(symmetric)
    found: _Doubles = (basis * np.sqrt(np.maximum(values, 0.0))) @ basis.T
    return found


def _solve(positive: _Doubles, right: _Doubles) -> _Doubles:
    """A^-1 B for a symmetric A that is positive, or nearly: then by least squares."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    try:
        found: _Doubles = cho_solve(cho_factor(positive), right)
    except LinAlgError:
        found = np.linalg.pinv(positive, hermitian=True) @ right
    return found
