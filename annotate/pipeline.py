"""The spaCy pipeline: sentences -> names -> roles -> implied sources, then one answer a paper.

`Annotator.annotate` is the one entry: passages of papers in, uses out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

import annotate.sentences  # noqa: F401  registers the component cats_sentences
from annotate.implied import implication, says_transfer
from annotate.matcher import Matcher, Name
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
from data.catalogue import DATASETS_CSV, MODELS_CSV, Catalogue, load
from data.records import Passage, Use

# All custom attributes of a document.
Doc.set_extension("passage", default=None)  # the Passage that it holds
Doc.set_extension("context", default="")  # the whole paper's text
Doc.set_extension("names", default=None)  # list[Name], set by cats_names
Doc.set_extension("findings", default=None)  # list[Finding], set by cats_roles and cats_implied

_BATCH = 256
_TRAINED_ON = re.compile(r"trained (?:on|with|using) (?:\w+ ){0,4}?DD")
_GENERAL = frozenset({"natural", "texture", "face", "document", "video", "satellite"})


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a paper uses; `uses` by place, empty if it names no dataset."""

    work_id: str
    uses: tuple[Use, ...]
    from_scratch: bool


class _Names:
    """Pipeline component `cats_names`: the catalogue's names into `doc._.names`."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._matcher = Matcher(catalogue)

    def __call__(self, doc: Doc) -> Doc:
        doc._.names = self._matcher.names(doc.text, context=doc._.context or None)
        return doc


class _Implied:
    """Pipeline component `cats_implied`: sources that pretrained models imply (I1, I2)."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._models = catalogue.models

    def __call__(self, doc: Doc) -> Doc:
        transfers = says_transfer(doc._.context)
        in_title = doc._.passage.section == "title"
        for start, end, names in _sentences(doc):
            for name in (name for name in names if name.kind == "model"):
                rewritten = template(doc.text, start, end, _marks(names, {name: "NN"}))
                found = implication(
                    self._models[name.id],
                    rewritten,
                    in_title=in_title,
                    transfers=transfers,
                    is_background=speaks_of_others(doc.text[start:end], rewritten),
                )
                if found is None:
                    continue
                reading = Reading("source", found.rule, found.score)
                for dataset in found.datasets:
                    doc._.findings.append(
                        Finding(
                            dataset,
                            reading,
                            True,
                            name.start,
                            name.end,
                            doc.text[start:end].strip(),
                            doc._.passage,
                            name.id,
                            self._models[name.id].strategy,
                        )
                    )
        return doc


class _Roles:
    """Pipeline component `cats_roles`: the role of every named dataset, sentence by sentence."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._datasets = catalogue.datasets
        self._models = catalogue.models

    def __call__(self, doc: Doc) -> Doc:
        doc._.findings = [
            finding
            for start, end, names in _sentences(doc)
            for group in grouped(names, doc.text)
            for finding in self._read(doc, start, end, names, group)
        ]
        return doc

    def _read(
        self, doc: Doc, start: int, end: int, names: Sequence[Name], group: Sequence[Name]
    ) -> Iterator[Finding]:
        marked = dict.fromkeys(group[1:], "") | {group[0]: "DD"}
        rewritten = template(doc.text, start, end, _marks(names, marked, group=group))
        readings = read_role(
            doc.text[start:end],
            rewritten,
            in_title=doc._.passage.section == "title",
            is_general=all(self._datasets[name.id].domain in _GENERAL for name in group),
        )
        models = [name for name in names if name.kind == "model"]
        if _TRAINED_ON.search(rewritten) and any(
            group[0].id in self._models[model.id].datasets for model in models
        ):
            readings = [_own_set(reading) for reading in readings]
        for reading in readings:
            is_source = reading.role == "source"
            for name in group:
                nearest = min(models, key=lambda m: abs(m.start - name.start), default=None)
                yield Finding(
                    name.id,
                    reading,
                    False,
                    name.start,
                    name.end,
                    doc.text[start:end].strip(),
                    doc._.passage,
                    nearest.id if nearest and is_source else None,
                    read_strategy(rewritten) if is_source else None,
                )


def _own_set(reading: Reading) -> Reading:
    """ "SAM was trained on SA-1B": where model and dataset belong together, a target is none."""
    if reading.role != "target":
        return reading
    return Reading("source", "the model's own training set", 0.7)


def _sentences(doc: Doc) -> Iterator[tuple[int, int, list[Name]]]:
    """(start, end, names) of each sentence of a document that names something."""
    for sentence in doc.sents:
        names = [n for n in doc._.names if sentence.start_char <= n.start < sentence.end_char]
        if names:
            end = max(sentence.end_char, names[-1].end)
            yield sentence.start_char, end, names


def _marks(
    names: Sequence[Name], special: dict[Name, str], *, group: Sequence[Name] = ()
) -> Iterator[tuple[int, int, str]]:
    """Placeholders for a sentence's names; a group of datasets is one placeholder."""
    for name in names:
        if group and name == group[0]:
            yield group[0].start, group[-1].end, special[name]
        elif name not in group:
            yield name.start, name.end, special.get(name, _PLACEHOLDERS[name.kind])


