"""What people make of uses: which item to show next, and the event that a key press is.

`queue` gives the items, `record` stores what came back; the journal is append-only, so an undo is
an event too. A screen (the panel, the terminal) shows items and sends presses:

    {"uid": made where the key was pressed, so that one sent twice counts once,
     "token": the item's, as it came,
     "verdict": one of those below,
     "dataset", "role": of an edit what is right (what is absent stays as proposed), of an add both,
     "section", "order", "start", "end": of an add, where the selected words stand; all or none,
     "note": free text, with any verdict,
     "shown_ms": how long the item was on the screen,
     "undoes": of an undo the uid that it takes back; absent: this reviewer's last standing one}

| verdict | of what | means |
|---|---|---|
| accept, reject | claim, name | as proposed, or not |
| edit | claim, name | it is rather `dataset` as `role` |
| add | claim, paper | the paper also uses `dataset` as `role`; once for the same words |
| done | paper | nothing is missing; a gold paper is closed by it, with the adds alone as its uses |
| skip | any | it does not come again to this reviewer |
| note | any | a remark, and the item stays |
| undo | | takes one of one's own events back; its token is not needed |

A paper of queue `paper` has one item a claim in `claims`, each with its own token, and is closed by
`done`. A press that cannot be understood is refused with a reason and must not be sent again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias, cast

import duckdb

from data.catalogue import add, key, load, own_table, own_tables, remove
from data.claims import votes
from data.corpus import Corpus
from data.errors import InputError
from data.gold import READERS
from data.journal import Journal
from data.records import (
    CODEBOOK,
    ROLES,
    SECTIONS,
    VERDICTS,
    Candidate,
    Decision,
    Queue,
    Role,
    Section,
    Use,
    Verdict,
    from_table,
)
from data.unknown import survey_unknown_names

Shown: TypeAlias = Queue  # every queue can be asked for by its name
OVERLAP = 0.1  # share of claims that two people look at
REPEATS = 0.05  # share of one's decisions that come again unannounced ...
_REPEAT_AFTER = 30  # ... once so many others have been made
_POOL = 50  # so many times the limit are looked at to put together what one paper has


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one person says of a claim in dispute, and of its paper besides.

    Args:
        decision: that says yes or no to the claim, or skips it.
        also: those by which the person says yes to other uses in the paper, oldest first.
        noted: all of the person's standing ones on the paper that have a note, oldest first.
    """

    decision: Decision
    also: tuple[Decision, ...] = ()
    noted: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to show: a claim, a whole paper (no dataset), or a name that is in no catalogue.

    Args:
        queue: that it is shown for; a hidden repeat carries the name of the queue it is mixed into.
        dataset, role: what is proposed; None for a paper.
        score: of the proposal; None where it is hidden or there is none.
        annotator: name@version of the proposal; None where a person proposed it.
        blind: proposals and scores must not be shown.
        uses: what to mark, surest first; of a paper all; none of a blind one.
        claims: of a paper in queue `paper`, its claims, each an item of its own.
        name: of a new name, where it stands; `n_papers` says in how many papers.
        own: this reviewer's standing events on the paper, oldest first.
        others: to an adjudicator, what each person says; else none.
        stratum, weight: of a gold paper.
    """

    queue: Queue
    work_id: str
    dataset: str | None = None
    role: Role | None = None
    score: float | None = None
    annotator: str | None = None
    blind: bool = False
    stratum: str | None = None
    weight: float | None = None
    is_repeat: bool = field(default=False, repr=False)
    uses: tuple[Use, ...] = ()
    claims: tuple[Item, ...] = ()
    name: Candidate | None = None
    n_papers: int | None = None
    own: tuple[Decision, ...] = ()
    others: tuple[Opinion, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same thing, whatever the queue and the day."""
        return f"{self.work_id}|{self.dataset or ''}|{self.role or ''}"

    @property
    def is_closed(self) -> bool:
        """This reviewer has closed it: a whole paper that he looks at again."""
        return any(made.verdict == "done" and made.queue == self.queue for made in self.own)

    @property
    def token(self) -> str:
        """What a press must bring back; opaque, so that a repeat looks like any other item."""
        kept = {name: getattr(self, name) for name in _IN_TOKEN}
        kept["queue"] = "recheck" if self.is_repeat else self.queue
        return base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()


