"""Decisions out and in again: nothing lost, nothing doubled, bad rows set aside."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from builders import NOW, decision, survey, use, work
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus
from data.errors import InputError
from data.exchange import (
    Imported,
    current,
    export_decisions,
    format_of,
    from_rows,
    import_decisions,
    to_csv,
    to_jsonl,
)
from data.other_tools import (
    Said,
    from_doccano,
    from_label_studio,
    from_pdf_annotator,
    lines_of,
    to_doccano,
    to_label_studio,
    to_pdf_annotator,
)
from data.records import QUEUES, ROLES, SECTIONS, VERDICTS, Decision, Section, to_table

TEXT = "We pre-train on ImageNet \U0001f600 and test on BraTS."
_WORDS = st.text(min_size=1, max_size=12)
_ROLES = st.sampled_from(ROLES)
_DECISIONS = st.builds(
    Decision,
    uid=_WORDS,
    work_id=_WORDS,
    verdict=st.sampled_from(VERDICTS),
    reviewer=_WORDS,
    codebook=_WORDS,
    at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1990, 1, 1)),
    proposed_dataset=st.none() | _WORDS,
    proposed_role=st.none() | _ROLES,
    dataset=st.none() | _WORDS,
    role=st.none() | _ROLES,
    undoes=st.none() | _WORDS,
    note=st.none() | _WORDS,
    annotator=st.none() | _WORDS,
    score=st.none() | st.floats(0, 1),
    shown_ms=st.none() | st.integers(0, 2**40),
    queue=st.none() | st.sampled_from(QUEUES),
    blind=st.none() | st.booleans(),
    stratum=st.none() | _WORDS,
    weight=st.none() | st.floats(1, 1e9),
    section=st.none() | st.sampled_from(SECTIONS),
    order=st.none() | st.integers(0, 2**40),
    start=st.none() | st.integers(0, 2**40),
    end=st.none() | st.integers(0, 2**40),
)


@given(st.lists(_DECISIONS, max_size=5))
def test_events_survive_json_lines(decisions: list[Decision]) -> None:
    objects, broken = lines_of(to_jsonl(decisions))
    assert broken == []
    assert from_rows([("", each) for each in objects]) == (decisions, [])


@given(st.lists(_DECISIONS, max_size=5))
def test_states_survive_csv_and_parquet(decisions: list[Decision]) -> None:
    import csv
    import io

    rows = csv.DictReader(io.StringIO(to_csv(decisions), newline=""))
    assert from_rows([("", row) for row in rows]) == (decisions, [])
    table = to_table(Decision, decisions).to_pylist()
    assert from_rows([("", row) for row in table]) == (decisions, [])


_PEOPLE = st.sampled_from(["ann", "bob"])
_NAMES = st.text(min_size=1, max_size=8).map(str.strip).filter(bool)
_SPANS = st.tuples(st.integers(0, 40), st.integers(1, 5)).map(lambda s: (s[0], sum(s)))
_TEXTS: dict[tuple[str, Section, int], str] = {
    ("W1", "abstract", 0): TEXT,
    ("W2", "methods", 3): TEXT + "!",
}


@st.composite
def _placed(draw: st.DrawFn) -> Said:
    work_id, section, order = draw(st.sampled_from(sorted(_TEXTS)))
    start, end = draw(_SPANS)
    who, dataset, role, yes = draw(_PEOPLE), draw(_NAMES), draw(_ROLES), draw(st.booleans())
    return Said(who, work_id, dataset, role, yes, (section, order, start, end))


def by_all(said: list[Said]) -> list[Said]:
    return sorted(said, key=repr)


@given(st.lists(_placed(), max_size=6, unique_by=repr))
def test_opinions_survive_label_studio_and_doccano(said: list[Said]) -> None:
    tasks = json.loads(json.dumps(to_label_studio(said, _TEXTS)))
    found, rejects = from_label_studio(tasks, _TEXTS)
    assert (by_all(found), rejects) == (by_all(said), [])
    lines = json.loads(json.dumps(to_doccano(said, _TEXTS)))
    found, rejects = from_doccano(lines, _TEXTS)
    assert (by_all(found), rejects) == (by_all(said), [])


@given(st.lists(_placed(), max_size=6))
def test_opinions_survive_pdf_annotator(said: list[Said]) -> None:
    own = [replace(each, reviewer="ann", place=None) for each in said]
    works = {"W1": "W1", "W2": "W2"}
    assert from_pdf_annotator(to_pdf_annotator(own), reviewer="ann", works=works) == (own, [])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_json_breaks_the_readers(anything: object) -> None:
    for made in (anything, [anything], [{"data": anything}], [{"text": anything, "label": []}]):
        assert from_label_studio(made, _TEXTS)[0] == []
        assert from_doccano(made if isinstance(made, list) else [made], _TEXTS)[0] == []
        assert from_rows([("x", made)])[0] == []


def test_a_browsers_offsets_are_understood() -> None:
    (task,) = to_label_studio(
        [Said("ann", "W1", "BraTS", "target", True, ("abstract", 0, 39, 44))], _TEXTS
    )
    assert task["annotations"][0]["result"][0]["value"]["text"] == "BraTS"
    for region in task["annotations"][0]["result"]:
        region["value"] |= {"start": 40, "end": 45}  # the smiley counts twice in a browser
    ((found,), rejects) = from_label_studio([task], _TEXTS)
    assert (found.place, rejects) == (("abstract", 0, 39, 44), [])


def test_doccanos_older_and_relation_shapes_are_read() -> None:
    at = {"text": TEXT, "work_id": "W1", "section": "abstract", "order": 0}
    old = at | {"labels": [[16, 24, "source"]]}
    relation = at | {
        "entities": [{"id": 1, "label": "source", "start_offset": 16, "end_offset": 24}]
    }
    for line in (old, relation):
        ((said,), rejects) = from_doccano([line], _TEXTS, reviewer="ann")
        assert (said.dataset, said.role, rejects) == ("ImageNet", "source", [])


def test_pdf_annotators_versions_are_read() -> None:
    works = {"W1": "W1", "10.1_x": "W2"}
    three = "doc_id,doc_name,label1,label2,value,comments\n0,W1.pdf,BraTS,target,True\n"
    ((said,), rejects) = from_pdf_annotator(three, reviewer="ann", works=works)
    assert (said.dataset, said.role, said.yes, rejects) == ("BraTS", "target", True, [])
    one = "doc_id,doc_name,label1,selected\n0,10.1_x,BraTS,False\n"
    ((said,), rejects) = from_pdf_annotator(one, reviewer="ann", works=works)
    assert (said.work_id, said.role, said.yes, rejects) == ("W2", "target", False, [])


# --- in a survey ------------------------------------------------------------------------------


def corpus_of(path: Path) -> Corpus:
    uses = [
        use("W1", start=16, end=24, evidence=TEXT),
        use("W1", "BraTS", "target", start=39, end=44, evidence=TEXT),
    ]
    return survey(path, [work("W1", abstract=TEXT, doi="10.1/x"), work("W2")], uses)


def reviewed(path: Path) -> Corpus:
    corpus = corpus_of(path)
    accepted = {"dataset": "ImageNet", "role": "source"}
    added = {"proposed_dataset": None, "proposed_role": None, "dataset": "LiTS", "role": "target"}
    words = {"section": "abstract", "order": 0, "start": 0, "end": 2}
    brats = {"proposed_dataset": "BraTS", "proposed_role": "target"}
    made = [
        decision("a", "reject"),
        decision("b", "accept", **accepted),
        decision("c", "edit", **brats, dataset="BraTS", role="mention"),
        decision("d", "add", **added, **words),
        decision("e", "skip", work_id="W2"),
        decision("f", "reject", reviewer="Zoë B."),
        decision("g", "accept", reviewer="cy", **accepted),
        decision("h", "undo", reviewer="cy", undoes="g"),
        decision("i", "done", proposed_dataset=None, proposed_role=None, queue="paper"),
    ]
    later = [replace(each, at=NOW + timedelta(seconds=n)) for n, each in enumerate(made)]
    with corpus.journal() as journal:
        journal.decide(later)
    return corpus


def said_in(corpus: Corpus) -> set[tuple[str, str, str, bool]]:
    from data.claims import votes

    with corpus.connect() as db:
        uses = db.sql("SELECT * FROM uses").to_arrow_table()
        rows = votes(uses, db.sql("SELECT * FROM decisions").to_arrow_table()).to_pylist()
    return {(row["reviewer"], row["dataset"], row["role"], row["yes"]) for row in rows}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("d.jsonl", None),
        ("d.csv", None),
        ("d.parquet", None),
        ("d.json", None),
        ("d.jsonl", "doccano"),
        ("folder", "pdf-annotator"),
    ],
)
def test_another_copy_of_the_survey_says_the_same(
    tmp_path: Path, name: str, form: str | None
) -> None:
    corpus, other = reviewed(tmp_path / "a"), corpus_of(tmp_path / "b")
    assert export_decisions(corpus, tmp_path / name, format=form).n_left_out == 0
    files = sorted((tmp_path / name).iterdir()) if form == "pdf-annotator" else [tmp_path / name]
    for file in files:
        done = import_decisions(other, file, format=form, now=NOW)
        assert done.n_new > 0
        assert done.rejects == []
        again = import_decisions(other, file, format=form, now=NOW + timedelta(1))
        assert again.n_new == 0
        assert again.n_known > 0
    assert said_in(other) == said_in(corpus)
    assert import_decisions(corpus, files[0], format=form, now=NOW).n_new == 0


def test_json_lines_keep_every_event_and_a_state_only_the_last_word(tmp_path: Path) -> None:
    corpus, other = reviewed(tmp_path / "a"), corpus_of(tmp_path / "b")
    export_decisions(corpus, tmp_path / "d.jsonl")
    import_decisions(other, tmp_path / "d.jsonl", now=NOW)
    with corpus.journal() as one, other.journal() as two:
        assert one.decisions() == two.decisions()
        assert [made.uid for made in current(one.decisions())] == ["b", "c", "d", "f", "i"]
    export_decisions(corpus, tmp_path / "d.parquet")
    assert pq.read_table(tmp_path / "d.parquet").num_rows == 5


def test_a_mind_that_changes_back_is_heard(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    file = tmp_path / "ann.csv"
    for number, (value, n_new) in enumerate([("True", 1), ("False", 1), ("True", 1), ("True", 0)]):
        file.write_text(f"doc_id,doc_name,label1,label2,value\n0,10.1_x,imagenet,source,{value}\n")
        done = import_decisions(corpus, file, now=NOW + timedelta(seconds=number))
        assert done == Imported(n_new, 1 - n_new, [])
    assert said_in(corpus) == {("ann", "ImageNet", "source", True)}


def test_bad_rows_are_set_aside_with_reasons(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    good = {"uid": "a", "work_id": "W1", "verdict": "skip", "reviewer": "ann", "codebook": "1.1"}
    good["at"] = NOW.isoformat()
    bad = [
        (good | {"verdict": "yes"}, "not one of accept"),
        (good | {"uid": ""}, "uid is missing"),
        (good | {"at": "2026-01-01T00:00:00"}, "no time zone"),
        (good | {"at": "yesterday"}, "isoformat"),
        (good | {"work_id": "W9"}, "no work 'W9'"),
        (good | {"colour": "red"}, "no decision has a field 'colour'"),
        (good | {"score": "high"}, "could not convert"),
        (good | {"start": 1.5}, "expected int64"),
        (good | {"blind": "perhaps"}, "expected bool"),
        ([1], "expected an object"),
    ]
    lines = [json.dumps(row) for row, _ in bad]
    file = tmp_path / "d.jsonl"
    file.write_text("\n".join([*lines, "{not json", json.dumps(good)]))
    done = import_decisions(corpus, file, now=NOW)
    assert done.n_new == 1
    assert "is no JSON" in done.rejects[0].reason
    for reject, (_, why) in zip(done.rejects[1:], bad, strict=True):
        assert why in reject.reason


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("x.jsonl", b"\xff", "not UTF-8"),
        ("x.json", b"{", "is no JSON"),
        ("x.parquet", b"?", "cannot be read as Parquet"),
        ("x.txt", b"", "stands for no format"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, name: str, body: bytes, why: str
) -> None:
    corpus = corpus_of(tmp_path / "s")
    (tmp_path / name).write_bytes(body)
    with pytest.raises(InputError, match=why):
        import_decisions(corpus, tmp_path / name, now=NOW)
    with pytest.raises(InputError, match="check the path"):
        import_decisions(corpus, tmp_path / "none.csv", now=NOW)
    with pytest.raises(InputError, match="not one of jsonl"):
        format_of(tmp_path / name, "xml")
