import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from builders import NOW, PROTOCOL, work

import annotate.run
from annotate.pipeline import Annotator
from annotate.run import annotate_survey, text_hash
from data.catalogue import add, own_table, own_tables
from data.corpus import Corpus
from data.engines import Engine
from data.errors import InputError
from data.readers import no_main
from data.records import Work, passages_of


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return Annotator()


@pytest.fixture
def clock() -> Iterator[object]:
    times = iter(NOW + timedelta(seconds=n) for n in range(10_000))
    return lambda: next(times)  # type: ignore[return-value]


def mined(path: Path, n: int, abstract: str = "We evaluate on BraTS.") -> Corpus:
    corpus = Corpus.create(path, protocol=PROTOCOL)
    corpus.append(Work, [work(f"W{k}", abstract=abstract) for k in range(n)], name="a")
    return corpus


def test_every_included_work_is_annotated_once(
    tmp_path: Path, annotator: Annotator, clock: object
) -> None:
    corpus = mined(tmp_path, 5)
    with corpus.journal() as journal:
        journal.screen("protocol", [("W4", False, "retracted")], now=NOW)
    assert annotate_survey(corpus, annotator, clock=clock) == (4, 4)  # type: ignore[arg-type]
    assert annotate_survey(corpus, annotator, clock=clock) == (0, 0)  # type: ignore[arg-type]
    assert {use.work_id for use in corpus.uses()} == {"W0", "W1", "W2", "W3"}


def test_names_that_the_catalogue_lacks_are_stored_as_candidates(
    tmp_path: Path, annotator: Annotator, clock: object
) -> None:
    corpus = mined(tmp_path, 2, abstract="We evaluate on BraTS and the FooBar dataset.")
    annotate_survey(corpus, annotator, clock=clock)  # type: ignore[arg-type]
    found = corpus.table("SELECT work_id, name, role, annotator FROM candidates ORDER BY 1")
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("W0", "FooBar", "target", annotator.version),
        ("W1", "FooBar", "target", annotator.version),
    ]
    later = work("W0", abstract="Nothing here.", fetched_at=NOW + timedelta(days=1))
    corpus.append(Work, [later], name="b")
    annotate_survey(corpus, annotator, clock=clock)  # type: ignore[arg-type]
    assert corpus.table("SELECT work_id FROM candidates")["work_id"].to_pylist() == ["W1"]


def test_what_the_surveys_own_table_names_is_no_candidate(
    tmp_path: Path, annotator: Annotator, clock: object
) -> None:
    corpus = mined(tmp_path, 1, abstract="We evaluate on the FooBar dataset.")
    cells = {"id": "FooBar", "name": "FooBar", "domain": "radiology", "modality": "ct"}
    annotate_survey(corpus, annotator, clock=clock)  # type: ignore[arg-type]
    assert corpus.table("SELECT name FROM candidates")["name"].to_pylist() == ["FooBar"]
    add(own_table(tmp_path), cells)
    own = Annotator(extra=own_tables(tmp_path))
    annotate_survey(corpus, own, clock=clock)  # type: ignore[arg-type]
    assert corpus.table("SELECT * FROM candidates").num_rows == 0
    assert [use.dataset for use in corpus.uses()] == ["FooBar"]


def test_a_changed_text_is_annotated_again_and_the_old_uses_go(
    tmp_path: Path, annotator: Annotator, clock: object
) -> None:
    corpus = mined(tmp_path, 2)
    annotate_survey(corpus, annotator, clock=clock)  # type: ignore[arg-type]
    later = work("W0", abstract="We evaluate on LiTS.", fetched_at=NOW + timedelta(days=1))
    corpus.append(Work, [later], name="b")
    assert annotate_survey(corpus, annotator, clock=clock)[0] == 1  # type: ignore[arg-type]
    assert {(use.work_id, use.dataset) for use in corpus.uses()} == {
        ("W0", "LiTS"),
        ("W1", "BraTS"),
    }


def test_a_text_without_uses_counts_as_annotated(
    tmp_path: Path, annotator: Annotator, clock: object
) -> None:
    corpus = mined(tmp_path, 3, abstract="Nothing here.")
    assert annotate_survey(corpus, annotator, clock=clock) == (3, 0)  # type: ignore[arg-type]
    assert annotate_survey(corpus, annotator, clock=clock) == (0, 0)  # type: ignore[arg-type]


