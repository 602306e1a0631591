import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, survey

from data.account import account
from data.corpus import Corpus
from data.errors import InputError, NetworkError
from data.protocol import load
from data.settings import Settings
from miner.lists import Listed, mine_list
from miner.pages import Pages
from miner.references import kind_of
from miner.replay import serve


def record(number: int, **fields: Any) -> dict[str, Any]:
    plain = {
        "id": f"https://openalex.org/W{number}",
        "doi": f"https://doi.org/10.1000/w{number}",
        "title": f"A paper about the transfer of things number {number}",
        "publication_year": 2020,
        "publication_date": "2020-03-01",
        "type": "article",
        "language": "en",
        "topics": [{"id": "https://openalex.org/T1"}],
        "abstract_inverted_index": {"Text": [0]},
    }
    return plain | fields


WORKS = [
    *(record(number) for number in range(1, 4)),
    record(4, doi=None, ids={"pmid": "https://pubmed.ncbi.nlm.nih.gov/444"}),
    record(5, doi="https://doi.org/10.48550/arxiv.2101.00005"),
    record(6, abstract_inverted_index=None),
]
LIST = """TY  - JOUR
DO  - 10.1000/w1
ER  -
TY  - JOUR
DO  - https://doi.org/10.1000/W1
ER  -
TY  - JOUR
DO  - 10.1000/wrong
UR  - https://pubmed.ncbi.nlm.nih.gov/444/
ER  -
TY  - JOUR
UR  - https://arxiv.org/pdf/2101.00005v2
ER  -
TY  - JOUR
TI  - Known to nobody
AU  - Lee, A.
PY  - 2019
DO  - 10.1000/nobody
AB  - Its own abstract.
ER  -
TY  - JOUR
TI  - Without any name
PY  - 2018
ER  -
TY  - JOUR
DO  - 10.1000/w6
TI  - A paper about the transfer of things, number 6
AB  - The list has it.
ER  -
TY  - JOUR
PY  - 2018
ER  -
"""


def listed(corpus: Corpus, url: str, path: Path, *, days: int = 0, **options: Any) -> Listed:
    kind = kind_of(path)
    assert kind is not None
    with Pages(Settings(openalex_url=url, tries=2), sleep=lambda s: None) as pages:
        return mine_list(
            corpus,
            load(corpus.path / "protocol.toml"),
            path,
            kind,
            pages=pages,
            server="replay",
            clock=lambda: NOW + timedelta(days),
            **options,
        )


