"""The survey protocol: what is searched and what is included, as a TOML file.

A protocol has a hash; it is stored with every run, so that a number can be traced to its question.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from data.errors import InputError
from data.places import Loc, places
from data.records import Work

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LONGEST = 60  # characters of a value that an error quotes
_FIRST, _LAST = 1900, 2100
_YEAR = Annotated[int, Field(ge=_FIRST, le=_LAST)]
_TEXT = Annotated[str, Field(min_length=1)]
_LANGUAGE = Annotated[str, Field(pattern=r"^[a-z]{2}$")]

# developers.openalex.org/api-reference/work-types, autumn 2026, and those that they replaced.
TYPES = (
    *("article", "conference-paper", "preprint", "review", "book-chapter", "data-paper", "book"),
    *("book-review", "case-report", "conference-abstract", "database", "dataset", "dissertation"),
    *("editorial", "erratum", "letter", "libguides", "other", "paratext", "peer-review"),
    *("proceedings-article", "posted-content", "reference-entry", "report", "retraction"),
    *("software", "software-paper", "standard", "supplementary-materials"),
)


def _known_type(name: str) -> str:
    if name not in TYPES:
        near = get_close_matches(name.lower(), TYPES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no type of OpenAlex; {hint}allowed: {', '.join(TYPES)}")
    return name


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Topic(_Table):
    """An OpenAlex topic: pinned by id, named for the reader."""

    id: Annotated[str, Field(pattern=r"^T\d+$")]
    name: str


class Seed(_Table):
    """A paper whose citing works belong to the survey."""

    name: _TEXT
    cites: Annotated[str, Field(pattern=r"^W\d+$")]


class Search(_Table):
    """What is asked of OpenAlex."""

    topics: list[Topic] = []
    text: _TEXT | None = None
    first_year: _YEAR
    last_year: _YEAR
    types: Annotated[list[Annotated[str, AfterValidator(_known_type)]], Field(min_length=1)]
    languages: Annotated[list[_LANGUAGE], Field(min_length=1)]

    @field_validator("last_year")
    @classmethod
    def _years_in_order(cls, last: int, info: ValidationInfo) -> int:
        first = info.data.get("first_year", last)
        if first > last:
            raise ValueError(f"first_year {first} is after last_year {last}; exchange them")
        return last

    @field_validator("topics")
    @classmethod
    def _each_once(cls, topics: list[Topic]) -> list[Topic]:
        return _once(topics, "id")


class Include(_Table):
    """Which of the works found stay in the survey."""

    abstract: bool = True
    retracted: bool = False
    any_of: list[_TEXT] = []


class Protocol(_Table):
    """A survey's question. `seeds` are queries of their own beside `search`."""

    title: _TEXT
    search: Search
    include: Include = Include()
    seeds: list[Seed] = []

    @field_validator("seeds")
    @classmethod
    def _each_named_once(cls, seeds: list[Seed]) -> list[Seed]:
        return _once(seeds, "name")

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change when the question does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


_Listed = TypeVar("_Listed", Topic, Seed)


def _once(listed: list[_Listed], name: str) -> list[_Listed]:
    """The same list, if no two have the same value of that field."""
    values = [getattr(each, name) for each in listed]
    double = next((value for n, value in enumerate(values) if value in values[:n]), None)
    if double is not None:
        raise ValueError(f"{name} {double!r} is there twice; leave one out or rename it")
    return listed


def load(path: Path) -> Protocol:
    """The protocol in a TOML file; a byte order mark, as some editors write, does not matter.

    Raises:
        InputError: it cannot be read, is not TOML, or has a wrong key, type or value; names each
            line and what is allowed.
    """
    text = _text(path)
    try:
        return Protocol.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        at = re.search(r" \(at line (\d+), column (\d+)\)$", str(e))
        said = str(e)[: at.start()] + f", column {at[2]}" if at else str(e)
        said = said.replace("Cannot overwrite a value", "a key that is set twice")
        raise InputError(f"not TOML: {said}", path=path, line=int(at[1]) if at else None) from e
    except ValidationError as e:
        raise _input_error(e, path, text) from e


