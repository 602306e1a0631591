"""What a report asks of a survey, once: its numbers, its gold sample, the papers that it lists."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import get_args

import duckdb
import numpy as np
import pyarrow as pa

from annotate.reviewers import Reviewers, survey_reviewers
from data.account import Account, account
from data.catalogue import PSEUDO_IDS
from data.corpus import PROTOCOL, SNAPSHOT, Corpus
from data.counting import NAMING, counted, items, standing
from data.cube import Cube, ReadAs, Selection, survey_cube
from data.errors import InputError
from data.findings import kind_of_text
from data.gold import READERS, survey_gold
from data.gold_sample import survey_labels
from data.protocol import Protocol
from data.protocol import load as load_protocol
from data.sample import LABEL

READ_AS: tuple[ReadAs, ...] = get_args(ReadAs)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldSample:
    """How the gold sample stands.

    Args:
        draws: papers drawn in all by each draw: strata are those of the first.
        n_frame, n_strata: papers they were drawn from, strata.
        seed: of the draws.
        n_read: papers that two reviewers have closed.
        readers: who has.
        n_disputed: papers on which they still differ, left out until somebody settles them.
        n_ruled: (paper, dataset, role) that an adjudicator has decided.
    """

    draws: tuple[int, ...]
    n_frame: int
    n_strata: int
    seed: int
    n_read: int
    readers: tuple[str, ...]
    n_disputed: int
    n_ruled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A paper with a source that it does not name.

    Args:
        title, year, venue, address: of the paper; None where unknown.
        said: the words that a model or its weights are named by, never more.
        read_as: the dataset that they imply; None where they do not tell it.
    """

    title: str | None
    year: int | None
    venue: str | None
    address: str | None
    said: tuple[str, ...]
    read_as: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All that a report rests on.

    Args:
        state: the day of the last that was mined, annotated or decided.
        snapshot: id of the release; "" for a survey that still grows.
        version: of cats.
        is_sample: it is the embedded sample, which every figure must say.
        where: the papers counted: those of one kind of text.
        gold: labels as `data.gold_sample.GOLD`; None where no gold paper is read.
        drawn: the gold sample; None where none is drawn.
        reviewers: how far people agree.
        silent: the papers with a source that they do not name, newest first.
    """

    protocol: Protocol
    account: Account
    state: date
    snapshot: str
    version: str
    is_sample: bool
    cube: Cube
    where: Selection
    gold: pa.Table | None
    drawn: GoldSample | None
    reviewers: Reviewers
    silent: tuple[Silent, ...]


def asked(corpus: Corpus, *, text: ReadAs | None, version: str) -> Asked:
    """What a survey answers.

    Args:
        text: which papers; None: of the kind of text that the most papers were read by.

    Raises:
        InputError: no paper is annotated yet.
    """
    protocol = load_protocol(corpus.path / PROTOCOL)
    with corpus.connect() as db:
        cube = survey_cube(db)
        if not cube.n_papers:
            raise InputError("no paper is annotated yet; `cats annotate` first", path=corpus.path)
        where = Selection(text=text or kind_of_text(cube))
        return Asked(
            protocol=protocol,
            account=account(db),
            state=_state(db),
            snapshot=_snapshot(corpus),
            version=version,
            is_sample=LABEL in protocol.title,
            cube=cube,
            where=where,
            gold=survey_labels(db),
            drawn=_drawn(corpus, db),
            reviewers=survey_reviewers(db),
            silent=tuple(_silent(db, cube, where)),
        )


def _snapshot(corpus: Corpus) -> str:
    if not corpus.is_snapshot:
        return ""
    return str(json.loads((corpus.path / SNAPSHOT).read_text(encoding="utf-8"))["id"])


def _state(db: duckdb.DuckDBPyConnection) -> date:
    """The day of the survey's last event, so that a report does not hang on today."""
    ends = [
        db.sql(f"SELECT max({column}) FROM {table}").fetchall()[0][0]
        for table, column in (("annotated", '"at"'), ("runs", "ended_at"), ("decisions", '"at"'))
    ]
    moments = [
        end if isinstance(end, datetime) else datetime.fromisoformat(end) for end in ends if end
    ]
    return max(moment.astimezone(UTC) for moment in moments).date()


def _drawn(corpus: Corpus, db: duckdb.DuckDBPyConnection) -> GoldSample | None:
    with corpus.journal_as_it_is() as journal:
        draws, frame = journal.draws(), journal.frame()
    if not draws:
        return None
    labels = survey_gold(db)
    papers = labels.papers()
    ruled = {
        (made.work_id, made.proposed_dataset or made.dataset, made.proposed_role or made.role)
        for made in labels.decisions
        if made.queue == "adjudicate" and made.verdict in ("accept", "reject", "edit", "add")
    }
    return GoldSample(
        draws=tuple(n for n, _ in draws),
        n_frame=len(frame),
        n_strata=len({stratum for _, stratum, _ in frame}),
        seed=draws[-1][1],
        n_read=sum(n >= READERS for n in labels.begun().values()),
        readers=tuple(sorted({who for paper in papers for who in paper.readers})),
        n_disputed=sum(bool(paper.disputed) for paper in papers),
        n_ruled=len(ruled),
    )


_LISTED = """
SELECT id, title, year, venue, doi, oa_url FROM included WHERE id IN (SELECT unnest($ids))
ORDER BY year DESC NULLS LAST, title, id"""
_SAID = """
SELECT work_id, dataset, list(DISTINCT surface ORDER BY surface) AS said FROM uses
WHERE role = 'source' AND work_id IN (SELECT unnest($ids)) GROUP BY ALL"""


def _silent(db: duckdb.DuckDBPyConnection, cube: Cube, where: Selection) -> Iterable[Silent]:
    """The papers that `cats trends` counts as 'implied only' of naming, or as 'unnamed'."""
    every = counted(cube, where)
    naming = items(cube, "source", "naming", where, mask=every)
    unnamed = items(cube, "source", "unnamed", where, mask=every)
    mask = np.zeros(cube.n_papers, bool)
    mask[naming.paper[naming.item == NAMING.index("implied only")]] = True
    mask[unnamed.paper] = True
    named = replace(where, presence="named")
    told = set(zip(*standing(cube, "source", named, mask=mask), strict=True))
    held: dict[str, list[str]] = {}
    for paper, dataset in zip(*standing(cube, "source", where, mask=mask), strict=True):
        if (paper, dataset) not in told:
            held.setdefault(cube.ids[int(paper)].as_py(), []).append(cube.datasets[dataset])
    ids = {"ids": sorted(held)}
    words: dict[tuple[str, str], list[str]] = {
        (work_id, dataset): said for work_id, dataset, said in db.execute(_SAID, ids).fetchall()
    }
    for work_id, title, year, venue, doi, address in db.execute(_LISTED, ids).fetchall():
        own = sorted(held[work_id])
        said = dict.fromkeys(each for name in own for each in words.get((work_id, name), ()))
        yield Silent(
            title=title,
            year=year,
            venue=venue,
            address=f"https://doi.org/{doi}" if doi else address,
            said=tuple(said),
            read_as=tuple(name for name in own if name not in PSEUDO_IDS),
        )
