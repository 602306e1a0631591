"""Patterns that are tried only where a text has a word that they cannot do without.

A rule looks across a whole sentence, and most rules have nothing to say of most sentences. Which
words a match must hold is read off the pattern itself, so that no rule can be written without them
or with the wrong ones; one Aho-Corasick pass over a text then tells which patterns may match.
Open `pattern` first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import count, product
from operator import or_
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from ahocorasick_rs import AhoCorasick, Implementation

# Letters that an expression which ignores case takes for ASCII ones, beside their capitals.
_ALIKE = str.maketrans({"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"})
_LONG = 10  # letters of a word; more make the automaton larger and tell little
_MOST = 64  # spellings of one word that are told apart
_EVERYWHERE = frozenset(("dd", "nn"))  # placeholders of a template, which every one has
_REMEMBERED = 256  # texts: all patterns ask for one text after another


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression whose `search` skips what cannot match."""

    regex: str
    flags: int
    search: Callable[[str], re.Match[str] | None]
    finditer: Callable[[str], Iterable[re.Match[str]]]


_bits: dict[str, int] = {}  # word -> the patterns that have it, a bit each
_numbers = count()


def pattern(regex: str, flags: int = 0) -> Pattern:
    """The pattern of a regular expression; once a module, since all of them are asked at once."""
    compiled = re.compile(regex, flags)
    words = required(regex, flags)
    if words is None:
        return Pattern(regex, flags, compiled.search, compiled.finditer)
    bit = 1 << next(_numbers)
    for word in words:
        _bits[word] = _bits.get(word, 0) | bit
    _automaton.cache_clear()
    possible.cache_clear()
    _possible.cache_clear()

    def search(text: str) -> re.Match[str] | None:
        return compiled.search(text) if possible(text) & bit else None

    def finditer(text: str) -> Iterable[re.Match[str]]:
        return compiled.finditer(text) if possible(text) & bit else ()

    return Pattern(regex, flags, search, finditer)


@lru_cache(maxsize=_REMEMBERED)
def possible(text: str) -> int:
    """The patterns that may match in a text, a bit each."""
    return _possible(folded(text))


@lru_cache(maxsize=_REMEMBERED)
def _possible(text: str) -> int:
    scan, bits = _automaton()
    found = scan.find_matches_as_indexes(text, overlapping=True)
    return reduce(or_, [bits[index] for index, _, _ in found], 0)


def folded(text: str) -> str:
    """A text in lower case, as an expression that ignores case reads it."""
    return text.lower() if text.isascii() else text.translate(_ALIKE).lower()


@lru_cache(maxsize=1)
def _automaton() -> tuple[AhoCorasick, list[int]]:
    return AhoCorasick(list(_bits), implementation=Implementation.DFA), list(_bits.values())


# --- what a match must hold ---------------------------------------------------------------------


def required(regex: str, flags: int = 0) -> frozenset[str] | None:
    """Words of which every match has one, in lower case; None if none can be told.

    >>> sorted(required("(?:fine|self)[- ]?tun(?:ed|ing)"))
    ['fine', 'self']
    """
    _, words = _read(_parser.parse(regex, flags))
    if words is None or _rarity(words)[0] == 0:
        return None
    short = {word[:_LONG] for word in words}
    return frozenset(
        word for word in short if not any(part in word for part in short if part != word)
    )


# What a part of an expression matches: all its spellings, if they are few, and words of which
# each spelling has one.
_Part = tuple[frozenset[str] | None, frozenset[str] | None]
_NOTHING = frozenset(("",))


def _read(parts: Iterable[tuple[Any, Any]]) -> _Part:
    """Of parts that follow one another."""
    run: frozenset[str] = _NOTHING
    is_whole, best = True, None
    for code, value in parts:
        spellings, words = _part(code, value)
        joined = None if spellings is None else _joined(run, spellings)
        if joined is not None:
            run = joined
            continue
        best = _better(_better(best, run), words)
        run, is_whole = spellings or _NOTHING, False
    return (run if is_whole else None), _better(best, run)


def _part(code: Any, value: Any) -> _Part:
    if code in (op.LITERAL, op.IN):
        letters = _letters([(code, value)] if code is op.LITERAL else value)
        return letters, letters
    if code in (op.AT, op.ASSERT, op.ASSERT_NOT):
        return _NOTHING, None
    if code is op.SUBPATTERN:
        return _read(value[-1])
    if code is op.BRANCH:
        return _either([_read(branch) for branch in value[1]])
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        return _repeated(*value)
    return None, None


def _letters(members: Sequence[tuple[Any, Any]]) -> frozenset[str] | None:
    if any(code is not op.LITERAL for code, _ in members) or len(members) > _MOST:
        return None
    return frozenset(chr(value).lower() for _, value in members)


def _repeated(least: int, most: int, parts: Iterable[tuple[Any, Any]]) -> _Part:
    spellings, words = _read(parts)
    if least == 0:
        return (spellings | _NOTHING if spellings and most == 1 else None), None
    return (spellings if most == 1 else None), words


def _either(parts: Sequence[_Part]) -> _Part:
    spellings = [spelled for spelled, _ in parts]
    words = [word for _, word in parts]
    return _union(spellings), _union(words)


def _union(sets: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    found: frozenset[str] = frozenset()
    for each in sets:
        if each is None:
            return None
        found |= each
    return found


def _joined(before: frozenset[str], after: frozenset[str]) -> frozenset[str] | None:
    if len(before) * len(after) > _MOST:
        return None
    return frozenset(map("".join, product(before, after)))


def _better(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Of two sets of words the one that fewer texts have a word of: that with longer words."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other, key=_rarity)


def _rarity(words: frozenset[str]) -> tuple[int, int]:
    least = min(0 if word.strip() in _EVERYWHERE else len(word.strip()) for word in words)
    return least, -len(words)
