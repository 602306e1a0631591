import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, survey, work
from papers import open_work, pdf

from annotate.run import text_hash
from data.corpus import Corpus
from data.errors import InputError
from data.records import Passage, Work
from data.settings import Settings
from miner.fulltext import ORIGINS, Fetched, fetch_full_text
from miner.hosts import Hosts, RefusedError
from miner.replay_fulltext import FAULTS, Shelves, jats, latexml, serve_full_text, tei


def fetched(corpus: Corpus, url: str, **options: Any) -> Fetched:
    outside = Settings(
        europepmc_url=f"{url}/europepmc",
        arxiv_url=f"{url}/arxiv",
        content_url=f"{url}/content",
        openalex_key=options.pop("key", None),
        tries=options.pop("tries", 3),
        read_timeout_s=5,
    )
    budget, size_cap = options.pop("budget", None), options.pop("size_cap", 1_000_000)
    options = {"workers": 2} | options
    with Hosts(outside, sleep=lambda s: None, budget=budget, size_cap=size_cap) as hosts:
        return fetch_full_text(corpus, hosts, outside, clock=lambda: NOW, **options)


def sought(corpus: Corpus) -> dict[tuple[str, str], tuple[int, str]]:
    rows = corpus.table("SELECT * FROM sought").to_pylist()
    return {(row["work_id"], row["origin"]): (row["found"], row["reason"]) for row in rows}


def texts(corpus: Corpus) -> dict[str, list[Passage]]:
    return {
        found: [p for p in passages if p.section not in ("title", "abstract")]
        for found, passages in corpus.passages()
    }


def paths(shelves: Shelves) -> list[str]:
    return [path.partition("?")[0] for path, _ in shelves.requests]


@contextlib.contextmanager
def served(
    tmp_path: Path, works: Sequence[Work], **options: Any
) -> Iterator[tuple[Corpus, str, Shelves]]:
    with serve_full_text(works, **options) as (url, shelves):
        yield survey(tmp_path / "s", list(works)), url, shelves


def test_the_first_rung_that_has_a_text_gives_it(tmp_path: Path) -> None:
    with served(tmp_path, [open_work(1)]) as (corpus, url, shelves):
        counts = fetched(corpus, url)
    assert paths(shelves) == ["/europepmc/PMC1/fullTextXML"]
    assert counts.found == {"europepmc": 1}
    (passages,) = texts(corpus).values()
    assert [(p.section, p.text) for p in passages] == [
        ("caption", "Figure 1 Images of W1."),
        ("introduction", "Text of W1."),
        ("methods", "A ResNet-50 pretrained on ImageNet was fine-tuned."),
    ]
    assert {(p.origin, p.license) for p in passages} == {("europepmc", "cc-by")}
    assert sought(corpus) == {("W1", "europepmc"): (1, "read")}


def test_the_ladder_goes_down_and_notes_each_rung(tmp_path: Path) -> None:
    options: Any = {"without": ["europepmc", "arxiv"]}
    with served(tmp_path, [open_work(1)], **options) as (corpus, url, shelves):
        assert fetched(corpus, url, key="sesame", budget=1.0).found == {"openalex": 1}
    assert [has_key for _, has_key in shelves.requests] == [False, False, True]
    found = sought(corpus)
    assert [found["W1", origin][0] for origin in ("europepmc", "arxiv", "openalex")] == [0, 0, 1]
    assert "not known" in found["W1", "arxiv"][1]
    (passages,) = texts(corpus).values()
    assert {p.license for p in passages} == {"cc-by-nc"}  # of the record: this file states none


def test_without_a_key_openalex_is_not_asked(tmp_path: Path) -> None:
    options: Any = {"without": ["europepmc", "arxiv"]}
    with served(tmp_path, [open_work(1)], **options) as (corpus, url, shelves):
        assert fetched(corpus, url).found == {}
    assert not any(path.startswith("/content") for path in paths(shelves))


