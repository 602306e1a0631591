import random
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from data.errors import CatsError, InputError, NetworkError
from data.settings import Settings, settings
from miner.pages import Page, Pages
from miner.replay import FAULTS, Library, serve

WORKS = [
    {
        "id": f"https://openalex.org/W{n}",
        "doi": f"https://doi.org/10.1000/{n}",
        "title": f"Paper {n}",
        "publication_year": 2020 + n % 3,
        "publication_date": f"{2020 + n % 3}-01-{1 + n % 28:02d}",
        "type": "article",
        "language": "en",
        "topics": [{"id": "https://openalex.org/T1"}],
        "abstract_inverted_index": {"Hello": [0]},
    }
    for n in range(1, 26)
]


def asked(url: str, *, key: str | None = None, tries: int = 6) -> tuple[Pages, list[float]]:
    """An open transport, and the waits it was made to make."""
    waits: list[float] = []
    settings = Settings(openalex_url=url, openalex_key=key, tries=tries, read_timeout_s=5)
    return Pages(settings, sleep=waits.append, rng=random.Random(1)), waits


def all_pages(pages: Pages, **params: str) -> Iterator[Page]:
    cursor: str | None = "*"
    while cursor:
        page = pages.works(
            {"sort": "publication_date:asc", "per-page": "10", **params} | {"cursor": cursor}
        )
        yield page
        cursor = page.cursor


def ids(pages: Iterator[Page]) -> list[str]:
    return [record["id"] for page in pages for record in page.results]


def test_cursor_paging_brings_every_work_once() -> None:
    with serve(WORKS) as (url, _):
        pages, _ = asked(url)
        with pages:
            found = ids(all_pages(pages))
    assert sorted(found) == sorted(work["id"] for work in WORKS)


PASSING = ["429-second", "429-boolean", "503", "504", "truncated", "not-json", "reset", "timed-out"]


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again_and_nothing_is_lost(fault: str) -> None:
    with serve(WORKS, faults=[fault]) as (url, library):
        pages, waits = asked(url)
        with pages:
            found = ids(all_pages(pages))
    assert sorted(found) == sorted(work["id"] for work in WORKS)
    assert waits, "the fault did not strike"
    assert len(library.requests) == 4 + len(waits)


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("401", InputError, "OPENALEX_API_KEY"),
        ("429-plan", InputError, "paid plan"),
        ("429-budget", NetworkError, "budget is spent.*11.1 h"),
    ],
)
def test_what_does_not_pass_is_told_at_once(fault: str, kind: type[CatsError], said: str) -> None:
    with serve(WORKS, faults=[fault]) as (url, _):
        pages, waits = asked(url)
        with pages, pytest.raises(kind, match=said):
            list(all_pages(pages))
    assert waits == []


def test_a_refused_question_quotes_the_server() -> None:
    with serve(WORKS) as (url, _):
        pages, _ = asked(url)
        with pages, pytest.raises(InputError, match="colour is not a valid field"):
            pages.works({"filter": "colour:red"})


def test_tries_come_to_an_end() -> None:
    pages, waits = asked("http://127.0.0.1:9", tries=3)
    with pages, pytest.raises(NetworkError, match="3 times in a row"):
        pages.works({})
    assert len(waits) == 2
    assert waits[0] < waits[1]


def test_retry_after_is_honoured() -> None:
    with serve(WORKS, faults=["429-boolean"]) as (url, _):
        pages, waits = asked(url)
        with pages:
            pages.works({})
    assert waits == [1.0]


def test_the_key_is_a_header_and_nowhere_else() -> None:
    with serve(WORKS) as (url, library):
        pages, _ = asked(url, key="sesame")
        with pages:
            pages.works({})
            with pytest.raises(InputError) as refused:
                pages.works({"filter": "colour:red"})
    assert all(request.has_key for request in library.requests)
    assert not any("sesame" in request.path for request in library.requests)
    assert "sesame" not in str(refused.value)
    with serve(WORKS) as (url, library):
        pages, _ = asked(url)
        with pages:
            pages.works({})
    assert not library.requests[0].has_key


def test_a_redirect_to_another_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import miner.replay as replay

    def elsewhere(self: Any, number: int) -> bool:
        self._send(301, b"{}", headers={"Location": "http://127.0.0.2:1/works"})
        return True

    monkeypatch.setattr(replay._Handler, "_strike", elsewhere)
    with serve(WORKS) as (url, _):
        pages, _ = asked(url, key="sesame")
        with pages, pytest.raises(InputError, match="another one"):
            pages.works({})


def test_every_fault_has_a_test() -> None:
    in_mining = {"slow", "latency", "storm", "bad-record", "reorder", "no-cursor"}  # test_mine.py
    assert set(FAULTS) == {*PASSING, *in_mining, "401", "429-plan", "429-budget", "blank-key"}


@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_blank_key_is_never_sent(value: str | None) -> None:
    environment = {} if value is None else {"OPENALEX_API_KEY": value}
    with serve(WORKS, faults=["blank-key"]) as (url, library):
        with Pages(settings(environment, openalex_url=url)) as pages:
            assert pages.works({}).count == len(WORKS)
        sent = requests.get(f"{url}/works", headers={"Authorization": "Bearer "}, timeout=5)
        assert sent.status_code == requests.get(f"{url}/works?api_key=", timeout=5).status_code
    assert sent.status_code == 401
    assert not library.requests[0].has_key


def test_an_unquoted_comma_is_refused_as_by_openalex() -> None:
    with serve(WORKS) as (url, _):
        pages, _ = asked(url)
        with pages, pytest.raises(InputError, match="not a valid field"):
            pages.works({"filter": "title_and_abstract.search:ct, mri"})


def test_the_library_answers_single_works_and_groups() -> None:
    library = Library(WORKS)
    assert set(library.by_name) >= {"W1", "10.1000/1"}
    with serve(WORKS) as (url, _):
        pages, _ = asked(url)
        with pages:
            page = pages.works({"group_by": "publication_year"})
    assert sum(count for _, count in page.groups) == len(WORKS)
