import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, PROTOCOL, survey, work
from hypothesis import given
from hypothesis import strategies as st

from data.account import account
from data.corpus import Corpus
from data.coverage import coverage
from data.errors import InputError
from data.protocol import load, screen
from data.records import Work
from data.settings import Settings
from miner.abstracts import SOURCES, Filled, fill, renew, unasked
from miner.hosts import Hosts
from miner.replay_abstracts import Paper, Services, serve_abstracts

TITLE = "Transfer learning for the reading of chest radiographs"
PAPERS = [
    Paper(title=TITLE, pmid="11", abstract="<h4>Background</h4>We train. <h4>Aim</h4>Read."),
    Paper(title=TITLE, pmcid="PMC22", doi="10.1000/other", abstract="By its PMCID."),
    Paper(title=TITLE, doi="10.1000/C", abstract="By its DOI."),
    Paper(title="A wholly different paper on frogs", doi="10.1000/d", abstract="Of frogs."),
    Paper(title=TITLE, doi="10.1000/e", arxiv="2101.00005", summary="From\n  arXiv."),
    Paper(title=TITLE, doi="10.48550/arxiv.2101.00006", arxiv="2101.00006", summary="By arXiv."),
]
LACKING = [
    work("W1", abstract=None, title=TITLE, links=("pmid:11", "doi:10.1000/a")),
    work("W2", abstract=None, title=TITLE, links=("pmcid:PMC22",)),
    work("W3", abstract=None, title=TITLE, doi="10.1000/c"),
    work("W4", abstract=None, title=TITLE, doi="10.1000/d"),
    work("W5", abstract=None, title=TITLE, doi="10.1000/e", links=("arxiv:2101.00005",)),
    work("W6", abstract=None, title=TITLE, doi="10.48550/arxiv.2101.00006"),
    work("W7", abstract=None, title=TITLE),  # has no name
    work("W8", title=TITLE, doi="10.1000/h"),  # lacks nothing
    work("W9", abstract=None, title=TITLE, doi="10.1000/i", year=1990),  # lacks more
]


def lacking(path: Path, works: list[Work] = LACKING) -> Corpus:
    corpus = Corpus.create(path, protocol=PROTOCOL)
    corpus.append(Work, works, name="works")
    protocol = load(corpus.path / "protocol.toml")
    with corpus.journal() as journal:
        journal.screen("protocol", [(w.id, *screen(w, protocol)) for w in works], now=NOW)
    return corpus


@contextmanager
def served(papers: list[Paper] = PAPERS, **options: Any) -> Iterator[tuple[Settings, Services]]:
    with serve_abstracts(papers, **options) as (url, services):
        yield Settings(europepmc_url=url, arxiv_api_url=url, tries=2), services


def filled(corpus: Corpus, settings: Settings, **options: Any) -> Filled:
    protocol = load(corpus.path / "protocol.toml")
    with Hosts(settings, sleep=lambda s: None) as hosts:
        return fill(corpus, protocol, hosts, settings, clock=lambda: NOW, **options)


def abstracts(corpus: Corpus) -> dict[str, str | None]:
    return {work.id: work.abstract for work in corpus.works()}


def included(corpus: Corpus) -> set[str]:
    return {row["id"] for row in corpus.table("SELECT id FROM included").to_pylist()}


def test_abstracts_are_filled_by_every_name_and_works_come_in(tmp_path: Path) -> None:
    corpus = lacking(tmp_path)
    assert unasked(corpus) == 6
    with served() as (settings, services):
        found = filled(corpus, settings)
    assert abstracts(corpus) == {
        "W1": "Background: We train. Aim: Read.",
        "W2": "By its PMCID.",
        "W3": "By its DOI.",
        "W4": None,
        "W5": "From arXiv.",
        "W6": "By arXiv.",
        "W7": None,
        "W8": "An abstract.",
        "W9": None,
    }
    assert included(corpus) == {"W1", "W2", "W3", "W5", "W6", "W8"}
    assert (found.asked, found.came_in) == (6, 5)
    assert found.found == {"Europe PMC": 3, "arXiv": 2}
    assert len(services.requests) == 2  # one question a source
    rows = corpus.table("SELECT * FROM sought WHERE found = 0").to_pylist()
    assert {(row["work_id"], row["origin"], row["reason"]) for row in rows} == {
        ("W4", "Europe PMC", "another title there"),
        ("W5", "Europe PMC", "no abstract there"),
    }


