"""What a selection holds of a cube: papers, text kinds, uses, and tables of their counts. Pure.

Open `items` first: which papers use which datasets. Everything here is arrays of places in the
cube; `data.trends` and its neighbours make frames of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.catalogue import PSEUDO_IDS
from data.cube import IMAGES, Bools, By, Cube, Groups, Ints, Of, Selection, Uses, one_of
from data.errors import InputError
from data.records import ROLES, Role

NAMING = ("named", "implied only")
UNNAMED = ("unnamed",)
FULL, ABSTRACT, TOGETHER = "full text", "abstract", "together"
_FILTERS: tuple[By, ...] = ("venue", "country", "modality", "organ", "task")


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Which papers use what: pairs, each once.

    Args:
        names: what is used: datasets, kinds of images, or how they are named.
        paper, item: places in the cube, and in `names`.
    """

    names: tuple[str, ...]
    paper: Ints
    item: Ints


def chosen(cube: Cube, where: Selection) -> Bools:
    """Which papers are in a selection, `among` aside. *Shape:* (n_papers,)."""
    mask = np.ones(cube.n_papers, bool)
    if where.years is not None:
        mask &= (cube.year >= where.years[0]) & (cube.year <= where.years[1])
    for by in _FILTERS:
        names = getattr(where, by)
        if names:
            mask &= cube.groups[by].has(names)
    if where.targets:
        paper, dataset = standing(cube, "target", where)
        wanted = np.isin(np.array(cube.datasets, object), where.targets)
        mask &= _flagged(cube.n_papers, paper[wanted[dataset]])
    if where.text in (FULL, ABSTRACT):
        mask &= cube.full_text == (where.text == FULL)
    if where.presence in ("cited", "both"):
        mask &= cube.has_references
    return mask


def _flagged(n_papers: int, paper: Ints) -> Bools:
    mask = np.zeros(n_papers, bool)
    mask[paper] = True
    return mask


def texts_of(where: Selection) -> tuple[str, ...]:
    """The kinds of text that a selection counts apart."""
    return (FULL, ABSTRACT) if where.text == "separate" else (where.text,)


def of_text(cube: Cube, where: Selection, text: str, mask: Bools) -> Bools:
    """The papers of a mask that are of one of `texts_of`."""
    if where.text != "separate":
        return mask
    return mask & cube.full_text if text == FULL else mask & ~cube.full_text


def standing(
    cube: Cube,
    role: Role,
    where: Selection,
    *,
    mask: Bools | None = None,
    datasets: tuple[str, ...] = (),
    predicted: bool = False,
) -> tuple[Ints, Ints]:
    """The (paper, dataset) pairs that count: not rejected, scored and witnessed as asked.

    Args:
        mask: of these papers alone; of all if None.
        datasets: on these alone; on all if empty.
        predicted: what the annotator alone says, whatever people decided.
    """
    one_of("role", role, ROLES)
    if where.presence == "cited":
        paper, dataset = cube.cited
        keep = _wanted(cube, paper, dataset, mask, datasets)
        return paper[keep], dataset[keep]
    uses = cube.uses[role]
    keep = _standing(cube, uses, where, mask=mask, datasets=datasets, predicted=predicted)
    if where.presence in ("named", "both"):
        keep &= uses.named
    if where.presence == "both":
        keep &= uses.cited
    place = np.flatnonzero(keep)
    pair = uses.paper[place], uses.dataset[place]
    if where.presence != "any":
        return pair
    also = replace(where, presence="cited")
    return _joined(pair, standing(cube, role, also, mask=mask, datasets=datasets), cube)


def _standing(
    cube: Cube,
    uses: Uses,
    where: Selection,
    *,
    mask: Bools | None = None,
    datasets: tuple[str, ...] = (),
    predicted: bool,
) -> Bools:
    score = uses.predicted if predicted else uses.score
    keep = np.asarray(score >= where.min_score)  # what is rejected, or was never found, is below 0
    if mask is not None or datasets:
        keep &= _wanted(cube, uses.paper, uses.dataset, mask, datasets)
    return keep