def test_a_pmid_or_doi_is_looked_up_first(tmp_path: Path) -> None:
    works = [
        open_work(1, links=("pmid:77",)),
        open_work(2, links=(), doi="10.1/x"),
        open_work(3, links=("pmid:78",)),
    ]
    pmcids = {"77": "PMC1", "10.1/x": "PMC2"}
    with served(tmp_path, works, pmcids=pmcids) as (corpus, url, shelves):
        shelves.europepmc = {"PMC1": works[0], "PMC2": works[1]}
        assert fetched(corpus, url).found == {"europepmc": 2}
    assert sought(corpus)["W3", "europepmc"] == (0, "no full text at Europe PMC")


def test_an_open_copy_is_read_if_it_is_a_pdf(tmp_path: Path) -> None:
    works = [open_work(1, links=(), oa_url="SERVER/content/works/a.pdf"), open_work(2, links=())]
    with serve_full_text(works) as (url, shelves):
        works[0] = open_work(1, links=(), oa_url=f"{url}/content/works/a.pdf")
        corpus = survey(tmp_path / "s", works)
        import miner.replay_fulltext as replay

        body = pdf([["1 Methods", "We used CheXpert."]])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(replay._Handler, "_body", lambda self, host, rest: body)
            assert fetched(corpus, url).found == {"copy": 1}
    assert [p.text for p in texts(corpus)["W1"]] == ["We used CheXpert."]
    assert len(shelves.requests) == 1  # W2 has nothing to ask by


def test_what_was_found_or_missed_is_not_asked_again(tmp_path: Path) -> None:
    works = [open_work(1), open_work(2, links=("arxiv:9999.99999",))]
    with served(tmp_path, works) as (corpus, url, shelves):
        shelves.arxiv = {}
        fetched(corpus, url)
        n_asked = len(shelves.requests)
        assert fetched(corpus, url).works == 0
        assert len(shelves.requests) == n_asked
        assert fetched(corpus, url, again=True).works == 1
        assert len(shelves.requests) == n_asked + 1


def test_a_new_link_is_asked_for(tmp_path: Path) -> None:
    with served(tmp_path, [open_work(1, links=("arxiv:1",))]) as (corpus, url, shelves):
        shelves.arxiv = {}
        fetched(corpus, url)
        corpus.append(Work, [open_work(1)], name="works_2")
        shelves.europepmc = {"PMC1": open_work(1)}
        assert fetched(corpus, url).found == {"europepmc": 1}


def test_limit_and_origin_narrow_a_run(tmp_path: Path) -> None:
    works = [open_work(number) for number in range(1, 6)]
    with served(tmp_path, works) as (corpus, url, _):
        assert fetched(corpus, url, limit=2, origins=["arxiv"]).found == {"arxiv": 2}
        assert fetched(corpus, url).found == {"europepmc": 3}
    assert {p.origin for p in texts(corpus)["W1"]} == {"arxiv"}


def test_excluded_works_are_not_looked_for(tmp_path: Path) -> None:
    with served(tmp_path, [open_work(1), open_work(2)]) as (corpus, url, _):
        with corpus.journal() as journal:
            journal.screen("title", [("W1", False, "off topic")], now=NOW)
        assert fetched(corpus, url).works == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("redirect", "no public address"),
        ("endless", "more than 0.1 MB"),
        ("entities", "declares entities"),
        ("external", "declares entities"),
        ("cut", "no well-formed XML"),
    ],
)
def test_a_bad_document_is_missed_with_its_reason(tmp_path: Path, fault: str, said: str) -> None:
    with served(tmp_path, [open_work(1, links=("pmcid:PMC1",))], faults=[fault]) as served_now:
        corpus, url, _ = served_now
        counts = fetched(corpus, url, size_cap=100_000)
    assert (counts.works, counts.found.total(), counts.unreached) == (1, 0, 0)
    assert said in sought(corpus)["W1", "europepmc"][1]
    assert list((corpus.path / "raw" / "fulltext").iterdir()) == []
    assert texts(corpus) == {"W1": []}


