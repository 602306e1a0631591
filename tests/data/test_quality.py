"""Precision, recall, F1 and calibration on gold papers: by hand, and beside other computations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import use, work
from hypothesis import given
from hypothesis import strategies as st

from annotate.calibration import calibration
from data.claims import claims
from data.cube import Cube, cube
from data.gold_sample import GOLD
from data.intervals import wilson
from data.quality import quality, reliability
from data.records import Decision, Use, to_table

Pairs = Mapping[str, Sequence[str]]  # paper -> datasets, as source


def cube_of(uses: Sequence[Use], n: int) -> Cube:
    works = [work(f"W{i}") for i in range(1, n + 1)]
    found = claims(to_table(Use, uses), to_table(Decision, []))
    return cube(found, to_table(type(works[0]), works))


def said_of(said: Pairs, n: int) -> Cube:
    return cube_of([use(paper, name) for paper, names in said.items() for name in names], n)


def gold_of(true: Pairs, weights: Mapping[str, float]) -> pa.Table:
    rows: list[dict[str, object]] = []
    for paper, weight in weights.items():
        of = {"work_id": paper, "stratum": "s", "weight": weight}
        used = [{**of, "dataset": d, "role": "source", "truth": True} for d in true.get(paper, ())]
        rows += used or [of]
    return pa.Table.from_pylist(rows, schema=GOLD)


def of_sources(frame: pd.DataFrame) -> pd.Series:
    return frame[frame["role"] == "source"].iloc[0]


TRUE = {"W1": ("ImageNet", "COCO"), "W2": ("ImageNet",), "W4": ("COCO",)}
SAID = {"W1": ("ImageNet",), "W2": ("ImageNet", "COCO"), "W3": ("ImageNet",)}
WEIGHTS = {"W1": 1.0, "W2": 3.0, "W3": 2.0, "W4": 1.0}


def test_rates_are_worked_by_hand_with_papers_by_their_weights() -> None:
    # True 1 x 2 + 3 x 1 + 1 x 1 = 6; found 1 x 1 + 3 x 2 + 2 x 1 = 9; right 1 + 3 = 4.
    found = of_sources(quality(said_of(SAID, 5), gold_of(TRUE, WEIGHTS)))
    assert (found.n_papers, found.n_true, found.n_found, found.n_right) == (4, 4, 4, 2)
    assert found.precision == pytest.approx(4 / 9)
    assert found.recall == pytest.approx(4 / 6)
    assert found.f1 == pytest.approx(8 / 15)
    for rate in ("precision", "recall", "f1"):
        assert found[f"{rate}_low"] <= found[rate] <= found[f"{rate}_high"]


def test_papers_that_are_not_gold_and_other_roles_do_not_count() -> None:
    uses = [use("W1"), use("W2", "COCO", "target"), use("W3", "COCO")]
    frame = quality(cube_of(uses, 3), gold_of({"W1": ("ImageNet",)}, {"W1": 1, "W2": 1}))
    assert frame.set_index("role")["n_found"].to_dict() == {"source": 1, "target": 1, "mention": 0}
    assert frame.set_index("role")["n_true"].to_dict() == {"source": 1, "target": 0, "mention": 0}


def test_the_right_dataset_in_the_wrong_role_is_wrong_in_both() -> None:
    frame = quality(
        cube_of([use("W1", role="target")], 1), gold_of({"W1": ("ImageNet",)}, {"W1": 1})
    ).set_index("role")
    assert frame.loc["source", ["n_true", "n_found", "n_right"]].tolist() == [1, 0, 0]
    assert frame.loc["target", ["n_true", "n_found", "n_right"]].tolist() == [0, 1, 0]
    assert frame.loc["source", "recall"] == 0
    assert frame.loc["target", "precision"] == 0


def test_claims_below_the_score_do_not_count_and_those_at_it_do() -> None:
    held = cube_of([use("W1", score=0.7), use("W2", score=0.69)], 2)
    gold = gold_of({"W1": ("ImageNet",), "W2": ("ImageNet",)}, {"W1": 1, "W2": 1})
    assert of_sources(quality(held, gold, min_score=0.6)).recall == 1
    assert of_sources(quality(held, gold, min_score=0.7)).recall == 0.5
    assert of_sources(quality(held, gold, min_score=0.71)).recall == 0


def test_measured_is_the_annotator_and_not_what_people_made_of_it() -> None:
    people = claims(to_table(Use, [use("W1", score=0.6)]), to_table(Decision, []))
    alone = pa.table(
        {"work_id": ["W1"], "dataset": ["ImageNet"], "role": ["source"], "score": [0.2]}
    )
    held = cube(people, to_table(type(work()), [work()]), predicted=alone)
    assert of_sources(quality(held, gold_of({"W1": ("ImageNet",)}, {"W1": 1}))).n_found == 0


def test_what_one_of_two_readers_has_is_half_true() -> None:
    rows = [
        {"work_id": "W1", "stratum": "s", "weight": 4.0, "reading": 0},
        {"work_id": "W1", "stratum": "s", "weight": 4.0, "reading": 1}
        | {"dataset": "ImageNet", "role": "source", "truth": True},
        {"work_id": "W2", "stratum": "s", "weight": 2.0}
        | {"dataset": "ImageNet", "role": "source", "truth": True},
    ]
    gold = pa.Table.from_pylist(rows, schema=GOLD)
    found = of_sources(quality(said_of({"W1": ("ImageNet",)}, 2), gold))
    assert (found.n_papers, found.n_true, found.n_found, found.n_right) == (2, 1.5, 1, 0.5)
    assert found.precision == pytest.approx(0.5)  # 4 x 0.5 of 4
    assert found.recall == pytest.approx(2 / 4)  # 4 x 0.5 of 4 x 0.5 + 2
    (bin,) = reliability(said_of({"W1": ("ImageNet",)}, 2), gold).to_dict("records")
    assert (bin["n"], bin["n_right"], bin["share"]) == (1, 0.5, 0.5)


def test_without_gold_without_claims_or_without_uses_there_is_no_rate() -> None:
    empty = of_sources(quality(said_of(SAID, 4), GOLD.empty_table()))
    assert empty.n_papers == 0
    assert empty[["precision", "precision_low", "recall", "f1"]].isna().all()
    silent = of_sources(quality(said_of({}, 4), gold_of(TRUE, WEIGHTS)))
    assert np.isnan(silent.precision)
    assert (silent.recall, silent.f1) == (0, 0)
    nothing = of_sources(quality(said_of(SAID, 4), gold_of({}, WEIGHTS)))
    assert np.isnan(nothing.recall)
    assert (nothing.precision, nothing.f1) == (0, 0)
    assert reliability(said_of({}, 4), gold_of(TRUE, WEIGHTS)).empty
    assert reliability(said_of(SAID, 4), GOLD.empty_table()).empty


def test_a_few_claims_that_are_all_right_are_no_certainty() -> None:
    gold = gold_of({"W1": ("ImageNet",), "W2": ("ImageNet",)}, {"W1": 1, "W2": 1, "W3": 1})
    found = of_sources(quality(said_of({"W1": ("ImageNet",), "W2": ("ImageNet",)}, 3), gold))
    assert (found.precision, found.precision_low) == (1, pytest.approx(wilson(2, 2)[0]))
    none = of_sources(quality(said_of({}, 3), gold))
    assert (none.recall, none.recall_high) == (0, pytest.approx(wilson(0, 2)[1]))


def test_the_interval_is_as_wide_as_linearisation_says() -> None:
    # Delta method for a ratio of weighted sums over papers: sum w^2 (right - p found)^2 / (sum)^2.
    rng = np.random.default_rng(3)
    n = 400
    weights = {f"W{i}": float(rng.choice([1, 2, 6])) for i in range(1, n + 1)}
    said = {p: ("ImageNet", "COCO")[: rng.integers(0, 3)] for p in weights}
    true = {p: ("ImageNet", "COCO")[: rng.integers(0, 3)] for p in weights}
    found = of_sources(quality(said_of(said, n), gold_of(true, weights), n_boot=4000))
    w = np.array(list(weights.values()))
    n_said = np.array([len(said[p]) for p in weights])
    n_right = np.array([len(set(said[p]) & set(true[p])) for p in weights])
    p = (w * n_right).sum() / (w * n_said).sum()
    error = np.sqrt((w**2 * (n_right - p * n_said) ** 2).sum()) / (w * n_said).sum()
    assert found.precision_high - found.precision_low == pytest.approx(2 * 1.96 * error, rel=0.08)


_NAMES = ("ImageNet", "COCO", "CheXpert")
_PAPERS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(_NAMES)),
        st.sets(st.sampled_from(_NAMES)),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=8,
)


@given(_PAPERS, st.randoms(use_true_random=False))
def test_rates_are_those_of_papers_copied_as_often_as_they_weigh(
    papers: list[tuple[set[str], set[str], int]], random: object
) -> None:
    said = {f"W{i}": sorted(one) for i, (one, _, _) in enumerate(papers, 1)}
    true = {f"W{i}": sorted(one) for i, (_, one, _) in enumerate(papers, 1)}
    gold = gold_of(true, {f"W{i}": float(w) for i, (_, _, w) in enumerate(papers, 1)})
    order = list(range(gold.num_rows))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = of_sources(quality(said_of(said, len(papers)), gold.take(order), n_boot=20))
    copies = [(one, other) for one, other, w in papers for _ in range(w)]
    n_right = sum(len(one & other) for one, other in copies)
    n_said, n_true = (sum(len(pair[side]) for pair in copies) for side in (0, 1))
    whole = {"precision": n_said, "recall": n_true, "f1": (n_said + n_true) / 2}
    for rate, of in whole.items():
        assert found[rate] == pytest.approx(n_right / of if of else np.nan, nan_ok=True)


# --- calibration


def scored(scores: Sequence[float], right: Sequence[bool]) -> tuple[Cube, pa.Table]:
    """A paper a claim, of equal weights."""
    uses = [use(f"W{i}", score=score) for i, score in enumerate(scores, 1)]
    true = {f"W{i}": ("ImageNet",) for i, is_so in enumerate(right, 1) if is_so}
    gold = gold_of(true, {f"W{i}": 2.0 for i in range(1, len(scores) + 1)})
    return cube_of(uses, len(scores)), gold


def test_ten_bins_of_equal_mass_and_the_surest_claim_is_not_alone() -> None:
    scores = [i / 100 for i in range(50, 70)]
    found = reliability(*scored(scores, [i % 4 > 0 for i in range(20)]))
    assert found["n"].tolist() == [2] * 10
    assert found["n_right"].tolist() == [1, 2] * 5
    assert found["mean_score"].tolist() == pytest.approx([0.505 + 0.02 * i for i in range(10)])
    assert (found["low"][0], found["high"][0]) == pytest.approx(wilson(1, 2))


def test_equal_scores_are_in_one_bin() -> None:
    found = reliability(*scored([0.9] * 15 + [0.5] * 5, [True] * 12 + [False] * 8))
    assert found["n"].tolist() == [5, 15]
    assert found["share"].tolist() == pytest.approx([0, 12 / 15])
    assert reliability(*scored([0.8] * 3, [True] * 3))["n"].tolist() == [3]


def test_a_bin_counts_papers_by_their_weights() -> None:
    held = cube_of([use("W1", score=0.6), use("W2", score=0.6), use("W3", score=0.6)], 3)
    gold = gold_of({"W1": ("ImageNet",)}, {"W1": 4.0, "W2": 1.0, "W3": 1.0})
    (bin,) = reliability(held, gold).to_dict("records")
    assert (bin["n"], bin["n_right"]) == (3, 1)
    assert bin["share"] == pytest.approx(4 / 6)
    size = 6**2 / (16 + 1 + 1)
    assert bin["high"] - bin["low"] > wilson(2, 3)[1] - wilson(2, 3)[0]
    assert size == 2  # of three papers, as one stands for most of the others


@given(
    st.lists(
        st.tuples(st.sampled_from([i / 20 for i in range(1, 20)]), st.booleans()),
        min_size=1,
        max_size=60,
    )
)
def test_bins_are_those_of_the_evaluation(claims: list[tuple[float, bool]]) -> None:
    scores, right = [score for score, _ in claims], [is_so for _, is_so in claims]
    found = reliability(*scored(scores, right))
    exact = np.array(scores, np.float32).astype(float)  # as a cube holds them
    papers = np.arange(len(exact))
    other = calibration(exact, np.array(right), papers, n_papers=len(exact), resamples=10)
    assert found["n"].tolist() == [bin.n for bin in other.bins]
    assert found["n_right"].tolist() == [bin.n_right for bin in other.bins]
    assert found["mean_score"].tolist() == pytest.approx([bin.mean_score for bin in other.bins])
    for row, bin in zip(found.itertuples(), other.bins, strict=True):
        assert (row.share, row.low, row.high) == pytest.approx((bin.share, *bin.interval))
