"""Documents a second by format, beside the plain text that lxml and pypdfium2 give.

    python tests/benchmarks/fulltext.py [--seconds S] [--from DIR]

The papers are invented ones of some 6,000 words; with --from, those of a folder. The peers give all
text in one piece, without sections, captions apart, references left out or hyphens mended.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pypdfium2
from lxml import etree
from papers import pdf

from miner.formats import READERS, format_of

_WORDS = "we fine-tuned a residual network that was pretrained on ImageNet with chest radiographs"
_PARAGRAPH = f"{_WORDS.capitalize()} [12]. " * 7
_HEADINGS = ("Introduction", "Related work", "Methods", "Experiments", "Results", "Discussion")
_PER_SECTION = 10


def papers() -> dict[str, bytes]:
    """One invented paper in each format."""
    sections = [(n, heading) for n, heading in enumerate(_HEADINGS, start=1)]
    jats = "".join(
        f"<sec><title>{n} {heading}</title>{f'<p>{_PARAGRAPH}</p>' * _PER_SECTION}</sec>"
        for n, heading in sections
    )
    tei = "".join(
        f'<div><head n="{n}">{heading}</head>{f"<p>{_PARAGRAPH}</p>" * _PER_SECTION}</div>'
        for n, heading in sections
    )
    page = "".join(
        f'<section class="ltx_section"><h2 class="ltx_title">{n} {heading}</h2>'
        + f'<div class="ltx_para"><p class="ltx_p">{_PARAGRAPH}</p></div>' * _PER_SECTION
        + "</section>"
        for n, heading in sections
    )
    latex = "".join(
        f"\\section{{{heading}}}\n" + f"{_PARAGRAPH}\n\n" * _PER_SECTION for _, heading in sections
    )
    lines = [
        [f"{n} {heading}", *([*_wrapped(_PARAGRAPH)] * _PER_SECTION)] for n, heading in sections
    ]
    text = "\n\n".join(f"{heading}\n\n" + f"{_PARAGRAPH}\n\n" * 10 for _, heading in sections)
    return {
        "JATS": f"<article><front/><body>{jats}</body></article>".encode(),
        "TEI": f"<TEI><teiHeader/><text><body>{tei}</body></text></TEI>".encode(),
        "HTML": f'<html><article class="ltx_document">{page}</article></html>'.encode(),
        "LaTeX": f"\\documentclass{{a}}\\begin{{document}}{latex}\\end{{document}}".encode(),
        "PDF": pdf(lines),
        "text": text.encode(),
    }


def _wrapped(text: str, width: int = 90) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)]


def _all_text(body: bytes) -> str:
    return "".join(etree.fromstring(body).itertext())


def _all_html(body: bytes) -> str:
    return "".join(etree.fromstring(body, etree.HTMLParser()).itertext())


def _bare_pdf(body: bytes) -> str:
    document = pypdfium2.PdfDocument(body)
    return "".join(page.get_textpage().get_text_bounded() for page in document)


_PEERS: dict[str, tuple[str, Callable[[bytes], str]]] = {
    "JATS": ("lxml itertext", _all_text),
    "TEI": ("lxml itertext", _all_text),
    "HTML": ("lxml itertext", _all_html),
    "PDF": ("pypdfium2, no child", _bare_pdf),
}


def per_second(read: Callable[[bytes], object], bodies: list[bytes], seconds: float) -> float:
    """Documents a second: all of them, again until the time is over."""
    n_read, started = 0, time.perf_counter()
    while True:
        for body in bodies:
            read(body)
            n_read += 1
        spent = time.perf_counter() - started
        if spent >= seconds:
            return n_read / spent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--from", dest="folder", type=Path)
    options = parser.parse_args()
    by_format: dict[str, list[bytes]] = {kind: [body] for kind, body in papers().items()}
    if options.folder:
        by_format = {kind: [] for kind in READERS}
        for path in sorted(options.folder.rglob("*.*")):
            by_format[format_of(path.read_bytes())].append(path.read_bytes())
    print("| format | kB | documents/s | peer | documents/s |\n|---|---|---|---|---|")
    for kind, bodies in by_format.items():
        if bodies:
            ours = per_second(READERS[kind], bodies, options.seconds)
            name, peer = _PEERS.get(kind, ("", None))
            theirs = f"{per_second(peer, bodies, options.seconds):,.0f}" if peer else ""
            size = sum(map(len, bodies)) / len(bodies) / 1e3
            print(f"| {kind} | {size:.0f} | {ours:,.1f} | {name} | {theirs} |")


if __name__ == "__main__":
    main()
