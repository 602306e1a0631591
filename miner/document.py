"""What a parser makes of a file: pieces of text by section, and what the file says of itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from data.records import Passage, Section

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u2060\ufeff\ufffe\uffff\ud800-\udfff]"
)
# Typeset pairs of letters; NFKC would do more, such as turn "10⁵" into "105".
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st", "\u00ad": ""}
)
_BEFORE_MARK = re.compile(r" +([,.;:)\]])")
_CC = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<terms>by(?:-nc)?(?:-nd|-sa)?)\b|(?P<zero>publicdomain))"
    r"|\bCC[ -](?P<named>BY(?:-NC)?(?:-ND|-SA)?|0|zero)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph, a caption, or a table with its caption."""

    section: Section
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A paper as a file has it.

    Args:
        pieces: its text in its order, none empty; without the title.
        title: as printed.
        names: what it is called: `doi:10...`, `pmid:1`, `pmcid:PMC1`, `arxiv:2101.00001`.
        license: as the file states it, such as `cc-by`; None if it does not.
    """

    pieces: tuple[Piece, ...]
    title: str | None = None
    names: tuple[str, ...] = ()
    license: str | None = None

    def passages(self, work_id: str, *, origin: str, license: str | None) -> list[Passage]:
        """The passages of a work; each section's are numbered from 0.

        Args:
            origin: where the file came from.
            license: of the text where the file states none.
        """
        counts: Counter[Section] = Counter()
        found = []
        for piece in self.pieces:
            found.append(
                Passage(
                    work_id=work_id,
                    section=piece.section,
                    order=counts[piece.section],
                    text=piece.text,
                    origin=origin,
                    license=self.license or license,
                )
            )
            counts[piece.section] += 1
        return found


def plain(text: str) -> str:
    """Text with single spaces, without ligatures and control characters; lines are joined.

    >>> plain("ﬁne-tuned  on\\nImageNet .")
    'fine-tuned on ImageNet.'
    """
    return _BEFORE_MARK.sub(r"\1", " ".join(_CONTROL.sub("", text.translate(_LIGATURES)).split()))


def table_text(caption: str, rows: Iterable[Iterable[str]]) -> str:
    """A table as text: its caption, then a line a row, cells apart by " | ", no empty rows."""
    lines = [plain(caption)]
    for row in rows:
        cells = [plain(cell) for cell in row]
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(line for line in lines if line)


def pieces_of(found: Iterable[tuple[Section, str]]) -> tuple[Piece, ...]:
    """The pieces that have words, captions and tables once each: floats are often held twice."""
    kept: list[Piece] = []
    seen: set[Piece] = set()
    for section, text in found:
        piece = Piece(section, text)
        is_float = section in ("caption", "table")
        if any(map(str.isalnum, text)) and not (is_float and piece in seen):
            kept.append(piece)
            seen.add(piece)
    return tuple(kept)


def license_of(text: str) -> str | None:
    """The Creative Commons licence that a text or address names, in OpenAlex's spelling.

    >>> license_of("https://creativecommons.org/licenses/by-nc/4.0/")
    'cc-by-nc'
    """
    found = _CC.search(text)
    if found is None:
        return None
    if found["terms"]:
        return f"cc-{found['terms'].lower()}"
    if found["zero"] or found["named"].lower() in ("0", "zero"):
        return "cc0" if "zero" in text.lower() or found["named"] else "public-domain"
    return f"cc-{found['named'].lower()}"
