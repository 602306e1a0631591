"""Preprint, proceedings and journal version of one paper become one.

First by what they are called elsewhere (DOI, arXiv, PubMed), then by title, first author and year;
never by a title alone. Precision comes first: a pair in doubt stays apart. Open `versions` first;
`miner.evidence` says when two works are one, `miner.titles` and `miner.names` when two titles or
two names are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from data.corpus import Corpus
from data.errors import InputError
from data.records import Work
from miner.evidence import Link, Version, contradict, gainsay, is_paper, links, version_of

_BATCH = 20_000  # works read at once


@dataclass(frozen=True, slots=True)
class Merge:
    """A work that is a version of a paper for which another work stands.

    Args:
        work_id: the version.
        into: the work that stands for the paper; it is itself never merged.
        reason: the evidence, in words.
    """

    work_id: str
    into: str
    reason: str


def versions(
    works: Iterable[Work],
    *,
    splits: Iterable[tuple[str, str]] = (),
    reviewed: Collection[str] = (),
) -> list[Merge]:
    """Which works are versions of papers for which other works stand, by id.

    Works that share an identifier are one paper, unless more than four works share it, or works
    with clearly different titles. Works with the same title, the same first author and half of
    their co-authors are one paper if they lie 0 to 3 years apart. For a paper stands a work that
    people have reviewed, else one with an abstract; among these a journal article before a
    conference paper before a preprint, then the earliest, then the first id. The order of the works
    and of the splits does not matter.

    Args:
        works: each with an id of its own.
        splits: pairs of ids that people hold apart; they never end in one group, not even through
            others: the weakest links between them give way.
        reviewed: ids of works that people have decided on.
    """
    known = {work.id: version_of(work) for work in works if is_paper(work)}
    found = links([known[id] for id in sorted(known)])
    groups = _Groups({frozenset(pair) for pair in splits})
    for link in found:
        groups.join(link)
    by_work = defaultdict(list)
    for link in found:
        by_work[link.one.id].append(link)
        by_work[link.other.id].append(link)
    merges: list[Merge] = []
    for group in groups.all():
        stands, *others = sorted(group, key=lambda each: (each.id not in reviewed, *_rank(each)))
        ids = {each.id for each in group}
        for each in others:
            own = [ln for ln in by_work[each.id] if ln.one.id in ids and ln.other.id in ids]
            merges.append(Merge(each.id, stands.id, _reason(each, stands, own)))
    return sorted(merges, key=lambda merge: merge.work_id)


def _rank(version: Version) -> tuple[bool, int, date, str]:
    return (not version.has_text, version.kind, version.first_day, version.id)


class _Groups:
    """Works joined link by link; what must stay apart is never joined."""

    def __init__(self, apart: set[frozenset[str]]) -> None:
        self._apart = apart
        self._split = {id for pair in apart for id in pair}
        self._of: dict[str, list[Version]] = {}

    def join(self, link: Link) -> None:
        """Join the groups of two works, unless one work of either gainsays it."""
        one, other = (self._of.setdefault(v.id, [v]) for v in (link.one, link.other))
        if one is other or any(not self._fits(link, a, b) for a in one for b in other):
            return
        one += other
        for version in other:
            self._of[version.id] = one

    def _fits(self, link: Link, one: Version, other: Version) -> bool:
        if one.id in self._split and frozenset((one.id, other.id)) in self._apart:
            return False
        return not (gainsay if link.by_name else contradict)(one, other)

    def all(self) -> Iterator[list[Version]]:
        """Each group of two works or more, once."""
        for id, group in self._of.items():
            if len(group) > 1 and group[0].id == id:
                yield group


def _reason(version: Version, stands: Version, links: list[Link]) -> str:
    """The evidence between a version and the one that stands, or its best with another of them.

    Args:
        links: those of the version within the group, the strongest first.
    """
    for link in links:
        if stands.id in (link.one.id, link.other.id):
            return link.reason
    best = links[0]
    other = best.other if best.one.id == version.id else best.one
    return f"{best.reason}, with {other.id}"


def merge_versions(corpus: Corpus, *, clock: Callable[[], datetime]) -> list[Merge]:
    """Compute the versions of a survey and store them, in place of those that were.

    Works that the protocol leaves out take no part: they could not stand for a paper. A pair split
    by people meanwhile makes it compute again.
    """
    while True:
        with corpus.journal() as journal:
            splits = journal.splits()
        with corpus.connect() as db:
            reviewed = {id for (id,) in db.sql(_REVIEWED).fetchall()}
            merges = versions(_works(db), splits=splits, reviewed=reviewed)
        rows = [(merge.work_id, merge.into, merge.reason) for merge in merges]
        with corpus.journal() as journal:
            if journal.replace_versions(rows, splits=splits, now=clock()):
                return merges


_REVIEWED = """SELECT DISTINCT work_id FROM decisions
    WHERE verdict IN ('accept', 'reject', 'edit', 'add')"""
_COLUMNS = "id, doi, title, year, date, type, venue, links, authors, fetched_at"


def _works(db: duckdb.DuckDBPyConnection) -> Iterator[Work]:
    """The works that may stand for a paper, with what is compared; abstracts cut to a letter."""
    found = db.sql(f"SELECT {_COLUMNS}, left(abstract, 1) AS abstract FROM eligible")
    for batch in found.to_arrow_reader(_BATCH):
        for row in batch.to_pylist():
            row["links"], row["authors"] = tuple(row["links"] or ()), tuple(row["authors"] or ())
            yield Work(**row)


MERGED_COLUMNS = (
    *("work_id", "title", "type", "venue", "year"),
    *("into", "into_title", "into_type", "into_venue", "into_year", "reason"),
)
_MERGED = """
SELECT versions.work_id, work.title, work.type, work.venue, work.year,
       into_id AS "into", paper.title AS into_title, paper.type AS into_type,
       paper.venue AS into_venue, paper.year AS into_year, reason
FROM versions JOIN works AS work ON work.id = work_id JOIN works AS paper ON paper.id = into_id
ORDER BY "into", work_id
"""


def merged(db: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What was merged and why, one version a row, by the work that stands for the paper.

    Args:
        db: a connection from `Corpus.connect`.

    Returns: dicts of `MERGED_COLUMNS`; `into` is the work that stands for the paper.
    """
    rows: list[dict[str, Any]] = db.sql(_MERGED).to_arrow_table().to_pylist()
    return rows


def hold_apart(
    corpus: Corpus,
    one: str,
    other: str,
    *,
    by: str,
    note: str | None,
    now: datetime,
    apart: bool = True,
) -> None:
    """Note that two works are never to be merged; `merge_versions` follows it from then on.

    Args:
        by: who decided.
        apart: False takes an earlier split back.

    Raises:
        InputError: the two are one work, are not in the survey, or were not split.
    """
    if one == other:
        raise InputError("a work cannot be split from itself; give two ids", record=one)
    with corpus.connect() as db:
        there = db.execute("SELECT id FROM works WHERE id IN (?, ?)", [one, other]).fetchall()
    for id in (one, other):
        if (id,) not in there:
            raise InputError("no such work here; give ids as `cats versions` shows", record=id)
    with corpus.journal() as journal:
        if not apart and tuple(sorted((one, other))) not in journal.splits():
            raise InputError(f"{one} and {other} are not split; there is nothing to take back")
        journal.split(one, other, apart=apart, who=by, note=note, now=now)
