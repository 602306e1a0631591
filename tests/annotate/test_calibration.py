from typing import Any

import numpy as np
import pytest

from annotate.calibration import Calibration, calibration, calibrations
from annotate.gold import Label
from annotate.resampling import interval, resampled


def of(score: Any, right: Any, paper: Any = None, **more: Any) -> Calibration:
    score, right = np.asarray(score, dtype=float), np.asarray(right, dtype=bool)
    paper = np.arange(len(score)) if paper is None else np.asarray(paper)
    more = {"n_papers": len(score), "resamples": 300} | more
    return calibration(score, right, paper, **more)


def test_two_scores_by_hand() -> None:
    found = of([0.9, 0.9, 0.9, 0.9, 0.5, 0.5], [1, 1, 1, 0, 0, 0])
    assert [(b.low, b.n, b.n_right) for b in found.bins] == [(0.5, 2, 0), (0.9, 4, 3)]
    # (4 |0.9 - 0.75| + 2 |0.5 - 0|) / 6 and (3 * 0.01 + 0.81 + 2 * 0.25) / 6
    assert found.ece == pytest.approx(1.6 / 6)
    assert found.brier == pytest.approx(1.34 / 6)
    assert found.bins[1].share == 0.75
    assert found.bins[1].interval == pytest.approx((0.3006, 0.9544), abs=1e-4)


def test_scores_that_differ_make_ten_bins_of_equal_mass() -> None:
    found = of(np.linspace(0.01, 1.0, 100), np.ones(100))
    assert [b.n for b in found.bins] == [10] * 10
    # Within a bin all are right, so the error is 1 - mean score: 1 - 0.505.
    assert found.ece == pytest.approx(0.495)


def test_equal_scores_share_a_bin_and_no_bin_is_empty() -> None:
    found = of([0.7] * 50 + [0.8] * 2 + [1.0] * 9, [True] * 61)
    assert sum(b.n for b in found.bins) == 61
    assert all(b.n for b in found.bins)
    assert found.bins[0].n == 50
    assert len(of([0.3], [False]).bins) == 1


def test_what_is_calibrated_shows_no_more_error_than_chance() -> None:
    rng = np.random.default_rng(1)
    score = rng.uniform(0, 1, 20_000)
    found = of(score, rng.uniform(size=len(score)) < score)
    # Each bin's gap is about normal with sd sqrt(p (1 - p) / 2000) < 0.0112, its mean 0.8 of that.
    assert found.ece < 0.0112
    assert found.ece_noise == pytest.approx(0.007, abs=0.001)
    # The mean of p (1 - p) over the unit interval is 1/6.
    assert found.brier == pytest.approx(1 / 6, abs=0.005)


def test_an_overconfident_score_shows_its_known_error() -> None:
    rng = np.random.default_rng(2)
    score = rng.uniform(0.4, 1.0, 20_000)
    found = of(score, rng.uniform(size=len(score)) < score - 0.2)
    assert found.ece == pytest.approx(0.2, abs=0.011)
    assert found.ece > 10 * found.ece_noise
    assert found.ece_interval is not None
    low, high = found.ece_interval
    assert low < 0.2 < high


def test_the_interval_comes_from_papers() -> None:
    """The same uses in few papers say less: ten alike in a paper are one draw."""
    rng = np.random.default_rng(3)
    right = np.repeat(rng.uniform(size=40) < 0.5, 10)
    score = np.full(400, 0.5)
    alone = of(score, right, np.arange(400), n_papers=400)
    together = of(score, right, np.repeat(np.arange(40), 10), n_papers=40)
    assert alone.ece == together.ece

    def width(found: Calibration) -> float:
        assert found.ece_interval is not None
        return found.ece_interval[1] - found.ece_interval[0]

    assert width(together) > 2 * width(alone)


def test_each_kind_is_judged_by_dataset_and_role() -> None:
    gold = [frozenset({Label("A", "source", True)}), frozenset({Label("B", "target", False)})]
    found = [
        frozenset(
            {
                Label("A", "source", False, score=0.9),
                Label("unspecified", "source", True, score=0.5),
            }
        ),
        frozenset({Label("B", "mention", False, score=0.6), Label("B", "target", False)}),
    ]
    table = {one.of: one for one in calibrations(gold, found, resamples=50)}
    assert {kind: (one.n, one.n_right) for kind, one in table.items()} == {
        "all": (2, 1),
        "source": (1, 1),
        "mention": (1, 0),
        "unnamed sources (I3)": (1, 0),
    }


def test_those_without_scores_have_no_calibration() -> None:
    assert calibrations([frozenset()], [frozenset({Label("A", "source", False)})]) == []
    assert calibrations([], []) == []


def test_a_resample_draws_as_many_papers_as_there_are() -> None:
    draws = resampled(np.ones((7, 1)), resamples=501)
    assert draws.shape == (501, 1)
    assert set(draws[:, 0]) == {7.0}
    sums = resampled(np.arange(4.0)[:, None], resamples=4000)[:, 0]
    # Four draws of mean 1.5 and variance 1.25: mean 6, variance 5.
    assert sums.mean() == pytest.approx(6, abs=0.15)
    assert sums.var() == pytest.approx(5, abs=0.4)
    assert resampled(np.zeros((0, 2)), resamples=3).tolist() == [[0, 0]] * 3


def test_an_interval_leaves_out_what_is_no_number() -> None:
    assert interval(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert interval(np.array([np.nan])) is None
