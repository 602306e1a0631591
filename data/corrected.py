"""A cube and gold labels -> corrected shares, cell by cell. Open `corrected` first. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.correction import Counts, Estimate, among_transfers, rogan_gladen, stratified, why_not
from data.counting import (
    Items,
    chosen,
    items,
    of_papers,
    of_text,
    only,
    sizes,
    tally,
    texts_of,
    transferring,
)
from data.cube import Bools, By, Cube, Of, Selection
from data.gold_sample import Gold, predictions, transfers_in_truth, truths
from data.intervals import Floats
from data.records import Role

NO_GOLD = "no gold labels"


@dataclass(frozen=True, slots=True)
class Question:
    """What is counted, of which papers; see `data.trends.shares`."""

    by: By
    role: Role
    of: Of
    where: Selection
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Corrected:
    """Corrected shares. *Shape of all:* (n cells, n names).

    Args:
        n_gold: gold papers in the cell.
        main: by what is true of those counted (`stratified` or `among_transfers`).
        second: by sensitivity and specificity (`rogan_gladen`).
        why_not: why there is no main one; None where there is.
    """

    n_gold: NDArray[np.int64]
    main: Estimate
    second: Estimate
    why_not: NDArray[np.object_]


def corrected(
    cube: Cube, gold: Gold, asked: Question, names: tuple[str, ...], cells: NDArray[np.int64]
) -> Corrected:
    """The shares of these names in these cells, corrected by gold labels.

    Args:
        names: of what is counted, such as datasets.
        cells: (text kind, group) of each cell. *Shape:* (n cells, 2).
    """
    shape = (len(cells), len(names))
    reason = not_told(gold, asked)
    if reason is not None:
        in_cell = (_members(cube, gold, asked, cells) * gold.part).sum(1)
        n_gold = np.broadcast_to(_whole(in_cell)[:, None], shape)
        return Corrected(n_gold, _unknown(shape), _unknown(shape), np.full(shape, reason, object))
    counts = _counts(cube, gold, asked, names, cells)
    if asked.where.among == "transfer":
        main = among_transfers(counts)
        second = _unknown(shape)
    else:
        main = stratified(counts)
        second = rogan_gladen(counts, _survey_counts(cube, gold, asked, names, cells))
    return Corrected(_whole(counts.n_gold), main, second, why_not(counts))


def _whole(n_gold: Floats) -> NDArray[np.int64]:
    """Papers from parts of papers: all parts of one are in the same cell."""
    return np.rint(n_gold).astype(np.int64)


def _unknown(shape: tuple[int, int]) -> Estimate:
    return Estimate(*(np.full(shape, np.nan) for _ in range(3)))


def not_told(gold: Gold, asked: Question) -> str | None:
    """Why gold labels cannot correct what is asked at all; None where they may."""
    if gold.n == 0:
        return NO_GOLD
    if asked.of == "naming" or asked.where.presence is not None:
        return "gold labels do not say whether a dataset is named or cited"
    return None


def _survey_counts(
    cube: Cube, gold: Gold, asked: Question, names: tuple[str, ...], cells: NDArray[np.int64]
) -> Counts:
    """Counts over all papers of a cell's kind of text: the annotator errs alike in these."""
    where = Selection(text=asked.where.text, min_score=asked.where.min_score)
    every = np.array([(text, 0) for text in range(len(texts_of(where)))])
    whole = _counts(cube, gold, replace(asked, by="all", where=where), names, every)
    of_cell = cells[:, 0]
    parts = (whole.papers, whole.gold, whole.weight, whole.weight2)
    return Counts(*(part[of_cell] for part in parts))


def _counts(
    cube: Cube, gold: Gold, asked: Question, names: tuple[str, ...], cells: NDArray[np.int64]
) -> Counts:
    transfer = asked.where.among == "transfer"
    mask = chosen(cube, asked.where)
    sources = transferring(cube, asked.where, predicted=True) if transfer else None
    found = items(
        cube,
        asked.role,
        asked.of,
        asked.where,
        mask=mask if sources is None else mask & sources,
        datasets=asked.datasets,
        predicted=True,
    )
    said = only(found, names)
    papers = _papers(cube, asked, said, cells, mask=mask, sources=sources)
    says = predictions(gold, said, cube.n_papers).astype(np.int8)
    right = truths(gold, cube, asked.role, asked.of, names=names, datasets=asked.datasets)
    true = right.astype(np.int8)
    if sources is not None:
        says = says + sources[gold.paper][:, None]
        true = np.where(transfers_in_truth(gold)[:, None], true + 1, 0)
    member = _members(cube, gold, asked, cells) * gold.part
    n = papers.shape[-1]
    weights = (np.ones(gold.n), gold.weight, gold.weight**2)
    tables = [np.zeros((*papers.shape, n)) for _ in weights]
    for s in range(n):
        for t in range(n):
            both = ((says == s) & (true == t)).astype(float)
            for table, weight in zip(tables, weights, strict=True):
                table[..., s, t] = (member * weight) @ both
    return Counts(papers, *tables)


def _papers(
    cube: Cube,
    asked: Question,
    said: Items,
    cells: NDArray[np.int64],
    *,
    mask: Bools,
    sources: Bools | None,
) -> Floats:
    """Papers of each cell by what the annotator says. *Shape:* (n cells, n names, said)."""
    groups, at = cube.groups[asked.by], (cells[:, 0], cells[:, 1])
    parts = [of_text(cube, asked.where, text, mask) for text in texts_of(asked.where)]
    every = np.stack([sizes(groups, part) for part in parts])[at][:, None]
    told = np.stack([tally(groups, of_papers(said, part)) for part in parts])[at]
    if sources is None:
        return np.stack([every - told, told], -1).astype(float)
    some = np.stack([sizes(groups, part & sources) for part in parts])[at][:, None]
    none = np.broadcast_to(every - some, told.shape)
    return np.stack([none, some - told, told], -1).astype(float)


def _members(cube: Cube, gold: Gold, asked: Question, cells: NDArray[np.int64]) -> Bools:
    """Which readings' papers are in each cell. *Shape:* (n cells, n gold)."""
    member = np.zeros((len(cells), gold.n), bool)
    if gold.n == 0:
        return member
    mask, groups = chosen(cube, asked.where), cube.groups[asked.by].member(gold.paper)
    for text, name in enumerate(texts_of(asked.where)):
        inside = of_text(cube, asked.where, name, mask)[gold.paper]
        of_this = cells[:, 0] == text
        member[of_this] = groups[:, cells[of_this, 1]].T & inside
    return member