@pytest.mark.parametrize("fault", ["429", "slow"])
def test_what_passes_is_waited_for(tmp_path: Path, fault: str) -> None:
    works = [open_work(number) for number in range(1, 4)]
    with served(tmp_path, works, faults=[fault]) as (corpus, url, _):
        assert fetched(corpus, url, tries=8).found == {"europepmc": 3}


def test_a_server_that_is_down_is_let_be_and_asked_next_time(tmp_path: Path) -> None:
    works = [open_work(number) for number in range(1, 21)]
    with served(tmp_path, works, faults=["down"]) as (corpus, url, shelves):
        counts = fetched(corpus, url, key="sesame", budget=1.0)
        assert counts.unreached == 20
        assert len(shelves.requests) < 60
        assert not any(path.startswith("/content") for path in paths(shelves))
        assert sought(corpus) == {}
        shelves.faults = frozenset()
        assert fetched(corpus, url).found == {"europepmc": 20}


def test_a_refused_key_ends_the_run_and_keeps_what_was_found(tmp_path: Path) -> None:
    works = [open_work(1), open_work(2, links=())]
    with (
        served(tmp_path, works, faults=["refused"]) as (corpus, url, _),
        pytest.raises(RefusedError),
    ):
        fetched(corpus, url, key="sesame", budget=1.0, workers=1)
    assert ("W2", "openalex") not in sought(corpus)
    assert len(texts(corpus)["W1"]) == 3


def test_the_budget_holds(tmp_path: Path) -> None:
    works = [open_work(number, links=()) for number in range(1, 6)]
    with served(tmp_path, works) as (corpus, url, shelves):
        counts = fetched(corpus, url, key="sesame", budget=0.02, workers=1)
    assert counts.found == {"openalex": 2}
    assert counts.unreached == 3
    assert len(shelves.requests) == 2
    assert counts.why is not None
    assert "--budget" in counts.why


def test_every_fault_has_a_test() -> None:
    assert set(FAULTS) == {
        *("redirect", "endless", "entities", "external", "cut", "429", "slow", "down", "refused")
    }


@pytest.mark.parametrize("made", [jats, tei, latexml])
def test_what_the_replay_serves_is_a_paper(made: Any) -> None:
    from miner.formats import read_document

    document = read_document(made(open_work(1)))
    assert document.title == open_work(1).title
    assert ("introduction", "Text of W1.") in [(p.section, p.text) for p in document.pieces]


def test_a_later_fetch_replaces_all_earlier_passages(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1"), work("W2")])

    def part(name: str, work_id: str, *found: str) -> None:
        passages = [
            Passage(work_id=work_id, section="methods", order=n, text=text, origin=name)
            for n, text in enumerate(found)
        ]
        corpus.append(Passage, passages, name=name)

    part("fulltext-1-000000", "W1", "a", "b", "c")
    part("fulltext-1-000001", "W2", "x", "y")
    part("fulltext-2-000000", "W1", "d")
    held = {found: [p.text for p in passages] for found, passages in texts(corpus).items()}
    assert held == {"W1": ["d"], "W2": ["x", "y"]}


def test_a_text_that_arrives_changes_what_the_annotator_has_seen(tmp_path: Path) -> None:
    with served(tmp_path, [open_work(1)]) as (corpus, url, _):
        ((_, before),) = corpus.passages()
        fetched(corpus, url)
        ((_, after),) = corpus.passages()
    assert text_hash(before) != text_hash(after)


def test_a_works_own_abstract_stands_before_the_documents(tmp_path: Path) -> None:
    works = [open_work(1), open_work(2)]
    with serve_full_text(works) as (url, _):
        corpus = survey(tmp_path / "s", [open_work(1), open_work(2, abstract=None)])
        fetched(corpus, url)
    for found, passages in corpus.passages():
        abstracts = [p for p in passages if p.section == "abstract"]
        assert len(abstracts) == 1
        assert abstracts[0].origin == ("openalex" if found == "W1" else "europepmc")
        assert len({(p.section, p.order) for p in passages}) == len(passages)


# --- the command ------------------------------------------------------------------------------


def cats(*arguments: str, url: str = "http://127.0.0.1:9", **more: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "cats", *arguments],
        env=environment(url) | more,
        check=False,
        capture_output=True,
        text=True,
    )


