"""From which source to which target: pairs within papers. Pure."""

from __future__ import annotations

import pandas as pd

from data.cube import Cube, Selection


def transfers(cube: Cube, *, where: Selection = _ALL, top: int | None = None) -> pd.DataFrame:
    """Pairs of a source and a target that the same paper uses, the most frequent first.

    A paper of two sources and two targets counts in four pairs, which of them it did is not known.

    Returns: columns text, source, target, n (papers), n_papers (papers of that text kind with a
        source and a target), share, low, high (Wilson 95%).
    """
    raise NotImplementedError
