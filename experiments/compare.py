"""Sources compared on the same test images and seeds, with intervals and Holm's correction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.finetune import Predictions
from experiments.metrics import RESAMPLES, Floats, auc, aucs, resamples

SETTING = ("target", "strategy", "n_train")
_COLUMNS = [*SETTING, "source", "model", "other", "other_model", "difference", "low", "high"]


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, step by step, in the given order.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return [float(p) for p in corrected]


def seed_means(found: Sequence[Predictions]) -> pd.DataFrame:
    """AUC by setting and source: mean over seeds, with its 95% interval.

    The interval is a bootstrap (percentiles) over test images and over seeds together: each
    resample draws images class by class, the same ones for every seed, and as many seeds as there
    are, with replacement.

    Returns: columns target, strategy, n_train, source, model, auc, low, high, sd (over seeds; none
        for one), seeds.
    """
    rows = []
    for setting, sources in _settings(found).items():
        for (source, model), group in sources.items():
            means = _resampled(group, len(group), np.random.default_rng(0))
            values = [auc(each.labels, each.scores) for each in group]
            low, high = np.quantile(means, [0.025, 0.975])
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
            counted = (float(np.mean(values)), float(low), float(high), sd, len(values))
            rows.append((*setting[:-1], source, model, *counted))
    columns = [*SETTING, "source", "model", "auc", "low", "high", "sd", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def paired(found: Sequence[Predictions]) -> pd.DataFrame:
    """Differences in mean AUC between any two sources of a setting.

    Both are resampled with the same images, and the same seeds where both have several; p is two
    times the smaller share of resamples on one side of zero. Holm's correction is over all pairs
    of a setting.

    Returns: columns target, strategy, n_train, source, model, other, other_model, difference
        (source minus other: above zero where the first is better), low, high (95%), p, p_holm.
    """
    rows: list[tuple[object, ...]] = []
    for setting, sources in _settings(found).items():
        made: list[tuple[object, ...]] = []
        p_values = []
        for (one, ones), (other, others) in combinations(sources.items(), 2):
            # The same draws of images and seeds: one generator each, from the same start.
            n_seeds = max(len(ones), len(others))
            drawn = [
                _resampled(group, n_seeds, np.random.default_rng(0)) for group in (ones, others)
            ]
            differences = drawn[0] - drawn[1]
            mean = np.mean([auc(each.labels, each.scores) for each in ones]) - np.mean(
                [auc(each.labels, each.scores) for each in others]
            )
            low, high = np.quantile(differences, [0.025, 0.975])
            p_values.append(_p(differences))
            made.append((*setting[:-1], *one, *other, float(mean), float(low), float(high)))
        rows += [
            (*row, p, corrected)
            for row, p, corrected in zip(made, p_values, holm(p_values), strict=True)
        ]
    return pd.DataFrame(rows, columns=[*_COLUMNS, "p", "p_holm"])


def _settings(
    found: Sequence[Predictions],
) -> dict[tuple[Any, ...], dict[tuple[str, str], list[Predictions]]]:
    """Setting and the target's digest -> (source, model) -> its seeds, in their order."""
    made: dict[tuple[Any, ...], dict[tuple[str, str], list[Predictions]]] = {}
    for each in sorted(found, key=lambda each: int(each.about["seed"])):
        # Two editions of a target have other test images.
        setting = (*(each.about[name] for name in SETTING), each.about["target_sha256"])
        sources = made.setdefault(setting, defaultdict(list))
        sources[each.about["source"], each.about["model"]].append(each)
    return {
        setting: {name: sources[name] for name in sorted(sources)}
        for setting, sources in sorted(made.items())
    }


def _resampled(group: Sequence[Predictions], n_seeds: int, rng: np.random.Generator) -> Floats:
    """Mean AUC over seeds in each resample of test images and seeds. *Shape:* (resamples,)."""
    weights = resamples(group[0].labels, rng)
    seeds = rng.integers(0, n_seeds, (RESAMPLES, n_seeds)) % len(group)
    by_seed = np.stack([aucs(each.labels, each.scores, weights) for each in group])
    made: npt.NDArray[np.float64] = by_seed[seeds, np.arange(RESAMPLES)[:, None]].mean(axis=1)
    return made


def _p(differences: Floats) -> float:
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(differences) + 1)))
