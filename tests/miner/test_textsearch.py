import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from miner.textsearch import TextSearch, stem


def finds(query: str, title: str, abstract: str = "") -> bool:
    return TextSearch.parse(query).finds(title, abstract)


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("transfer learning", "Learning to transfer", True),
        ("transfer learning", "Learning", False),
        ('"transfer learning"', "A study of Transfer Learning.", True),
        ('"transfer learning"', "learning transfer", False),
        ("net", "networks", False),  # whole words
        ("network", "Networks", True),
        ("biopsies", "a biopsy", True),
        ("cat OR dog AND fish", "cat", True),  # AND binds closer
        ("(cat OR dog) AND fish", "cat", False),
        ("cat NOT dog", "cat and dog", False),
        ("NOT (cat OR dog)", "fish", True),
        ("radiolog*", "radiological", True),
        ("tumo?r", "tumour", True),
        ("tumo?r", "tumor", False),
        ("pre-trained", "a network trained pre", True),
        ('"pre-trained"', "a network trained pre", False),
        ("the network", "network", True),  # a stop word asks nothing
        ('"state of the art"', "state in an art", True),  # ... but keeps its place
        ('"state of the art"', "state art", False),
        ('"deep segmentation"~1', "deep lung segmentation", True),
        ('"deep segmentation"~1', "deep left lung segmentation", False),
        ('"deep segmentation"~2', "segmentation deep", True),
        ("covid-19", "COVID 19", True),
        ("Krüppel", "KRÜPPEL", True),
        ('"deep deep learning"', "deep learning", False),
        ('"deep deep learning"', "deep deep learning", True),
    ],
)
def test_a_query_means_what_openalex_documents(query: str, text: str, found: bool) -> None:
    assert finds(query, text) is found


def test_words_may_be_in_either_text_and_a_phrase_in_one() -> None:
    assert finds("transfer learning", "transfer", "learning")
    assert not finds('"transfer learning"', "transfer", "learning")
    assert finds('"transfer learning"', "x", "transfer learning")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "no word"),
        ("the", "no word"),
        ("(cat", "bracket is not closed"),
        ("cat)", "stands alone"),
        ("()", "missing"),
        ("cat OR", "missing"),
        ("AND cat", "missing"),
        ("NOT", "missing"),
        ('"cat', "quote is not closed"),
        ("cat~1", "fuzzy"),
        ("cat^2", "boost"),
        ("title:cat", "field"),
        ("-cat", "operator"),
        ("cat|dog", "operator"),
        ('"cat d*"', "wildcard inside"),
        ("*", "wildcard"),
        ("pre-train*", "wildcard"),
        ('"cat dog"~1000', "fuzzy"),
    ],
)
def test_what_cannot_be_asked_is_named(query: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        TextSearch.parse(query)
    assert repr(query) in str(refused.value)


@given(st.text(st.sampled_from('ab "()*?~1-ANDORT|'), max_size=30))
def test_any_text_is_a_search_or_an_input_error(query: str) -> None:
    try:
        search = TextSearch.parse(query)
    except InputError:
        return
    assert search.finds("a b", "ab") in (True, False)


@given(st.integers(40, 5000))
def test_deep_brackets_are_refused_not_a_crash(depth: int) -> None:
    query = "(" * depth + "cat" + ")" * depth
    try:
        TextSearch.parse(query)
    except InputError as e:
        assert depth > 50
        assert "deep" in str(e)


# "ox" is left out of some texts; no word here is a stop word or another's plural.
_words = st.sampled_from(["cat", "dog", "ox", "emu"])
_texts = st.lists(_words, max_size=6).map(" ".join)
_queries = st.recursive(
    _words | st.lists(_words, min_size=1, max_size=3).map(lambda w: f'"{" ".join(w)}"'),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR ", " "]), inner).map(
            lambda parts: f"({''.join(parts)})"
        ),
        inner.map(lambda query: f"NOT {query}"),
    ),
    max_leaves=6,
)


@given(_queries, _queries, _texts, _texts)
def test_the_laws_of_and_or_not(one: str, other: str, title: str, abstract: str) -> None:
    def asked(query: str) -> bool:
        return finds(query, title, abstract)

    first, second = asked(one), asked(other)
    assert asked(f"({one}) AND ({other})") == asked(f"({one}) ({other})") == (first and second)
    assert asked(f"({one}) OR ({other})") == (first or second)
    assert asked(f"NOT ({one})") == (not first)
    assert asked(f"NOT (({one}) OR ({other}))") == asked(f"(NOT ({one})) AND (NOT ({other}))")


@given(st.lists(_words, min_size=1, max_size=4), st.lists(_words, max_size=12))
def test_a_phrase_is_found_where_its_words_stand_in_a_row(
    phrase: list[str], text: list[str]
) -> None:
    rows = [text[start : start + len(phrase)] for start in range(len(text))]
    assert finds(f'"{" ".join(phrase)}"', " ".join(text)) == (phrase in rows)


@pytest.mark.parametrize(
    ("word", "singular"),
    [("classes", "class"), ("boxes", "box"), ("loss", "loss"), ("virus", "virus"), ("gas", "gas")],
)
def test_plurals(word: str, singular: str) -> None:
    assert stem(word) == singular
