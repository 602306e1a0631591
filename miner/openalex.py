"""What is asked of OpenAlex, and what its answers say: queries (pyalex builds them) and parsing.

Nothing here talks to a server; `miner.pages` does.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from pyalex import Works

from data.errors import InputError
from data.protocol import Protocol, Topic
from data.records import Work

PER_PAGE = 100  # the documented most; the server takes 200 (seen in summer 2026)
_MOST_VALUES = 100  # OR-ed values a filter

# Root fields only: what `parse_work` reads, and the date to sort by.
SELECT = [
    "id",
    "doi",
    "title",
    "abstract_inverted_index",
    "publication_year",
    "publication_date",
    "type",
    "language",
    "ids",
    "primary_location",
    "locations",
    "authorships",
    "topics",
    "referenced_works",
    "cited_by_count",
    "open_access",
    "best_oa_location",
    "is_retracted",
    "updated_date",
]


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the works endpoint, without paging; its name is stable from run to run.

    Args:
        name: `search`, or the name of a seed.
        params: URL parameters; values are not percent-encoded.
        costs_search: it has a text part, which OpenAlex prices ten times a filter.
    """

    name: str
    params: tuple[tuple[str, str], ...]
    costs_search: bool

    @property
    def filter(self) -> str:
        """The value of the `filter` parameter."""
        return dict(self.params)["filter"]

    def during(self, first: date, last: date) -> Self:
        """The same question for works published from `first` to `last`."""
        params = dict(self.params)
        dates = {"from_publication_date": first, "to_publication_date": last}
        for name, day in dates.items():
            params["filter"] = re.sub(rf"\b{name}:[^,]*", f"{name}:{day}", params["filter"])
        return replace(self, params=tuple(params.items()))


def topics_only(protocol: Protocol) -> Query | None:
    """The search without the text that narrows it, a tenth of the price; None without both."""
    search = protocol.search
    if not (search.topics and search.text):
        return None
    wider = protocol.model_copy(update={"search": search.model_copy(update={"text": None})})
    return replace(queries(wider)[0], name="search, topics only")


def queries(protocol: Protocol) -> list[Query]:
    """The questions that a protocol asks: its search, if it has topics or text, then its seeds.

    Raises:
        InputError: the protocol asks nothing, has more than 100 topics, or a comma in its text
            outside quotes, which OpenAlex refuses.
    """
    search = protocol.search
    _check(protocol)
    asked = []
    if search.topics or search.text:
        works = _base(protocol)
        if search.topics:
            works = works.filter(topics={"id": "|".join(topic.id for topic in search.topics)})
        if search.text:
            works = works.search_filter(title_and_abstract=search.text)
        asked.append(_query("search", works, costs_search=search.text is not None))
    for seed in protocol.seeds:
        asked.append(_query(seed.name, _base(protocol).filter(cites=seed.cites)))
    return asked


def _check(protocol: Protocol) -> None:
    search = protocol.search
    if not (search.topics or search.text or protocol.seeds):
        raise InputError("the protocol asks nothing: give it search.topics, search.text or seeds")
    if len(search.topics) > _MOST_VALUES:
        raise InputError(
            f"search.topics has {len(search.topics)} topics; OpenAlex takes {_MOST_VALUES}"
        )
    if search.text and "," in re.sub(r'"[^"]*"', "", search.text):
        raise InputError(
            f"search.text {search.text!r} has a comma outside quotes, which OpenAlex refuses; "
            "use OR, AND or quotes"
        )


def _base(protocol: Protocol) -> Works:
    search = protocol.search
    # A fixed sort: the default one follows citation counts, which change while we page.
    return (
        Works()
        .filter(from_publication_date=f"{search.first_year}-01-01")
        .filter(to_publication_date=f"{search.last_year}-12-31")
        .filter(type="|".join(search.types))
        .filter(language="|".join(search.languages))
        .sort(publication_date="asc")
        .select(SELECT)
    )


