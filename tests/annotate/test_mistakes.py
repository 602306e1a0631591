import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.errors_page import errors_page, write_errors_page
from annotate.gold import Labelled
from annotate.mistakes import Mistake, mistakes
from data.catalogue import load
from data.errors import InputError
from data.records import Passage

CATALOGUE = load()


def use(dataset: str, role: str = "source", **more: Any) -> dict[str, Any]:
    plain = {"implied": False, "surface": dataset, "evidence": f"We use {dataset}.", "score": None}
    return {"dataset": dataset, "role": role} | plain | more


def paper(*uses: dict[str, Any], id: str = "p1", title: str = "T", text: str = "") -> Labelled:
    passage = Passage(work_id=id, section="abstract", order=0, text=text, origin="file")
    return Labelled(id, title, (passage,), uses)


def kinds(gold: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    return [one.kind for one in mistakes([paper(*gold)], [found], CATALOGUE)]


@pytest.mark.parametrize(
    ("gold", "found", "expected"),
    [
        ([use("ImageNet")], [use("ILSVRC 2012")], []),
        ([use("BraTS", "target")], [use("BraTS")], ["role confusion"]),
        ([use("BraTS", "target"), use("BraTS")], [use("BraTS")], ["role confusion"]),
        ([use("BraTS", "target")], [], ["missed name"]),
        ([], [use("BraTS", "target")], ["spurious"]),
        ([use("ImageNet", implied=True)], [], ["implied"]),
        ([], [use("ImageNet", implied=True)], ["implied"]),
        ([use("ImageNet")], [use("ImageNet", implied=True)], ["implied"]),
        ([use("A", surface="NIH 14")], [use("BraTS", surface="NIH-14 set")], ["wrong dataset"]),
        ([use("A"), use("B")], [use("BraTS", surface="B")], ["missed name", "wrong dataset"]),
        ([use("unspecified", implied=True)], [], ["unnamed source (I3)"]),
        ([], [use("unspecified", implied=True)], ["unnamed source (I3)"]),
    ],
)
def test_kinds(gold: list[Any], found: list[Any], expected: list[str]) -> None:
    assert sorted(kinds(gold, found)) == expected


def test_surest_come_first_and_misses_last() -> None:
    papers = [paper(use("ImageNet"), id="p0"), paper(id="p1"), paper(id="p2")]
    found = [[], [use("BraTS", score=0.6)], [use("BraTS", score=0.8), use("ADNI", score=0.7)]]
    assert [(one.paper.id, one.score) for one in mistakes(papers, found, CATALOGUE)] == [
        ("p2", 0.8),
        ("p2", 0.7),
        ("p1", 0.6),
        ("p0", None),
    ]


def page_of(*found: Mistake) -> str:
    return errors_page(found, annotator="x@1", gold="g.jsonl", n_papers=3)


def test_the_words_are_marked_where_they_were_found() -> None:
    text = "COCO is old. We test on COCO and not on COCO-Stuff."
    found = use(
        "COCO",
        "target",
        evidence="We test on COCO and not on COCO-Stuff.",
        section="abstract",
        start=24,
        end=28,
    )
    (mistake,) = mistakes([paper(text=text)], [[found]], CATALOGUE)
    assert "We test on <mark>COCO</mark> and not on COCO-Stuff." in page_of(mistake)


def test_labels_without_offsets_are_marked_at_their_first_place() -> None:
    (mistake,) = mistakes([paper(use("BraTS"))], [[]], CATALOGUE)
    page = page_of(mistake)
    assert "<blockquote>We use <mark>BraTS</mark>.</blockquote>" in page
    assert "<dd>nothing</dd>" in page


def test_a_label_that_rests_on_another_sentence_shows_it() -> None:
    gold = use("BraTS", "target", evidence="BraTS is our test.")
    (mistake,) = mistakes([paper(gold)], [[use("BraTS")]], CATALOGUE)
    page = page_of(mistake)
    assert "We use <mark>BraTS</mark>." in page
    assert "<mark>BraTS</mark> is our test." in page


def test_rule_model_and_strategy_are_shown_where_known() -> None:
    found = use("BraTS", model="ResNet", rule="from DD to XX", score=0.5, strategy=None)
    page = page_of(*mistakes([paper()], [[found]], CATALOGUE))
    assert "<dt>model</dt><dd>ResNet</dd>" in page
    assert "<dt>rule</dt><dd>from DD to XX</dd>" in page
    assert "strategy" not in page


def test_counts_come_first_by_kind() -> None:
    papers = [paper(use("BraTS"), id="p0"), paper(id="p1")]
    page = page_of(*mistakes(papers, [[], [use("BraTS")]], CATALOGUE))
    counts = re.findall(r'<tr><td>(?:<a [^>]*>)?([^<]+)(?:</a>)?</td><td class="n">(\d)', page)
    assert dict(counts) == {
        "role confusion": "0",
        "missed name": "1",
        "wrong dataset": "0",
        "implied": "0",
        "spurious": "1",
        "unnamed source (I3)": "0",
    }
    assert page.index("</table>") < page.index("<h2")
    assert "n = 3 papers" in page


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


@given(st.text(alphabet="<>&\"'/ascript=!-]", max_size=30), st.text(max_size=20))
def test_no_text_of_a_paper_becomes_markup(nasty: str, other: str) -> None:
    gold = use(nasty + "x", surface=nasty, evidence=nasty + other)
    found = use("BraTS", surface=other, evidence=other + nasty, model=nasty, score=0.5)
    labelled = paper(gold, id=nasty + "1", title=nasty)
    page = errors_page(
        mistakes([labelled], [[found]], CATALOGUE), annotator=nasty, gold=nasty, n_papers=1
    )
    plain = _Tags()
    plain.feed(page_of(*mistakes([paper(use("A"))], [[use("BraTS", model="M")]], CATALOGUE)))
    read = _Tags()
    read.feed(page)
    assert read.tags <= plain.tags | {"span"}
    assert "script" not in read.tags
    assert "http-equiv" in page


def test_the_page_loads_nothing() -> None:
    page = page_of(*mistakes([paper()], [[use("BraTS")]], CATALOGUE))
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert not re.search(r"https?://|src=|@import|url\(", page)


def test_half_a_surrogate_pair_does_not_stop_the_page(tmp_path: Path) -> None:
    found = mistakes([paper(title="a\ud800b")], [[use("BraTS")]], CATALOGUE)
    write_errors_page(tmp_path / "e.html", found, annotator="x", gold="g", n_papers=1)
    assert "a?b" in (tmp_path / "e.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="make it first"):
        write_errors_page(tmp_path / "no" / "e.html", found, annotator="x", gold="g", n_papers=1)
