"""Which format a file at hand has, told by its content, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from data.errors import InputError
from miner.arxiv_html import read_arxiv_html
from miner.document import Document
from miner.jats import read_jats
from miner.latex import is_latex, read_latex
from miner.lines import read_text
from miner.pdf import read_pdf
from miner.tei import read_tei

LARGEST = 50_000_000  # bytes of a file
_LARGEST_TEXT = 5_000_000  # of text without markup; a long book has 2 MB
_HEAD = 4096  # bytes that show what a file is

# In the order of how well they keep sections apart: of two files of a work the first is taken.
READERS: Mapping[str, Callable[[bytes], Document]] = {
    "JATS": read_jats,
    "TEI": read_tei,
    "HTML": read_arxiv_html,
    "LaTeX": read_latex,
    "PDF": read_pdf,
    "text": read_text,
}


def format_of(body: bytes) -> str:
    """The format of a file, out of `READERS`.

    Raises:
        InputError: it is none of them.
    """
    head = body[:_HEAD]
    if b"%PDF-" in head[:1024]:
        return "PDF"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _markup(body)
    if len(body) > _LARGEST_TEXT:
        raise InputError(f"{len(body) / 1e6:.0f} MB of text is more than any paper has")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(
            f"neither JATS, TEI, HTML, LaTeX, PDF nor UTF-8 text (byte {e.start})"
        ) from e
    if "\0" in text or not text.strip():
        raise InputError("neither JATS, TEI, HTML, LaTeX, PDF nor text with words in it")
    return "LaTeX" if is_latex(text) else "text"


def _markup(body: bytes) -> str:
    head = body[:_HEAD].lower()
    if b"<tei" in head or b":tei" in head:
        return "TEI"
    if b"<html" in head or b"<!doctype html" in head:
        return "HTML"
    if b"<article" in head or b"jats" in head or b"pmc-articleset" in head:
        return "JATS"
    raise InputError("markup that is neither JATS, TEI nor HTML")


def read_document(body: bytes) -> Document:
    """The paper in a file of any of the formats.

    Raises:
        InputError: it is none of them, too large, or cannot be read.
    """
    if len(body) > LARGEST:
        raise InputError(f"{len(body) / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}")
    return READERS[format_of(body)](body)
