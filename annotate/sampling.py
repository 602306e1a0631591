"""Which papers are gold, and how many more must be read: stratified random sampling.

The frame is frozen when it is drawn: each annotated paper of the survey with its stratum (years x
venue x how sure the annotator is of a source) and a place in the order of drawing, both from a
seed. The sample is the first n places, so a larger sample holds the smaller one, and the papers of
a stratum are drawn from it with equal chance.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from annotate.review import Shown, progress
from data.corpus import Corpus
from data.errors import InputError
from data.gold import READERS, GoldLabels, survey_gold
from data.records import ROLES, Role

_YEAR_BANDS = 4  # of about as many papers each
_VENUES = 4  # the most frequent; all others are one
_SURE = 0.8
_EACH = 4  # papers that a stratum gets on average, or strata are made wider
_FEWEST = 8  # papers of a cell of its own; a smaller one joins the other venues
_FIRST = 2  # of each stratum come before all else: a variance needs two
_Z = 1.959964  # of a 95% interval
# Queues whose counts people may know: how many repeats wait is no one's business.
_TOLD: tuple[Shown, ...] = (
    "gold",
    "uncertain",
    "disagree",
    "new-name",
    "paper",
    "adjudicate",
)


class _Paper(NamedTuple):
    work_id: str
    years: str
    venue: str
    score: str


_PAPERS = """
SELECT id, year, venue, score FROM included
SEMI JOIN annotated ON included.id = annotated.work_id
LEFT JOIN (SELECT work_id, max(score) AS score FROM uses WHERE role = 'source' GROUP BY 1) AS best
    ON included.id = best.work_id
ORDER BY id
"""


def frame(db: duckdb.DuckDBPyConnection, *, n: int, seed: int) -> list[tuple[str, str, int]]:
    """(work id, stratum, place in the order of drawing) of each annotated paper of a survey.

    Strata are made wider (without venue, then without year) until there are four drawn papers for
    each. Two papers of each stratum come first; then they take turns by the root of their size,
    between equal and proportional shares, so that small strata are not left with nothing.

    Args:
        db: a connection from `Corpus.connect`.
        n: papers to draw.
        seed: of the order within strata.

    Source: Neyman (1934), doi:10.2307/2342192; power allocation with exponent 1/2 by Bankier
        (1988), doi:10.1080/00031305.1988.10475556.
    """
    rows = db.sql(_PAPERS).fetchall()
    bands = _bands([year for _, year, _, _ in rows if year is not None])
    frequent = [v for v, _ in Counter(v for _, _, v, _ in rows if v).most_common(_VENUES)]
    papers = [
        _Paper(
            work_id,
            "no year" if year is None else bands[year],
            venue if venue in frequent else "other venues",
            "no source" if score is None else "sure" if score >= _SURE else "unsure",
        )
        for work_id, year, venue, score in rows
    ]
    by_stratum: dict[str, list[str]] = {}
    for paper, stratum in zip(papers, _strata(papers, n), strict=True):
        by_stratum.setdefault(stratum, []).append(paper.work_id)
    ordered = []
    for stratum, members in sorted(by_stratum.items()):
        members.sort(key=lambda work_id: _drawn_by(seed, work_id))
        for number, work_id in enumerate(members):
            turn = (number + 0.5) / len(members) ** 0.5
            early = number if number < _FIRST else _FIRST
            ordered.append((early, turn, stratum, work_id))
    return [(work, stratum, place) for place, (_, _, stratum, work) in enumerate(sorted(ordered))]


def _bands(years: Sequence[int]) -> dict[int, str]:
    """Year -> its band, such as "2019-2021"; bands have about as many papers, a year is one."""
    counts = sorted(Counter(years).items())
    members: dict[int, list[int]] = {}
    before = 0
    for year, count in counts:
        middle = (before + count / 2) / len(years)
        members.setdefault(int(middle * _YEAR_BANDS), []).append(year)
        before += count
    return {
        year: f"{band[0]}-{band[-1]}" if len(band) > 1 else str(year)
        for band in members.values()
        for year in band
    }


def _strata(papers: Sequence[_Paper], n: int) -> list[str]:
    ways: tuple[Callable[[_Paper], str], ...] = (
        lambda paper: f"{paper.years}, {paper.venue}, {paper.score}",
        lambda paper: f"{paper.years}, {paper.score}",
        lambda paper: paper.score,
    )
    sizes = Counter(map(ways[0], papers))
    wide = [
        paper._replace(venue="other venues") if sizes[ways[0](paper)] < _FEWEST else paper
        for paper in papers
    ]
    for way in ways:
        named = [way(paper) for paper in wide]
        if len(set(named)) * _EACH <= n:
            return named
    return ["all"] * len(papers)


def _drawn_by(seed: int, work_id: str) -> bytes:
    return hashlib.sha256(f"{seed}|{work_id}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A gold sample: papers drawn, papers they were drawn from, strata, and the seed."""

    n: int
    n_frame: int
    n_strata: int
    seed: int


