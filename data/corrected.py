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
    kinds,
    memberships,
    of_papers,
    only,
    sizes,
    tally,
    transferring,
)
from data.cube import Bools, By, Cube, Groups, Of, Selection
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
    reason = _not_told(gold, asked)
    if reason is not None:
        nothing = Estimate(*(np.full(shape, np.nan) for _ in range(3)))
        in_cell = _members(cube, gold, asked, cells).sum(1)
        n_gold = np.repeat(in_cell[:, None], shape[1], axis=1)
        return Corrected(n_gold, nothing, nothing, np.full(shape, reason, object))
    counts = _counts(cube, gold, asked, names, cells)
    if asked.where.among == "transfer":
        main = among_transfers(counts)
        second = Estimate(*(np.full(shape, np.nan) for _ in range(3)))
    else:
        main = stratified(counts)
        second = rogan_gladen(counts, _survey_counts(cube, gold, asked, names, cells))
    return Corrected(counts.n_gold.astype(np.int64), main, second, why_not(counts))


def _not_told(gold: Gold, asked: Question) -> str | None:
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
    n_kinds = len(kinds(cube, where)[0])
    every = np.array([(kind, 0) for kind in range(n_kinds)])
    whole = _counts(cube, gold, replace(asked, by="all", where=where), names, every)
    of_cell = cells[:, 0]
    parts = (whole.papers, whole.gold, whole.weight, whole.weight2)
    return Counts(*(part[of_cell] for part in parts))


def _counts(
    cube: Cube, gold: Gold, asked: Question, names: tuple[str, ...], cells: NDArray[np.int64]
) -> Counts:
    transfer = asked.where.among == "transfer"
    mask = chosen(cube, asked.where)
    sources = transferring(cube, asked.where, predicted=True) if transfer else mask
    said = items(
        cube, asked.role, asked.of, asked.where, datasets=asked.datasets, predicted=True
    )
    said = only(of_papers(said, mask & sources), names)
    papers = _papers(cube, asked, said, cells, mask, sources)
    says = predictions(gold, said, cube.n_papers).astype(np.int8)
    true = truths(gold, cube, asked.role, asked.of, names, asked.datasets).astype(np.int8)
    if transfer:
        has_source = transfers_in_truth(gold)[:, None]
        says = says + sources[gold.paper][:, None]
        true = np.where(has_source, true + 1, 0)
    member = _members(cube, gold, asked, cells).astype(float)
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
    cube: Cube, asked: Question, said: Items, cells: NDArray[np.int64], mask: Bools, sources: Bools
) -> Floats:
    """Papers of each cell by what the annotator says. *Shape:* (n cells, n names, said)."""
    texts, kind = kinds(cube, asked.where)
    groups, at = cube.groups[asked.by], (cells[:, 0], cells[:, 1])
    every = sizes(groups, mask, kind, len(texts))[at][:, None]
    counted = tally(groups, said, kind, len(texts))[at]
    if asked.where.among != "transfer":
        return np.stack([every - counted, counted], -1).astype(float)
    some = sizes(groups, mask & sources, kind, len(texts))[at][:, None]
    return np.stack(
        [np.broadcast_to(every - some, counted.shape), some - counted, counted], -1
    ).astype(float)


def _members(
    cube: Cube, gold: Gold, asked: Question, cells: NDArray[np.int64]
) -> Bools:
    """Which gold papers are in each cell. *Shape:* (n cells, n gold)."""
    _, kind = kinds(cube, asked.where)
    groups: Groups = cube.groups[asked.by]
    place = {(int(k), int(g)): i for i, (k, g) in enumerate(cells)}
    member = np.zeros((len(cells), gold.n), bool)
    inside = chosen(cube, asked.where)[gold.paper]
    for row in range(gold.n):
        if not inside[row]:
            continue
        paper = gold.paper[row : row + 1]
        for group in memberships(groups, paper)[1]:
            cell = place.get((int(kind[paper[0]]), int(group)))
            if cell is not None:
                member[cell, row] = True
    return member
