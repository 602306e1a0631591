"""Papers to uses: one scan of many texts, then a pipeline for the sentences that it picks.

Most sentences name nothing and hold no cue, and the scan is all that they cost. The others go
names -> roles -> implied sources, and a paper gets one answer. `Annotator.annotate` is the one
entry: passages of papers in, uses out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from annotate.candidates import candidates_of
from annotate.implied import implication, says_transfer
from annotate.learned import WEIGHTS, classifier
from annotate.matcher import Matcher, Name, Scan
from annotate.paper import Finding, Sentence, answer
from annotate.roles import (
    Reading,
    grouped,
    read_role,
    read_strategy,
    says_from_scratch,
    speaks_of_others,
    template,
)
from annotate.sentences import Sentences
from data.catalogue import Catalogue, digest, load
from data.errors import InputError
from data.records import Candidate, Passage, Use

Paper = tuple[str, Sequence[Passage]]
T = TypeVar("T")

# Words, with or without separators, of which every sentence has one that ...
READY_CUES = frozenset({"pretrain", "foundationmodel"})  # `answer` could find ready-made weights in
STUDY_CUES = frozenset(  # `answer` could find a study of transfer in, which asks for a name as well
    {"transferlearning", "finetun", "selfsupervis", "initialisation", "initialization"}
)
SCRATCH_CUES = frozenset(  # `says_from_scratch` could agree to
    {
        "scratch",
        "randominitiali",
        "randomlyinitiali",
        "withoutpretrain",
        "withoutanypretrain",
    }
)

# What the annotator finds hangs on these; its version tells when one of them changed.
_RULES = [
    Path(__file__).with_name(f"{module}.py")
    for module in (
        *("candidates", "chunks", "implied", "introduced", "learned", "letters", "matcher"),
        *("paper", "patterns", "pipeline", "roles", "sentences"),
    )
]
_BATCH = 100_000  # characters that are scanned in one go: they fit a processor's cache
_BATCH_PAPERS = 1000
_READINGS = 8  # of one name in one sentence
_TRAINED_ON = re.compile(r"trained (?:on|with|using) (?:\w+ ){0,4}?DD")
_GENERAL = frozenset({"natural", "texture", "face", "document", "video", "satellite"})


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a paper uses; `uses` by place, empty if it names no dataset.

    Args:
        candidates: what it names that may be a dataset and is not in the catalogue.
    """

    work_id: str
    uses: tuple[Use, ...]
    from_scratch: bool
    candidates: tuple[Candidate, ...] = ()


class _Text:
    """A paper's whole text; what is asked of it is looked for once, if at all."""

    def __init__(self, passages: Sequence[Passage], matcher: Matcher) -> None:
        self._passages = passages
        self._matcher = matcher

    def context_words(self) -> frozenset[str]:
        return self._context_words

    @cached_property
    def says_transfer(self) -> bool:
        return says_transfer(self._text)

    @cached_property
    def _context_words(self) -> frozenset[str]:
        return self._matcher.context_words(self._text)

    @cached_property
    def _text(self) -> str:
        return "\n".join(passage.text for passage in self._passages)


@dataclass(frozen=True, slots=True)
class _Named:
    """A sentence with the names in it, by place, and what the pipeline finds of them."""

    sentence: Sentence
    names: list[Name]
    paper: _Text
    findings: list[Finding] = field(default_factory=list)

    @property
    def in_title(self) -> bool:
        return self.sentence.passage.section == "title"

    def template(self, marks: Iterable[tuple[int, int, str]]) -> str:
        return template(self.sentence.passage.text, self.sentence.start, self.sentence.end, marks)

    def finding(self, name: Name, dataset: str, reading: Reading, **details: Any) -> Finding:
        return Finding(
            dataset=dataset,
            reading=reading,
            start=name.start,
            end=name.end,
            evidence=self.sentence.text.strip(),
            passage=self.sentence.passage,
            **details,
        )


