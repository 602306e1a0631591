"""Frames -> SVG figures for a release: lines with bands, bars with whiskers, by no library.

Colour, marker and a label at the line's end say the same; hollow are groups of fewer than 30
papers; intervals are 95%.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#C8669B", "#A87900", "#7B61C4", "#8C564B", "#6F6F6F")
_FEW = 30
_WIDTH, _HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 170, 56, 64
_LABEL, _ROW, _BAR = 90, 26, 12  # a label has so much room or more
_LETTER, _LONGEST = 8, 40  # width of a letter in px, and letters of a name at most
_COUNTS = 130  # px to the right of the longest bar, for share and counts
_CORRECTED = 16  # px more for a row whose corrected share stands below
# Each rule names its own figures: within a page of HTML a style holds for the whole page.
_STYLE = (
    ".chart text{font:13px sans-serif;fill:#1f1e1b}"
    ".chart .title{font-size:16px;font-weight:600}"
    ".chart .note{font-size:11px;fill:#5b5953}.chart .grid{stroke:#ddd}"
)
_TOPS = (0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
_Row = Mapping[str, Any]


def lines_svg(frame: pd.DataFrame, *, title: str, note: str, this_year: int) -> str:
    """Shares over years: a line with its band a dataset; the year that is not over is dashed.

    Args:
        frame: as `data.trends.shares` gives it by year for one kind of text; eight datasets at
            most. Papers of unknown year are left out.
    """
    known = frame[frame["group"].astype(str).str.fullmatch(r"\d+")]
    rows = _rows(known.assign(year=known["group"].astype(int)).sort_values("year"))
    years = sorted({row["year"] for row in rows})
    top = _ceiling(row["high"] for row in rows if row["n"])
    first, last = (years[0], years[-1]) if years else (0, 1)

    def x(year: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (year - first) / max(last - first, 1)

    def y(share: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(share, top) / top

    shapes = list(_share_grid(top, y))
    step = max(1, math.ceil(len(years) / 12))
    shapes += [
        _text(x(year), _HEIGHT - _BOTTOM + 20, str(year), "middle") for year in years[::step]
    ]
    ends: list[tuple[float, str, str]] = []
    names = list(dict.fromkeys(str(name) for name in frame["dataset"]))
    for place, name in enumerate(names):
        own = [row for row in rows if row["dataset"] == name]
        colour = _COLOURS[place % len(_COLOURS)]
        shapes += _line(own, x, y, colour, this_year)
        if own:
            ends.append((y(own[-1]["share"]), name, colour))
    for at, name, colour in _apart(ends, 16, _HEIGHT - _BOTTOM):
        shapes.append(_text(_WIDTH - _RIGHT + 12, at + 4, name, fill=colour))
    return _page(_WIDTH, _HEIGHT, title, note, shapes)


def bars_svg(frame: pd.DataFrame, *, title: str, note: str) -> str:
    """Datasets by share: a bar with its 95% interval each, in the frame's order.

    Below it, where gold papers give one, the corrected share as a diamond with its interval.

    Args:
        frame: as `data.trends.shares` gives it by 'all' for one kind of text; without corrected
            columns nothing is corrected.
    """
    rows = _rows(frame.assign(dataset=[_short(str(name)) for name in frame["dataset"]]))
    is_corrected = any(math.isfinite(_corrected(row)[0]) for row in rows)
    row_height = _ROW + (_CORRECTED if is_corrected else 0)
    left = max([_LABEL, *(_LETTER * len(row["dataset"]) + 20 for row in rows)])
    height = _TOP + row_height * len(rows) + _BOTTOM
    highs = [high for row in rows if math.isfinite(high := _corrected(row)[2])]
    top = _ceiling([*(row["high"] for row in rows), *highs])

    def x(share: float) -> float:
        return left + (_WIDTH - left - _COUNTS) * min(share, top) / top

    shapes = []
    for place, row in enumerate(rows):
        y = _TOP + row_height * place + _ROW / 2
        shapes.append(_text(left - 8, y + 4, row["dataset"], "end"))
        shapes.append(
            f'<rect x="{left:.1f}" y="{y - _BAR / 2:.1f}" width="{x(row["share"]) - left:.1f}" '
            f'height="{_BAR}" fill="{_COLOURS[0]}" fill-opacity=".75"/>'
        )
        low, high = x(row["low"]), x(row["high"])
        shapes.append(_whisker(low, high, y, "#1f1e1b"))
        shapes.append(
            _text(high + 8, y + 4, f"{100 * row['share']:.1f}% ({row['n']} of {row['n_papers']})")
        )
        shapes += _diamond(*_corrected(row), x, y + _BAR / 2 + _CORRECTED / 2)
    return _page(_WIDTH, height, title, note, shapes)


def _corrected(row: _Row) -> tuple[float, float, float]:
    """Corrected share, low and high; not a number where there is none."""
    names = ("corrected", "corrected_low", "corrected_high")
    share, low, high = (float(row.get(name, math.nan)) for name in names)
    return share, low, high


def _diamond(share: float, low: float, high: float, x: Any, y: float) -> Iterator[str]:
    if not math.isfinite(share):
        return
    yield _whisker(x(low), x(high), y, _COLOURS[1])
    yield (
        f'<path d="M{x(share) - 5:.1f} {y:.1f}l5 -5 5 5 -5 5z" fill="{_COLOURS[1]}" stroke="#fff"/>'
    )
    words = f"{100 * share:.1f}% corrected"
    yield _text(x(high) + 8, y + 4, words, fill=_COLOURS[1])


def _whisker(low: float, high: float, y: float, colour: str) -> str:
    return (
        f'<path d="M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}v8M{high:.1f} '
        f'{y - 4:.1f}v8" stroke="{colour}" fill="none"/>'
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _line(rows: Sequence[_Row], x: Any, y: Any, colour: str, this_year: int) -> Iterator[str]:
    used = [row for n, row in enumerate(rows) if any(before["n"] for before in rows[: n + 1])]
    if used:
        edge = [f"{x(row['year']):.1f},{y(row['high']):.1f}" for row in used]
        edge += [f"{x(row['year']):.1f},{y(row['low']):.1f}" for row in reversed(used)]
        yield f'<polygon points="{" ".join(edge)}" fill="{colour}" fill-opacity=".13"/>'
    over = [row for row in rows if row["year"] < this_year]
    tail = [*over[-1:], *(row for row in rows if row["year"] >= this_year)]
    for part, dash in ((over, ""), (tail, ' stroke-dasharray="3 4"')):
        points = " ".join(f"{x(row['year']):.1f},{y(row['share']):.1f}" for row in part)
        yield (
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
    for row in rows:
        inside = colour if row["n_papers"] >= _FEW else "#fff"
        yield (
            f'<circle cx="{x(row["year"]):.1f}" cy="{y(row["share"]):.1f}" r="3.5" '
            f'fill="{inside}" stroke="{colour}" stroke-width="1.5"/>'
        )


def _share_grid(top: float, y: Any) -> Iterator[str]:
    for place in range(5):
        share = top * place / 4
        yield (
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(share):.1f}" '
            f'y2="{y(share):.1f}"/>'
        )
        yield _text(_LEFT - 8, y(share) + 4, f"{100 * share:g}%", "end")


def _ceiling(shares: Iterable[float]) -> float:
    """A round share that is no less than any of these."""
    highest = max([0.01, *shares])
    return next(top for top in _TOPS if highest <= top)


def _apart(
    ends: list[tuple[float, str, str]], least: float, lowest: float
) -> list[tuple[float, str, str]]:
    """Labels from top to bottom, none on another and none below `lowest`."""
    placed: list[tuple[float, str, str]] = []
    for y, name, colour in sorted(ends, reverse=True):
        lowest = min(y, lowest)
        placed.append((lowest, name, colour))
        lowest -= least
    return placed[::-1]


def _text(x: float, y: float, words: str, anchor: str = "start", *, fill: str = "") -> str:
    own = f' style="fill:{fill}"' if fill else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{own}>{_escaped(words)}</text>'


def _page(width: int, height: int, title: str, note: str, shapes: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'role="img" class="chart">',
            f"<title>{_escaped(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            f'<text class="title" x="16" y="30">{_escaped(title)}</text>',
            *shapes,
            f'<text class="note" x="16" y="{height - 14}">{_escaped(note)}</text>',
            "</svg>\n",
        ]
    )


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _escaped(text: str) -> str:
    """Text for XML, which admits no control characters."""
    return html.escape("".join(sign if sign.isprintable() else " " for sign in text))
