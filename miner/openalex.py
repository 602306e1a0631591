"""What is asked of OpenAlex, and what its answers say: queries (pyalex builds them) and parsing.

Nothing here talks to a server; `miner.pages` does.
"""

from __future__ import annotations

import html
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec
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
_PREFIX = "https://openalex.org/"
_WORK = f"{_PREFIX}W"
_LETTERS = frozenset(string.ascii_uppercase)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_LARGEST = 10**12
_LONGEST = 60  # characters of a value that an error quotes


def work_id(value: object) -> str:
    """The bare id (`W123`) of an OpenAlex id or address; `local:...` ids stay as they are.

    Raises:
        InputError: it is none of these.
    """
    if not isinstance(value, str):
        raise InputError(f"id {_short(value)} is not an OpenAlex id such as W123")
    bare = value.removeprefix(_PREFIX)
    if bare[:1] in _LETTERS and bare[1:].isdecimal() and bare.isascii():
        return bare  # nearly all, in a fourth of the time
    if value.startswith("local:") and len(value) > len("local:"):
        return value
    found = _ID.fullmatch(value.strip())
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
    # Most texts have no odd space: to see that takes half the time of taking them apart.
    if not text.isprintable() or "  " in text or text != text.strip():
        text = " ".join(text.split())
    return text or None


def abstract_of(inverted: Mapping[str, Sequence[int]]) -> str:
    """The words of an inverted index in their order; a position without a word is left out.

    >>> abstract_of({"works": [1], "It": [0]})
    'It works'
    """
    words = [""] * sum(map(len, inverted.values()))
    try:
        for word, places in inverted.items():
            if len(places) == 1:  # nearly all; a loop over one takes three times as long
                words[places[0]] = word
                continue
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


class _Source(msgspec.Struct, gc=False):
    display_name: str | None = None
    host_organization_name: str | None = None


class _Location(msgspec.Struct, gc=False):
    landing_page_url: str | None = None
    pdf_url: str | None = None
    source: _Source | None = None
    license: str | None = None


class _Institution(msgspec.Struct, gc=False):
    country_code: str | None = None


class _Authorship(msgspec.Struct, gc=False):
    author: _Source | None = None
    countries: list[str | None] | None = None
    institutions: list[_Institution] | None = None


class _Topic(msgspec.Struct, gc=False):
    id: str | None = None


class _Access(msgspec.Struct, gc=False):
    is_oa: bool | None = None
    oa_url: str | None = None


class _Record(msgspec.Struct, gc=False):
    """What is read of a work; other fields are passed over, and another type is refused."""

    id: str | None = None
    doi: str | None = None
    title: str | None = None
    display_name: str | None = None
    abstract: str | None = None
    abstract_inverted_index: dict[str, list[int]] | None = None
    publication_year: int | None = None
    publication_date: str | None = None
    type: str | None = None
    language: str | None = None
    ids: dict[str, Any] | None = None
    primary_location: _Location | None = None
    locations: list[_Location] | None = None
    authorships: list[_Authorship] | None = None
    topics: list[_Topic] | None = None
    referenced_works: list[str] | None = None
    cited_by_count: int | None = None
    open_access: _Access | None = None
    best_oa_location: _Location | None = None
    is_retracted: bool | None = None
    updated_date: str | None = None


class _Read(msgspec.Struct):
    results: list[_Record]


class _Unread(msgspec.Struct):
    results: list[msgspec.Raw]


_RECORD = msgspec.json.Decoder(_Record)
_READ, _UNREAD = msgspec.json.Decoder(_Read), msgspec.json.Decoder(_Unread)


def records_of(page: bytes) -> Sequence[object]:
    """The records of a page's JSON, each as `parse_work` takes it.

    Raises:
        ValueError: it is no page.
    """
    try:
        return _READ.decode(page).results
    except msgspec.ValidationError:
        return _UNREAD.decode(page).results  # one is in another shape: each is to be read alone


