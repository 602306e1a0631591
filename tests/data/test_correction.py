"""Corrected shares: worked by hand, beside other programs, and by simulation."""

import numpy as np
import pytest
from benchmarks.coverage import (
    ANNOTATORS,
    PREVALENCES,
    change,
    held,
    simulate,
    transferring,
    true_change,
)

from data.correction import (
    Counts,
    among_transfers,
    prediction_powered,
    rogan_gladen,
    stratified,
    why_not,
)
from data.intervals import jeffreys_bounds, wilson


def counts(papers: list[float], gold: list[list[float]], weight: float = 1.0) -> Counts:
    table = np.array(gold, float)
    return Counts(np.array(papers, float), table, table * weight, table * weight**2)


def test_the_estimate_adds_what_is_right_of_each_part() -> None:
    # 800 papers not counted, of 40 read 4 use it; 200 counted, of 60 read 45 do.
    found = stratified(counts([800, 200], [[36, 4], [15, 45]]))
    assert found.value == pytest.approx(0.8 * 0.1 + 0.2 * 0.75)


def test_the_interval_is_worked_by_hand() -> None:
    found = stratified(counts([800, 200], [[36, 4], [15, 45]]))
    low0, high0 = (float(bound) for bound in jeffreys_bounds(4, 40))
    low1, high1 = (float(bound) for bound in jeffreys_bounds(45, 60))
    part_low, part_high = wilson(200, 1000)
    gain = 0.75 - 0.1
    below = (0.8 * (0.1 - low0)) ** 2 + (0.2 * (0.75 - low1)) ** 2 + (gain * (0.2 - part_low)) ** 2
    above = (
        (0.8 * (high0 - 0.1)) ** 2 + (0.2 * (high1 - 0.75)) ** 2 + (gain * (part_high - 0.2)) ** 2
    )
    assert found.low == pytest.approx(0.23 - below**0.5)
    assert found.high == pytest.approx(0.23 + above**0.5)


def test_with_a_yes_or_no_prediction_it_is_tuned_prediction_powered_inference() -> None:
    # Lambda by the gold papers' own covariance by variance makes the two estimates one.
    truth = np.array([0.0] * 36 + [1.0] * 4 + [0.0] * 15 + [1.0] * 45)
    said = np.array([0.0] * 40 + [1.0] * 60)
    everywhere = np.array([0.0] * 800 + [1.0] * 200)
    tuning = np.cov(truth, said, ddof=0)[0, 1] / said.var()
    value, _, _ = prediction_powered(truth, said, everywhere, tuning=tuning)
    assert stratified(counts([800, 200], [[36, 4], [15, 45]])).value == pytest.approx(value)


def test_equal_weights_do_not_matter() -> None:
    plain = stratified(counts([800, 200], [[36, 4], [15, 45]]))
    weighted = stratified(counts([800, 200], [[36, 4], [15, 45]], weight=10))
    assert weighted.value == pytest.approx(plain.value)
    assert weighted.low == pytest.approx(plain.low)
    assert weighted.high == pytest.approx(plain.high)


def test_unequal_weights_move_the_estimate_and_widen_the_interval() -> None:
    gold = np.array([[36, 4], [15, 45]], float)
    weight = np.array([[36 * 2, 4 * 8], [15, 45]], float)
    weight2 = np.array([[36 * 4, 4 * 64], [15, 45]], float)
    found = stratified(Counts(np.array([800.0, 200.0]), gold, weight, weight2))
    assert found.value == pytest.approx(0.8 * 32 / 104 + 0.2 * 0.75)
    equal = stratified(counts([800, 200], [[40 * 72 / 104, 40 * 32 / 104], [15, 45]]))
    assert found.high - found.low > equal.high - equal.low


@pytest.mark.parametrize(
    ("gold", "reason"),
    [
        ([[0, 0], [0, 0]], "no gold papers"),
        ([[20, 1], [2, 5]], "fewer than 30"),
        ([[0, 0], [20, 20]], "among the others"),
    ],
)
def test_too_little_gold_gives_no_value_but_a_reason(gold: list[list[float]], reason: str) -> None:
    few = counts([800, 200], gold)
    assert reason in why_not(few).item()
    for estimate in (stratified(few).value, stratified(few).low, stratified(few).high):
        assert np.isnan(estimate)


def test_a_dataset_that_the_annotator_never_counts_needs_no_gold_of_that_part() -> None:
    found = stratified(counts([1000, 0], [[98, 2], [0, 0]]))
    assert found.value == pytest.approx(0.02)
    assert float(found.low) < 0.02 < float(found.high)


# ppi_mean_ci of ppi-python 0.2.3 (alpha = 0.05), in an environment of its own, since it pins numba:
# Y = _TRUE, Yhat = _SAID, Yhat_unlabeled = _ELSEWHERE; lam = 1, 0 and None, without and with w.
_TRUE = np.array([1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0], float)
_SAID = np.array([1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0], float)
_ELSEWHERE = np.array(([1] * 3 + [0] * 5) * 12, float)
_WEIGHT = np.array([1, 2, 1, 1, 3, 1, 2, 2, 1, 1, 1, 2, 1, 1, 1, 1, 4, 1, 1, 1], float)


