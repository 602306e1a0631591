"""A page of mistakes to read: one HTML file that needs nothing else and runs nothing.

It quotes the papers, so it belongs where their texts may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from annotate.gold import Labelled
from annotate.mistakes import KINDS, Kind, Mistake
from data.corpus import write_whole
from data.errors import InputError

_MEANING: dict[Kind, str] = {
    "role confusion": "the dataset is right, its role is not",
    "missed name": "a named dataset was not found",
    "wrong dataset": "the words were taken for another dataset",
    "implied": "a source that a model implies was missed or invented, or its name overlooked",
    "spurious": "a named dataset that the labels do not have",
    "unnamed source (I3)": "ready-made weights without model and data",
}
# Nothing is loaded and nothing runs, whatever a paper's text holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --soft: #595959; --back: #fff;
  --card: #f5f5f3; --line: #d0d0cc; --mark: #ffe28a; --mark-text: #1b1b1b; --link: #0b57a4 }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e6; --soft: #ababa7; --back: #161616;
  --card: #222; --line: #454542; --mark: #6b5200; --mark-text: #fff; --link: #8ab8f0 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
a { color: var(--link) }
h1 { overflow-wrap: anywhere }
table { border-collapse: collapse }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line) }
td.n { text-align: right; font-variant-numeric: tabular-nums }
article { background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  padding: .25rem 1rem .75rem; margin: 1rem 0; overflow-wrap: anywhere }
h3 { font-size: 1rem; margin: .5rem 0 }
h3 small, dt, .soft { color: var(--soft); font-weight: normal }
blockquote { margin: .5rem 0; padding-left: .75rem; border-left: 3px solid var(--line) }
mark { background: var(--mark); color: var(--mark-text); padding: 0 .15em; border-radius: .2em }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0 }
dd { margin: 0 }
"""


def write_errors_page(
    path: Path, mistakes: Sequence[Mistake], *, annotator: str, gold: str, n_papers: int
) -> None:
    """Write the page, whole or not at all.

    Raises:
        InputError: the directory does not exist.
    """
    if not path.parent.is_dir():
        raise InputError("its directory does not exist; make it first", path=path)
    page = errors_page(mistakes, annotator=annotator, gold=gold, n_papers=n_papers)
    # A text may hold half a surrogate pair, which no encoding of the page can.
    write_whole(path, lambda file: file.write(page.encode("utf-8", "replace")))


def errors_page(mistakes: Sequence[Mistake], *, annotator: str, gold: str, n_papers: int) -> str:
    """The page as HTML: counts by kind, then each kind's mistakes in the order given.

    Args:
        annotator: whose mistakes they are.
        gold: name of the file of labels.
        n_papers: papers that were compared.
    """
    title = escape(f"Mistakes of {annotator} on {gold}")
    by_kind = {kind: [m for m in mistakes if m.kind == kind] for kind in KINDS}
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        f"<p>{len(mistakes)} mistakes in n = {n_papers} papers; one is a dataset of a paper on "
        "which labels and finds differ. The surest finds come first, misses last. This page "
        "quotes the papers: keep it where their texts may be kept.</p>",
        _counts(by_kind),
        *(_section(kind, members) for kind, members in by_kind.items() if members),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _counts(by_kind: Mapping[Kind, Sequence[Mistake]]) -> str:
    rows = [
        f'<tr><td>{_link(kind) if members else escape(kind)}</td><td class="n">{len(members)}</td>'
        f"<td>{escape(_MEANING[kind])}</td></tr>"
        for kind, members in by_kind.items()
    ]
    head = "<tr><th>kind</th><th>count</th><th>what it means</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _anchor(kind: Kind) -> str:
    return f"kind-{KINDS.index(kind)}"


def _link(kind: Kind) -> str:
    return f'<a href="#{_anchor(kind)}">{escape(kind)}</a>'


def _section(kind: Kind, members: Sequence[Mistake]) -> str:
    articles = "\n".join(_article(mistake) for mistake in members)
    return f'<h2 id="{_anchor(kind)}">{escape(kind)} ({len(members)})</h2>\n{articles}'


def _article(mistake: Mistake) -> str:
    paper, shown = mistake.paper, mistake.shown
    title = escape(paper.title or "(no title)")
    facts = {
        "paper": escape(paper.id),
        "labels say": _said(mistake.gold) or "no use of this dataset",
        **({"in the words": others} if (others := _other_quotes(mistake)) else {}),
        "found": _said(mistake.found) or "nothing",
        "score": "none" if mistake.score is None else f"{mistake.score:.2f}",
        **{
            name: escape(str(shown[name]))
            for name in ("rule", "model", "strategy")
            if shown.get(name)
        },
    }
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    return (
        f"<article><h3>{title}</h3><blockquote>{_quoted(shown, paper)}</blockquote>"
        f"<dl>{listed}</dl></article>"
    )


def _other_quotes(mistake: Mistake) -> str:
    """The labels' sentences that the one shown does not hold."""
    shown = mistake.shown.get("evidence") or ""
    others = {
        _quoted(use, mistake.paper): None
        for use in mistake.gold
        if use.get("evidence") and use["evidence"] not in shown
    }
    return " / ".join(others)


def _said(uses: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"<b>{escape(use['dataset'])}</b> as {escape(use['role'])}"
        f"{', implied' if use['implied'] else ''}"
        + (f" by <q>{escape(use['surface'])}</q>" if use.get("surface") else "")
        for use in uses
    )


def _quoted(use: Mapping[str, Any], paper: Labelled) -> str:
    """The sentence with the words marked."""
    evidence, surface = use.get("evidence") or "", use.get("surface") or ""
    start = _place(use, paper, evidence)
    if start is None:
        start = evidence.find(surface)
    if not surface or evidence[start : start + len(surface)] != surface:
        return escape(evidence) or '<span class="soft">no sentence is given</span>'
    end = start + len(surface)
    return f"{escape(evidence[:start])}<mark>{escape(surface)}</mark>{escape(evidence[end:])}"


def _place(use: Mapping[str, Any], paper: Labelled, evidence: str) -> int | None:
    """Where in its sentence a find starts; None without offsets, as labels have none."""
    for passage in paper.passages or ():
        if passage.section == use.get("section") and use.get("start") is not None:
            begin = passage.text.rfind(evidence, 0, use["start"] + len(evidence))
            return use["start"] - begin if begin >= 0 else None
    return None
