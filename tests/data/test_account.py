import dataclasses
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path

from builders import NOW, PROTOCOL, survey, use, work
from hypothesis import given
from hypothesis import strategies as st

from data.account import account, methods
from data.corpus import Corpus
from data.flow import _ems, _wrapped, flow_svg
from data.journal import Checkpoint
from data.protocol import Protocol, load
from data.records import Passage


def mined(path: Path) -> Corpus:
    """Two questions that share a work; one work left out, one with full text."""
    corpus = survey(path, [work(f"W{n}") for n in range(4)], [use("W1")])
    full = Passage(work_id="W1", section="methods", order=0, text="We train.", origin="jats")
    corpus.append(Passage, [full], name="p")
    with corpus.journal() as journal:
        journal.start_run("r", "mine", settings={}, now=NOW)
        for query, ids in (("search", ["W0", "W1", "W2"]), ("cites <ImageNet>", ["W2", "W3"])):
            at = Checkpoint("r", query, "", None, 1, len(ids), len(ids))
            journal.page_done(at, ids, now=NOW)
        journal.screen("protocol", [("W3", False, "no abstract")], now=NOW)
        journal.end_run("r", now=NOW)
    return corpus


def test_the_numbers_add_up(tmp_path: Path) -> None:
    with mined(tmp_path).connect() as db:
        found = account(db)
    assert found.identified == {"cites <ImageNet>": 2, "search": 3}
    assert sum(found.identified.values()) - found.duplicates == found.screened == 4
    assert found.excluded == {"no abstract": 1}
    assert found.screened - sum(found.excluded.values()) == found.included == 3
    assert (found.full_text, found.annotated) == (1, 3)


def test_merged_versions_have_a_number_of_their_own(tmp_path: Path) -> None:
    corpus = mined(tmp_path)
    with corpus.journal() as journal:
        rows = [("W0", "W1", "same DOI"), ("W3", "W1", "same DOI")]  # W3 is excluded anyway
        assert journal.replace_versions(rows, splits=set(), now=NOW)
    with corpus.connect() as db:
        found = account(db)
    assert (found.versions, found.included) == (1, 2)
    out = sum(found.excluded.values()) + found.versions
    assert found.screened - out == found.included
    assert "Versions merged: 1" in flow_svg(found, title="A")


def test_an_empty_survey_has_an_account(tmp_path: Path) -> None:
    with survey(tmp_path).connect() as db:
        found = account(db)
    assert (found.screened, found.included, found.first_run) == (0, 0, None)
    ET.fromstring(flow_svg(found, title="Empty"))


def test_the_picture_is_xml_and_shows_every_number(tmp_path: Path) -> None:
    with mined(tmp_path).connect() as db:
        picture = flow_svg(account(db), title="A & B")
    texts = [(element.text or "").strip() for element in ET.fromstring(picture).iter()]
    for line in ("A & B", "Records identified: 5", "cites <ImageNet>: 2", "Works included: 3"):
        assert line in texts


def reports(path: Path) -> Corpus:
    """A survey of six papers: two retrieved, one after a failure; two not; two not sought."""
    corpus = survey(path, [work(f"W{n}") for n in range(6)])
    with corpus.journal() as journal:
        rows = [
            ("W0", "Europe PMC", True, ""),
            ("W1", "Europe PMC", False, "not open"),
            ("W1", "arXiv", True, ""),
            ("W2", "Europe PMC", False, "not open"),
            ("W2", "arXiv", False, "not there"),
            ("W3", "Europe PMC", False, "not open"),
        ]
        journal.seek("full text", rows, now=NOW)
        journal.seek("abstract", [("W4", "arXiv", False, "not there")], now=NOW)
    return corpus


def test_a_report_is_retrieved_if_any_place_had_it(tmp_path: Path) -> None:
    with reports(tmp_path).connect() as db:
        found = account(db)
    assert (found.sought, found.retrieved) == (4, 2)
    assert found.not_retrieved == {"not open": 1, "not open; not there": 1}
    texts = flow_svg(found, title="A")
    for line in ("Reports sought for retrieval: 4", "not retrieved: 2", "Reports retrieved: 2"):
        assert line in texts
    text = methods(found, protocol_of(tmp_path), version="0.1.0", now=NOW)
    assert "Full text was sought for 4 and retrieved for 2." in text
    assert "read by test@1" in text


def protocol_of(path: Path) -> Protocol:
    return load(path / "protocol.toml")


def test_records_that_were_merged_are_duplicates_not_exclusions(tmp_path: Path) -> None:
    corpus = mined(tmp_path)
    with corpus.journal() as journal:
        journal.screen("openalex", [("W0", False, "merged into W1")], now=NOW)
    with corpus.connect() as db:
        found = account(db)
    assert (found.duplicates, found.screened, found.included) == (2, 3, 2)
    assert found.excluded == {"no abstract": 1}
    assert found.records - found.duplicates == found.screened


