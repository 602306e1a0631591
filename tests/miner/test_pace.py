import pytest

from data.errors import NetworkError
from miner.pace import Pace, usual_rate


class Time:
    """A clock that moves by sleeping only."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace(rate: float | None = None, budget: float | None = None) -> tuple[Pace, Time]:
    time = Time()
    return Pace(rate, budget, clock=lambda: time.now, sleep=time.sleep), time


def test_requests_are_spaced_evenly() -> None:
    spaced, time = pace(rate=10)
    for _ in range(11):
        spaced.wait()
    assert time.now == pytest.approx(101.0)


def test_a_refusal_halves_the_rate_and_answers_bring_it_back() -> None:
    spaced, time = pace(rate=10)
    spaced.too_fast()
    spaced.wait()
    spaced.wait()
    assert time.now == pytest.approx(100.2)
    for _ in range(100):
        spaced.answered({})
    spaced.wait()
    before = time.now
    spaced.wait()
    assert time.now - before == pytest.approx(0.1)


def test_no_rate_is_no_wait() -> None:
    free, time = pace()
    for _ in range(1000):
        free.wait()
    assert time.now == 100.0


def test_the_budget_is_kept_to_the_cent() -> None:
    kept, _ = pace(budget=0.0003)
    for _ in range(3):
        kept.wait()
        kept.answered({"X-RateLimit-Cost-USD": "0.0001", "X-RateLimit-Remaining-USD": "0.9"})
    assert (kept.spent, kept.left) == (pytest.approx(0.0003), 0.9)
    with pytest.raises(NetworkError, match="--budget continues"):
        kept.wait()


def test_a_server_without_prices_costs_nothing() -> None:
    free, _ = pace(budget=1)
    free.answered({"X-RateLimit-Cost-USD": "free"})
    assert (free.spent, free.left) == (0.0, None)


def test_openalex_is_asked_as_fast_as_it_says() -> None:
    assert usual_rate("https://api.openalex.org", has_key=True) == 30
    assert usual_rate("https://api.openalex.org", has_key=False) == 10
    assert usual_rate("http://127.0.0.1:9", has_key=False) is None
