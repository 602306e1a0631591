import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.learned import OUTCOMES, UNSURE, Classifier, classifier, features
from annotate.paper import Finding, Sentence, answer
from annotate.pipeline import Annotator
from annotate.roles import Reading, read_tuning
from annotate.training import fit, held_out, outcome, papers, report
from data.catalogue import load
from data.errors import InputError
from data.records import Passage

TEXT = "We pretrain on ImageNet. Later we evaluate on BraTS."


def finding(rule: str = "pretrained on D", role: str = "source", start: int = 15) -> Finding:
    passage = Passage(work_id="W1", section="abstract", order=0, text=TEXT, origin="t")
    return Finding(
        dataset="ImageNet",
        reading=Reading(role, rule, 0.9),  # type: ignore[arg-type]
        implied=False,
        start=start,
        end=start + 8,
        evidence="We pretrain on ImageNet.",
        passage=passage,
        model=None,
        strategy=None,
    )


@given(st.dictionaries(st.sampled_from(sorted(features(finding()))), st.floats(-50, 50)))
def test_probabilities_sum_to_one(weights: dict[str, float]) -> None:
    likely = Classifier({name: [each, 0.0, 1.0, -each] for name, each in weights.items()})
    found = likely.probabilities(finding())
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= 0


def test_a_sure_rule_keeps_its_role_and_an_unsure_one_may_change_it() -> None:
    for_target = Classifier({"bias": [0.0, 5.0, 0.0, 0.0]})
    assert for_target.read(finding()).role == "source"
    assert for_target.read(finding()).score < 0.1
    rule = sorted(UNSURE)[0]
    assert for_target.read(finding(rule)).role == "target"


def test_of_two_findings_that_say_the_same_now_one_stands() -> None:
    rule = sorted(UNSURE)[0]
    found = [finding(), finding(rule, "target")]
    sentences = [Sentence(found[0].passage, 0, 24)]
    for_source = Classifier({"bias": [5.0, 0.0, 0.0, 0.0]})
    assert [each.reading.role for each in answer(found, sentences, for_source)] == ["source"]
    assert len(answer(found, sentences, Classifier({"bias": [0.0, 0.0, 0.0, 9.0]}))) == 0


@pytest.mark.parametrize("text", ["", "{}", '{"weights": {"a": [1]}}', '{"weights": 3}'])
def test_weights_that_are_none_are_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "weights.json"
    path.write_text(text)
    with pytest.raises(InputError, match="weights"):
        classifier(path)


def test_the_packaged_weights_are_whole() -> None:
    assert all(len(row) == len(OUTCOMES) for row in classifier().weights.values())


def _labelled(path: Path) -> Path:
    lines = []
    for n in range(24):
        source = n % 2 == 0
        text = "We pretrain on ImageNet." if source else "We evaluate on ImageNet."
        role = "source" if source else "target"
        use = {"dataset": "ImageNet", "role": role, "implied": False}
        lines.append(json.dumps({"id": f"p{n}", "title": None, "abstract": text, "uses": [use]}))
    path.write_text("\n".join(lines))
    return path


def test_fitting_learns_what_labels_say_and_is_judged_on_other_papers(tmp_path: Path) -> None:
    read = papers([_labelled(tmp_path / "gold.jsonl")], load())
    assert {outcome(each, paper.gold) for paper in read for each in paper.found} == {
        "source",
        "target",
    }
    fitted = fit(read)
    (found,) = read[0].found
    assert fitted.probabilities(found)["source"] > 0.8
    told = report(read, held_out(read, folds=4))
    assert told["f1"]["classifier"]["all sources"] == 1
    assert told["calibration"]["all"]["n"] == len(read)


def test_nothing_to_fit_on_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps({"id": "a", "title": "Nothing", "abstract": None, "uses": []}))
    with pytest.raises(InputError, match="too few"):
        fit(papers([path], load()))


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("Features of a frozen DINOv2 feed a linear classifier.", "frozen"),
        ("We fine-tune a pretrained ResNet.", "fine-tuned"),
        ("We compare a frozen and a fine-tuned encoder.", None),
        ("We use ImageNet weights.", None),
    ],
)
def test_frozen_or_fine_tuned(sentence: str, wanted: str | None) -> None:
    assert read_tuning(sentence) == wanted


def test_a_use_keeps_all_its_evidence_surest_first() -> None:
    text = "We pretrain on ImageNet. Our ImageNet-pretrained encoder is fine-tuned on BraTS."
    passage = Passage(work_id="W1", section="abstract", order=0, text=text, origin="t")
    (annotation,) = Annotator().annotate([("W1", [passage])], run="r")
    (source,) = [use for use in annotation.uses if use.role == "source"]
    assert {source.evidence, *source.also} == {
        "We pretrain on ImageNet.",
        "Our ImageNet-pretrained encoder is fine-tuned on BraTS.",
    }
    assert source.tuning == "fine-tuned"
