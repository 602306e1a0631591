import json
from pathlib import Path

import pytest

from annotate.gold import read_labels, with_texts
from annotate.open_gold import without_text
from data.errors import InputError
from data.records import Passage

GOLD = Path(__file__).parents[2] / "data" / "gold"
SHARED = Path(__file__).parents[3] / "shared"
TEXT = "ImageNet is the norm. We pretrain on ImageNet."


def passages(text: str) -> list[Passage]:
    return [Passage(work_id="a", section="abstract", order=0, text=text, origin="t")]


def test_a_use_points_to_its_words_in_its_sentence() -> None:
    use = {
        "dataset": "ImageNet",
        "role": "source",
        "implied": False,
        "surface": "ImageNet",
        "evidence": "We pretrain on ImageNet.",
    }
    line = without_text({"id": "a", "uses": [use], "from_scratch": True}, passages(TEXT))
    (kept,) = line["uses"]
    assert TEXT[kept["start"] : kept["end"]] == "ImageNet"
    assert kept["start"] == TEXT.rindex("ImageNet")
    assert "surface" not in kept
    assert "evidence" not in kept


def test_words_that_are_not_there_are_told() -> None:
    use = {"dataset": "BraTS", "role": "target", "implied": False, "surface": "BraTS"}
    with pytest.raises(InputError, match="'BraTS' is not in the text"):
        without_text({"id": "a", "uses": [use]}, passages(TEXT))


def test_the_open_labels_hold_no_text() -> None:
    fields = {"dataset", "role", "implied", "section", "start", "end"}
    for path in sorted(GOLD.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            paper = json.loads(line)
            assert set(paper) <= {"id", "url", "annotators", "from_scratch", "uses"}
            assert all(set(use) == fields for use in paper["uses"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
@pytest.mark.parametrize("name", ["abstracts", "held_out_a", "more_abstracts"])
def test_the_open_labels_find_their_words_again(name: str) -> None:
    texts = [SHARED / "corpus" / "pmlr_medical.jsonl"]
    papers, missing = with_texts(read_labels(GOLD / f"{name}.jsonl"), texts)
    assert not missing
    for paper in papers:
        for use in paper.uses:
            assert 0 <= use["start"] < use["end"]
            assert use["surface"] == use["surface"].strip() != ""