@pytest.mark.parametrize(
    ("tuning", "weight", "interval"),
    [
        (1, None, (0.13081112190297964, 0.5191888780970204)),
        (1, _WEIGHT, (0.18934397100690914, 0.4916905117517115)),
        (0, None, (0.14096269690460586, 0.5590373030953941)),
        (0, _WEIGHT, (0.08670087833564921, 0.5339887768367647)),
        (None, None, (0.17274153204797238, 0.49937968007323974)),
        (None, _WEIGHT, (0.1975668848538006, 0.4710986606297046)),
    ],
)
def test_prediction_powered_inference_is_ppi_pythons(
    tuning: float | None, weight: np.ndarray | None, interval: tuple[float, float]
) -> None:
    _, low, high = prediction_powered(_TRUE, _SAID, _ELSEWHERE, weight=weight, tuning=tuning)
    assert (low, high) == pytest.approx(interval, rel=1e-12)


def test_tuning_leaves_an_annotator_that_says_nothing_aside() -> None:
    value, _, _ = prediction_powered(_TRUE, np.zeros(20), np.zeros(96))
    assert value == pytest.approx(_TRUE.mean())


def test_rogan_gladen_undoes_known_errors() -> None:
    # Sensitivity 0.8, specificity 0.9: a share of 0.3 appears as 0.3 x 0.8 + 0.7 x 0.1 = 0.31.
    survey = counts([690, 310], [[900, 200], [100, 800]])
    found = rogan_gladen(survey, survey)
    assert found.value == pytest.approx(0.3)
    assert float(found.low) < 0.3 < float(found.high)


def test_rogan_gladen_has_the_interval_of_lang_and_reiczigel() -> None:
    # Their formulas in numbers: 27 of 650 said, sensitivity 50 of 100, specificity 199 of 200.
    survey = counts([623, 27], [[199, 50], [1, 50]])
    found = rogan_gladen(survey, survey)
    z2 = 1.959963984540054**2
    n, se, sp = 650 + z2, 51 / 102, 200 / 202
    p = (27 + z2 / 2) / n
    youden = se + sp - 1
    centre = (p + sp - 1) / youden
    dse, dsp = se * (1 - se) / 102, sp * (1 - sp) / 202
    shift = 2 * z2 * (centre * dse - (1 - centre) * dsp)
    half = (z2 * (p * (1 - p) / n + centre**2 * dse + (1 - centre) ** 2 * dsp)) ** 0.5 / youden
    assert found.value == pytest.approx((27 / 650 - 0.005) / 0.495)
    assert found.low == pytest.approx(centre + shift - half)
    assert found.high == pytest.approx(centre + shift + half)


def test_rogan_gladen_is_silent_where_too_few_use_the_dataset_or_the_annotator_guesses() -> None:
    few = counts([690, 310], [[900, 2], [100, 2]])
    chance = counts([500, 500], [[50, 50], [50, 50]])
    for survey in (few, chance):
        assert np.isnan(rogan_gladen(survey, survey).value)


def test_among_transfers_is_a_ratio_of_corrected_shares() -> None:
    # Said: no source, a source, this one. Of 600 / 300 / 100 papers 30 each are read.
    gold = [[24, 4, 2], [3, 24, 3], [1, 2, 27]]
    found = among_transfers(counts([600, 300, 100], gold))
    uses = 0.6 * 2 / 30 + 0.3 * 3 / 30 + 0.1 * 27 / 30
    some = uses + 0.6 * 4 / 30 + 0.3 * 24 / 30 + 0.1 * 2 / 30
    assert found.value == pytest.approx(uses / some)
    assert float(found.low) < uses / some < float(found.high)


@pytest.mark.parametrize("prevalence", PREVALENCES)
@pytest.mark.parametrize("design", ["stratified", "stratified, few"])
def test_corrected_intervals_hold_the_truth_of_biased_annotators(
    prevalence: float, design: str
) -> None:
    rng = np.random.default_rng(5)
    for annotator in ANNOTATORS:
        surveys = simulate(rng, 2000, prevalence, annotator, design)
        coverage, _, told = held(stratified(surveys.counts), prevalence)
        assert told == 1
        assert coverage >= 0.93, annotator


def test_corrected_intervals_hold_under_simple_sampling_and_say_more_than_gold_alone() -> None:
    rng = np.random.default_rng(6)
    surveys = simulate(rng, 500, 0.45, (0.85, 0.995), "simple")
    coverage, width, _ = held(stratified(surveys.counts), 0.45)
    assert coverage >= 0.93
    alone = wilson(68, 150)
    assert width < 0.65 * (alone[1] - alone[0])


@pytest.mark.parametrize("prevalence", PREVALENCES)
def test_corrected_changes_hold_the_truth_of_biased_annotators(prevalence: float) -> None:
    rng = np.random.default_rng(10)
    for annotator in ANNOTATORS:
        surveys = simulate(rng, 1000, prevalence, annotator, "stratified")
        coverage, _, told = held(change(surveys), true_change(prevalence))
        assert told > 0.9
        assert coverage >= 0.93, annotator


def test_raw_intervals_do_not_hold_the_truth() -> None:
    # What the correction is for: if this changed, the simulation would not be of biased annotators.
    surveys = simulate(np.random.default_rng(7), 500, 0.45, (0.80, 0.95), "stratified")
    said = surveys.counts.papers[:, 1]
    bounds = [wilson(int(k), 5000) for k in said]
    assert np.mean([low <= 0.45 <= high for low, high in bounds]) < 0.1


@pytest.mark.parametrize("share", [0.7, 0.2, 0.05])
def test_intervals_among_transfers_hold_the_truth(share: float) -> None:
    estimate = among_transfers(transferring(np.random.default_rng(8), 600, 0.45, share, 160))
    coverage, _, told = held(estimate, share)
    assert told == 1
    assert coverage >= 0.93
