"""What a selection holds of a cube: papers, text kinds, uses, and tables of their counts. Pure.

Open `items` first: which papers use which datasets. Everything here is arrays of places in the
cube; `data.trends` and its neighbours make frames of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.catalogue import PSEUDO_IDS
from data.cube import IMAGES, By, Bools, Cube, Groups, Ints, Of, Selection, Uses, one_of
from data.errors import InputError
from data.records import ROLES, Role

NAMING = ("named", "implied only")
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
            mask &= within(cube.groups[by], names, cube.n_papers)
    if where.targets:
        paper, dataset = standing(cube, "target", where)
        wanted = np.isin(np.array(cube.datasets, object), where.targets)
        mask &= _flagged(cube.n_papers, paper[wanted[dataset]])
    if where.text in (FULL, ABSTRACT):
        mask &= cube.full_text == (where.text == FULL)
    if where.presence in ("cited", "both"):
        mask &= cube.has_references
    return mask


def within(groups: Groups, names: tuple[str, ...], n_papers: int) -> Bools:
    """Which papers are in any of these groups; names that no paper has are in none."""
    wanted = np.isin(np.array(groups.names, object), names)
    hit = wanted[groups.code]
    return hit if groups.paper is None else _flagged(n_papers, groups.paper[hit])


def _flagged(n_papers: int, paper: Ints) -> Bools:
    mask = np.zeros(n_papers, bool)
    mask[paper] = True
    return mask


def kinds(cube: Cube, where: Selection) -> tuple[tuple[str, ...], Ints]:
    """The kinds of text that are counted apart, and each paper's place among them."""
    if where.text == "separate":
        return (FULL, ABSTRACT), np.where(cube.full_text, 0, 1).astype(np.int32)
    return (where.text,), np.zeros(cube.n_papers, np.int32)


def standing(
    cube: Cube, role: Role, where: Selection, *, predicted: bool = False
) -> tuple[Ints, Ints]:
    """The (paper, dataset) pairs that count: not rejected, scored and witnessed as asked.

    Args:
        predicted: what the annotator alone says, whatever people decided.
    """
    one_of("role", role, ROLES)
    uses = cube.uses[role]
    if where.presence == "cited":
        return cube.cited
    score = uses.predicted if predicted else uses.score
    keep = score >= where.min_score  # rejected ones and those never found are below 0
    if where.presence in ("named", "both"):
        keep &= uses.named
    if where.presence == "both":
        keep &= uses.cited
    paper, dataset = uses.paper[keep], uses.dataset[keep]
    return _with_cited(cube, paper, dataset) if where.presence == "any" else (paper, dataset)


