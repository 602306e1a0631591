"""What a protocol's questions would cost, before any data is taken: one or two calls each."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data.protocol import Protocol
from miner.mine import Asked, asked
from miner.openalex import PER_PAGE
from miner.pages import Pages
from miner.slices import slice_size, slices

# US dollars a page and a day's free allowance, as OpenAlex's documentation said in summer 2026.
_FILTER_PAGE_USD, _SEARCH_PAGE_USD = 0.0001, 0.001
_FREE_A_DAY_USD = {True: 1.0, False: 0.1}  # with and without a key


@dataclass(frozen=True, slots=True)
class Plan:
    """What one question of a protocol would bring and cost.

    Args:
        query: its name.
        works: how many works it has now.
        topics_alone: how many its topics have without its text; None without text or topics.
        slices: ranges of dates that are fetched side by side.
        calls: pages to fetch, at most.
        dollars: their price in US dollars.
        days: days of free allowance that this takes.
        minutes: how long the fetching takes at least, by the rate and by how long a call took now.
        by_year: works a year of publication.
    """

    query: str
    works: int
    topics_alone: int | None
    slices: list[str]
    calls: int
    dollars: float
    days: int
    minutes: float
    by_year: Mapping[int, int]

    def as_row(self) -> dict[str, Any]:
        """The plan as JSON fields."""
        return dataclasses.asdict(self)


def plans(
    protocol: Protocol,
    pages: Pages,
    *,
    has_key: bool,
    workers: int,
    rate: float | None = None,
    seconds: Callable[[], float] = time.perf_counter,
) -> list[Plan]:
    """A plan for each question of the protocol; a work that two questions find counts in both.

    Args:
        has_key: whether the free allowance is that of a key.
        workers: how many slices are to be fetched at once.
        rate: requests a second that the server grants; None for no limit.
        seconds: a clock that only goes forward.

    Raises:
        InputError: the server refuses the question or the key.
        NetworkError: the network or the budget gave out.
    """
    found, started = [], seconds()
    for question in asked(protocol, pages):
        call_s, started = seconds() - started, seconds()
        plan = _plan(question, protocol, has_key=has_key, workers=workers)
        at_once = min(workers, len(plan.slices))
        fetching_s = max(plan.calls * call_s / at_once, plan.calls / rate if rate else 0.0)
        found.append(dataclasses.replace(plan, minutes=round(fetching_s / 60, 2)))
    return found


def _plan(question: Asked, protocol: Protocol, *, has_key: bool, workers: int) -> Plan:
    """All but the minutes."""
    query, by_year = question.query, question.by_year
    works = sum(by_year.values())
    first, last = protocol.search.first_year, protocol.search.last_year
    cut = slices(first, last, by_year, size=slice_size(works, workers))
    # Each slice ends with a page that is not full.
    calls = math.ceil(works / PER_PAGE) + len(cut)
    dollars = calls * (_SEARCH_PAGE_USD if query.costs_search else _FILTER_PAGE_USD)
    return Plan(
        query=query.name,
        works=works,
        topics_alone=question.topics_alone,
        slices=list(map(str, cut)),
        calls=calls,
        dollars=dollars,
        days=math.ceil(dollars / _FREE_A_DAY_USD[has_key]),
        minutes=0.0,
        by_year=by_year,
    )
