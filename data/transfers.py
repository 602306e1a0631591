"""From which source to which target: pairs within papers. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.counting import counted, of_text, standing, texts_of
from data.cube import Bools, Cube, Ints, Selection
from data.intervals import wilson_bounds

_ALL = Selection()


def transfers(cube: Cube, *, where: Selection = _ALL, top: int | None = None) -> pd.DataFrame:
    """Pairs of a source and a target that the same paper uses, the most frequent first.

    A paper of two sources and two targets counts in four pairs: which of them it did is not known.

    Args:
        top: no more pairs than these, of each kind of text; all if None.

    Returns: columns text, source, target, n (papers), n_papers (papers of that text kind with a
        source and a target), share, low, high (Wilson 95%).
    """
    mask = counted(cube, where)
    frames = [
        _pairs(cube, where, of_text(cube, where, text, mask), top).assign(text=text)
        for text in texts_of(where)
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame["share"] = frame["n"] / frame["n_papers"]
    frame["low"], frame["high"] = wilson_bounds(frame["n"], frame["n_papers"])
    return frame[["text", "source", "target", "n", "n_papers", "share", "low", "high"]]


def _pairs(cube: Cube, where: Selection, mask: Bools, top: int | None) -> pd.DataFrame:
    paper, source = standing(cube, "source", where, mask=mask)
    others, target = standing(cube, "target", where, mask=mask)
    row, place = _joined(paper, others, cube.n_papers)
    n = max(len(cube.datasets), 1)
    pairs, counts = np.unique(source[row].astype(np.int64) * n + target[place], return_counts=True)
    names = np.array(cube.datasets, object)
    frame = pd.DataFrame(
        {
            "source": names[pairs // n],
            "target": names[pairs % n],
            "n": counts,
            "n_papers": len(np.unique(paper[row])),
        }
    )
    ordered = frame.sort_values(["n", "source", "target"], ascending=[False, True, True])
    return ordered.head(len(ordered) if top is None else top)


def _joined(
    papers: Ints, others: Ints, n_papers: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places (in `papers`, in `others`) of all pairs of the same paper; `others` ascends."""
    start = np.searchsorted(others, np.arange(n_papers + 1))
    first = start[papers]
    count = start[papers + 1] - first
    row = np.repeat(np.arange(len(papers)), count)
    step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return row, first[row] + step
