"""Documents from hosts that we do not know: polite, bounded, and never into a private network.

An address in a paper's record may be anything. So only http(s) is asked; every address that a name
has must be a public one, and so must be the peer that a connection reaches, since a name may
change its address between the two; redirects are followed by hand, each checked the same way.
This machine itself is asked only where the settings name it, never because a redirect says so.
"""

from __future__ import annotations

import ipaddress
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from data.errors import InputError, NetworkError
from data.settings import Settings
from miner.pace import Pace
from miner.transport import AbsentError, PassingError, Transport, retry_after, unpacked

SIZE_CAP = 50_000_000  # bytes; a long article with its pictures has 30 MB
LONGEST_S = 300.0  # a server that sends a byte a second is left after this
_REDIRECTS = 5
_CHUNK = 1 << 16

# Requests a second. arXiv asks for one in three seconds, over all its servers
# (info.arxiv.org/help/api/tou.html); Europe PMC names no figure, ten are within its guidance.
_RATES: Mapping[str, float] = {"arxiv.org": 1 / 3, "ebi.ac.uk": 10.0, "openalex.org": 10.0}
_USUAL_RATE = 1.0
_DOCUMENT_USD = 0.01  # OpenAlex's price of a PDF or TEI, autumn 2026

_Place = tuple[str, int]  # host and port


class RefusedError(InputError):
    """The server has it and does not give it to us: a key, a plan, or a host that bars programs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A document as it came.

    Args:
        body: without packing.
        content_type: as the server calls it, lower-case, without parameters; "" if it does not.
        url: where it came from in the end, after redirects.
    """

    body: bytes
    content_type: str
    url: str


class Hosts(Transport):
    """Open connections to any public host, for any number of threads; use it as a context.

    Args:
        settings: servers that are named, time-outs, and how often an answer is tried for.
        budget: US dollars that OpenAlex's full texts may cost; None sets no limit.
        size_cap: bytes of an answer, unpacked; more is refused.
        longest_s: seconds that an answer's body may take.
        sleep: waits that many seconds, also between requests to one host.
        rng: draws the jitter of waits.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        budget: float | None = None,
        size_cap: int = SIZE_CAP,
        longest_s: float = LONGEST_S,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__(settings, sleep=sleep, rng=rng)
        self._size_cap = size_cap
        self._longest_s = longest_s
        servers = (
            settings.openalex_url,
            settings.content_url,
            settings.europepmc_url,
            settings.arxiv_api_url,
            settings.arxiv_url,
        )
        self._named = frozenset(_place(urlsplit(server)) for server in servers)
        self._paces: dict[str, Pace] = {}
        self._lock = threading.Lock()
        self.content_pace = Pace(
            _rate(*_place(urlsplit(settings.content_url)), self._named),
            budget,
            price=_DOCUMENT_USD,
            sleep=sleep,
        )

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """The document at an address, asked for until it is whole or all tries are used up.

            Args:
                headers: sent to that host only, not to where it redirects.

            Raises:
                AbsentError: there is none.
        XX be had at all: refused, too large, or no public address.
        """
        return self._persist(lambda: self._follow(url, headers or {}), url=_shown(url))

    def _new_session(self) -> requests.Session:
        session = super()._new_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _CheckedAdapter(self._named))
        return session

    def _follow(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The answer at the end of the redirects; local hosts are reached by their own only."""
        is_trusted = True
        for _ in range(_REDIRECTS + 1):
            parts = _checked(url)
            place = _place(parts)
            self._refuse_private(place, is_named=is_trusted and place in self._named, url=url)
            with self._send(url, headers, place) as response:
                if not response.is_redirect:
                    _refuse(response, self._pace(place, url))
                    return self._answer(response, url)
                onward = _onward(url, response.headers["Location"])
            after = _checked(onward)
            if (after.scheme, _place(after)) != (parts.scheme, place):
                is_trusted, headers = False, {}
            url = onward
        raise InputError(f"more than {_REDIRECTS} redirects", url=_shown(url))

    def _refuse_private(self, place: _Place, *, is_named: bool, url: str) -> None:
        """Nothing if every address of a host may be asked."""
        try:
            found = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
        except OSError as e:
            raise PassingError(f"no address of {place[0]} ({e.strerror})") from e
        except UnicodeError as e:
            raise InputError(f"{place[0]!r} is no host's name", url=_shown(url)) from e
        for address in {str(row[4][0]) for row in found}:
            _refuse_address(address, place, is_named=is_named)

    def _send(self, url: str, headers: Mapping[str, str], place: _Place) -> requests.Response:
        """An answer of any kind, its body not yet read."""
        pace = self._pace(place, url)
        pace.wait()
        told: Mapping[str, str] = {}
        try:
            response = self._session().get(
                url,
                headers=dict(headers),
                timeout=(self._settings.connect_timeout_s, self._settings.read_timeout_s),
                allow_redirects=False,
                stream=True,
            )
            told = response.headers if response.status_code < requests.codes.bad_request else {}
        except ValueError as e:  # requests also reads where a redirect leads, and stumbles there
            raise InputError(
                "an address, or a redirect, that cannot be read; it is not asked", url=_shown(url)
            ) from e
        except requests.RequestException as e:
            if "CERTIFICATE_VERIFY_FAILED" in str(e):
                raise InputError("its certificate is not valid", url=_shown(url)) from e
            # Only the kind: the text of these errors quotes the whole URL.
            raise PassingError(f"no answer ({type(e).__name__})") from e
        finally:
            pace.answered(told)
        return response

    def _pace(self, place: _Place, url: str) -> Pace:
        """The pace of all that one site serves; what OpenAlex sells has its own."""
        if url.startswith(f"{self._settings.content_url}/"):
            return self.content_pace
        site = next((site for site in _RATES if _is_of(place[0], site)), f"{place[0]}:{place[1]}")
        with self._lock:
            if site not in self._paces:
                self._paces[site] = Pace(_rate(*place, self._named), sleep=self._sleep)
            return self._paces[site]

    def _answer(self, response: requests.Response, url: str) -> Answer:
        packing = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in ("identity", "", "gzip", "x-gzip"):
            raise InputError(f"packed as {packing!r}, which was not asked for", url=_shown(url))
        body = self._body(response, url)
        if "gzip" in packing:
            body = unpacked(body, self._size_cap)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Answer(body, kind, url)

    def _body(self, response: requests.Response, url: str) -> bytes:
        """The body as it comes, within the caps of size and time."""
        body = bytearray()
        until = time.monotonic() + self._longest_s
        try:
            while piece := response.raw.read1(_CHUNK, decode_content=False):
                body += piece
                if len(body) > self._size_cap:
                    raise InputError(
                        f"more than {self._size_cap / 1e6:g} MB, which is not taken",
                        url=_shown(url),
                    )
                if time.monotonic() > until:
                    raise NetworkError(
                        f"not whole after {self._longest_s:g} s; try again later", url=_shown(url)
                    )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as e:
            raise PassingError(f"an answer cut short ({type(e).__name__})") from e
        return bytes(body)