def test_a_stop_between_parts_costs_one_part(
    tmp_path: Path, annotator: Annotator, clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotate.run, "_PART", 2)
    corpus = mined(tmp_path, 6)

    def stop(n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate_survey(corpus, annotator, clock=clock, progress=stop)  # type: ignore[arg-type]
    assert annotate_survey(corpus, annotator, clock=clock)[0] == 4  # type: ignore[arg-type]
    assert len(list(corpus.uses())) == 6


def test_kill_while_annotating_doubles_nothing(tmp_path: Path) -> None:
    corpus = mined(tmp_path, 9000, abstract="We evaluate on BraTS. The FooBar dataset is new.")
    command = [sys.executable, "-m", "cats", "annotate", "-C", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        while not (tmp_path / "uses").is_dir():
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    uses = [use.work_id for use in corpus.uses()]
    assert len(uses) == len(set(uses)) == 9000
    names = corpus.table("SELECT work_id FROM candidates")["work_id"].to_pylist()
    assert len(names) == len(set(names)) == 9000


def annotated(path: Path, corpus: Corpus, *options: str) -> dict[str, list[dict[str, object]]]:
    """The parts that `cats annotate` makes of a copy of the survey, without run and version."""
    shutil.copytree(corpus.path, path)
    command = [sys.executable, "-m", "cats", "annotate", "-C", str(path), *options]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return {
        part.name.rsplit("-", 1)[1]: pq.read_table(part).drop_columns(["run"]).to_pylist()
        for part in (path / "uses").iterdir()
    }


def test_uses_and_parts_are_the_same_however_it_is_run(tmp_path: Path) -> None:
    abstract = "We fine-tune a pretrained ResNet-50 on BraTS 2020. It is trained from scratch."
    corpus = mined(tmp_path / "survey", 4500, abstract)
    alone = annotated(tmp_path / "a", corpus)
    assert [len(alone[name]) for name in sorted(alone)] == [4000, 4000, 1000]
    assert annotated(tmp_path / "b", corpus, "--workers", "2") == alone
    assert annotated(tmp_path / "c", corpus, "--engine", "dask", "--workers", "2") == alone


def test_a_running_dask_cluster_is_used(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    corpus = mined(tmp_path / "survey", 10)
    with no_main():  # which a test of the pages may have left behind
        started = distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0"
        )
    with started as at:
        options = ("--engine", "dask", "--scheduler", at.scheduler_address)
        assert annotated(tmp_path / "a", corpus, *options) == annotated(tmp_path / "b", corpus)


def test_lines_keep_their_order_when_parts_are_ready_out_of_order(annotator: Annotator) -> None:
    class Backwards(Engine):
        def mapped(self, function: Any, values: Any) -> Any:
            yield from reversed([function(value) for value in values])

    papers = [(str(n), passages_of(work(str(n)))) for n in range(4100)]
    found = annotate.run.annotated(iter(papers), annotator, run="r", engine=Backwards())
    assert [made.work_id for made in found] == [work_id for work_id, _ in papers]


def test_a_part_is_no_longer_than_memory_allows(
    tmp_path: Path, annotator: Annotator, clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotate.run, "_PART_LETTERS", 70)
    corpus = mined(tmp_path, 7)  # 29 characters each
    annotate_survey(corpus, annotator, clock=clock)  # type: ignore[arg-type]
    assert len(list((tmp_path / "uses").iterdir())) == 3


def test_a_worker_of_another_version_is_refused(annotator: Annotator) -> None:
    remade, arguments = annotator.__reduce__()
    assert remade(*arguments).version == annotator.version
    with pytest.raises(InputError, match="same version"):
        remade(*arguments[:-1], "cats@0.0.1+0")


def test_kill_with_workers_doubles_nothing(tmp_path: Path) -> None:
    corpus = mined(tmp_path, 9000)
    command = [sys.executable, "-m", "cats", "annotate", "-C", str(tmp_path), "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        while not (tmp_path / "uses").is_dir():
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    uses = [use.work_id for use in corpus.uses()]
    assert len(uses) == len(set(uses)) == 9000


def test_the_hash_follows_every_passage() -> None:
    one, other = passages_of(work(title="a", abstract="b")), passages_of(work(title="ab"))
    assert text_hash(one) != text_hash(other)
    assert text_hash(one) == text_hash(passages_of(work(title="a", abstract="b")))
