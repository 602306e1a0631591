"""What `cats evaluate` tells: the annotator or another person beside labels, and baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from annotate.agreement import Agreement, agreements
from annotate.baselines import BASELINES, Baseline, Paper
from annotate.evaluate import Evaluation, evaluation
from annotate.gold import Labelled, in_both, labels, read_labels, with_texts
from annotate.mistakes import Mistake, mistakes
from annotate.pipeline import Annotator
from annotate.texts import as_line
from data.catalogue import Catalogue, load
from data.errors import InputError


@dataclass(frozen=True, slots=True)
class Report:
    """All of one evaluation.

    Args:
        gold: name of the file of labels.
        n_papers: papers that were compared.
        left_out: ids of papers that were not: without a text, or in one of two label files only.
        annotators: the one that was asked for, then the baselines.
        agreement: of two people; empty for an annotator.
        mistakes: of the first annotator.
    """

    gold: str
    n_papers: int
    left_out: list[str]
    annotators: list[Evaluation]
    agreement: list[Agreement] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON fields; mistakes, which quote the papers, as their number."""
        return {
            "gold": self.gold,
            "n_papers": self.n_papers,
            "left_out": self.left_out,
            "annotators": [asdict(one) for one in self.annotators],
            "agreement": [asdict(one) for one in self.agreement],
            "n_mistakes": len(self.mistakes),
        }


def annotator_report(gold: Path, *, texts: Sequence[Path] = (), baselines: bool = False) -> Report:
    """The annotator beside the labels of a file.

    Args:
        texts: files that hold the texts which the labels' file leaves out.
        baselines: measure those too; see `annotate.baselines`.

    Raises:
        InputError: a file cannot be read, or no paper has a text.
    """
    papers, left_out = with_texts(read_labels(gold), texts)
    catalogue, annotator = load(), Annotator()
    read: list[Paper] = [(paper.id, paper.passages or ()) for paper in papers]
    found = [as_line(made)["uses"] for made in annotator.annotate(read, run="gold")]
    measure = _measure(papers, catalogue)
    return Report(
        gold.name,
        len(papers),
        left_out,
        [
            measure(annotator.version, found),
            *(_baseline(one, read, catalogue, measure) for one in BASELINES if baselines),
        ],
        mistakes=mistakes(papers, found, catalogue),
    )


def people_report(gold: Path, against: Path) -> Report:
    """Two people's labels of the same papers: the second stands for the annotator.

    Raises:
        InputError: a file cannot be read, or the two share no paper.
    """
    pairs, left_out = in_both(read_labels(gold), read_labels(against))
    papers, found = [paper for paper, _ in pairs], [other.uses for _, other in pairs]
    catalogue = load()
    first, second = (
        [labels(uses, catalogue) for uses in side]
        for side in ([paper.uses for paper in papers], found)
    )
    return Report(
        gold.name,
        len(papers),
        left_out,
        [evaluation(against.name, first, second)],
        agreement=agreements(first, second),
        mistakes=mistakes(papers, found, catalogue),
    )


_Measure = Callable[[str, Sequence[Sequence[Any]]], Evaluation]


def _measure(papers: Sequence[Labelled], catalogue: Catalogue) -> _Measure:
    gold = [labels(paper.uses, catalogue) for paper in papers]
    return lambda name, found: evaluation(name, gold, [labels(uses, catalogue) for uses in found])


def _baseline(
    baseline: Baseline, papers: Sequence[Paper], catalogue: Catalogue, measure: _Measure
) -> Evaluation:
    try:
        read = baseline.build(catalogue)
    except InputError as e:
        return Evaluation(baseline.name, [], [], note=str(e))
    return measure(baseline.name, [line["uses"] for line in read(papers)])
