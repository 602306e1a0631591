"""Texts from the web as HTML: everything escaped, the words that are evidence marked."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

# Translucent, so that the page's own text colour stays readable in light and dark; the border's
# pattern tells the roles apart without colour.
STYLE = """<style>
.cats mark { color: inherit; padding: 0 .15em; border-radius: .2em; }
.cats mark.source { background: rgba(0,114,178,.22); border-bottom: 3px solid #0072B2; }
.cats mark.target { background: rgba(230,159,0,.25); border-bottom: 3px double #E69F00; }
.cats mark.mention { background: rgba(128,128,128,.2); border-bottom: 3px dotted #808080; }
.cats .sentence { background: rgba(128,128,128,.1); }
.cats .badge { border: 1px solid currentColor; border-radius: .6em; padding: 0 .5em;
  margin-right: .4em; white-space: nowrap; font-size: .85em; display: inline-block; }
.cats .faint { opacity: .7; font-size: .85em; }
.cats .rejected { text-decoration: line-through; opacity: .6; }
</style>"""


def marked(text: str, spans: Sequence[Mapping[str, Any]], *, sentence: str | None = None) -> str:
    """A passage as HTML with its uses marked by role.

    Args:
        spans: start, end, role, dataset and implied of each use; of two that overlap the first
            is marked and the other named in its tooltip.
        sentence: the evidence sentence to shade, if it is in the text.
    """
    first = text.find(sentence) if sentence else -1
    last = first + len(sentence or "")
    pieces: list[str] = []
    place = 0
    for start, end, group in _merged(spans):
        pieces.append(_shaded(text, place, start, first, last))
        label = "; ".join(_label(span) for span in group)
        pieces.append(
            f'<mark class="{html.escape(group[0]["role"])}" title="{html.escape(label)}">'
            f"{html.escape(text[start:end])}</mark>"
        )
        place = end
    pieces.append(_shaded(text, place, len(text), first, last))
    return "".join(pieces)


def _merged(
    spans: Sequence[Mapping[str, Any]],
) -> list[tuple[int, int, list[Mapping[str, Any]]]]:
    groups: list[tuple[int, int, list[Mapping[str, Any]]]] = []
    for span in sorted(spans, key=lambda span: (span["start"], -span["end"])):
        if groups and span["start"] < groups[-1][1]:
            groups[-1][2].append(span)
        else:
            groups.append((span["start"], span["end"], [span]))
    return groups


def _label(span: Mapping[str, Any]) -> str:
    return f"{span['dataset']}: {span['role']}{', implied' if span['implied'] else ''}"


def _shaded(text: str, start: int, end: int, first: int, last: int) -> str:
    """`text[start:end]` escaped, its part inside the evidence sentence shaded."""
    if first < 0 or last <= start or first >= end:
        return html.escape(text[start:end])
    a, b = max(start, first), min(end, last)
    return (
        html.escape(text[start:a])
        + f'<span class="sentence">{html.escape(text[a:b])}</span>'
        + html.escape(text[b:end])
    )


def badge(claim: Mapping[str, Any]) -> str:
    """One claim as a small label: dataset, role, and who says so."""
    how = "implied" if claim["implied"] and not claim["named"] else claim["state"]
    css = "badge rejected" if claim["state"] == "rejected" else "badge"
    return (
        f'<span class="{css}">{html.escape(claim["dataset"])} \u00b7 {html.escape(claim["role"])}'
        f' <span class="faint">{html.escape(how)}</span></span>'
    )


def heading(work: Mapping[str, Any]) -> str:
    """Title, year, venue and link of a work."""
    title = html.escape(work["title"] or "(untitled)")
    about = " \u00b7 ".join(
        html.escape(str(value)) for value in (work["year"], work["venue"], work["id"]) if value
    )
    link = ""
    if work["doi"]:
        doi = html.escape(work["doi"], quote=True)
        link = f' \u00b7 <a href="https://doi.org/{doi}" target="_blank" rel="noopener">{doi}</a>'
    return f'<strong>{title}</strong><br><span class="faint">{about}{link}</span>'