def _text(path: Path) -> str:
    try:
        body = path.read_bytes()
        return body.decode("utf-8-sig")
    except OSError as e:
        raise InputError(f"cannot be read ({e.strerror})", path=path) from e
    except UnicodeDecodeError as e:
        line = body.count(b"\n", 0, e.start) + 1
        raise InputError("not UTF-8, as TOML must be; save it as such", path=path, line=line) from e


def _input_error(e: ValidationError, path: Path, text: str) -> InputError:
    """All faults in the order of their lines; the first line is the error's own."""
    lines = places(text)
    faults = sorted((_line_of(fault["loc"], lines), _said(fault)) for fault in e.errors())
    (first, message), *rest = faults
    more = "".join(f"; line {line}: {said}" for line, said in rest)
    return InputError(message + more, path=path, line=first)


def _line_of(loc: Loc, lines: Mapping[Loc, int]) -> int:
    """The line of a key; of the table that it is missing in; 1 for a key of the file itself."""
    while loc and loc not in lines:
        loc = loc[:-1]
    return lines.get(loc, 1)


_EXPECTED = {
    "int_type": "a whole number without quotes",
    "int_from_float": "a whole number",
    "string_type": "text in quotes",
    "bool_type": "true or false, without quotes",
    "list_type": 'a list such as ["a", "b"]',
    "model_type": "a table, as in the protocol that `cats init` writes",
    "less_than_equal": f"a year from {_FIRST} to {_LAST}",
    "greater_than_equal": f"a year from {_FIRST} to {_LAST}",
    "string_too_short": "some text; leave the key out for none",
    "too_short": "at least 1 value",
}
_PATTERNS = {
    "id": "an OpenAlex topic such as T12422 (`cats topics WORDS` finds them)",
    "cites": "an OpenAlex work such as W2108598243",
    "languages": "two small letters such as en (ISO 639-1)",
}


def _said(fault: ErrorDetails) -> str:
    """A fault in words: where, what was found, what is allowed."""
    loc, kind, found = fault["loc"], fault["type"], fault["input"]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)[1:]
    allowed = list(_table_at(loc).model_fields)
    if kind == "missing":
        return f"{name} is missing; it must be given"
    if kind == "extra_forbidden":
        near = get_close_matches(str(loc[-1]), allowed, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{name} is no key of a protocol; {hint}allowed: {', '.join(allowed)}"
    if kind == "value_error":
        said = str(fault["ctx"]["error"])
        return (
            f"{name}: {said}"
            if "year" in name or isinstance(found, list)
            else (f"{name} is {found!r}, {said}")
        )
    expected = _EXPECTED.get(kind, fault["msg"])
    if kind == "string_pattern_mismatch":
        expected = _PATTERNS[next(str(part) for part in reversed(loc) if isinstance(part, str))]
    return f"{name} is {_short(found)}, expected {expected}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _table_at(loc: Loc) -> type[_Table]:
    """The table in which the last key of `loc` stands."""
    inner: dict[str, type[_Table]] = {
        "search": Search,
        "include": Include,
        "seeds": Seed,
        "topics": Topic,
    }
    named = [inner[str(key)] for key in loc[:-1] if str(key) in inner]
    return named[-1] if named else Protocol


def screen(work: Work, protocol: Protocol) -> tuple[bool, str]:
    """Whether a work stays in the survey by the protocol's rules, and why.

    The rules are checked in a fixed order and the first that fails is the reason: year, type,
    language, retraction, abstract, words. An unknown year, type or language is left to people.
    """
    search, include = protocol.search, protocol.include
    text = f"{work.title or ''} {work.abstract or ''}".casefold()
    in_years = work.year is None or search.first_year <= work.year <= search.last_year
    rules = [
        (in_years, f"year {work.year}"),
        (work.type is None or work.type in search.types, f"type {work.type}"),
        (work.language is None or work.language in search.languages, f"language {work.language}"),
        (include.retracted or not work.is_retracted, "retracted"),
        (not include.abstract or bool(work.abstract), "no abstract"),
        (
            not include.any_of or any(word.casefold() in text for word in include.any_of),
            "none of the words in include.any_of",
        ),
    ]
    reason = next((reason for holds, reason in rules if not holds), None)
    return (True, "meets the protocol") if reason is None else (False, reason)