def environment(url: str) -> dict[str, str]:
    names = {"CATS_EUROPEPMC_URL": "europepmc", "CATS_ARXIV_URL": "arxiv"}
    names["CATS_CONTENT_URL"] = "content"
    return os.environ | {name: f"{url}/{path}" for name, path in names.items()}


def test_the_command_says_what_it_found_and_repeats_nothing(tmp_path: Path) -> None:
    with served(tmp_path, [open_work(1), open_work(2)]) as (corpus, url, shelves):
        done = cats("fulltext", "-C", str(corpus.path), "--json", url=url)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["found"] == {"europepmc": 2}
        n_asked = len(shelves.requests)
        assert "0 works" in cats("fulltext", "-C", str(corpus.path), url=url).stderr
        assert len(shelves.requests) == n_asked


def test_the_command_tells_what_cannot_be_reached(tmp_path: Path) -> None:
    links = ("pmcid:PMC1",)
    with served(tmp_path, [open_work(1, links=links)], faults=["down"]) as (corpus, url, _):
        done = cats("fulltext", "-C", str(corpus.path), url=url)
    assert done.returncode == 6
    assert "the same command continues" in done.stderr


def test_wrong_options_are_told(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    assert cats("fulltext", "-C", str(corpus.path), "--origin", "google").returncode == 3
    done = cats("fulltext", "-C", str(corpus.path), "--origin", "openalex")
    assert (done.returncode, "--budget" in done.stderr) == (3, True)


def test_a_missing_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from typer.testing import CliRunner

    from miner.cli import app

    corpus = survey(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["fulltext", "-C", str(corpus.path)])
    assert isinstance(done.exception, InputError)
    assert "pip install 'cats-toolkit[fulltext]'" in str(done.exception)


def test_no_export_holds_anybodys_text(tmp_path: Path) -> None:
    with served(tmp_path, [open_work(1)]) as (corpus, url, _):
        fetched(corpus, url)
    words = "was fine-tuned"
    assert any(words in p.text for p in texts(corpus)["W1"])
    assert cats("annotate", "-C", str(corpus.path)).returncode == 0
    out = tmp_path / "out"
    printed = [cats("export", "-C", str(corpus.path), "--prisma", str(out)).stdout]
    for command in (("trends", "--csv"), ("trends", "--json"), ("status", "--json"), ("versions",)):
        printed.append(cats(command[0], "-C", str(corpus.path), *command[1:]).stdout)
    printed += [path.read_text(encoding="utf-8") for path in out.iterdir()]
    assert len(printed) > 6
    assert not any(words in text for text in printed)


@pytest.mark.parametrize("kill_after", [1, 5, 30, 45])
def test_a_killed_run_asks_again_for_the_work_in_hand_only(tmp_path: Path, kill_after: int) -> None:
    """Killed when so many requests were answered, then continued."""
    n_works, workers = 60, 2
    works = [open_work(number) for number in range(1, n_works + 1)]
    with served(tmp_path, works, faults=["slow"]) as (corpus, url, shelves):
        command = [sys.executable, "-m", "cats", "fulltext", "-C", str(corpus.path)]
        command += ["--workers", str(workers)]
        child = subprocess.Popen(command, env=environment(url), stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while len(shelves.requests) < kill_after and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        shelves.faults = frozenset()
        done = cats("fulltext", "-C", str(corpus.path), url=url)
        assert done.returncode == 0, done.stderr
    assert n_works <= len(shelves.requests) <= n_works + workers
    held = texts(corpus)
    assert {len(passages) for passages in held.values()} == {3}
    rows = corpus.table("SELECT count(*) AS n FROM all_passages").to_pylist()
    assert rows[0]["n"] <= n_works * 4 + 24 * 4  # at most one part was written and not journalled
    assert list((corpus.path / "raw" / "fulltext").glob("W*")) == []
    assert set(ORIGINS) >= {p.origin for passages in held.values() for p in passages}
