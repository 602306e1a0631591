"""The corrected Herfindahl index: by hand, over all samples of a small survey, and simulated."""

from itertools import combinations

import numpy as np
import pytest
from benchmarks.coverage import FIELDS, READERS, concentrations, held
from scipy.stats import t

from data import correction_hhi
from data.correction import Estimate
from data.correction_hhi import herfindahl


def index(true: np.ndarray) -> float:
    counts = true.sum(0)
    return float((counts**2).sum() / counts.sum() ** 2)


def of_one(*datasets: int, n: int = 3) -> np.ndarray:
    """Papers that use one dataset each."""
    return np.eye(n)[list(datasets)]


def even(true: np.ndarray, weight: float) -> tuple[float, float, float]:
    return herfindahl(true, np.full(len(true), weight))


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correction_hhi, "MIN_USING", 1)


@pytest.mark.usefixtures("any_size")
def test_it_is_worked_by_hand() -> None:
    # Of 6 papers 3 are read; two use the first dataset, one the second: counts 4 and 2. Each varies
    # by 6^2 (1 - 3/6) s^2 / 3 with s^2 = 1/3, which is 2; there are 6 uses for sure.
    value = even(of_one(0, 0, 1), 2.0)[0]
    assert value == pytest.approx((4**2 + 2**2 - 2 - 2) / 6**2)


@pytest.mark.usefixtures("any_size")
def test_over_all_samples_it_is_the_index_of_the_survey() -> None:
    # One use a paper, so that the number of uses is known and no ratio bends the mean.
    every = of_one(0, 0, 1, 0, 2, 0, 1, 2, 1)
    samples = [every[list(drawn)] for drawn in combinations(range(9), 5)]
    values = [even(sample, 9 / 5)[0] for sample in samples]
    assert np.mean(values) == pytest.approx(index(every))
    assert np.mean([index(sample) for sample in samples]) > index(every) + 0.02  # if not taken off


@pytest.mark.usefixtures("any_size")
def test_what_is_left_is_what_two_different_papers_have_in_common() -> None:
    # For a survey so large that its papers' own squares do not matter: pairs of papers of one
    # dataset by all pairs, here 3 of 6.
    assert even(of_one(0, 0, 0, 1), 1e6)[0] == pytest.approx(3 / 6, rel=1e-4)


def test_where_all_papers_were_read_it_is_their_index() -> None:
    true = (np.random.default_rng(5).random((60, 3)) < [0.5, 0.2, 0.1]).astype(float)
    value, low, high = even(true, 1.0)
    assert value == pytest.approx(index(true))
    assert low < value < high  # other papers might have been published


def test_the_interval_is_of_the_jackknife_by_students_t() -> None:
    rng = np.random.default_rng(6)
    true = of_one(*rng.choice(3, 40, p=[0.6, 0.3, 0.1]))
    weight = rng.choice([2.0, 9.0], 40)

    def value_of(kept: np.ndarray) -> float:
        # As the docstring says, written out.
        w, uses = weight[kept], true[kept]
        n = len(w)
        counts, mean = (w[:, None] * uses).sum(0), (w[:, None] * uses).sum(0) / w.sum()
        variance = n / (n - 1) * ((w * (w - 1))[:, None] * (uses - mean) ** 2).sum(0)
        return float((counts**2 - variance).sum() / counts.sum() ** 2)  # one use a paper

    left = np.array([value_of(np.delete(np.arange(40), i)) for i in range(40)])
    spread = 39 / 40 * (left - left.mean()) ** 2
    freedom = spread.sum() ** 2 / (spread**2).sum()
    value, low, high = herfindahl(true, weight)
    half = t.ppf(0.975, freedom) * spread.sum() ** 0.5 / value
    assert value == pytest.approx(value_of(np.arange(40)))
    assert (np.log(value / low), np.log(high / value)) == pytest.approx((half, half))


def test_too_few_gold_papers_that_use_any_dataset_tell_nothing() -> None:
    true = np.zeros((100, 3))
    true[:29, 0] = 1
    assert np.isnan(even(true, 2.0)).all()
    true[29, 1] = 0.5  # by one of its readers
    assert np.isfinite(even(true, 2.0)).all()


@pytest.mark.parametrize("true", [np.eye(40), of_one(*[0] * 40)])
def test_all_the_same_or_nothing_in_common_is_no_certainty(true: np.ndarray) -> None:
    assert np.isnan(herfindahl(true, np.r_[30.0, np.full(39, 50.0)])).all()


def test_one_heavy_gold_paper_widens_the_interval_beyond_the_normal_one() -> None:
    true = of_one(*[0, 0, 1, 2] * 20)
    _, low, high = herfindahl(true, np.r_[200.0, np.full(79, 2.0)])
    _, narrow, wide = even(true, (200 + 79 * 2) / 80)
    assert np.log(high / low) > 3 * np.log(wide / narrow)


def test_a_use_that_one_of_two_readers_has_counts_half() -> None:
    true = of_one(*[0] * 40)
    true[0, 1] = 0.5
    assert even(true, 1.0)[0] == pytest.approx((40**2 + 0.5**2) / 40.5**2)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("reader", ["good", "misses the rare"])
def test_intervals_hold_the_truth_of_biased_annotators(field: str, reader: str) -> None:
    # 95% less what 200 surveys scatter by: 4 standard errors.
    assert reader in READERS
    rng = np.random.default_rng(9)
    truth, told = concentrations(rng, 200, (field, 0.5, reader, "stratified", 200))
    value, low, high = told["gold alone (ours)"].T
    coverage, _, share = held(Estimate(value, low, high), truth)
    assert share == 1
    assert coverage > 0.95 - 4 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean(value) == pytest.approx(truth, rel=0.12)


def test_raw_intervals_do_not_hold_the_truth() -> None:
    truth, told = concentrations(
        np.random.default_rng(9), 100, ("long tail", 0.5, "misses the rare", "stratified", 80)
    )
    _, low, high = told["raw"].T
    assert np.mean((low <= truth) & (truth <= high)) < 0.1