_PLACEHOLDERS = {"dataset": "XX", "model": "MM"}


@Language.factory("cats_names", default_config={"datasets": None, "models": None})
def _make_names(nlp: Language, name: str, datasets: str | None, models: str | None) -> _Names:
    return _Names(_catalogue(datasets, models))


@Language.factory("cats_roles", default_config={"datasets": None, "models": None})
def _make_roles(nlp: Language, name: str, datasets: str | None, models: str | None) -> _Roles:
    return _Roles(_catalogue(datasets, models))


@Language.factory("cats_implied", default_config={"datasets": None, "models": None})
def _make_implied(nlp: Language, name: str, datasets: str | None, models: str | None) -> _Implied:
    return _Implied(_catalogue(datasets, models))


@cache
def _catalogue(datasets: str | None, models: str | None) -> Catalogue:
    return load(Path(datasets) if datasets else None, Path(models) if models else None)


class Annotator:
    """Finds dataset uses in passages; building it loads the catalogue once.

    Args:
        datasets: another table of datasets than the packaged one.
        models: another table of pretrained models than the packaged one.
    """

    def __init__(self, datasets: Path | None = None, models: Path | None = None) -> None:
        tables: dict[str, Any] = {
            "datasets": str(datasets) if datasets else None,
            "models": str(models) if models else None,
        }
        self._nlp = spacy.blank("en")
        self._nlp.add_pipe("cats_sentences")
        self._nlp.add_pipe("cats_names", config=tables)
        self._nlp.add_pipe("cats_roles", config=tables)
        self._nlp.add_pipe("cats_implied", config=tables)
        facts = (datasets or DATASETS_CSV).read_bytes() + (models or MODELS_CSV).read_bytes()
        digest = hashlib.sha256(facts).hexdigest()[:8]
        self.version = f"cats-rules@{version('cats-toolkit')}+{digest}"

    def annotate(
        self, papers: Iterable[tuple[str, Sequence[Passage]]], *, run: str
    ) -> Iterator[Annotation]:
        """The annotation of each paper, in the order given.

        Args:
            papers: (work id, its passages); a paper without passages has no uses.
            run: the run that the uses are stored under.
        """
        batch: list[tuple[str, Sequence[Passage]]] = []
        for paper in papers:
            batch.append(paper)
            if len(batch) == _BATCH:
                yield from self._annotate_batch(batch, run)
                batch = []
        yield from self._annotate_batch(batch, run)

    def _annotate_batch(
        self, batch: Sequence[tuple[str, Sequence[Passage]]], run: str
    ) -> Iterator[Annotation]:
        docs = iter(self._nlp.pipe(self._docs(batch)))
        for work_id, passages in batch:
            read = [next(docs) for _ in passages]
            findings = [finding for doc in read for finding in doc._.findings]
            sentences = [
                Sentence(doc._.passage, sentence.start_char, sentence.end_char)
                for doc in read
                for sentence in doc.sents
            ]
            yield Annotation(
                work_id,
                tuple(self._use(work_id, run, each) for each in answer(findings, sentences)),
                any(says_from_scratch(sentence.text) for sentence in sentences),
            )

    def _docs(self, batch: Sequence[tuple[str, Sequence[Passage]]]) -> Iterator[Doc]:
        for _, passages in batch:
            context = "\n".join(passage.text for passage in passages)
            for passage in passages:
                doc = self._nlp.make_doc(passage.text)
                doc._.passage, doc._.context = passage, context
                yield doc

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
