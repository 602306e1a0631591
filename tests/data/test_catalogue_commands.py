import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from builders import candidate, survey, use, work

from data.corpus import Corpus
from data.records import Candidate
from miner.replay import serve

_ROOT = Path(__file__).resolve().parents[2]


def cats(
    *arguments: str, cwd: Path = _ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    paths = {"PYTHONPATH": f"{_ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.run(
        [sys.executable, "-m", "cats", "catalogue", *arguments],
        cwd=cwd,
        env=os.environ | paths | environment,
        check=False,
        capture_output=True,
        text=True,
    )


def with_candidates(path: Path) -> Corpus:
    corpus = survey(path, [work("W1"), work("W2", year=2018)], [use()])
    rows = [candidate("W1", "FooBar"), candidate("W2", "Foo-Bar"), candidate("W2", "Baz", "source")]
    corpus.append(Candidate, rows, name="r1")
    return corpus


def rows_of(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_candidates_in_each_form(tmp_path: Path) -> None:
    with_candidates(tmp_path)
    place = ("-C", str(tmp_path))
    done = cats("candidates", *place, "--csv")
    first, second = rows_of(done.stdout)
    assert (first["name"], first["papers"], first["first_year"]) == ("Foo-Bar", "2", "2018")
    assert (second["name"], second["role"], second["evidence"]) == ("Baz", "source", "Baz is used.")
    assert "2 names" in done.stderr
    assert [row["name"] for row in json.loads(cats("candidates", *place, "--json").stdout)] == [
        "Foo-Bar",
        "Baz",
    ]
    assert "Foo-Bar" in cats("candidates", *place).stdout
    assert len(rows_of(cats("candidates", *place, "--csv", "--top", "1").stdout)) == 1
    assert cats("candidates", *place, "--csv", "--json").returncode == 3
    assert cats("candidates", "-C", str(tmp_path / "none")).returncode == 3


def test_what_is_added_is_shown_listed_and_no_candidate_any_more(tmp_path: Path) -> None:
    with_candidates(tmp_path)
    place = ("-C", str(tmp_path))
    options = ["--alias", "Foo-Bar", "--domain", "radiology", "--modality", "ct", "--year", "2018"]
    done = cats("add", "FooBar", *place, *options, "--paper", "arXiv:1801.00001")
    assert done.returncode == 0, done.stderr
    shown = json.loads(cats("show", "foo bar", *place, "--json").stdout)
    assert (shown["id"], shown["papers"], shown["own"]) == ("FooBar", ["arXiv:1801.00001"], True)
    assert [row["id"] for row in rows_of(cats("list", *place, "--own", "--csv").stdout)] == [
        "FooBar"
    ]
    names = [row["name"] for row in rows_of(cats("candidates", *place, "--csv").stdout)]
    assert names == ["Baz"]
    again = cats("add", "FooBar", *place)
    assert again.returncode == 3
    assert "already on line 2" in again.stderr
    homonym = cats("add", "MOSTLY", *place, "--context", "hand", "--context", "finger")
    assert homonym.returncode == 0, homonym.stderr
    shown = json.loads(cats("show", "MOSTLY", *place, "--json").stdout)
    assert (shown["ambiguous"], shown["context"]) == (["MOSTLY"], ["hand", "finger"])


def test_the_packaged_catalogue_needs_no_survey(tmp_path: Path) -> None:
    done = cats("list", "--domain", "pathology", "--csv", cwd=tmp_path)
    found = rows_of(done.stdout)
    assert {row["domain"] for row in found} == {"pathology"}
    assert "CAMELYON16" in {row["id"] for row in found}
    shown = cats("show", "Image-Net", cwd=tmp_path)
    assert "W2108598243;W2117539524" in shown.stdout
    missing = cats("show", "CheXprt", cwd=tmp_path)
    assert missing.returncode == 3
    assert "'CheXpert'" in missing.stderr


def test_papers_are_looked_up_once_and_then_speak(tmp_path: Path) -> None:
    survey(tmp_path, [work("W1", references=("W7",))], [use("W1", "FooBar")])
    place = ("-C", str(tmp_path))
    cats("add", "FooBar", *place, "--paper", "doi:10.5555/foo")
    works = [{"id": "https://openalex.org/W7", "doi": "https://doi.org/10.5555/foo"}]
    with serve(works) as (url, _):
        done = cats("resolve", *place, "--json", "--rate", "2000", CATS_OPENALEX_URL=url)
        assert done.returncode == 0, done.stderr
        first = json.loads(done.stdout)
        again = cats("resolve", *place, "--json", CATS_OPENALEX_URL=url)
    assert first["found"] == 1
    assert first["unknown"] > 500
    assert json.loads(again.stdout)["before"] == first["found"] + first["unknown"]
    (row,) = json.loads(cats("cited", *place, "--json").stdout)
    assert (row["dataset"], row["both"], row["cited only"]) == ("FooBar", 1, 0)
