import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.sentences import sentence_starts


def sentences(text: str) -> list[str]:
    cuts = [*sentence_starts(text), len(text)]
    return [text[start:end].strip() for start, end in itertools.pairwise(cuts)]


@pytest.mark.parametrize(
    "text",
    [
        "We follow Smith et al. The data are old.",
        "See Fig. 2 for the result.",
        "J. Smith labelled them.",
        "It holds, e.g. MRI does.",
        "We use approx. 30 scans.",
    ],
)
def test_an_abbreviation_ends_no_sentence(text: str) -> None:
    assert sentences(text) == [text]


def test_stops_citations_and_closed_quotes_end_one() -> None:
    text = 'It works [3]. We pre-train. "So it is." [4] 20 scans remain.'
    assert sentences(text) == [
        "It works [3].",
        "We pre-train.",
        '"So it is." [4]',
        "20 scans remain.",
    ]


@given(st.text("ab. \n[A1", max_size=300), st.integers(1, 400))
def test_no_sentence_is_longer_than_the_rules_can_read(text: str, times: int) -> None:
    starts = sentence_starts(text * times)
    assert starts[0] == 0
    assert all(0 < b - a <= 2000 for a, b in itertools.pairwise([*starts, len(text * times)]) if b)