def test_no_source_is_asked_twice_but_with_again(tmp_path: Path) -> None:
    corpus = lacking(tmp_path)
    with served([]) as (settings, services):
        filled(corpus, settings)
        n_asked = len(services.requests)
        assert filled(corpus, settings).asked == 0
        assert len(services.requests) == n_asked
    assert unasked(corpus) == 0
    with served() as (settings, services):
        assert filled(corpus, settings, again=True).came_in == 5


def test_a_limit_is_kept(tmp_path: Path) -> None:
    corpus = lacking(tmp_path)
    with served() as (settings, _):
        assert filled(corpus, settings, limit=1).found == {"Europe PMC": 1, "arXiv": 1}
        assert filled(corpus, settings).found == {"Europe PMC": 2, "arXiv": 1}


def test_a_newer_record_without_abstract_does_not_lose_it(tmp_path: Path) -> None:
    corpus = lacking(tmp_path)
    with served() as (settings, _):
        filled(corpus, settings)
    newer = work("W1", abstract=None, title="Corrected", fetched_at=NOW + timedelta(9))
    corpus.append(Work, [newer], name="zz")
    protocol = load(corpus.path / "protocol.toml")
    with corpus.journal() as journal:  # as `cats mine --update` screens it
        journal.screen("protocol", [("W1", *screen(newer, protocol))], now=NOW)
    assert "W1" not in included(corpus)
    assert renew(corpus, protocol, clock=lambda: NOW) == 1
    (row,) = (each for each in corpus.works() if each.id == "W1")
    assert (row.title, row.abstract) == ("Corrected", "Background: We train. Aim: Read.")
    assert "W1" in included(corpus)
    corpus.append(Work, [work("W1", abstract="Its own.", fetched_at=NOW + timedelta(10))], name="z")
    assert abstracts(corpus)["W1"] == "Its own."


def test_a_kill_before_the_journal_loses_neither_abstract_nor_source(tmp_path: Path) -> None:
    corpus = lacking(tmp_path)
    name = "abstracts-europepmc-20261101T120000000000-abcdef-000000"
    corpus.append(Work, [work("W1", title=TITLE, abstract="Filled.")], name=name)
    with served([]) as (settings, _):
        filled(corpus, settings)
    assert "W1" in included(corpus)
    rows = corpus.table("SELECT * FROM sought WHERE work_id = 'W1'").to_pylist()
    assert [(row["origin"], row["found"]) for row in rows] == [("Europe PMC", 1)]


def test_a_name_that_spoils_a_question_is_found_and_the_rest_filled(tmp_path: Path) -> None:
    corpus = lacking(tmp_path)
    with served(poison="10.1000/c") as (settings, _):
        found = filled(corpus, settings)
    assert found.found == {"Europe PMC": 2, "arXiv": 2}
    (row,) = corpus.table("SELECT * FROM sought WHERE work_id = 'W3'").to_pylist()
    assert row["reason"].startswith("refused: HTTP 400")


def test_a_source_that_refuses_all_is_an_error_not_a_result(tmp_path: Path) -> None:
    corpus = lacking(tmp_path)
    with served(poison="core") as (settings, _), pytest.raises(InputError, match="HTTP 400"):
        filled(corpus, settings)
    with served(poison=None) as (settings, _), pytest.raises(InputError, match="not known"):
        wrong = Settings(europepmc_url=settings.europepmc_url + "/v9", tries=2)
        filled(corpus, wrong)
    assert corpus.table("SELECT * FROM sought").num_rows == 0


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">
<!ENTITY c SYSTEM "file:///etc/passwd">]><feed xmlns="http://www.w3.org/2005/Atom"><entry>
<id>http://arxiv.org/abs/2101.00005</id><title>&b;</title><summary>&c;</summary></entry></feed>"""