def reported(found: Listed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.report.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "refs.ris"
    path.write_text(LIST)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return survey(tmp_path / "s")


def test_references_become_works_and_what_is_unknown_is_kept_and_reported(
    corpus: Corpus, path: Path
) -> None:
    with serve(WORKS) as (url, _):
        found = listed(corpus, url, path)
    works = {work.id: work for work in corpus.works()}
    local = [id for id in works if id.startswith("local:")]
    assert set(works) - set(local) == {"W1", "W4", "W5", "W6"}
    assert works["W6"].abstract == "The list has it."
    assert {works[id].title for id in local} == {"Known to nobody", "Without any name"}
    (nobody,) = (works[id] for id in local if works[id].doi)
    assert (nobody.doi, nobody.year, nobody.authors) == ("10.1000/nobody", 2019, ("Lee, A.",))
    assert nobody.abstract == "Its own abstract."
    assert (found.mined.works, found.mined.rejects, found.unresolved) == (6, 1, 2)
    first, second = reported(found)
    assert (first["reference"], first["at"], first["work"]) == (5, "line 14", nobody.id)
    assert first["reason"] == "OpenAlex does not know doi:10.1000/nobody"
    assert second["reason"] == "it has no DOI, PMID or arXiv id"
    screened = corpus.table("SELECT * FROM screened WHERE included = 0").to_pylist()
    assert [row["reason"] for row in screened] == ["no abstract"]
    sought = corpus.table("SELECT work_id, origin, found FROM sought").to_pylist()
    assert {(row["work_id"], row["origin"], row["found"]) for row in sought} == {
        ("W6", "list refs.ris", 1),
        (nobody.id, "list refs.ris", 1),
    }


def test_two_references_to_one_work_are_duplicates_in_the_account(
    corpus: Corpus, path: Path
) -> None:
    with serve(WORKS) as (url, _):
        listed(corpus, url, path)
        listed(corpus, url, path, again=True, days=1)
    with corpus.connect() as db:
        found = account(db)
    assert found.lists == {"list refs.ris": 7}
    assert found.identified == {}
    assert (found.duplicates, found.screened) == (1, 6)


def test_the_same_file_again_asks_nothing(corpus: Corpus, path: Path) -> None:
    with serve(WORKS) as (url, library):
        listed(corpus, url, path)
        asked = len(library.requests)
        # W1 twice, a wrong DOI and a PMID, an arXiv id, one unknown, W6: all free look-ups.
        assert asked == 7
        assert all(request.path.startswith("/works/") for request in library.requests)
        again = listed(corpus, url, path)
        assert len(library.requests) == asked
    assert (again.taken_at, again.unresolved) == (NOW, 2)


def test_a_reference_that_resolves_later_is_not_counted_twice(corpus: Corpus, path: Path) -> None:
    nobody = record(9, doi="https://doi.org/10.1000/nobody")
    with serve(WORKS) as (url, _):
        listed(corpus, url, path)
    with serve([*WORKS, nobody]) as (url, _):
        later = listed(corpus, url, path, again=True, days=1)
    included = {row["id"] for row in corpus.table("SELECT id FROM included").to_pylist()}
    assert included == {"W1", "W4", "W5", "W6", "W9"}
    assert [line["title"] for line in reported(later)] == ["Without any name"]
    with corpus.connect() as db:
        found = account(db)
    assert (found.lists, found.duplicates, found.screened) == ({"list refs.ris": 7}, 1, 6)
    with serve(WORKS) as (url, _):
        listed(corpus, url, path, again=True, days=2)
    included = {row["id"] for row in corpus.table("SELECT id FROM included").to_pylist()}
    assert len([id for id in included if id.startswith("local:")]) == 1


def test_an_odd_name_is_unresolved_but_a_wrong_key_stops(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "dois.csv"
    path.write_text("doi\n10.1000/w1\n10.1000/bad\n")
    bad = record(8, doi="https://doi.org/10.1000/bad", publication_year="soon")
    with serve([*WORKS, bad]) as (url, _):
        found = listed(corpus, url, path)
    assert "cannot be read" in reported(found)[0]["reason"]
    with serve(WORKS, faults=["401"]) as (url, _), pytest.raises(InputError, match="API_KEY"):
        listed(corpus, url, path, again=True)


def test_a_storm_of_faults_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dois.csv"
    path.write_text("doi\n" + "".join(f"10.1000/w{n}\n" for n in range(1, 121)))
    works, seen = [record(n) for n in range(1, 100)], []
    corpus = survey(tmp_path / "s")
    with (
        serve(works, faults=["503", "reset"]) as (url, _),
        Pages(
            Settings(openalex_url=url, tries=9), sleep=lambda s: None, rng=random.Random(1)
        ) as pages,
    ):
        found = mine_list(
            corpus,
            load(corpus.path / "protocol.toml"),
            path,
            "csv",
            pages=pages,
            server="replay",
            clock=lambda: NOW,
            progress=lambda *args: seen.append(args),
        )
    assert (found.mined.works, found.unresolved, seen[-1]) == (120, 21, (120, 120))
    assert len({work.id for work in corpus.works()}) == 120


def test_a_stopped_list_continues(tmp_path: Path) -> None:
    path = tmp_path / "dois.csv"
    path.write_text("doi\n" + "".join(f"10.1000/w{n}\n" for n in range(1, 101)))
    works = [record(n) for n in range(1, 101)]
    corpus = survey(tmp_path / "s")
    with serve(works, faults=["429-budget"]) as (url, _), pytest.raises(NetworkError):
        listed(corpus, url, path)
    with serve(works) as (url, library):
        assert listed(corpus, url, path).mined.works == 100
        assert len(library.requests) == 100


@pytest.mark.parametrize("kill_after_s", [0.3, 1.5, 2.9])
def test_kill_while_looking_up_loses_and_doubles_nothing(
    tmp_path: Path, kill_after_s: float
) -> None:
    path = tmp_path / "dois.csv"
    path.write_text("doi\n" + "".join(f"10.1000/w{n}\n" for n in range(1, 151)))
    works = [record(n) for n in range(1, 149)]
    corpus = survey(tmp_path / "s")
    command = [sys.executable, "-m", "cats", "mine", "-C", str(corpus.path), "--from", str(path)]
    with serve(works, faults=["slow"]) as (url, library):
        environment = os.environ | {"CATS_OPENALEX_URL": url}
        child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while not library.requests:
            time.sleep(0.01)
        time.sleep(kill_after_s)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        before = len(library.requests)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 4, done.stderr
        assert "unresolved/dois.csv-" in done.stderr
        # At most the batch in hand is asked for again.
        assert len(library.requests) - before <= 150 - (before // 48 - 1) * 48
    assert len({work.id for work in corpus.works()}) == 150
    with corpus.connect() as db:
        ((rows,),) = db.sql("SELECT count(*) FROM all_works").fetchall()
    assert rows == 150
    (report,) = (corpus.path / "unresolved").iterdir()
    numbers = [json.loads(line)["reference"] for line in report.read_text().splitlines()]
    assert numbers == [149, 150]


def test_the_command_takes_a_list_and_says_where_the_rest_is(corpus: Corpus, path: Path) -> None:
    command = [sys.executable, "-m", "cats", "mine", "-C", str(corpus.path), "--from", str(path)]
    with serve(WORKS) as (url, _):
        environment = os.environ | {"CATS_OPENALEX_URL": url}
        first = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        again = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    assert first.returncode == 4
    assert "rejects" in first.stderr
    assert "2 more are unknown to OpenAlex" in first.stderr
    assert again.returncode == 0
    assert "--again looks them up anew" in again.stderr
