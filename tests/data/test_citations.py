from pathlib import Path

import pytest
from builders import NOW, survey, use, work

from data.catalogue import add, load, own_table
from data.citations import (
    dataset_papers,
    doi_of,
    dois_of,
    looked_up_path,
    papers_of,
    read_looked_up,
    works_by_doi,
    write_looked_up,
)
from data.errors import InputError
from data.records import Work, to_table


@pytest.mark.parametrize(
    ("citation", "doi"),
    [
        ("doi:10.1038/SDATA.2018.161", "10.1038/sdata.2018.161"),
        ("arXiv:1405.0312", "10.48550/arxiv.1405.0312"),
        ("arXiv:cs/0102003", "10.48550/arxiv.cs/0102003"),
        ("https://cocodataset.org", None),
    ],
)
def test_a_citation_has_a_doi_unless_it_is_an_address(citation: str, doi: str | None) -> None:
    assert doi_of(citation) == doi


def test_a_work_goes_by_its_doi_and_by_its_links() -> None:
    works = [
        work("W1", doi="10.1/a"),
        work("W2", links=("doi:10.1/b", "pmid:7")),
        work("W3", links=("arxiv:1405.0312",)),
        work("W4", doi="10.1/other"),
    ]
    wanted = ["10.1/a", "10.1/b", "10.48550/arxiv.1405.0312", "10.1/none"]
    assert works_by_doi(to_table(Work, works), wanted) == {
        "10.1/a": "W1",
        "10.1/b": "W2",
        "10.48550/arxiv.1405.0312": "W3",
    }


def test_ids_of_the_table_and_of_its_dois_are_all_kept() -> None:
    rows = papers_of(load(), {"10.48550/arxiv.1409.0575": "W9"}).to_pylist()
    ids = {row["work_id"] for row in rows if row["dataset"] == "ImageNet"}
    assert ids == {"W2108598243", "W2117539524", "W9"}


def test_one_paper_may_present_several_datasets() -> None:
    known = load()
    shared = doi_of(known.datasets["ChestX-ray8"].papers[0])
    assert shared is not None
    rows = papers_of(known, {shared: "W5"}).to_pylist()
    assert {row["dataset"] for row in rows if row["work_id"] == "W5"} >= {"ChestX-ray8"}


def test_what_was_looked_up_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dataset_papers.csv"
    assert read_looked_up(path) == {}
    found = {'10.1/a,"b': ("W1", "2026-01-01"), "10.1/c": ("", "2026-01-02")}
    write_looked_up(path, found)
    assert read_looked_up(path) == found


def test_another_table_in_its_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dataset_papers.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="expected paper,openalex,looked_up"):
        read_looked_up(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_looked_up(path)


def test_a_survey_knows_papers_from_three_places(tmp_path: Path) -> None:
    doi = dois_of(load())[0]
    corpus = survey(tmp_path, [work("W1", doi=doi), work("W2", doi="10.5555/foo")], [use()])
    own = {"id": "FooBar", "name": "FooBar", "domain": "radiology", "modality": "ct"}
    add(own_table(tmp_path), own | {"paper": "doi:10.5555/foo;doi:10.5555/bar", "openalex": "W4"})
    asked = {"10.5555/bar": ("W3", str(NOW)), "10.48550/arxiv.1405.0312": ("", str(NOW))}
    write_looked_up(looked_up_path(tmp_path), asked)
    with corpus.connect() as db:
        rows = {(row["dataset"], row["work_id"]) for row in dataset_papers(db).to_pylist()}
    assert {("FooBar", f"W{n}") for n in (2, 3, 4)} <= rows
    assert ("COCO", "W1861492603") in rows
    assert any(work_id == "W1" for _, work_id in rows)
    assert not any(work_id == "" for _, work_id in rows)


def test_a_row_added_since_is_seen(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work("W1")], [use()])
    cells = {"domain": "radiology", "modality": "ct", "openalex": "W4"}
    for name in ("FooBar", "Baz"):
        add(own_table(tmp_path), cells | {"id": name, "name": name})
        with corpus.connect() as db:
            assert name in dataset_papers(db)["dataset"].to_pylist()
