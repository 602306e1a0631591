import pytest

from annotate.evaluate import Label, Score, labels, scores
from data.catalogue import load
from data.records import Role


def label(dataset: str, role: Role = "source", implied: bool = False) -> Label:
    return Label(dataset, role, implied)


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


def test_names_are_compared_by_catalogue_id() -> None:
    catalogue = load()
    use = {"role": "source", "implied": False}
    spelled = labels([use | {"dataset": "ILSVRC 2012"}, use | {"dataset": "My Set"}], catalogue)
    assert {one.dataset for one in spelled} == {"ImageNet", "myset"}
