"""Order sources for a target without fine-tuning, and say when that cannot be done: open `rank`.

The images are what is sampled. Halves of them are drawn again and again, class by class and without
replacement: a bootstrap draws images twice, and a copy is its own nearest neighbour, or a second
witness to the evidence. A half's scores vary about the whole's as the whole's do about those of all
such images (m = n / 2: 1/m - 1/n = 1/n), and they vary together over sources. From their covariance
come intervals of all differences at once, and from these the set of ranks that each source may
have. Where no source is told from the best one, the ranking abstains.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import InputError
from experiments.transferability import SCORES, Array, Labels, Score

Verdict = Literal["one", "some", "abstains"]
_Doubles = npt.NDArray[np.float64]

RESAMPLES = 100
MOST_IMAGES = 1000
_DRAWS = 20_000
_FEWEST = 4  # of a class, so that its half has two


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFeatures:
    """What one source's network makes of a target's images.

    Args:
        features: *Shape:* (n, d).
        labels: *Shape:* (n,), or (n, c) of 0 and 1; the same for all sources.
        probabilities: of the source's own classes, for `leep`. *Shape:* (n, z).
        reference: features of other images, such as the source's, for `nearness`. *Shape:* (m, d).
    """

    features: Array
    labels: Labels
    probabilities: Array | None = None
    reference: Array | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Sources in order.

    Args:
        frame: best score first; columns source, score, low, high (95%, of that score alone), se,
            rank_low, rank_high (simultaneous 95%), knn, n_papers, n_images: the baselines.
        best: sources that may be the best: all that are not told from it.
        verdict: 'one' source is told from all others; 'some' may be the best, others not;
            'abstains': no source is told from the best.
        why: the verdict in words, with n.
        score: the score's name.
    """

    frame: pd.DataFrame
    best: tuple[str, ...]
    verdict: Verdict
    why: str
    score: str


def rank(
    sources: Mapping[str, SourceFeatures],
    *,
    score: str = "knn",
    seed: int = 0,
    resamples: int = RESAMPLES,
    most_images: int = MOST_IMAGES,
    n_papers: Mapping[str, int] | None = None,
    n_images: Mapping[str, float] | None = None,
) -> Ranking:
    """Sources by a score, with intervals, ranks and baselines.

    A source's rank may be anything from 1 + the number of sources told to be better, to the number
    of sources less those told to be worse; two are told apart where the simultaneous 95% interval
    of their difference leaves out zero. So with probability 95% all ranks are right at once.

    Features are standardised by these images, those that do not vary left out. The interval knows
    of the images, not of how well a score foretells fine-tuning.

    Args:
        sources: by name; the same images in the same order.
        score: one of `SCORES`.
        seed: of which images are taken, and the halves.
        resamples: how many halves.
        most_images: more images than these are cut to as many, class by class.
        n_papers: popularity, a baseline; none if None.
        n_images: of each source's dataset, a baseline; none if None.

    Raises:
        InputError: fewer than two sources, labels differ between them, a class of fewer than four
            images, or what a score does not take.

    Source: ranks by Mogstad et al. 2024, doi:10.1093/restud/rdad006, section 3, single step;
        halves by Shao and Wu 1989, doi:10.1214/aos/1176347263.
    """
    chosen = _score(score)
    labels = _common_labels(sources)
    rng = np.random.default_rng(seed)
    kept = _share(labels, min(1.0, most_images / len(labels)), rng)
    ready = {name: _ready(_rows(given, kept), name, chosen) for name, given in sources.items()}
    labels = labels[kept]
    halves = [_share(labels, 0.5, rng) for _ in range(resamples)]
    scores = np.array([_value(chosen, given) for given in ready.values()])
    varied = np.array(
        [[_value(chosen, _rows(given, half)) for half in halves] for given in ready.values()]
    )
    neighbours = SCORES["knn"]
    near = scores if score == "knn" else [_value(neighbours, given) for given in ready.values()]
    covariance = np.atleast_2d(np.cov(varied))
    low, high = rank_sets(scores, covariance, rng)
    se = np.sqrt(np.diag(covariance))
    names = list(sources)
    frame = pd.DataFrame(
        {
            "source": names,
            "score": scores,
            "low": scores - 1.96 * se,
            "high": scores + 1.96 * se,
            "se": se,
            "rank_low": low,
            "rank_high": high,
            "knn": near,
            "n_papers": [None if n_papers is None else n_papers.get(name, 0) for name in names],
            "n_images": [None if n_images is None else n_images.get(name) for name in names],
        }
    ).sort_values(["score", "source"], ascending=[False, True], ignore_index=True)
    best = tuple(frame.loc[frame["rank_low"] == 1, "source"])
    return Ranking(frame, best, *_verdict(frame, best, chosen.name, len(labels)), chosen.name)


