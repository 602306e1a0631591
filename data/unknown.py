"""Candidates of all papers -> the names that the catalogue lacks, most papers first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from data.catalogue import Catalogue, key
from data.records import ROLES, Candidate, Role, from_table


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name that may be a dataset's, over all papers of a survey.

    Args:
        name: its most frequent spelling.
        papers: how many papers have it.
        role: the one that most papers give it.
        score: of its surest candidate.
        first_year: of the earliest paper; None if no paper has a year.
        spellings: the other ones, most frequent first.
        work_id, why, evidence: of the surest candidate.
    """

    name: str
    papers: int
    role: Role
    score: float
    first_year: int | None
    spellings: tuple[str, ...]
    work_id: str
    why: str
    evidence: str


def unknown_names(
    candidates: Iterable[tuple[Candidate, int | None]], catalogue: Catalogue
) -> list[UnknownName]:
    """The names that the catalogue (still) lacks: most papers first, then surest, then by name.

    Spellings that are equal under `data.catalogue.key` are one name.

    Args:
        candidates: each with its paper's year.
    """
    by_name: dict[str, list[tuple[Candidate, int | None]]] = {}
    for candidate, year in candidates:
        if catalogue.resolve(candidate.name) is None:
            by_name.setdefault(key(candidate.name), []).append((candidate, year))
    found = [_unknown(rows) for rows in by_name.values()]
    return sorted(found, key=lambda each: (-each.papers, -each.score, each.name))


def _unknown(rows: Sequence[tuple[Candidate, int | None]]) -> UnknownName:
    candidates = [candidate for candidate, _ in rows]
    n_spelled = Counter(candidate.name for candidate in candidates)
    spellings = sorted(n_spelled, key=lambda name: (-n_spelled[name], name))
    pairs = {(candidate.work_id, candidate.role) for candidate in candidates}
    papers = {role: sum(own == role for _, own in pairs) for role in ROLES}
    best = min(candidates, key=lambda c: (-c.score, c.work_id, c.section, c.order, c.start, c.role))
    return UnknownName(
        name=spellings[0],
        papers=len({candidate.work_id for candidate in candidates}),
        role=max(ROLES, key=lambda role: papers[role]),
        score=best.score,
        first_year=min((year for _, year in rows if year is not None), default=None),
        spellings=tuple(spellings[1:]),
        work_id=best.work_id,
        why=best.why,
        evidence=best.evidence,
    )


def survey_unknown_names(db: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> list[UnknownName]:
    """`unknown_names` of the papers in a survey.

    Args:
        db: a connection from `Corpus.connect`.
    """
    rows = "FROM candidates JOIN included ON included.id = work_id ORDER BY work_id, start, role"
    table = db.sql(f"SELECT candidates.*, included.year {rows}").to_arrow_table()
    years = table["year"].to_pylist()
    return unknown_names(zip(from_table(Candidate, table), years, strict=True), catalogue)
