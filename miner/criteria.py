"""A protocol's questions asked of records at hand, as OpenAlex would answer them. Pure.

`Criteria.questions` decides. The other two leave out early, and cheaply, most of what it would
leave out, and nothing else: one on lines of JSON not yet parsed, one as SQL on columns. Both take
ids to be written as OpenAlex writes them, with a capital letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from data.errors import InputError
from data.protocol import Protocol
from miner.openalex import abstract_of, plain_text, queries, work_id
from miner.textsearch import TextSearch

_ID_FORMS = ("https://openalex.org/", "")  # the snapshot has addresses; bare ids are seen too


@dataclass(frozen=True)
class Criteria:
    """The questions of a protocol.

    Raises:
        InputError: the protocol asks nothing, or its text cannot be asked of records at hand.
    """

    protocol: Protocol
    _text: TextSearch | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        queries(self.protocol)  # what OpenAlex would refuse is refused here too
        text = self.protocol.search.text
        object.__setattr__(self, "_text", TextSearch.parse(text) if text else None)

    @cached_property
    def names(self) -> list[str]:
        """The names of the questions, as hits have them."""
        return [query.name for query in queries(self.protocol)]

    @cached_property
    def _has_search(self) -> bool:
        return bool(self._topics or self._text)

    @cached_property
    def _topics(self) -> frozenset[str]:
        return frozenset(topic.id for topic in self.protocol.search.topics)

    def questions(self, record: Any) -> list[str]:
        """The names of the questions that a record answers; none for the expansion set.

        Raises:
            InputError: it is no work in OpenAlex's shape.
        """
        try:
            return self._questions(record)
        except (TypeError, AttributeError, KeyError) as e:
            raise InputError(f"not in OpenAlex's shape: {e}") from e

    def _questions(self, record: Mapping[str, Any]) -> list[str]:
        search = self.protocol.search
        day = str(record.get("publication_date") or "")[:10]
        if (
            record.get("is_xpac")  # the API leaves it out unless asked for it
            or not f"{search.first_year}-01-01" <= day <= f"{search.last_year}-12-31"
            or record.get("type") not in search.types
            or record.get("language") not in search.languages
        ):
            return []
        found = ["search"] if self._is_searched(record) else []
        if self.protocol.seeds:
            cited = {work_id(cited) for cited in record.get("referenced_works") or []}
            found += [seed.name for seed in self.protocol.seeds if seed.cites in cited]
        return found

    def _is_searched(self, record: Mapping[str, Any]) -> bool:
        if not self._has_search:
            return False
        if self._topics:
            topics = {work_id(topic["id"]) for topic in record.get("topics") or []}
            if not topics & self._topics:
                return False
        return self._text is None or self._text.finds(*texts_of(record))

    @cached_property
    def may_match(self) -> Callable[[bytes], bool]:
        """Whether a line of JSON can answer a question; tells most that cannot, unparsed."""
        search = self.protocol.search
        years = "|".join(map(str, range(search.first_year, search.last_year + 1)))
        needed = [
            f'"publication_date"\\s*:\\s*"(?:{years})',
            f'"language"\\s*:\\s*"(?:{_either(search.languages)})"',
            f'"type"\\s*:\\s*"(?:{_either(search.types)})"',
        ]
        if self._narrow_ids:
            # First, since it leaves out the most.
            names = "|".join(f"{kind}(?:{'|'.join(ids)})" for kind, ids in self._narrow_ids.items())
            needed.insert(0, f'(?:{names})"')
        tests = [re.compile(pattern.encode()).search for pattern in needed]
        xpac = re.compile(rb'"is_xpac"\s*:\s*true').search

        def test(line: bytes) -> bool:
            return all(needs(line) for needs in tests) and not xpac(line)

        return test

    @cached_property
    def _narrow_ids(self) -> dict[str, list[str]]:
        """Numbers of topics and cited works one of which a record must name, by their letter."""
        if self._has_search and not self._topics:
            return {}
        ids = {"T": self._topics, "W": {seed.cites for seed in self.protocol.seeds}}
        return {kind: sorted(each[1:] for each in found) for kind, found in ids.items() if found}

    def columns(self, schema: pa.Schema) -> list[str]:
        """The columns of a Parquet part that `where` speaks of."""
        wanted = ["is_xpac", "publication_date", "type", "language"]
        wanted += ["topics"] if self._topics else []
        wanted += ["referenced_works"] if self.protocol.seeds else []
        return [name for name in wanted if name in schema.names]

    def where(self, schema: pa.Schema) -> str:
        """The SQL condition on rows of a Parquet part, nested columns being lists or JSON."""
        search, has = self.protocol.search, schema.names
        first, last = f"{search.first_year}-01-01", f"{search.last_year}-12-31"
        conditions = [
            f"left(CAST(publication_date AS VARCHAR), 10) BETWEEN '{first}' AND '{last}'",
            f"type IN ({_listed(search.types)})",
            f"language IN ({_listed(search.languages)})",
        ]
        if "is_xpac" in has:
            conditions.insert(0, "is_xpac IS NOT TRUE")
        either = []
        if "T" in self._narrow_ids:
            either.append(_names(schema, "topics", sorted(self._topics)))
        if "W" in self._narrow_ids:
            cited = sorted({seed.cites for seed in self.protocol.seeds})
            either.append(_names(schema, "referenced_works", cited))
        if either:
            conditions.append(f"({' OR '.join(either)})")
        return " AND ".join(conditions)


def texts_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """Title and abstract as plain text, "" where there is none."""
    abstract = abstract_of(record.get("abstract_inverted_index") or {})
    return plain_text(record.get("title") or "") or "", plain_text(abstract) or ""


def _either(values: Sequence[str]) -> str:
    return "|".join(map(re.escape, values))


def _listed(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _names(schema: pa.Schema, column: str, ids: Sequence[str]) -> str:
    """SQL: whether a column names one of these ids."""
    if not pa.types.is_list(schema.field(column).type):  # JSON
        return f"regexp_matches(CAST({column} AS VARCHAR), '({'|'.join(ids)})\"')"
    forms = _listed([form + each for each in ids for form in _ID_FORMS])
    inner = schema.field(column).type.value_type
    values = f"[each.id FOR each IN {column}]" if pa.types.is_struct(inner) else column
    return f"list_has_any({values}, [{forms}])"
