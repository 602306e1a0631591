"""Works -> BibTeX, for a reference manager or a reference list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from data.records import Work

_KINDS = {
    "article": "article",
    "review": "article",
    "conference-paper": "inproceedings",
    "book-chapter": "incollection",
    "dissertation": "phdthesis",
}
_VENUE = {"article": "journal", "inproceedings": "booktitle", "incollection": "booktitle"}
_SPECIAL = re.compile(r"([&%$#_{}])")
_SIGNS = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def bibtex(works: Iterable[Work]) -> str:
    """One entry a work, in their order; the key is the work's id.

    Titles are in braces, so that a style leaves their capitals as they are.
    """
    return "".join(f"{_entry(work)}\n" for work in works)


def _entry(work: Work) -> str:
    kind = _KINDS.get(work.type or "", "misc")
    fields = "".join(f"  {name} = {{{value}}},\n" for name, value in _fields(work, kind))
    return f"@{kind}{{{re.sub(r'[^A-Za-z0-9:.-]', '-', work.id)},\n{fields}}}\n"


def _fields(work: Work, kind: str) -> Iterator[tuple[str, str]]:
    if work.title:
        yield "title", f"{{{_escaped(work.title)}}}"
    if work.authors:
        yield "author", " and ".join(_escaped(name) for name in work.authors)
    if work.venue:
        yield _VENUE.get(kind, "howpublished"), _escaped(work.venue)
    if work.year is not None:
        yield "year", str(work.year)
    if work.doi:
        yield "doi", _escaped(work.doi)
    elif work.oa_url:
        yield "url", _escaped(work.oa_url)


def _escaped(text: str) -> str:
    """Text as LaTeX prints it; control characters, which no reader takes, become spaces."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    named = re.sub(r"[\\~^]", lambda sign: f"\0{sign[0]}", plain)
    escaped = _SPECIAL.sub(r"\\\1", named)
    return re.sub(r"\0(.)", lambda sign: _SIGNS[sign[1]], escaped)
