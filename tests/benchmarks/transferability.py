"""How long the transferability scores take, beside LogME and LEEP written as their papers are.

    python tests/benchmarks/transferability.py [--images 50000 4000] [--features 1280]

Invented features of 32 bits, ten classes, means one standard deviation apart in each direction by
chance. The naive LogME is the algorithm of arXiv:2102.11005 (its algorithm 1, as published first):
a singular value decomposition, then for each class the fixed-point iteration on alpha and beta with
the weights written out. The naive LEEP is arXiv:2002.12462's definition, image by image and class
by class. Each figure is the median of `--repeats` runs in this process; "apart" is how far the two
results lie from each other.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from experiments.transferability import SCORES, leep, logme


def invented(n: int, d: int, *, classes: int = 10, seed: int = 0) -> tuple[Any, Any, Any]:
    """Features, labels and probabilities of as many source classes as there are features."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    means = rng.normal(0, 0.2, (classes, d)).astype(np.float32)
    features = rng.standard_normal((n, d), np.float32) + means[labels]
    powers = np.exp(features)
    return features, labels, powers / powers.sum(axis=1, keepdims=True)


def naive_logme(features: Any, labels: Any) -> float:
    """Right where images outnumber features only."""
    rows = features.astype(np.float64)
    n, d = rows.shape
    _, singular, turned = np.linalg.svd(rows, full_matrices=False)
    sigma = singular**2
    evidences = []
    for label in np.unique(labels):
        target = (labels == label).astype(np.float64)
        alpha = beta = 1.0
        answers = turned @ (rows.T @ target)
        for _ in range(100):
            weights = turned.T @ (beta * answers / (alpha + beta * sigma))
            residual = float(np.sum((rows @ weights - target) ** 2))
            size = float(weights @ weights)
            gamma = float(np.sum(beta * sigma / (alpha + beta * sigma)))
            before = alpha / beta
            alpha, beta = gamma / size, (n - gamma) / residual
            if abs(alpha / beta - before) < 1e-3 * before:
                break
        weights = turned.T @ (beta * answers / (alpha + beta * sigma))
        residual = float(np.sum((rows @ weights - target) ** 2))
        evidences.append(
            n / 2 * math.log(beta)
            + d / 2 * math.log(alpha)
            - n / 2 * math.log(2 * math.pi)
            - beta / 2 * residual
            - alpha / 2 * float(weights @ weights)
            - float(np.sum(np.log(alpha + beta * sigma))) / 2
        )
    return statistics.fmean(evidences) / n


def naive_leep(probabilities: Any, labels: Any) -> float:
    n, z = probabilities.shape
    classes = int(labels.max()) + 1
    joint = np.zeros((classes, z))
    for image in range(n):
        joint[labels[image]] += probabilities[image] / n
    given = joint / joint.sum(axis=0)
    total = 0.0
    for image in range(n):
        expected = [float(np.sum(given[label] * probabilities[image])) for label in range(classes)]
        total += math.log(expected[labels[image]])
    return total / n


def measured(work: Callable[[], float], repeats: int) -> tuple[float, float]:
    """(result, median seconds)."""
    seconds, found = [], math.nan
    for _ in range(repeats):
        started = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - started)
    return found, statistics.median(seconds)


def compare(n: int, d: int, repeats: int) -> None:
    features, labels, probabilities = invented(n, d)
    pairs: list[tuple[str, Callable[[], float], Callable[[], float]]] = [
        ("logme", lambda: logme(features, labels), lambda: naive_logme(features, labels)),
        ("leep", lambda: leep(probabilities, labels), lambda: naive_leep(probabilities, labels)),
    ]
    for name, ours, naive in pairs:
        found, seconds = measured(ours, repeats)
        expected, longer = measured(naive, max(1, repeats // 3))
        print(
            f"{n:>7,} x {d:,}  {name:14} {seconds:8.3f} s  naive {longer:8.3f} s  "
            f"ratio {longer / seconds:6.1f}  apart {abs(found - expected):.1e}",
            flush=True,
        )


def each(n: int, d: int, repeats: int) -> None:
    features, labels, probabilities = invented(n, d)
    reference = invented(n, d, seed=1)[0]
    for name, score in SCORES.items():
        work: Callable[..., float] = score.of
        inputs: tuple[Any, Any] = (features, labels)
        if score.needs == "probabilities":
            inputs = (probabilities, labels)
        if score.needs == "reference":
            inputs = (features, reference)
        found, seconds = measured(partial(work, *inputs), repeats)
        print(f"{n:>7,} x {d:,}  {name:14} {seconds:8.3f} s  score {found:9.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, nargs=2, default=[50_000, 4_000])
    parser.add_argument("--features", type=int, default=1280)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    compare(options.images[0], options.features, options.repeats)
    each(options.images[1], options.features, options.repeats)


if __name__ == "__main__":
    main()
