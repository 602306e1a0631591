"""The account of a survey: what was identified, left out and included, as PRISMA 2020 asks.

Source: Page et al. (2021), doi:10.1136/bmj.n71; the flow diagram for databases only.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from data.corpus import N_MERGED
from data.protocol import Protocol

_WIDTH, _BOX, _LINE, _PAD, _GAP = 760, 340, 18, 14, 40


@dataclass(frozen=True, slots=True)
class Account:
    """The numbers of a flow diagram.

    Args:
        identified: records that each question or file brought.
        duplicates: how many of these named a work that another had brought.
        screened: works.
        excluded: works that screening left out, by reason, most frequent first.
        versions: works left in by screening, but versions of a paper for which another work stands.
        included: works in the survey.
        full_text: works in the survey with more text than title and abstract.
        annotated: works in the survey that the annotator has read.
        first_run, last_run: when mining began and ended, ISO, UTC; None before any run.
    """

    identified: Mapping[str, int]
    duplicates: int
    screened: int
    excluded: Mapping[str, int]
    versions: int
    included: int
    full_text: int
    annotated: int
    first_run: str | None
    last_run: str | None

    def as_json(self) -> dict[str, Any]:
        """The same as JSON fields."""
        return dataclasses.asdict(self)


def account(db: duckdb.DuckDBPyConnection) -> Account:
    """The account of a survey.

    Args:
        db: a connection from `Corpus.connect`.
    """
    identified = dict(db.sql("SELECT query, count(*) FROM hits GROUP BY 1 ORDER BY 1").fetchall())
    screened = _count(db, "SELECT count(*) FROM works")
    excluded = db.sql(
        "SELECT reason, count(*) FROM screened SEMI JOIN works ON works.id = work_id "
        "WHERE included = 0 GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    known = "SELECT count(*) FROM hits SEMI JOIN works ON works.id = work_id"
    distinct = "SELECT count(DISTINCT work_id) FROM hits SEMI JOIN works ON works.id = work_id"
    runs = db.sql("SELECT min(started_at), max(ended_at) FROM runs WHERE kind LIKE 'mine%'")
    first_run, last_run = runs.fetchall()[0]
    return Account(
        identified=identified,
        duplicates=_count(db, known) - _count(db, distinct),
        screened=screened,
        excluded=dict(excluded.fetchall()),
        versions=_count(db, N_MERGED),
        included=_count(db, "SELECT count(*) FROM included"),
        full_text=_count(
            db, "SELECT count(*) FROM included SEMI JOIN passages ON included.id = work_id"
        ),
        annotated=_count(
            db, "SELECT count(*) FROM included SEMI JOIN annotated ON included.id = work_id"
        ),
        first_run=first_run,
        last_run=last_run,
    )


def _count(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(db.execute(sql).fetchall()[0][0])


def flow_svg(found: Account, *, title: str) -> str:
    """The flow diagram as SVG; main steps on the left, what left the flow on the right."""
    identified = [f"{name}: {count:,}" for name, count in found.identified.items()]
    excluded = [f"{reason}: {count:,}" for reason, count in found.excluded.items()]
    n_records, n_out = sum(found.identified.values()), sum(found.excluded.values())
    rows = [
        (
            [f"Records identified: {n_records:,}", *identified],
            [f"Duplicates removed: {found.duplicates:,}"],
        ),
        (
            [f"Works screened: {found.screened:,}"],
            [f"Excluded: {n_out:,}", *excluded, f"Versions merged: {found.versions:,}"],
        ),
        (
            [f"Full text at hand: {found.full_text:,}"],
            [f"Title and abstract only: {found.included - found.full_text:,}"],
        ),
        (
            [f"Works included: {found.included:,}", f"read by the annotator: {found.annotated:,}"],
            [],
        ),
    ]
    shapes: list[str] = []
    y = 60
    for place, (left, right) in enumerate(rows):
        height = _PAD * 2 + _LINE * max(len(left), len(right))
        shapes += _box(20, y, height, left)
        if right:
            shapes += _box(_WIDTH - _BOX - 20, y, height, right)
            middle = y + height // 2
            shapes.append(_arrow(20 + _BOX, middle, _WIDTH - _BOX - 20, middle))
        if place + 1 < len(rows):
            shapes.append(_arrow(20 + _BOX // 2, y + height, 20 + _BOX // 2, y + height + _GAP))
        y += height + _GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img">',
            f"<title>{html.escape(title)}</title>",
            "<style>text{font:14px sans-serif;fill:#111}rect{fill:#fff;stroke:#111}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<rect x="0" y="0" width="{_WIDTH}" height="{y}" style="stroke:none"/>',
            f'<text x="20" y="34" style="font-weight:bold">{html.escape(title)}</text>',
            *shapes,
            "</svg>\n",
        ]
    )


def _box(x: int, y: int, height: int, lines: Sequence[str]) -> list[str]:
    shapes = [f'<rect x="{x}" y="{y}" width="{_BOX}" height="{height}"/>']
    for place, line in enumerate(lines):
        base = y + _PAD + _LINE * place + 13
        shapes.append(f'<text x="{x + _PAD}" y="{base}">{html.escape(line)}</text>')
    return shapes


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#111" marker-end="url(#tip)"/>'


def methods(found: Account, protocol: Protocol, *, version: str, now: datetime) -> str:
    """A paragraph for a methods section: date, question, counts, versions."""
    search = protocol.search
    topics = ", ".join(f"{topic.name} ({topic.id})" for topic in search.topics) or "none"
    text = f" and the text query {search.text}" if search.text else ""
    seeds = "; ".join(f"{seed.name} ({seed.cites})" for seed in protocol.seeds)
    n_records = sum(found.identified.values())
    asked = f"between {found.first_run} and {found.last_run}" if found.first_run else "not yet"
    lines = [
        f'Works for "{protocol.title}" were taken from OpenAlex {asked} (UTC), with cats-toolkit '
        f"{version}, protocol {protocol.hash}: topics {topics}{text}, published "
        f"{search.first_year}-{search.last_year}, of type {', '.join(search.types)}, in "
        f"{', '.join(search.languages)}.",
        f"Works that cite these papers were added: {seeds}." if seeds else "",
        f"{n_records} records named {found.screened} works ({found.duplicates} duplicates); "
        f"{sum(found.excluded.values())} were excluded, {found.versions} were versions "
        f"of papers counted already, and {found.included} papers were included, "
        f"{found.full_text} of them with full text. Exported {now:%Y-%m-%d}.",
    ]
    return " ".join(line for line in lines if line) + "\n"