def rank_sets(
    scores: _Doubles, covariance: _Doubles, rng: np.random.Generator, *, confidence: float = 0.95
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The best and the worst rank that each of several scores may have, for all of them at once.

    Args:
        scores: estimates, higher is better. *Shape:* (p,).
        covariance: of the estimates. *Shape:* (p, p).
        rng: draws the normal distribution of the largest difference.

    Returns: (low, high), counted from 1. *Shape:* (p,) each.

    Source: Mogstad et al. 2024, doi:10.1093/restud/rdad006, eq. 10, with the normal distribution
        of the estimates in place of the bootstrap.
    """
    variance = np.diag(covariance)
    spread = variance[:, None] + variance[None] - 2 * covariance
    # Rounding must not make a difference of equals certain, nor a negative variance.
    spread = np.sqrt(np.maximum(spread, 1e-24 + 1e-12 * variance.max()))
    draws = rng.multivariate_normal(np.zeros(len(scores)), covariance, _DRAWS, method="eigh")
    largest = np.zeros(_DRAWS)
    for one in range(len(scores)):
        apart = np.abs(draws - draws[:, [one]]) / spread[one]
        np.maximum(largest, apart.max(axis=1), out=largest)
    bound = np.quantile(largest, confidence) * spread
    difference = scores[:, None] - scores[None]
    n_better = (difference < -bound).sum(axis=1)
    n_worse = (difference > bound).sum(axis=1)
    return 1 + n_better, len(scores) - n_worse


def _verdict(frame: pd.DataFrame, best: Sequence[str], score: str, n: int) -> tuple[Verdict, str]:
    leader, count = frame["source"].iloc[0], len(frame)
    told = f"by {score} on {n} images"
    if len(best) == count:
        return "abstains", (
            f"no order: {told}, no source is told from {leader}, which scored highest; "
            "choose by licence, size or cost, or bring more images"
        )
    if len(best) == 1:
        return "one", f"{leader} is told from all {count - 1} others, {told}"
    others = ", ".join(best)
    return "some", f"any of {others} may be the best of {count}, {told}"


# The images


def _score(name: str) -> Score:
    if name not in SCORES:
        raise InputError(f"score {name!r} is not one of {', '.join(SCORES)}")
    return SCORES[name]


def _common_labels(sources: Mapping[str, SourceFeatures]) -> Labels:
    if len(sources) < 2:
        raise InputError(f"{len(sources)} source(s) given; a ranking needs two")
    (first, given), *others = sources.items()
    labels = np.asarray(given.labels)
    for name, other in others:
        if not np.array_equal(labels, other.labels):
            raise InputError(
                f"labels of {name!r} and {first!r} differ ({len(other.labels)} and {len(labels)} "
                "images); features must be of the same images in the same order"
            )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 1:
        kinds, counts = np.unique(labels, return_counts=True)
    else:
        present = labels.sum(axis=0)
        kinds, counts = np.arange(labels.shape[1]), np.minimum(present, len(labels) - present)
    if counts.min(initial=_FEWEST) < _FEWEST:
        kind = "class" if labels.ndim == 1 else "label (counted from 0), present or absent,"
        raise InputError(
            f"{kind} {kinds[np.argmin(counts)]} has {counts.min()} image(s); ranking halves the "
            f"images, and needs {_FEWEST} of each"
        )
    return labels


def _share(labels: Labels, share: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Places of a share of the images, class by class, half of them or two at least; in order.

    Of several labels an image: at random, until each label is both present and absent.
    """
    if labels.ndim == 1:
        groups = [np.flatnonzero(labels == kind) for kind in np.unique(labels)]
        sizes = [max(2, math.ceil(share * len(group))) for group in groups]
        drawn = [
            rng.choice(group, min(size, len(group)), replace=False)
            for group, size in zip(groups, sizes, strict=True)
        ]
        return np.sort(np.concatenate(drawn))
    for _ in range(100):
        places = np.sort(rng.choice(len(labels), math.ceil(share * len(labels)), replace=False))
        if (labels[places].min(axis=0) < labels[places].max(axis=0)).all():
            return places
    raise InputError(
        f"{labels.shape[1]} labels are too many, or too rare, for halves of {len(labels)} images "
        "to have each present and absent; leave the rarest out, or bring more images"
    )


def _rows(given: SourceFeatures, places: npt.NDArray[np.int64]) -> SourceFeatures:
    told = given.probabilities
    return replace(
        given,
        features=np.asarray(given.features)[places],
        labels=np.asarray(given.labels)[places],
        probabilities=None if told is None else told[places],
    )


def _ready(given: SourceFeatures, name: str, score: Score) -> SourceFeatures:
    """Standardised by the images themselves, and with what the score needs."""
    if score.needs == "probabilities" and given.probabilities is None:
        raise InputError(
            f"source {name!r} has no probabilities of its own classes; leep needs them"
        )
    if score.needs == "reference" and given.reference is None:
        raise InputError(f"source {name!r} has no features of other images; nearness needs them")
    rows = np.asarray(given.features, dtype=np.float64)
    if not np.isfinite(rows).all():
        raise InputError(f"features of source {name!r} have NaN or infinity")
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    kept = std > 1e-9 * std.max(initial=0.0)
    if not kept.any():
        raise InputError(f"features of source {name!r} are the same for all images")
    other = given.reference
    return replace(
        given,
        features=(rows[:, kept] - mean[kept]) / std[kept],
        reference=None if other is None else (other[:, kept] - mean[kept]) / std[kept],
    )


def _value(score: Score, given: SourceFeatures) -> float:
    of: Any = score.of
    if score.needs == "reference":
        return float(of(given.features, given.reference))
    rows = given.probabilities if score.needs == "probabilities" else given.features
    return float(of(rows, given.labels))


def by_baselines(ranking: Ranking) -> dict[str, tuple[str, ...]]:
    """The sources as each baseline orders them: kNN; popularity and size where these are known."""
    named = {"knn": "knn", "popularity": "n_papers", "dataset size": "n_images"}
    orders = {}
    for name, column in named.items():
        known = ranking.frame[ranking.frame[column].notna()]
        if not known.empty:
            ordered = known.sort_values([column, "source"], ascending=[False, True])
            orders[name] = tuple(str(source) for source in ordered["source"])
    return orders


# Files of features


def holds_features(path: Path) -> bool:
    """Whether a path is a folder or file that `read_features` is meant for, not one of images."""
    if path.is_file() and path.suffix != ".npz":
        return False
    files = sorted(path.glob("[!.]*.npz"))[:1] if path.is_dir() else [path]
    return any("train_images" not in _arrays(file) for file in files)


def read_features(path: Path, *, target: str | None = None) -> dict[str, SourceFeatures]:
    """The features in a folder of `.npz` files, one a source, or in a survey's cache of them.

    A file has `features` and `labels`, may have `probabilities` and `reference`, and is named for
    its source; or it is of `experiments.features`: then its training images count, and of several
    seeds of a source the lowest. In one `.npz` with `labels`, every other array is a source's
    features.

    Args:
        target: which, where files are of several targets.

    Raises:
        InputError: a file cannot be read, lacks an array, or there are several targets.
    """
    if path.is_dir():
        files = sorted(path.glob("[!.]*.npz"))
        if not files:
            raise InputError("no .npz of features in this folder", path=path)
        return _of_files(files, target)
    arrays = _arrays(path)
    if "labels" not in arrays:
        raise InputError(f"no array 'labels'; found {', '.join(arrays)}", path=path)
    labels = arrays.pop("labels")
    return {name: SourceFeatures(features=rows, labels=labels) for name, rows in arrays.items()}


def _of_files(files: Sequence[Path], target: str | None) -> dict[str, SourceFeatures]:
    found: dict[str, tuple[int, SourceFeatures]] = {}
    targets: set[str] = set()
    for path in files:
        arrays = _arrays(path)
        about = _about(arrays, path)
        of = str(about.get("target", ""))
        if target is not None and of not in {"", target}:
            continue
        targets.add(of)
        name, seed = str(about.get("source", path.stem)), int(about.get("seed", 0))
        if name not in found or seed < found[name][0]:
            found[name] = seed, _of_arrays(arrays, path)
    if len(targets) > 1:
        raise InputError(
            f"features of several targets ({', '.join(sorted(targets))}); name one with --target",
            path=files[0].parent,
        )
    if not found:
        raise InputError(f"no features of target {target!r} here", path=files[0].parent)
    return {name: given for name, (_, given) in sorted(found.items())}


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as e:
        raise InputError(f"cannot be read as .npz ({e}); make it anew", path=path) from e


def _about(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> dict[str, Any]:
    if "about" not in arrays:
        return {}
    try:
        about = json.loads(str(arrays["about"]))
    except json.JSONDecodeError as e:
        raise InputError(f"'about' is not JSON ({e}); make it anew", path=path) from e
    if not isinstance(about, dict):
        raise InputError("'about' is no JSON object; make it anew", path=path)
    return about


def _of_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> SourceFeatures:
    cached = {
        "features": "train",
        "labels": "train_labels",
        "probabilities": "train_source_probabilities",
    }
    names = cached if "train" in arrays else {name: name for name in cached}
    missing = [names[part] for part in ("features", "labels") if names[part] not in arrays]
    if missing:
        raise InputError(f"no array {missing[0]!r}; found {', '.join(arrays)}", path=path)
    told = arrays.get(names["probabilities"])
    return SourceFeatures(
        features=arrays[names["features"]],
        labels=arrays[names["labels"]],
        probabilities=told if told is not None and told.size else None,
        reference=arrays.get("reference"),
    )
