"""A document of one HTML file: sections, figures, tables, and how they look on a screen and paper.

Nothing is loaded and nothing runs. Whatever is not `Html` already is shown as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

_WHOLE = 16  # a table of no more rows stands on one page
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { font: 16px/1.5 "Source Sans 3", "Noto Sans", "Helvetica Neue", Arial, "DejaVu Sans",
  sans-serif; color: #1f1e1b; background: #fff; max-width: 54rem; margin: 2.5rem auto;
  padding: 0 1.25rem; counter-reset: figure table section }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere }
.subtitle { font-size: 1.15rem; color: #5b5953; margin: 0 0 1rem }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 2.6rem 0 .6rem; padding-top: .7rem;
  border-top: 2px solid #1f1e1b; counter-increment: section }
h2::before { content: counter(section) "\\2002" }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem }
p, li { overflow-wrap: anywhere }
a { color: #0b57a4; text-decoration-thickness: 1px; text-underline-offset: 2px }
code, pre { font: .86em/1.45 "DejaVu Sans Mono", Menlo, Consolas, monospace; color: #3b3a36 }
pre { background: #f5f4f0; padding: .7rem .9rem; white-space: pre-wrap; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.1rem; margin: .8rem 0 }
dt { color: #5b5953 }
dd { margin: 0; overflow-wrap: anywhere }
nav { background: #f5f4f0; padding: .7rem 1.1rem; margin: 1.4rem 0 }
nav ol { columns: 2; margin: 0; padding-left: 1.4rem }
.findings > li { margin: 0 0 .7rem }
.soft { color: #5b5953; font-size: .9rem }
.mark { display: inline-block; font-size: .8rem; padding: 0 .5em; border: 1px solid; border-radius:
  .8em; color: #5b5953 }
.mark.corrected { color: #00694b }
.mark.uncorrected { color: #a34a00 }
.sample { background: #fff3d6; border: 1px solid #a87900; padding: .4rem .8rem }
figure { margin: 1.2rem 0 }
figure svg { display: block; width: 100%; height: auto; max-width: 47.5rem }
figure.flow svg { max-width: 38rem; margin: 0 auto }
figcaption, caption { text-align: left; font-size: .88rem; line-height: 1.4; color: #5b5953 }
figcaption { margin-top: .3rem }
caption { padding-bottom: .35rem }
figcaption::before { counter-increment: figure; content: "Figure " counter(figure) ". " }
caption::before { counter-increment: table; content: "Table " counter(table) ". " }
figcaption::before, caption::before { font-weight: 600; color: #1f1e1b }
.wide { overflow-x: auto; margin: 1.2rem 0 }
table { border-collapse: collapse; min-width: 75%; font-size: .88rem; line-height: 1.35;
  border-bottom: 1.5px solid #1f1e1b }
thead { border-top: 1.5px solid #1f1e1b; border-bottom: 1px solid #1f1e1b }
th, td { text-align: left; vertical-align: top; padding: .22rem .8rem .22rem 0 }
th:last-child, td:last-child { padding-right: 0 }
tbody tr + tr { border-top: 1px solid #e4e2dc }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tr.few td { color: #77746c }
.by { color: #a34a00 }
footer { margin-top: 2.5rem; padding-top: .6rem; border-top: 1px solid #c9c6bd }
@page { size: A4; margin: 17mm 16mm 18mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 8.5pt sans-serif;
    color: #5b5953 } }
@media print {
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0 }
  h1 { font-size: 20pt }
  h2 { margin-top: 1.5rem }
  h2, h3, h2 + p, caption { break-after: avoid }
  figure, tr, dl, pre, .findings > li { break-inside: avoid }
  thead { display: table-header-group }
  .wide { overflow: visible }
  .whole, tbody tr:first-child { break-inside: avoid; break-before: avoid }
  .whole { break-before: auto }
  table { font-size: 8.5pt }
  a { color: inherit; text-decoration: none }
  td a, dd a { color: #0b57a4 }
  nav, pre { background: none; border: 1px solid #c9c6bd }
  p, li { orphans: 3; widows: 3 }
}
"""


class Html(str):
    """A piece of a document that is written already; any other text is shown as it is."""

    __slots__ = ()


