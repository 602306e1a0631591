"""What our transports do alike: a session a thread, tries with waits between, no long sleeps."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self, TypeVar

import requests
from isal import isal_zlib

from data.errors import InputError, NetworkError
from data.settings import Settings

SHORT_WAIT_S = 60.0  # a longer Retry-After is to be told, not slept through
_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
GZIP = b"\x1f\x8b"
T = TypeVar("T")


class AbsentError(InputError):
    """The server knows no such record."""


class PassingError(Exception):
    """A fault that may pass: try again, after `wait_s` if the server said how long."""

    def __init__(
        self, what: str, wait_s: float | None = None, *, is_too_fast: bool = False
    ) -> None:
        super().__init__(what)
        self.wait_s = wait_s
        self.is_too_fast = is_too_fast


class Transport:
    """Open connections for any number of threads; close it, or use it as a context.

    Args:
        settings: time-outs, and how often an answer is tried for.
        sleep: waits that many seconds.
        rng: draws the jitter of waits, so that many miners do not come back at once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311  jitter is no secret
        self._own = threading.local()  # a session serves one thread
        self._sessions: list[requests.Session] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads; a second close does nothing."""
        for session in self._sessions:
            session.close()

    def _session(self) -> requests.Session:
        """This thread's session."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self._new_session()
            self._sessions.append(session)
        return session

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # a .netrc must not replace the key
        session.headers["User-Agent"] = "cats-toolkit"
        session.headers["Accept-Encoding"] = "gzip"  # taken as it comes, see `unpacked`
        return session

    def _persist(self, ask: Callable[[], T], *, url: str) -> T:
        """What `ask` returns, asked until it raises no `PassingError` or all tries are used up.

        Args:
            url: for the error, without anything secret.

        Raises:
            NetworkError: it cannot be had now; the same call may succeed later.
        """
        fault = PassingError("not tried")
        for attempt in range(self._settings.tries):
            if attempt:
                self._sleep(self._wait_s(attempt, fault, url))
            try:
                return ask()
            except PassingError as e:
                fault = e
        raise NetworkError(
            f"{fault}, {self._settings.tries} times in a row; the same command continues where "
            "this stopped",
            url=url,
        )

    def _wait_s(self, attempt: int, fault: PassingError, url: str) -> float:
        if fault.wait_s is None:
            longest: float = min(_FIRST_BACKOFF_S * 2**attempt, _LONGEST_BACKOFF_S)
            return self._rng.uniform(longest / 2, longest)
        if fault.wait_s > SHORT_WAIT_S:
            raise NetworkError(
                f"{fault}: the server asks us to come back in {fault.wait_s / 3600:.1f} h; the "
                "same command continues then",
                url=url,
            )
        return fault.wait_s


def unpacked(body: bytes, largest: int) -> bytes:
    """A body without its packing, if it has one.

    Args:
        largest: bytes that it may have without it.

    Raises:
        PassingError: the packing is damaged.
        InputError: it opens to more than that.
    """
    return first_member(body, largest)[0] if body.startswith(GZIP) else body


def first_member(packed: bytes, largest: int) -> tuple[bytes, bytes]:
    """The first gzip member of some bytes, unpacked, and the bytes after it.

    Raises: as `unpacked` does.
    """
    opener = isal_zlib.decompressobj(wbits=31)
    try:
        plain = opener.decompress(packed, largest)
    except isal_zlib.IsalError as e:  # type: ignore[misc]  # no class, if one believes its stub
        raise PassingError("an answer with damaged packing") from e
    if opener.eof:
        return plain, opener.unused_data
    if len(plain) >= largest:
        raise InputError(f"a packed answer of more than {largest / 1e6:g} MB, which is not taken")
    raise PassingError("an answer with packing cut short")


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait as the server asks, given in seconds or as a date; None if it does not say.

    >>> retry_after({"Retry-After": "3"})
    3.0
    """
    said = headers.get("Retry-After", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
