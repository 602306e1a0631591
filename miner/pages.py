"""The one transport to OpenAlex: time-outs, retries, and what each kind of refusal means.

The key travels as a Bearer header to the configured server only; it is in no URL, log or error.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import msgspec
import requests
import urllib3

from data.errors import InputError, NetworkError
from data.settings import Settings
from miner.pace import Pace
from miner.transport import (
    SHORT_WAIT_S,
    AbsentError,
    PassingError,
    Transport,
    retry_after,
    unpacked,
)

_REDIRECTS = 5
LARGEST = 200_000_000  # bytes of an unpacked page; a hundred works have 1 MB
T = TypeVar("T")
_LONGEST = 200  # characters of a server's message that an error quotes


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list endpoint.

    Args:
        results: the records, as they came.
        cursor: of the next page; None on the last one.
        count: how many records the whole query has, as the server says now.
        groups: of a `group_by` query: (key, how many).
        raw: the body as it came, packed by gzip or not, for keeping.
    """

    results: list[Any]
    cursor: str | None
    count: int | None
    groups: tuple[tuple[str, int], ...]
    raw: bytes


class CursorError(InputError):
    """The server gives these pages by number only."""


class QuestionError(InputError):
    """The server refuses the question itself; another one may be answered."""


class Pages(Transport):
    """Open connections to OpenAlex for any number of threads; close it, or use it as a context.

    Args:
        settings: the server, the key, time-outs, and how often a page is tried.
        sleep: waits that many seconds.
        rng: draws the jitter of waits, so that many miners do not come back at once.
        pace: how fast and for how much money; no limits if None.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        pace: Pace | None = None,
    ) -> None:
        super().__init__(settings, sleep=sleep, rng=rng)
        self.pace = pace or Pace()

    def works(self, params: Mapping[str, str]) -> Page:
        """One page of works; see `get` for what it raises."""
        return self.get("/works", params, page_of)

    def topics(self, words: str) -> Page:
        """The topics that a search for words finds; see `get` for what it raises."""
        params = {"search": words, "select": "id,display_name,works_count", "per-page": "50"}
        return self.get("/topics", params, page_of)

    def single(self, name: str) -> Any | None:
        """The work of an id, a merged one followed to its successor; None if there is none.

        Such look-ups are free. See `get` for what it raises.

        Args:
            name: `W1`, `doi:10...` or `pmid:1`.
        """
        try:
            return self.get(f"/works/{quote(name, safe=':/')}", {}, _record_of)
        except AbsentError:
            return None

    def get(self, path: str, params: Mapping[str, str], read: Callable[[bytes], T]) -> T:
        """What `read` makes of an answer, asked for until it is whole or all tries are used up.

        Args:
            read: is given the body as it came, packed by gzip or not; raises
                `PassingError` for one that is not whole.

        Raises:
            NetworkError: it cannot be had now; the same call may succeed later.
            InputError: it cannot be had at all: key, plan, or question refused.
        """
        url = self._settings.openalex_url + path

        def ask() -> T:
            try:
                return read(self._body(url, params))
            except PassingError as e:
                if e.is_too_fast:
                    self.pace.too_fast()
                raise

        return self._persist(ask, url=url)

    def _body(self, url: str, params: Mapping[str, str] | None) -> bytes:
        """The body of a good answer, redirects on the same server followed."""
        for _ in range(_REDIRECTS):
            response = self._send(url, params)
            if not response.is_redirect:
                return _taken(response)
            response.close()
            url, params = urljoin(url, response.headers["Location"]), None
            if urlsplit(url).netloc != urlsplit(self._settings.openalex_url).netloc:
                raise InputError(
                    "the server sends us on to another one, which the key must not reach",
                    url=self._settings.openalex_url,
                )
        raise NetworkError(f"more than {_REDIRECTS} redirects", url=url)

    def _send(self, url: str, params: Mapping[str, str] | None) -> requests.Response:
        """An answer of any kind, its body not yet read."""
        key = self._settings.openalex_key
        try:
            self.pace.wait()
            response = self._session().get(
                url,
                params=params,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=(self._settings.connect_timeout_s, self._settings.read_timeout_s),
                allow_redirects=False,
                stream=True,
            )
            self.pace.answered(response.headers)
        except requests.RequestException as e:
            self.pace.answered({})
            # Only the kind: the text of these errors quotes the whole URL.
            raise PassingError(f"no answer ({type(e).__name__})") from e
        return response


def _taken(response: requests.Response) -> bytes:
    """The body of a good answer, as it came: what is packed stays packed."""
    try:
        with response:
            _refuse(response)
            return bytes(response.raw.read())
    except (requests.RequestException, urllib3.exceptions.HTTPError) as e:
        raise PassingError(f"an answer cut short ({type(e).__name__})") from e


def _refuse(response: requests.Response) -> None:
    """Nothing for a good answer; else what this status means.

    Raises:
        PassingError: it may pass.
        NetworkError: the day's budget is spent.
        InputError: asking again would change nothing.
    """
    status, url = response.status_code, urlsplit(response.url)._replace(query="").geturl()
    if status == requests.codes.ok:
        return
    message = _message(response)
    if status == requests.codes.too_many:
        _refuse_429(response, message, url)
    if status >= requests.codes.server_error:
        raise PassingError(f"HTTP {status} {message}", retry_after(response.headers))
    if "cursor" in message.lower() and "cursor=" in response.url:
        raise CursorError(f"HTTP {status} {message}; set OPENALEX_API_KEY", url=url)
    if status in (requests.codes.unauthorized, requests.codes.forbidden):
        raise InputError(
            f"HTTP {status} {message}; check OPENALEX_API_KEY (free at openalex.org), or unset it",
            url=url,
        )
    if status == requests.codes.not_found:
        raise AbsentError("not known to the server", url=url)
    raise QuestionError(f"HTTP {status} {message}; correct the protocol", url=url)


def _refuse_429(response: requests.Response, message: str, url: str) -> None:
    """Four kinds: too fast, broad boolean (both pass), budget spent, a plan that lacks it."""
    wait_s = retry_after(response.headers)
    if "plan" in message.lower():
        raise InputError(f"HTTP 429 {message}; this question needs a paid plan", url=url)
    if wait_s is None or wait_s <= SHORT_WAIT_S:
        raise PassingError(f"HTTP 429 {message}", wait_s, is_too_fast=True)
    raise NetworkError(
        f"HTTP 429 {message}: the budget is spent; the same command continues after the reset, "
        f"in {wait_s / 3600:.1f} h",
        url=url,
    )


def _message(response: requests.Response) -> str:
    try:
        answer = response.json()
    except ValueError:
        return str(response.reason)  # a 404 may be HTML
    if not isinstance(answer, Mapping):
        return str(response.reason)
    return f"{answer.get('error', '')} {answer.get('message', '')}".strip()[:_LONGEST]


class _Answer(msgspec.Struct):
    """A page as JSON, its records not yet read."""

    meta: dict[str, Any]
    results: list[msgspec.Raw]
    group_by: list[dict[str, Any]] | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


def page_of(body: bytes) -> Page:
    """The page in a body, packed or not.

    Raises:
        PassingError: it is not JSON, no page, or cut short by the server; all may pass.
    """
    page = unread_page_of(body)
    return replace(page, results=[msgspec.json.decode(record) for record in page.results])


def unread_page_of(body: bytes) -> Page:
    """Like `page_of`, with each record as the bytes of its JSON (`msgspec.Raw`)."""
    try:
        answer = _ANSWER.decode(unpacked(body, LARGEST))
        meta = answer.meta
        groups = tuple((str(g["key"]), int(g["count"])) for g in answer.group_by or [])
    except (ValueError, KeyError, TypeError) as e:
        raise PassingError(f"an answer that is no page ({type(e).__name__})") from e
    if meta.get("timed_out"):
        # 200, but the server ran out of time and left works out without another word.
        raise PassingError("a page that the server calls partial (meta.timed_out)")
    cursor = meta.get("next_cursor") if answer.results else None
    return Page(answer.results, cursor, meta.get("count"), groups, body)


def _record_of(body: bytes) -> Any:
    try:
        return msgspec.json.decode(unpacked(body, LARGEST))
    except ValueError as e:
        raise PassingError("an answer that is no JSON") from e
