from datetime import timedelta
from typing import Any

import pyarrow as pa
from builders import NOW, decision, use, work
from hypothesis import given
from hypothesis import strategies as st

from data.claims import citing, claims
from data.records import Claim, Decision, Use, Work, from_table, to_table


def found(uses: list[Use], decisions: list[Decision] | None = None) -> dict[tuple[str, str], Any]:
    table = claims(to_table(Use, uses), to_table(Decision, decisions or []))
    return {(claim.dataset, claim.role): claim for claim in from_table(Claim, table)}


def test_uses_of_one_dataset_and_role_are_one_claim() -> None:
    claim = found([use(score=0.6), use(score=0.9, implied=True)])["ImageNet", "source"]
    assert (claim.uses, claim.score, claim.named, claim.implied) == (2, 0.9, True, True)
    assert claim.state == "machine"


def test_a_person_overrides_the_annotator() -> None:
    accepted = found([use(score=0.6)], [decision("a", "accept")])["ImageNet", "source"]
    assert (accepted.state, accepted.score) == ("accepted", 1.0)
    rejected = found([use(score=0.6)], [decision("a", "reject")])["ImageNet", "source"]
    assert (rejected.state, rejected.score) == ("rejected", 0.0)


def test_an_edit_rejects_what_was_proposed_and_adds_what_is_right() -> None:
    edit = decision("a", "edit", dataset="CheXpert", role="target")
    both = found([use()], [edit])
    assert both["ImageNet", "source"].state == "rejected"
    assert both["CheXpert", "target"].state == "added"


def test_the_latest_decision_counts() -> None:
    later = decision("b", "accept", at=NOW + timedelta(minutes=1))
    for decisions in ([decision("a", "reject"), later], [later, decision("a", "reject")]):
        assert found([use()], decisions)["ImageNet", "source"].state == "accepted"


def test_an_undone_decision_never_was() -> None:
    undo = decision("b", "undo", undoes="a", at=NOW + timedelta(minutes=1))
    assert found([use()], [decision("a", "reject"), undo])["ImageNet", "source"].state == "machine"


def test_a_skip_decides_nothing() -> None:
    assert found([use()], [decision("a", "skip")])["ImageNet", "source"].state == "machine"


def test_an_added_claim_stands_without_a_use() -> None:
    added = decision(
        "a", "add", proposed_dataset=None, proposed_role=None, dataset="COCO", role="source"
    )
    claim = found([], [added])["COCO", "source"]
    assert (claim.state, claim.uses, claim.score) == ("added", 0, 1.0)


def test_decisions_outlive_the_uses_they_spoke_of() -> None:
    assert found([], [decision("a", "reject")])["ImageNet", "source"].state == "rejected"


def test_nothing_gives_nothing() -> None:
    assert found([]) == {}


PAPERS = pa.table({"dataset": ["ImageNet", "ImageNet", "COCO"], "work_id": ["W91", "W92", "W93"]})


def witnessed(
    uses: list[Use], works: list[Work], decisions: list[Decision] | None = None
) -> dict[tuple[str, str, str], tuple[bool | None, str | None]]:
    table = claims(
        to_table(Use, uses),
        to_table(Decision, decisions or []),
        works=to_table(Work, works),
        papers=PAPERS,
    )
    return {
        (claim.work_id, claim.dataset, claim.role): (claim.cited, claim.presence)
        for claim in from_table(Claim, table)
    }


def test_the_references_are_a_second_witness() -> None:
    works = [work("W1", references=("W5", "W92")), work("W2", references=("W5",)), work("W3")]
    uses = [use("W1"), use("W1", role="mention"), use("W2"), use("W3"), use("W1", "BraTS")]
    assert witnessed(uses, works) == {
        ("W1", "ImageNet", "source"): (True, "both"),
        ("W1", "ImageNet", "mention"): (True, "both"),
        ("W2", "ImageNet", "source"): (False, "named"),
        ("W3", "ImageNet", "source"): (None, "named"),  # without references nothing is known
        ("W1", "BraTS", "source"): (None, "named"),  # nor without the dataset's paper
    }


def test_what_a_model_implies_is_cited_or_neither() -> None:
    works = [work("W1", references=("W91",)), work("W2", references=("W5",))]
    uses = [use("W1", implied=True), use("W2", implied=True)]
    assert witnessed(uses, works) == {
        ("W1", "ImageNet", "source"): (True, "cited"),
        ("W2", "ImageNet", "source"): (False, None),
    }


def test_what_a_person_added_may_be_cited() -> None:
    added = decision(
        "a", "add", proposed_dataset=None, proposed_role=None, dataset="COCO", role="source"
    )
    works = [work("W1", references=("W93",))]
    assert witnessed([], works, [added]) == {("W1", "COCO", "source"): (True, "cited")}


def test_a_citation_alone_makes_no_claim() -> None:
    works = [work("W1", references=("W93",)), work("W2", references=("W91", "W92"))]
    assert witnessed([], works) == {}
    assert citing(to_table(Work, works), PAPERS).to_pylist() == [
        {"work_id": "W1", "dataset": "COCO"},
        {"work_id": "W2", "dataset": "ImageNet"},
    ]


_IDS = st.sampled_from(["W91", "W92", "W93", "W5"])


