"""Measured results, source by source, and what they cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from experiments.finetune import PREPARATIONS

_CELL = ["target", "strategy", "n_train", "source", "model"]
_COSTS = ["seconds", "energy_kwh", "co2_kg"]
_COLUMNS = [
    *_CELL,
    "auc",
    "low",
    "high",
    "sd",
    "seeds",
    "minus_random",
    "balanced_accuracy",
    "calibration_error",
    "brier",
    "n_test",
    *_COSTS,
]


def report(results: pa.Table, means: pd.DataFrame) -> pd.DataFrame:
    """One row for each target, strategy, number of training images, source and model measured here.

    Args:
        results: `Result` rows; published ones (another origin than 'run') are left out.
        means: what `experiments.compare.seed_means` gives; an interval that it lacks, since the
            predictions are gone, is the mean of the seeds' own.

    Returns: a frame with these five columns and auc (mean over seeds), low, high (95%), sd (over
        seeds; none for one), seeds, minus_random (auc minus that of random weights of the same
        network in the same setting; none if not measured), balanced_accuracy, calibration_error,
        brier (means over seeds), n_test, and seconds, energy_kwh, co2_kg (sums over seeds). Best
        source first.
    """
    rows = _measured(results)
    rows = rows[~rows["strategy"].isin(PREPARATIONS)]
    if rows.empty:
        return pd.DataFrame(columns=_COLUMNS)
    wide = rows.pivot_table(index=[*_CELL, "seed"], columns="metric", values="value")
    wide = wide.reset_index().reindex(columns=[*_CELL, "seed", *_metrics()])
    table = wide.groupby(_CELL, as_index=False).agg(
        auc=("auc", "mean"),
        sd=("auc", "std"),
        seeds=("auc", "count"),
        low=("auc_low", "mean"),
        high=("auc_high", "mean"),
        balanced_accuracy=("balanced_accuracy", "mean"),
        calibration_error=("calibration_error", "mean"),
        brier=("brier", "mean"),
    )
    table = table.merge(_costs(rows))
    table = _with_intervals(table, means)
    is_control = table["source"] == "random"
    keys = ["target", "strategy", "n_train", "model"]
    control = table[is_control].set_index(keys)["auc"].rename("control")
    table = table.join(control, on=keys)
    table["minus_random"] = table["auc"] - table.pop("control")
    ordered = table.sort_values([*_CELL[:3], "auc"], ascending=[True, True, True, False])
    return ordered.reset_index(drop=True)[_COLUMNS]


def _metrics() -> list[str]:
    return ["auc", "auc_low", "auc_high", "balanced_accuracy", "calibration_error", "brier"]


def _measured(results: pa.Table) -> pd.DataFrame:
    rows: pd.DataFrame = results.to_pandas()
    here = rows[rows["origin"] == "run"].sort_values("at", kind="stable")
    # Of a cell that was measured under several recipes the newest counts.
    return here.drop_duplicates([*_CELL, "seed", "metric"], keep="last")


def _costs(rows: pd.DataFrame) -> pd.DataFrame:
    # Each metric's row repeats what its cell cost: one of them counts.
    return (
        rows[rows["metric"] == "auc"]
        .groupby(_CELL, as_index=False)
        .agg(
            n_test=("n_test", "max"),
            seconds=("seconds", "sum"),
            energy_kwh=("energy_kwh", lambda kwh: kwh.sum(min_count=1)),
            co2_kg=("co2_kg", lambda kg: kg.sum(min_count=1)),
        )
    )


def _with_intervals(table: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    if means.empty:
        return table
    keys = ["target", "strategy", "n_train", "source", "model"]
    own_bounds = means.drop_duplicates(keys, keep="last")[[*keys, "low", "high"]]
    joined = table.merge(own_bounds, on=keys, how="left", suffixes=("", "_own"))
    for bound in ("low", "high"):
        own = joined.pop(f"{bound}_own")
        joined[bound] = own.where(own.notna(), joined[bound])
    return joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What all runs took, and how that is known.

    Args:
        by_step: rows of step (pretraining, features, linear probe, full fine-tune), cells, seconds,
            energy_kwh, co2_kg; the last one is the sum.
        methods: how energy is known, with the range of assumed or read watts, and the intensity.
        avoided_kg: CO2 of all fine-tuning less that of features and pretraining alone: what ranking
            the same sources by features would have saved. None if either is unknown.
        avoided_s: the same in seconds.
    """

    by_step: pd.DataFrame
    methods: list[str]
    avoided_kg: float | None
    avoided_s: float


def spent(results: pa.Table) -> Spent:
    """The cost of everything that was measured here, step by step."""
    rows = _measured(results)
    cells = rows[rows["metric"].isin(["auc", "n_images"])]
    steps = [*PREPARATIONS, "linear probe", "full fine-tune"]
    by_step = (
        cells.groupby("strategy")
        .agg(
            cells=("seconds", "size"),
            seconds=("seconds", "sum"),
            energy_kwh=("energy_kwh", lambda kwh: kwh.sum(min_count=1)),
            co2_kg=("co2_kg", lambda kg: kg.sum(min_count=1)),
        )
        .reindex(steps)
        .rename_axis("step")
        .reset_index()
    )
    by_step["cells"] = by_step["cells"].fillna(0).astype(int)
    by_step["seconds"] = by_step["seconds"].astype(float).fillna(0.0)
    total = by_step[["cells", *_COSTS]].sum(min_count=1)
    by_step.loc[len(by_step)] = ["total", *total]
    tuning = by_step.set_index("step").loc["full fine-tune"]
    ranking = by_step.set_index("step").loc["features"]
    avoided = tuning["co2_kg"] - ranking["co2_kg"]
    return Spent(
        by_step=by_step,
        methods=_methods(cells),
        avoided_kg=None if pd.isna(avoided) else float(avoided),
        avoided_s=float(str(tuning["seconds"])) - float(str(ranking["seconds"])),
    )


def _methods(cells: pd.DataFrame) -> list[str]:
    known = cells.dropna(subset=["energy_method", "watts", "g_per_kwh"])
    return [
        f"{method}; {part['watts'].min():.0f} to {part['watts'].max():.0f} W, "
        f"{intensity:.0f} g CO2e/kWh"
        for (method, intensity), part in known.assign(intensity=known["g_per_kwh"].round()).groupby(
            ["energy_method", "intensity"]
        )
    ]
