"""Texts from the web as HTML: everything escaped, the words that are evidence marked."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from data.catalogue import Dataset

# Translucent, so that the page's own text colour stays readable in light and dark; the border's
# pattern tells the roles apart without colour.
STYLE = """<style>
.stMainBlockContainer { max-width: 78rem; padding-top: 4.2rem; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { color: inherit;
  opacity: .9; }
[data-testid="stPageLink"] a { padding-left: 0; }
[data-testid="stPageLink"] p { white-space: normal; overflow: visible;
  text-decoration: underline; text-underline-offset: .2em; }
.cats mark { color: inherit; padding: 0 .15em; border-radius: .2em; }
.cats mark.source { background: rgba(0,114,178,.22); border-bottom: 3px solid #0072B2; }
.cats mark.target { background: rgba(230,159,0,.25); border-bottom: 3px double #E69F00; }
.cats mark.mention { background: rgba(128,128,128,.2); border-bottom: 3px dotted #808080; }
.cats .sentence { background: rgba(128,128,128,.1); }
.cats .badge { border: 1px solid currentColor; border-radius: .6em; padding: 0 .5em;
  margin-right: .4em; white-space: nowrap; font-size: .85em; display: inline-block; }
.cats .faint { opacity: .8; font-size: .875em; }
.cats { line-height: 1.55; overflow-wrap: anywhere; }
.cats a { color: inherit; text-decoration: underline; }
.cats dl.about { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; }
.cats dl.about dt { opacity: .8; }
.cats dl.about dd { margin: 0; }
@media (max-width: 40rem) { .cats dl.about { grid-template-columns: 1fr; gap: 0; }
  .cats dl.about dd { margin: 0 0 .5rem; } }
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
    link = _link(work["doi"])
    return f'<strong>{title}</strong><br><span class="faint">{about}{link}</span>'


def heading_of(work: Mapping[str, Any]) -> str:
    """Title, people, place and links of a work, for its own page."""
    return f'<div class="cats">{heading(work)}{_people(work)}</div>'


def _people(work: Mapping[str, Any]) -> str:
    names = ", ".join(work["authors"] or ())
    retracted = " <strong>Retracted.</strong>" if work["is_retracted"] else ""
    return f'<br><span class="faint">{html.escape(names)}</span>{retracted}'


def summary(paper: Mapping[str, Any], *, dataset: str | None = None) -> str:
    """A paper in a list: where it stands, its claims, and the sentences that show them.

    Args:
        paper: as `dashboard.survey.papers` gives it.
        dataset: only the evidence for this one.
    """
    work = paper["work"]
    about = " \u00b7 ".join(
        html.escape(str(value)) for value in (work["year"], work["venue"], work["id"]) if value
    )
    pieces = [f'<span class="faint">{about}{_link(work["doi"])}</span>']
    pieces.append("".join(badge(claim) for claim in paper["claims"]))
    uses = [use for use in paper["uses"] if dataset in (None, use["dataset"])]
    pieces += _sentences(uses)
    return '<div class="cats">' + "<br>".join(filter(None, pieces)) + "</div>"


def _sentences(uses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each sentence once with its words marked; without texts, the words and where they stand."""
    by_sentence: dict[str, list[Mapping[str, Any]]] = {}
    told = []
    for use in uses:
        if use["evidence"]:
            by_sentence.setdefault(use["evidence"], []).append(use)
        else:
            told.append(
                f'<mark class="{html.escape(use["role"])}" title="{html.escape(_label(use))}">'
                f'{html.escape(use["surface"])}</mark> <span class="faint">'
                f"{html.escape(use['section'])}, characters {use['start']} to {use['end']}</span>"
            )
    for sentence, group in by_sentence.items():
        spans = []
        for use in group:
            first = sentence.find(use["surface"])
            if first >= 0:
                spans.append(dict(use) | {"start": first, "end": first + len(use["surface"])})
        told.append(f"\u201c{marked(sentence, spans)}\u201d")
    return told


def full(paper: Mapping[str, Any]) -> str:
    """All that is at hand of a paper's text, with its uses marked by role."""
    pieces = []
    for passage in paper["passages"]:
        label = html.escape(passage["section"])
        text = marked(passage["text"], passage["spans"])
        pieces.append(f'<p><span class="faint">{label}</span><br>{text}</p>')
    if not any(use["evidence"] for use in paper["uses"]):
        pieces += [f"<p>{line}</p>" for line in _sentences(paper["uses"])]
    return '<div class="cats">' + "".join(pieces) + "</div>"


_MODELS = 12  # of those trained on a dataset, on its card


def about_dataset(dataset: Dataset, models: Sequence[str]) -> str:
    """What the catalogue holds on a dataset, as a list of terms."""
    rows = {
        "Full name": dataset.name,
        "Also called": ", ".join(dataset.aliases),
        "Images": f"{dataset.domain}, {dataset.modality}",
        "Shows": dataset.organ,
        "Year": dataset.year,
        "Size": dataset.size,
        "Licence and access": dataset.access,
        "Models trained on it": ", ".join(models[:_MODELS])
        + (f" and {len(models) - _MODELS} more" if len(models) > _MODELS else ""),
    }
    terms = [
        f"<dt>{name}</dt><dd>{html.escape(str(value))}</dd>"
        for name, value in rows.items()
        if value
    ]
    papers = " ".join(_cited(citation) for citation in dataset.papers)
    if papers:
        terms.append(f"<dt>Its paper</dt><dd>{papers}</dd>")
    return f'<div class="cats"><dl class="about">{"".join(terms)}</dl></div>'


def _cited(citation: str) -> str:
    kind, _, name = citation.partition(":")
    address = {"doi": f"https://doi.org/{name}", "arXiv": f"https://arxiv.org/abs/{name}"}
    to = html.escape(address.get(kind, citation), quote=True)
    return f'<a href="{to}" target="_blank" rel="noopener">{html.escape(citation)}</a>'


def _link(doi: str | None) -> str:
    if not doi:
        return ""
    name = html.escape(doi, quote=True)
    return f' \u00b7 <a href="https://doi.org/{name}" target="_blank" rel="noopener">{name}</a>'
