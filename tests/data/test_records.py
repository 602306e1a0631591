from datetime import UTC, date, datetime

import pytest
from builders import NOW, candidate, decision, use, work
from hypothesis import given
from hypothesis import strategies as st

from data.records import Candidate, Decision, Use, Work, from_table, passages_of, schema, to_table

_text = st.text(max_size=30)
_works = st.builds(
    work,
    id=_text,
    title=st.none() | _text,
    abstract=st.none() | _text,
    year=st.none() | st.integers(1900, 2100),
    date=st.none() | st.dates(date(1900, 1, 1)),
    authors=st.tuples() | st.tuples(_text, _text),
    references=st.tuples() | st.tuples(_text),
    is_oa=st.none() | st.booleans(),
    updated=st.none() | st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)),
)


@given(st.lists(_works, max_size=4))
def test_works_survive_arrow(works: list[Work]) -> None:
    assert list(from_table(Work, to_table(Work, works))) == works


def test_uses_and_decisions_survive_arrow() -> None:
    uses, decisions = [use(), use(model="ResNet", strategy="supervised")], [decision("u", "accept")]
    assert list(from_table(Use, to_table(Use, uses))) == uses
    assert list(from_table(Decision, to_table(Decision, decisions))) == decisions


def test_candidates_survive_arrow() -> None:
    rows = [candidate(), candidate(role="source", score=0.25)]
    assert list(from_table(Candidate, to_table(Candidate, rows))) == rows


def test_every_column_describes_itself() -> None:
    for field in schema(Work):
        assert field.metadata[b"description"]


def test_required_columns_refuse_null() -> None:
    assert not schema(Use).field("dataset").nullable
    assert schema(Use).field("model").nullable


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        work().title = "another"  # type: ignore[misc]


def test_passages_are_title_then_abstract_where_present() -> None:
    assert [p.section for p in passages_of(work())] == ["title", "abstract"]
    assert [p.section for p in passages_of(work(abstract=None))] == ["title"]
    assert passages_of(work(title=None, abstract="")) == []


def test_times_keep_their_zone() -> None:
    (back,) = from_table(Work, to_table(Work, [work(fetched_at=NOW)]))
    assert back.fetched_at == NOW
    assert back.fetched_at.tzinfo is not None
