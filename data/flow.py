"""The PRISMA 2020 flow diagram as SVG: main steps on the left, what left the flow on the right."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping

from data.account import Account

_WIDTH, _BOX, _LINE, _PAD, _GAP = 760, 340, 18, 14, 40
_LEFT, _RIGHT, _TOP = 20, _WIDTH - _BOX - 20, 34
_FONT_PX = 14
_MOST_REASONS = 12  # in the picture; the numbers have them all

# Width of a character in em, of DejaVu Sans, the widest of the usual fonts, rounded up.
_NARROW, _WIDE = frozenset("ijlI.,:;'|!()[]{} frt-/\"`"), frozenset("mwMW@%&_OQ—…")
_INDENT = "\u2003"


def flow_svg(found: Account, *, title: str) -> str:
    """The flow diagram as SVG."""
    heading = _wrapped([title], _WIDTH - 2 * _LEFT, bold=True)
    y = _TOP + _LINE * len(heading) + 8
    shapes = [_text(_LEFT, _TOP + _LINE * place, line) for place, line in enumerate(heading)]
    rows = [(_wrapped(left), _wrapped(right)) for left, right in _steps(found)]
    for place, (left, right) in enumerate(rows):
        height = _PAD * 2 + _LINE * max(len(left), len(right))
        is_source = bool(found.lists) and place == 0
        shapes += _box(_LEFT, y, height, left)
        if right:
            shapes += _box(_RIGHT, y, height, right)
        if right and not is_source:
            shapes.append(_arrow((_LEFT + _BOX, y + height // 2), (_RIGHT, y + height // 2)))
        if place + 1 < len(rows):
            below = y + height + _GAP
            shapes.append(_arrow((_LEFT + _BOX // 2, y + height), (_LEFT + _BOX // 2, below)))
            if is_source:  # both columns are one from here on
                x, turn, end = _RIGHT + _BOX // 2, y + height + _GAP // 2, _LEFT + _BOX * 3 // 4
                shapes.append(_arrow((x, y + height), (x, turn), (end, turn), (end, below)))
        y += height + _GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" '
            'role="img" class="flow">',
            f"<title>{_escaped(title)}</title>",
            # Each rule names this figure: within a page of HTML a style holds for the whole page.
            f"<style>.flow text{{font:{_FONT_PX}px sans-serif;fill:#111}}"
            ".flow .title{font-weight:bold}.flow rect{fill:#fff;stroke:#111}"
            ".flow polyline{fill:none;stroke:#111}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<rect x="0" y="0" width="{_WIDTH}" height="{y}" style="stroke:none"/>',
            *(shape.replace("<text", '<text class="title"') for shape in shapes[: len(heading)]),
            *shapes[len(heading) :],
            "</svg>\n",
        ]
    )


def _steps(found: Account) -> Iterator[tuple[list[str], list[str]]]:
    """The steps from top to bottom: (lines on the left, lines on the right)."""
    duplicates = [f"Duplicates removed: {found.duplicates:,}"]
    n_databases, n_lists = sum(found.identified.values()), sum(found.lists.values())
    if found.lists:
        yield (
            [f"Identified in databases: {n_databases:,}", *_counts(found.identified)],
            [f"Identified by other methods: {n_lists:,}", *_counts(found.lists)],
        )
        yield [f"Records identified: {found.records:,}"], duplicates
    else:
        yield [f"Records identified: {found.records:,}", *_counts(found.identified)], duplicates
    yield (
        [f"Works screened: {found.screened:,}"],
        [
            f"Excluded: {sum(found.excluded.values()):,}",
            *_counts(found.excluded),
            f"Versions merged: {found.versions:,}",
        ],
    )
    yield (
        [f"Reports sought for retrieval: {found.sought:,}"],
        [
            f"Reports not retrieved: {sum(found.not_retrieved.values()):,}",
            *_counts(found.not_retrieved),
        ],
    )
    yield (
        [
            f"Reports retrieved: {found.retrieved:,}",
            f"{_INDENT}full text at hand: {found.full_text:,}",
        ],
        [f"Title and abstract only: {found.included - found.full_text:,}"],
    )
    read = f"{_INDENT}read by the annotator: {found.annotated:,}"
    yield [f"Works included: {found.included:,}", read], []


def _counts(counts: Mapping[str, int]) -> list[str]:
    """One indented line a name; the rarest ones together if there are many."""
    lines = [f"{_INDENT}{name}: {n:,}" for name, n in list(counts.items())[:_MOST_REASONS]]
    rest = list(counts.values())[_MOST_REASONS:]
    return [*lines, f"{_INDENT}{len(rest)} others: {sum(rest):,}"] if rest else lines


def _wrapped(
    lines: Iterable[str], width: int = _BOX - 2 * _PAD, *, bold: bool = False
) -> list[str]:
    """Lines broken so that each fits; what continues a line is indented."""
    most = width / _FONT_PX / (1.12 if bold else 1.0)
    broken = []
    for line in lines:
        indent = 2 * _INDENT if line.startswith(_INDENT) else _INDENT
        current = ""
        for word in line.split(" "):
            joined = f"{current} {word}" if current else word
            if current.strip() and _ems(joined) > most:
                broken.append(current)
                joined = indent + word
            while _ems(joined) > most:  # a word longer than a line
                cut = next(n for n in range(len(joined), 0, -1) if _ems(joined[:n]) <= most)
                broken.append(joined[:cut])
                joined = indent + joined[cut:]
            current = joined
        broken.append(current)
    return broken


def _ems(text: str) -> float:
    return sum(map(_em, text))


def _em(letter: str) -> float:
    if letter in _NARROW:
        return 0.42
    if letter in _WIDE or not letter.isascii():
        return 1.02
    return 0.78 if letter.isupper() else 0.66


def _box(x: int, y: int, height: int, lines: Iterable[str]) -> list[str]:
    shapes = [f'<rect x="{x}" y="{y}" width="{_BOX}" height="{height}"/>']
    for place, line in enumerate(lines):
        shapes.append(_text(x + _PAD, y + _PAD + _LINE * place + 13, line))
    return shapes


def _text(x: int, y: int, line: str) -> str:
    return f'<text x="{x}" y="{y}">{_escaped(line)}</text>'


def _escaped(text: str) -> str:
    """Text for XML, which admits no control characters."""
    return html.escape("".join(c if c.isprintable() or c == _INDENT else " " for c in text))


def _arrow(*points: tuple[int, int]) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{path}" marker-end="url(#tip)"/>'