class _Cut:
    """A passage cut into its sentences, each without the space behind it."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self._sentences = Sentences(passage.text)

    def all(self) -> list[Sentence]:
        return [self._sentence(number) for number in range(len(self._sentences.starts))]

    def at(self, places: Iterable[int]) -> list[Sentence]:
        """Those with one of these places."""
        return [self._sentence(number) for number in sorted(self._sentences.numbers(places))]

    def named(self, names: Sequence[Name], paper: _Text) -> Iterator[_Named]:
        """Those with one of these names; a name that runs across their end is theirs."""
        for number, group in groupby(names, lambda name: self._sentences.number(name.start)):
            start, end = self._span(number)
            inside = list(group)
            sentence = Sentence(self.passage, start, max(end, inside[-1].end))
            yield _Named(sentence, inside, paper)

    def _sentence(self, number: int) -> Sentence:
        return Sentence(self.passage, *self._span(number))

    def _span(self, number: int) -> tuple[int, int]:
        start, end = self._sentences.span(number)
        return start, start + len(self.passage.text[start:end].rstrip())


@dataclass(slots=True)
class _Picked:
    """A paper's sentences that are worth more than the scan.

    Args:
        named: those that name something.
        telling: its title, and those with a word that `answer` heeds.
        scratch: those with a word of training from scratch.
        names: the names in each passage; empty if the scan found nothing in any.
    """

    named: list[_Named] = field(default_factory=list)
    telling: list[Sentence] = field(default_factory=list)
    scratch: list[Sentence] = field(default_factory=list)
    names: list[list[Name]] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """What its sentences say."""
        return [finding for named in self.named for finding in named.findings]

    @property
    def sentences(self) -> list[Sentence]:
        """Those that `answer` looks at."""
        return [*self.telling, *(named.sentence for named in self.named)]


class _Roles:
    """Step of the pipeline: the role of every dataset that a sentence names."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._datasets = catalogue.datasets
        self._models = catalogue.models

    def __call__(self, named: _Named) -> None:
        groups = grouped(named.names, named.sentence.passage.text)
        for group in _few(groups, lambda group: tuple(name.id for name in group)):
            named.findings.extend(self._read(named, group))

    def _read(self, named: _Named, group: Sequence[Name]) -> Iterator[Finding]:
        rewritten = named.template(_marks(named.names, group, "DD"))
        readings = read_role(
            named.sentence.text,
            rewritten,
            in_title=named.in_title,
            is_general=all(self._datasets[name.id].domain in _GENERAL for name in group),
        )
        models = [name for name in named.names if name.kind == "model"]
        if _TRAINED_ON.search(rewritten) and any(
            group[0].id in self._models[model.id].datasets for model in models
        ):
            readings = [_own_set(reading) for reading in readings]
        for reading in readings:
            is_source = reading.role == "source"
            strategy = read_strategy(rewritten) if is_source else None
            for name in group:
                if self._datasets[name.id].domain == "no images":
                    continue
                nearest = _nearest(models, name) if is_source else None
                model = nearest.id if nearest else None
                yield named.finding(
                    name, name.id, reading, implied=False, model=model, strategy=strategy
                )


class _Implied:
    """Step of the pipeline: sources that pretrained models imply (I1, I2)."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._models = catalogue.models

    def __call__(self, named: _Named) -> None:
        models = [name for name in named.names if name.kind == "model"]
        for name in _few(models, lambda name: name.id):
            named.findings.extend(self._read(named, name))

    def _read(self, named: _Named, name: Name) -> Iterator[Finding]:
        model = self._models[name.id]
        if model.kind == "none":
            return
        rewritten = named.template(_marks(named.names, [name], "NN"))
        found = implication(
            model,
            rewritten,
            in_title=named.in_title,
            transfers=named.paper.says_transfer,
            is_background=speaks_of_others(named.sentence.text, rewritten),
        )
        if found is None:
            return
        reading = Reading("source", found.rule, found.score)
        for dataset in found.datasets:
            yield named.finding(
                name, dataset, reading, implied=True, model=name.id, strategy=model.strategy
            )


def _few(values: Iterable[T], what: Callable[[T], Hashable]) -> Iterator[T]:
    """Those that are not the same thing over and over, as in a table without stops."""
    seen: Counter[Hashable] = Counter()
    for value in values:
        seen[what(value)] += 1
        if seen[what(value)] <= _READINGS:
            yield value


def _own_set(reading: Reading) -> Reading:
    """ "SAM was trained on SA-1B": where model and dataset belong together, a target is none."""
    if reading.role != "target":
        return reading
    return Reading("source", "the model's own training set", 0.7)


def _nearest(models: Sequence[Name], name: Name) -> Name | None:
    return min(models, key=lambda model: abs(model.start - name.start), default=None)


def _marks(
    names: Sequence[Name], group: Sequence[Name], placeholder: str
) -> Iterator[tuple[int, int, str]]:
    """Placeholders for a sentence's names; `group` is one, from its first name to its last."""
    yield group[0].start, group[-1].end, placeholder
    inside = frozenset(group)
    for name in names:
        if name not in inside:
            yield name.start, name.end, _PLACEHOLDERS[name.kind]


_PLACEHOLDERS = {"dataset": "XX", "model": "MM"}


@cache
def _same_annotator(
    datasets: Path | None,
    models: Path | None,
    extra: tuple[Path, ...],
    weights: Path | None,
    version: str,
) -> Annotator:
    annotator = Annotator(datasets, models, extra=extra, weights=weights)
    if annotator.version != version:
        raise InputError(
            f"a worker has {annotator.version}, but {version} is asked for; install the same "
            "version of cats-toolkit, and the same tables, on all machines"
        )
    return annotator


