"""LaTeX source -> paragraphs by section. It reads one file and runs nothing.

Commands that typeset give their text, `\\cite` its keys in brackets, equations and the list of
references nothing. Macros of the paper's own are not expanded: their arguments stand as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from data.errors import InputError
from data.records import Section
from miner.document import Document, license_of, pieces_of, plain, table_text
from miner.sections import Outline, is_references

_COMMENT = re.compile(r"(?<!\\)%.*")
_MATH = "equation|align|gather|multline|eqnarray|displaymath|math|flalign|alignat|split"
_CODE = "lstlisting|verbatim|algorithm|algorithmic|tikzpicture|thebibliography|comment"
_LEFT_OUT = re.compile(
    rf"\\begin\{{({_MATH}|{_CODE})(\*?)\}}.*?\\end\{{\1\2\}}|\\\[.*?\\\]|\$\$.*?\$\$", re.DOTALL
)
_FLOAT = re.compile(
    r"\\begin\{(figure|table|wrapfigure|longtable)(\*?)\}(.*?)\\end\{\1\2\}", re.DOTALL
)
_TABULAR = re.compile(r"\\begin\{(tabular[xy]?|longtable)(\*?)\}(.*?)\\end\{\1\2\}", re.DOTALL)
_ABSTRACT = re.compile(r"\\begin\{abstract\}(.*?)\\end\{abstract\}", re.DOTALL)
_RULE = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|(?:cline|cmidrule)(?:\([lr]*\))?\{[^{}]*\})"
)
_HEADING = re.compile(r"\\(part|chapter|(?:sub){0,2}section|(?:sub)?paragraph|appendix)\b\*?")
_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
_CITE = re.compile(r"\\(?:no)?[cC]ite\w*\*?\s*(?:\[[^\]]*\]\s*){0,2}\{([^{}]*)\}")
_DROPPED = re.compile(
    r"\\(?:label|includegraphics|bibliography|bibliographystyle|vspace|hspace|input|include"
    r"|pagestyle|thispagestyle|setlength|centering|maketitle|usepackage|newcommand)\b\*?"
    r"\s*(?:\[[^\]]*\])?\s*(?:\{[^{}]*\})?"
)
_NOTE = re.compile(r"\\(?:footnote|thanks)\b")
_REF = re.compile(r"\\(?:[cC]ref|(?:auto|eq|page)?ref)\*?\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[^{}]*\}(?:\[[^\]]*\])?")
_INLINE = re.compile(r"\$([^$]*)\$|\\\((.*?)\\\)", re.DOTALL)
_SIGNS = {r"\times": "×", r"\pm": "±", r"\sim": "~", r"\approx": "≈", r"\le": "≤", r"\ge": "≥"}
_ESCAPED = re.compile(r"\\([%&#_${}])")
_COMMAND = re.compile(r"\\[A-Za-z@]+\*?\s*(?:\[[^\]]*\])?|\\.")
_ACCENT = re.compile(
    r"\\([\"'`^~=.cvuH])\s*\{?\\?([A-Za-z])\}?(?![A-Za-z])|\\([\"'`^~=.])([A-Za-z])"
)
_MARKS = {
    **{'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "=": "\u0304"},
    **{".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b"},
}
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def read_latex(body: bytes) -> Document:
    """The paper in a LaTeX file.

    Raises:
        InputError: it is not UTF-8, or has no `\\documentclass` and no `\\begin{document}`.
    """
    try:
        source = body.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"LaTeX that is not UTF-8 (byte {e.start})") from e
    if not is_latex(source):
        raise InputError("no LaTeX document: \\documentclass and \\begin{document} are missing")
    said = _ARXIV.search(source[:5000])
    source = _COMMENT.sub("", source)
    title = _argument(source, r"\title")
    head, _, text = source.partition(r"\begin{document}")
    text = (text or head).partition(r"\end{document}")[0]
    return Document(
        pieces_of(_sections(text)),
        plain(_text(title)) or None if title else None,
        (f"arxiv:{said[1]}",) if said else (),
        license_of(source),
    )


def is_latex(source: str) -> bool:
    """Whether a text is a LaTeX document."""
    return r"\documentclass" in source or r"\begin{document}" in source


def _sections(text: str) -> Iterator[tuple[Section, str]]:
    for abstract in _ABSTRACT.findall(text):
        yield from _paragraphs("abstract", abstract)
    text = _ABSTRACT.sub("\n\n", text)
    outline, counts = Outline(), [0] * len(_LEVELS)
    found = list(_HEADING.finditer(text))
    first = found[0].start() if found else len(text)
    yield from _part("other", _after_title(text[:first]))
    is_appendix = False
    for heading, following in pairwise([*found, None]):
        assert heading is not None
        words, end = _braced(text, heading.end())
        if heading[1] == "appendix":
            is_appendix = True
            continue
        section = outline.enter(plain(_text(words)), _number(counts, heading[1]))
        if not is_references(words):
            part = text[end : following.start() if following else len(text)]
            yield from _part("other" if is_appendix else section, part)


def _number(counts: list[int], level: str) -> str:
    """The number of a heading, counted here: nesting decides, not what LaTeX would print."""
    depth = _LEVELS.index(level)
    counts[depth] += 1
    counts[depth + 1 :] = [0] * (len(counts) - depth - 1)
    return ".".join(str(count) for count in counts[2 : depth + 1]) or f"0{counts[depth]}"


def _after_title(text: str) -> str:
    """What stands before the first heading, without title and authors."""
    return text.rpartition(r"\maketitle")[2]


def _part(section: Section, text: str) -> Iterator[tuple[Section, str]]:
    for found in _FLOAT.finditer(text):
        yield _float(found[1], found[3])
    yield from _paragraphs(section, _FLOAT.sub(" ", text))


def _float(kind: str, text: str) -> tuple[Section, str]:
    caption = _text(_argument(text, r"\caption") or "")
    tabulars = [found[3] for found in _TABULAR.finditer(text)]
    if kind == "longtable":
        tabulars = [text]
    if kind.endswith("figure") or not tabulars:
        return "caption", plain(caption)
    rows = [
        [_text(cell) for cell in re.split(r"(?<!\\)&", _RULE.sub("", row))]
        for tabular in tabulars
        for row in re.split(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline", _without_columns(tabular))
    ]
    return "table", table_text(caption, rows)


def _without_columns(tabular: str) -> str:
    """A table's body without the arguments that lay out its columns."""
    start = 0
    while tabular[start:].lstrip().startswith(("{", "[")):
        end = _braced(tabular, start)[1]
        if end == start:
            break
        start = end
    return tabular[start:]


