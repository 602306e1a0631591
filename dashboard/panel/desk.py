"""What lies before one reviewer: `Desk.serve` takes what the page sends and answers it.

A desk is held for as long as a browser tab is connected. It asks `annotate.review.queue`, which
looks through the whole survey, once for many items, and then follows the journal by what was
appended since. How items look on the wire is in `wire.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from annotate.review import Item, Shown, progress, queue, record
from annotate.sampling import still_needed
from dashboard.panel import wire
from data.corpus import PROTOCOL, Corpus
from data.errors import CatsError, InputError
from data.protocol import load
from data.records import Decision, Use, from_table

# Items that the page holds before they are needed: who types 30 ms apart, which nobody does for
# long, goes through them in two seconds. Measured with a server that answers 0.2 s late.
_AHEAD = 80
_LISTED = 400  # items that one question to the survey gives
_FIRST, _MORE = 12, 40  # items in the first answer, and in those that follow while it is read
_LARGEST = 400_000  # characters of passages in one answer, if that is more than one item
_PAST = 20  # own decisions that the page can undo without asking
_LONGEST_LOOK_MS = 120_000  # who looked longer at an item was away
_WIDTH = 10  # points: of the interval that the stop rule asks for
_CLAIM_DECIDED, _PAPER_DECIDED = ("accept", "reject", "edit"), ("done",)
_LEAVES = (*_CLAIM_DECIDED, *_PAPER_DECIDED, "skip")


@dataclass(frozen=True, slots=True)
class Paper:
    """What is known of one work: a row of `works`, rows of `passages`, its uses."""

    work: Mapping[str, Any]
    passages: list[Mapping[str, Any]] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


class Desk:
    """The items of one queue before one reviewer.

    Args:
        corpus: the survey.
        reviewer: whose decisions these are.
        name: the queue; see `annotate.review.queue`.
        trend: the dataset whose share as source the stop rule of `gold` looks at; none if "".

    Raises:
        CatsError, OSError: the survey cannot be read.
    """

    def __init__(self, corpus: Corpus, reviewer: str, name: Shown, *, trend: str = "") -> None:
        self.corpus, self.reviewer, self.name, self.trend = corpus, reviewer, name, trend
        self._counts = _PAPER_DECIDED if name in ("gold", "paper") else _CLAIM_DECIDED
        # A browser keeps its outbox under this name, so it must be the same tomorrow.
        self._survey = hashlib.sha256(str(corpus.path.resolve()).encode()).hexdigest()[:16]
        self._title_of_survey = load(corpus.path / PROTOCOL).title
        self._items: dict[str, Item] = {}  # by id, first one first
        self._known: dict[str, Item] = {}  # all that were ever listed
        self._papers: dict[str, Paper] = {}
        with corpus.journal() as journal:
            decisions, self._read_to = journal.decisions_since(0)
        self._own = {made.uid: made for made in decisions if made.reviewer == reviewer}
        self._undone = {made.undoes for made in self._own.values() if made.verdict == "undo"}
        self._count()
        self._stop = self._still_needed()
        self._fill()

    def serve(self, message: object, *, now: datetime) -> dict[str, Any]:
        """The answer to a page: what is safe, and what comes next.

        Args:
            message: `sent` (its number), `events` (presses, as `annotate.review` describes them),
                `held` (ids of the items that the page has), `lacks` ("catalogue", "codebook"),
                `look` (id of a paper to look at again); anything else counts as a page that has
                just opened.
            now: UTC.

        Returns: what `panel.js` calls `data`; an error in it, where there is one, says why nothing
            was saved.
        """
        told = message if isinstance(message, Mapping) else {}
        kept: Sequence[str] = []
        refused: Mapping[str, str] = {}
        error = ""
        try:
            if presses := [one for one in _listed(told, "events") if isinstance(one, Mapping)]:
                done = record(self.corpus, presses, reviewer=self.reviewer, now=now)
                kept, refused = done.kept, done.refused
            self._follow_journal()
        except (CatsError, OSError) as e:
            error = _unsaved(e)
        held, lacks = set(map(str, _listed(told, "held"))), _listed(told, "lacks")
        order = list(self._items)[:_AHEAD]
        look = told.get("look")
        looked_at = self._looked_at(look) if isinstance(look, str) else None
        ahead = self._sent([one for one in order if one not in held], has_some=bool(held))
        return {
            "survey": self._survey,
            "title": self._title_of_survey,
            "reviewer": self.reviewer,
            "answered": told.get("sent", 0),
            "saved": kept,
            "refused": [{"uid": uid, "reason": reason} for uid, reason in refused.items()],
            "error": error,
            "order": order,
            "items": ahead if looked_at is None else [looked_at, *ahead],
            "absent": look if looked_at is None else None,
            "past": [
                wire.made(made, self._title(made.work_id), here=True) for made in self._past()
            ],
            "counts": self._counts,
            "done": self._done,
            "total": self._total,
            "today": self._today(now),
            "stop": self._stop,
            "catalogue": wire.catalogue(self.corpus.path) if "catalogue" in lacks else None,
            "codebook": wire.codebook() if "codebook" in lacks else None,
        }

    def _sent(self, ids: Sequence[str], *, has_some: bool) -> list[dict[str, Any]]:
        """The first of these items, as many as an answer should hold."""
        items: list[dict[str, Any]] = []
        n_characters = 0
        for one in ids[: _MORE if has_some else _FIRST]:
            items.append(self._wired(self._items[one]))
            n_characters += wire.length(items[-1])
            if n_characters > _LARGEST:
                break
        return items

    def _looked_at(self, item_id: str) -> dict[str, Any] | None:
        """A paper of this queue, also one that the reviewer has closed; None if it is none."""
        work_id = item_id.partition("|")[0]
        if item_id not in self._known and self.name in ("gold", "paper"):
            with self.corpus.connect() as db:
                for item in queue(db, name=self.name, reviewer=self.reviewer, work_id=work_id):
                    self._known[item.key] = item
                    self._read_papers(db, {work_id})
        known = self._known.get(item_id)
        return None if known is None else self._wired(known)

    def _wired(self, item: Item) -> dict[str, Any]:
        paper = self._papers[item.work_id]
        own = [made for made in self._standing() if made.work_id == item.work_id]
        told = [wire.made(made, paper.work["title"], here=self._is_here(made)) for made in own]
        return wire.item(item, paper.work, paper.passages, paper.uses, own=told)

    def _is_here(self, made: Decision) -> bool:
        """Made in this queue, into which `uncertain` mixes repeats."""
        return made.queue == self.name or (made.queue, self.name) == ("recheck", "uncertain")

    def _title(self, work_id: str) -> str | None:
        """None of a paper that another tab showed: the page that decided knows it."""
        paper = self._papers.get(work_id)
        return paper.work["title"] if paper else None

    # --- in step with the journal ------------------------------------------------------------

    def _follow_journal(self) -> None:
        """Take in what this reviewer, in this tab or another, has appended since."""
        with self.corpus.journal() as journal:
            news, self._read_to = journal.decisions_since(self._read_to)
        own = [made for made in news if made.reviewer == self.reviewer]
        for made in own:
            self._own[made.uid] = made
            if made.verdict == "undo":
                self._take_back(made)
            elif made.verdict in _LEAVES:
                self._items.pop(wire.id_of(made), None)
                self._done += self._is_here(made) and made.verdict in self._counts
        if any(made.verdict in ("done", "undo") for made in own):
            self._stop = self._still_needed()
        if news and self.name == "adjudicate":
            # A decision may settle other disputes too, and what other people say may end one.
            self._count()
            self._fill()
        elif own and self._is_more and len(self._items) < _AHEAD:
            self._fill()

    def _count(self) -> None:
        with self.corpus.connect() as db:
            now = progress(db, name=self.name, reviewer=self.reviewer)
        self._done, self._total = now.done, now.total

    def _still_needed(self) -> str:
        """In queue `gold`: how far the survey's most used source is from a narrow interval."""
        if self.name != "gold" or not self.trend:
            return ""
        try:
            left = still_needed(self.corpus, dataset=self.trend, width=_WIDTH)
        except InputError as e:
            return str(e)  # nothing is drawn yet, and how to draw
        with self.corpus.journal() as journal:
            n_drawn, _ = journal.drawn() or (0, 0)
        not_drawn = left.n_read + left.n_papers - n_drawn
        more = f", {not_drawn} of them not drawn yet" if not_drawn > 0 else ""
        return (
            f"{left.n_papers} more papers to read{more}, to know the share of {self.trend} "
            f"as source within {_WIDTH} points"
        )

    def _take_back(self, undo: Decision) -> None:
        self._undone.add(undo.undoes)
        taken = self._own.get(undo.undoes or "")
        if taken is None or taken.verdict not in _LEAVES:
            return
        self._done -= self._is_here(taken) and taken.verdict in self._counts
        known = self._known.get(wire.id_of(taken))
        if known is None:
            self._fill()  # what was undone is first in the queue
        else:
            self._items = {known.key: known} | self._items

    def _fill(self) -> None:
        with self.corpus.connect() as db:
            found = queue(db, name=self.name, reviewer=self.reviewer, limit=_LISTED)
            self._is_more = len(found) == _LISTED
            past = {made.work_id for made in self._past()}
            self._read_papers(db, {item.work_id for item in found} | past)
        listed = {one.key: one for item in found for one in _flat(item)}
        self._items = listed
        self._known |= listed

    def _read_papers(self, db: duckdb.DuckDBPyConnection, ids: Iterable[str]) -> None:
        inside = "IN (SELECT unnest($ids))"

        def rows(sql: str) -> pa.Table:
            return db.sql(sql, params={"ids": list(ids)}).to_arrow_table()

        columns = "id, title, abstract, year, venue, doi, oa_url"
        works = rows(f"SELECT {columns} FROM works WHERE id {inside}").to_pylist()
        papers = {row["id"]: Paper(row) for row in works}
        texts = f'SELECT * FROM passages WHERE work_id {inside} ORDER BY section, "order"'
        for row in rows(texts).to_pylist():
            papers[row["work_id"]].passages.append(row)
        uses = rows(f"SELECT * FROM uses WHERE work_id {inside} ORDER BY score DESC")
        for use in from_table(Use, uses):
            papers[use.work_id].uses.append(use)
        self._papers |= papers

    # --- what the reviewer has done ----------------------------------------------------------

    def _standing(self) -> list[Decision]:
        return [
            made
            for made in self._own.values()
            if made.verdict not in ("undo", "note") and made.uid not in self._undone
        ]

    def _past(self) -> list[Decision]:
        return [made for made in self._standing() if self._is_here(made)][-_PAST:]

    def _today(self, now: datetime) -> dict[str, int]:
        """Decisions since midnight UTC and the time that they took, to tell a pace."""
        today = [
            min(made.shown_ms, _LONGEST_LOOK_MS)
            for made in self._standing()
            if made.verdict in (*_CLAIM_DECIDED, *_PAPER_DECIDED)
            and made.at.date() == now.date()
            and made.shown_ms
        ]
        return {"n": len(today), "ms": sum(today)}


def _flat(item: Item) -> Iterable[Item]:
    """A paper of queue `paper` as its claims, then itself, to say whether one is missing."""
    decided = {wire.id_of(made) for made in item.own}
    yield from (claim for claim in item.claims if claim.key not in decided)
    yield item


def _listed(told: Mapping[str, Any], name: str) -> list[Any]:
    value = told.get(name)
    return value if isinstance(value, list) else []


def _unsaved(error: Exception) -> str:
    """What to tell a reviewer whose decisions could not be stored."""
    return (
        f"Nothing can be saved now: {error}. Your decisions wait in this browser and are sent "
        "again every few seconds; leave the page open."
    )
