"""TEI as GROBID writes it, which OpenAlex serves: flat divisions whose nesting is in their numbers.

Source: tei-c.org/guidelines; grobid.readthedocs.io, "TEI encoding of results".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from data.errors import InputError
from data.records import Section
from miner.document import Document, license_of, pieces_of, plain, table_text
from miner.markup import attribute, children, inside, name, text_of, xml_root
from miner.sections import Outline, is_references

if TYPE_CHECKING:
    from lxml.etree import _Element

_SKIP = frozenset({"formula", "figure", "note", "listBibl", "graphic"})
_BLOCKS = frozenset({"p", "item", "list", "cell", "row", "head", "lb", "s"})
_NAMES = {"doi": "doi:", "arxiv": "arxiv:", "pmid": "pmid:", "pmcid": "pmcid:"}
_TYPES: dict[str, Section] = {"availability": "availability", "abstract": "abstract"}


def read_tei(body: bytes) -> Document:
    """The paper in a TEI file.

    Raises:
        InputError: it is not XML, or no TEI.
    """
    tei = next(inside(xml_root(body), "TEI"), None)
    if tei is None:
        raise InputError("XML without a <TEI>")
    header = next(children(tei, "teiHeader"), None)
    pieces = pieces_of(_tei(tei, header))
    if header is None:
        return Document(pieces)
    return Document(pieces, _title(header), tuple(_names(header)), _license(header))


def _title(header: _Element) -> str | None:
    for statement in inside(header, "titleStmt"):
        for title in children(statement, "title"):
            return plain(text_of(title)) or None
    return None


def _names(header: _Element) -> Iterator[str]:
    for source in inside(header, "sourceDesc"):
        for found in inside(source, "idno"):
            kind, said = attribute(found, "type").lower(), plain(found.text or "").lower()
            if kind in _NAMES and said:
                said = said.removeprefix("arxiv:").partition(" ")[0]
                yield _NAMES[kind] + (said.upper() if kind == "pmcid" else said)


def _license(header: _Element) -> str | None:
    for found in inside(header, "licence", "availability"):
        said = license_of(f"{attribute(found, 'target')} {text_of(found)}")
        if said is not None:
            return said
    return None


def _tei(tei: _Element, header: _Element | None) -> Iterator[tuple[Section, str]]:
    if header is not None:
        for abstract in inside(header, "abstract"):
            for paragraph in inside(abstract, "p"):
                yield "abstract", _plain(paragraph)
    for text in children(tei, "text"):
        outline = Outline()
        for part in children(text, "body"):
            yield from _part(part, outline)
        for part in children(text, "back"):
            for division in children(part, "div"):
                if attribute(division, "type") != "references":
                    yield from _back(division)


def _back(division: _Element) -> Iterator[tuple[Section, str]]:
    outline = Outline()
    outline.section = _TYPES.get(attribute(division, "type"), "other")
    yield from _part(division, outline)


def _part(part: _Element, outline: Outline) -> Iterator[tuple[Section, str]]:
    """What stands in a division, its own divisions included."""
    is_left_out = False
    for child in children(part):
        called = name(child)
        if called == "head":
            heading = _plain(child)
            is_left_out = is_references(heading)
            if heading:
                outline.enter(heading, attribute(child, "n") or None)
        elif called == "div":
            yield from _part(child, outline)
        elif called == "figure":
            yield _float(child)
        elif called not in _SKIP and not is_left_out:
            yield outline.section, _plain(child)
            for found in inside(child, "figure"):
                yield _float(found)


def _float(figure: _Element) -> tuple[Section, str]:
    caption = " ".join(_plain(head) for head in children(figure, "head", "figDesc"))
    if attribute(figure, "type") != "table":
        return "caption", plain(caption)
    rows = ([_plain(cell) for cell in children(row, "cell")] for row in inside(figure, "row"))
    return "table", table_text(caption, rows)


def _plain(element: _Element) -> str:
    return plain(text_of(element, skip=_SKIP, blocks=_BLOCKS))
