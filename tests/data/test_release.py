import csv
import json
import re
import shutil
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from builders import NOW, decision, survey, use, work

from data.corpus import Corpus
from data.cube import Selection, survey_cube
from data.errors import InputError
from data.gold_sample import survey_labels
from data.records import Passage, Use, Work
from data.release import SUMS, Release, check, release
from data.trends import shares

TEXT = "We pre-train on ImageNet and test on BraTS, an MRI set; a sentence that is somebody's."


def small(path: Path) -> Corpus:
    works = [
        work("W1", title="On $100 & <b>", abstract=TEXT, year=2020, authors=("A, \u0107",)),
        work("W2", abstract="CT of the liver.", year=2021, countries=("US", "DE")),
        work("W3", abstract=None, year=None),
    ]
    uses = [
        use("W1", start=16, end=24, evidence=TEXT, also=(TEXT,)),
        use("W1", "BraTS", "target", start=37, end=42, evidence=TEXT),
    ]
    corpus = survey(path, works, uses)
    full = Passage(work_id="W2", section="methods", order=0, text=TEXT, origin="jats")
    corpus.append(Passage, [full], name="p")
    with corpus.journal() as journal:
        journal.decide([decision("a", "accept", work_id="W1", note=TEXT)])
    return corpus


def released(tmp_path: Path, *, later: int = 0) -> tuple[Path, Release]:
    if not (tmp_path / "s").exists():
        small(tmp_path / "s")
    out = tmp_path / f"r{later}"
    now = NOW + timedelta(days=later)
    return out, release(Corpus(tmp_path / "s"), out, now=now, version="0.1.0")


def test_a_release_holds_all_that_a_reader_needs(tmp_path: Path) -> None:
    out, done = released(tmp_path)
    here = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert here >= {
        "README.md",
        "CITATION.cff",
        "SHA256SUMS",
        "croissant.json",
        "datapackage.json",
        "dictionary.csv",
        "figures/most-used-sources-abstract.svg",
        "figures/sources-by-year-abstract.svg",
        "journal.db",
        "papers.bib",
        "prisma/methods.txt",
        "prisma/prisma.svg",
        "protocol.toml",
        "tables/claims.csv",
        "tables/claims.parquet",
        "tables/decisions.csv",
        "tables/shares.csv",
        "tables/works.parquet",
        "works/published.parquet",
    }
    assert (done.works, done.uses) == (3, 2)
    assert check(out) == done.id
    assert done.id in (out / "README.md").read_text()


def test_a_release_holds_no_sentence_of_anybody(tmp_path: Path) -> None:
    out, _ = released(tmp_path)
    for path in out.rglob("*"):
        if path.is_file():
            assert b"a sentence that is somebody" not in path.read_bytes(), path.name


def test_a_release_counts_what_the_survey_counts(tmp_path: Path) -> None:
    out, _ = released(tmp_path)
    for by in ("year", "modality", "organ", "country"):
        frames = []
        for path in (tmp_path / "s", out):
            with Corpus(path).connect() as db:
                frames.append(shares(survey_cube(db), by=by, where=Selection()))
        pd.testing.assert_frame_equal(frames[0], frames[1])
    told = pd.read_parquet(out / "tables" / "topics.parquet").set_index("work_id")
    assert list(told.loc["W1", "modality"]) == ["mri"]
    assert list(told["full_text"]) == [False, True, False]


def test_the_id_is_of_the_content_not_of_the_day(tmp_path: Path) -> None:
    (_, first), (_, second) = released(tmp_path), released(tmp_path, later=3)
    assert first.id == second.id
    Corpus(tmp_path / "s").append(Work, [work("W9")], name="more")
    assert released(tmp_path, later=4)[1].id != first.id