_IN_TOKEN = (
    "queue", "work_id", "dataset", "role", "score", "annotator", "blind", "stratum", "weight",
)  # fmt: skip


def item_of(token: str) -> Item:
    """The item whose token it is, without what is only shown.

    Raises:
        InputError: it is no token.
    """
    try:
        kept = json.loads(base64.urlsafe_b64decode(token.encode()))
        item = Item(**kept)
    except (ValueError, TypeError) as e:
        raise InputError(f"{token!r:.60} is no item's token; reload the page") from e
    is_repeat = item.queue == "recheck"
    return replace(item, is_repeat=is_repeat)


# --- queues -----------------------------------------------------------------------------------

_BASE = """
WITH standing AS (
    SELECT * FROM decisions WHERE verdict NOT IN ('undo', 'note')
    AND uid NOT IN (SELECT undoes FROM decisions WHERE verdict = 'undo' AND undoes IS NOT NULL)
), mine AS (
    SELECT * FROM standing WHERE reviewer = $reviewer
), seen AS (
    SELECT DISTINCT work_id, proposed_dataset AS dataset, proposed_role AS role FROM mine
    WHERE proposed_dataset IS NOT NULL
), papers AS (
    SELECT id AS work_id FROM included SEMI JOIN annotated ON included.id = annotated.work_id
), readers AS (
    SELECT work_id, count(DISTINCT reviewer) AS n FROM standing
    WHERE verdict = 'done' AND queue = 'gold' GROUP BY 1
), open_gold AS (
    SELECT work_id FROM sample LEFT JOIN readers USING (work_id) WHERE coalesce(n, 0) < $readers
), proposed AS (
    SELECT work_id, dataset, role, max(score) AS score, any_value(annotator) AS annotator
    FROM uses SEMI JOIN papers USING (work_id) GROUP BY ALL
), tally AS (
    SELECT work_id, dataset, role, count(DISTINCT reviewer) AS n,
           count(*) FILTER (yes) AS n_yes, count(*) FILTER (NOT yes) AS n_no,
           bool_or(reviewer = $reviewer) AS by_me, bool_or(adjudicates) AS is_settled
    FROM votes GROUP BY ALL
), taken_back AS (
    SELECT work_id, proposed_dataset AS dataset, proposed_role AS role, max("at") AS "at"
    FROM decisions WHERE reviewer = $reviewer AND verdict = 'undo' GROUP BY ALL
), people AS (
    SELECT DISTINCT reviewer FROM decisions UNION SELECT $reviewer
)"""

# A number in [0, 1) that is the same for everybody and every day.
_CHANCE = "(md5_number_lower({}) % 1000000) / 1000000.0"

_UNCERTAIN = f"""
waiting AS (
    SELECT proposed.*, CASE WHEN {_CHANCE.format("concat_ws('|', work_id, dataset, role)")}
           < $overlap THEN 2 ELSE 1 END AS wanted, coalesce(n, 0) AS n
    FROM proposed LEFT JOIN tally USING (work_id, dataset, role)
    ANTI JOIN seen USING (work_id, dataset, role)
    ANTI JOIN open_gold USING (work_id)
    WHERE NOT coalesce(by_me, FALSE) AND NOT coalesce(is_settled, FALSE)
), left_over AS (
    SELECT * FROM waiting WHERE n < wanted
), pool AS (
    SELECT * FROM left_over ORDER BY abs(score - 0.5), md5(work_id), dataset, role LIMIT $pool
), shares AS (
    SELECT pool.*, people.reviewer, rank() OVER (
        PARTITION BY work_id, dataset, role
        ORDER BY md5(concat_ws('|', work_id, dataset, role, people.reviewer))) <= wanted AS is_mine
    FROM pool CROSS JOIN people
), own AS (
    SELECT * FROM shares WHERE reviewer = $reviewer
)
SELECT work_id, dataset, role, score, annotator FROM own
LEFT JOIN taken_back USING (work_id, dataset, role)
ORDER BY taken_back."at" DESC NULLS LAST, NOT is_mine,
         min(abs(score - 0.5)) OVER (PARTITION BY work_id, is_mine), md5(work_id), work_id,
         abs(score - 0.5), dataset, role
LIMIT $limit"""

