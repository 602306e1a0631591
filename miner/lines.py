"""Plain text, and the lines of a PDF's pages -> paragraphs by section.

Nothing but the text itself tells its build: a heading is a short line that a number or a known
word opens, a caption a paragraph that "Figure 1" or "Table 1" opens.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from data.records import Section
from miner.document import Document, pieces_of, plain
from miner.sections import Outline, is_references, section_of, split_number

_LONGEST_HEADING = 90  # characters
_CAPTION = re.compile(r"(?:Fig(?:ure|\.)?|FIG(?:URE|\.)?)\s*\d+\s*[.:|–—-]?\s+\S")
_TABLE = re.compile(r"(?:Table|TABLE)\s*(?:\d+|[IVX]+)\s*[.:|–—-]?\s+\S")
_RUN_IN = re.compile(r"(Abstract|ABSTRACT|Summary)\s*[.:—–-]+\s*(?=\S)")
# Lines that open a paragraph wherever they stand; "Figure 1 shows" does not.
_OPENS = re.compile(
    r"(?:Fig(?:ure|\.)?|FIG(?:URE|\.)?|Table|TABLE)\s*(?:\d+|[IVX]+)\s*[.:|]\s"
    r"|(?:Abstract|ABSTRACT)\s*[.:—–-]"
)
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]]*$")
_APPENDIX = re.compile(r"(?:appendix|appendices|supplement\w*)\b", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"(?:page\s*)?\d{1,4}(?:\s*(?:/|of)\s*\d{1,4})?", re.IGNORECASE)
_BROKEN = re.compile("(\\w+)[-\u00ad\ufffe\x02]$")
_FIRST_WORD = re.compile(r"(\w+)\S*\s*")
_WORD = re.compile(r"\w+(?:-\w+)*")
_EDGE = 2  # lines at the top and at the foot of a page that may be running heads
_RECURS = 3  # pages on which a running head stands at least
# Parts that keep their hyphen where the text itself does not show how the word is written.
_KEEP_HYPHEN = frozenset(
    ["self", "semi", "non", "multi", "cross", "fine", "state", "weakly", "fully", "well", "co", "x"]
)


def read_text(body: bytes) -> Document:
    """The paper in a plain text: blank lines part paragraphs, if there are any.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return of_pages([body.decode("utf-8-sig").splitlines()])


def of_pages(pages: Sequence[Sequence[str]]) -> Document:
    """The paper on pages of lines; its title is not told apart and so is None."""
    lines = unbroken([line.strip() for page in _without_heads(pages) for line in page])
    return Document(pieces_of(_sections(lines)))