def _with_cited(cube: Cube, paper: Ints, dataset: Ints) -> tuple[Ints, Ints]:
    n = len(cube.datasets)
    pairs = np.concatenate([paper.astype(np.int64) * n + dataset, cube.cited[0] * n + cube.cited[1]])
    distinct = np.unique(pairs)
    return (distinct // n).astype(np.int32), (distinct % n).astype(np.int32)


def transferring(cube: Cube, where: Selection, *, predicted: bool = False) -> Bools:
    """Which papers have a source at all, by the text and this score."""
    uses = cube.uses["source"]
    score = uses.predicted if predicted else uses.score
    return _flagged(cube.n_papers, uses.paper[score >= where.min_score])


def items(
    cube: Cube,
    role: Role,
    of: Of,
    where: Selection,
    *,
    datasets: tuple[str, ...] = (),
    predicted: bool = False,
) -> Items:
    """Which papers use what in a role, whatever papers are chosen.

    Args:
        of: what is counted, see `data.trends.shares`.
        datasets: only claims on these; all if empty.
        predicted: what the annotator alone says.

    Raises:
        InputError: `role` or `of` is none of those that are known, or `of` 'naming' is asked of
            citations, which imply nothing.
    """
    one_of("of", of, ("dataset", "images", "naming"))
    if of == "naming":
        return _naming(cube, role, where, datasets, predicted)
    paper, dataset = standing(cube, role, where, predicted=predicted)
    if datasets:
        keep = _among(cube, datasets)[dataset]
        paper, dataset = paper[keep], dataset[keep]
    if of == "dataset":
        return Items(cube.datasets, paper, dataset)
    return _distinct(IMAGES, paper, cube.images[dataset], cube.n_papers)


def _among(cube: Cube, datasets: tuple[str, ...]) -> Bools:
    return cast(Bools, np.isin(np.array(cube.datasets, object), datasets))


def _naming(
    cube: Cube, role: Role, where: Selection, datasets: tuple[str, ...], predicted: bool
) -> Items:
    if where.presence is not None:
        raise InputError("a name is asked for already; ask for 'naming' without a presence")
    one_of("role", role, ROLES)
    uses = cube.uses[role]
    keep = (uses.predicted if predicted else uses.score) >= where.min_score
    if datasets:
        keep &= _among(cube, datasets)[uses.dataset]
    implied_only = uses.implied & ~uses.named
    told = _flagged(cube.n_papers, uses.paper[keep & ~implied_only])
    implied = _flagged(cube.n_papers, uses.paper[keep & implied_only]) & ~told
    paper = [np.flatnonzero(told), np.flatnonzero(implied)]
    item = np.repeat(np.arange(2), [len(each) for each in paper])
    return Items(NAMING, np.concatenate(paper).astype(np.int32), item.astype(np.int32))


def _distinct(names: tuple[str, ...], paper: Ints, item: Ints, n_papers: int) -> Items:
    """Each pair once. A table of yes and no is faster than sorting while names are few."""
    hit = np.zeros((len(names), n_papers), bool)
    hit[item, paper] = True
    found, where = np.nonzero(hit)
    return Items(names, where.astype(np.int32), found.astype(np.int32))


def of_papers(found: Items, mask: Bools) -> Items:
    """The pairs of these papers alone."""
    keep = mask[found.paper]
    return Items(found.names, found.paper[keep], found.item[keep])


def only(found: Items, names: tuple[str, ...]) -> Items:
    """The pairs of these names alone, with items as places in `names`."""
    place = {name: i for i, name in enumerate(names)}
    code = np.array([place.get(name, -1) for name in found.names], np.int32)
    keep = code[found.item] >= 0
    return Items(names, found.paper[keep], code[found.item[keep]])


def sizes(groups: Groups, mask: Bools, kind: Ints, n_kinds: int) -> NDArray[np.int64]:
    """How many papers of a mask are in each group. *Shape:* (n_kinds, n_groups)."""
    n = len(groups.names)
    if groups.paper is None:
        code = kind[mask].astype(np.int64) * n + groups.code[mask]
    else:
        keep = mask[groups.paper]
        code = kind[groups.paper[keep]].astype(np.int64) * n + groups.code[keep]
    return np.bincount(code, minlength=n_kinds * n).reshape(n_kinds, n)


def tally(groups: Groups, found: Items, kind: Ints, n_kinds: int) -> NDArray[np.int64]:
    """How many of these pairs are in each group. *Shape:* (n_kinds, n_groups, n_items)."""
    n, m = len(groups.names), len(found.names)
    row, code = memberships(groups, found.paper)
    cell = (kind[found.paper[row]].astype(np.int64) * n + code) * m + found.item[row]
    return np.bincount(cell, minlength=n_kinds * n * m).reshape(n_kinds, n, m)


def memberships(groups: Groups, paper: Ints) -> tuple[NDArray[np.int64] | slice, Ints]:
    """The groups of each of these papers: (place in `paper`, group), one entry a membership."""
    if groups.start is None:
        return slice(None), groups.code[paper]
    first = groups.start[paper]
    count = groups.start[paper + 1] - first
    row = np.repeat(np.arange(len(paper)), count)
    within_paper = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return row, groups.code[first[row] + within_paper]


def values_of(cube: Cube, by: By) -> pd.DataFrame:
    """The groups of the survey's papers: what a filter may offer.

    Returns: columns group, n_papers; years in their order, else the largest group first; papers of
        an unknown group are in 'unknown'.
    """
    groups = cube.groups[by]
    every = np.ones(cube.n_papers, bool)
    n_papers = sizes(groups, every, np.zeros(cube.n_papers, np.int32), 1)[0]
    frame = pd.DataFrame({"group": list(groups.names), "n_papers": n_papers})
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
    mask = chosen(cube, where)
    if where.among == "transfer":
        mask &= transferring(cube, where)
    if group is not None:
        mask &= within(cube.groups[by], (group,), cube.n_papers)
    if dataset is not None:
        found = items(cube, role, "dataset", where, datasets=(dataset,))
        mask &= _flagged(cube.n_papers, found.paper)
    ids: list[str] = cube.ids.filter(mask).to_pylist()
    return ids