def _query(name: str, works: Works, *, costs_search: bool = False) -> Query:
    return Query(name, tuple(parse_qsl(urlsplit(works.url).query)), costs_search)


def topics_named(words: str, records: Sequence[Any]) -> list[tuple[Topic, int]]:
    """(topic, works) of records of the topics endpoint; those with all words in the name first.

    Raises:
        InputError: a record has no id or name.
    """
    found = []
    for record in records:
        try:
            topic = Topic(id=work_id(record["id"]), name=str(record["display_name"]))
            found.append((topic, int(record.get("works_count") or 0)))
        except (TypeError, KeyError, ValueError) as e:
            raise InputError(f"not a topic in OpenAlex's shape: {_short(record)}") from e
    wanted = words.lower().split()
    found.sort(key=lambda each: not all(word in each[0].name.lower() for word in wanted))
    return found


# --- parsing ----------------------------------------------------------------------------------

_ID = re.compile(r"(?:https?://(?:api\.)?openalex\.org/(?:\w+/)?)?([A-Z]\d+)", re.IGNORECASE)
_PREFIX = "https://openalex.org/W"
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_LARGEST = 10**12
_LONGEST = 60  # characters of a value that an error quotes


def work_id(value: object) -> str:
    """The bare id (`W123`) of an OpenAlex id or address; `local:...` ids stay as they are.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(value, str) and value.startswith("local:") and len(value) > len("local:"):
        return value
    found = _ID.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise InputError(f"id {_short(value)} is not an OpenAlex id such as W123")
    return found[1].upper()


def bare_doi(value: object) -> str | None:
    """The DOI without its address, lower-case; None where there is none or it is malformed."""
    found = _DOI.fullmatch(value.strip()) if isinstance(value, str) else None
    return None if found is None else found[1].lower()


def plain_text(value: str) -> str | None:
    """Text without markup, entities and odd spaces; None if nothing is left.

    Entities are undone twice, since some sources escape them twice ("&amp;lt;").
    """
    text = value
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "<" in text:
        text = _TAG.sub("", text)
    if not text.isascii():
        text = text.encode("utf-8", "ignore").decode()  # half a surrogate pair is no character
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split()) or None


def abstract_of(inverted: Mapping[str, Sequence[int]]) -> str:
    """The words of an inverted index in their order; a position without a word is left out.

    >>> abstract_of({"works": [1], "It": [0]})
    'It works'
    """
    words = [""] * sum(map(len, inverted.values()))
    try:
        for word, places in inverted.items():
            for place in places:
                words[place] = word
    except IndexError:
        words = []  # positions have gaps
    if "" not in words and words:
        return " ".join(words)
    # One index in many: gaps, or two words in one place. Slower, and loses none.
    placed = [(place, word) for word, places in inverted.items() for place in places]
    placed.sort()
    return " ".join([word for _, word in placed])


def parse_work(record: object, *, fetched_at: datetime) -> Work:
    """The work that OpenAlex's JSON describes; unknown fields are ignored, absent ones None.

    Args:
        record: one object of `results`.
        fetched_at: when it was fetched, UTC.

    Raises:
        InputError: it is no object, has no id, or a field has another type than OpenAlex's.
    """
    if not isinstance(record, Mapping):
        raise InputError(f"a work is a JSON object, found {_short(record)}")
    identity = work_id(record.get("id"))
    try:
        return _work(identity, record, fetched_at)
    except (TypeError, ValueError, AttributeError) as e:
        raise InputError(f"not in OpenAlex's shape: {e}", record=identity) from e


def _work(identity: str, record: Mapping[str, Any], fetched_at: datetime) -> Work:
    best = record.get("best_oa_location") or {}
    access = record.get("open_access") or {}
    source = (record.get("primary_location") or {}).get("source") or {}
    return Work(
        id=identity,
        doi=bare_doi(record.get("doi")),
        title=_text(record.get("title") or record.get("display_name"), "title"),
        abstract=_abstract(record),
        year=_whole(record.get("publication_year"), "publication_year"),
        date=_date(record.get("publication_date")),
        type=_text(record.get("type"), "type"),
        language=_text(record.get("language"), "language"),
        venue=_text(source.get("display_name"), "venue"),
        publisher=_text(source.get("host_organization_name"), "publisher"),
        links=_links(record),
        authors=_authors(record.get("authorships") or []),
        countries=_countries(record.get("authorships") or []),
        topics=tuple(work_id(topic.get("id")) for topic in record.get("topics") or []),
        references=_ids(record.get("referenced_works") or []),
        cited_by=_whole(record.get("cited_by_count"), "cited_by_count"),
        is_oa=_flag(access.get("is_oa"), "is_oa"),
        oa_url=_text(access.get("oa_url"), "oa_url"),
        license=_text(best.get("license"), "license"),
        is_retracted=_flag(record.get("is_retracted"), "is_retracted"),
        updated=_time(record.get("updated_date")),
        fetched_at=fetched_at,
    )


def _ids(values: Sequence[object]) -> tuple[str, ...]:
    """`work_id` of each; lists of references are long, and nearly all in one form."""
    try:
        joined = "\n".join(values)  # type: ignore[arg-type]
    except TypeError:
        return tuple(work_id(value) for value in values)
    numbers = joined.replace(_PREFIX, "")
    cut = len(joined) - len(numbers)
    if cut == len(values) * len(_PREFIX) and numbers.replace("\n", "").isdecimal():
        return tuple(["W" + number for number in numbers.split("\n")])
    return tuple(work_id(value) for value in values)


ARXIV = re.compile(
    r"arxiv(?:\.org/(?:abs|pdf|html)/|[.:])(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})",
    re.IGNORECASE,
)
_PMID = re.compile(r"(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/(\d+)")
_NAMED = re.compile(r"10\.|arxiv|pmc|pubmed", re.IGNORECASE)  # the rest names nothing
_PMCID = re.compile(r"\bPMC(?:/articles/)?(?:PMC)?(\d+)", re.IGNORECASE)


def _links(record: Mapping[str, Any]) -> tuple[str, ...]:
    """What else the work is called, by its ids and by where its versions lie, each once."""
    places = [str(value) for value in (record.get("ids") or {}).values()]
    for location in record.get("locations") or []:
        places += [location.get("landing_page_url") or "", location.get("pdf_url") or ""]
    found: dict[str, None] = {}
    for place in places:
        if not _NAMED.search(place):
            continue
        doi = bare_doi(place)
        if doi is not None:
            found[f"doi:{doi}"] = None
        for kind, pattern in (("arxiv:", ARXIV), ("pmid:", _PMID), ("pmcid:PMC", _PMCID)):
            named = pattern.search(place)
            if named is not None:
                found[kind + named[1].lower()] = None
    return tuple(found)


def _abstract(record: Mapping[str, Any]) -> str | None:
    inverted = record.get("abstract_inverted_index")
    if inverted:
        return plain_text(abstract_of(inverted))
    return _text(record.get("abstract"), "abstract")


def _text(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} is {_short(value)}, expected text")
    return plain_text(value)


def _whole(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {_short(value)}, expected a whole number")
    if abs(value) > _LARGEST:
        raise ValueError(f"{name} is {value}, which is no count")
    return value


def _flag(value: object, name: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{name} is {_short(value)}, expected true or false")
    return value


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value[:10]) if value else None


def _time(value: str | None) -> datetime | None:
    if not value:
        return None
    time = datetime.fromisoformat(value)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _authors(authorships: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    names = [(authorship.get("author") or {}).get("display_name") for authorship in authorships]
    return tuple(text for name in names if name and (text := plain_text(name)))


def _countries(authorships: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Countries in the order of the authors, each once."""
    codes: list[str | None] = []
    for authorship in authorships:
        institutions = authorship.get("institutions") or []
        codes += authorship.get("countries") or [
            institution.get("country_code") for institution in institutions
        ]
    return tuple(dict.fromkeys(code.upper() for code in codes if code))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
