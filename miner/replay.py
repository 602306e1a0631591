"""A local OpenAlex over any works file: real HTTP on this machine, with faults by name.

It answers what `miner.openalex` asks: `/works` with filters, `search`, `sort`, `select`, cursor
and basic paging and `group_by`; `/works/W1`, `/works/doi:10...` and `/works/pmid:1`;
`/topics?search=`. What it does not know is refused with OpenAlex's error JSON, so that a typing
error in a query cannot pass here.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
import re
import sys
import threading
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from isal import igzip

from data.errors import InputError
from miner.criteria import texts_of
from miner.openalex import bare_doi, work_id
from miner.textsearch import TextSearch

_Work = Mapping[str, Any]
_MOST_PER_PAGE = 200
_DEEPEST = 10_000  # page * per_page without a cursor
_MOST_VALUES = 100
_PRICE_FILTER_USD, _PRICE_SEARCH_USD, _BUDGET_USD = 0.0001, 0.001, 1.0
_PAGING = {"cursor", "page", "per_page", "per-page"}
_PARAMS = {"filter", "search", "sort", "select", "group_by", "group-by", "mailto", *_PAGING}

# What a fault does to the answer that would have been given.
FAULTS: Mapping[str, str] = {
    "slow": "waits 0.2 s before every answer",
    "429-second": "every third request is too fast: 429 with Retry-After 0",
    "429-budget": "the day's budget is spent from the third request on: Retry-After 40,000",
    "429-boolean": "the first request is 429 for its many boolean operators",
    "429-plan": "every request needs a paid plan: 429 without Retry-After",
    "503": "every third request is 503 with Retry-After 0",
    "504": "every third request is 504 query_timeout",
    "truncated": "every third body ends half-way",
    "not-json": "every third answer is an HTML page with status 200",
    "reset": "every third connection is closed without an answer",
    "timed-out": "every third page is partial: meta.timed_out, half of the works missing",
    "401": "every request is refused for its key",
    "blank-key": "a key that is sent empty is refused, also where none is needed",
    "no-cursor": "without a key, paging by cursor is refused: page numbers only",
    "storm": "10% 429, 5% 5xx, 3% cut short, 3% reset, 3% partial, 2% later than a time-out",
    "reorder": "citations change between requests, and with them the order of unsorted questions",
    "latency": "waits 50 ms before every answer",
    "bad-record": "the first work of every page has a text where a number should be",
}
_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')  # outside quotes
_text_search = cache(TextSearch.parse)
_THIRD = 3
_WAITS_S = {"slow": 0.2, "latency": 0.05}
_TOO_LATE_S = 1.5  # longer than the read time-out that a test of it sets
_PARTIAL_SHARE = 0.03
_POLL_S = 0.02  # how soon the server sees that it is to stop


class _RefusalError(Exception):
    """A question that OpenAlex would refuse."""

    def __init__(self, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


class _MovedError(Exception):
    """The record is at another path."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came in.

    Args:
        path: with its query, as sent.
        has_key: whether an Authorization header came with it.
    """

    path: str
    has_key: bool


# The fields that most questions ask about.
_ASKED_FIELDS = (
    *("id", "doi", "type", "language", "publication_year", "publication_date", "topics"),
    *("primary_topic", "cited_by_count", "is_retracted", "is_xpac"),
)
_Asked = msgspec.defstruct("_Asked", [(name, Any, None) for name in _ASKED_FIELDS], gc=False)
_ASKED: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Asked)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class StoredWork(Mapping[str, Any]):
    """A work kept as its JSON, in a quarter of the memory that its values would take.

    Args:
        line: a JSON object; of the fields that are often asked for, those it lacks are None.
    """

    __slots__ = ("_asked", "_line")

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._asked = _ASKED.decode(line)

    def raw(self) -> dict[str, msgspec.Raw]:
        """Its fields, each as JSON."""
        return _FIELDS.decode(self._line)

    def __getitem__(self, name: str) -> Any:
        if name in _ASKED_FIELDS:
            return getattr(self._asked, name)
        return msgspec.json.decode(self.raw()[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw())

    def __len__(self) -> int:
        return len(self.raw())


_DATES = ("from_publication_date", "to_publication_date")
_DATE = re.compile(rf"(?:{'|'.join(_DATES)}):[\d\-]+")


@dataclass
class Library:
    """The works that are served, which ids were merged into which, and what was asked of them."""

    works: Sequence[_Work]
    faults: frozenset[str] = frozenset()
    merged: Mapping[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    _found: dict[tuple[str | None, ...], list[_Work]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def found(self, params: Mapping[str, str]) -> list[_Work]:
        """The works that a question finds, in its order; kept, since paging asks it again."""
        question = tuple(params.get(name) for name in ("filter", "search", "sort"))
        if "reorder" in self.faults and "sort" not in params:
            kept = self._find(params)
            return random.Random(len(self.requests)).sample(kept, len(kept))  # noqa: S311
        with self._lock:
            if question not in self._found:
                self._found[question] = self._sliced(params) or self._find(params)
            return self._found[question]

    def _sliced(self, params: Mapping[str, str]) -> list[_Work] | None:
        """Works by date between two dates, cut from those of all dates; None for other questions.

        As an index does it: a server that looked through all works for every slice would be
        slower than what asks it.
        """
        conditions = _COMMA.split(params.get("filter", ""))
        dates = dict(c.split(":", 1) for c in conditions if _DATE.fullmatch(c))
        if len(dates) != len(_DATES) or params.get("sort") != "publication_date:asc":
            return None
        rest = ",".join(c for c in conditions if not _DATE.fullmatch(c))
        whole = tuple({**params, "filter": rest}.get(name) for name in ("filter", "search", "sort"))
        if whole not in self._found:
            self._found[whole] = self._find({**params, "filter": rest})
        works = self._found[whole]
        first = bisect_left(works, dates[_DATES[0]], key=_day)
        return works[first : bisect_right(works, dates[_DATES[1]], key=_day)]

    def _find(self, params: Mapping[str, str]) -> list[_Work]:
        # OpenAlex leaves its expansion set out unless asked for it.
        kept = [work for work in self.works if not work.get("is_xpac")]
        kept = _kept(kept, params.get("filter", ""))
        if "search" in params:
            kept = [work for work in kept if _finds(work, params["search"])]
        return _sorted(kept, params.get("sort"))

    @cached_property
    def by_name(self) -> dict[str, _Work]:
        """Each work under its id, its DOI and its PubMed number."""
        names: dict[str, _Work] = {}
        for work in self.works:
            names[work_id(work["id"])] = work
            doi = bare_doi(work.get("doi"))
            if doi is not None:
                names[doi] = work
            pmid = str((work.get("ids") or {}).get("pmid") or "").rsplit("/", 1)[-1]
            if pmid:
                names[f"PMID:{pmid}"] = work
        return names


# --- filters ----------------------------------------------------------------------------------


def _year(work: _Work) -> int:
    return int(work.get("publication_year") or 0)


def _day(work: _Work) -> str:
    return str(work.get("publication_date") or "")


def _topics(work: _Work) -> set[str]:
    return {work_id(topic["id"]) for topic in work.get("topics") or []}


def _cited(work: _Work) -> set[str]:
    return {work_id(cited) for cited in work.get("referenced_works") or []}


def _primary(work: _Work) -> set[str]:
    topic = work.get("primary_topic") or next(iter(work.get("topics") or []), None)
    return {work_id(topic["id"])} if topic else set()


def _finds(work: _Work, query: str) -> bool:
    try:
        return _text_search(query).finds(*texts_of(work))
    except InputError as e:
        raise _RefusalError(str(e)) from e


def _one_of(values: Callable[[_Work], set[str]]) -> Callable[[_Work, str], bool]:
    return lambda work, wanted: any(value.lower() == wanted.lower() for value in values(work))


def _is(name: str) -> Callable[[_Work, str], bool]:
    return lambda work, wanted: str(work.get(name)).lower() == wanted.lower()


def _in_years(work: _Work, wanted: str) -> bool:
    first, dash, last = wanted.partition("-")
    if not dash:
        return _year(work) == int(first)
    return (int(first) if first else 0) <= _year(work) <= (int(last) if last else 9999)


_FILTERS: Mapping[str, Callable[[_Work, str], bool]] = {
    "topics.id": _one_of(_topics),
    "primary_topic.id": _one_of(_primary),
    "cites": _one_of(_cited),
    "ids.openalex": lambda work, wanted: work_id(work["id"]) == work_id(wanted),
    "doi": lambda work, wanted: bare_doi(work.get("doi")) == bare_doi(wanted),
    "type": _is("type"),
    "language": _is("language"),
    "is_retracted": _is("is_retracted"),
    "has_abstract": lambda w, wanted: str(bool(w.get("abstract_inverted_index"))).lower() == wanted,
    "publication_year": _in_years,
    "from_publication_date": lambda work, wanted: _day(work) >= wanted,
    "to_publication_date": lambda work, wanted: _day(work) <= wanted,
    "title_and_abstract.search": _finds,
}


def _kept(works: Sequence[_Work], filters: str) -> list[_Work]:
    """The works that meet all filters of `name:a|b,name:!c`."""
    kept = list(works)
    for condition in filter(None, _COMMA.split(filters)):
        name, colon, wanted = condition.partition(":")
        if not colon or name not in _FILTERS:
            raise _RefusalError(f"{name} is not a valid field. Valid: {', '.join(_FILTERS)}")
        values = wanted.removeprefix("!").split("|")
        if len(values) > _MOST_VALUES:
            raise _RefusalError(f"Maximum number of values exceeded for {name}")
        test, negated = _FILTERS[name], wanted.startswith("!")
        kept = [work for work in kept if any(test(work, v) for v in values) != negated]
    return kept


# --- answers ----------------------------------------------------------------------------------

_GROUPS: Mapping[str, Callable[[_Work], set[str]]] = {
    "publication_year": lambda work: {str(_year(work))},
    "type": lambda work: {str(work.get("type"))},
    "language": lambda work: {str(work.get("language"))},
    "topics.id": _topics,
    "has_abstract": lambda work: {str(bool(work.get("abstract_inverted_index"))).lower()},
}


def _listing(library: Library, params: Mapping[str, str]) -> dict[str, Any]:
    """The answer to `/works`."""
    unknown = set(params) - _PARAMS
    if unknown:
        raise _RefusalError(f"{', '.join(sorted(unknown))} is not a valid parameter")
    kept = library.found(params)
    group = params.get("group_by", params.get("group-by"))
    if group is not None:
        return _grouped(kept, group)
    start, per_page, is_cursor = _place(params)
    page = kept[start : start + per_page]
    meta: dict[str, Any] = {"count": len(kept), "per_page": per_page}
    if is_cursor:
        meta["next_cursor"] = _cursor(start + len(page)) if page else None
    return {"meta": meta, "results": _selected(page, params.get("select")), "group_by": []}


def _topic_listing(works: Sequence[_Work], words: str) -> dict[str, Any]:
    """The answer to `/topics?search=`: topics whose name has all words, most works first."""
    topics = [topic for work in works for topic in work.get("topics") or []]
    counts = Counter(topic["id"] for topic in topics)
    names = {topic["id"]: str(topic.get("display_name") or "") for topic in topics}
    found = [
        {"id": topic, "display_name": names[topic], "works_count": count}
        for topic, count in counts.most_common()
        if all(word in names[topic].lower() for word in words.lower().split())
    ]
    return {"meta": {"count": len(found)}, "results": found, "group_by": []}


def _grouped(works: Sequence[_Work], group: str) -> dict[str, Any]:
    if group not in _GROUPS:
        raise _RefusalError(f"group_by {group} is not valid. Valid: {', '.join(_GROUPS)}")
    counts = Counter(value for work in works for value in _GROUPS[group](work))
    rows = [{"key": key, "key_display_name": key, "count": n} for key, n in counts.most_common()]
    return {
        "meta": {"count": len(works), "groups_count": len(rows)},
        "results": [],
        "group_by": rows,
    }


def _place(params: Mapping[str, str]) -> tuple[int, int, bool]:
    """(first row, rows a page, by cursor) of a page."""
    try:
        per_page = int(params.get("per_page", params.get("per-page", "25")))
        number = int(params.get("page", "1"))
    except ValueError as e:
        raise _RefusalError("page and per-page are whole numbers") from e
    if not 1 <= per_page <= _MOST_PER_PAGE or number < 1:
        raise _RefusalError(f"per-page must be a number between 1 and {_MOST_PER_PAGE}")
    if "cursor" in params:
        return _row(params["cursor"]), per_page, True
    if number * per_page > _DEEPEST:
        raise _RefusalError(f"Maximum results size of {_DEEPEST} records is exceeded; use a cursor")
    return (number - 1) * per_page, per_page, False


def _cursor(row: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([row]).encode()).decode()


def _row(cursor: str) -> int:
    if cursor == "*":
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(cursor))[0])
    except (ValueError, TypeError, IndexError) as e:
        raise _RefusalError(f"{cursor} is not a valid cursor") from e


def _sorted(works: Sequence[_Work], sort: str | None) -> list[_Work]:
    name, _, direction = (sort or "cited_by_count:desc").partition(":")
    keys: Mapping[str, Callable[[_Work], Any]] = {
        "publication_date": _day,
        "publication_year": _year,
        "cited_by_count": lambda work: work.get("cited_by_count") or 0,
    }
    if name not in keys:
        raise _RefusalError(f"sort {name} is not valid. Valid: {', '.join(keys)}")
    return sorted(works, key=keys[name], reverse=direction == "desc")


def _selected(works: Sequence[_Work], select: str | None) -> list[_Work]:
    if select is None:
        return [_fields(work) for work in works]
    names = select.split(",")
    dotted = [name for name in names if "." in name]
    if dotted:
        raise _RefusalError(f"{dotted[0]} is not a valid select field: root fields only")
    return [{name: work.get(name) for name in names} for work in map(_fields, works)]


def _fields(work: _Work) -> _Work:
    """What an answer says of a work, to be encoded."""
    return work.raw() if isinstance(work, StoredWork) else work


# --- the server -------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    library: Library
    counter: Iterator[int]
    is_partial = False  # the storm draws this anew for each request
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: else each answer waits 40 ms

    def do_GET(self) -> None:
        """Answer one request, after the faults had their say."""
        library = self.library
        library.requests.append(Request(self.path, "Authorization" in self.headers))
        if self._strike(next(self.counter)):
            return
        try:
            answer = self._answer()
        except _MovedError as e:
            self._send(HTTPStatus.MOVED_PERMANENTLY, b"", headers={"Location": str(e)})
            return
        except _RefusalError as e:
            self._error(e.status, "Invalid query parameters error.", str(e))
            return
        self._spoil(answer)
        self._send(HTTPStatus.OK, msgspec.json.encode(answer))

    def _answer(self) -> dict[str, Any]:
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query))
        if parts.path == "/works":
            return _listing(self.library, params)
        if parts.path == "/topics":
            return _topic_listing(self.library.works, params.get("search", ""))
        name = unquote(parts.path).removeprefix("/works/")
        if name in self.library.merged:
            raise _MovedError(f"/works/{self.library.merged[name]}")
        found = self.library.by_name.get(bare_doi(name) or name.upper())
        if found is None or not parts.path.startswith("/works/"):
            raise _RefusalError(f"{parts.path} was not found", HTTPStatus.NOT_FOUND)
        return dict(_fields(found))

    def _strike(self, number: int) -> bool:
        """Answer with a fault in place of the answer; whether one did."""
        faults, is_third = self.library.faults, number % _THIRD == 0
        for name, wait_s in _WAITS_S.items():
            if name in faults:
                threading.Event().wait(wait_s)
        if "storm" in faults and self._storm(number):
            return True
        strikes: list[tuple[str, bool, Callable[[], None]]] = [
            ("401", True, lambda: self._error(401, "Invalid API key", "This key is not known.")),
            (
                "blank-key",
                self._has_blank_key(),
                lambda: self._error(401, "Invalid API key", "The key is empty."),
            ),
            (
                "no-cursor",
                "cursor=" in self.path and "Authorization" not in self.headers,
                lambda: self._error(400, "Invalid query", "Cursor paging needs an API key."),
            ),
            ("429-plan", True, lambda: self._error(429, "Plan upgrade required", "Not on a plan.")),
            ("429-budget", number >= _THIRD, lambda: self._too_many("Budget exceeded", "40000")),
            ("429-boolean", number == 1, lambda: self._too_many("Too many boolean operators", "1")),
            ("429-second", is_third, lambda: self._too_many("Too many requests", "0")),
            (
                "503",
                is_third,
                lambda: self._error(503, "Unavailable", "Busy", {"Retry-After": "0"}),
            ),
            (
                "504",
                is_third,
                lambda: self._error(504, "query_timeout", "The query took too long."),
            ),
            ("not-json", is_third, lambda: self._send(200, b"<html>Be right back</html>")),
            ("truncated", is_third, lambda: self._send(200, b'{"meta": {"cou', claimed=5_000)),
            ("reset", is_third, self._hang_up),
        ]
        for name, is_due, strike in strikes:
            if name in faults and is_due:
                strike()
                return True
        return False

    def _has_blank_key(self) -> bool:
        bearer = self.headers.get("Authorization")
        params = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        return params.get("api_key") == "" or (bearer is not None and bearer.split()[1:] == [])

    def _storm(self, number: int) -> bool:
        """One of many faults, drawn by the request's number; whether one struck."""
        drawn = random.Random(number).random()  # noqa: S311  chance, no secret
        busy = {"Retry-After": "0"}
        shares: list[tuple[float, Callable[[], None]]] = [
            (0.10, lambda: self._too_many("Too many requests", "0")),
            (0.02, lambda: self._error(500, "Internal Server Error", "Oops.", busy)),
            (0.02, lambda: self._error(503, "Unavailable", "Busy.", busy)),
            (0.01, lambda: self._error(504, "query_timeout", "It took too long.", busy)),
            (0.03, lambda: self._send(200, b'{"meta": {"cou', claimed=5_000)),
            (0.03, self._hang_up),
            (0.02, self._too_late),
        ]
        for share, strike in shares:
            drawn -= share
            if drawn < 0:
                strike()
                return True
        self.is_partial = drawn < _PARTIAL_SHARE
        return False

    def _too_late(self) -> None:
        """Answer when nobody listens any more."""
        threading.Event().wait(_TOO_LATE_S)
        self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True

    def _spoil(self, answer: dict[str, Any]) -> None:
        """Faults that change a good answer."""
        number = len(self.library.requests)
        results = answer.get("results")
        is_due = "timed-out" in self.library.faults and number % _THIRD == 0
        if (is_due or self.is_partial) and results:
            answer["meta"]["timed_out"] = True
            answer["results"] = results[: len(results) // 2]
        if "bad-record" in self.library.faults and results:
            answer["results"] = [{**results[0], "publication_year": "soon"}, *results[1:]]

    def _too_many(self, error: str, retry_after: str) -> None:
        self._error(429, error, "Slow down.", {"Retry-After": retry_after})

    def _error(
        self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        body = json.dumps({"error": error, "message": message}).encode()
        self._send(status, body, headers=headers)

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        claimed: int | None = None,
    ) -> None:
        is_search = ".search" in self.path or "search=" in self.path
        cost = _PRICE_SEARCH_USD if is_search else _PRICE_FILTER_USD
        left = max(0.0, _BUDGET_USD - cost * len(self.library.requests))
        packing = {}
        if status == HTTPStatus.OK and not claimed and self._takes_gzip():
            body, packing = igzip.compress(body, 1), {"Content-Encoding": "gzip"}
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(claimed or len(body)),
            "X-RateLimit-Limit-USD": f"{_BUDGET_USD:g}",
            "X-RateLimit-Remaining-USD": f"{left:.4f}",
            "X-RateLimit-Cost-USD": f"{cost:g}",
            **packing,
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if claimed:
            self.close_connection = True

    def _takes_gzip(self) -> bool:
        return "gzip" in self.headers.get("Accept-Encoding", "")

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept in the library, not printed."""


class Server(ThreadingHTTPServer):
    """A server whose clients may be killed."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no fault of ours; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve(
    works: Sequence[_Work],
    *,
    port: int = 0,
    faults: Sequence[str] = (),
    merged: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, Library]]:
    """Serve works as OpenAlex on this machine while the context is open.

    Args:
        works: objects in the shape of OpenAlex's works.
        port: 0 takes a free one.
        faults: names out of `FAULTS`.
        merged: old id -> the id of the record that took its place.

    Returns: the address to give as `CATS_OPENALEX_URL`, and the library with its requests.

    Raises:
        InputError: a fault has no such name, or the port is taken.
    """
    unknown = [fault for fault in faults if fault not in FAULTS]
    if unknown:
        raise InputError(f"fault {unknown[0]!r} is not one of {', '.join(FAULTS)}")
    library = Library(works, frozenset(faults), merged or {})
    handler = type("Handler", (_Handler,), {"library": library, "counter": itertools.count(1)})
    try:
        server = Server(("127.0.0.1", port), handler)
    except OSError as e:
        raise InputError(f"port {port} cannot be had ({e.strerror}); give another") from e
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", library
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