def text(words: object) -> Html:
    """Words as HTML shows them, whatever they hold; `Html` stays, nothing for None."""
    if isinstance(words, Html):
        return words
    plain = "" if words is None else f"{words:,}" if isinstance(words, int) else str(words)
    return Html(html.escape("".join(c if c.isprintable() or c == "\n" else " " for c in plain)))


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Pieces one after the other."""
    return Html(text(between).join(text(part) for part in parts))


def element(name: str, *parts: object, css: str = "") -> Html:
    """An element with these pieces inside."""
    own = f' class="{html.escape(css)}"' if css else ""
    return Html(f"<{name}{own}>{joined(parts)}</{name}>\n")


def paragraph(*parts: object, css: str = "") -> Html:
    """A paragraph; pieces are joined by a space."""
    return element("p", joined(parts, " "), css=css)


def emphasised(words: str) -> Html:
    """Words with the *emphasis*, **strong emphasis** and `code` that Markdown would show."""
    shown = re.sub(r"`(.+?)`", r"<code>\1</code>", text(words))
    shown = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", shown)
    return Html(re.sub(r"\*(.+?)\*", r"<em>\1</em>", shown))


def code(words: str) -> Html:
    """A command or a name of a program."""
    return Html(f"<code>{text(words)}</code>")


def link(address: str | None, words: object) -> Html:
    """Words that lead to an address of the web; the words alone for any other address."""
    if address is None or not re.match(r"https?://", address, re.IGNORECASE):
        return text(words)
    to = html.escape(quote(address, safe=":/?#[]@!$&()*+,;=%~"))
    return Html(f'<a href="{to}" rel="noopener">{text(words)}</a>')


def listed(parts: Iterable[object], *, ordered: bool = False, css: str = "") -> Html:
    """A list, a piece an item."""
    items = joined(element("li", part) for part in parts)
    return element("ol" if ordered else "ul", items, css=css)


def described(rows: Iterable[tuple[str, object]]) -> Html:
    """Names and what they stand for; those that stand for nothing are left out."""
    known = [(name, what) for name, what in rows if what not in (None, "")]
    return element("dl", *(Html(f"<dt>{text(n)}</dt><dd>{text(w)}</dd>") for n, w in known))


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the document: the name of its address, its heading, what stands in it."""

    anchor: str
    heading: str
    body: Html


def section(anchor: str, heading: str, *parts: object) -> Section:
    """A part of the document."""
    return Section(anchor, heading, joined(parts))


def figure(svg: str, *caption: object, css: str = "") -> Html:
    """A drawing and what to know to read it."""
    return element("figure", Html(svg), element("figcaption", joined(caption, " ")), css=css)


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *caption: object,
    left: int = 1,
    few: Sequence[bool] = (),
) -> Html:
    """A table with its caption.

    Args:
        left: the first so many columns are words; what follows are numbers, set to the right.
        few: rows that count few papers, which are paler.
    """

    def cell(tag: str, place: int, content: object) -> str:
        own = "" if place < left else ' class="n"'
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{own}{scope}>{text(content)}</{tag}>"

    head = "".join(cell("th", place, name) for place, name in enumerate(columns))
    body = []
    for number, row in enumerate(rows):
        pale = ' class="few"' if number < len(few) and few[number] else ""
        cells = "".join(cell("td", place, content) for place, content in enumerate(row))
        body.append(f"<tr{pale}>{cells}</tr>\n")
    whole = " whole" if len(rows) <= _WHOLE else ""
    return Html(
        f'<div class="wide{whole}"><table>\n<caption>{joined(caption, " ")}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(body)}</tbody>\n</table></div>\n"
    )


def page(title: str, head: Html, sections: Sequence[Section]) -> str:
    """The whole file: its head, its contents, its sections with their numbers."""
    ways = [Html(f'<a href="#{each.anchor}">{text(each.heading)}</a>') for each in sections]
    parts = [
        f'<section id="{each.anchor}">\n<h2>{text(each.heading)}</h2>\n{each.body}</section>\n'
        for each in sections
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{head}{element('nav', listed(ways, ordered=True))}{''.join(parts)}</body>\n</html>\n"
    )
