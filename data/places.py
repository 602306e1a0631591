"""Where in a TOML text each key and each element stands; TOML parsers keep no lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Loc = tuple[str | int, ...]  # ("search", "topics", 3, "id")

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}=,\n]"
    r"|[^\s\[\]{}=,\#\"']+",
    re.DOTALL,
)
_KEY = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'|([^.\s]+)")


def places(text: str) -> dict[Loc, int]:
    """The line, from 1, of every key, element and table of a text that a TOML parser accepts."""
    return _Reader(text).read()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int


class _Reader:
    """Reads what the parser has accepted, so that anything odd is passed over."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._found: dict[Loc, int] = {}

    def read(self) -> dict[Loc, int]:
        """All places."""
        table: Loc = ()
        n_tables: dict[Loc, int] = {}
        while self._next < len(self._tokens):
            if self._peek() == "\n":
                self._next += 1
            elif self._peek() == "[":
                table = self._header(n_tables)
            else:
                self._pair(table)
        return self._found

    def _peek(self) -> str:
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def _take(self) -> _Token:
        token = self._tokens[min(self._next, len(self._tokens) - 1)]
        self._next += 1
        return token

    def _header(self, n_tables: dict[Loc, int]) -> Loc:
        line, marks, name = self._tokens[self._next].line, 0, ""
        while self._peek() not in ("\n", ""):
            piece = self._take().text
            marks += piece.count("[")
            name += piece.strip("[]")
        table = _keys(name)
        if marks > 1:
            n_tables[table] = n_tables.get(table, -1) + 1
            self._found.setdefault(table, line)
            table = (*table, n_tables[table])
        self._found.setdefault(table, line)
        return table

    def _pair(self, table: Loc) -> None:
        """A key and its value."""
        line, name = self._tokens[self._next].line, ""
        while self._peek() not in ("=", "\n", ""):
            name += self._take().text
        if self._take().text != "=":
            return
        keys = _keys(name)
        for end in range(1, len(keys)):
            self._found.setdefault((*table, *keys[:end]), line)
        self._value((*table, *keys), line)

    def _value(self, loc: Loc, line: int) -> None:
        self._found.setdefault(loc, line)
        opened = self._peek()
        if opened not in ("[", "{"):
            while self._peek() not in (",", "]", "}", "\n", ""):
                self._next += 1
            return
        self._next += 1
        number = 0
        while self._peek() not in ("]", "}", ""):
            if self._peek() in (",", "\n"):
                self._next += 1
            elif opened == "[":
                self._value((*loc, number), self._tokens[self._next].line)
                number += 1
            else:
                self._pair(loc)
        self._next += 1


def _tokens(text: str) -> Iterator[_Token]:
    line, end = 1, 0
    for found in _TOKEN.finditer(text.replace("\r\n", "\n")):
        line += found.string.count("\n", end, found.start())
        if not found[0].startswith("#"):
            yield _Token(found[0], line)
        line += found[0].count("\n")
        end = found.end()


def _keys(name: str) -> Loc:
    return tuple(quoted or literal or bare for quoted, literal, bare in _KEY.findall(name))
