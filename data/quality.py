"""How good the annotator is on a survey's own gold papers. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from data.cube import Cube
from data.gold_sample import Gold, read
from data.intervals import Floats, effective_size, wilson_bounds
from data.records import ROLES, Role

_BINS = 10


def quality(
    cube: Cube, gold: pa.Table, *, min_score: float = 0.5, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Precision, recall and F1 of what the annotator alone said, by role.

    Compared is a (paper, dataset, role), each once. A paper counts by its weight, so that rates
    are of the survey and not of the sample. What one of two readers has, and nobody has settled,
    is half true.

    Args:
        gold: columns as `data.gold_sample.GOLD`.
        min_score: claims below this score do not count.

    Returns: columns role, n_papers (gold papers), n_true, n_found, n_right (in the sample), and
        precision, recall, f1, each with `_low` and `_high` (95% bootstrap by paper; where all are
        right or none, which a bootstrap takes for certain, Wilson's at the effective number of
        papers that have any); NaN where the denominator is 0.
    """
    sample = read(cube, gold)
    papers, first = np.unique(sample.paper, return_index=True)
    draws = np.random.default_rng(seed).integers(0, max(len(papers), 1), (n_boot, len(papers)))
    rows = []
    for role in ROLES:
        counts = _counts(cube, sample, role, min_score)
        row: dict[str, object] = {"role": role, "n_papers": len(papers)}
        row |= dict(zip(("n_true", "n_found", "n_right"), counts.sum(0).tolist(), strict=True))
        true, found, right = (counts * sample.weight[first][:, None]).T
        rates = {
            "precision": (right, found),
            "recall": (right, true),
            "f1": (2 * right, true + found),
        }
        for name, (part, whole) in rates.items():
            row[name], row[f"{name}_low"], row[f"{name}_high"] = _rate(part, whole, draws)
        rows.append(row)
    return pd.DataFrame(rows)


def reliability(cube: Cube, gold: pa.Table, *, role: Role = "source") -> pd.DataFrame:
    """How often claims of a score are right: ten bins of equal mass, equal scores in one bin.

    Claims of all scores are asked, by their papers' weights.

    Returns: columns mean_score, n, n_right (in the sample), share, low, high (Wilson 95%, at the
        effective size); by score.
    """
    sample = read(cube, gold)
    true = _true(sample, role)
    weights = dict(zip(sample.paper.tolist(), sample.weight, strict=True))
    claims = [
        (score, true.get((paper, dataset), 0.0), weights[paper])
        for (paper, dataset), score in _found(cube, sample, role, 0.0).items()
    ]
    score, right, weight = np.array(claims).reshape(-1, 3).T
    columns = {"bin": _bins(score), "n": 1, "n_right": right}
    weighted = {
        "weight": weight,
        "weight2": weight**2,
        "mean": weight * score,
        "of": weight * right,
    }
    sums = pd.DataFrame(columns | weighted).groupby("bin").sum()
    share, size = sums["of"] / sums["weight"], effective_size(sums["weight"], sums["weight2"])
    low, high = wilson_bounds(share * size, size)
    told = {"mean_score": sums["mean"] / sums["weight"], "n": sums["n"], "n_right": sums["n_right"]}
    return pd.DataFrame(told | {"share": share, "low": low, "high": high}).reset_index(drop=True)


def _bins(score: Floats) -> NDArray[np.int64]:
    """The bin of each score."""
    if not len(score):
        return np.zeros(0, np.int64)
    edges = np.quantile(score, np.arange(1, _BINS) / _BINS, method="inverted_cdf")
    return np.searchsorted(np.unique(edges), score, side="left")


def _true(sample: Gold, role: Role) -> dict[tuple[int, str], float]:
    """(paper, dataset) -> how much of its readings have it: 1, or 1/2 where one of two has."""
    parts: dict[tuple[int, str], float] = {}
    for place, dataset, of in sample.true:
        if of == role:
            pair = int(sample.paper[place]), dataset
            parts[pair] = parts.get(pair, 0.0) + float(sample.part[place])
    return parts


def _found(cube: Cube, sample: Gold, role: Role, min_score: float) -> dict[tuple[int, str], float]:
    """(paper, dataset) -> score, of what the annotator alone said of gold papers."""
    uses = cube.uses[role]
    inside = np.isin(uses.paper, sample.paper) & (uses.predicted >= max(min_score, 0.0))
    return {
        (int(uses.paper[i]), cube.datasets[uses.dataset[i]]): float(uses.predicted[i])
        for i in np.flatnonzero(inside)
    }


def _counts(cube: Cube, sample: Gold, role: Role, min_score: float) -> Floats:
    """True, found and right pairs of each gold paper. *Shape:* (papers, 3)."""
    place = {paper: i for i, paper in enumerate(np.unique(sample.paper).tolist())}
    counts = np.zeros((len(place), 3))
    true = _true(sample, role)
    for (paper, _), part in true.items():
        counts[place[paper], 0] += part
    for pair in _found(cube, sample, role, min_score):
        counts[place[pair[0]], 1:] += 1, true.get(pair, 0.0)
    return counts


def _rate(part: Floats, whole: Floats, draws: NDArray[np.int64]) -> tuple[float, float, float]:
    """The sum of parts by that of wholes, and its interval.

    Args:
        part, whole: of each paper.
        draws: papers of each bootstrap sample. *Shape:* (samples, papers).
    """
    if not whole.sum():
        return np.nan, np.nan, np.nan
    value = part.sum() / whole.sum()
    if value in (0, 1):
        size = effective_size(whole.sum(), (whole**2).sum())
        low, high = wilson_bounds(value * size, size)
        return value, float(low), float(high)
    with np.errstate(invalid="ignore"):
        spread = part[draws].sum(1) / whole[draws].sum(1)
    low, high = np.nanquantile(spread, (0.025, 0.975))
    return float(value), float(low), float(high)