@given(
    st.lists(st.tuples(_IDS), max_size=3)
    | st.lists(st.tuples(_IDS, _IDS) | st.tuples(), min_size=3, max_size=3),
    st.lists(
        st.tuples(
            st.sampled_from(["W0", "W1", "W2"]),
            st.sampled_from(["ImageNet", "COCO", "BraTS"]),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_presence_is_order_free_and_both_is_named_and_cited(
    references: list[tuple[str, ...]], named: list[tuple[str, str, bool]], rng: Any
) -> None:
    works = [work(f"W{n}", references=ids) for n, ids in enumerate(references)]
    uses = [use(paper, dataset, implied=implied) for paper, dataset, implied in named]

    def made() -> list[Claim]:
        papers = PAPERS.take(rng.sample(range(3), 3))
        table = claims(
            to_table(Use, uses),
            to_table(Decision, []),
            works=to_table(Work, works),
            papers=papers,
        )
        return list(from_table(Claim, table))

    first = made()
    rng.shuffle(works)
    rng.shuffle(uses)
    assert made() == first
    for claim in first:
        assert (claim.presence == "both") == (claim.named and claim.cited is True)
        assert (claim.presence == "named") == (claim.named and claim.cited is not True)
        assert (claim.presence == "cited") == (not claim.named and claim.cited is True)


# --- several people ---------------------------------------------------------------------------


def told(*verdicts: str, **fields: Any) -> list[Decision]:
    """One person after the other on the same proposal."""
    return [
        decision(
            f"{number}{verdict}",
            verdict,
            reviewer=f"person {number}",
            dataset="ImageNet" if verdict == "accept" else None,
            role="source" if verdict == "accept" else None,
            at=NOW + timedelta(minutes=number),
            **fields,
        )
        for number, verdict in enumerate(verdicts)
    ]


def test_where_people_differ_most_of_them_count_and_at_a_tie_the_annotator() -> None:
    def claim(*verdicts: str) -> tuple[str, float]:
        one = found([use(score=0.6)], told(*verdicts))["ImageNet", "source"]
        return one.state, one.score

    assert claim("accept", "reject") == claim("reject", "accept") == ("disputed", 0.6)
    assert claim("accept", "reject", "reject") == ("rejected", 0.0)
    assert claim("reject", "accept", "accept") == ("accepted", 1.0)


def test_a_tie_on_what_the_annotator_lacks_makes_no_use() -> None:
    added = decision(
        "a", "add", proposed_dataset=None, proposed_role=None, dataset="COCO", role="source"
    )
    denied = decision("b", "reject", proposed_dataset="COCO", reviewer="bob")
    claim = found([], [added, denied])["COCO", "source"]
    assert (claim.state, claim.score) == ("disputed", 0.0)


def test_an_adjudicator_has_the_last_word_and_may_change_it() -> None:
    people = told("accept", "accept", "accept")
    first = decision("x", "reject", reviewer="eve", queue="adjudicate")
    assert found([use()], [first, *people])["ImageNet", "source"].state == "rejected"
    right = {"dataset": "ImageNet", "role": "source"}
    second = decision(
        "y", "accept", reviewer="eve", queue="adjudicate", at=NOW + timedelta(1), **right
    )
    assert found([use()], [second, first, *people])["ImageNet", "source"].state == "accepted"


def test_a_repeat_decides_nothing() -> None:
    again = decision("z", "reject", reviewer="person 0", queue="recheck", at=NOW + timedelta(1))
    claim = found([use()], [*told("accept"), again])["ImageNet", "source"]
    assert claim.state == "accepted"


def test_a_closed_gold_paper_has_the_uses_that_were_added_and_no_other() -> None:
    gold: dict[str, Any] = {"queue": "gold", "proposed_dataset": None, "proposed_role": None}
    added = decision("a", "add", dataset="BraTS", role="target", **gold)
    open_ = found([use(), use(dataset="BraTS", role="target")], [added])
    assert open_["ImageNet", "source"].state == "machine"
    closed = found(
        [use(), use(dataset="BraTS", role="target")], [added, decision("b", "done", **gold)]
    )
    assert closed["ImageNet", "source"].state == "rejected"
    assert closed["BraTS", "target"].state == "accepted"
    paper = decision("c", "done", **(gold | {"queue": "paper"}))
    assert found([use()], [paper])["ImageNet", "source"].state == "machine"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["accept", "reject", "edit", "add", "done", "skip"]),
            st.sampled_from(["ann", "bob", "cy"]),
            st.sampled_from(["gold", "uncertain", "adjudicate", "recheck", None]),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_claims_do_not_depend_on_the_order_of_the_rows(
    said: list[tuple[str, str, str | None]], rng: Any
) -> None:
    right = {"dataset": "ImageNet", "role": "mention"}
    decisions = [
        decision(
            f"u{number}", verdict, reviewer=who, queue=queue, at=NOW + timedelta(number), **right
        )
        for number, (verdict, who, queue) in enumerate(said)
    ]
    first = found([use()], decisions)
    rng.shuffle(decisions)
    assert found([use()], decisions) == first
    assert set(first) <= {("ImageNet", "source"), ("ImageNet", "mention")}
    assert all(0 <= claim.score <= 1 for claim in first.values())
