import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data.catalogue import load
from data.sample import TRUTH, WORKS, generate


@pytest.fixture(scope="module")
def works() -> list[dict[str, Any]]:
    with gzip.open(WORKS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    return [json.loads(line) for line in TRUTH.read_text(encoding="utf-8").splitlines()]


def test_the_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    generate.write(tmp_path)
    assert (tmp_path / WORKS.name).read_bytes() == WORKS.read_bytes()
    assert (tmp_path / TRUTH.name).read_bytes() == TRUTH.read_bytes()


def test_it_has_600_works_of_each_year_from_2015_to_2026(works: list[dict[str, Any]]) -> None:
    assert len(works) >= 600
    assert {work["publication_year"] for work in works} == set(range(2015, 2027))
    assert len({work["id"] for work in works}) == len(works)


def test_every_wart_is_there(works: list[dict[str, Any]]) -> None:
    texts = [json.dumps(work, ensure_ascii=False) for work in works]
    assert sum(work["abstract_inverted_index"] is None for work in works) >= 20
    for wart in ("&amp;", "&lt;i&gt;", "<i>", "<b>", "<sub>", "\u2013", "\u2011", "\ufb01"):
        assert any(wart in text for text in texts), wart
    assert {work["language"] for work in works} >= {"en", "de", "fr", "es", "zh"}
    assert sum(work["is_retracted"] for work in works) == 2
    assert any(work["title"] is None for work in works)
    assert any(work["doi"] is None for work in works)
    assert any(not work["authorships"] for work in works)
    assert any(
        work["authorships"] and not any(person["countries"] for person in work["authorships"])
        for work in works
    )
    assert {"editorial", "dataset"} <= {work["type"] for work in works}
    assert any(work["primary_location"] is None for work in works)


def test_some_preprints_have_a_published_version(works: list[dict[str, Any]]) -> None:
    titles = Counter(work["title"] for work in works if work["language"] == "en")
    twins = {title for title, count in titles.items() if title and count == 2}
    kinds = {title: {work["type"] for work in works if work["title"] == title} for title in twins}
    assert sum(kind == {"preprint", "article"} for kind in kinds.values()) >= 5


def test_no_abstract_stands_twice(works: list[dict[str, Any]]) -> None:
    abstracts = Counter(
        json.dumps(work["abstract_inverted_index"], sort_keys=True)
        for work in works
        if work["abstract_inverted_index"]
    )
    assert abstracts.most_common(1)[0][1] == 1


def test_positions_of_an_abstract_are_whole(works: list[dict[str, Any]]) -> None:
    for work in works:
        places = [p for ps in (work["abstract_inverted_index"] or {}).values() for p in ps]
        assert sorted(places) == list(range(len(places)))


def test_no_text_has_a_gap_left(works: list[dict[str, Any]]) -> None:
    for work in works:
        words = " ".join(work["abstract_inverted_index"] or {}) + (work["title"] or "")
        assert "{" not in words
        assert "}" not in words
        assert "TODO" not in words


def test_truth_speaks_of_every_work_in_catalogue_ids(
    works: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    assert [said["id"] for said in truth] == [work["id"].rsplit("/", 1)[1] for work in works]
    known = load().datasets
    assert {use["dataset"] for said in truth for use in said["uses"]} <= set(known)


def test_no_paper_uses_a_dataset_of_a_later_year(
    works: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    known = load().datasets  # dated by their papers, which follow the data by up to two years
    for work, said in zip(works, truth, strict=True):
        for use in said["uses"]:
            first = known[use["dataset"]].year
            assert first is None or first <= work["publication_year"] + 2, (work["id"], use)


def test_a_missing_abstract_says_nothing(
    works: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    for work, said in zip(works, truth, strict=True):
        if work["abstract_inverted_index"] is None:
            assert said == {"id": said["id"], "uses": [], "from_scratch": False}


def test_named_uses_stand_in_the_text(
    works: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    for work, said in zip(works, truth, strict=True):
        places = (work["abstract_inverted_index"] or {}).items()
        text = " ".join(word for _, word in sorted((p, word) for word, ps in places for p in ps))
        for use in said["uses"]:
            assert use["implied"] or use["dataset"] in text, (work["id"], use)
