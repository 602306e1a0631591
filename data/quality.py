"""How good the annotator is on a survey's own gold papers. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from data.cube import Cube
from data.gold_sample import Gold, read
from data.intervals import wilson_bounds
from data.records import ROLES, Role

_RATES = ("precision", "recall", "f1")
_BINS = 10


def quality(
    cube: Cube, gold: pa.Table, *, min_score: float = 0.5, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Precision, recall and F1 of the annotator's claims, by role.

    Compared is a (paper, dataset, role), each once. A paper counts by its weight, so that rates
    are of the survey and not of the sample.

    Args:
        gold: columns as `data.gold_sample.GOLD`.
        min_score: claims below this score do not count.

    Returns: columns role, n_papers (gold papers), n_true, n_found, n_right (in the sample), and
        precision, recall, f1, each with `_low` and `_high` (95% bootstrap by paper); None where
        the denominator is 0.
    """
    sample = read(cube, gold)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, max(sample.n, 1), (n_boot, sample.n))
    rows = []
    for role in ROLES:
        counts = _counts(cube, sample, role, min_score)
        weighted = counts * sample.weight[:, None]
        rates = _rates(weighted.sum(0)[None])[0]
        spread = _rates(weighted[draws].sum(1)) if sample.n else np.full((1, 3), np.nan)
        row: dict[str, object] = {"role": role, "n_papers": sample.n}
        row |= dict(zip(("n_true", "n_found", "n_right"), counts.sum(0).tolist(), strict=True))
        for place, name in enumerate(_RATES):
            known = spread[~np.isnan(spread[:, place]), place]
            low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
            row |= {name: rates[place], f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def reliability(cube: Cube, gold: pa.Table, *, role: Role = "source") -> pd.DataFrame:
    """How often claims of a score are right: ten bins of equal mass, equal scores in one bin.

    Returns: columns mean_score, n, n_right, share, low, high (Wilson 95%); by score.
    """
    sample = read(cube, gold)
    scored = sorted(
        (score, (place, dataset) in _true(sample, role))
        for place, dataset, score in _found(cube, sample, role, 0.0)
    )
    scores = np.array([score for score, _ in scored])
    right = np.array([is_right for _, is_right in scored], dtype=float)
    edges = np.quantile(scores, np.linspace(0, 1, _BINS + 1)) if len(scores) else np.zeros(2)
    bins = np.clip(np.searchsorted(np.unique(edges), scores, side="right") - 1, 0, None)
    frame = pd.DataFrame({"bin": bins, "score": scores, "right": right})
    told = frame.groupby("bin").agg(
        mean_score=("score", "mean"), n=("right", "size"), n_right=("right", "sum")
    )
    told["share"] = told["n_right"] / told["n"]
    told["low"], told["high"] = wilson_bounds(told["n_right"], told["n"])
    return told.reset_index(drop=True)


def _true(sample: Gold, role: Role) -> set[tuple[int, str]]:
    return {(place, dataset) for place, dataset, of in sample.true if of == role}


def _found(cube: Cube, sample: Gold, role: Role, min_score: float) -> list[tuple[int, str, float]]:
    """(place in the sample, dataset, score) of what the annotator alone said of gold papers."""
    uses = cube.uses[role]
    place = np.searchsorted(sample.paper, uses.paper)
    place = np.minimum(place, max(sample.n - 1, 0))
    if not sample.n:
        return []
    inside = (sample.paper[place] == uses.paper) & (uses.predicted >= max(min_score, 0.0))
    return [
        (int(place[i]), cube.datasets[uses.dataset[i]], float(uses.predicted[i]))
        for i in np.flatnonzero(inside)
    ]


def _counts(cube: Cube, sample: Gold, role: Role, min_score: float) -> NDArray[np.float64]:
    """True, found and right pairs of each gold paper. *Shape:* (papers, 3)."""
    counts = np.zeros((sample.n, 3))
    true = _true(sample, role)
    for place, _ in true:
        counts[place, 0] += 1
    for place, dataset, _ in _found(cube, sample, role, min_score):
        counts[place, 1] += 1
        counts[place, 2] += (place, dataset) in true
    return counts


def _rates(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Precision, recall and F1 of rows of (true, found, right); NaN where there is nothing."""
    true, found, right = totals.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([right / found, right / true, 2 * right / (true + found)], axis=1)
