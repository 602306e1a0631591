"""How much the papers of a survey rely on few datasets. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from data.catalogue import PSEUDO_IDS
from data.corrected import Question, not_told
from data.correction_hhi import MIN_USING, herfindahl, n_using
from data.counting import Items, chosen, counted, items, of_papers, of_text, only, texts_of
from data.cube import Bools, By, Cube, Selection
from data.gold_sample import Gold, read
from data.intervals import Floats
from data.records import Role

_ALL = Selection()
MEASURES = (
    "gini",
    "hhi",
    "effective number (Shannon)",
    "effective number (HHI)",
    "share of the first",
    "share of the first five",
)
_HHI, _EFFECTIVE = "hhi", "effective number (HHI)"
_TOO_RARE = "only hhi and its effective number can be corrected: the others hang on rare datasets"
_AT_ONCE = 2_000_000  # cells of a table of resampled counts, 16 MB


def concentration(
    cube: Cube,
    *,
    by: By = "all",
    role: Role = "source",
    where: Selection = _ALL,
    gold: pa.Table | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Measures of concentration of the uses of datasets, with 95% bootstrap intervals by paper.

    A use is a paper and a dataset; weights of unnamed origin (rule I3) are left out. The interval
    is the spread of resamples about their mean, put about the value: resamples of a long tail are
    always a little more concentrated than the papers themselves. It says nothing of datasets that
    no paper of the survey uses.

    Args:
        gold: see `data.gold_sample.GOLD`; corrects the Herfindahl index and its effective number
            (`data.correction_hhi.herfindahl`). The other measures hang on how many datasets are
            used and on the rare ones among them, of which gold papers are too few to tell.

    Returns: a long frame with columns text, group, measure, value, low, high, n_papers (papers
        with such a use), n_uses, n_datasets, n_gold (gold papers that truly have a use),
        corrected, corrected_low, corrected_high, not_corrected (why these are missing). Measures:
        'gini' (over the datasets that are used), 'hhi', 'effective number (Shannon)', 'effective
        number (HHI)', 'share of the first', 'share of the first five' (of uses). No rows for a
        group without a use.

    Source: Gini by Dixon et al. (1987), doi:10.2307/1938626; HHI by Herfindahl and Hirschman;
        effective numbers by Jost (2006), doi:10.1111/j.2006.0030-1299.14714.x; bootstrap by
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, 10.
    """
    rng = np.random.default_rng(seed)
    mask, groups = counted(cube, where), cube.groups[by]
    named = tuple(name for name in cube.datasets if name not in PSEUDO_IDS)
    found = only(items(cube, role, "dataset", where, mask=mask), named)
    sample = read(cube, gold)
    rows = []
    for text in texts_of(where):
        papers = of_text(cube, where, text, chosen(cube, where))
        for group in groups.names:
            inside = papers & groups.has((group,))
            here = of_papers(found, inside)
            if len(here.item):
                asked = Question(by, role, "dataset", where)
                told = _corrected(sample, asked, inside)
                of = {"text": text, "group": group}
                rows += [row | told[str(row["measure"])] for row in _rows(here, rng, n_boot, of)]
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    "text", "group", "measure", "value", "low", "high", "n_papers", "n_uses", "n_datasets",
    "n_gold", "corrected", "corrected_low", "corrected_high", "not_corrected",
]  # fmt: skip


def _corrected(sample: Gold, asked: Question, inside: Bools) -> dict[str, dict[str, object]]:
    """Measure -> its corrected columns, of papers of a cube."""
    n_gold, value, low, high = 0, np.nan, np.nan, np.nan
    reason = not_told(sample, asked)
    if reason is None and asked.where.among == "transfer" and asked.role != "source":
        reason = "which papers transfer has errors of its own"
    if reason is None:
        true, weight = _gold_uses(sample, asked.role, inside)
        n_gold = n_using(true)
        value, low, high = herfindahl(true, weight)
        if n_gold < MIN_USING:
            reason = f"fewer than {MIN_USING} gold papers with a named {asked.role}: {n_gold}"
        elif np.isnan(value):
            reason = "gold papers all use the same dataset, or no two of them the same"
    found = {_HHI: (value, low, high), _EFFECTIVE: (1 / value, 1 / high, 1 / low)}
    return {
        name: {"n_gold": n_gold}
        | dict(zip(_CORRECTED, found.get(name, (np.nan,) * 3), strict=True))
        | {"not_corrected": reason if reason or name in found else _TOO_RARE}
        for name in MEASURES
    }


