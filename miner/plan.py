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

# US dollars a page, as OpenAlex's documentation priced them in summer 2026.
_FILTER_PAGE_USD, _SEARCH_PAGE_USD = 0.0001, 0.001


@dataclass(frozen=True, slots=True)
class Plan:
    """What one question of a protocol would bring and cost.

    Args:
        query: its name.
        works: how many works it has now.
        calls: pages to fetch.
        dollars: their price in US dollars; OpenAlex gives some of it free each day.
        by_year: works a year of publication.
    """

    query: str
    works: int
    calls: int
    dollars: float
    by_year: Mapping[int, int]

    def as_row(self) -> dict[str, Any]:
        """The plan as JSON fields."""
        return dataclasses.asdict(self)


def plans(protocol: Protocol, pages: Pages) -> list[Plan]:
    """A plan for each question of the protocol; a work that two questions find counts in both.

    Raises:
        InputError: the server refuses the question or the key.
        NetworkError: the network or the budget gave out.
    """
    found = []
    for query in queries(protocol):
        by_year = works_by_year(query, pages)
        works = sum(by_year.values())
        calls = max(1, math.ceil(works / PER_PAGE))
        price = _SEARCH_PAGE_USD if query.costs_search else _FILTER_PAGE_USD
        found.append(Plan(query.name, works, calls, calls * price, by_year))
    return found
