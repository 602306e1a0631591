"""How much the papers of a survey rely on few datasets. Pure."""

from __future__ import annotations

import pandas as pd

from data.cube import By, Cube, Selection
from data.records import Role


def concentration(
    cube: Cube,
    *,
    by: By = "all",
    role: Role = "source",
    where: Selection = _ALL,
    n_boot: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Measures of concentration of the uses of datasets, with 95% bootstrap intervals by paper.

    A use is a paper and a dataset; weights of unnamed origin (rule I3) are left out.

    Returns: a long frame with columns text, group, measure, value, low, high, n_papers (papers
        with such a use), n_uses, n_datasets. Measures: 'gini' (over the datasets that are used),
        'hhi', 'effective sources (Shannon)', 'effective sources (HHI)', 'share of the first',
        'share of the first five' (of uses). No rows for a group without a use.
    """
    raise NotImplementedError
