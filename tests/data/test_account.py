import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from builders import NOW, PROTOCOL, survey, use, work

from data.account import account, methods
from data.corpus import Corpus
from data.flow import flow_svg
from data.journal import Checkpoint
from data.protocol import load
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
    texts = [element.text or "" for element in ET.fromstring(picture).iter()]
    for line in ("A & B", "Records identified: 5", "cites <ImageNet>: 2", "Works included: 3"):
        assert line in texts


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