def test_a_release_is_never_overwritten(tmp_path: Path) -> None:
    out, _ = released(tmp_path)
    before = (out / SUMS).read_bytes()
    with pytest.raises(InputError, match="never overwritten"):
        release(Corpus(tmp_path / "s"), out, now=NOW, version="0.1.0")
    assert (out / SUMS).read_bytes() == before
    with pytest.raises(InputError, match="a release already"):
        release(Corpus(out), tmp_path / "again", now=NOW, version="0.1.0")
    assert not list(tmp_path.glob(".partial-*"))


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path / "s")
    monkeypatch.setattr("data.release.flow_svg", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        released(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("name", ["tables/shares.csv", "journal.db", "works/published.parquet"])
def test_a_changed_file_is_noticed(tmp_path: Path, name: str) -> None:
    out, _ = released(tmp_path)
    (out / name).write_bytes((out / name).read_bytes() + b" ")
    with pytest.raises(InputError, match=f"{name} was changed"):
        check(out)


def test_lost_added_and_rewritten_files_are_noticed(tmp_path: Path) -> None:
    out, _ = released(tmp_path)
    (out / "papers.bib").unlink()
    (out / "uses" / "mine.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"papers.bib is missing; uses/mine.parquet was added"):
        check(out)


def test_new_sums_do_not_hide_another_content(tmp_path: Path) -> None:
    import hashlib

    out, _ = released(tmp_path)
    table = out / "tables" / "shares.csv"
    before = hashlib.sha256(table.read_bytes()).hexdigest()
    table.write_text(table.read_text().replace("ImageNet", "MyDataset"))
    after = hashlib.sha256(table.read_bytes()).hexdigest()
    (out / SUMS).write_text((out / SUMS).read_text().replace(before, after))
    with pytest.raises(InputError, match="its content is not that of 'cats-"):
        check(out)


def test_no_release_is_told_as_such(tmp_path: Path) -> None:
    small(tmp_path / "s")
    with pytest.raises(InputError, match="not a released snapshot"):
        check(tmp_path / "s")


def test_a_release_is_read_and_never_written(tmp_path: Path) -> None:
    out, done = released(tmp_path)
    for path in [out, *out.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    corpus = Corpus(out)
    with corpus.connect() as db:
        assert db.sql("SELECT count(*) FROM decisions").fetchall() == [(1,)]
    with pytest.raises(InputError, match="nothing may change"):
        corpus.journal()
    with pytest.raises(InputError, match="nothing may change"):
        corpus.append(Use, [use()], name="mine")
    assert check(out) == done.id
    for path in [out, *out.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_tables_are_what_the_descriptors_say(tmp_path: Path) -> None:
    out, _ = released(tmp_path)
    package = json.loads((out / "datapackage.json").read_text())
    for resource in package["resources"]:
        with (out / resource["path"]).open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file))
        assert header == [field["name"] for field in resource["schema"]["fields"]]
        assert all(field["description"] for field in resource["schema"]["fields"]), resource["name"]
    sets = json.loads((out / "croissant.json").read_text())["recordSet"]
    assert [each["@id"] for each in sets] == [f"{r['name']}-rows" for r in package["resources"]]


def test_frictionless_accepts_the_package(tmp_path: Path) -> None:
    frictionless = pytest.importorskip("frictionless", reason="frictionless is not installed")
    out, _ = released(tmp_path)
    report = frictionless.Package(str(out / "datapackage.json")).validate()
    assert report.valid, report.flatten(["title", "fieldName", "note"])


def test_figures_are_svg_with_their_n(tmp_path: Path) -> None:
    out, _ = released(tmp_path)
    for path in (out / "figures").glob("*.svg"):
        words = "".join(ET.parse(path).getroot().itertext())
        assert "n = " in words


def test_bibtex_escapes_what_latex_would_read(tmp_path: Path) -> None:
    out, _ = released(tmp_path)
    text = (out / "papers.bib").read_text(encoding="utf-8")
    assert r"title = {{On \$100 \& <b>}}" in text
    assert len(re.findall(r"^@\w+\{W\d,$", text, flags=re.MULTILINE)) == 3


def test_the_sample_says_so(tmp_path: Path) -> None:
    from data.sample import LABEL

    small(tmp_path / "s")
    protocol = tmp_path / "s" / "protocol.toml"
    protocol.write_text(protocol.read_text().replace("A test", LABEL))
    out, _ = released(tmp_path)
    assert LABEL in (out / "README.md").read_text()
    assert LABEL in (out / "figures" / "most-used-sources-abstract.svg").read_text()
    shutil.rmtree(out)


def test_shares_of_a_release_are_corrected_as_the_surveys(tmp_path: Path) -> None:
    n = 40
    works = [work(f"W{i}", abstract=TEXT, year=2020) for i in range(n)]
    uses = [use(f"W{i}", start=16, end=24, evidence=TEXT) for i in range(n // 2)]
    corpus = survey(tmp_path / "s", works, uses)
    # The annotator is wrong in every fourth of its papers; two people have read them all.
    told = {"queue": "gold", "blind": True, "proposed_dataset": None, "proposed_role": None}
    with corpus.journal() as journal:
        journal.set_frame([(f"W{i}", "all", i) for i in range(n)], n=n, seed=0, now=NOW)
        for who in ("ann", "bob"):
            for i in range(n):
                of = told | {"work_id": f"W{i}", "reviewer": who}
                found = {"dataset": "ImageNet", "role": "source"}
                is_used = i < n // 2 and i % 4
                added = [decision(f"{who}{i}", "add", **of, **found)] if is_used else []
                journal.decide([*added, decision(f"{who}{i}done", "done", **of)])
    out, _ = released(tmp_path)
    rows = pd.read_csv(out / "tables" / "shares.csv")
    row = rows[(rows["by"] == "all") & (rows["dataset"] == "ImageNet")].iloc[0]
    assert row["corrected"] == pytest.approx(15 / n)
    with corpus.connect() as db:
        asked = shares(survey_cube(db), by="all", gold=survey_labels(db))
    assert row["corrected_low"] == pytest.approx(asked["corrected_low"].iloc[0])
