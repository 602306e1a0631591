"""Gold labels: the only decisions from which quality and error may be estimated.

A gold paper was drawn at random with a known chance and read blind by two people, so what they
say holds for the papers that were not drawn. Of other queues it does not: `uncertain` asks about
hard claims, and who sees a proposal agrees with it more. So whoever estimates (precision, recall,
corrected shares) takes a `GoldLabels`, and there is no other way to get one than from gold
decisions; anything else is refused here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import duckdb
import pyarrow as pa

from data.claims import votes
from data.errors import InputError
from data.records import Decision, Role, Use, from_table, schema, to_table

READERS = 2  # people who must have closed a gold paper

Pair: TypeAlias = tuple[str, Role]  # (dataset, role)


@dataclass(frozen=True, slots=True)
class GoldPaper:
    """What people found in one paper of the gold sample.

    Args:
        stratum: where it was drawn from.
        weight: papers of the stratum by those read of it: how many it stands for.
        uses: (dataset, role) that its readers agree on, or an adjudicator decided.
        disputed: (dataset, role) that one reader has and another has not, not adjudicated yet.
        readers: who closed it, in order.
        readings: what it uses, as each of them has it, in the same order; one alone, `uses`, where
            nothing is disputed.
    """

    work_id: str
    stratum: str
    weight: float
    uses: frozenset[Pair]
    disputed: frozenset[Pair]
    readers: tuple[str, ...]
    readings: tuple[frozenset[Pair], ...]


@dataclass(frozen=True, slots=True)
class GoldLabels:
    """The gold papers that are read, from decisions that are gold one and all.

    Args:
        decisions: of queue `gold`, and adjudications of the same papers; undos of both.
        strata: stratum of each paper of the sample.
        sizes: papers that each stratum has in the frame.

    Raises:
        InputError: a decision is of another queue, was not blind, or is on a paper that was not
            drawn; it cannot tell how good the annotator is.
    """

    decisions: tuple[Decision, ...]
    strata: Mapping[str, str]
    sizes: Mapping[str, int]

    def __post_init__(self) -> None:
        for decision in self.decisions:
            if decision.queue not in ("gold", "adjudicate"):
                fault = f"is of queue {decision.queue!r}"
            elif decision.work_id not in self.strata:
                fault = f"is on {decision.work_id}, which was not drawn"
            elif decision.queue == "gold" and decision.verdict != "undo" and not decision.blind:
                fault = "was not made blind"
            else:
                continue
            raise InputError(
                f"the decision {fault}; only gold decisions may estimate quality "
                "(`cats review --queue gold`)",
                record=decision.uid,
            )

    def begun(self) -> dict[str, int]:
        """How many people have closed each paper that somebody has."""
        return {work: len(who) for work, who in _readers(self.decisions).items()}

    def papers(self) -> list[GoldPaper]:
        """The papers that `READERS` people have closed, by id.

        Only who has closed a paper, or adjudicates, has a say: until then a person's silence means
        nothing, so that his additions alone would tip the majority.
        """
        table = to_table(Decision, self.decisions)
        readers = _readers(self.decisions)
        read = {work: who for work, who in readers.items() if len(who) >= READERS}
        said = _said(votes(schema(Use).empty_table(), table), read)
        n_read = Counter(self.strata[work] for work in read)
        return [
            _paper(
                work,
                read[work],
                said.get(work, {}),
                stratum=self.strata[work],
                weight=self.sizes[self.strata[work]] / n_read[self.strata[work]],
            )
            for work in sorted(read)
        ]


def _paper(
    work: str,
    readers: tuple[str, ...],
    said: Mapping[Pair, list[_Vote]],
    *,
    stratum: str,
    weight: float,
) -> GoldPaper:
    ruled = {pair: _ruling(of_pair) for pair, of_pair in said.items()}
    uses = frozenset(pair for pair, is_so in ruled.items() if is_so)
    disputed = frozenset(pair for pair, is_so in ruled.items() if is_so is None)
    own = (
        frozenset(p for p in disputed if any(v.reviewer == one and v.yes for v in said[p]))
        for one in readers
    )
    readings = tuple(uses | each for each in own) if disputed else (uses,)
    return GoldPaper(work, stratum, weight, uses, disputed, readers, readings)


def _readers(decisions: Iterable[Decision]) -> dict[str, tuple[str, ...]]:
    """Who has closed each paper, first one first."""
    undone = {decision.undoes for decision in decisions if decision.verdict == "undo"}
    found: dict[str, dict[str, None]] = {}
    for decision in decisions:
        if decision.verdict == "done" and decision.uid not in undone:
            found.setdefault(decision.work_id, {})[decision.reviewer] = None
    return {work: tuple(who) for work, who in found.items()}


@dataclass(frozen=True, slots=True)
class _Vote:
    reviewer: str
    adjudicates: bool
    yes: bool
    at: datetime


def _said(
    table: pa.Table, read: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[Pair, list[_Vote]]]:
    """Paper -> (dataset, role) -> what is said of it by who has a say."""
    said: dict[str, dict[Pair, list[_Vote]]] = {}
    for row in table.to_pylist():
        if row["adjudicates"] or row["reviewer"] in read.get(row["work_id"], ()):
            pairs = said.setdefault(row["work_id"], {})
            vote = _Vote(row["reviewer"], row["adjudicates"], row["yes"], row["at"])
            pairs.setdefault((row["dataset"], row["role"]), []).append(vote)
    return said


def _ruling(said: Iterable[_Vote]) -> bool | None:
    """Whether it is so: by the last adjudicator, else by most readers; None at a tie."""
    every = list(said)
    settled = [vote for vote in every if vote.adjudicates]
    answers = [vote.yes for vote in every]
    if settled:
        return max(settled, key=lambda vote: vote.at).yes
    n_yes = sum(answers)
    return None if 2 * n_yes == len(answers) else 2 * n_yes > len(answers)


def survey_gold(db: duckdb.DuckDBPyConnection) -> GoldLabels:
    """The gold labels of a survey.

    Args:
        db: a connection from `Corpus.connect`.

    Raises:
        InputError: no gold sample was drawn.
    """
    rows = db.sql("SELECT work_id, stratum, weight FROM sample").fetchall()
    if not rows:
        raise InputError("no gold sample is drawn yet; `cats review --draw N` draws one")
    n_drawn = Counter(stratum for _, stratum, _ in rows)
    table = db.sql(
        "SELECT * FROM decisions WHERE queue IN ('gold', 'adjudicate') "
        'AND work_id IN (SELECT work_id FROM sample) ORDER BY "at", uid'
    ).to_arrow_table()
    return GoldLabels(
        decisions=tuple(from_table(Decision, table)),
        strata={work: stratum for work, stratum, _ in rows},
        sizes={stratum: round(weight * n_drawn[stratum]) for _, stratum, weight in rows},
    )