def _without_heads(pages: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Pages without page numbers and without the first and last lines that recur on many."""
    kept = [[line for line in page if line.strip()] or [] for page in pages]
    if len(pages) == 1:
        yield list(pages[0])
        return
    counts = Counter(key for page in kept for key in {_key(line) for line in _edges(page)})
    recurring = {key for key, n in counts.items() if n >= min(_RECURS, len(pages))}
    for page in kept:
        last = len(page) - _EDGE
        yield [
            line
            for place, line in enumerate(page)
            if _EDGE <= place < last
            or not (_key(line) in recurring or _PAGE_NUMBER.fullmatch(line.strip()))
        ]


def _edges(page: Sequence[str]) -> list[str]:
    return [*page[:_EDGE], *page[-_EDGE:]]


def _key(line: str) -> str:
    """A line without its numbers, so that "page 3 of 9" recurs."""
    return re.sub(r"\d+", "#", " ".join(line.lower().split()))


def unbroken(lines: Sequence[str]) -> list[str]:
    """The lines with words made whole that a line's end parts.

    The text itself shows whether a word has a hyphen; where it does not, the hyphen goes, but for
    words such as "self-supervised" and before capitals and digits.

    >>> unbroken(["a trans-", "fer learning", "by self-", "supervision."])
    ['a transfer', 'learning', 'by self-supervision.', '']
    """
    words = Counter(word.lower() for line in lines for word in _WORD.findall(line))
    whole = list(lines)
    for place in range(len(whole) - 1):
        broken, rest = _BROKEN.search(whole[place]), _FIRST_WORD.match(whole[place + 1])
        if broken is None or rest is None:
            continue
        head, tail = broken[1], rest[1]
        mark = "" if _is_one_word(head, tail, words) else "-"
        whole[place] = whole[place][: broken.start()] + head + mark + rest[0].rstrip()
        whole[place + 1] = whole[place + 1][rest.end() :]
    return whole


def _is_one_word(head: str, tail: str, words: Counter[str]) -> bool:
    one, two = words[(head + tail).lower()], words[f"{head}-{tail}".lower()]
    if one != two:
        return one > two
    return tail[0].islower() and head.lower() not in _KEEP_HYPHEN


def _sections(lines: Sequence[str]) -> Iterator[tuple[Section, str]]:
    outline = Outline()
    is_left_out = False
    for heading, paragraph in _paragraphs(lines):
        if heading is not None:
            is_left_out = is_references(heading) or (is_left_out and not _APPENDIX.match(heading))
            outline.enter(heading)
            if _APPENDIX.match(heading):
                outline.section = "other"
            continue
        run_in = _RUN_IN.match(paragraph)
        if run_in is not None:
            outline.enter(run_in[1])
        if not is_left_out:
            text = paragraph[run_in.end() :] if run_in else paragraph
            yield _float_of(text) or outline.section, text


def _float_of(paragraph: str) -> Section | None:
    if _CAPTION.match(paragraph):
        return "caption"
    return "table" if _TABLE.match(paragraph) else None


def _paragraphs(lines: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """(heading, "") and (None, paragraph), in the order of the lines."""
    width = _usual_width(lines)
    gathered: list[str] = []
    for line, following in pairwise([*lines, ""]):
        is_closed = not gathered or _SENTENCE_END.search(gathered[-1]) is not None
        if line and is_closed and is_heading(line, following):
            yield from _joined(gathered)
            gathered = []
            yield line, ""
            continue
        if _OPENS.match(line):
            yield from _joined(gathered)
            gathered = []
        if line:
            gathered.append(line)
        is_short = len(line) < 0.8 * width and _SENTENCE_END.search(line) is not None
        if not line or is_short:
            yield from _joined(gathered)
            gathered = []
    yield from _joined(gathered)


def _joined(lines: Iterable[str]) -> Iterator[tuple[None, str]]:
    text = plain(" ".join(lines))
    if text:
        yield None, text


def _usual_width(lines: Sequence[str]) -> int:
    """The width that three in four lines with words do not exceed."""
    widths = sorted(len(line) for line in lines if line)
    return widths[len(widths) * 3 // 4] if widths else 0


def is_heading(line: str, following: str) -> bool:
    """Whether a line that stands where a paragraph may begin is a heading.

    >>> is_heading("2.1 Data sets", "We used CheXpert."), is_heading("Data were lost.", "")
    (True, False)
    """
    number, words = split_number(line)
    first = words[:1]
    if len(line) > _LONGEST_HEADING or not first.isupper() or line.endswith((".", ",", ";", "-")):
        return False
    if following[:1].islower():
        return False
    if is_references(line):
        return True
    n_words = len(words.split())
    if number is not None and n_words <= 12 and any(map(str.isalpha, words[:3])):
        return "," not in words and not words.rstrip().isdigit()
    is_titled = n_words <= 6 and (words.isupper() or not _CAPTION.match(line))
    return (
        is_titled
        and (section_of(line) is not None or _APPENDIX.match(line) is not None)
        and (n_words <= 3 or _has_title_case(words))
    )


def _has_title_case(words: str) -> bool:
    long = [word for word in words.split() if len(word) > 4]
    return words.isupper() or all(word[0].isupper() for word in long)