def draw(
    corpus: Corpus, *, n: int, seed: int | None = None, again: bool = False, now: datetime
) -> Drawn:
    """Draw n gold papers in all, or, where fewer were drawn before, as many more.

    Args:
        seed: of the first draw, 0 if None; later draws go on in its order.
        again: make the frame anew, as after the survey has grown. With the same seed most papers
            drawn before are drawn again, and what people said of them counts.
        now: UTC.

    Raises:
        InputError: another seed than the sample's without `again`; fewer papers than are drawn, or
            more than there are; no paper is annotated.
    """
    with corpus.journal() as journal:
        before = journal.drawn()
        if before is not None and not again:
            if seed not in (None, before[1]):
                raise InputError(
                    f"the sample was drawn with seed {before[1]}; leave --seed out, or draw anew "
                    "with --again"
                )
            if n < before[0]:
                raise InputError(f"{before[0]} gold papers are drawn already; --draw takes more")
            _check(n, len(journal.frame()))
            journal.draw(n, now=now)
        else:
            seed = seed if seed is not None else before[1] if before else 0
            with corpus.connect() as db:
                rows = frame(db, n=n, seed=seed)
            _check(n, len(rows))
            journal.set_frame(rows, n=n, seed=seed, now=now)
        kept = journal.frame()
        strata = {stratum for _, stratum, place in kept}
        return Drawn(n, len(kept), len(strata), (journal.drawn() or (n, 0))[1])


def _check(n: int, n_frame: int) -> None:
    if n > n_frame:
        raise InputError(
            f"{n} gold papers are asked for and the survey has {n_frame} annotated ones to draw "
            "from; ask for fewer, or `cats annotate` first"
        )


# --- the stop rule ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StillNeeded:
    """How far a trend is from the width that is wanted, by gold papers alone.

    Args:
        dataset, role, year: the share that is estimated; all years where None.
        n_read: gold papers of these years that are read, of all drawn.
        share, low, high: of papers; None before a paper is read.
        wanted: width of the 95% interval, in points of a hundred.
        n_papers: gold papers to read yet, in the order of drawing; 0 where it is narrow enough.
        n_decisions: readings of a paper that these are, two each but for those half done.
    """

    dataset: str
    role: Role
    year: int | None
    n_read: int
    share: float | None
    low: float | None
    high: float | None
    wanted: float
    n_papers: int
    n_decisions: int


@dataclass(slots=True)
class _Stratum:
    size: int = 0
    n_read: int = 0
    n_with: int = 0
    n_planned: int = 0

    def variance(self, total: int, prior: float) -> float:
        """What it adds to the variance of the share over all; smoothed, so that 0 of 3 is not 0."""
        p = (self.n_with + prior) / (self.n_read + 1)
        n = self.n_read + self.n_planned
        return (self.size / total) ** 2 * (1 - n / self.size) * p * (1 - p) / max(1, n)