@pytest.mark.parametrize(
    "body",
    [LAUGHS, LAUGHS.decode().replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16")],
)
def test_entities_are_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(InputError, match="document type"):
        SOURCES[1].read(body)
    corpus = lacking(tmp_path)
    with served(feed=body) as (settings, _), pytest.raises(InputError, match="document type"):
        filled(corpus, settings)
    assert abstracts(corpus)["W1"] is not None  # what came before is kept


@given(st.sampled_from(SOURCES), st.binary() | st.text().map(str.encode))
def test_any_body_is_answers_or_an_input_error(source: Any, body: bytes) -> None:
    try:
        assert isinstance(source.read(body), dict)
    except InputError as e:
        assert "answer" in str(e)


def test_coverage_and_account_say_what_was_filled(tmp_path: Path) -> None:
    works = [*LACKING, work("W10", year=2021, publisher="Elsevier", abstract=None)]
    corpus = lacking(tmp_path, works)
    with served() as (settings, _):
        filled(corpus, settings)
    with corpus.connect() as db:
        frame, found = coverage(db), account(db)
    rows = {(row["by"], row["group"]): row for row in frame.to_dict(orient="records")}
    of_2020 = rows["year", "2020"]
    assert (of_2020["n"], of_2020["with_abstract"], of_2020["filled"]) == (8, 6, 5)
    assert of_2020["filled_from"] == "Europe PMC: 3, arXiv: 2"
    assert of_2020["share"] == 6 / 8
    assert 0.40 < of_2020["low"] < 0.41  # Wilson for 6 of 8: 0.4093 to 0.9285
    assert 0.92 < of_2020["high"] < 0.93
    assert (rows["publisher", "Elsevier"]["n"], rows["publisher", "Elsevier"]["share"]) == (1, 0)
    assert ("year", "1990") not in rows
    assert list(frame["by"]) == ["year"] * 2 + ["publisher"] * 2
    assert found.filled == {"Europe PMC": 3, "arXiv": 2}
    assert found.no_abstract == 3


def test_kill_while_filling_loses_nothing(tmp_path: Path) -> None:
    works = [
        work(f"W{n}", abstract=None, title=f"{TITLE} number {n}", links=(f"pmid:{n}",))
        for n in range(1, 401)
    ]
    papers = [
        Paper(title=f"{TITLE} number {n}", pmid=str(n), abstract=f"Text {n}.")
        for n in range(1, 401)
    ]
    corpus = lacking(tmp_path, works)
    command = [sys.executable, "-m", "cats", "abstracts", "-C", str(tmp_path), "--json"]
    with serve_abstracts(papers) as (url, services):
        environment = os.environ | {"CATS_EUROPEPMC_URL": url, "CATS_ARXIV_URL": url}
        child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while len(services.requests) < 8:  # in the second hundred
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        before = len(services.requests)
        subprocess.run(command, env=environment, check=True, capture_output=True)
        assert before < 20
        assert len(services.requests) <= 20 + 5  # the hundred in hand at most again
        again = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert '"asked": 0' in again.stdout
    assert all(text == f"Text {id[1:]}." for id, text in abstracts(corpus).items())
    assert len(included(corpus)) == 400
    assert corpus.table("SELECT * FROM sought WHERE found = 1").num_rows == 400


def test_mine_says_how_many_abstracts_are_missing(tmp_path: Path) -> None:
    survey(tmp_path / "s")
    path = tmp_path / "works.jsonl"
    path.write_text('{"id": "W1", "title": "A", "doi": "10.1000/a", "publication_year": 2020}\n')
    command = [sys.executable, "-m", "cats", "mine", "-C", str(tmp_path / "s"), "--from", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "1 works lack only an abstract; `cats abstracts`" in done.stderr
