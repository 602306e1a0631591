from pathlib import Path

import pytest
from builders import NOW, survey, use, work

import data
from data.corpus import Corpus
from data.cube import survey_cube
from data.errors import InputError
from data.publish import Published, publish
from data.records import Passage, Use

TEXT = "A sentence that belongs to somebody."


def one(path: Path) -> Corpus:
    corpus = survey(path, [work("W1", title="A title", abstract=TEXT), work("W2", abstract=None)])
    corpus.append(Use, [use("W1", evidence=TEXT, also=(TEXT,))], name="u")
    full = Passage(work_id="W1", section="methods", order=0, text=TEXT, origin="jats")
    corpus.append(Passage, [full], name="p")
    with corpus.journal() as journal:
        journal.annotated_done("r1", "test@1", [("W1", "h", False), ("W2", "h", False)], now=NOW)
    return corpus


def test_what_is_given_away_has_the_uses_and_no_text(tmp_path: Path) -> None:
    corpus, out = one(tmp_path / "s"), tmp_path / "out"
    assert publish(corpus, out) == Published(2, 1)
    given = Corpus(out)
    assert [work.title for work in given.works()] == ["A title", "A title"]
    (found,), (kept,) = given.uses(), corpus.uses()
    assert (found.dataset, found.role, found.start, found.end) == ("ImageNet", "source", 0, 8)
    assert (found.evidence, found.also, found.surface) == ("", (), kept.surface)
    assert all(work.abstract is None for work in given.works())
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    parts = ["uses/published.parquet", "works/published.parquet"]
    assert names == ["journal.db", "protocol.toml", "told.parquet", *parts]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(InputError, match="choose an empty folder"):
        publish(one(tmp_path / "s"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_the_open_survey_counts_and_is_left_as_it_is() -> None:
    folder = Path(data.__file__).parent / "pmlr"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    before = [path.read_bytes() for path in files]
    corpus = Corpus(folder)
    with corpus.connect() as db:
        cube = survey_cube(db)
    assert cube.n_papers > 1_000
    assert cube.groups["modality"].has(("mri",)).sum() > 100
    assert all(work.abstract is None for work in corpus.works())
    assert not any(use.evidence or use.also for use in corpus.uses())
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == files
    assert [path.read_bytes() for path in files] == before