def test_lists_are_other_methods_and_abstracts_filled_are_told(tmp_path: Path) -> None:
    corpus = mined(tmp_path)
    settings = {"sha256": "a"}
    with corpus.journal() as journal:
        for run, n in (("l1", 5), ("l2", 3)):  # the second, again, was stopped
            journal.start_run(run, "mine-list", settings=settings, now=NOW)
            at = Checkpoint(run, "list b.ris", "", None, 1, n, n)
            journal.page_done(at, ["W0", "W1"], now=NOW)
        journal.seek("abstract", [("W1", "arXiv", True, "")], now=NOW)
    with corpus.connect() as db:
        found = account(db)
    assert (found.lists, found.records, found.duplicates) == ({"list b.ris": 5}, 10, 6)
    picture = flow_svg(found, title="A")
    assert "Identified by other methods: 5" in picture
    assert "Identified in databases: 5" in picture
    text = methods(found, protocol_of(tmp_path), version="0.1.0", now=NOW)
    assert "5 references of reference lists (b.ris)" in text
    assert "Abstracts of 1 of them that OpenAlex lacks were filled: 1 from arXiv." in text


def test_works_of_a_file_are_not_told_as_a_search(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "f", [work("W0")])
    with corpus.journal() as journal:
        journal.start_run("r", "mine-file", settings={}, now=NOW)
        at = Checkpoint("r", "file w.jsonl.gz", "", None, 1, 1, 1)
        journal.page_done(at, ["W0"], now=NOW)
    with corpus.connect() as db:
        alone = methods(account(db), protocol_of(tmp_path / "f"), version="0.1.0", now=NOW)
    assert 'Works for "A test" came as files (w.jsonl.gz: 1 records), taken on 2026-11-01' in alone
    assert "OpenAlex" not in alone
    assert "topics" not in alone
    both = mined(tmp_path / "m")
    with both.journal() as journal:
        journal.page_done(at, ["W0"], now=NOW)
    with both.connect() as db:
        text = methods(account(db), protocol_of(tmp_path / "m"), version="0.1.0", now=NOW)
    assert "were taken from OpenAlex" in text
    assert "Works that came as files were added (w.jsonl.gz: 1 records)." in text


@given(st.lists(st.text()), st.integers(60, 400))
def test_no_line_of_the_picture_is_wider_than_its_box(lines: list[str], width: int) -> None:
    broken = _wrapped(lines, width)
    assert all(_ems(line) * 14 <= width for line in broken if len(line.strip()) > 1)
    bare = [letter for line in lines for letter in line if letter not in " \u2003"]
    assert [c for line in broken for c in line if c not in " \u2003"] == bare


def test_odd_names_are_still_xml(tmp_path: Path) -> None:
    with mined(tmp_path).connect() as db:
        found = account(db)
    odd = dataclasses.replace(found, excluded={"a\x0b\x00<&\ud800" + "W" * 99: 1})
    ET.fromstring(flow_svg(odd, title="\x1b"))


def test_the_paragraph_names_question_dates_and_counts(tmp_path: Path) -> None:
    corpus = mined(tmp_path / "s")
    (tmp_path / "p.toml").write_text(PROTOCOL)
    with corpus.connect() as db:
        text = methods(account(db), load(tmp_path / "p.toml"), version="0.1.0", now=NOW)
    for part in ("Imaging (T1)", "2015-2026", "5 records named 4 works (1 duplicates)", "0.1.0"):
        assert part in text


def test_the_command_writes_all_four(tmp_path: Path) -> None:
    mined(tmp_path / "s")
    command = [sys.executable, "-m", "cats", "export", "-C", str(tmp_path / "s")]
    subprocess.run([*command, "--prisma", str(tmp_path / "out")], check=True, capture_output=True)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"prisma.svg", "prisma.json", "coverage.csv", "methods.txt"}
    assert json.loads((tmp_path / "out" / "prisma.json").read_text())["included"] == 3


def test_the_command_shows_coverage(tmp_path: Path) -> None:
    works = [work("W1", publisher="Elsevier", abstract=None), work("W2", publisher="Springer")]
    survey(tmp_path, works)
    command = [sys.executable, "-m", "cats", "status", "-C", str(tmp_path), "--coverage"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "50.0 [9.5-90.5]" in shown  # Wilson for 1 of 2
    assert "Elsevier" in shown
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    rows = {(row["by"], row["group"]): row for row in json.loads(done.stdout)}
    assert rows["publisher", "Elsevier"]["with_abstract"] == 0
    assert rows["year", "2020"]["n"] == 2


def test_a_work_that_two_stages_leave_out_counts_once(tmp_path: Path) -> None:
    corpus = mined(tmp_path)
    with corpus.journal() as journal:
        journal.screen("people", [("W3", False, "off topic")], now=NOW + timedelta(1))
    with corpus.connect() as db:
        found = account(db)
    assert found.excluded == {"no abstract": 1}
    assert found.screened - sum(found.excluded.values()) == found.included