def _paragraphs(section: Section, text: str) -> Iterator[tuple[Section, str]]:
    text = _without_notes(_LEFT_OUT.sub(" ", text))
    for paragraph in re.split(r"\n\s*\n|\\par\b|\\item\b", text):
        yield section, plain(_text(paragraph))


def _without_notes(text: str) -> str:
    """Text without footnotes: they would cut the sentence that they stand in."""
    kept, start = [], 0
    for note in _NOTE.finditer(text):
        if note.start() >= start:
            kept.append(text[start : note.start()])
            start = _braced(text, note.end())[1]
    return "".join([*kept, text[start:]])


def _text(source: str) -> str:
    """Source without its commands."""
    text = _ESCAPED.sub(lambda found: _PROTECTED[found[1]], source)
    text = _CITE.sub(r"[\1]", text)
    text = _DROPPED.sub(" ", text)
    text = _REF.sub(r"\1", text)
    text = _ACCENT.sub(_accented, text)
    text = _INLINE.sub(lambda found: _math(found[1] or found[2] or ""), text)
    text = _ENVIRONMENT.sub(" ", text)
    text = _COMMAND.sub(" ", text).replace("~", " ").replace("``", "“").replace("''", "”")
    text = re.sub(r"[{}]", "", text).replace("---", "—").replace("--", "–")
    return text.translate(_UNPROTECTED)


# Escaped signs survive the removal of braces under another code point.
_PROTECTED = {sign: chr(0xE000 + place) for place, sign in enumerate("%&#_${}")}
_UNPROTECTED = {ord(code): sign for sign, code in _PROTECTED.items()}


def _math(formula: str) -> str:
    for command, sign in _SIGNS.items():
        formula = formula.replace(command, sign)
    return formula


def _accented(found: re.Match[str]) -> str:
    import unicodedata

    mark, letter = found[1] or found[3], found[2] or found[4]
    return unicodedata.normalize("NFC", letter + _MARKS[mark])


def _argument(text: str, command: str) -> str | None:
    """The argument of a command's first occurrence, in braces that may nest; None if absent."""
    found = re.search(re.escape(command) + r"\b\*?\s*(?=[\[{])", text)
    return None if found is None else _braced(text, found.end())[0]


def _braced(text: str, start: int) -> tuple[str, int]:
    """(what stands in the braces that open here, where they end); "" if none do."""
    opened = re.compile(r"\s*(?:\[[^\]]*\])?\s*\{").match(text, start)
    if opened is None:
        return "", start
    depth = 1
    for found in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, opened.end()):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return text[opened.end() : found.start()], found.end()
    return text[opened.end() :], len(text)
