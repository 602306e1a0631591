"""Agreement of reviewers, against figures worked by hand or printed in the source."""

from datetime import timedelta
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from builders import NOW, decision, survey, use, work

from annotate.agreement import alpha
from annotate.reviewers import Agreement, Reviewers, survey_reviewers
from data.corpus import Corpus
from data.records import Decision


def coincidences(units: list[list[int]]) -> np.ndarray:
    table = np.zeros((5, 5))
    for values in units:
        for a, b in permutations(values, 2):
            table[a - 1, b - 1] += 1 / (len(values) - 1)
    return table


def test_alpha_is_krippendorffs_own_example() -> None:
    # "Computing Krippendorff's Alpha-Reliability" (2011), section C: 4 observers, 12 units,
    # missing data, nominal: 0.743.
    units = [
        [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
        [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
    ]  # fmt: skip
    assert float(alpha(coincidences(units[:-1]))) == pytest.approx(0.743, abs=5e-4)


def test_alpha_is_one_zero_or_undefined_at_its_ends() -> None:
    assert float(alpha(coincidences([[1, 1], [2, 2]]))) == 1.0
    assert np.isnan(alpha(coincidences([[1, 1], [1, 1]])))
    assert float(alpha(coincidences([[1, 2], [2, 1]]))) < 0


def corpus_of(path: Path, *decisions: Decision, n: int = 4) -> Corpus:
    works = [work(f"W{k}") for k in range(n)]
    corpus = survey(path, works, [use(w.id) for w in works])
    with corpus.journal() as journal:
        journal.decide(decisions)
    return corpus


def said(who: str, verdicts: str, **fields: object) -> list[Decision]:
    kinds = {"a": "accept", "r": "reject"}
    right = {"a": {"dataset": "ImageNet", "role": "source"}, "r": {}}
    return [
        decision(f"{who}{k}", kinds[v], reviewer=who, work_id=f"W{k}", **right[v], **fields)
        for k, v in enumerate(verdicts)
        if v in kinds
    ]


def told(corpus: Corpus) -> Reviewers:
    with corpus.connect() as db:
        return survey_reviewers(db, resamples=200)


def of(found: Reviewers, name: str) -> Agreement:
    return next(each for each in found.agreement if each.of == name)


def test_two_people_on_four_claims(tmp_path: Path) -> None:
    found = told(corpus_of(tmp_path, *said("ann", "aaar"), *said("bob", "aarr")))
    all_ = of(found, "role of a dataset")
    assert (all_.n, all_.n_papers, all_.n_pairs, all_.n_same, all_.share) == (4, 4, 4, 3, 0.75)
    # Seen 3/4, chance (3/4)(2/4) + (1/4)(2/4) = 1/2.
    assert all_.kappa == pytest.approx(0.5)
    # Coincidences: 8 values, 5 source and 3 absent; seen 2/8 differ, chance 30/56.
    assert all_.alpha == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert all_.alpha_interval is not None
    assert all_.alpha_interval[0] <= all_.alpha <= all_.alpha_interval[1]
    assert of(found, "source or not").kappa == pytest.approx(0.5)
    assert of(found, "role of ImageNet").n == 4
    (table,) = found.confusion
    assert (table.first, table.second, table.categories) == ("ann", "bob", ["absent", "source"])
    assert table.table == [[1, 0], [1, 2]]


def test_three_people_count_by_pairs(tmp_path: Path) -> None:
    found = told(
        corpus_of(tmp_path, *said("ann", "aarr"), *said("bob", "aarr"), *said("cy", "ar.."))
    )
    all_ = of(found, "role of a dataset")
    assert (all_.n, all_.n_pairs, all_.n_same) == (4, 4 + 2 + 2, 4 + 1 + 1)
    # ann and bob agree fully; each with cy 0: one of two the same, all by chance.
    assert all_.kappa == pytest.approx((1 + 0 + 0) / 3)


def test_adjudicators_repeats_and_the_lonely_do_not_count(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path,
        *said("ann", "a"),
        *said("eve", "r", queue="adjudicate"),
        *said("bob", ".a", queue="recheck"),
    )
    assert told(corpus).agreement == []


def test_blind_agreement_is_told_apart(tmp_path: Path) -> None:
    closing = {"proposed_dataset": None, "proposed_role": None, "queue": "gold", "blind": True}
    gold = [decision(f"g{who}", "done", reviewer=who, **closing) for who in ("ann", "bob")]
    found = told(corpus_of(tmp_path, *gold, *said("ann", "a"), *said("bob", "r")))
    both, blind = of(found, "role of a dataset"), of(found, "role of a dataset, gold (blind)")
    assert (both.n, both.n_same) == (2, 1)
    assert (blind.n, blind.n_same) == (1, 1)  # neither found ImageNet in W1


def test_a_repeat_is_compared_with_what_was_said_first(tmp_path: Path) -> None:
    again = [
        decision(
            f"r{k}",
            verdict,
            work_id=f"W{k}",
            queue="recheck",
            at=NOW + timedelta(1),
            dataset="ImageNet" if verdict == "accept" else None,
            role="source" if verdict == "accept" else None,
        )
        for k, verdict in enumerate(["accept", "reject", "reject"])
    ]
    (found,) = told(corpus_of(tmp_path, *said("ann", "aar"), *again)).repeats
    assert (found.reviewer, found.n, found.n_same) == ("ann", 3, 2)


def test_the_pace_is_a_median_by_queue(tmp_path: Path) -> None:
    made = [
        decision(f"p{k}", "accept", work_id=f"W{k}", shown_ms=ms, queue="uncertain")
        for k, ms in enumerate([1000, 2000, 9000])
    ]
    (pace,) = told(corpus_of(tmp_path, *made)).pace
    assert (pace.queue, pace.n, pace.median_s) == ("uncertain", 3, 2.0)


def test_the_pace_counts_what_stands_and_says_something(tmp_path: Path) -> None:
    shown = {"shown_ms": 3000, "queue": "adjudicate"}
    corpus = corpus_of(
        tmp_path,
        decision("a", "reject", **shown),
        decision("b", "skip", work_id="W1", **shown),
        decision("c", "reject", work_id="W2", **shown),
        decision("d", "undo", work_id="W2", undoes="c"),
    )
    (pace,) = told(corpus).pace
    assert (pace.queue, pace.n) == ("adjudicate", 1)


def test_nobody_gives_nothing(tmp_path: Path) -> None:
    assert told(survey(tmp_path)).as_json() == {
        "agreement": [],
        "confusion": [],
        "repeats": [],
        "pace": [],
    }
