"""What a protocol's questions would cost, before any data is taken: one `group_by` call each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.protocol import Protocol
from miner.mine import works_by_year
from miner.openalex import PER_PAGE, queries
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
        slices: ranges of dates that are fetched side by side.
        calls: pages to fetch, at most.
        dollars: their price in US dollars.
        days: days of free allowance that this takes.
        by_year: works a year of publication.
    """

    query: str
    works: int
    slices: int
    calls: int
    dollars: float
    days: int
    by_year: Mapping[int, int]

    def as_row(self) -> dict[str, Any]:
        """The plan as JSON fields."""
        return dataclasses.asdict(self)


def plans(protocol: Protocol, pages: Pages, *, has_key: bool, workers: int) -> list[Plan]:
    """A plan for each question of the protocol; a work that two questions find counts in both.

    Args:
        has_key: whether the free allowance is that of a key.
        workers: how many slices are to be fetched at once.

    Raises:
        InputError: the server refuses the question or the key.
        NetworkError: the network or the budget gave out.
    """
    found = []
    for query in queries(protocol):
        by_year = works_by_year(query, pages)
        works = sum(by_year.values())
        first, last = protocol.search.first_year, protocol.search.last_year
        cut = slices(first, last, by_year, size=slice_size(works, workers))
        # Each slice ends with a page that is not full.
        calls = math.ceil(works / PER_PAGE) + len(cut)
        dollars = calls * (_SEARCH_PAGE_USD if query.costs_search else _FILTER_PAGE_USD)
        days = math.ceil(dollars / _FREE_A_DAY_USD[has_key])
        found.append(Plan(query.name, works, len(cut), calls, dollars, days, by_year))
    return found
