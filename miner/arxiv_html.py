"""arXiv's HTML, made by LaTeXML: sections and floats are told by their classes.

Source: math.nist.gov/~BMiller/LaTeXML/manual; info.arxiv.org/about/accessible_HTML.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from data.errors import InputError
from data.records import Section
from miner.document import Document, license_of, pieces_of, plain, table_text
from miner.markup import children, html_root, inside, is_marked, name, text_of
from miner.sections import inherited, section_of

if TYPE_CHECKING:
    from lxml.etree import _Element

# A footnote would cut the sentence that it stands in; equations are markup.
_SKIP = frozenset(
    {
        *("annotation", "annotation-xml", "script", "style", "nav", "button", "svg", "img"),
        *(".ltx_note", ".ltx_equation", ".ltx_equationgroup", ".ltx_eqn_table", ".ltx_ERROR"),
        *(".ltx_figure", ".ltx_table", ".ltx_float", ".ltx_bibliography", ".ltx_tag_section"),
    }
)
_BLOCKS = frozenset({"p", "li", "div", "td", "th", "br", "dt", "dd", "h2", "h3", "h4"})
_LEFT_OUT = frozenset(
    {".ltx_bibliography", ".ltx_TOC", ".ltx_authors", ".ltx_page_footer", ".ltx_dates"}
)
_SECTIONS = frozenset(
    {
        *(".ltx_section", ".ltx_subsection", ".ltx_subsubsection", ".ltx_paragraph"),
        *(".ltx_subparagraph", ".ltx_appendix", ".ltx_part", ".ltx_chapter"),
    }
)
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def read_arxiv_html(body: bytes) -> Document:
    """The paper on a page of arXiv.

    Raises:
        InputError: it is no page that LaTeXML made.
    """
    root = html_root(body)
    paper = next((part for part in root.iter() if is_marked(part, (".ltx_document",))), None)
    if paper is None:
        raise InputError("HTML that is not LaTeXML's: no ltx_document in it")
    title = next((part for part in paper.iter() if is_marked(part, (".ltx_title_document",))), None)
    said = _ARXIV.search(" ".join(text_of(mark) for mark in _marks(root)))
    return Document(
        pieces_of(_part(paper, "other")),
        None if title is None else _plain(title) or None,
        (f"arxiv:{said[1]}",) if said else (),
        _license(root),
    )


def _marks(root: _Element) -> Iterator[_Element]:
    """Where arXiv prints the paper's number on the page."""
    return (part for part in root.iter() if part.get("id") in ("watermark-tr", "header"))


def _license(root: _Element) -> str | None:
    for part in root.iter():
        if part.get("id") == "license-tr":
            text = f"{part.get('href', '')} {text_of(part)}"
            return license_of(text) or ("arxiv-perpetual" if "perpetual" in text else None)
    return None


def _part(part: _Element, section: Section) -> Iterator[tuple[Section, str]]:
    """What stands in a part of the page, its own parts included."""
    for child in children(part):
        if is_marked(child, _LEFT_OUT):
            continue
        if is_marked(child, (".ltx_abstract",)):
            yield from _part(child, "abstract")
        elif is_marked(child, _SECTIONS):
            yield from _part(child, _section(child, section))
        elif is_marked(child, (".ltx_figure", ".ltx_table", ".ltx_float")):
            yield from _floats(child)
        elif name(child) == "p" or is_marked(child, (".ltx_itemize", ".ltx_enumerate")):
            yield section, _plain(child)
        elif not (is_marked(child, _SKIP) or is_marked(child, (".ltx_title",))):
            yield from _part(child, section)


def _section(part: _Element, parent: Section) -> Section:
    if is_marked(part, (".ltx_appendix",)):
        return "other"
    titles = [_plain(child) for child in children(part) if is_marked(child, (".ltx_title",))]
    return inherited(parent, section_of(titles[0]) if titles else None)


def _floats(figure: _Element) -> Iterator[tuple[Section, str]]:
    """The caption of a figure, or a table with its caption; figures inside have their own."""
    captions = " ".join(_plain(caption) for caption in children(figure, "figcaption"))
    rows = [
        [_plain(cell) for cell in children(row, "td", "th")]
        for row in inside(figure, "tr")
        if not any(is_marked(above, (".ltx_eqn_table",)) for above in row.iterancestors("table"))
    ]
    if is_marked(figure, (".ltx_table",)) or (rows and not is_marked(figure, (".ltx_figure",))):
        yield "table", table_text(captions, rows)
        return
    yield "caption", plain(captions)
    for inner in inside(figure, "figure"):
        if inner is not figure:
            yield "caption", plain(" ".join(_plain(c) for c in children(inner, "figcaption")))


def _plain(element: _Element) -> str:
    return plain(text_of(element, skip=_SKIP, blocks=_BLOCKS))