class Annotator:
    """Finds dataset uses in passages; building it loads the catalogue once.

    Args:
        datasets: another table of datasets than the packaged one.
        models: another table of pretrained models than the packaged one.
        extra: a survey's own datasets beside them.
        weights: of the role classifier; None leaves roles and scores to the rules alone.
    """

    def __init__(
        self,
        datasets: Path | None = None,
        models: Path | None = None,
        *,
        extra: Sequence[Path] = (),
        weights: Path | None = WEIGHTS,
    ) -> None:
        known = load(datasets, models, extra=extra)
        self._matcher = Matcher(known, cues=READY_CUES | STUDY_CUES | SCRATCH_CUES)
        self._classifier = None if weights is None else classifier(weights)
        self._steps = _Roles(known), _Implied(known)
        learned = [] if weights is None else [weights]
        facts = digest(datasets, models, extra=[*extra, *learned, *_RULES])
        self.version = f"cats@{version('cats-toolkit')}+{facts}"
        self._tables = datasets, models, tuple(extra), weights

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process builds its own, once, from the same tables."""
        return _same_annotator, (*self._tables, self.version)

    def annotate(self, papers: Iterable[Paper], *, run: str) -> Iterator[Annotation]:
        """The annotation of each paper, in the order given.

        Args:
            papers: (work id, its passages); a paper without passages has no uses.
            run: the run that the uses are stored under.
        """
        for batch in _batches(papers):
            yield from self._annotate_batch(batch, run)

    def _annotate_batch(self, batch: Sequence[Paper], run: str) -> Iterator[Annotation]:
        read = self._read(batch)
        for (work_id, passages), picked in zip(batch, read, strict=True):
            found = answer(picked.findings, picked.sentences, self._classifier)
            texts = zip(passages, picked.names or [[] for _ in passages], strict=True)
            yield Annotation(
                work_id,
                tuple(self._use(work_id, run, each) for each in found),
                any(says_from_scratch(sentence.text) for sentence in picked.scratch),
                tuple(candidates_of(work_id, list(texts), run=run, annotator=self.version)),
            )

    def findings(self, papers: Iterable[Paper]) -> Iterator[list[Finding]]:
        """What the rules alone say of each paper, for fitting the classifier."""
        for paper in papers:
            (picked,) = self._read([paper])
            yield answer(picked.findings, picked.sentences, None)

    def _read(self, batch: Sequence[Paper]) -> list[_Picked]:
        """The sentences of each paper that tell something, read by the pipeline."""
        texts = [passage.text for _, passages in batch for passage in passages]
        scans = iter(self._matcher.scan(texts))
        read = [self._picked(passages, [next(scans) for _ in passages]) for _, passages in batch]
        for picked in read:
            for named in picked.named:
                for step in self._steps:
                    step(named)
        return read

    def _picked(self, passages: Sequence[Passage], scans: Sequence[Scan]) -> _Picked:
        picked = _Picked()
        if not any(scan.candidates or scan.cues for scan in scans):
            return picked
        paper = _Text(passages, self._matcher)
        names = [
            self._matcher.settled(passage.text, scan, paper.context_words)
            if scan.candidates
            else []
            for passage, scan in zip(passages, scans, strict=True)
        ]
        picked.names = names
        heeded = READY_CUES | STUDY_CUES if any(names) else READY_CUES
        asks_title = any(names) or any(cue in heeded for scan in scans for _, cue in scan.cues)
        for passage, scan, inside in zip(passages, scans, names, strict=True):
            in_title = asks_title and passage.section == "title"
            if not (in_title or inside or scan.cues):
                continue
            cut = _Cut(passage)
            picked.named += cut.named(inside, paper)
            picked.scratch += cut.at(place for place, cue in scan.cues if cue in SCRATCH_CUES)
            picked.telling += (
                cut.all() if in_title else cut.at(p for p, cue in scan.cues if cue in heeded)
            )
        return picked

    def _use(self, work_id: str, run: str, finding: Finding) -> Use:
        return Use(
            work_id=work_id,
            run=run,
            dataset=finding.dataset,
            role=finding.reading.role,
            implied=finding.implied,
            surface=finding.surface,
            section=finding.passage.section,
            order=finding.passage.order,
            start=finding.start,
            end=finding.end,
            evidence=finding.evidence,
            model=finding.model,
            strategy=finding.strategy,
            tuning=finding.tuning,
            score=finding.reading.score,
            annotator=self.version,
            also=finding.also,
        )


def _batches(papers: Iterable[Paper]) -> Iterator[list[Paper]]:
    batch: list[Paper] = []
    size = 0
    for paper in papers:
        batch.append(paper)
        size += sum(len(passage.text) for passage in paper[1])
        if size >= _BATCH or len(batch) == _BATCH_PAPERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
