"""Two selections of papers, dataset by dataset. Pure."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from data.cube import Cube, Of, Selection
from data.records import Role


def compare(
    cube: Cube,
    first: Selection,
    second: Selection,
    *,
    role: Role = "source",
    of: Of = "dataset",
    datasets: tuple[str, ...] = (),
    gold: pa.Table | None = None,
) -> pd.DataFrame:
    """The difference of two selections' shares (first minus second), dataset by dataset.

    Papers in both selections are heeded (`n_both`).

    Args:
        datasets: only these; those that either selection uses if empty. Holm counts these.
        gold: see `data.correction.GOLD`.

    Returns: columns text, dataset, n_1, n_papers_1, share_1, n_2, n_papers_2, share_2, n_both,
        difference, low, high (Newcombe 95%), p, p_holm (over the datasets of a text kind),
        corrected, corrected_low, corrected_high, corrected_p, corrected_p_holm, and not_corrected
        (why these are None); the largest |difference| first.
    """
    raise NotImplementedError