_DISAGREE = """
waiting AS (
    SELECT work_id, dataset, role, score, annotator
    FROM tally LEFT JOIN proposed USING (work_id, dataset, role)
    ANTI JOIN seen USING (work_id, dataset, role)
    ANTI JOIN open_gold USING (work_id)
    SEMI JOIN papers USING (work_id)
    WHERE NOT by_me AND NOT is_settled AND (
        n_yes = n_no OR (n = 1 AND (n_yes = 1) <> (coalesce(score, 0) >= 0.5)))
)
SELECT waiting.* FROM waiting LEFT JOIN taken_back USING (work_id, dataset, role)
ORDER BY taken_back."at" DESC NULLS LAST, md5(work_id), work_id, dataset, role LIMIT $limit"""

_ADJUDICATE = """
waiting AS (
    SELECT work_id, dataset, role, score, annotator
    FROM tally LEFT JOIN proposed USING (work_id, dataset, role)
    ANTI JOIN seen USING (work_id, dataset, role)
    ANTI JOIN open_gold USING (work_id)
    SEMI JOIN papers USING (work_id)
    WHERE NOT by_me AND NOT is_settled AND n_yes > 0 AND n_no > 0
)
SELECT waiting.* FROM waiting LEFT JOIN taken_back USING (work_id, dataset, role)
ORDER BY taken_back."at" DESC NULLS LAST, md5(work_id), work_id, dataset, role LIMIT $limit"""

_GOLD = """
left_by_me AS (
    SELECT work_id FROM mine WHERE queue = 'gold' AND verdict IN ('done', 'skip')
), waiting AS (
    SELECT work_id, stratum, weight, place FROM sample SEMI JOIN papers USING (work_id)
    WHERE CASE WHEN $work_id IS NULL
          THEN work_id IN (FROM open_gold) AND work_id NOT IN (FROM left_by_me)
          ELSE work_id = $work_id AND work_id IN (FROM open_gold UNION FROM left_by_me) END
)
SELECT waiting.* FROM waiting
LEFT JOIN (SELECT * FROM taken_back WHERE dataset IS NULL) AS again USING (work_id)
ORDER BY again."at" DESC NULLS LAST, place LIMIT $limit"""

_PAPER = """
waiting AS (
    SELECT work_id, min(abs(coalesce(proposed.score, 0.5) - 0.5)) AS doubt
    FROM papers LEFT JOIN proposed USING (work_id)
    WHERE work_id = $work_id OR ($work_id IS NULL
        AND work_id NOT IN (SELECT work_id FROM open_gold)
        AND work_id NOT IN (
            SELECT work_id FROM mine WHERE queue = 'paper' AND verdict IN ('done', 'skip'))
        AND work_id IN (SELECT work_id FROM proposed))
    GROUP BY 1
)
SELECT work_id FROM waiting
LEFT JOIN (SELECT * FROM taken_back WHERE dataset IS NULL) AS again USING (work_id)
ORDER BY again."at" DESC NULLS LAST, doubt, md5(work_id), work_id LIMIT $limit"""

# One in twenty of what one decided on a proposal, some time ago, and has not seen again.
_REPEATED = f"""
numbered AS (
    SELECT *, row_number() OVER (ORDER BY "at" DESC, uid DESC) AS ago FROM mine
    WHERE queue IS DISTINCT FROM 'recheck'
)
SELECT work_id, proposed_dataset AS dataset, proposed_role AS role, score, annotator
FROM numbered
WHERE verdict IN ('accept', 'reject', 'edit') AND ago > {_REPEAT_AFTER}
  AND queue IS DISTINCT FROM 'new-name' AND queue IS DISTINCT FROM 'adjudicate'
  AND {_CHANCE.format("uid")} < {REPEATS}
  AND (work_id, proposed_dataset, proposed_role) NOT IN (
      SELECT (work_id, proposed_dataset, proposed_role) FROM mine WHERE queue = 'recheck')
ORDER BY "at", uid LIMIT $limit"""

