import os
import signal
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from builders import NOW, PROTOCOL, survey, use, work

import data.corpus
from data.corpus import Corpus, new_run, write_whole
from data.errors import InputError
from data.records import Passage, Use, Work


def test_a_folder_without_protocol_is_no_survey(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cats init"):
        Corpus(tmp_path)


def test_a_survey_is_not_made_twice(tmp_path: Path) -> None:
    Corpus.create(tmp_path, protocol=PROTOCOL)
    with pytest.raises(InputError, match="already"):
        Corpus.create(tmp_path, protocol=PROTOCOL)


def test_an_empty_survey_can_be_read(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    assert list(corpus.works()) == []
    assert list(corpus.uses()) == []
    assert list(corpus.passages()) == []


def test_the_newest_fetch_of_a_work_counts(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    corpus.append(Work, [work(title="new", fetched_at=NOW + timedelta(days=1))], name="a")
    corpus.append(Work, [work(title="old")], name="b")
    assert [found.title for found in corpus.works()] == ["new"]


def test_a_part_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    corpus.append(Work, [work("W1"), work("W2")], name="a")
    corpus.append(Work, [work("W3")], name="a")
    assert [found.id for found in corpus.works()] == ["W3"]


def test_only_the_latest_run_of_a_work_counts(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1"), work("W2")], [use("W1"), use("W2")])
    corpus.append(Use, [use("W1", "CheXpert", run="r2")], name="r2")
    later = NOW + timedelta(hours=1)
    with corpus.journal() as journal:
        journal.annotated_done("r2", "test@2", [("W1", "h", False)], now=later)
    assert {(u.work_id, u.dataset) for u in corpus.uses()} == {
        ("W1", "CheXpert"),
        ("W2", "ImageNet"),
    }


def test_uses_are_invisible_until_their_works_are_called_annotated(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work()])
    corpus.append(Use, [use(run="killed")], name="killed")
    assert list(corpus.uses()) == []


def test_passages_come_with_title_and_abstract_first(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work()])
    full = Passage(work_id="W1", section="methods", order=0, text="We train.", origin="jats")
    corpus.append(Passage, [full], name="p")
    ((_, passages),) = corpus.passages()
    assert [p.section for p in passages] == ["title", "abstract", "methods"]


def test_passages_are_read_range_by_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.corpus, "_WORKS_AT_ONCE", 4)
    monkeypatch.setattr(data.corpus, "_TEXTS_AT_ONCE", 3)
    ids = [f"W{n}" for n in range(11)]
    corpus = survey(tmp_path, [work(each) for each in reversed(ids)])
    full = [
        Passage(work_id=each, section=section, order=order, text=each, origin="jats")
        for each in [*ids, "W12"]
        for section, order in (("results", 0), ("methods", 1), ("methods", 0))
    ]
    corpus.append(Passage, full, name="p")
    found = list(corpus.passages())
    assert [work_id for work_id, _ in found] == sorted(ids)
    for work_id, passages in found:
        assert {passage.work_id for passage in passages} == {work_id}
        told = [(passage.section, passage.order) for passage in passages]
        assert told[2:] == [("methods", 0), ("methods", 1), ("results", 0)]


def test_what_screening_left_out_is_not_in_the_survey(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1"), work("W2")])
    with corpus.journal() as journal:
        journal.screen("protocol", [("W1", False, "year 1999"), ("W2", True, "")], now=NOW)
    assert [work_id for work_id, _ in corpus.passages()] == ["W2"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fail(file: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(tmp_path / "a", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_kill_while_a_part_is_written_leaves_no_part(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from data.corpus import write_whole
        def slowly(file):
            file.write(b"half")
            file.flush()
            print("writing", flush=True)
            time.sleep(60)
        folder = Path(sys.argv[1]) / "works"
        folder.mkdir()
        write_whole(folder / "a.parquet", slowly)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(corpus.path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert list(corpus.works()) == []


def test_parts_are_plain_parquet(tmp_path: Path) -> None:
    part = survey(tmp_path).append(Work, [work()], name="a")
    assert pq.read_table(part)["id"].to_pylist() == ["W1"]


def test_run_ids_sort_by_time() -> None:
    assert new_run(NOW) < new_run(NOW + timedelta(microseconds=1))


def test_a_quote_in_the_path_does_no_harm(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "it's", [work()])
    assert [found.id for found in corpus.works()] == ["W1"]


def test_parts_of_an_earlier_version_lack_columns_and_are_read(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", [work("W1")])
    (part,) = (corpus.path / "works").iterdir()
    pq.write_table(pq.read_table(part).drop_columns(["links", "publisher"]), part)
    assert [found.links for found in corpus.works()] == [()]
