import json
from pathlib import Path
from typing import Any

import pytest

from annotate.gold import in_both, labels, read_labels, with_texts
from data.catalogue import load
from data.errors import InputError

USE = {"dataset": "BraTS", "role": "target", "implied": False, "surface": "BraTS"}


def written(path: Path, *papers: Any) -> Path:
    path.write_text("".join(json.dumps(paper) + "\n" for paper in papers), encoding="utf-8")
    return path


def test_labels_without_text_take_it_from_another_file(tmp_path: Path) -> None:
    gold = written(
        tmp_path / "gold",
        {"id": "a", "uses": [USE]},
        {"id": "b", "uses": []},
        {"id": "c", "title": "Own title", "uses": []},
        {"id": "d", "title": None, "abstract": "", "uses": []},
    )
    first = written(tmp_path / "t1", {"id": "a", "title": "A", "abstract": "We use BraTS."})
    second = written(tmp_path / "t2", {"id": "a", "title": "Later"}, {"id": "c", "title": "Other"})
    papers, missing = with_texts(read_labels(gold), [first, second])
    assert missing == ["b"]
    assert [(paper.id, paper.title) for paper in papers] == [
        ("a", "A"),
        ("c", "Own title"),
        ("d", None),
    ]
    assert [passage.text for passage in papers[0].passages or ()] == ["A", "We use BraTS."]


def test_labels_without_any_text_ask_for_it(tmp_path: Path) -> None:
    gold = written(tmp_path / "gold", {"id": "a", "uses": []})
    with pytest.raises(InputError, match="--texts"):
        with_texts(read_labels(gold), [])


def test_a_text_without_words_is_no_text(tmp_path: Path) -> None:
    gold = written(
        tmp_path / "gold", {"id": "a", "uses": []}, {"id": "b", "title": "B", "uses": []}
    )
    texts = written(tmp_path / "texts", {"id": "a", "title": None})
    assert with_texts(read_labels(gold), [texts])[1] == ["a"]


@pytest.mark.parametrize(
    "uses",
    [
        None,
        {"dataset": "BraTS"},
        [3],
        [USE | {"role": "sourse"}],
        [USE | {"dataset": None}],
        [{"dataset": "BraTS", "role": "target"}],
        [USE | {"implied": "no"}],
    ],
)
def test_uses_of_another_shape_name_the_record(tmp_path: Path, uses: Any) -> None:
    gold = written(tmp_path / "gold", {"id": "p7", "title": "T", "uses": uses})
    with pytest.raises(InputError, match="as in the codebook") as caught:
        read_labels(gold)
    assert caught.value.record == "p7"


def test_a_paper_labelled_twice_is_told(tmp_path: Path) -> None:
    gold = written(tmp_path / "gold", {"id": "a", "uses": []}, {"id": "a", "uses": []})
    with pytest.raises(InputError, match="twice"):
        read_labels(gold)


def test_papers_of_two_people_are_met_by_id(tmp_path: Path) -> None:
    one = read_labels(written(tmp_path / "1", *({"id": n, "uses": []} for n in "abc")))
    two = read_labels(written(tmp_path / "2", *({"id": n, "uses": []} for n in "cxb")))
    pairs, alone = in_both(one, two)
    assert [(a.id, b.id) for a, b in pairs] == [("b", "b"), ("c", "c")]
    assert alone == ["a", "x"]
    with pytest.raises(InputError, match="share no id"):
        in_both(one[:1], two[1:2])


def test_names_are_compared_by_catalogue_id() -> None:
    use = {"role": "source", "implied": False}
    spelled = labels([use | {"dataset": "ILSVRC 2012"}, use | {"dataset": "My Set"}], load())
    assert {one.dataset for one in spelled} == {"ImageNet", "myset"}


def test_a_label_knows_its_images_and_whether_its_words_are_a_homonym() -> None:
    def label(dataset: str, surface: str | None) -> tuple[Any, Any]:
        use = {"dataset": dataset, "role": "target", "implied": False, "surface": surface}
        (only,) = labels([use], load())
        return only.images, only.ambiguous

    assert label("CUB-200-2011", "CUB") == ("natural", True)
    assert label("CUB-200-2011", "CUB-200-2011") == ("natural", False)
    assert label("CheXpert", "CheXpert") == ("medical", False)
    assert label("CheXpert", None) == ("medical", None)
    assert label("My Set", "My Set") == (None, False)
