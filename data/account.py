"""The account of a survey: what was identified, left out and included, as PRISMA 2020 asks.

Source: Page et al. (2021), doi:10.1136/bmj.n71; the flow diagram for databases and other methods,
whose columns are one from the duplicates on, since a work is screened once wherever it came from.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from data.corpus import N_MERGED, N_NO_ABSTRACT
from data.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Account:
    """The numbers of a flow diagram.

    Args:
        identified: records that each question or file of works brought.
        lists: references that each reference list brought.
        duplicates: how many of these named a work that another had brought, or one that OpenAlex
            or a later look-up merged into another.
        screened: works.
        excluded: works that screening left out, by reason, most frequent first.
        versions: works left in by screening, but versions of a paper for which another work stands.
        included: works in the survey.
        sought: works in the survey whose full text was asked for.
        not_retrieved: those of them without one, by reason, most frequent first.
        retrieved: those of them with one.
        full_text: works in the survey with more text than title and abstract, however it came.
        annotated: works in the survey that the annotator has read.
        no_abstract: works left out for their missing abstract alone, or included without one.
        filled: works in the survey whose abstract came from elsewhere than OpenAlex, by origin.
        annotators: name@version of what read the works.
        codebooks: versions of the codebook that people decided by.
        first_run, last_run: when mining began and ended, ISO, UTC; None before any run.
    """

    identified: Mapping[str, int]
    lists: Mapping[str, int]
    duplicates: int
    screened: int
    excluded: Mapping[str, int]
    versions: int
    included: int
    sought: int
    not_retrieved: Mapping[str, int]
    retrieved: int
    full_text: int
    annotated: int
    no_abstract: int
    filled: Mapping[str, int]
    annotators: tuple[str, ...]
    codebooks: tuple[str, ...]
    first_run: str | None
    last_run: str | None

    @property
    def records(self) -> int:
        """Records identified by all means."""
        return sum(self.identified.values()) + sum(self.lists.values())

    def as_json(self) -> dict[str, Any]:
        """The same as JSON fields."""
        return dataclasses.asdict(self)


# Two records of one work: no work of its own was screened and left out.
_MERGED = """SELECT work_id FROM screened SEMI JOIN works ON works.id = work_id
    WHERE included = 0 AND stage = 'openalex' AND reason LIKE 'merged into %'"""
# A work that several stages left out counts once, by the first.
_EXCLUDED = f"""SELECT reason, count(*) FROM (
        SELECT reason FROM screened SEMI JOIN works ON works.id = work_id
        WHERE included = 0 AND work_id NOT IN ({_MERGED})
        QUALIFY row_number() OVER (PARTITION BY work_id ORDER BY "at", stage) = 1)
    GROUP BY 1 ORDER BY 2 DESC, 1"""
_FILLED = """SELECT origin, count(*) FROM sought SEMI JOIN included ON included.id = work_id
    WHERE what = 'abstract' AND found = 1 GROUP BY 1 ORDER BY 2 DESC, 1"""
# Each work once: what every place that was asked said, if none had it.
_REPORTS = """SELECT why, count(*) AS n FROM (
        SELECT CASE WHEN max(found) = 0 THEN string_agg(DISTINCT reason, '; ' ORDER BY reason) END
            AS why
        FROM sought SEMI JOIN included ON included.id = work_id
        WHERE what = 'full text' GROUP BY work_id)
    GROUP BY 1 ORDER BY 2 DESC, 1"""
_LISTS = """SELECT query, settings, max(works) FROM checkpoints JOIN runs ON runs.id = run
    WHERE kind = 'mine-list' GROUP BY 1, 2 ORDER BY 1"""


def account(db: duckdb.DuckDBPyConnection) -> Account:
    """The account of a survey.

    Args:
        db: a connection from `Corpus.connect`.
    """
    lists = _lists(db)
    hits = dict(db.sql("SELECT query, count(*) FROM hits GROUP BY 1 ORDER BY 1").fetchall())
    identified = {query: n for query, n in hits.items() if query not in lists}
    merged = _count(db, f"SELECT count(*) FROM ({_MERGED})")
    known = "SELECT work_id, query FROM hits SEMI JOIN works ON works.id = work_id"
    n_known = sum(
        n
        for query, n in db.sql(f"SELECT query, count(*) FROM ({known}) GROUP BY 1").fetchall()
        if query not in lists
    )
    distinct = f"SELECT count(DISTINCT work_id) FROM ({known}) WHERE work_id NOT IN ({_MERGED})"
    runs = db.sql("SELECT min(started_at), max(ended_at) FROM runs WHERE kind LIKE 'mine%'")
    first_run, last_run = runs.fetchall()[0]
    reports = dict(db.sql(_REPORTS).fetchall())
    retrieved = reports.pop(None, 0)
    return Account(
        identified=identified,
        lists=lists,
        duplicates=n_known + sum(lists.values()) - _count(db, distinct),
        screened=_count(db, "SELECT count(*) FROM works") - merged,
        excluded=dict(db.sql(_EXCLUDED).fetchall()),
        versions=_count(db, N_MERGED),
        included=_count(db, "SELECT count(*) FROM included"),
        sought=retrieved + sum(reports.values()),
        not_retrieved=reports,
        retrieved=retrieved,
        full_text=_count(
            db, "SELECT count(*) FROM included SEMI JOIN passages ON included.id = work_id"
        ),
        annotated=_count(
            db, "SELECT count(*) FROM included SEMI JOIN annotated ON included.id = work_id"
        ),
        no_abstract=_count(db, N_NO_ABSTRACT),
        filled=dict(db.sql(_FILLED).fetchall()),
        annotators=_names(db, "SELECT DISTINCT annotator FROM annotated ORDER BY 1"),
        codebooks=_names(db, "SELECT DISTINCT codebook FROM decisions ORDER BY 1"),
        first_run=first_run,
        last_run=last_run,
    )


def _lists(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """References by list; the same content looked up again counts once."""
    counts: dict[tuple[str, str], int] = {}
    for query, settings, n in db.sql(_LISTS).fetchall():
        content = query, json.loads(settings)["sha256"]
        counts[content] = max(n, counts.get(content, 0))
    total = Counter[str]()
    for (query, _), n in counts.items():
        total[query] += n
    return dict(total)


def _count(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(db.execute(sql).fetchall()[0][0])


def _names(db: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, ...]:
    return tuple(str(name) for (name,) in db.execute(sql).fetchall())


_FILE = "file "  # opens the name of what `cats mine --from` took as works


def _when(first: str | None, last: str | None) -> str:
    """The days of mining, as a methods section gives them."""
    if first is None:
        return "not yet"
    days = list(dict.fromkeys((first[:10], (last or first)[:10])))
    return f"between {days[0]} and {days[1]} (UTC)" if len(days) > 1 else f"on {days[0]} (UTC)"


def _counted(files: Mapping[str, int]) -> str:
    return ", ".join(f"{name.removeprefix(_FILE)}: {n:,} records" for name, n in files.items())


def methods(found: Account, protocol: Protocol, *, version: str, now: datetime) -> str:
    """A paragraph for a methods section: date, question, counts, versions."""
    return " ".join(_sentences(found, protocol, version, now)) + "\n"


def _sentences(found: Account, protocol: Protocol, version: str, now: datetime) -> Iterator[str]:
    search = protocol.search
    when = _when(found.first_run, found.last_run)
    by = f"with cats-toolkit {version}, protocol {protocol.hash}"
    fit = (
        f"published {search.first_year}-{search.last_year}, of type {', '.join(search.types)}, in "
        f"{', '.join(search.languages)}"
    )
    files = {name: n for name, n in found.identified.items() if name.startswith(_FILE)}
    if files and len(files) == len(found.identified):
        yield (
            f'Works for "{protocol.title}" came as files ({_counted(files)}), taken {when} {by}, '
            f"which asks for works {fit}."
        )
    else:
        topics = ", ".join(f"{topic.name} ({topic.id})" for topic in search.topics) or "none"
        text = f" and the text query {search.text}" if search.text else ""
        yield (
            f'Works for "{protocol.title}" were taken from OpenAlex {when}, {by}: topics '
            f"{topics}{text}, {fit}."
        )
        if files:
            yield f"Works that came as files were added ({_counted(files)})."
    seeds = "; ".join(f"{seed.name} ({seed.cites})" for seed in protocol.seeds)
    if seeds:
        yield f"Works that cite these papers were added: {seeds}."
    if found.lists:
        names = ", ".join(name.removeprefix("list ") for name in found.lists)
        yield (
            f"{sum(found.lists.values())} references of reference lists ({names}) were added, "
            "looked up in OpenAlex by DOI, PubMed or arXiv number."
        )
    yield (
        f"{found.records} records named {found.screened} works ({found.duplicates} duplicates); "
        f"{sum(found.excluded.values())} were excluded, {found.versions} were versions "
        f"of papers counted already, and {found.included} papers were included, "
        f"{found.full_text} of them with full text."
    )
    if found.filled:
        origins = ", ".join(f"{n} from {origin}" for origin, n in found.filled.items())
        yield (
            f"Abstracts of {sum(found.filled.values())} of them that OpenAlex lacks were filled: "
            f"{origins}."
        )
    if found.sought:
        yield f"Full text was sought for {found.sought} and retrieved for {found.retrieved}."
    if found.annotators:
        yield f"{found.annotated} were read by {', '.join(found.annotators)}."
    if found.codebooks:
        yield f"Reviewers decided by codebook {', '.join(found.codebooks)}."
    yield f"Exported {now:%Y-%m-%d}."