def still_needed(
    corpus: Corpus, *, dataset: str, width: float, role: Role = "source", year: int | None = None
) -> StillNeeded:
    """How many more gold readings until a share's 95% interval is narrower than `width` points.

    The share is estimated by strata from what is read; the plan goes on as if each stratum stayed
    as it looks now, drawn towards the share over all as one paper more would.

    Args:
        dataset: catalogue id.
        width: of the whole interval, in points of a hundred: 10 is from 40% to 50%.
        year: only papers of that year; all if None.

    Raises:
        InputError: no gold sample is drawn, or the frame has no paper of that year.

    Source: Cochran (1977), Sampling Techniques, 3rd ed., 5.6 and 5A.10, with his finite population
        correction; the interval is the normal one.
    """
    with corpus.connect() as db, corpus.journal() as journal:
        labels = survey_gold(db)
        years = dict(db.sql("SELECT id, year FROM included").fetchall())
        rows = journal.frame()
    rows = [row for row in rows if row[0] in years and year in (None, years[row[0]])]
    if not rows:
        raise InputError(
            f"the gold frame has no paper of {year}; leave --year out, or draw --again"
        )
    return _planned(
        rows, labels, StillNeeded(dataset, role, year, 0, None, None, None, width, 0, 0)
    )


def _planned(
    rows: Sequence[tuple[str, str, int]], labels: GoldLabels, asked: StillNeeded
) -> StillNeeded:
    use = (asked.dataset, asked.role)
    has = {paper.work_id: use in paper.uses for paper in labels.papers()}
    strata: dict[str, _Stratum] = {}
    for work, stratum, _ in rows:
        own = strata.setdefault(stratum, _Stratum())
        own.size += 1
        if work in has:
            own.n_read, own.n_with = own.n_read + 1, own.n_with + has[work]
    n_read = sum(own.n_read for own in strata.values())
    prior = (sum(own.n_with for own in strata.values()) + 0.5) / (n_read + 1)

    def half() -> float:
        return _Z * math.sqrt(sum(own.variance(len(rows), prior) for own in strata.values()))

    share, now = _share(list(strata.values())), half()
    begun = labels.begun()
    n_papers = n_decisions = 0
    for work, stratum, _ in rows:
        if 200 * half() <= asked.wanted:
            break
        if work not in has:
            strata[stratum].n_planned += 1
            n_papers, n_decisions = n_papers + 1, n_decisions + READERS - begun.get(work, 0)
    return replace(
        asked,
        n_read=n_read,
        share=share,
        low=None if share is None else max(0.0, share - now),
        high=None if share is None else min(1.0, share + now),
        n_papers=n_papers,
        n_decisions=n_decisions,
    )


def _share(strata: Sequence[_Stratum]) -> float | None:
    """The share over the strata of which something is read, each by its size; None if none is."""
    read = [own for own in strata if own.n_read]
    total = sum(own.size for own in read)
    return sum(own.size * own.n_with / own.n_read for own in read) / total if read else None


def review_status(
    corpus: Corpus, *, reviewer: str, dataset: str, role: str, year: int | None, width: float
) -> dict[str, Any]:
    """How far the review is, for people to see.

    Args:
        reviewer: whose queues are counted.
        dataset, role, year, width: of the trend; see `still_needed`.

    Returns: `queues` (name -> done and waiting), `gold_drawn`, `gold_read`, and `needed`, the
        fields of `StillNeeded`, or None where no gold sample is drawn.

    Raises:
        InputError: the role is none; or as of `still_needed`.
    """
    if role not in ROLES:
        raise InputError(f"--role {role!r} is not one of {', '.join(ROLES)}")
    with corpus.connect() as db, corpus.journal() as journal:
        queues = {name: asdict(progress(db, name=name, reviewer=reviewer)) for name in _TOLD}
        drawn = journal.drawn()
        labels = survey_gold(db).papers() if drawn else []
    needed = None
    if drawn:
        needed = asdict(still_needed(corpus, dataset=dataset, width=width, role=role, year=year))
    n_drawn = drawn[0] if drawn else 0
    return {"queues": queues, "gold_drawn": n_drawn, "gold_read": len(labels), "needed": needed}
