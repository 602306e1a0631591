from datetime import timedelta
from typing import Any

from builders import NOW, decision, use

from data.claims import claims
from data.records import Claim, Decision, Use, from_table, to_table


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