def parse_work(record: object, *, fetched_at: datetime) -> Work:
    """The work that OpenAlex's JSON describes; unknown fields are ignored, absent ones None.

    Args:
        record: one object of `results`, its bytes as `msgspec.Raw`, or one of `records_of`.
        fetched_at: when it was fetched, UTC.

    Raises:
        InputError: it is no object, has no id, or a field has another type than OpenAlex's.
    """
    try:
        if isinstance(record, _Record):
            read = record
        elif isinstance(record, msgspec.Raw):
            read = _RECORD.decode(record)
        else:
            read = msgspec.convert(record, _Record)
    except msgspec.ValidationError as e:
        raise InputError(f"not in OpenAlex's shape: {e}", record=_identity(record)) from e
    identity = work_id(read.id)
    try:
        return _work(identity, read, fetched_at)
    except ValueError as e:
        raise InputError(f"not in OpenAlex's shape: {e}", record=identity) from e


def _identity(record: object) -> str | None:
    """The id of a record that cannot be read, if it has one."""
    value = msgspec.json.decode(record) if isinstance(record, msgspec.Raw) else record
    found = value.get("id") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None


def _work(identity: str, record: _Record, fetched_at: datetime) -> Work:
    best = record.best_oa_location
    access = record.open_access
    place = record.primary_location
    source = place.source if place else None
    authorships = record.authorships or []
    return Work(
        id=identity,
        doi=bare_doi(record.doi),
        title=_text(record.title or record.display_name),
        abstract=_abstract(record),
        year=_count(record.publication_year, "publication_year"),
        date=date.fromisoformat(record.publication_date[:10]) if record.publication_date else None,
        type=_text(record.type),
        language=_text(record.language),
        venue=_text(source.display_name) if source else None,
        publisher=_text(source.host_organization_name) if source else None,
        links=_links(record),
        authors=_authors(authorships),
        countries=_countries(authorships),
        topics=tuple([work_id(topic.id) for topic in record.topics or []]),
        references=_ids(record.referenced_works or []),
        cited_by=_count(record.cited_by_count, "cited_by_count"),
        is_oa=access.is_oa if access else None,
        oa_url=_text(access.oa_url) if access else None,
        license=_text(best.license) if best else None,
        is_retracted=record.is_retracted,
        updated=_time(record.updated_date),
        fetched_at=fetched_at,
    )


def _ids(values: Sequence[str]) -> tuple[str, ...]:
    """`work_id` of each; lists of references are long, and nearly all in one form."""
    joined = "\n".join(values)
    numbers = joined.replace(_WORK, "")
    cut = len(joined) - len(numbers)
    if cut == len(values) * len(_WORK) and numbers.replace("\n", "").isdecimal():
        return tuple(["W" + number for number in numbers.split("\n")])
    return tuple(work_id(value) for value in values)


ARXIV = re.compile(
    r"arxiv(?:\.org/(?:abs|pdf|html)/|[.:])(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})",
    re.IGNORECASE,
)
_PMID = re.compile(r"(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/(\d+)")
_NAMED = re.compile(r"10\.|arxiv|pmc|pubmed", re.IGNORECASE)  # the rest names nothing
_PMCID = re.compile(r"\bPMC(?:/articles/)?(?:PMC)?(\d+)", re.IGNORECASE)


def _links(record: _Record) -> tuple[str, ...]:
    """What else the work is called, by its ids and by where its versions lie, each once."""
    places = [str(value) for value in (record.ids or {}).values()]
    for location in record.locations or []:
        places += [location.landing_page_url or "", location.pdf_url or ""]
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


def _abstract(record: _Record) -> str | None:
    inverted = record.abstract_inverted_index
    return plain_text(abstract_of(inverted)) if inverted else _text(record.abstract)


def _text(value: str | None) -> str | None:
    return None if value is None else plain_text(value)


def _count(value: int | None, name: str) -> int | None:
    if value is not None and abs(value) > _LARGEST:
        raise ValueError(f"{name} is {value}, which is no count")
    return value


def _time(value: str | None) -> datetime | None:
    if not value:
        return None
    time = datetime.fromisoformat(value)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _authors(authorships: Sequence[_Authorship]) -> tuple[str, ...]:
    names = [authorship.author.display_name for authorship in authorships if authorship.author]
    return tuple([text for name in names if name and (text := plain_text(name))])


def _countries(authorships: Sequence[_Authorship]) -> tuple[str, ...]:
    """Countries in the order of the authors, each once."""
    codes: list[str | None] = []
    for authorship in authorships:
        institutions = authorship.institutions or []
        codes += authorship.countries or [place.country_code for place in institutions]
    return tuple(dict.fromkeys([code.upper() for code in codes if code]))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