class _CheckedAdapter(HTTPAdapter):
    """Connections that look at the peer they reached before a byte is sent."""

    def __init__(self, named: frozenset[_Place]) -> None:
        self._pools = _checked_pools(named)
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Pools whose connections are checked, in place of the usual ones."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _checked_pools(named: frozenset[_Place]) -> dict[str, type[HTTPConnectionPool]]:
    # `_new_conn` is where both kinds of connection open their socket, TLS comes after it.
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _peer_checked(super()._new_conn(), (self.host, self.port or 80), named)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _peer_checked(super()._new_conn(), (self.host, self.port or 443), named)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _peer_checked(opened: socket.socket, place: _Place, named: frozenset[_Place]) -> socket.socket:
    try:
        _refuse_address(opened.getpeername()[0], place, is_named=place in named)
    except InputError:
        opened.close()
        raise
    return opened


def _refuse_address(address: str, place: _Place, *, is_named: bool) -> None:
    """Nothing for a public address, and for one of this machine if the settings name the host.

    Raises:
        InputError: for any other.
    """
    ip = _plain_address(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_loopback and is_named:
        return
    if ip.is_loopback or ip.is_multicast or not ip.is_global:
        raise InputError(f"{place[0]} is at {address}, no public address; it is not asked")


def _plain_address(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if ip.version == 4:
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def _checked(url: str) -> SplitResult:
    """The parts of an address that may be asked.

    Raises:
        InputError: it is not http(s), names no host, or carries a password.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise InputError("not an http(s) address; it is not asked", url=_shown(url))
    if "@" in parts.netloc:
        raise InputError("an address with a name and password; it is not asked", url=_shown(url))
    return parts


def _onward(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location  # which `_checked` refuses


def _place(parts: SplitResult) -> _Place:
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _shown(url: str) -> str:
    """An address for errors: without its query and password, which may be secret, and not long."""
    bare = url.partition("?")[0]
    scheme, slashes, rest = bare.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"[:200]


def _is_of(host: str, site: str) -> bool:
    return host == site or host.endswith(f".{site}")


def _rate(host: str, port: int, named: frozenset[_Place]) -> float | None:
    """Requests a second that a host is asked at most; a local stand-in for one has no limit."""
    for site, rate in _RATES.items():
        if _is_of(host, site):
            return rate
    return None if (host, port) in named else _USUAL_RATE


def _refuse(response: requests.Response, pace: Pace) -> None:
    """Nothing for a good answer; else what this status means.

    Raises:
        AbsentError: there is no such document.
        PassingError: it may pass.
        InputError: asking again would change nothing.
    """
    status, url = response.status_code, _shown(response.url)
    said = f"HTTP {status} {response.reason}"[:100]
    if status == requests.codes.ok:
        return
    if status in (requests.codes.not_found, requests.codes.gone):
        raise AbsentError("not known to the server", url=url)
    if status == requests.codes.too_many:
        pace.too_fast()
        raise PassingError(said, retry_after(response.headers), is_too_fast=True)
    if status >= requests.codes.server_error:
        raise PassingError(said, retry_after(response.headers))
    if status in (401, 402, 403):
        raise RefusedError(f"{said}; the server does not give it to us", url=url)
    raise InputError(f"{said}, which is no document", url=url)
