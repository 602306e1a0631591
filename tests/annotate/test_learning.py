"""What decisions teach: never gold ones, and nothing is used until it is said."""

from pathlib import Path

import pytest
from builders import NOW, decision, survey, work

from annotate.learned import WEIGHTS, classifier, survey_weights
from annotate.learning import decided_papers, learn, use_learned, use_packaged
from annotate.pipeline import Annotator
from annotate.run import annotate_survey
from data.corpus import Corpus
from data.errors import InputError
from data.records import Use

TEXT = "Experiments with BraTS are shown for tumour grading in scans."


def corpus_of(path: Path, n: int = 60) -> Corpus:
    corpus = survey(path)
    works = [work(f"W{k:03d}", title=f"Paper {k}", abstract=TEXT) for k in range(n)]
    corpus.append(type(works[0]), works, name="works")
    annotate_survey(corpus, Annotator(), clock=lambda: NOW)
    return corpus


def use_of(corpus: Corpus) -> Use:
    return next(iter(corpus.uses()))


def denied(corpus: Corpus, n: int = 40, **fields: object) -> None:
    """People say that the role the annotator reads is wrong: it is a mention."""
    made = [
        decision(
            f"d{use.work_id}",
            "edit",
            work_id=use.work_id,
            proposed_dataset=use.dataset,
            proposed_role=use.role,
            dataset=use.dataset,
            role="mention",
            **fields,
        )
        for use in list(corpus.uses())[:n]
    ]
    with corpus.journal() as journal:
        journal.decide(made)


def test_learning_hears_what_people_say_and_changes_nothing_by_itself(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    before = use_of(corpus)
    assert before.role == "target"
    denied(corpus)
    found = learn(corpus, resamples=100)
    assert (found.n_papers, found.n_findings) == (40, 40)
    change = {each.role: each for each in found.f1}
    assert (change["mention"].before, change["mention"].after) == (0.0, 1.0)
    assert change["mention"].interval == (1.0, 1.0)
    assert found.ece_after[0] < found.ece_before[0]
    assert survey_weights(corpus.path) == WEIGHTS
    assert annotate_survey(corpus, Annotator(weights=WEIGHTS), clock=lambda: NOW) == (0, 0)

    own = use_learned(corpus.path)
    learned = Annotator(weights=survey_weights(corpus.path))
    assert own == survey_weights(corpus.path)
    assert learned.version != Annotator().version
    assert annotate_survey(corpus, learned, clock=lambda: NOW)[0] == 60
    use_packaged(corpus.path)
    assert survey_weights(corpus.path) == WEIGHTS


def test_what_was_learned_reads_better(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    denied(corpus)
    learn(corpus, resamples=50)
    (paper, *_) = decided_papers(corpus)
    (finding, *_) = paper.found
    after = classifier(use_learned(corpus.path)).probabilities(finding)["mention"]
    assert after > classifier().probabilities(finding)["mention"]


def test_gold_papers_teach_nothing_whatever_the_queue(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    denied(corpus)
    assert len(decided_papers(corpus)) == 40
    with corpus.journal() as journal:
        frame = [(f"W{k:03d}", "all", k) for k in range(60)]
        journal.set_frame(frame, n=30, seed=1, now=NOW)
    assert {paper.id for paper in decided_papers(corpus)} == {f"W{k:03d}" for k in range(30, 40)}
    with corpus.journal() as journal:
        gold = {"queue": "gold", "proposed_dataset": None, "proposed_role": None}
        journal.decide([decision("g", "done", work_id="W039", **gold)])
    assert len(decided_papers(corpus)) == 9
    with pytest.raises(InputError, match="9 papers have decisions to learn from"):
        learn(corpus)


def test_what_nobody_decided_on_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, n=3)
    with corpus.journal() as journal:
        journal.decide(
            [
                decision("a", "add", work_id="W000", proposed_dataset=None, proposed_role=None,
                         dataset="COCO", role="target"),
            ]
        )  # fmt: skip
    (paper,) = decided_papers(corpus)
    assert paper.found == []
    assert [(label.dataset, label.role) for label in paper.gold] == [("COCO", "target")]


def test_nothing_learned_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights"):
        use_learned(survey(tmp_path).path)