_SQL: Mapping[str, str] = {
    "uncertain": _UNCERTAIN,
    "disagree": _DISAGREE,
    "adjudicate": _ADJUDICATE,
    "gold": _GOLD,
    "paper": _PAPER,
    "recheck": _REPEATED,
}


def queue(
    db: duckdb.DuckDBPyConnection,
    *,
    name: Shown,
    reviewer: str,
    limit: int = 30,
    overlap: float = OVERLAP,
    work_id: str | None = None,
) -> list[Item]:
    """The items to show next, first one first; the same again until something is decided.

    What a reviewer undid comes first. What he decided or skipped does not come again, but for one
    in twenty of his decisions, which `uncertain` repeats without saying so. Papers of the gold
    sample are in no other queue until they are closed, so that nobody has seen a proposal for them.

    Args:
        db: a connection from `Corpus.connect`.
        name: `gold` (papers of the sample, blind, two readers each), `uncertain` (scores nearest
            0.5, claims of one paper together, a share of them for two people), `disagree` (two
            people differ, or one and the annotator), `new-name`, `paper` (everything in it),
            `adjudicate` (both have spoken and differ, and this reviewer has not; `others` has what
            they said), `recheck` (only the repeats).
        overlap: share of claims that two people decide on; the others wait for one.
        work_id: of queue `paper` or `gold`, that one alone, also if this reviewer has closed it.
    """
    if name == "new-name":
        return _names(db, reviewer, limit)
    rows = _rows(db, name, reviewer=reviewer, limit=limit, overlap=overlap, work_id=work_id)
    if name == "uncertain":
        repeats = _rows(db, "recheck", reviewer=reviewer, limit=limit, overlap=overlap)
        rows = _mixed(rows, repeats)[:limit]
    works = sorted({row["work_id"] for row in rows})
    uses, said = _uses(db, works), _said(db, works)
    own = {work: [d for d in all_ if d.reviewer == reviewer] for work, all_ in said.items()}
    items = []
    for row in rows:
        its = uses.get(row["work_id"], [])
        item = Item(queue=name, **{k: v for k, v in row.items() if k != "place"})
        item = replace(item, own=tuple(own.get(item.work_id, ())))
        if name == "gold":
            items.append(replace(item, blind=True))
        elif name == "paper":
            items.append(replace(item, uses=tuple(its), claims=_claims_of(item.work_id, its)))
        else:
            items.append(_with_uses(item, its))
    if name == "adjudicate":
        voted = _votes_on(db, works)
        return [
            replace(item, others=_opinions(item, voted[item.work_id], said[item.work_id]))
            for item in items
        ]
    return items


def _with_uses(item: Item, uses: Sequence[Use]) -> Item:
    own = [use for use in uses if (use.dataset, use.role) == (item.dataset, item.role)]
    return replace(item, uses=tuple(own))


def _claims_of(work_id: str, uses: Sequence[Use]) -> tuple[Item, ...]:
    best: dict[tuple[str, Role], Use] = {}
    for use in uses:
        best.setdefault((use.dataset, use.role), use)
    return tuple(
        _with_uses(Item("paper", work_id, dataset, role, use.score, use.annotator), uses)
        for (dataset, role), use in best.items()
    )


