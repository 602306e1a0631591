"""How far published transferability scores agree with published AUCs, target by target.

    python tests/benchmarks/score_agreement.py ../shared/published

The folder has `AUCs_dataset.csv` and `SCORE_dataset.csv` (columns source and one a target), as in
the repository of arXiv:2412.20172. Weighted Kendall tau, mean over targets, 95% bootstrap over
targets; p by permutation within targets, Holm over scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from data.intervals import holm
from experiments.rank_correlation import PERMUTATIONS, agreement


def grid(path: Path) -> pd.DataFrame:
    """Long rows without a source on itself."""
    rows = pd.read_csv(path, index_col=0).melt("source", var_name="target").dropna()
    return rows[rows["source"] != rows["target"]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    values = grid(folder / "AUCs_dataset.csv")
    names = [
        path.name.removesuffix("_dataset.csv") for path in sorted(folder.glob("*_dataset.csv"))
    ]
    found = {
        name: agreement(
            grid(folder / f"{name}_dataset.csv"),
            values,
            rng=np.random.default_rng(0),
            permutations=PERMUTATIONS,
        )
        for name in names
        if name != "AUCs"
    }
    adjusted = dict(zip(found, holm([tau.p or 0.0 for tau in found.values()]), strict=True))
    for name, tau in sorted(found.items(), key=lambda pair: -(pair[1].tau or 0)):
        print(
            f"{name:8} tau {tau.tau:.2f} [{tau.low:.2f}, {tau.high:.2f}]  p {tau.p:.4f}  "
            f"Holm {adjusted[name]:.4f}  {tau.n_targets} targets x {tau.n_sources[0]} sources"
        )


if __name__ == "__main__":
    main()
