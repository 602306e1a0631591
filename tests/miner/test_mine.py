import gzip
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from builders import NOW, PROTOCOL, survey
from hypothesis import given
from hypothesis import strategies as st

import data.protocol
import miner.replay
import miner.slices
from data.corpus import Corpus
from data.errors import InputError, NetworkError, StoppedError
from data.journal import Checkpoint
from data.protocol import load
from data.readers import reading_pool
from data.settings import Settings
from miner.files import mine_file, read_records
from miner.mine import Miner, mine
from miner.pace import Pace
from miner.pages import Pages
from miner.parts import Mined, Part
from miner.replay import Library, serve

N_WORKS = 730  # eight pages


def records(n: int = N_WORKS) -> list[dict[str, Any]]:
    return [
        {
            "id": f"https://openalex.org/W{number}",
            "title": f"Paper {number}",
            "publication_year": 2015 + number % 10,
            "publication_date": f"{2015 + number % 10}-{1 + number % 12:02d}-01",
            "type": "article",
            "language": "en",
            "topics": [{"id": "https://openalex.org/T1"}],
            "abstract_inverted_index": {"Text": [0]} if number % 7 else None,
        }
        for number in range(1, n + 1)
    ]


def mined(corpus: Corpus, url: str, **options: Any) -> Mined:
    settings = Settings(openalex_url=url, tries=2, read_timeout_s=5)
    with Pages(settings, sleep=lambda s: None, rng=random.Random(1)) as pages:
        return mine(
            corpus,
            load(corpus.path / "protocol.toml"),
            pages,
            server="replay",
            clock=lambda: NOW,
            **options,
        )


def ids(corpus: Corpus) -> list[str]:
    return [work.id for work in corpus.works()]


