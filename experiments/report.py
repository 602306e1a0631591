"""Measured results, source by source. Pure."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

_CELL = ["target", "model", "strategy", "fraction", "source"]


def report(results: pa.Table) -> pd.DataFrame:
    """One row for each target, model, strategy, fraction and source that was measured here.

    Args:
        results: `Result` rows; published ones (another origin than 'run') are left out.

    Returns: a frame with these five columns and auc (mean over seeds), sd (over seeds; none for
        one), seeds, low and high (mean bounds of the bootstrap over test images), minus_random
        (auc minus that of the random source in the same setting; none if not measured), n_train,
        n_test, seconds, energy_kwh, co2_kg (sums over seeds). Best source first.
    """
    rows = results.to_pandas()
    rows = rows[rows["origin"] == "run"]
    if rows.empty:
        return pd.DataFrame(columns=[*_CELL, "auc", "sd", "seeds", "low", "high", "minus_random"])
    wide = rows.pivot_table(index=[*_CELL, "seed"], columns="metric", values="value").reset_index()
    table = wide.groupby(_CELL, as_index=False).agg(
        auc=("auc", "mean"),
        sd=("auc", "std"),
        seeds=("auc", "count"),
        low=("auc_low", "mean"),
        high=("auc_high", "mean"),
    )
    # Each metric's row repeats what its cell cost: one of them counts.
    costs = rows[rows["metric"] == "auc"].groupby(_CELL, as_index=False)
    table = table.merge(
        costs.agg(
            n_train=("n_train", "max"),
            n_test=("n_test", "max"),
            seconds=("seconds", "sum"),
            energy_kwh=("energy_kwh", lambda kwh: kwh.sum(min_count=1)),
            co2_kg=("co2_kg", lambda kg: kg.sum(min_count=1)),
        )
    )
    control = table[table["source"] == "random"].set_index(_CELL[:-1])["auc"].rename("control")
    table = table.join(control, on=_CELL[:-1])
    table["minus_random"] = table["auc"] - table.pop("control")
    ordered: pd.DataFrame = table.sort_values([*_CELL[:-1], "auc"], ascending=[True] * 4 + [False])
    return ordered.reset_index(drop=True)
