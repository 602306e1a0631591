"""JATS, the XML of Europe PMC and PubMed Central.

Source: ANSI/NISO Z39.96, jats.nlm.nih.gov/archiving.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from data.errors import InputError
from data.records import Section
from miner.document import Document, license_of, pieces_of, plain, table_text
from miner.markup import attribute, children, inside, name, text_of, xml_root
from miner.sections import inherited, section_of

if TYPE_CHECKING:
    from lxml.etree import _Element

# `alternatives` hold a formula as TeX beside MathML; the latter's letters are kept.
_SKIP = frozenset(
    [
        "disp-formula",
        "disp-formula-group",
        "tex-math",
        "annotation",
        "graphic",
        "inline-graphic",
        "media",
        "fig",
        "fig-group",
        "table-wrap",
        "table-wrap-group",
        "fn",
        "ref-list",
        "supplementary-material",
        "object-id",
    ]
)
_BLOCKS = frozenset(
    ["p", "title", "label", "list", "list-item", "def-item", "break", "sec", "td", "th"]
)
_TYPES: dict[str, Section] = {
    "intro": "introduction",
    "methods": "methods",
    "materials": "methods",
    "subjects": "methods",
    "cases": "methods",
    "results": "results",
    "discussion": "discussion",
    "conclusions": "discussion",
    "data-availability": "availability",
}
_NAMES = {"doi": "doi:", "pmid": "pmid:", "pmc": "pmcid:PMC", "pmcid": "pmcid:PMC"}


def read_jats(body: bytes) -> Document:
    """The paper in a JATS file.

    Raises:
        InputError: it is not XML, or no JATS.
    """
    article = next(inside(xml_root(body), "article"), None)
    if article is None:
        raise InputError("XML without a JATS <article>")
    front = next(children(article, "front"), article)
    title = next(inside(front, "article-title"), None)
    return Document(
        pieces_of(_article(article, front)),
        None if title is None else plain(text_of(title, skip=_SKIP | {"xref"})) or None,
        tuple(_names(front)),
        _license(front),
    )


def _names(front: _Element) -> Iterator[str]:
    for found in inside(front, "article-id"):
        prefix = _NAMES.get(attribute(found, "pub-id-type"))
        said = plain(found.text or "").lower().removeprefix("pmc")
        if prefix and said:
            yield prefix + said


def _license(front: _Element) -> str | None:
    for found in inside(front, "license", "license_ref"):
        places = [attribute(inner, "href") for inner in found.iter() if name(inner)]
        said = license_of(" ".join([*places, text_of(found)]))
        if said is not None:
            return said
    return None


def _article(article: _Element, front: _Element) -> Iterator[tuple[Section, str]]:
    for abstract in inside(front, "abstract"):
        if attribute(abstract, "abstract-type") not in ("graphical", "teaser"):
            for paragraph in inside(abstract, "p"):
                yield "abstract", _plain(paragraph)
    for part in children(article, "body"):
        has_sections = next(children(part, "sec"), None) is not None
        opening: Section = "introduction" if has_sections else "other"
        yield from _part(part, opening)
    for part in children(article, "back"):
        for inner in children(part, "sec", "app-group", "app", "notes", "ack", "bio"):
            yield from _part(inner, _section(inner, None))
    for part in children(article, "floats-group"):
        yield from _part(part, "other")


def _part(part: _Element, section: Section) -> Iterator[tuple[Section, str]]:
    """What stands in a section, its own sections included."""
    parent = None if name(part) == "body" else section
    for child in children(part):
        called = name(child)
        if called in ("sec", "app", "notes"):
            section = _section(child, parent) if called != "app" else "other"
            yield from _part(child, section)
        elif called in ("fig", "table-wrap"):
            yield from _floats(child)
        elif called in ("p", "list", "disp-quote", "def-list", "statement", "boxed-text"):
            yield section, _plain(child)
            yield from _floats(child)
        elif called not in _SKIP or called.endswith("-group"):
            yield from _floats(child)


def _section(part: _Element, parent: Section | None) -> Section:
    """By its type, else by its title, else its parent's."""
    titles = [_plain(title) for title in children(part, "title")]
    typed = next(
        (_TYPES[word] for word in attribute(part, "sec-type").lower().split("|") if word in _TYPES),
        None,
    )
    said = typed or (section_of(titles[0]) if titles else None)
    return inherited(parent, said)


def _floats(part: _Element) -> Iterator[tuple[Section, str]]:
    """Captions and tables in an element, at any depth."""
    for found in inside(part, "fig", "table-wrap"):
        heads = children(found, "label", "caption")
        caption = " ".join(_plain(head) for head in heads)
        if name(found) == "fig":
            yield "caption", plain(caption)
            continue
        rows = ([_plain(cell) for cell in children(row, "td", "th")] for row in inside(found, "tr"))
        yield "table", table_text(caption, rows)


def _plain(element: _Element) -> str:
    return plain(text_of(element, skip=_SKIP, blocks=_BLOCKS))
