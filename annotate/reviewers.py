"""How far reviewers agree: with each other, and each with what he said before.

`survey_reviewers` is the one entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import median
from typing import Any

import duckdb
import numpy as np

from annotate.agreement import alpha, kappa
from annotate.resampling import RESAMPLES, interval, resampled
from data.claims import votes
from data.intervals import wilson
from data.records import ROLES, Decision, from_table

_ABSENT = "absent"
_DATASETS = 10  # those that two people speak of most
_Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree on some units, a unit being what two or more have spoken of.

    Args:
        of: which units.
        n, n_papers: units, and the papers they are in.
        n_pairs, n_same: pairs of people on a unit, and those of one opinion.
        share: n_same / n_pairs.
        kappa: Cohen's for two people; the mean over all pairs of people for more (Light's).
        alpha: Krippendorff's, any number of people.
        kappa_interval, alpha_interval: 95% by bootstrap over papers.
    """

    of: str
    n: int
    n_papers: int
    n_pairs: int
    n_same: int
    share: float
    kappa: float | None
    kappa_interval: _Interval
    alpha: float | None
    alpha_interval: _Interval


@dataclass(frozen=True, slots=True)
class Confusion:
    """What two people said of the same (paper, dataset): rows the first's, columns the second's."""

    first: str
    second: str
    categories: list[str]
    table: list[list[int]]


@dataclass(frozen=True, slots=True)
class SelfAgreement:
    """How often a reviewer said of a hidden repeat what he had said before; Wilson's 95%."""

    reviewer: str
    n: int
    n_same: int
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pace:
    """Standing decisions of a reviewer in a queue, and the median of the seconds that they took.

    Only those that say something, and whose time on the screen is known.
    """

    reviewer: str
    queue: str
    n: int
    median_s: float


@dataclass(frozen=True, slots=True)
class Reviewers:
    """All that is told of a survey's reviewers."""

    agreement: list[Agreement]
    confusion: list[Confusion]
    repeats: list[SelfAgreement]
    pace: list[Pace]

    def as_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        return asdict(self)


_Unit = tuple[str, Mapping[str, str]]  # a paper, and what each person says


def survey_reviewers(
    db: duckdb.DuckDBPyConnection, *, resamples: int = RESAMPLES, seed: int = 0
) -> Reviewers:
    """Agreement on roles: on all that two people spoke of, on gold alone, by role, by dataset.

    A person's opinion of a (paper, dataset) is its role, its roles joined, or "absent"; of one
    role it is yes or no. What an adjudicator says and what is repeated does not count here.

    Args:
        db: a connection from `Corpus.connect`.
    """
    decisions = list(from_table(Decision, db.sql("SELECT * FROM decisions").to_arrow_table()))
    uses = db.sql("SELECT * FROM uses SEMI JOIN included ON id = work_id").to_arrow_table()
    table = votes(uses, db.sql("SELECT * FROM decisions").to_arrow_table())
    rows = [row for row in table.to_pylist() if not row["adjudicates"]]
    blind = {made.uid for made in decisions if made.queue == "gold"}
    roles = _roles(rows)
    kinds: list[tuple[str, list[_Unit]]] = [
        ("role of a dataset", roles),
        ("role of a dataset, gold (blind)", _roles([r for r in rows if r["uid"] in blind])),
    ]
    kinds += [(f"{role} or not", _of_role(rows, role)) for role in ROLES]
    kinds += _by_dataset(rows)
    return Reviewers(
        agreement=[_agreement(of, u, resamples=resamples, seed=seed) for of, u in kinds if u],
        confusion=_confusions(roles),
        repeats=_repeats(decisions),
        pace=_pace(decisions),
    )


def _units(
    rows: Sequence[Mapping[str, Any]],
    of: Callable[[Mapping[str, Any]], tuple[str, ...]],
    said: Callable[[Sequence[Mapping[str, Any]]], str],
) -> list[_Unit]:
    """What each person says of each unit that two speak of."""
    found: dict[tuple[str, ...], dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        found.setdefault(of(row), {}).setdefault(row["reviewer"], []).append(row)
    return [
        (unit[0], {who: said(own) for who, own in sorted(people.items())})
        for unit, people in sorted(found.items())
        if len(people) > 1
    ]


def _roles(rows: Sequence[Mapping[str, Any]]) -> list[_Unit]:
    def said(own: Sequence[Mapping[str, Any]]) -> str:
        return " and ".join(sorted(row["role"] for row in own if row["yes"])) or _ABSENT

    return _units(rows, lambda row: (row["work_id"], row["dataset"]), said)


def _of_role(rows: Sequence[Mapping[str, Any]], role: str) -> list[_Unit]:
    return _units(
        [row for row in rows if row["role"] == role],
        lambda row: (row["work_id"], row["dataset"]),
        lambda own: "yes" if own[0]["yes"] else "no",
    )


def _by_dataset(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[_Unit]]]:
    names = sorted({row["dataset"] for row in rows})
    units = [(name, _roles([row for row in rows if row["dataset"] == name])) for name in names]
    units.sort(key=lambda each: (-len(each[1]), each[0]))
    return [(f"role of {name}", own) for name, own in units[:_DATASETS]]


