"""What people make of uses: which claim to show next, and the decision on it. Pure.

A proposal is a claim of the annotator that nobody has decided on yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from data.records import Decision, Role, Verdict
from data.trends import survey_claims

CODEBOOK = "1.1"  # version of annotate/codebook.md
Order = Literal["random", "uncertain"]

# Random, but the same for everybody and every day: the order of a hash.
_WAITING = """
SELECT claims.work_id, claims.dataset, claims.role, claims.score,
       (SELECT any_value(annotator) FROM uses WHERE uses.work_id = claims.work_id) AS annotator
FROM claims ANTI JOIN skipped
    ON skipped.work_id = claims.work_id AND skipped.proposed_dataset = claims.dataset
    AND skipped.proposed_role = claims.role
WHERE claims.state = 'machine' AND claims.work_id IN (SELECT id FROM papers)
ORDER BY CASE WHEN $order = 'uncertain' THEN abs(claims.score - 0.5) ELSE 0 END,
         md5(claims.work_id), claims.work_id, claims.dataset, claims.role
LIMIT $limit
"""
_SKIPPED = """CREATE OR REPLACE TEMP VIEW skipped AS SELECT * FROM decisions
    WHERE verdict = 'skip' AND uid NOT IN (
        SELECT undoes FROM decisions WHERE verdict = 'undo' AND undoes IS NOT NULL)"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """This paper uses this dataset in this role, says the annotator; nobody has decided yet."""

    work_id: str
    dataset: str
    role: Role
    score: float
    annotator: str | None


def waiting(
    db: duckdb.DuckDBPyConnection, *, reviewer: str, order: Order = "random", limit: int = 30
) -> list[Proposal]:
    """The proposals to show next, first one first.

    What the reviewer skipped does not come again; what somebody decided is no proposal any more.

    Args:
        db: a connection from `Corpus.connect`.
        order: 'random' (the same for everybody), or 'uncertain': scores near 0.5 first.
    """
    claims, works = survey_claims(db)
    db.register("claims", claims)
    db.register("papers", works)
    name = reviewer.replace("'", "''")
    db.execute(f"{_SKIPPED} AND reviewer = '{name}'")
    rows = db.execute(_WAITING, {"order": order, "limit": limit}).fetchall()
    return [Proposal(*row) for row in rows]


def n_waiting(db: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """How many claims of the survey wait for a decision, and how many have one."""
    claims, _ = survey_claims(db)
    states = claims["state"].to_pylist()
    undecided = states.count("machine")
    return undecided, len(states) - undecided


def decide(
    proposal: Proposal,
    verdict: Verdict,
    *,
    uid: str,
    reviewer: str,
    now: datetime,
    dataset: str | None = None,
    role: Role | None = None,
    note: str | None = None,
    shown_ms: int | None = None,
) -> Decision:
    """The decision on a proposal.

    Args:
        verdict: accept, reject, edit or skip.
        uid: unique, made where the key was pressed, so that a repeated one counts once.
        now: UTC.
        dataset: of an edit, what it is in truth.
        role: of an edit, likewise.
        shown_ms: how long the proposal was on the screen.
    """
    if verdict == "accept":
        dataset, role = proposal.dataset, proposal.role
    return Decision(
        uid=uid,
        work_id=proposal.work_id,
        proposed_dataset=proposal.dataset,
        proposed_role=proposal.role,
        verdict=verdict,
        dataset=dataset,
        role=role,
        note=note or None,
        reviewer=reviewer,
        codebook=CODEBOOK,
        annotator=proposal.annotator,
        score=proposal.score,
        shown_ms=shown_ms,
        at=now,
    )


def undo(
    decisions: Iterable[Decision], *, uid: str, reviewer: str, now: datetime
) -> Decision | None:
    """The decision that takes back this reviewer's last standing one; None if there is none.

    Args:
        decisions: all of the survey, oldest first.
    """
    own = [decision for decision in decisions if decision.reviewer == reviewer]
    undone = {decision.undoes for decision in own}
    standing = [d for d in own if d.verdict != "undo" and d.uid not in undone]
    if not standing:
        return None
    last = standing[-1]
    return Decision(
        uid=uid,
        work_id=last.work_id,
        proposed_dataset=last.proposed_dataset,
        proposed_role=last.proposed_role,
        verdict="undo",
        undoes=last.uid,
        reviewer=reviewer,
        codebook=CODEBOOK,
        at=now,
    )
