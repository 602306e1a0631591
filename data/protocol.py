"""The survey protocol: what is searched and what is included, as a TOML file.

A protocol has a hash; it is stored with every run, so that a number can be traced to its question.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data.errors import InputError
from data.records import Work

_YEAR = Annotated[int, Field(ge=1900, le=2100)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Topic(_Table):
    """An OpenAlex topic: pinned by id, named for the reader."""

    id: Annotated[str, Field(pattern=r"^T\d+$")]
    name: str


class Seed(_Table):
    """A paper whose citing works belong to the survey."""

    name: str
    cites: Annotated[str, Field(pattern=r"^W\d+$")]


class Search(_Table):
    """What is asked of OpenAlex."""

    topics: list[Topic] = []
    text: str | None = None
    first_year: _YEAR
    last_year: _YEAR
    types: Annotated[list[str], Field(min_length=1)]
    languages: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _years_in_order(self) -> Search:
        if self.first_year > self.last_year:
            raise ValueError(f"first_year {self.first_year} is after last_year {self.last_year}")
        return self


class Include(_Table):
    """Which of the works found stay in the survey."""

    abstract: bool = True
    retracted: bool = False
    any_of: list[str] = []


class Protocol(_Table):
    """A survey's question. `seeds` are queries of their own beside `search`."""

    title: str
    search: Search
    include: Include = Include()
    seeds: list[Seed] = []

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change when the question does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def load(path: Path) -> Protocol:
    """The protocol in a TOML file.

    Raises:
        InputError: not TOML, a wrong key, type or value; names the line and what is allowed.
    """
    text = path.read_text(encoding="utf-8")
    try:
        return Protocol.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        raise InputError(f"not TOML: {e}", path=path) from e
    except ValidationError as e:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'protocol'}: {fault['msg']}"
            f"{'' if fault['type'] != 'extra_forbidden' else ' (' + _allowed(fault['loc']) + ')'}"
            for fault in e.errors()
        ]
        lines = [_line_of(text, fault["loc"]) for fault in e.errors()]
        line = next((line for line in lines if line is not None), None)
        raise InputError("; ".join(faults), path=path, line=line) from e


def _allowed(loc: Sequence[str | int]) -> str:
    """The keys allowed where the last key of `loc` stands."""
    table: type[_Table] = Protocol
    inner: dict[str, type[_Table]] = {
        "search": Search,
        "include": Include,
        "seeds": Seed,
        "topics": Topic,
    }
    for key in loc[:-1]:
        table = inner.get(str(key), table)
    return "allowed: " + ", ".join(table.model_fields)


def _line_of(text: str, loc: Sequence[str | int]) -> int | None:
    """The line where the last named key of `loc` is set inside its table, or None.

    TOML parsers keep no positions, so the key is looked for in the text below its header.
    """
    names = [str(part) for part in loc if isinstance(part, str)]
    header = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            header = stripped.strip("[] ")
        in_table = not names[:-1] or header.endswith(names[-2])
        if names and in_table and stripped.split("=")[0].strip(" []") == names[-1]:
            return number
    return None


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
