import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.intervals import (
    difference,
    holm,
    jeffreys_bounds,
    two_sided_p,
    wilson,
    wilson_bounds,
)


def test_wilson_is_the_published_interval() -> None:
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_without_papers_knows_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 500), st.integers(0, 500))
def test_intervals_hold_the_share(a: int, b: int) -> None:
    n, k = max(a, b), min(a, b)
    for bounds in (wilson_bounds, jeffreys_bounds):
        low, high = (float(bound) for bound in bounds(k, n))
        assert 0 <= low <= high <= 1
        if n:
            assert low <= k / n <= high


def test_arrays_give_what_numbers_give() -> None:
    low, high = wilson_bounds([81, 0, 5], [263, 20, 0])
    assert [*zip(low, high, strict=True)] == [wilson(81, 263), wilson(0, 20), (0.0, 1.0)]


def test_jeffreys_takes_quantiles_of_the_posterior() -> None:
    # One success in one: Beta(3/2, 1/2), whose distribution has a closed form.
    low, high = (float(bound) for bound in jeffreys_bounds(1, 1))
    below = 2 / math.pi * (math.asin(low**0.5) - (low * (1 - low)) ** 0.5)
    assert below == pytest.approx(0.025)
    assert high == 1
    low, high = (float(bound) for bound in jeffreys_bounds(0, 1))
    assert low == 0
    assert 1 - high == pytest.approx(float(jeffreys_bounds(1, 1)[0]))


def test_jeffreys_of_nothing_is_everything() -> None:
    assert [float(bound) for bound in jeffreys_bounds(0, 0)] == [0.0, 1.0]


def test_the_difference_of_shares_is_newcombes() -> None:
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, table II,
    # method 10: 56/70 - 48/80, 9/10 - 3/10, 10/10 - 0/20.
    for (a, m), (b, n), bounds in (
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ):
        found = difference((a / m, *wilson(a, m)), (b / n, *wilson(b, n)))
        assert found[0] == pytest.approx(a / m - b / n)
        assert [float(bound) for bound in found[1:]] == pytest.approx(bounds, abs=5e-5)


def test_a_sample_differs_from_itself_by_nothing() -> None:
    share = (0.3, *wilson(30, 100))
    value, low, high = difference(share, share, correlation=1.0)
    assert value == 0
    assert float(low) <= 0 <= float(high)
    independent = difference(share, share)
    assert high - low < 0.2 * (independent[2] - independent[1])


def test_holm_is_the_textbooks() -> None:
    # Holm by hand: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.04 x 1, and never less than the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert len(holm([])) == 0


def test_p_is_of_the_normal_and_one_where_nothing_differs() -> None:
    assert two_sided_p([1.959964, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]) == pytest.approx(
        [0.05, 1.0, 1.0, 0.0], abs=1e-6
    )
    assert np.isscalar(float(two_sided_p(0.5, 1.0)))