def _agreement(of: str, units: Sequence[_Unit], *, resamples: int, seed: int) -> Agreement:
    papers = {paper: n for n, paper in enumerate(sorted({paper for paper, _ in units}))}
    kinds = sorted({said for _, people in units for said in people.values()})
    place = {kind: n for n, kind in enumerate(kinds)}
    duos = sorted({duo for _, people in units for duo in combinations(people, 2)})
    size = len(kinds)
    tables = np.zeros((len(papers), len(duos), size, size))
    pairs = np.zeros((len(papers), size, size))
    for paper, people in units:
        for duo in combinations(people, 2):
            a, b = (place[people[who]] for who in duo)
            tables[papers[paper], duos.index(duo), a, b] += 1
            for one, other in ((a, b), (b, a)):
                pairs[papers[paper], one, other] += 1 / (len(people) - 1)
    sums = tables.sum(axis=(0, 1))
    n_pairs, n_same = int(sums.sum()), int(np.trace(sums))
    light, light_interval = _figure(tables, _light, resamples, seed)
    value, value_interval = _figure(pairs, alpha, resamples, seed)
    return Agreement(
        of=of,
        n=len(units),
        n_papers=len(papers),
        n_pairs=n_pairs,
        n_same=n_same,
        share=n_same / n_pairs,
        kappa=light,
        kappa_interval=light_interval,
        alpha=value,
        alpha_interval=value_interval,
    )


def _light(tables: Any) -> Any:
    """The mean of the kappas of all pairs of people that have one. *Shape:* (..., d, c, c)."""
    each = kappa(tables)
    known = ~np.isnan(each)
    with np.errstate(invalid="ignore"):
        return np.where(known, each, 0).sum(axis=-1) / known.sum(axis=-1)


def _figure(
    counts: Any, of: Callable[[Any], Any], resamples: int, seed: int
) -> tuple[float | None, _Interval]:
    """A figure of sums over papers, and its interval; None where it is not defined."""
    value = float(of(counts.sum(axis=0)))
    if np.isnan(value):
        return None, None
    flat = counts.reshape(len(counts), -1)
    draws = resampled(flat, resamples=resamples, seed=seed)
    return value, interval(of(draws.reshape(-1, *counts.shape[1:])))


def _confusions(units: Sequence[_Unit]) -> list[Confusion]:
    tables: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for _, people in units:
        for first, second in combinations(people, 2):
            own = tables.setdefault((first, second), Counter())
            own[people[first], people[second]] += 1
    found = []
    for (first, second), own in sorted(tables.items()):
        kinds = sorted({kind for pair in own for kind in pair})
        found.append(Confusion(first, second, kinds, [[own[a, b] for b in kinds] for a in kinds]))
    return found


def _standing(decisions: Sequence[Decision], verdicts: Container[str]) -> list[Decision]:
    undone = {made.undoes for made in decisions if made.verdict == "undo"}
    return [made for made in decisions if made.verdict in verdicts and made.uid not in undone]


def _repeats(decisions: Sequence[Decision]) -> list[SelfAgreement]:
    first: dict[tuple[str, str, str | None, str | None], Any] = {}
    same: dict[str, list[bool]] = {}
    standing = _standing(decisions, ("accept", "reject", "edit"))
    for made in sorted(standing, key=lambda made: (made.at, made.uid)):
        thing = made.reviewer, made.work_id, made.proposed_dataset, made.proposed_role
        said = made.dataset, made.role
        if made.queue != "recheck":
            first[thing] = said
        elif thing in first:
            same.setdefault(made.reviewer, []).append(first[thing] == said)
    return [
        SelfAgreement(who, len(own), sum(own), wilson(sum(own), len(own)))
        for who, own in sorted(same.items())
    ]


def _pace(decisions: Sequence[Decision]) -> list[Pace]:
    shown: dict[tuple[str, str], list[int]] = {}
    for made in _standing(decisions, ("accept", "reject", "edit", "done")):
        if made.shown_ms is not None:
            shown.setdefault((made.reviewer, made.queue or "-"), []).append(made.shown_ms)
    return [
        Pace(who, queue, len(own), median(own) / 1000)
        for (who, queue), own in sorted(shown.items())
    ]
