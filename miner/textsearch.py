"""OpenAlex's text query asked of texts at hand: words, phrases, AND, OR, NOT, wildcards. Pure.

OpenAlex stems by Kstem, which needs its lexicon; here singular and plural are one word and other
forms are not ("transferred" is not "transfer"). Stop words are left out, as there. Words side by
side are joined by AND; AND binds closer than OR.

Source: OpenAlex's guide to searching (summer 2026); Harman (1991), How effective is suffixing?,
for the plurals; Lucene for how a phrase's distance counts and for its English stop words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

from data.errors import InputError

_STOP_WORDS = """a an and are as at be but by for if in into is it no not of on or such that the
their then there these they this to was will with"""
_STOP = frozenset(_STOP_WORDS.split())
_TOKEN = re.compile(r"[^\W_]+")
_PIECE = re.compile(r'"[^"]*"(?:~\d{1,3}(?![^\s()]))?|[()]|[^\s()"]+|"')
_GAP = 10**6  # places between title and abstract, so that no phrase spans both
_MANY = 100_000  # words whose stem is kept
_DEEPEST = 50  # brackets in brackets

Test = Callable[["Words"], bool]
_Node = Test | None  # None asks nothing: a stop word, or a sign without a letter


class Words:
    """The words of some texts, by stem and place."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(map(tokens, texts))

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Each stem with its places in rising order."""
        found: dict[str, list[int]] = {}
        for number, text in enumerate(self._texts):
            for place, token in enumerate(text, start=number * _GAP):
                found.setdefault(stem(token), []).append(place)
        return found

    @cached_property
    def forms(self) -> frozenset[str]:
        """The words as they stand, in lower case."""
        return frozenset(chain.from_iterable(self._texts))


def tokens(text: str) -> list[str]:
    """The words of a text in lower case; what is no letter or digit separates them."""
    return _TOKEN.findall(text.lower())


@lru_cache(_MANY)
def stem(word: str) -> str:
    """The singular of an English plural; other words stay as they are.

    >>> [stem(word) for word in ("networks", "biopsies", "classes", "pancreas", "loss", "virus")]
    ['network', 'biopsy', 'class', 'pancrea', 'loss', 'virus']
    """
    if len(word) <= 3 or word.endswith(("ss", "us")) or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1]


@dataclass(frozen=True, slots=True)
class TextSearch:
    """A text query, ready to be asked."""

    query: str
    test: Test

    @classmethod
    def parse(cls, query: str) -> TextSearch:
        """The search that a query asks for.

        Raises:
            InputError: brackets, quotes or operators do not fit, nothing is asked, or the query
                uses what cannot be told from the text alone (fuzzy words, boosts, fields).
        """
        parser = _Parser(query)
        test = parser.whole()
        if test is None:
            raise parser.fault("it has no word to look for")
        return cls(query, test)

    def finds(self, *texts: str) -> bool:
        """Whether title and abstract, or other texts, meet the query together."""
        return self.test(Words(*texts))


class _Parser:
    """Reads a query from left to right."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._pieces = _PIECE.findall(query)
        self._at = 0
        self._depth = 0

    def fault(self, reason: str) -> InputError:
        return InputError(
            f'search.text {self._query!r}: {reason}; write words, "phrases", AND, OR, NOT, ( ), '
            'wildcards (radiolog*, tumo?r) and "near words"~5'
        )

    def whole(self) -> _Node:
        if not self._pieces:
            return None
        node = self._either()
        if self._at < len(self._pieces):
            raise self.fault(f"{self._pieces[self._at]!r} stands alone")
        return node

    def _next(self) -> str | None:
        return self._pieces[self._at] if self._at < len(self._pieces) else None

    def _is_next(self, piece: str) -> bool:
        if self._next() != piece:
            return False
        self._at += 1
        return True

    def _either(self) -> _Node:
        nodes = [self._all()]
        while self._is_next("OR"):
            nodes.append(self._all())
        return _joined(nodes, any)

    def _all(self) -> _Node:
        nodes = [self._one()]
        while self._is_next("AND") or self._next() not in (None, ")", "OR"):
            nodes.append(self._one())
        return _joined(nodes, all)

    def _one(self) -> _Node:
        is_negated = False
        while self._is_next("NOT"):
            is_negated = not is_negated
        node = self._atom()
        if node is None or not is_negated:
            return node
        return lambda words: not node(words)

    def _atom(self) -> _Node:
        piece = self._next()
        if piece is None or piece in ("AND", "OR", ")"):
            raise self.fault(f"something is missing before {piece or 'its end'!r}")
        self._at += 1
        if piece == "(":
            return self._bracket()
        if piece == '"':
            raise self.fault("a quote is not closed")
        if piece.startswith('"'):
            return self._phrase(*piece[1:].rsplit('"', 1))
        return self._word(piece)

    def _bracket(self) -> _Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.fault(f"brackets are more than {_DEEPEST} deep")
        node = self._either()
        if not self._is_next(")"):
            raise self.fault("a bracket is not closed")
        self._depth -= 1
        return node

    def _phrase(self, text: str, distance: str) -> _Node:
        if "*" in text or "?" in text:
            raise self.fault(f"a wildcard inside the phrase {text!r}")
        wanted = [
            (place, stem(token)) for place, token in enumerate(tokens(text)) if token not in _STOP
        ]
        slop = int(distance.removeprefix("~") or 0)
        return (lambda words: _near(words, wanted, slop)) if wanted else None

    def _word(self, piece: str) -> _Node:
        for sign, meaning in (("~", "fuzzy words"), ("^", "boosts"), (":", "fields")):
            if sign in piece:
                raise self.fault(f"{meaning} ({piece!r}) cannot be asked of a snapshot")
        if (piece[0] in "+-!|&/" and len(piece) > 1) or "|" in piece:
            raise self.fault(f"{piece!r} starts like an operator")
        if "*" in piece or "?" in piece:
            return self._wildcard(piece)
        stems = [stem(token) for token in tokens(piece) if token not in _STOP]
        return (lambda words: all(each in words.places for each in stems)) if stems else None

    def _wildcard(self, piece: str) -> Test:
        if not re.fullmatch(r"[\w*?]*[^\W_][\w*?]*", piece):
            raise self.fault(f"a wildcard goes with letters and digits only, not as in {piece!r}")
        signs = {"*": r"\w*", "?": r"\w"}
        pattern = re.compile("".join(signs.get(c, re.escape(c)) for c in piece.lower()))
        return lambda words: any(map(pattern.fullmatch, words.forms))


def _joined(nodes: Sequence[_Node], how: Callable[[Iterator[bool]], bool]) -> _Node:
    tests = [node for node in nodes if node is not None]
    if len(tests) < 2:
        return tests[0] if tests else None
    return lambda words: how(test(words) for test in tests)


def _near(words: Words, wanted: Sequence[tuple[int, str]], slop: int) -> bool:
    """Whether all words stand where the phrase has them, but for `slop` steps in all.

    A word's place less its place in the phrase is the same for all words of an exact phrase; the
    largest less the smallest of these is how far the words are moved.
    """
    found = [
        (place - offset, number)
        for number, (offset, each) in enumerate(wanted)
        for place in words.places.get(each, ())
    ]
    found.sort()
    last: dict[int, int] = {}
    for shift, number in found:
        last[number] = shift
        if len(last) == len(wanted) and shift - min(last.values()) <= slop:
            return True
    return False
