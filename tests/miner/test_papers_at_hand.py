import itertools
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, survey
from papers import open_work, pdf

from data.corpus import Corpus
from data.errors import InputError
from miner.papers_at_hand import Taken, take_folder
from miner.replay_fulltext import jats, latexml, tei

WORKS = [
    open_work(1, doi="10.1000/a.b/c", links=("pmcid:PMC1",)),
    open_work(2, links=("arxiv:2101.00002",)),
    open_work(3, title="A study of pneumonia detection by pretrained networks", links=()),
    open_work(4, title="Twice the same title of a longer paper on networks", links=()),
    open_work(5, title="Twice the same title of a longer paper on networks", links=()),
    open_work(6, links=()),
]


def folder(tmp_path: Path, **files: bytes) -> Path:
    place = tmp_path / "papers"
    place.mkdir(exist_ok=True)
    for name, body in files.items():
        (place / name).write_bytes(body)
    return place


_SECONDS = itertools.count()


def taken(corpus: Corpus, place: Path) -> Taken:
    """Each call is later than the one before."""
    return take_folder(corpus, place, clock=lambda: NOW + timedelta(seconds=next(_SECONDS)))


def origins(corpus: Corpus) -> dict[str, int]:
    rows = corpus.table("SELECT work_id, count(*) AS n FROM passages GROUP BY work_id").to_pylist()
    return {row["work_id"]: row["n"] for row in rows}


def rejects(counts: Taken) -> dict[str, str]:
    assert counts.listed is not None
    lines = counts.listed.read_text(encoding="utf-8").splitlines()
    return {Path(row["file"]).name: row["reason"] for row in map(json.loads, lines)}


@pytest.mark.parametrize(
    ("name", "work_id"),
    [
        ("W1.xml", "W1"),
        ("w6.txt", "W6"),
        ("10.1000_a.b_c.xml", "W1"),
        ("10.1000_A.B_C", "W1"),
        ("PMC1.nxml", "W1"),
        ("2101.00002.html", "W2"),
        ("2101.00002v3.tex", "W2"),
    ],
)
def test_a_file_is_matched_by_its_name(tmp_path: Path, name: str, work_id: str) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    counts = taken(corpus, folder(tmp_path, **{name: b"Methods\n\nWe used CheXpert."}))
    assert (counts.works, counts.rejects, list(origins(corpus))) == (1, 0, [work_id])


def test_every_format_is_read(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    latex = rb"\documentclass{a}\begin{document}\section{Methods}We did.\end{document}"
    files = {
        "W1.xml": jats(WORKS[0]),
        "W2.html": latexml(WORKS[1]),
        "W3.xml": tei(WORKS[2]),
        "W4.tex": latex,
        "W5.pdf": pdf([["1 Methods", "We used CheXpert."]]),
        "W6.txt": b"Methods\n\nWe did.",
    }
    counts = taken(corpus, folder(tmp_path, **files))
    assert (counts.works, counts.rejects) == (6, 0)
    assert set(origins(corpus)) == {work.id for work in WORKS}
    rows = corpus.table("SELECT DISTINCT section FROM passages WHERE work_id = 'W5'").to_pylist()
    assert rows == [{"section": "methods"}]


def test_a_title_matches_only_if_it_is_one_works(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    near = open_work(9, title="A study of pneumonia detection by pretrained network ensembles")
    files = {"one.xml": jats(WORKS[2]), "twice.xml": jats(WORKS[3]), "near.xml": jats(near)}
    counts = taken(corpus, folder(tmp_path, **files))
    assert list(origins(corpus)) == ["W3"]
    assert set(rejects(counts)) == {"twice.xml", "near.xml"}
    assert "name the file by" in rejects(counts)["near.xml"]


def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    files = {
        "W1.xml": jats(WORKS[0])[:300],
        "W2.pdf": b"%PDF-1.4 nonsense",
        "W3.bin": b"\0\1\2\xff",
        "W4.txt": b"",
        "W6.xml": jats(WORKS[5]),
    }
    counts = taken(corpus, folder(tmp_path, **files))
    assert (counts.files, counts.works, counts.rejects) == (5, 1, 4)
    assert set(rejects(counts)) == set(files) - {"W6.xml"}


def test_of_two_files_of_a_work_the_better_format_is_taken(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    files = {"PMC1.txt": b"Methods\n\nPlain.", "W1.xml": jats(WORKS[0])}
    counts = taken(corpus, folder(tmp_path, **files))
    assert rejects(counts) == {"PMC1.txt": "W1 has its text from W1.xml already"}
    assert origins(corpus) == {"W1": 4}


def test_the_same_folder_again_takes_nothing_and_a_changed_file_replaces(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    place = folder(tmp_path, **{"W1.xml": jats(WORKS[0]), "W2.txt": b"Methods\n\nWe did."})
    assert taken(corpus, place).works == 2
    again = taken(corpus, place)
    assert (again.works, again.known, again.rejects) == (0, 2, 0)
    (place / "W1.xml").write_bytes(b"Methods\n\nShort.")
    assert taken(corpus, place).works == 1
    assert origins(corpus) == {"W1": 1, "W2": 1}


def test_a_work_that_is_not_included_is_no_match(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    with corpus.journal() as journal:
        journal.screen("title", [("W6", False, "off topic")], now=NOW)
    counts = taken(corpus, folder(tmp_path, **{"W6.txt": b"Methods\n\nWe did."}))
    assert list(rejects(counts)) == ["W6.txt"]


def test_no_folder_and_no_files_are_told(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    for place, said in ((tmp_path / "nowhere", "no such folder"), (folder(tmp_path), "no file")):
        with pytest.raises(InputError, match=said):
            taken(corpus, place)


def test_the_command_lists_what_it_could_not_take(tmp_path: Path) -> None:
    corpus = survey(tmp_path / "s", WORKS)
    place = folder(tmp_path, **{"W1.xml": jats(WORKS[0]), "zebra.txt": b"Methods\n\nWe did."})
    command = [sys.executable, "-m", "cats", "fulltext", "-C", str(corpus.path)]
    done: Any = subprocess.run(
        [*command, "--from", str(place), "--json"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert json.loads(done.stdout)["works"] == 1
    assert "rejects/fulltext-" in done.stderr
    assert corpus.table("SELECT * FROM passages").num_rows == 4
