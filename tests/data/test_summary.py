"""What is kept of a survey is what would be counted anew, and nothing else is believed."""

import os
import time
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import NOW, decision, survey, use, work

from data import kept
from data import summary as summary_
from data.corpus import SNAPSHOT, Corpus
from data.cube import Selection
from data.records import Passage, Use, Work
from data.summary import Summary, summary
from data.topics import survey_topics
from data.trends import shares

_MRI, _CT = "MRI of the brain", "CT of the liver"


def one(path: Path) -> Corpus:
    works = [
        work("W1", title=_MRI, countries=("DE", "US"), venue="A", references=("W9",)),
        work("W2", title="Segmentation", abstract=_CT, year=None, countries=("US",)),
        work("W3", title="Words", abstract=None, year=2021),
    ]
    uses = [use("W1"), use("W1", "ISIC", "target"), use("W2", "CheXpert", implied=True, score=0.4)]
    corpus = survey(path, works, uses)
    full = Passage(work_id="W2", section="methods", order=0, text="Text", origin="jats")
    corpus.append(Passage, [full], name="p")
    return corpus


def aged(corpus: Corpus) -> Corpus:
    """The survey as if nobody had changed it for an hour."""
    for file in corpus.path.rglob("*"):
        if file.is_file() and kept.FOLDER not in file.parts:
            at = file.stat().st_mtime_ns - 3_600_000_000_000
            os.utime(file, ns=(at, at))
    return corpus


def summary_of(corpus: Corpus) -> Summary:
    return summary(corpus.path, kept.stamp(corpus.path))


def summary_file(corpus: Corpus) -> Path:
    return corpus.path / kept.FOLDER / "summary.arrow"


def topics_file(corpus: Corpus) -> Path:
    return corpus.path / kept.FOLDER / "topics.parquet"


def topics_of(corpus: Corpus) -> list[dict[str, Any]]:
    with corpus.connect() as db:
        rows: list[dict[str, Any]] = survey_topics(db).to_pylist()
    return rows


def plain(held: Summary) -> dict[str, Any]:
    """All that a summary holds, to compare."""
    told: dict[str, Any] = {"counts": dict(held.counts), "by year": held.by_year.to_dict("list")}
    told["findings"] = held.findings
    told["gold"] = None if held.gold is None else (held.gold.schema, held.gold.to_pylist())
    return told | _plain(held.cube)


