"""The corrected Herfindahl index: by hand, over all samples of a small survey, and simulated."""

from itertools import combinations

import numpy as np
import pytest
from benchmarks.coverage import FIELDS, READERS, concentrations, held

from data import correction_hhi
from data.correction import Estimate
from data.correction_hhi import GoldUses, herfindahl

Pairs = list[tuple[int, int]]  # paper, dataset


def table(pairs: Pairs, n: int, d: int = 3) -> np.ndarray:
    found = np.zeros((n, d))
    for paper, dataset in pairs:
        found[paper, dataset] = 1
    return found


def index(true: np.ndarray) -> float:
    counts = true.sum(0)
    return float((counts**2).sum() / counts.sum() ** 2)


def corrected(said: np.ndarray, true: np.ndarray, gold: list[int], weight: float) -> np.ndarray:
    paper, item = np.nonzero(said)
    sample = GoldUses(said[gold], true[gold], np.full(len(gold), weight))
    return np.array(herfindahl(paper, item, sample, n_papers=len(said)))


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correction_hhi, "MIN_USING", 1)


@pytest.mark.usefixtures("any_size")
def test_it_is_worked_by_hand() -> None:
    # 6 papers, said: ImageNet 4, COCO 2. Of the 3 read, one of "ImageNet" truly uses COCO.
    said = table([(0, 0), (1, 0), (2, 0), (3, 0), (4, 1), (5, 1)], 6, 2)
    true = table([(0, 0), (1, 1), (2, 0), (3, 0), (4, 1), (5, 1)], 6, 2)
    # Counts 4 - 2 and 2 + 2 by one error of weight 2. Each varies by 6^2 (1 - 3/6) s^2 / 3 with
    # s^2 = (4/9 + 1/9 + 1/9) / 2 = 1/3, which is 2; there are 6 uses for sure.
    value = corrected(said, true, [0, 1, 4], 2.0)[0]
    assert value == pytest.approx((2**2 + 4**2 - 2 - 2) / 6**2)


@pytest.mark.usefixtures("any_size")
def test_over_all_samples_it_is_the_index_of_the_truth() -> None:
    # One use a paper, so that the number of uses is known and no ratio bends the mean.
    rng = np.random.default_rng(4)
    true = np.eye(3)[rng.choice(3, 9, p=[0.6, 0.3, 0.1])]
    said = np.eye(3)[rng.choice(3, 9)]
    values = [corrected(said, true, list(g), 9 / 5)[0] for g in combinations(range(9), 5)]
    assert np.isfinite(values).all()
    assert np.mean(values) == pytest.approx(index(true))
    plain = [
        index(said.sum(0)[None] + 9 / 5 * (true - said)[list(g)].sum(0)[None])
        for g in combinations(range(9), 5)
    ]
    assert np.mean(plain) > index(true) + 0.02  # what is taken off is not nothing


@pytest.mark.usefixtures("any_size")
def test_where_all_papers_were_read_only_truth_counts() -> None:
    rng = np.random.default_rng(5)
    true, said = (rng.random((40, 3)) < share for share in ([0.5, 0.2, 0.1], [0.1, 0.5, 0.5]))
    value, low, high = corrected(said.astype(float), true.astype(float), list(range(40)), 1.0)
    assert value == pytest.approx(index(true))
    assert low < value < high  # other papers might have been published


def test_too_few_gold_papers_that_use_any_dataset_tell_nothing() -> None:
    true = table([(i, i % 2) for i in range(29)], 100)
    assert np.isnan(corrected(true, true, list(range(60)), 2.0)).all()
    true[29, 0] = 1
    assert np.isfinite(corrected(true, true, list(range(60)), 2.0)).all()


def test_gold_papers_without_an_error_are_no_proof_that_there_is_none() -> None:
    # A tenth of a million papers use one of three; the gold papers show no error.
    paper = np.arange(0, 1_000_000, 10)
    item = np.minimum(np.arange(len(paper)) % 4, 2)

    def width(n_gold: int) -> float:
        read = table([(10 * i, min(i % 4, 2)) for i in range(n_gold // 10)], n_gold)
        gold = GoldUses(read, read, np.full(n_gold, 1e6 / n_gold))
        _, low, high = herfindahl(paper, item, gold, n_papers=1_000_000)
        return high - low

    assert width(300) > 4 * width(3000)


def test_one_heavy_gold_paper_widens_the_interval_beyond_the_normal_one() -> None:
    true = table([(i, min(i % 4, 2)) for i in range(1000)], 1000)
    said = true.copy()
    said[0] = 0  # missed in one gold paper that stands for many
    paper, item = np.nonzero(said)
    weight = np.r_[300.0, np.full(69, 10.0)]
    gold = GoldUses(said[:70], true[:70], weight)
    value, _, high = herfindahl(paper, item, gold, n_papers=1000)
    assert np.log(high / value) > 0
    even = GoldUses(said[:70], true[:70], np.full(70, 1000 / 70))
    same, _, closer = herfindahl(paper, item, even, n_papers=1000)
    assert np.log(high / value) > 3 * np.log(closer / same)


def test_a_use_that_one_of_two_readers_has_counts_half() -> None:
    said = table([(i, 0) for i in range(50)], 100)
    whole, none = said.copy(), said.copy()
    whole[0, 1], half = 1, said.copy()
    half[0, 1] = 0.5
    values = [corrected(said, true, list(range(60)), 1.0)[0] for true in (none, half, whole)]
    assert values[0] > values[1] > values[2]
    assert values[1] == pytest.approx((50**2 + (100 / 60 * 0.5) ** 2) / (50 + 50 / 60) ** 2)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("reader", READERS)
def test_intervals_hold_the_truth_of_biased_annotators(field: str, reader: str) -> None:
    # 95% less what 200 surveys scatter by: 4 standard errors.
    rng = np.random.default_rng(9)
    truth, told = concentrations(rng, 200, (field, 0.5, reader, "stratified", 200))
    value, low, high = told["difference (ours)"].T
    coverage, _, share = held(Estimate(value, low, high), truth)
    assert share == 1
    assert coverage > 0.95 - 4 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean(value) == pytest.approx(truth, rel=0.12)
