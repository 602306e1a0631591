import contextlib
from typing import Any

import pytest
from builders import NOW, PROTOCOL
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from data.protocol import Protocol, load
from data.records import Work, to_table
from miner.openalex import abstract_of, bare_doi, parse_work, plain_text, queries, work_id


def protocol(tmp_path: Any, text: str = PROTOCOL) -> Protocol:
    path = tmp_path / "protocol.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_the_search_is_one_query_with_a_fixed_order(tmp_path: Any) -> None:
    (query,) = queries(protocol(tmp_path))
    params = dict(query.params)
    assert query.name == "search"
    assert params["sort"] == "publication_date:asc"
    assert params["filter"].split(",") == [
        "from_publication_date:2015-01-01",
        "to_publication_date:2026-12-31",
        "type:article|preprint",
        "language:en",
        "topics.id:T1",
    ]
    assert "abstract_inverted_index" in params["select"]
    assert not query.costs_search


def test_a_text_is_searched_in_title_and_abstract_and_costs(tmp_path: Any) -> None:
    text = PROTOCOL.replace(
        "first_year", "text = '\"transfer learning\" OR pretrained'\nfirst_year"
    )
    (query,) = queries(protocol(tmp_path, text))
    assert 'title_and_abstract.search:"transfer learning" OR pretrained' in query.filter
    assert query.costs_search


def test_each_seed_is_a_query_of_its_own(tmp_path: Any) -> None:
    text = PROTOCOL + '[[seeds]]\nname = "cites ImageNet"\ncites = "W2108598243"\n'
    names = [query.name for query in queries(protocol(tmp_path, text))]
    assert names == ["search", "cites ImageNet"]
    assert "cites:W2108598243" in queries(protocol(tmp_path, text))[1].filter


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('topics = [{ id = "T1", name = "Imaging" }]', "", "asks nothing"),
        ("first_year", 'text = "ct, mri"\nfirst_year', "comma"),
    ],
)
def test_a_question_that_openalex_refuses_is_not_asked(
    tmp_path: Any, old: str, new: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        queries(protocol(tmp_path, PROTOCOL.replace(old, new, 1)))


RECORD: dict[str, Any] = {
    "id": "https://openalex.org/W12",
    "doi": "https://doi.org/10.1000/ABC",
    "title": "A &amp; <i>B</i>",
    "abstract_inverted_index": {"learn": [1], "We": [0], "<p>well</p>": [2]},
    "publication_year": 2021,
    "publication_date": "2021-05-04",
    "type": "article",
    "language": "en",
    "primary_location": {"source": {"display_name": "A Journal"}},
    "authorships": [
        {"author": {"display_name": "Ann"}, "countries": ["us", "DE"]},
        {"author": {"display_name": None}, "institutions": [{"country_code": "US"}]},
    ],
    "topics": [{"id": "https://openalex.org/T1"}],
    "referenced_works": ["https://openalex.org/W1"],
    "cited_by_count": 3,
    "open_access": {"is_oa": True, "oa_url": "https://there"},
    "best_oa_location": {"license": "cc-by"},
    "is_retracted": False,
    "updated_date": "2026-01-02T03:04:05.678",
    "something_new": {},
}


def test_a_record_becomes_a_work_in_canonical_form() -> None:
    work = parse_work(RECORD, fetched_at=NOW)
    assert (work.id, work.doi, work.title) == ("W12", "10.1000/abc", "A & B")
    assert work.abstract == "We learn well"
    assert work.countries == ("US", "DE")
    assert work.authors == ("Ann",)
    assert (work.topics, work.references) == (("T1",), ("W1",))
    assert work.updated is not None
    assert work.updated.isoformat() == "2026-01-02T03:04:05.678000+00:00"


def test_a_bare_id_is_enough() -> None:
    work = parse_work({"id": "W1"}, fetched_at=NOW)
    assert (work.title, work.abstract, work.year, work.countries) == (None, None, None, ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "not an OpenAlex id"),
        ({"publication_year": "soon"}, r"`int \| null`, got `str` - at `\$.publication_year`"),
        ({"title": 3}, r"got `int` - at `\$.title`"),
        ({"publication_date": "May"}, "Invalid isoformat"),
        ({"abstract_inverted_index": {"a": 3}}, r"at `\$.abstract_inverted_index"),
        ({"is_retracted": "no"}, "is_retracted"),
        ({"topics": [{"id": "x"}]}, "not an OpenAlex id"),
    ],
)
def test_another_shape_is_told_apart(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_work(RECORD | change, fetched_at=NOW)
    with pytest.raises(InputError, match="Expected `object`"):
        parse_work([1], fetched_at=NOW)


@given(st.lists(st.text("abcde", min_size=1), max_size=20))
def test_an_inverted_index_gives_its_text_back(words: list[str]) -> None:
    inverted: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        inverted.setdefault(word, []).append(place)
    assert abstract_of(inverted) == " ".join(words)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(list(RECORD)), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_any_json_is_a_work_or_an_input_error(value: Any) -> None:
    record = RECORD | value if isinstance(value, dict) else value
    with contextlib.suppress(InputError):
        assert to_table(Work, [parse_work(record, fetched_at=NOW)]).num_rows == 1


@given(st.text())
def test_plain_text_has_no_odd_spaces(text: str) -> None:
    plain = plain_text(text)
    assert plain is None or plain == " ".join(plain.split())


def test_ids_and_dois() -> None:
    assert work_id("https://openalex.org/works/W5") == "W5"
    assert work_id("local:a") == "local:a"
    assert bare_doi("doi:10.1000/X") == "10.1000/x"
    assert bare_doi("nothing") is None
    assert plain_text("a&amp;lt;b") == "a<b"
    assert plain_text(" <p> </p>") is None


def test_links_are_the_names_of_all_versions() -> None:
    record = {
        "id": "https://openalex.org/W1",
        "ids": {"pmid": "https://pubmed.ncbi.nlm.nih.gov/12", "doi": "https://doi.org/10.1/A"},
        "locations": [
            {"landing_page_url": "https://doi.org/10.1000/ABC", "pdf_url": None},
            {"landing_page_url": "http://arxiv.org/abs/2101.00001v2"},
            {"landing_page_url": None, "pdf_url": "https://arxiv.org/pdf/2101.00001"},
            {"landing_page_url": "https://www.ncbi.nlm.nih.gov/pmc/articles/7891"},
            {"landing_page_url": "https://europepmc.org/articles/pmc7891"},
        ],
    }
    assert parse_work(record, fetched_at=NOW).links == (
        "pmid:12",
        "doi:10.1000/abc",
        "arxiv:2101.00001",
        "pmcid:PMC7891",
    )
