"""One answer a paper: what its sentences say of each dataset, weighed against one another.

`answer` is the one entry: findings of single sentences in, what stands for the paper out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from annotate.implied import ready_made, speaks_of_transfer
from annotate.learned import Classifier
from annotate.roles import (
    BACKGROUND,
    Reading,
    is_review,
    read_tuning,
    speaks_of_others,
    speaks_of_own,
)
from data.records import SECTIONS, Passage, Role, Section, Strategy, Tuning

# A target that only the default rule speaks for gives way to a surer source of the same name.
_FIRM = 0.7
# Probability below which a finding is none. Chosen by cross-validation (annotate.training).
_LEAST = 0.3


@dataclass(frozen=True, slots=True)
class Sentence:
    """The sentence `passage.text[start:end]`."""

    passage: Passage
    start: int
    end: int

    @property
    def text(self) -> str:
        """Its words, with the space around them."""
        return self.passage.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reading of one name in one sentence, before the paper as a whole is weighed."""

    dataset: str
    reading: Reading
    implied: bool
    start: int
    end: int
    evidence: str
    passage: Passage
    model: str | None
    strategy: Strategy | None
    tuning: Tuning | None = None
    also: tuple[str, ...] = ()

    @property
    def surface(self) -> str:
        """The words that name the dataset or imply it."""
        return self.passage.text[self.start : self.end]


def answer(
    findings: Sequence[Finding], sentences: Sequence[Sentence], classifier: Classifier | None
) -> list[Finding]:
    """What stands for a paper, by place.

    Args:
        findings: what single sentences say of datasets.
        sentences: at least those of the paper's sentences that speak of pretraining, transfer or
            foundation models, and its title.
        classifier: gives probabilities, and roles where rules are unsure; None leaves the rules'.
    """
    if not (findings or sentences):
        return []
    in_review = any(
        sentence.passage.section == "title" and is_review(sentence.text) for sentence in sentences
    )
    if in_review:
        findings = [_as_mention(finding) for finding in findings if not finding.implied]
    models = {finding.surface for finding in findings if finding.implied}
    own = {name for name in models if any(_presents(each.text, name) for each in sentences)}
    kept = _weighed([each for each in findings if not (each.implied and each.surface in own)])
    if not any(_names_source(finding) for finding in kept) and _studies_transfer(sentences):
        kept = [_promoted(finding) for finding in kept]
    if not in_review and not any(finding.reading.role == "source" for finding in kept):
        kept += _unnamed(sentences)
    if classifier is not None:
        kept = reread(kept, classifier)
    return sorted(kept, key=lambda f: (*_place(f.passage), f.start, f.dataset, f.reading.role))


def _presents(text: str, model: str) -> bool:
    """Whether a sentence presents a model of that name as the paper's own."""
    if model not in text:
        return False
    named = rf"{re.escape(model)}(?![\w\-]*\w)"
    presented = (
        rf"\b(?:propos|introduc|present|develop|releas|call|dub|nam|term)(?:e|es|ed|ing|bed)?"
        rf"(?: \w+)? {named}(?=\s*[,.:;(]|$)"
        rf"|^{named}:"
        rf"|\(\s*(?:dubbed |called )?{named}\s*\)(?=, (?:a|an|our) )"
    )
    return re.search(presented, text) is not None


def _place(passage: Passage) -> tuple[int, int]:
    return SECTIONS.index(passage.section), passage.order


def _weighed(findings: Sequence[Finding]) -> list[Finding]:
    """One finding a (dataset, role), the surest, with all its evidence; what others overrule goes.

    How sure a finding is depends on its section too: methods tell what was done, an introduction
    mostly what others did.

    - A dataset that is source or target is not a mention as well.
    - A weak target gives way to a source of the same dataset.
    - A dataset that is named as source is not implied too, and a backbone implies nothing (I1)
      in a paper that names a source: its training set is then named.
    """
    groups: dict[tuple[str, Role, bool], list[Finding]] = {}
    for finding in findings:
        place = (finding.dataset, finding.reading.role, finding.implied)
        groups.setdefault(place, []).append(_in_section(finding))
    best = {place: _with_evidence(group) for place, group in groups.items()}
    names_source = any(role == "source" and not implied for _, role, implied in best)
    roles: dict[str, set[Role]] = {}
    for dataset, role, implied in best:
        if not implied:
            roles.setdefault(dataset, set()).add(role)

    def stands(finding: Finding) -> bool:
        own = roles.get(finding.dataset, set())
        if finding.implied:
            by_backbone = finding.reading.rule.startswith("I1")
            return "source" not in own and not (by_backbone and names_source)
        if finding.reading.role == "mention":
            return not own & {"source", "target"}
        is_weak = finding.reading.role == "target" and finding.reading.score < _FIRM
        return not (is_weak and "source" in own)

    return [finding for finding in best.values() if stands(finding)]


