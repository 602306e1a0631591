import json
from typing import Any

import pytest
import requests

from data.errors import InputError
from miner.replay import StoredWork, serve

WORKS: list[dict[str, Any]] = [
    {
        "id": f"https://openalex.org/W{n}",
        "doi": f"https://doi.org/10.1000/{n}",
        "title": title,
        "publication_year": year,
        "publication_date": f"{year}-06-01",
        "type": kind,
        "language": "en",
        "topics": [{"id": f"https://openalex.org/{topic}"}],
        "referenced_works": ["https://openalex.org/W1"] if n > 1 else [],
        "cited_by_count": n,
        "abstract_inverted_index": {"Deep": [0], "learning": [1]} if n % 2 else None,
    }
    for n, (title, year, kind, topic) in enumerate(
        [
            ("Transfer learning of CT", 2019, "article", "T1"),
            ("Pretrained networks", 2020, "preprint", "T2"),
            ("Registration", 2021, "review", "T1"),
        ],
        start=1,
    )
]


def get(path: str, **params: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    with serve(WORKS) as (url, _), requests.Session() as session:
        answer = session.get(url + path, params=params, timeout=5)
        return answer.status_code, answer.json(), dict(answer.headers)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("topics.id:T1", [1, 3]),
        ("topics.id:T1|T2", [1, 2, 3]),
        ("primary_topic.id:t2", [2]),
        ("type:article|review", [1, 3]),
        ("type:!article", [2, 3]),
        ("publication_year:2020", [2]),
        ("publication_year:2020-", [2, 3]),
        ("from_publication_date:2020-01-01,to_publication_date:2020-12-31", [2]),
        ("cites:W1", [2, 3]),
        ("has_abstract:true", [1, 3]),
        ("doi:https://doi.org/10.1000/2", [2]),
        ('title_and_abstract.search:"transfer learning" OR pretrained', [1, 2]),
        ("title_and_abstract.search:deep AND registration", [3]),
    ],
)
def test_filters_find_what_openalex_finds(query: str, found: list[int]) -> None:
    status, answer, _ = get("/works", filter=query, sort="publication_date:asc")
    assert status == 200
    assert [work["id"][-1] for work in answer["results"]] == [str(n) for n in found]
    assert answer["meta"]["count"] == len(found)


@pytest.mark.parametrize(
    "params",
    [
        {"filter": "colour:red"},
        {"sort": "beauty"},
        {"select": "open_access.is_oa"},
        {"group_by": "mood"},
        {"cursor": "!!"},
        {"per-page": "1000"},
        {"page": "500", "per-page": "100"},
        {"filter": "topics.id:" + "|".join(["T1"] * 101)},
        {"fitler": "type:article"},
    ],
)
def test_what_openalex_refuses_is_refused_with_its_error(params: dict[str, str]) -> None:
    status, answer, _ = get("/works", **params)
    assert status == 400
    assert set(answer) == {"error", "message"}


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/works", {"filter": "topics.id:T1,has_abstract:true", "select": "id,title,language"}),
        ("/works", {"search": "deep", "sort": "publication_date:desc"}),
        ("/works", {"group_by": "publication_year"}),
        ("/works/W2", {}),
        ("/topics", {"search": ""}),
    ],
)
def test_works_kept_as_json_are_answered_like_others(path: str, params: dict[str, str]) -> None:
    stored = [StoredWork(json.dumps(work).encode()) for work in WORKS]
    with serve(stored) as (url, _), requests.Session() as session:
        answer = session.get(url + path, params=params, timeout=5)
    assert (answer.status_code, answer.json()) == get(path, **params)[:2]


def test_select_keeps_root_fields_only() -> None:
    _, answer, _ = get("/works", select="id,title")
    assert all(set(work) == {"id", "title"} for work in answer["results"])


def test_single_works_by_id_and_doi() -> None:
    assert get("/works/W2")[1]["title"] == "Pretrained networks"
    assert get("/works/https://doi.org/10.1000/3")[1]["title"] == "Registration"
    assert get("/works/W99")[0] == 404


def test_pages_by_number_and_the_default_order() -> None:
    _, answer, _ = get("/works", **{"per-page": "2", "page": "2"})
    assert [work["id"][-1] for work in answer["results"]] == ["1"]


def test_headers_tell_the_budget() -> None:
    _, _, headers = get("/works", filter="title_and_abstract.search:deep")
    assert headers["X-RateLimit-Cost-USD"] == "0.001"
    assert float(headers["X-RateLimit-Remaining-USD"]) < 1


def test_an_unknown_fault_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="truncated"), serve(WORKS, faults=["typo"]):
        pass


def test_a_taken_port_is_told() -> None:
    with serve(WORKS) as (url, _):
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(InputError, match="port"), serve(WORKS, port=port):
            pass
