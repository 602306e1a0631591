"""Only gold decisions may estimate quality."""

from typing import Any

import pytest
from builders import decision

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