def _wanted(
    cube: Cube, paper: Ints, dataset: Ints, mask: Bools | None, datasets: tuple[str, ...]
) -> Bools:
    keep = np.ones(len(paper), bool) if mask is None or mask.all() else mask[paper]
    if datasets:
        keep &= np.isin(np.array(cube.datasets, object), datasets)[dataset]
    return keep


def _joined(first: tuple[Ints, Ints], second: tuple[Ints, Ints], cube: Cube) -> tuple[Ints, Ints]:
    """The pairs that are in either."""
    n = max(len(cube.datasets), 1)
    pairs = np.unique(
        np.concatenate([paper.astype(np.int64) * n + item for paper, item in (first, second)])
    )
    return (pairs // n).astype(np.int32), (pairs % n).astype(np.int32)


def transferring(cube: Cube, where: Selection, *, predicted: bool = False) -> Bools:
    """Which papers have a source at all, by the text and this score."""
    uses = cube.uses["source"]
    keep = _standing(cube, uses, where, predicted=predicted)
    return _flagged(cube.n_papers, uses.paper[keep])


def counted(cube: Cube, where: Selection) -> Bools:
    """Which papers a selection counts: `chosen`, and of these those that transfer if asked for."""
    mask = chosen(cube, where)
    return mask & transferring(cube, where) if where.among == "transfer" else mask


def items(
    cube: Cube,
    role: Role,
    of: Of,
    where: Selection,
    *,
    mask: Bools | None = None,
    datasets: tuple[str, ...] = (),
    predicted: bool = False,
) -> Items:
    """Which papers use what in a role.

    Args:
        of: what is counted, see `data.trends.shares`.
        mask, datasets, predicted: as of `standing`.

    Raises:
        InputError: `role` or `of` is none of those that are known, or `of` 'naming' is asked of
            citations, which imply nothing.
    """
    one_of("of", of, get_args(Of))
    if of == "naming":
        return _naming(cube, role, where, mask=mask, datasets=datasets, predicted=predicted)
    wanted = PSEUDO_IDS if of == "unnamed" else datasets
    paper, dataset = standing(cube, role, where, mask=mask, datasets=wanted, predicted=predicted)
    if of == "dataset":
        return Items(cube.datasets, paper, dataset)
    if of == "unnamed":
        return _distinct(UNNAMED, paper, np.zeros(len(paper), np.int32), cube.n_papers)
    return _distinct(IMAGES, paper, cube.images[dataset], cube.n_papers)


def _naming(
    cube: Cube,
    role: Role,
    where: Selection,
    *,
    mask: Bools | None,
    datasets: tuple[str, ...],
    predicted: bool,
) -> Items:
    if where.presence is not None:
        raise InputError("a name is asked for already; ask for 'naming' without a presence")
    one_of("role", role, ROLES)
    uses = cube.uses[role]
    place = np.flatnonzero(
        _standing(cube, uses, where, mask=mask, datasets=datasets, predicted=predicted)
    )
    paper = uses.paper[place]
    unnamed = (uses.implied & ~uses.named)[place]
    told = _flagged(cube.n_papers, paper[~unnamed])
    implied = _flagged(cube.n_papers, paper[unnamed]) & ~told
    return _stacked(NAMING, [told, implied])


def _distinct(names: tuple[str, ...], paper: Ints, item: Ints, n_papers: int) -> Items:
    """Each pair once. A row of yes and no a name is faster than sorting while names are few."""
    return _stacked(names, [_flagged(n_papers, paper[item == i]) for i in range(len(names))])


def _stacked(names: tuple[str, ...], masks: Sequence[Bools]) -> Items:
    papers = [np.flatnonzero(mask) for mask in masks]
    item = np.repeat(np.arange(len(names)), [len(each) for each in papers])
    return Items(names, np.concatenate(papers).astype(np.int32), item.astype(np.int32))


def of_papers(found: Items, mask: Bools) -> Items:
    """The pairs of these papers alone."""
    place = np.flatnonzero(mask[found.paper])
    return Items(found.names, found.paper[place], found.item[place])


def only(found: Items, names: tuple[str, ...]) -> Items:
    """The pairs of these names alone, with items as places in `names`."""
    place = {name: i for i, name in enumerate(names)}
    code = np.array([place.get(name, -1) for name in found.names], np.int32)
    item = code[found.item]
    keep = np.flatnonzero(item >= 0)
    return Items(names, found.paper[keep], item[keep])


def sizes(groups: Groups, mask: Bools) -> NDArray[np.int64]:
    """How many papers of a mask are in each group. *Shape:* (n_groups,)."""
    code = groups.of_paper if mask.all() else groups.of_paper[np.flatnonzero(mask)]
    return groups.by_group(np.bincount(code, minlength=groups.n_sets))


def tally(groups: Groups, found: Items) -> NDArray[np.int64]:
    """How many of these pairs are in each group. *Shape:* (n_groups, n_items)."""
    n, m = groups.n_sets, len(found.names)
    cell = groups.of_paper[found.paper] * np.int64(m) + found.item
    return groups.by_group(np.bincount(cell, minlength=n * m).reshape(n, m))


def values_of(cube: Cube, by: By) -> pd.DataFrame:
    """The groups of the survey's papers: what a filter may offer.

    Returns: columns group, n_papers; years in their order, else the largest group first; papers of
        an unknown group are in 'unknown'.
    """
    groups = cube.groups[by]
    every = np.ones(cube.n_papers, bool)
    frame = pd.DataFrame({"group": list(groups.names), "n_papers": sizes(groups, every)})
    if by == "year":
        return frame
    return frame.sort_values(["n_papers", "group"], ascending=[False, True], ignore_index=True)


def datasets_of(cube: Cube, role: Role | None = None) -> pd.DataFrame:
    """The datasets that papers use in a role (any if None), the most used first.

    Those of unnamed origin (rule I3) are not among them.

    Returns: columns dataset, images ('natural', 'medical' or 'unknown'), n (papers).
    """
    roles: tuple[Role, ...] = ROLES if role is None else (role,)
    pairs = [standing(cube, each, Selection()) for each in roles]
    width = max(len(cube.datasets), 1)
    keys = np.concatenate([paper.astype(np.int64) * width + dataset for paper, dataset in pairs])
    n = np.bincount(np.unique(keys) % width, minlength=len(cube.datasets))
    frame = pd.DataFrame(
        {
            "dataset": list(cube.datasets),
            "images": [IMAGES[place] for place in cube.images],
            "n": n[: len(cube.datasets)],
        }
    )
    named = frame[(frame["n"] > 0) & ~frame["dataset"].isin(PSEUDO_IDS)]
    return named.sort_values(["n", "dataset"], ascending=[False, True], ignore_index=True)


def works_of(
    cube: Cube,
    where: Selection,
    *,
    by: By = "all",
    group: str | None = None,
    dataset: str | None = None,
    role: Role = "source",
) -> list[str]:
    """The ids of the papers behind a number, newest first: those that `shares` counts as n.

    Args:
        by, group: only papers of this group; all if `group` is None.
        dataset: only papers that use it in `role`; without a dataset, all papers of the selection.
    """
    mask = counted(cube, where)
    if group is not None:
        mask = mask & cube.groups[by].has((group,))
    if dataset is not None:
        found = items(cube, role, "dataset", where, datasets=(dataset,))
        mask &= _flagged(cube.n_papers, found.paper)
    ids: list[str] = cube.ids.filter(mask).to_pylist()
    return ids
