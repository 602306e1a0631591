import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import NOW
from hypothesis import given
from hypothesis import strategies as st

from data.records import Result, to_table
from experiments.compare import holm, paired, seed_means
from experiments.figure import forest
from experiments.finetune import Predictions
from experiments.report import report, spent

NO_MEANS = seed_means([])


def row(source: str, seed: int, value: float, metric: str = "auc", **fields: Any) -> Result:
    plain = {"target": "t", "model": "m", "strategy": "linear probe", "fraction": 1.0}
    counts = {"n_train": 9, "n_test": 5, "seconds": 2.0, "origin": "run", "at": NOW}
    return Result(source=source, seed=seed, metric=metric, value=value, **(plain | counts | fields))


def cell(source: str, seed: int, value: float, **fields: Any) -> list[Result]:
    shifted = {"auc": value, "auc_low": value - 0.1, "auc_high": value + 0.05}
    others = {"balanced_accuracy": 0.6, "calibration_error": 0.1, "brier": 0.3}
    return [row(source, seed, each, name, **fields) for name, each in (shifted | others).items()]


def test_the_report_by_hand() -> None:
    rows = [*cell("A", 0, 0.9), *cell("A", 1, 0.8), *cell("random", 0, 0.7)]
    frame = report(to_table(Result, [*rows, row("A", 0, 0.1, origin="paper")]), NO_MEANS)
    best, control = frame.to_dict(orient="records")
    assert (best["source"], control["source"]) == ("A", "random")
    assert best["auc"] == pytest.approx(0.85)
    assert best["sd"] == pytest.approx(0.0707, abs=1e-4)
    assert best["minus_random"] == pytest.approx(0.15)
    assert (best["low"], best["high"]) == pytest.approx((0.75, 0.9))
    assert (best["seeds"], best["seconds"]) == (2, 4.0)
    assert (best["balanced_accuracy"], best["brier"]) == pytest.approx((0.6, 0.3))
    assert report(to_table(Result, []), NO_MEANS).empty


def test_a_control_of_another_network_is_none() -> None:
    rows = [*cell("A", 0, 0.9, model="big"), *cell("random", 0, 0.7, model="small")]
    frame = report(to_table(Result, rows), NO_MEANS).set_index("source")
    assert pd.isna(frame.loc["A", "minus_random"])


def test_of_a_cell_measured_twice_the_newest_counts() -> None:
    rows = [*cell("A", 0, 0.9, at=NOW + timedelta(days=1)), *cell("A", 0, 0.5)]
    (found,) = report(to_table(Result, rows), NO_MEANS).to_dict(orient="records")
    assert (found["auc"], found["seeds"]) == (0.9, 1)


def costs(strategy: str, kg: float, metric: str = "auc") -> Result:
    known = {"energy_kwh": 2 * kg, "co2_kg": kg, "energy_method": "m", "watts": 25.0}
    return row("A", 0, 1, metric, strategy=strategy, g_per_kwh=500.0, **known)


def test_the_cost_by_hand() -> None:
    rows = [
        costs("features", 0.01, "n_images"),
        costs("linear probe", 0.02),
        costs("full fine-tune", 0.5),
        costs("full fine-tune", 0.5, "brier"),  # the same cell: its cost counts once
    ]
    found = spent(to_table(Result, rows))
    steps = found.by_step.set_index("step")
    assert steps.loc["total", "co2_kg"] == pytest.approx(0.53)
    assert steps.loc["total", "cells"] == 3
    assert steps.loc["pretraining", "cells"] == 0
    assert found.avoided_kg == pytest.approx(0.49)
    assert found.methods == ["m; 25 to 25 W, 500 g CO2e/kWh"]
    assert spent(to_table(Result, [row("A", 0, 0.9)])).avoided_kg is None


def predicted(source: str, seed: int, gap: float, *, n: int = 80) -> Predictions:
    """Two classes whose scores are `gap` standard deviations apart."""
    rng = np.random.default_rng(100 * seed + len(source))
    labels = np.arange(n) % 2
    scores = 1 / (1 + np.exp(-(gap * (labels - 0.5) + rng.normal(0, 1, n))))
    about = {"target": "t", "target_sha256": "x", "strategy": "s", "n_train": 9, "model": "m"}
    both = np.stack([1 - scores, scores], axis=1)
    return Predictions(labels, both, about | {"source": source, "seed": seed})


def test_sources_that_differ_are_told_from_those_that_do_not() -> None:
    made = [
        predicted(name, seed, gap)
        for name, gap in (("good", 3.0), ("same", 1.0), ("other", 1.0))
        for seed in range(4)
    ]
    frame = paired(made).set_index(["source", "other"])
    assert len(frame) == 3
    assert frame.loc[("good", "same"), "p_holm"] < 0.05
    assert frame.loc[("good", "same"), "low"] > 0
    assert frame.loc[("other", "same"), "p_holm"] > 0.05
    assert (frame["p_holm"] >= frame["p"]).all()
    assert (frame["low"] <= frame["difference"]).all()
    assert (frame["difference"] <= frame["high"]).all()


def test_a_source_compared_with_its_own_copy_does_not_differ() -> None:
    one = [predicted("good", seed, 1.0) for seed in range(3)]
    copy = [Predictions(each.labels, each.scores, each.about | {"source": "copy"}) for each in one]
    (found,) = paired([*one, *copy]).to_dict(orient="records")
    assert (found["difference"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)


def test_the_interval_of_a_mean_is_narrower_with_more_seeds() -> None:
    def width(n_seeds: int) -> float:
        (found,) = seed_means([predicted("a", seed, 1.0) for seed in range(n_seeds)]).to_dict(
            orient="records"
        )
        assert found["low"] < found["auc"] < found["high"]
        assert found["seeds"] == n_seeds
        return float(found["high"] - found["low"])

    assert width(8) < width(1)


def test_means_replace_the_intervals_of_single_seeds() -> None:
    means = seed_means([predicted("A", seed, 1.0) for seed in range(3)])
    rows = [each for seed in range(3) for each in cell("A", seed, 0.8, strategy="s")]
    (found,) = report(to_table(Result, rows), means).to_dict(orient="records")
    assert (found["low"], found["high"]) == (means["low"][0], means["high"][0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_plain_p_and_bonferroni(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for plain, found in zip(p_values, corrected, strict=True):
        assert plain <= found <= min(1, plain * len(p_values)) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert list(np.array(corrected)[order]) == sorted(corrected)


def test_the_figure_is_svg_that_shows_every_source() -> None:
    rows = [*cell("A & <B>", 0, 0.9), *cell("random", 0, 0.7)]
    root = ET.fromstring(forest(report(to_table(Result, rows), NO_MEANS)))
    text = " ".join(root.itertext())
    assert "A & <B> (m), seeds: 1" in text
    assert "t: linear probe, 9 training images, 5 test images" in text
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert [c.get("r") for c in circles] == ["4", "4"]
    assert float(circles[0].get("cx", 0)) > float(circles[1].get("cx", 0))
