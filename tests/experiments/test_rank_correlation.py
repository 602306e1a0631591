from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from experiments.rank_correlation import agreement, weighted_tau


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def frame(rows: Any) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["source", "target", "value"])


def table(n_sources: int, n_targets: int, *, noise: float, seed: int = 0) -> tuple[Any, Any]:
    """Scores and values that agree up to noise."""
    drawn = np.random.default_rng(seed)
    scores, values = [], []
    for target in range(n_targets):
        for source in range(n_sources):
            scores.append((f"s{source}", f"t{target}", float(source)))
            values.append((f"s{source}", f"t{target}", source + noise * drawn.normal()))
    return frame(scores), frame(values)


def test_tau_weighs_the_top_more() -> None:
    # Three values, ranks 0, 1, 2, weights of pairs 1 + 1/2, 1 + 1/3, 1/2 + 1/3; one turned round.
    total = 1.5 + 4 / 3 + 5 / 6
    assert weighted_tau([3, 2, 1], [3, 2, 1]) == pytest.approx(1)
    assert weighted_tau([3, 2, 1], [3, 1, 2]) == pytest.approx(1 - 2 * (5 / 6) / total)
    assert weighted_tau([3, 2, 1], [2, 3, 1]) == pytest.approx(1 - 2 * 1.5 / total)


@given(st.permutations(range(8)))
def test_tau_keeps_its_bounds_and_is_symmetric(order: list[int]) -> None:
    straight = list(range(8))
    assert -1 <= weighted_tau(straight, order) <= 1 + 1e-12
    assert weighted_tau(straight, order) == pytest.approx(weighted_tau(order, straight))


def test_tau_of_what_does_not_vary_is_no_number() -> None:
    assert np.isnan(weighted_tau([1, 1, 1], [1, 2, 3]))
    assert np.isnan(weighted_tau([1.0], [2.0]))
    with pytest.raises(InputError, match="3 values"):
        weighted_tau([1, 2, 3], [1, 2])


def test_agreement_is_the_mean_over_targets_with_an_interval() -> None:
    found = agreement(*table(10, 6, noise=2.0), rng=rng(), permutations=200)
    assert found.tau is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.tau < found.high
    assert (found.n_targets, found.n_sources, found.why) == (6, (10, 10), "")
    assert found.p == pytest.approx(1 / 201)


def test_no_agreement_is_no_finding() -> None:
    scores, values = table(10, 6, noise=0.0)
    values["value"] = np.random.default_rng(1).normal(size=len(values))
    found = agreement(scores, values, rng=rng(), permutations=200)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert found.p is not None
    assert found.p > 0.05


def test_popularity_is_exchanged_once_for_all_targets() -> None:
    # Twelve targets that are copies of one: each permuted by itself they seem twelve findings.
    drawn = np.random.default_rng(3)
    worth = drawn.permutation(8) + 0.0
    popular = worth + 3.0 * drawn.normal(size=8)
    cells = [(f"s{i}", f"t{t}", i) for t in range(12) for i in range(8)]
    scores = frame([(s, t, popular[i]) for s, t, i in cells])
    values = frame([(s, t, worth[i]) for s, t, i in cells])
    each = agreement(scores, values, rng=rng(), permutations=300)
    together = agreement(scores, values, rng=rng(), permutations=300, one_score_a_source=True)
    assert each.tau == together.tau
    assert each.p is not None
    assert together.p is not None
    assert together.p > 5 * each.p


def test_p_values_of_nothing_are_spread_evenly() -> None:
    found = []
    for seed in range(60):
        drawn = np.random.default_rng(seed)
        popular = drawn.normal(size=9)
        cells = [(f"s{i}", f"t{t}", i) for t in range(3) for i in range(9) if i != t]
        scores = frame([(s, t, popular[i]) for s, t, i in cells])
        values = frame([(s, t, drawn.normal()) for s, t, i in cells])
        told = agreement(scores, values, rng=drawn, permutations=60, one_score_a_source=True)
        found.append(told.p)
    # 5% of 60 are 3; more than 9 would come once in a thousand times.
    assert sum(p is not None and p <= 0.05 for p in found) <= 9
    assert sum(p is not None and p <= 0.5 for p in found) >= 18


def test_fewer_than_eight_sources_are_undetermined() -> None:
    found = agreement(*table(7, 12, noise=0.0), rng=rng(), permutations=10)
    assert (found.tau, found.low, found.high, found.p) == (None, None, None, None)
    assert "at most 7 share a target" in found.why


def test_few_targets_have_no_interval() -> None:
    found = agreement(*table(8, 4, noise=0.5), rng=rng())
    assert found.tau is not None
    assert (found.low, found.high, found.p) == (None, None, None)


def test_a_target_without_variation_does_not_count() -> None:
    scores, values = table(8, 6, noise=0.5)
    values.loc[values["target"] == "t0", "value"] = 1.0
    assert agreement(scores, values, rng=rng()).n_targets == 5


def test_a_pair_that_lacks_a_value_does_not_count() -> None:
    scores, values = table(8, 6, noise=0.5)
    scores.loc[scores["target"] == "t0", "value"] = np.nan
    assert agreement(scores, values.iloc[:-1], rng=rng()).n_targets == 4


def test_a_pair_that_is_there_twice_is_named() -> None:
    scores, values = table(8, 2, noise=0.5)
    with pytest.raises(InputError, match="values have two rows for source 's0' and target 't0'"):
        agreement(scores, pd.concat([values, values.head(1)]), rng=rng())


PUBLISHED = {
    "lp": (0.44, 0.33, 0.54),
    "nleep": (0.41, 0.30, 0.52),
    "fu": (0.41, 0.24, 0.56),
    "leep": (0.35, 0.28, 0.43),
    "logme": (0.33, 0.24, 0.43),
    "parc": (0.30, 0.20, 0.40),
    "sfda": (0.27, None, None),
    "ncti": (0.18, None, None),
}


def grid(path: Path) -> pd.DataFrame:
    """A published table of sources by targets, without a source on itself."""
    wide = pd.read_csv(path, index_col=0)
    rows = wide.melt("source", var_name="target").dropna()
    return rows[rows["source"] != rows["target"]]


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_scores_agree_with_published_aucs_as_published(name: str, shared: Path) -> None:
    folder = shared / "published"
    if not folder.is_dir():
        pytest.skip(f"no published tables at {folder}")
    scores, values = grid(folder / f"{name}_dataset.csv"), grid(folder / "AUCs_dataset.csv")
    found = agreement(scores, values, rng=rng())
    tau, low, high = PUBLISHED[name]
    # SFDA is 1 for every source on two targets, which therefore do not count.
    assert found.n_targets == (9 if name == "sfda" else 11)
    assert found.n_sources == (14, 14)
    assert found.tau == pytest.approx(tau, abs=0.006)
    if low is not None:
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.012)