def _plain(cube: Any) -> dict[str, Any]:
    if isinstance(cube, np.ndarray):
        return {"type": str(cube.dtype), "values": cube.tolist()}
    if hasattr(cube, "to_pylist"):
        return {"type": str(cube.type), "values": cube.to_pylist()}
    if isinstance(cube, tuple) or cube is None or isinstance(cube, str):
        return {"values": [_plain(each) for each in cube] if isinstance(cube, tuple) else cube}
    if hasattr(cube, "items"):
        return {
            key: value if isinstance(value, str | int) else _plain(value)
            for key, value in cube.items()
        }
    return {each.name: _plain(getattr(cube, each.name)) for each in fields(cube)}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The surveys that were counted anew, in turn."""
    counted: list[Path] = []
    make = summary_._made

    def noted(path: Path) -> Summary:
        counted.append(path)
        return make(path)

    monkeypatch.setattr(summary_, "_made", noted)
    return counted


def test_what_is_kept_is_what_was_counted(tmp_path: Path, made: list[Path]) -> None:
    corpus = aged(one(tmp_path))
    first = summary_of(corpus)
    assert summary_file(corpus).is_file()
    second = summary_of(corpus)
    assert len(made) == 1
    assert plain(first) == plain(second)
    assert plain(first)["uses"]["source"]["paper"]["values"]
    for by in ("year", "country", "modality", "organ"):
        frames = [
            shares(held.cube, by=by, where=Selection(min_score=0.3)) for held in (first, second)
        ]
        assert frames[0].equals(frames[1])


def test_gold_labels_are_kept(tmp_path: Path, made: list[Path]) -> None:
    corpus = one(tmp_path)
    with corpus.journal() as journal:
        journal.set_frame([("W1", "found", 0), ("W2", "found", 1)], n=2, seed=0, now=NOW)
        done = {"queue": "gold", "blind": True, "proposed_dataset": None, "proposed_role": None}
        journal.decide(
            [decision(f"d{name}", "done", reviewer=name, **done) for name in ("ann", "bob")]
        )
    aged(corpus)
    first, second = summary_of(corpus), summary_of(corpus)
    assert len(made) == 1 and first.gold is not None
    assert plain(first) == plain(second)


def test_a_survey_of_nothing_is_kept(tmp_path: Path, made: list[Path]) -> None:
    corpus = aged(survey(tmp_path))
    assert plain(summary_of(corpus)) == plain(summary_of(corpus))
    assert len(made) == 1


def _more_works(corpus: Corpus) -> None:
    corpus.append(Work, [work("W4")], name="more")


def _a_decision(corpus: Corpus) -> None:
    with corpus.journal() as journal:
        journal.decide([decision("d1", "reject")])


def _another_run(corpus: Corpus) -> None:
    corpus.append(Use, [use("W1", "COCO", run="r2")], name="r2")
    with corpus.journal() as journal:
        journal.annotated_done("r2", "test@2", [("W1", "h", False)], now=NOW + timedelta(days=1))


def _own_datasets(corpus: Corpus) -> None:
    (corpus.path / "dataset_papers.csv").write_text("paper,openalex,looked_up\n")


@pytest.mark.parametrize("change", [_more_works, _a_decision, _another_run, _own_datasets])
def test_a_change_counts_anew(tmp_path: Path, made: list[Path], change: Any) -> None:
    corpus = aged(one(tmp_path))
    summary_of(corpus)
    change(corpus)
    after = summary_of(corpus)
    assert len(made) == 2
    summary_file(corpus).unlink()
    assert plain(after) == plain(summary_of(corpus))


def test_what_changed_just_now_is_not_kept(tmp_path: Path, made: list[Path]) -> None:
    corpus = one(tmp_path)
    summary_of(corpus)
    assert not summary_file(corpus).exists() and len(made) == 1
    assert topics_of(corpus)
    assert not topics_file(corpus).exists() or not len(_parts_kept(corpus))


def _parts_kept(corpus: Corpus) -> list[str]:
    import pyarrow.parquet as pq

    names: list[str] = pq.read_table(topics_file(corpus))["filename"].to_pylist()
    return names


def test_another_program_counts_anew(
    tmp_path: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = aged(one(tmp_path))
    summary_of(corpus)
    monkeypatch.setattr(kept, "program", lambda: "another")
    summary_of(corpus)
    assert len(made) == 2


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [_cut, _flipped, lambda _: b"", lambda _: b"PAR1 garbage\n" * 9])
def test_a_damaged_file_is_made_again(tmp_path: Path, made: list[Path], damage: Any) -> None:
    corpus = aged(one(tmp_path))
    first, told = plain(summary_of(corpus)), topics_of(corpus)
    for file in (summary_file(corpus), topics_file(corpus)):
        file.write_bytes(damage(file.read_bytes()))
    assert topics_of(corpus) == told
    assert plain(summary_of(corpus)) == first
    assert len(made) == 2
    summary_of(corpus)
    assert len(made) == 2


def test_a_survey_that_nobody_may_write_to_is_counted(tmp_path: Path, made: list[Path]) -> None:
    corpus = aged(one(tmp_path))
    (corpus.path / kept.FOLDER).write_text("a file where the folder would be")
    first = plain(summary_of(corpus))
    assert plain(summary_of(corpus)) == first and len(made) == 2
    assert topics_of(corpus)


def test_a_release_is_left_as_it_is(tmp_path: Path) -> None:
    corpus = aged(one(tmp_path))
    (corpus.path / SNAPSHOT).write_text("{}")
    assert summary_of(corpus).cube.n_papers == 3
    assert not (corpus.path / kept.FOLDER).exists()


def test_a_large_survey_is_counted_by_another_process(
    tmp_path: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = one(tmp_path)  # just now, so that nothing is kept, and it is handed over all the same
    here = plain(summary_of(corpus))
    monkeypatch.setattr(summary_, "_LARGE", 0)
    assert plain(summary_of(corpus)) == here
    assert len(made) == 1 and not summary_file(corpus).exists()


def test_a_fault_of_the_other_process_is_told_by_this_one(
    tmp_path: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = one(tmp_path)
    monkeypatch.setattr(summary_, "_LARGE", 0)
    monkeypatch.setattr(summary_.sys, "executable", "/bin/false")
    assert summary_of(corpus).cube.n_papers == 3
    assert len(made) == 1


def _as_if_read_anew(corpus: Corpus) -> list[dict[str, Any]]:
    topics_file(corpus).unlink()
    return topics_of(corpus)


def test_texts_that_are_known_are_not_read_again(tmp_path: Path) -> None:
    corpus = aged(one(tmp_path))
    told = topics_of(corpus)
    assert told[0]["modality"] == ["mri"] and told[1]["modality"] == ["ct"]
    assert [row["full_text"] for row in told] == [False, True, False]
    # What is kept is believed: a text that changed without its part is not seen.
    part = next((corpus.path / "works").glob("*.parquet"))
    state, content = part.stat(), part.read_bytes()
    part.write_bytes(content)
    os.utime(part, ns=(state.st_atime_ns, state.st_mtime_ns))
    before = topics_file(corpus).stat().st_mtime_ns
    assert topics_of(corpus) == told
    assert topics_file(corpus).stat().st_mtime_ns == before


def test_a_newer_text_replaces_and_a_withdrawn_abstract_stays(tmp_path: Path) -> None:
    corpus = aged(one(tmp_path))
    topics_of(corpus)
    later = NOW + timedelta(days=1)
    newer = [
        work("W1", title=_CT, fetched_at=later),
        work("W2", title="Detection", abstract=None, fetched_at=later),
    ]
    corpus.append(Work, newer, name="newer")
    aged(corpus)
    told = {row["work_id"]: row for row in topics_of(corpus)}
    assert told["W1"]["modality"] == ["ct"] and told["W1"]["organ"] == ["liver"]
    assert told["W2"]["modality"] == ["ct"] and told["W2"]["task"] == ["detection"]
    assert list(told.values()) == _as_if_read_anew(corpus)


def test_a_part_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    corpus = aged(one(tmp_path))
    topics_of(corpus)
    corpus.append(Work, [work(f"W{n}", title="CT") for n in (1, 2, 3)], name="works")
    told = topics_of(corpus)
    assert [row["modality"] for row in told] == [["ct"]] * 3
    assert told == _as_if_read_anew(corpus)


def test_topics_kept_by_other_words_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data import topics

    corpus = aged(one(tmp_path))
    topics_of(corpus)
    monkeypatch.setattr(topics, "_made_by", lambda: b"other words")
    rows = topics_of(corpus)
    assert rows[0]["modality"] == ["mri"]
    import pyarrow.parquet as pq

    assert pq.read_schema(topics_file(corpus)).metadata[b"made by"] == b"other words"


def test_a_stamp_is_of_what_is_counted(tmp_path: Path) -> None:
    corpus = one(tmp_path)
    before = kept.stamp(corpus.path)
    (corpus.path / kept.FOLDER).mkdir(exist_ok=True)
    (corpus.path / kept.FOLDER / "anything").write_text("x")
    (corpus.path / "works" / ".partial-1-x.parquet").write_text("x")
    assert kept.stamp(corpus.path) == before
    time.sleep(0.01)
    _more_works(corpus)
    assert kept.stamp(corpus.path) != before
