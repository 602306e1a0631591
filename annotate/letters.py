"""Text as an automaton scans it: one byte a letter, without separators and case.

`Alphabet.read` is the one entry. It folds as `data.catalogue.key` does, many texts in one go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np

from data.catalogue import key

# Bytes that are no letter of a word.
_DROPPED = 0  # a separator
_SHARED = 252  # all letters of words that have no byte of their own
_UNMET = 253  # a character that no text has held yet
_SEVERAL = 254  # a character of several letters, such as the ligature fi
_OTHER = 255  # a letter of no word

# What a character is to a name that ends before it or begins after it.
IN_WORD = 1  # a letter, digit or underscore
GOES_ON = 2  # a letter or digit that neither a plural nor an edition begins with

_N_CHARACTERS = 0x110000


@cache
def folded(char: str) -> str:
    """The letters of one character; "" for a separator."""
    # Regular expressions that ignore case take the dotless i for an i, and so must the scan.
    return "i" if char == "\u0131" else key(char)


@dataclass(frozen=True, slots=True)
class Letters:
    """Several texts as one run of bytes, a letter each; between two texts is a letter of no word.

    Args:
        text: the texts, joined, with one character before, between and behind them.
        starts: where each text begins in `text`. *Shape:* (number of texts,)
        letters: the bytes.
        places: where each letter stands in `text`. *Shape:* (len(letters),)
        codes: the code points of `text`. *Shape:* (len(text),)
    """

    text: str
    starts: Any
    letters: bytes
    places: Any
    codes: Any


class Alphabet:
    """The letters of some words as bytes; it learns each further character when it meets it."""

    def __init__(self, words: Iterable[str]) -> None:
        known = sorted(set().union(*words))
        self._bytes = {letter: min(n, _SHARED) for n, letter in enumerate(known, start=1)}
        self._folded = np.full(_N_CHARACTERS, _UNMET, np.uint8)
        self._marks = np.zeros(_N_CHARACTERS, np.uint8)
        self._several: dict[int, bytes] = {}

    def spelled(self, word: str) -> bytes:
        """The bytes of a word's folded letters."""
        return bytes(map(self._bytes.get, word, repeat(_OTHER)))

    def is_exact(self, word: str) -> bool:
        """Whether no other letters have the same bytes."""
        return _SHARED not in self.spelled(word)

    def read(self, texts: Sequence[str]) -> Letters:
        """The letters of the texts, in their order."""
        text = "\n".join(["", *texts, ""])
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        spelled = self._folded.take(codes)
        unmet = codes[spelled == _UNMET]
        if unmet.size:
            self._learn(np.unique(unmet).tolist())
            spelled = self._folded.take(codes)
        starts = np.cumsum([1, *(len(each) + 1 for each in texts)])
        spelled[starts - 1] = _OTHER
        places = (spelled != _DROPPED).nonzero()[0]
        letters = spelled[places]
        read = Letters(text, starts[:-1], letters.tobytes(), places, codes)
        return self._expanded(read) if (letters == _SEVERAL).any() else read

    def marks(self, read: Letters, places: Any) -> Any:
        """IN_WORD and GOES_ON of the characters at `places`."""
        return self._marks[read.codes[places]]

    def _learn(self, codes: Iterable[int]) -> None:
        for code in codes:
            char = chr(code)
            spelled = self.spelled(folded(char))
            if len(spelled) > 1:
                self._several[code] = spelled
            begins_tail = char in "svV" or char.isdecimal()
            self._marks[code] = (IN_WORD if char.isalnum() or char == "_" else 0) | (
                GOES_ON if char.isalnum() and not begins_tail else 0
            )
            # Last, since by it other threads see that the character is known.
            self._folded[code] = (
                _SEVERAL if len(spelled) > 1 else spelled[0] if spelled else _DROPPED
            )

    def _expanded(self, read: Letters) -> Letters:
        """The same with every character of several letters spelled out."""
        pieces = read.letters.split(bytes([_SEVERAL]))
        where = np.flatnonzero(np.frombuffer(read.letters, np.uint8) == _SEVERAL)
        several = [self._several[ord(read.text[place])] for place in read.places[where].tolist()]
        counts = np.ones(len(read.places), np.intp)
        counts[where] = [len(each) for each in several]
        letters = b"".join(
            part for pair in zip(pieces, [*several, b""], strict=True) for part in pair
        )
        return replace(read, letters=letters, places=np.repeat(read.places, counts))