_CORRECTED = ("corrected", "corrected_low", "corrected_high")


def _gold_uses(sample: Gold, role: Role, inside: Bools) -> tuple[Floats, Floats]:
    """What gold papers of a mask truly use, named datasets alone, and the papers' weights.

    *Shape:* (n papers, n datasets), (n papers,).
    """
    papers, first = np.unique(sample.paper, return_index=True)
    of_role = [
        (sample.paper[place], dataset, sample.part[place])
        for place, dataset, used_as in sample.true
        if used_as == role and dataset not in PSEUDO_IDS
    ]
    column = {name: i for i, name in enumerate(sorted({dataset for _, dataset, _ in of_role}))}
    true = np.zeros((len(papers), len(column)))
    for paper, dataset, part in of_role:
        true[np.searchsorted(papers, paper), column[dataset]] += part
    kept = inside[papers]
    return true[kept], sample.weight[first][kept]


def _rows(
    found: Items, rng: np.random.Generator, n_boot: int, of: dict[str, str]
) -> list[dict[str, object]]:
    sets, n_papers = _sets(found)
    value = measures((n_papers @ sets)[None])[0]
    drawn = _resampled(sets, n_papers, rng, n_boot)
    low, high = value + np.quantile(drawn, [0.025, 0.975], axis=0) - drawn.mean(0)
    floor = np.array([0, 0, 1, 1, 0, 0], float)  # what the measures cannot go below, or above
    ceiling = np.array([1, 1, np.inf, np.inf, 1, 1])
    counts = {"n_papers": int(n_papers.sum()), "n_uses": len(found.item)}
    counts["n_datasets"] = len(np.unique(found.item))
    low, high = np.clip(low, floor, ceiling), np.clip(high, floor, ceiling)
    return [
        {**of, "measure": name, "value": value[i], "low": low[i], "high": high[i], **counts}
        for i, name in enumerate(MEASURES)
    ]


def _sets(found: Items) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sets of datasets that papers have (n_sets, n_datasets), and the papers of each."""
    used, item = np.unique(found.item, return_inverse=True)
    held: dict[int, list[int]] = {}
    for paper, each in zip(found.paper.tolist(), item.tolist(), strict=True):
        held.setdefault(paper, []).append(each)
    tally: dict[tuple[int, ...], int] = {}
    for datasets in held.values():
        key = tuple(sorted(datasets))
        tally[key] = tally.get(key, 0) + 1
    table = np.zeros((len(tally), len(used)), np.int64)
    for row, datasets_of in enumerate(tally):
        table[row, list(datasets_of)] = 1
    return table, np.array(list(tally.values()), np.int64)


def _resampled(
    sets: NDArray[np.int64], n_papers: NDArray[np.int64], rng: np.random.Generator, n_boot: int
) -> Floats:
    """The measures of resamples of papers: those with the same datasets are drawn together."""
    total = int(n_papers.sum())
    at_once = max(1, _AT_ONCE // max(sets.shape))
    parts = []
    for first in range(0, n_boot, at_once):
        n = min(at_once, n_boot - first)
        drawn = rng.multinomial(total, n_papers / total, size=n)
        parts.append(measures(drawn.astype(float) @ sets))
    return np.concatenate(parts)


def measures(counts: NDArray[np.int64] | Floats) -> Floats:
    """The `MEASURES` of rows of counts, one column a dataset. *Shape:* (n, n_datasets) -> (n, 6).

    >>> measures(np.array([[1, 1, 2]])).round(3).tolist()
    [[0.167, 0.375, 2.828, 2.667, 0.5, 1.0]]
    """
    ordered = np.sort(np.asarray(counts, float), axis=1)
    n = ordered.shape[1]
    share = ordered / ordered.sum(1)[:, None]
    gini = (share * (2 * np.arange(1, n + 1) - n - 1)).sum(1) / n
    hhi = (share**2).sum(1)
    log = np.log(np.where(share > 0, share, 1))
    shannon = np.exp(-(share * log).sum(1))
    return np.stack([gini, hhi, shannon, 1 / hhi, share[:, -1], share[:, -5:].sum(1)], 1)
