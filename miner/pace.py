"""How fast a server may be asked, and for how much money. Shared by all threads of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from data.errors import NetworkError

_ROUNDING_USD = 1e-9


class Pace:
    """Spaces requests evenly and counts what they cost.

    A refusal for speed halves the rate; good answers bring it back slowly.

    Args:
        rate: requests a second at most; None sets no limit.
        budget: US dollars that this run may spend; None sets no limit.
        price: of a request, in US dollars, where the server does not say what it cost.
        clock: seconds that only go forward.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        rate: float | None = None,
        budget: float | None = None,
        *,
        price: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._top = self._rate = rate
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._next_at = 0.0
        self._price = price
        self._cost = price  # of one page, as the server last said
        self._n_asked = 0  # requests on their way
        self._lock = threading.Lock()
        self.spent = 0.0
        self.left: float | None = None

    def wait(self) -> None:
        """Return when the next request may go out.

        Raises:
            NetworkError: the budget does not cover another page.
        """
        with self._lock:
            asked = self.spent + self._cost * (self._n_asked + 1)
            if self._budget is not None and asked > self._budget + _ROUNDING_USD:
                raise NetworkError(
                    f"${self.spent:.4f} of the budget of ${self._budget:g} is spent and a request "
                    f"costs ${self._cost:g}; the same command with a larger --budget continues"
                )
            self._n_asked += 1
            now = self._clock()
            start = max(now, self._next_at)
            self._next_at = start + (1 / self._rate if self._rate else 0.0)
        if start > now:
            self._sleep(start - now)

    def answered(self, headers: Mapping[str, str]) -> None:
        """Take note of an answer's price and of the day's rest, where the server tells them.

        A request that `wait` let through and that had no answer counts by empty headers.
        """
        with self._lock:
            self._n_asked -= 1
            cost = _number(headers, "X-RateLimit-Cost-USD")
            if cost is None:
                cost = self._price if headers else 0.0
            else:
                self._cost = max(cost, self._price)
            self.spent += cost
            left = _number(headers, "X-RateLimit-Remaining-USD")
            self.left = self.left if left is None else left
            if self._rate and self._top:
                self._rate = min(self._top, self._rate * 1.02)

    def too_fast(self) -> None:
        """The server says that requests came too fast."""
        with self._lock:
            if self._rate:
                self._rate = max(min(1.0, self._top or 1.0), self._rate / 2)


def usual_rate(server: str, *, has_key: bool) -> float | None:
    """Requests a second that OpenAlex grants, as its documentation said in summer 2026.

    Another server, such as `cats replay`, sets no limit.
    """
    if "openalex.org" not in server:
        return None
    return 30.0 if has_key else 10.0


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None