def _mixed(rows: list[dict[str, Any]], repeats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One repeat in each twenty items, at a place that its own work decides."""
    every = round(1 / REPEATS)
    for number, row in enumerate(repeats[: 1 + len(rows) // every]):
        place = number * every + sum(row["work_id"].encode()) % every
        rows.insert(min(place, len(rows)), row | {"is_repeat": True})
    return rows


def _rows(
    db: duckdb.DuckDBPyConnection, name: str, *, reviewer: str, limit: int, **values: Any
) -> list[dict[str, Any]]:
    _register_votes(db)
    given = {"reviewer": reviewer, "readers": READERS, "limit": limit, "pool": _POOL * limit}
    given |= {"work_id": None, "overlap": OVERLAP} | values
    sql = f"{_BASE}, {_SQL[name].lstrip()}"
    asked = {one: value for one, value in given.items() if f"${one}" in sql}
    rows: list[dict[str, Any]] = db.sql(sql, params=asked).to_arrow_table().to_pylist()
    return rows


def _register_votes(db: duckdb.DuckDBPyConnection) -> None:
    inside = "SEMI JOIN included ON id = work_id"
    uses = db.sql(f"SELECT * FROM uses {inside}").to_arrow_table()
    decided = db.sql(f"SELECT * FROM decisions {inside}").to_arrow_table()
    db.register("votes", votes(uses, decided))


def _uses(db: duckdb.DuckDBPyConnection, works: Sequence[str]) -> dict[str, list[Use]]:
    table = db.sql(
        "SELECT * FROM uses WHERE work_id IN (SELECT unnest($works)) "
        'ORDER BY work_id, score DESC, section, "order", start, dataset, role',
        params={"works": list(works)},
    ).to_arrow_table()
    found: dict[str, list[Use]] = {}
    for use in from_table(Use, table):
        found.setdefault(use.work_id, []).append(use)
    return found


def _said(db: duckdb.DuckDBPyConnection, works: Sequence[str]) -> dict[str, list[Decision]]:
    """The standing decisions on works, oldest first."""
    table = db.sql(
        "SELECT * FROM decisions WHERE work_id IN (SELECT unnest($works)) AND verdict <> 'undo' "
        "AND uid NOT IN (SELECT undoes FROM decisions WHERE verdict = 'undo' "
        'AND undoes IS NOT NULL) ORDER BY "at", uid',
        params={"works": list(works)},
    ).to_arrow_table()
    found: dict[str, list[Decision]] = {}
    for decision in from_table(Decision, table):
        found.setdefault(decision.work_id, []).append(decision)
    return found


def _votes_on(
    db: duckdb.DuckDBPyConnection, works: Sequence[str]
) -> dict[str, list[Mapping[str, Any]]]:
    """What readers say of the claims of works; adjudicators are none of them."""
    table = db.sql(
        "SELECT * FROM votes WHERE NOT adjudicates AND work_id IN (SELECT unnest($works))",
        params={"works": list(works)},
    ).to_arrow_table()
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in table.to_pylist():
        found.setdefault(row["work_id"], []).append(row)
    return found


def _opinions(
    item: Item, voted: Iterable[Mapping[str, Any]], said: Sequence[Decision]
) -> tuple[Opinion, ...]:
    """What each person says of an item that is to be adjudicated, first who spoke first.

    Args:
        voted: the votes on the item's paper.
        said: the standing decisions on it, oldest first.
    """
    claim = (item.dataset, item.role)
    on_it: set[str] = set()
    elsewhere: set[str] = set()
    for row in voted:
        if (row["dataset"], row["role"]) == claim:
            on_it.add(row["uid"])
        elif row["yes"]:
            elsewhere.add(row["uid"])
    skipped = [
        made
        for made in said
        if made.verdict == "skip" and (made.proposed_dataset, made.proposed_role) == claim
    ]
    words = {made.reviewer: made for made in skipped}
    words |= {made.reviewer: made for made in said if made.uid in on_it}
    return tuple(
        Opinion(
            word,
            also=tuple(d for d in said if d.reviewer == who and d.uid in elsewhere - {word.uid}),
            noted=tuple(d for d in said if d.reviewer == who and d.note),
        )
        for who, word in sorted(words.items(), key=lambda each: (each[1].at, each[1].uid))
    )


def _names(db: duckdb.DuckDBPyConnection, reviewer: str, limit: int) -> list[Item]:
    """Names that nobody has decided on and this reviewer has not skipped."""
    known = load(extra=own_tables(_survey(db)))
    rows = db.execute(
        "SELECT proposed_dataset FROM decisions WHERE queue = 'new-name' "
        "AND verdict IN ('accept', 'reject', 'edit', 'skip') "
        "AND (verdict <> 'skip' OR reviewer = $reviewer) AND uid NOT IN "
        "(SELECT undoes FROM decisions WHERE verdict = 'undo' AND undoes IS NOT NULL)",
        {"reviewer": reviewer},
    ).fetchall()
    decided = {key(name) for (name,) in rows}
    fresh = [each for each in survey_unknown_names(db, known) if key(each.name) not in decided]
    items = []
    for each in fresh[:limit]:
        table = db.sql(
            "SELECT * FROM candidates WHERE work_id = $work ORDER BY score DESC, start",
            params={"work": each.work_id},
        ).to_arrow_table()
        spellings = {each.name, *each.spellings}
        best = next(one for one in from_table(Candidate, table) if one.name in spellings)
        items.append(
            Item(
                queue="new-name",
                work_id=each.work_id,
                dataset=each.name,
                role=each.role,
                score=best.score,
                annotator=best.annotator,
                name=best,
                n_papers=each.papers,
            )
        )
    return items


def _survey(db: duckdb.DuckDBPyConnection) -> Path:
    return Path(db.sql("SELECT path FROM survey").fetchall()[0][0])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a queue is.

    Args:
        done: items that this reviewer has decided in it; the undone do not count.
        waiting: items that wait for him now.
    """

    done: int
    waiting: int

    @property
    def total(self) -> int:
        """Both."""
        return self.done + self.waiting


_EVERY = 1_000_000_000


def progress(
    db: duckdb.DuckDBPyConnection, *, name: Shown, reviewer: str, overlap: float = OVERLAP
) -> Progress:
    """How many items of a queue this reviewer has done, and how many wait for him.

    Args:
        db: a connection from `Corpus.connect`.
    """
    closing = "('done')" if name in ("gold", "paper") else "('accept', 'reject', 'edit')"
    # A repeat was shown in the queue that it was mixed into.
    queues = "('uncertain', 'recheck')" if name == "uncertain" else f"('{name}')"
    done = db.execute(
        f"SELECT count(*) FROM decisions WHERE reviewer = $reviewer AND verdict IN {closing} "
        f"AND queue IN {queues} AND uid NOT IN "
        "(SELECT undoes FROM decisions WHERE verdict = 'undo' AND undoes IS NOT NULL)",
        {"reviewer": reviewer},
    ).fetchall()[0][0]
    if name == "new-name":
        return Progress(done, len(_names(db, reviewer, _EVERY)))
    _register_votes(db)
    values = {"reviewer": reviewer, "readers": READERS, "overlap": overlap, "work_id": None}
    waiting = "left_over" if name == "uncertain" else "waiting"
    head = _SQL[name].partition("\nSELECT ")[0].lstrip()
    if name == "recheck":
        return Progress(done, len(_rows(db, name, reviewer=reviewer, limit=_EVERY)))
    if name == "uncertain":
        head = head.partition(", pool AS")[0]
    sql = f"{_BASE}, {head} SELECT count(*) FROM {waiting}"
    asked = {one: value for one, value in values.items() if f"${one}" in sql}
    return Progress(done, db.execute(sql, asked).fetchall()[0][0])


# --- events -----------------------------------------------------------------------------------


def decide(
    item: Item,
    verdict: Verdict,
    *,
    uid: str,
    reviewer: str,
    now: datetime,
    dataset: str | None = None,
    role: Role | None = None,
    note: str | None = None,
    shown_ms: int | None = None,
    span: tuple[Section, int, int, int] | None = None,
) -> Decision:
    """The event that a verdict on an item is; see the top of this module for what each means.

    Args:
        uid: unique, made where the key was pressed, so that a repeated one counts once.
        now: UTC.
        dataset, role: of an edit what is right, where it differs; of an add both.
        shown_ms: how long the item was on the screen.
        span: of an add, the words: section, order, start, end.

    Raises:
        InputError: the verdict does not fit the item, or lacks what it needs.
    """
    proposed: tuple[str | None, Role | None] = (item.dataset, item.role)
    is_paper = item.dataset is None
    if is_paper and verdict in ("accept", "reject", "edit"):
        raise InputError(
            f"{verdict} is for a claim, and this is a whole paper; add what it uses, then done",
            record=item.work_id,
        )
    if verdict == "done" and not is_paper:
        raise InputError("done is for a whole paper, and this is a claim", record=item.work_id)
    if verdict == "accept":
        dataset, role = proposed
    elif verdict == "edit":
        dataset, role = dataset or item.dataset, role or item.role
        if (dataset, role) == proposed:
            raise InputError("the edit changes nothing; accept, or change dataset or role")
    elif verdict == "add":
        proposed = None, None
        if dataset is None or role is None:
            raise InputError("an added use needs a dataset and a role", record=item.work_id)
    else:
        dataset, role, span = None, None, None
    section, order, start, end = span or (None, None, None, None)
    return Decision(
        uid=uid,
        work_id=item.work_id,
        proposed_dataset=proposed[0],
        proposed_role=proposed[1],
        verdict=verdict,
        dataset=dataset,
        role=role,
        note=note or None,
        reviewer=reviewer,
        codebook=CODEBOOK,
        annotator=item.annotator,
        score=item.score,
        shown_ms=shown_ms,
        at=now,
        queue="recheck" if item.is_repeat else item.queue,
        blind=item.blind,
        stratum=item.stratum,
        weight=item.weight,
        section=section,
        order=order,
        start=start,
        end=end,
    )


def undo(taken: Decision, *, uid: str, now: datetime) -> Decision:
    """The event that takes a decision back."""
    return Decision(
        uid=uid,
        work_id=taken.work_id,
        proposed_dataset=taken.proposed_dataset,
        proposed_role=taken.proposed_role,
        verdict="undo",
        undoes=taken.uid,
        reviewer=taken.reviewer,
        codebook=CODEBOOK,
        at=now,
        queue=taken.queue,
    )


def decision_of(press: Mapping[str, Any], *, reviewer: str, now: datetime) -> Decision:
    """The event that a press is; an undo, which has to be looked up, is for `record`.

    Args:
        press: see the top of this module.

    Raises:
        InputError: it lacks a field, or one has a value that none of the choices is.
    """
    verdict = _one_of(press, "verdict", VERDICTS)
    if not isinstance(press.get("token"), str):
        raise InputError("the press has no token of an item; reload the page")
    return decide(
        item_of(press["token"]),
        cast(Verdict, verdict),
        uid=_uid(press),
        reviewer=reviewer,
        now=now,
        dataset=_text(press, "dataset"),
        role=cast("Role | None", press.get("role") and _one_of(press, "role", ROLES)),
        note=_text(press, "note"),
        shown_ms=_whole(press, "shown_ms"),
        span=_span(press),
    )


def _uid(press: Mapping[str, Any]) -> str:
    uid = press.get("uid")
    if not isinstance(uid, str) or not uid:
        raise InputError("the press has no uid; reload the page")
    return uid


def _one_of(press: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    value = press.get(name)
    if value not in choices:
        raise InputError(f"{name} {value!r:.40} is not one of {', '.join(choices)}")
    return str(value)


def _text(press: Mapping[str, Any], name: str) -> str | None:
    value = press.get(name)
    if not isinstance(value, str | None):
        raise InputError(f"{name} is {value!r:.40}, expected text")
    return value.strip() or None if value else None


def _whole(press: Mapping[str, Any], name: str) -> int | None:
    value = press.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise InputError(f"{name} is {value!r:.40}, expected a number from 0")
    return round(value)


def _span(press: Mapping[str, Any]) -> tuple[Section, int, int, int] | None:
    if press.get("section") is None:
        return None
    section = cast(Section, _one_of(press, "section", SECTIONS))
    order, start, end = (_whole(press, name) for name in ("order", "start", "end"))
    if order is None or start is None or end is None or start >= end:
        raise InputError("the words of an added use need order, start and end, start before end")
    return section, order, start, end


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of some presses.

    Args:
        kept: uids that are on disk now; they need not be sent again.
        refused: uid -> why it could not be stored, and never will be as it is.
    """

    kept: list[str]
    refused: dict[str, str]


def record(
    corpus: Corpus, presses: Iterable[Mapping[str, Any]], *, reviewer: str, now: datetime
) -> Recorded:
    """Store presses in their order, in one transaction; when it returns they are on disk.

    One that is there already is kept and changes nothing. An accepted new name is in the survey's
    own table of datasets from then on, and leaves it if it is undone.

    Args:
        now: UTC; the presses of one call are a microsecond apart, so that their order stands.
    """
    refused: dict[str, str] = {}
    made: dict[str, Decision] = {}
    kept: list[str] = []
    with corpus.journal() as journal:
        for number, press in enumerate(presses):
            uid = str(press.get("uid", ""))
            if journal.decision(uid) is not None or uid in made:
                kept.append(uid)
                continue
            try:
                at = now + timedelta(microseconds=number)
                made[uid] = _event(press, journal, made, reviewer=reviewer, now=at)
                _enter_name(corpus, made[uid], journal)
            except InputError as e:
                made.pop(uid, None)
                refused[uid] = str(e)
        kept += journal.decide(made.values())
    return Recorded(kept, refused)


def _event(
    press: Mapping[str, Any],
    journal: Journal,
    made: Mapping[str, Decision],
    *,
    reviewer: str,
    now: datetime,
) -> Decision:
    undone = {decision.undoes for decision in made.values()}
    if press.get("verdict") != "undo":
        decision = decision_of(press, reviewer=reviewer, now=now)
        if decision.verdict == "add":
            before = [*journal.additions(decision.work_id, reviewer), *made.values()]
            _refuse_again(decision, [each for each in before if each.uid not in undone])
        return decision
    wanted = _text(press, "undoes")
    fresh = [d for d in made.values() if d.verdict != "undo" and d.uid not in undone]
    if wanted is None:
        taken = fresh[-1] if fresh else journal.last_standing(reviewer, but=undone)
    else:
        taken = made.get(wanted) or journal.decision(wanted)
        if taken is not None and (taken.reviewer != reviewer or taken.verdict == "undo"):
            raise InputError("only what one decided oneself can be taken back", record=wanted)
        if taken is not None and (wanted in undone or journal.is_undone(wanted)):
            raise InputError("it was taken back already", record=wanted)
    if taken is None:
        raise InputError("there is nothing to take back")
    return undo(taken, uid=_uid(press), now=now)


def _refuse_again(new: Decision, standing: Iterable[Decision]) -> None:
    """Nothing, unless the same use was added at the same words, or both times at none."""
    same = ("verdict", "work_id", "dataset", "role", "section", "order", "start", "end")
    if any(all(getattr(new, name) == getattr(old, name) for name in same) for old in standing):
        raise InputError(f"{new.dataset} as {new.role} is added already", record=new.work_id)


def _enter_name(corpus: Corpus, decision: Decision, journal: Journal) -> None:
    """Keep the survey's own table of datasets in step with what was decided on a new name."""
    if decision.queue != "new-name":
        return
    path = own_table(corpus.path)
    if decision.verdict != "undo":
        cells = _entry(decision)
        if cells is not None and load(extra=own_tables(corpus.path)).resolve(cells["id"]) is None:
            add(path, cells)
        return
    taken = journal.decision(decision.undoes or "")
    cells = None if taken is None else _entry(taken)
    if cells is not None:
        remove(path, cells)


def _entry(decision: Decision) -> dict[str, str] | None:
    """The row that a decision on a new name makes, what nobody said of it left plain; or None."""
    if decision.verdict not in ("accept", "edit") or decision.dataset is None:
        return None
    other = decision.proposed_dataset or ""
    return {
        "id": decision.dataset,
        "name": decision.dataset,
        "aliases": other if key(other) != key(decision.dataset) else "",
        "domain": "multi-modal",
        "modality": "mixed",
    }
