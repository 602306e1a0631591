from typing import Any

import pytest

from annotate.evaluate import Score, check_gates, gates, scores
from annotate.gold import Label
from data.errors import GateError, InputError
from data.records import Role


def label(dataset: str, role: Role = "source", implied: bool = False, **more: Any) -> Label:
    return Label(dataset, role, implied, **more)


def by_measure(gold: list[set[Label]], found: list[set[Label]]) -> dict[str, Score]:
    table = scores([frozenset(g) for g in gold], [frozenset(f) for f in found], resamples=200)
    return {score.measure: score for score in table}


def test_counts_and_rates_by_hand() -> None:
    gold = [{label("A"), label("B")}, {label("A")}, set()]
    found = [{label("A"), label("C")}, set(), {label("A")}]
    score = by_measure(gold, found)["named sources"]
    assert (score.n_gold, score.n_found, score.n_right) == (3, 3, 1)
    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == pytest.approx(1 / 3)
    assert score.f1 == pytest.approx(1 / 3)


def test_all_sources_do_not_ask_how_one_was_found() -> None:
    scores_of = by_measure([{label("A")}], [{label("A", implied=True)}])
    assert scores_of["all sources"].n_right == 1
    assert scores_of["named sources"].n_right == 0
    assert scores_of["implied sources"].n_found == 1


def test_unnamed_sources_are_counted_apart() -> None:
    pseudo = label("unspecified", implied=True)
    scores_of = by_measure([{pseudo}], [{pseudo}])
    assert scores_of["unnamed sources (I3)"].n_right == 1
    assert scores_of["implied sources"].n_gold == scores_of["all sources"].n_gold == 0


def test_a_role_is_part_of_the_answer() -> None:
    scores_of = by_measure([{label("A", "target")}], [{label("A", "source")}])
    assert scores_of["targets"].n_right == scores_of["named sources"].n_right == 0


def test_intervals_hold_the_rate_and_come_from_papers() -> None:
    gold = [{label("A")}] * 30
    found = [{label("A")}] * 20 + [set()] * 10
    score = by_measure(gold, found)["named sources"]
    assert score.recall is not None
    assert score.recall_interval is not None
    low, high = score.recall_interval
    assert 0.4 < low < score.recall < high < 0.9
    assert score == by_measure(gold, found)["named sources"], "a seed gives one answer"


def test_nothing_found_has_no_precision() -> None:
    score = by_measure([{label("A")}], [set()])["named sources"]
    assert score.precision is None
    assert score.recall == 0.0
    assert by_measure([], [])["targets"].f1 is None


def test_images_part_the_roles() -> None:
    gold = [{label("A", images="natural"), label("B", "target", images="medical"), label("X")}]
    found = [{label("A", images="natural"), label("C", images="medical")}]
    scores_of = by_measure(gold, found)
    counts = {
        measure: (score.n_gold, score.n_found, score.n_right)
        for measure, score in scores_of.items()
        if measure.split()[0] in ("natural", "medical", "uncatalogued")
    }
    assert counts == {
        "natural sources": (1, 1, 1),
        "medical sources": (0, 1, 0),
        "uncatalogued sources": (1, 0, 0),
        "natural targets": (0, 0, 0),
        "medical targets": (1, 0, 0),
        "uncatalogued targets": (0, 0, 0),
    }


def test_unnamed_sources_are_of_no_images() -> None:
    scores_of = by_measure([{label("unspecified", implied=True)}], [set()])
    assert scores_of["uncatalogued sources"].n_gold == 0


def test_a_name_counts_whatever_its_role() -> None:
    gold = [{label("A"), label("B", "mention"), label("I", implied=True)}]
    found = [{label("A", "target"), label("A", "mention"), label("C")}]
    score = by_measure(gold, found)["names"]
    assert (score.n_gold, score.n_found, score.n_right) == (2, 2, 1)


def test_roles_are_judged_on_names_that_both_have() -> None:
    gold = [{label("A"), label("A", "target"), label("B", "mention"), label("Z")}]
    found = [{label("A"), label("B", "target"), label("C")}]
    score = by_measure(gold, found)["roles of names found"]
    assert (score.n_gold, score.n_found, score.n_right) == (3, 2, 1)
    assert score.precision == pytest.approx(1 / 2)


def test_the_labels_words_decide_what_is_a_homonym() -> None:
    gold = [{label("A", ambiguous=True), label("B", ambiguous=False), label("D")}]
    found = [
        {
            label("A", "target", ambiguous=False),
            label("B", ambiguous=True),
            label("C", ambiguous=True),
            label("D", ambiguous=True),
        }
    ]
    scores_of = by_measure(gold, found)
    for measure, counts in {
        "names": (3, 4, 3),
        "ambiguous names": (2, 3, 2),
        "plain names": (1, 1, 1),
        "roles of ambiguous names found": (2, 2, 1),
        "roles of plain names found": (1, 1, 1),
    }.items():
        score = scores_of[measure]
        assert (score.n_gold, score.n_found, score.n_right) == counts, measure


def test_the_interval_is_that_of_drawing_papers() -> None:
    """Of 3 papers, 1 found: the recall of a draw is Binomial(3, 1/3) / 3."""
    gold = [frozenset({label("A")})] * 3
    found = [frozenset({label("A")}), frozenset[Label](), frozenset[Label]()]
    table = {score.measure: score for score in scores(gold, found, resamples=4000)}
    # P(0) = 0.30 and P(3) = 0.04 are both above 2.5%.
    assert table["targets"].recall_interval is None
    assert table["named sources"].recall_interval == (0.0, 1.0)


def test_gates_take_a_measure_in_any_spelling() -> None:
    assert gates(["named-sources=0.9", "Unnamed sources (I3)=0"]) == {
        "named sources": 0.9,
        "unnamed sources (I3)": 0.0,
    }


@pytest.mark.parametrize("text", ["sources=0.9", "targets", "targets=x", "targets=1.1", "=1"])
def test_a_gate_that_cannot_be_is_told(text: str) -> None:
    with pytest.raises(InputError, match="--min-f1"):
        gates([text])


def test_gates_that_are_missed_are_told_together() -> None:
    table = list(by_measure([{label("A")}, {label("B", "target")}], [{label("A")}, set()]).values())
    check_gates(table, {"named sources": 1.0})
    with pytest.raises(GateError) as caught:
        check_gates(table, {"targets": 0.5, "named sources": 1.0, "mentions": 0.0})
    assert "targets: F1 0.0000, least 0.5" in caught.value.message
    assert "mentions: nothing labelled" in caught.value.message
    assert "named sources" not in caught.value.message
