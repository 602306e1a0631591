"""A question cut into ranges of publication dates, which can be fetched side by side. Pure.

One cursor serves one page after the other; many short ranges keep many cursors busy, and a range
that ends in one run cannot be disturbed by works that arrive meanwhile elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

# Works a slice: at 50 pages the last, short one is 1% of the calls; at 5 pages it is 10%, which is
# worth it only where there would be fewer slices than workers.
_MOST, _LEAST = 5000, 500
_SLICES_A_WORKER = 3  # so that no worker is alone with the last slice for long


@dataclass(frozen=True, slots=True)
class Slice:
    """Publication dates from `first` to `last`, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The slice that `str` wrote."""
        first, last = text.split("..")
        return cls(date.fromisoformat(first), date.fromisoformat(last))


def slice_size(works: int, workers: int) -> int:
    """How many works a slice should hold, for so many works and workers."""
    return min(_MOST, max(_LEAST, works // (workers * _SLICES_A_WORKER)))


def slices(
    first_year: int, last_year: int, by_year: Mapping[int, int], *, size: int
) -> list[Slice]:
    """Ranges that cover all days of the years, each day once, with about `size` works each.

    Years with more works are cut into equal ranges of days, years with fewer are joined.

    Args:
        by_year: works a year; a year that is absent has none.
        size: works a slice; at least 1.
    """
    return list(_joined(_cut(first_year, last_year, by_year, size), size))


def _cut(
    first_year: int, last_year: int, by_year: Mapping[int, int], size: int
) -> Iterator[tuple[Slice, float]]:
    """Each year in one or more ranges, with the works that each is thought to hold."""
    for year in range(first_year, last_year + 1):
        start, end = date(year, 1, 1), date(year, 12, 31)
        days = (end - start).days + 1
        count = by_year.get(year, 0)
        parts = min(days, max(1, math.ceil(count / size)))
        edges = [start + timedelta(days=days * part // parts) for part in range(parts)]
        for place, edge in enumerate(edges):
            stop = edges[place + 1] - timedelta(days=1) if place + 1 < parts else end
            yield Slice(edge, stop), count / parts


def _joined(cut: Iterator[tuple[Slice, float]], size: int) -> Iterator[Slice]:
    held: Slice | None = None
    n_held = 0.0
    for piece, count in cut:
        if held is not None and n_held + count > size:
            yield held
            held, n_held = None, 0.0
        held = piece if held is None else Slice(held.first, piece.last)
        n_held += count
    if held is not None:
        yield held
