"""Only gold decisions may estimate quality."""

from datetime import timedelta
from typing import Any

import pytest
from builders import NOW, decision

from data.errors import InputError
from data.gold import GoldLabels
from data.records import QUEUES, Decision


def gold(uid: str, verdict: str = "done", **fields: Any) -> Decision:
    plain = {"queue": "gold", "blind": True, "proposed_dataset": None, "proposed_role": None}
    return decision(uid, verdict, **(plain | fields))


def labels(*decisions: Decision) -> GoldLabels:
    return GoldLabels(decisions, {"W1": "s", "W2": "s"}, {"s": 10})


@pytest.mark.parametrize("queue", [None, *(q for q in QUEUES if q not in ("gold", "adjudicate"))])
def test_a_decision_of_another_queue_is_refused(queue: str | None) -> None:
    with pytest.raises(InputError, match="only gold decisions may estimate quality"):
        labels(gold("a"), decision("b", "accept", queue=queue))


def test_a_gold_decision_must_be_blind_and_drawn() -> None:
    with pytest.raises(InputError, match="not made blind"):
        labels(gold("a", blind=False))
    with pytest.raises(InputError, match="W9, which was not drawn"):
        labels(gold("a", work_id="W9"))


def test_a_paper_counts_once_two_people_have_closed_it() -> None:
    add = {"dataset": "COCO", "role": "target"}
    one = [gold("a", "add", **add), gold("b")]
    assert labels(*one).papers() == []
    assert labels(*one, gold("c")).papers() == []  # the same person again
    two = [*one, gold("d", "add", reviewer="bob", **add), gold("e", reviewer="bob")]
    (paper,) = labels(*two).papers()
    assert (paper.uses, paper.readers, paper.weight) == (
        {("COCO", "target")},
        ("ann", "bob"),
        10.0,
    )
    assert labels(*two, gold("f", "undo", undoes="e", reviewer="bob")).papers() == []


def closed_by(reviewer: str, *datasets: str) -> list[Decision]:
    """A person adds these as targets and closes the paper."""
    adds = [
        gold(f"{reviewer}{dataset}", "add", reviewer=reviewer, dataset=dataset, role="target")
        for dataset in datasets
    ]
    return [*adds, gold(f"{reviewer}done", reviewer=reviewer)]


def test_where_readers_differ_the_paper_is_as_each_of_them_has_it() -> None:
    (paper,) = labels(
        *closed_by("ann", "COCO", "DRIVE"), *closed_by("bob", "COCO", "ISIC")
    ).papers()
    coco, drive, isic = (("COCO", "target"), ("DRIVE", "target"), ("ISIC", "target"))
    assert (paper.uses, paper.disputed) == ({coco}, {drive, isic})
    assert paper.readings == ({coco, drive}, {coco, isic})
    (paper,) = labels(*closed_by("ann", "COCO"), *closed_by("bob", "COCO")).papers()
    assert paper.readings == ({coco},)


def test_who_has_not_closed_a_paper_yet_does_not_tip_the_majority() -> None:
    differ = [*closed_by("ann", "COCO"), *closed_by("bob")]
    begun = gold("c", "add", reviewer="cat", dataset="COCO", role="target")
    (paper,) = labels(*differ, begun).papers()
    assert paper.disputed == {("COCO", "target")}
    (paper,) = labels(*differ, begun, gold("d", reviewer="cat")).papers()
    assert (paper.uses, paper.disputed) == ({("COCO", "target")}, set())


def test_the_last_adjudicator_settles_what_readers_differ_on() -> None:
    differ = [*closed_by("ann", "COCO"), *closed_by("bob")]
    asked = {"queue": "adjudicate", "proposed_dataset": "COCO", "proposed_role": "target"}
    first = gold("x", "accept", reviewer="dan", **asked)
    last = gold("y", "reject", reviewer="eve", at=NOW + timedelta(hours=1), **asked)
    (paper,) = labels(*differ, first).papers()
    assert paper.readings == ({("COCO", "target")},)
    (paper,) = labels(*differ, last, first).papers()
    assert (paper.uses, paper.disputed, paper.readings) == (set(), set(), (set(),))
