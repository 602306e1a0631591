"""Sentence boundaries for scientific prose: abbreviations and citations do not end one."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise

_END = re.compile(
    r"[.!?]['\"\u201d\u2019)\]]*(?:\s*\[[^\]]{1,40}\])*\s+(?=[\"'\u201c(\[]?[A-Z0-9])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:al|e\.g|i\.e|cf|vs|etc|resp|approx|fig|figs|eq|eqs|sec|tab|ref|refs|no|nos|dr|prof"
    r"|inc|st|ca|w\.r\.t|[a-z])|\b[A-Z])$",
    re.IGNORECASE,
)
_ABBREVIATED = 6  # letters of the longest of these
# The longest sentence of 1,300 abstracts has 1,378 characters. What is longer is a table or worse,
# and the rules, which look across a sentence, must not look across a book.
_LONGEST = 2000


class Sentences:
    """The sentences of a text, by number; it is cut when one is first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def starts(self) -> Sequence[int]:
        """Where each begins; see `sentence_starts`."""
        return sentence_starts(self._text)

    def number(self, place: int) -> int:
        """The number of the sentence that has this place."""
        return bisect(self.starts, place) - 1

    def numbers(self, places: Iterable[int]) -> set[int]:
        """The numbers of the sentences that have one of these places."""
        return {bisect(self.starts, place) - 1 for place in places}

    def span(self, number: int) -> tuple[int, int]:
        """(start, end) of a sentence, with the space behind it."""
        starts = self.starts
        end = starts[number + 1] if number + 1 < len(starts) else len(self._text)
        return starts[number], end


# Uses and candidates are looked for one after the other in a batch of texts.
@lru_cache(maxsize=1024)
def sentence_starts(text: str) -> Sequence[int]:
    """Where each sentence of `text` begins, the first at 0; none has over 2,000 characters."""
    starts = [0]
    for end in _END.finditer(text):
        if not _is_abbreviation(text[max(0, end.start() - 8) : end.start()]):
            starts.append(end.end())
    if len(text) <= _LONGEST:
        return starts
    return [cut for pair in pairwise([*starts, len(text)]) for cut in _cuts(text, *pair)]


def _is_abbreviation(before: str) -> bool:
    if before[-_ABBREVIATED - 1 :].isalpha() and len(before) > _ABBREVIATED:
        return False  # a longer word
    return _ABBREVIATION.search(before) is not None


def _cuts(text: str, start: int, end: int) -> Iterator[int]:
    """The sentence's start, and where it is cut: at a space if there is one."""
    yield start
    while end - start > _LONGEST:
        space = text.rfind(" ", start + 1, start + _LONGEST)
        start = start + _LONGEST if space < 0 else space + 1
        yield start