def test_every_work_is_mined_once_with_raw_pages_and_hits(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    seen: list[tuple[int, int | None]] = []
    with serve(records()) as (url, _):
        result = mined(corpus, url, progress=lambda *args: seen.append(args))
    assert len(ids(corpus)) == len(set(ids(corpus))) == N_WORKS
    assert result == Mined(N_WORKS, N_WORKS // 7, 0, N_WORKS)
    assert seen[-1] == (N_WORKS, N_WORKS)
    lines = [
        json.loads(line)
        for path in (tmp_path / "raw").iterdir()
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert sum(len(page["results"]) for page in lines) == N_WORKS
    with corpus.journal() as journal:
        assert journal.table("hits").num_rows == N_WORKS
        left = journal.table("screened").to_pylist()
    assert {row["reason"] for row in left if not row["included"]} == {"no abstract"}


def test_a_stopped_run_continues_where_it_was(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    with serve(records(), faults=["429-budget"]) as (url, first), pytest.raises(NetworkError):
        mined(corpus, url, workers=1)
    assert len(ids(corpus)) == 100
    with serve(records()) as (url, second):
        mined(corpus, url)
    assert len(ids(corpus)) == N_WORKS
    assert len(first.requests) + len(second.requests) == 3 + 7  # one was refused


def test_where_cursors_need_a_key_pages_are_asked_by_number(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    with serve(records(), faults=["no-cursor"]) as (url, library):
        result = mined(corpus, url)
    assert result.works == len(set(ids(corpus))) == rows_of(corpus) == N_WORKS
    assert any("page=2" in request.path for request in library.requests)


def test_conference_papers_are_asked_for_by_their_own_type(tmp_path: Path) -> None:
    default = Path(data.protocol.__file__).parent / "facts" / "protocol.toml"
    corpus = Corpus.create(tmp_path / "s", protocol=default.read_text())
    topics = [{"id": "https://openalex.org/T12422"}]
    types = ["article", "conference-paper"]
    works = [work | {"topics": topics, "type": types[n % 2]} for n, work in enumerate(records(50))]
    with serve(works) as (url, _):
        mined(corpus, url)
    assert {work.type for work in corpus.works()} == set(types)


def many(n: int) -> list[dict[str, Any]]:
    """Works spread over the days of 2015 to 2024."""
    first = date(2015, 1, 1)
    days = [first + timedelta(days=(number * 7919) % 3650) for number in range(n)]
    return [
        {
            "id": f"https://openalex.org/W{number}",
            "title": f"Paper {number}",
            "publication_year": day.year,
            "publication_date": day.isoformat(),
            "type": "article",
            "language": "en",
            "topics": [{"id": "https://openalex.org/T1"}],
            "abstract_inverted_index": {"Text": [0]},
        }
        for number, day in enumerate(days)
    ]


def rows_of(corpus: Corpus) -> int:
    with corpus.connect() as db:
        ((rows,),) = db.sql("SELECT count(*) FROM all_works").fetchall()
    return int(rows)


def test_slices_side_by_side_bring_every_work_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(miner.slices, "_LEAST", 100)
    corpus = survey(tmp_path)
    with serve(many(3000)) as (url, library):
        result = mined(corpus, url)
    assert result == Mined(3000, 0, 0, 3000)
    assert len(set(ids(corpus))) == rows_of(corpus) == 3000
    with corpus.journal() as journal:
        (run,) = journal.table("runs")["id"].to_pylist()
        planned = journal.checkpoints(run)
    assert len(planned) >= 10
    assert sum(at.works for at in planned) == 3000
    # One call for the plan, none for an empty last page.
    assert len(library.requests) == 1 + sum(at.pages for at in planned)


def test_a_storm_of_faults_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(miner.slices, "_LEAST", 100)
    corpus = survey(tmp_path)
    with serve(many(6000), faults=["storm"]) as (url, library):
        settings = Settings(openalex_url=url, tries=8, read_timeout_s=1.0)
        with Pages(settings, sleep=lambda s: None, rng=random.Random(1)) as pages:
            protocol = load(corpus.path / "protocol.toml")
            mine(corpus, protocol, pages, server="replay", clock=lambda: NOW)
    assert len(library.requests) > 75, "no fault struck"
    assert len(set(ids(corpus))) == rows_of(corpus) == 6000


def test_a_fault_of_one_slice_stops_the_run_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(miner.slices, "_LEAST", 100)
    corpus = survey(tmp_path)
    pace = Pace(budget=0.0011)
    with serve(many(3000)) as (url, _):
        settings = Settings(openalex_url=url)
        options: dict[str, Any] = {"server": "replay", "clock": lambda: NOW}
        protocol = load(corpus.path / "protocol.toml")
        with Pages(settings, pace=pace) as pages, pytest.raises(NetworkError, match="budget"):
            mine(corpus, protocol, pages, **options)
        assert 0 < len(ids(corpus)) <= 1000
        with Pages(settings) as pages:
            mine(corpus, protocol, pages, **options)
    assert len(set(ids(corpus))) == rows_of(corpus) == 3000


def test_a_bad_record_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    with serve(records(), faults=["bad-record"]) as (url, _):
        result = mined(corpus, url)
    assert (result.works, result.rejects) == (N_WORKS - 8, 8)
    lines = [
        json.loads(line)
        for path in (tmp_path / "rejects").iterdir()
        for line in path.read_text().splitlines()
    ]
    assert len(lines) == 8
    assert "got `str` - at `$.publication_year`" in lines[0]["reason"]
    assert lines[0]["record"]["id"].startswith("https://openalex.org/W")


@pytest.mark.parametrize("kill_after_s", [0.9, 1.3, 1.7])
def test_kill_while_mining_loses_and_doubles_nothing(tmp_path: Path, kill_after_s: float) -> None:
    corpus = survey(tmp_path)
    command = [sys.executable, "-m", "cats", "mine", "-C", str(tmp_path)]
    with serve(records(), faults=["slow"]) as (url, library):
        environment = os.environ | {"CATS_OPENALEX_URL": url}
        child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while not library.requests:  # only count time from the first request on
            time.sleep(0.01)
        time.sleep(kill_after_s - 0.8)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        before = len(ids(corpus))
        assert before < N_WORKS
        subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    assert len(ids(corpus)) == N_WORKS
    with corpus.connect() as db:
        ((rows,),) = db.sql("SELECT count(*) FROM all_works").fetchall()
    assert rows == N_WORKS  # the part in hand was written again under its own name


def test_the_key_is_stored_nowhere(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    with serve(records(50)) as (url, library):
        environment = os.environ | {"CATS_OPENALEX_URL": url, "OPENALEX_API_KEY": "sesame"}
        command = [sys.executable, "-m", "cats", "mine", "-C", str(corpus.path)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert all(request.has_key for request in library.requests)
    assert "sesame" not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"sesame" not in path.read_bytes()


# --- files ------------------------------------------------------------------------------------


def file_mined(corpus: Corpus, path: Path, *, days: int = 0) -> Mined:
    protocol = load(corpus.path / "protocol.toml")
    return mine_file(corpus, protocol, path, clock=lambda: NOW + timedelta(days))


def jsonl(values: list[Any]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


FORMS = {
    "lines": jsonl(records(5)),
    "lines without end": jsonl(records(5)).rstrip(),
    "list": json.dumps(records(5)),
    "pretty list": json.dumps(records(5), indent=2),
    "page": json.dumps({"meta": {}, "results": records(5)}),
    "pages as lines": jsonl([{"results": records(5)[:2]}, {"results": records(5)[2:]}]),
    "blank lines": "\n\n" + jsonl(records(5)) + "\n",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_form_of_a_file_is_read(tmp_path: Path, form: str, packed: bool) -> None:
    corpus, path = survey(tmp_path / "s"), tmp_path / "works.json"
    body = FORMS[form].encode()
    path.write_bytes(gzip.compress(body) if packed else body)
    assert file_mined(corpus, path).works == 5
    assert ids(corpus) == ["W1", "W2", "W3", "W4", "W5"]


def test_the_same_file_twice_leaves_what_once_leaves(tmp_path: Path) -> None:
    corpus, path = survey(tmp_path / "s"), tmp_path / "works.jsonl"
    path.write_text(jsonl(records(9)))
    for days in (0, 1):
        file_mined(corpus, path, days=days)
    assert len(list((corpus.path / "works").iterdir())) == 1
    assert len(ids(corpus)) == 9


def test_bad_lines_are_kept_with_their_place(tmp_path: Path) -> None:
    corpus, path = survey(tmp_path / "s"), tmp_path / "works.jsonl"
    path.write_text(jsonl(records(2)) + '{"id": \n' + jsonl([{"id": "X"}, 7]))
    assert file_mined(corpus, path) == Mined(2, 0, 3, None)
    (rejects,) = (corpus.path / "rejects").iterdir()
    places = [json.loads(line)["at"] for line in rejects.read_text().splitlines()]
    assert places == ["line 3", "line 4", "line 5"]


def test_what_a_broken_gz_holds_is_kept(tmp_path: Path) -> None:
    corpus, path = survey(tmp_path / "s"), tmp_path / "works.jsonl.gz"
    rng = random.Random(1)
    noisy = [{**r, "title": str(rng.random())} for r in records(3000)]
    packed = gzip.compress(jsonl(noisy).encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"damaged after \d+ records"):
        file_mined(corpus, path)
    assert 500 < len(ids(corpus)) < 3000


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"", "no works"), (b"\n \n", "no works"), (b"\xff\xfe{", "not UTF-8"), (b"[]", "no works")],
)
def test_a_file_without_works_says_so(tmp_path: Path, body: bytes, said: str) -> None:
    path = tmp_path / "works.jsonl"
    path.write_bytes(body)
    with pytest.raises(InputError, match=said):
        file_mined(survey(tmp_path / "s"), path)
    with pytest.raises(InputError, match="cannot be read"):
        file_mined(Corpus(tmp_path / "s"), tmp_path / "none")


@given(st.lists(st.dictionaries(st.text(), st.none() | st.integers() | st.text()), min_size=2))
def test_lines_of_json_come_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("h") / "f.jsonl"
    path.write_text(jsonl([{"n": n, **value} for n, value in enumerate(values)]))
    found: Iterator[Any] = (value for _, value in read_records(path))
    assert [set(value) - {"n"} for value in found] == [set(v) - {"n"} for v in values]


def test_real_works_can_be_mined(tmp_path: Path, shared: Path) -> None:
    corpus = Corpus.create(tmp_path / "s", protocol=PROTOCOL)
    assert file_mined(corpus, shared / "corpus" / "works.jsonl.gz").rejects == 0


def test_other_processes_leave_the_same_rows(tmp_path: Path) -> None:
    alone, together = survey(tmp_path / "1"), survey(tmp_path / "2")
    with serve(records()) as (url, _):
        assert mined(alone, url, readers=0) == mined(together, url, readers=2)
    assert list(alone.works()) == list(together.works())


@pytest.mark.parametrize("fault", ["truncated", "timed-out", "not-json"])
def test_a_page_that_is_not_whole_is_in_no_part(tmp_path: Path, fault: str) -> None:
    corpus = survey(tmp_path)
    with serve(records(), faults=[fault]) as (url, library):
        # One after the other, or the second try of one page could be a third request again.
        assert mined(corpus, url, workers=1, readers=1).works == N_WORKS
    assert len(library.requests) > 1 + 8
    assert rows_of(corpus) == N_WORKS


@pytest.mark.parametrize(("faults", "place"), [([], "&cursor="), (["no-cursor"], "&page=")])
def test_pages_that_a_kill_left_without_their_part_are_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: list[str], place: str
) -> None:
    corpus = survey(tmp_path)
    with serve(records(), faults=faults) as (url, library):
        with monkeypatch.context() as patch:
            patch.setattr(Part, "take", lambda part: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                mined(corpus, url, workers=1)
        assert ids(corpus) == []
        n_before = len(library.requests)
        mined(corpus, url, workers=1)
    pages = [request.path for request in library.requests if place in request.path]
    assert len(pages) == len(set(pages)) == 8
    assert any(place in request.path for request in library.requests[:n_before])
    assert len(ids(corpus)) == rows_of(corpus) == N_WORKS


def test_a_slice_that_ends_early_is_asked_for_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = survey(tmp_path)
    listing, ended = miner.replay._listing, []

    def short(library: Library, params: Mapping[str, str]) -> dict[str, Any]:
        answer = listing(library, params)
        if answer["results"] and params.get("cursor") != "*" and not ended:
            ended.append(params)
            answer["results"] = []
        return answer

    monkeypatch.setattr(miner.replay, "_listing", short)
    with serve(records()) as (url, _):
        mined(corpus, url, workers=1)
    assert ended
    assert len(ids(corpus)) == rows_of(corpus) == N_WORKS


def test_readers_do_not_run_the_script_that_asks_for_them(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from data.readers import reading_pool\n"
        "print('begun')\n"
        "with reading_pool(2) as pool:\n"
        "    print(pool.submit(len, 'four').result())\n"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("begun\n4\n", 0), ran.stderr


def test_readers_end_when_the_run_is_killed(tmp_path: Path) -> None:
    survey(tmp_path / "s")
    script = (
        "import sys, time, multiprocessing\n"
        "from data.readers import reading_pool\n"
        "if __name__ == '__main__':\n"
        "    with reading_pool(2) as pool:\n"
        "        list(pool.map(abs, [1, 2]))\n"
        "        print(*(p.pid for p in multiprocessing.active_children()), flush=True)\n"
        "        time.sleep(60)\n"
    )
    path = tmp_path / "run.py"
    path.write_text(script)
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        children = [int(pid) for pid in run.stdout.readline().split()]
        assert children
        run.kill()
    end = time.monotonic() + 20
    while any(is_alive(pid) for pid in children):
        assert time.monotonic() < end, "a reading process outlived its run"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except OSError:
        return False
    return state != "Z"


def test_an_ended_reader_stops_the_run_resumably(tmp_path: Path) -> None:
    with reading_pool(1) as pool:
        assert pool is not None
        pool.submit(abs, 1).result()
        (pid,) = (child.pid for child in multiprocessing.active_children())
        os.kill(pid or 0, signal.SIGKILL)
        corpus = survey(tmp_path)
        with serve(records()) as (url, _), Pages(Settings(openalex_url=url)) as pages:
            protocol = load(corpus.path / "protocol.toml")
            with corpus.journal() as journal:
                miner = Miner(
                    corpus, protocol, pages, journal, lambda: NOW, lambda works, expected: None, []
                )
                miner._readers = pool
                at = Checkpoint("r", "search", "2015-01-01..2024-12-31", "*", 0, 0, None)
                with pytest.raises(StoppedError, match="the same command continues"):
                    miner.take(0, at)
    assert ids(corpus) == []


def test_an_unsorted_question_loses_works_where_the_miner_does_not(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    with serve(records(), faults=["reorder"]) as (url, _):
        params = {"filter": "topics.id:T1", "per-page": "100"}
        found, cursor = set[str](), "*"
        while cursor:
            page = requests.get(
                f"{url}/works", params=params | {"cursor": cursor}, timeout=5
            ).json()
            found |= {record["id"] for record in page["results"]}
            cursor = page["meta"]["next_cursor"]
        mined(corpus, url)
    assert len(found) < N_WORKS
    assert len(ids(corpus)) == N_WORKS
