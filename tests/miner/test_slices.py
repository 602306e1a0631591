import itertools
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from miner.slices import Slice, slice_size, slices

_counts = st.dictionaries(st.integers(2015, 2020), st.integers(0, 60_000))


@given(_counts, st.integers(1, 20_000))
def test_every_day_is_in_one_slice(by_year: dict[int, int], size: int) -> None:
    cut = slices(2015, 2020, by_year, size=size)
    assert cut[0].first == date(2015, 1, 1)
    assert cut[-1].last == date(2020, 12, 31)
    for one, other in itertools.pairwise(cut):
        assert one.first <= one.last
        assert other.first == one.last + timedelta(days=1)


def test_large_years_are_cut_and_small_ones_joined() -> None:
    cut = slices(2015, 2017, {2015: 10, 2016: 20, 2017: 9_980}, size=5000)
    assert [str(piece) for piece in cut] == [
        "2015-01-01..2016-12-31",
        "2017-01-01..2017-07-01",
        "2017-07-02..2017-12-31",
    ]


def test_slices_are_short_only_where_workers_would_idle() -> None:
    assert slice_size(10_000_000, 8) == 5000
    assert slice_size(24_000, 8) == 1000
    assert slice_size(100, 8) == 500


def test_a_day_is_not_cut() -> None:
    assert len(slices(2020, 2020, {2020: 10**9}, size=1)) == 366


@given(st.dates(date(2015, 1, 1), date(2020, 1, 1)), st.dates(date(2020, 1, 1)))
def test_a_slice_reads_what_it_writes(first: date, last: date) -> None:
    assert Slice.parse(str(Slice(first, last))) == Slice(first, last)