def reread(findings: Sequence[Finding], classifier: Classifier) -> list[Finding]:
    """The findings with calibrated scores; of two that say the same now, the surer."""
    read = [replace(finding, reading=classifier.read(finding)) for finding in findings]
    best: dict[tuple[str, Role, bool], Finding] = {}
    for finding in sorted(read, key=lambda each: -each.reading.score):
        if finding.reading.score >= _LEAST:
            best.setdefault((finding.dataset, finding.reading.role, finding.implied), finding)
    used = {dataset for dataset, role, implied in best if role != "mention" and not implied}
    return [
        finding
        for (dataset, role, _), finding in best.items()
        if role != "mention" or dataset not in used
    ]


# A share of the score by section; related work stands in introductions (see miner.sections).
_SECTION_WEIGHTS: Mapping[Section, float] = {"introduction": 0.8, "discussion": 0.9, "other": 0.9}


def _in_section(finding: Finding) -> Finding:
    weight = _SECTION_WEIGHTS.get(finding.passage.section, 1.0)
    if weight == 1.0 or finding.reading.role == "mention":
        return finding
    reading = replace(finding.reading, score=finding.reading.score * weight)
    return replace(finding, reading=reading)


def _with_evidence(group: Sequence[Finding]) -> Finding:
    """The surest of findings that say the same, the first of equals, with the others' sentences."""
    ordered = sorted(group, key=lambda finding: -finding.reading.score)
    first = ordered[0]
    others = dict.fromkeys(each.evidence for each in ordered if each.evidence != first.evidence)
    tuning = None
    if first.reading.role == "source":
        spoken = [first.evidence, *others]
        tuning = next((found for each in spoken if (found := read_tuning(each))), None)
    return replace(first, also=tuple(others), tuning=tuning) if others or tuning else first


def _as_mention(finding: Finding) -> Finding:
    return replace(finding, reading=Reading("mention", "review", 0.8))


def _names_source(finding: Finding) -> bool:
    return finding.reading.role == "source" and not finding.implied


def _studies_transfer(sentences: Sequence[Sentence]) -> bool:
    """Whether a sentence on the paper's own work speaks of pretraining or transfer."""
    return any(
        speaks_of_transfer(sentence.text) and speaks_of_own(sentence.text) for sentence in sentences
    )


def _promoted(finding: Finding) -> Finding:
    """A general statement that names a source ("ImageNet is the norm") as this paper's source.

    The codebook's exception for papers that study such transfer and name no source of their own.
    """
    if finding.reading.rule != f"{BACKGROUND}source":
        return finding
    return replace(finding, reading=Reading("source", "the norm that is studied", 0.55))


def _unnamed(sentences: Sequence[Sentence]) -> list[Finding]:
    """I3: ready-made weights without model and data, the first of each pseudo-id."""
    found: dict[str, Finding] = {}
    reading = Reading("source", "I3: ready-made weights", 0.5)
    for sentence in sentences:
        made = ready_made(sentence.text)
        if not made or speaks_of_others(sentence.text, sentence.text.lower()):
            continue
        for start, end, dataset in made:
            found.setdefault(
                dataset,
                Finding(
                    dataset=dataset,
                    reading=reading,
                    implied=True,
                    start=sentence.start + start,
                    end=sentence.start + end,
                    evidence=sentence.text.strip(),
                    passage=sentence.passage,
                    model=None,
                    strategy=None,
                ),
            )
    return list(found.values())
