"""The spaCy pipeline: sentences -> names -> roles -> implied sources, then one answer a paper.

`Annotator.annotate` is the one entry: passages of papers in, uses out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from annotate import sentences  # noqa: F401  registers the component cats_sentences
from annotate.implied import implication, ready_made, says_transfer, speaks_of_transfer
from annotate.matcher import Matcher, Name
from annotate.roles import (
    BACKGROUND,
    Reading,
    grouped,
    is_review,
    read_role,
    read_strategy,
    says_from_scratch,
    speaks_of_others,
    speaks_of_own,
    template,
)
from data.catalogue import DATASETS_CSV, MODELS_CSV, PSEUDO_IDS, Catalogue, load
from data.records import Passage, Role, Strategy, Use

# All custom attributes of a document.
Doc.set_extension("passage", default=None)  # the Passage that it holds
Doc.set_extension("context", default="")  # the whole paper's text
Doc.set_extension("names", default=None)  # list[Name], set by cats_names
Doc.set_extension("findings", default=None)  # list[_Finding], set by cats_roles and cats_implied

_BATCH = 256
_TRAINED_ON = re.compile(r"trained (?:on|with|using) (?:\w+ ){0,4}?DD")
_GENERAL = frozenset({"natural", "texture", "face", "document", "video", "satellite"})
# A target that only the default rule speaks for gives way to a surer source of the same name.
_FIRM = 0.7


@dataclass(frozen=True, slots=True)
class _Finding:
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
                        _Finding(
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
    ) -> Iterator[_Finding]:
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
                yield _Finding(
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
            yield Annotation(
                work_id,
                tuple(self._uses(work_id, run, findings, read)),
                any(says_from_scratch(sentence.text) for doc in read for sentence in doc.sents),
            )

    def _docs(self, batch: Sequence[tuple[str, Sequence[Passage]]]) -> Iterator[Doc]:
        for _, passages in batch:
            context = "\n".join(passage.text for passage in passages)
            for passage in passages:
                doc = self._nlp.make_doc(passage.text)
                doc._.passage, doc._.context = passage, context
                yield doc

    def _uses(
        self, work_id: str, run: str, findings: Sequence[_Finding], docs: Sequence[Doc]
    ) -> Iterator[Use]:
        if any(_is_review(doc) for doc in docs):
            findings = [_as_mention(finding) for finding in findings if not finding.implied]
        kept = _weighed(findings)
        if not any(_names_source(finding) for finding in kept) and _studies_transfer(docs):
            kept = [_promoted(finding) for finding in kept]
        has_source = any(finding.reading.role == "source" for finding in kept)
        if not has_source and not any(_is_review(doc) for doc in docs):
            kept += _unnamed(docs)
        order = {id(doc._.passage): place for place, doc in enumerate(docs)}
        kept.sort(key=lambda f: (order[id(f.passage)], f.start, f.dataset, f.reading.role))
        for finding in kept:
            yield Use(
                work_id=work_id,
                run=run,
                dataset=finding.dataset,
                role=finding.reading.role,
                implied=finding.implied,
                surface=finding.passage.text[finding.start : finding.end],
                section=finding.passage.section,
                order=finding.passage.order,
                start=finding.start,
                end=finding.end,
                evidence=finding.evidence,
                model=finding.model,
                strategy=finding.strategy,
                score=finding.reading.score,
                annotator=self.version,
            )


def _weighed(findings: Sequence[_Finding]) -> list[_Finding]:
    """One finding a (dataset, role), the surest; what a surer one overrules is left out.

    - A dataset that is source or target is not a mention as well.
    - A weak target gives way to a source of the same dataset.
    - A dataset that is named as source is not implied too, and a backbone implies nothing (I1)
      in a paper that names a source: its training set is then named.
    """
    best: dict[tuple[str, Role, bool], _Finding] = {}
    for finding in findings:
        place = (finding.dataset, finding.reading.role, finding.implied)
        if place not in best or finding.reading.score > best[place].reading.score:
            best[place] = finding
    names_source = any(role == "source" and not implied for _, role, implied in best)
    roles: dict[str, set[Role]] = {}
    for dataset, role, implied in best:
        if not implied:
            roles.setdefault(dataset, set()).add(role)

    def stands(finding: _Finding) -> bool:
        own = roles.get(finding.dataset, set())
        if finding.implied:
            by_backbone = finding.reading.rule.startswith("I1")
            return "source" not in own and not (by_backbone and names_source)
        if finding.reading.role == "mention":
            return not own & {"source", "target"}
        is_weak = finding.reading.role == "target" and finding.reading.score < _FIRM
        return not (is_weak and "source" in own)

    return [finding for finding in best.values() if stands(finding)]


def _is_review(doc: Doc) -> bool:
    return doc._.passage.section == "title" and is_review(doc.text)


def _as_mention(finding: _Finding) -> _Finding:
    return replace(finding, reading=Reading("mention", "review", 0.8))


def _names_source(finding: _Finding) -> bool:
    return finding.reading.role == "source" and not finding.implied


def _studies_transfer(docs: Sequence[Doc]) -> bool:
    """Whether a sentence on the paper's own work speaks of pretraining or transfer."""
    return any(
        speaks_of_transfer(sentence.text) and speaks_of_own(sentence.text)
        for doc in docs
        for sentence in doc.sents
    )


def _promoted(finding: _Finding) -> _Finding:
    """A general statement that names a source ("ImageNet is the norm") as this paper's source.

    The codebook's exception for papers that study such transfer and name no source of their own.
    """
    if finding.reading.rule != f"{BACKGROUND}source":
        return finding
    return replace(finding, reading=Reading("source", "the norm that is studied", 0.55))


def _unnamed(docs: Sequence[Doc]) -> list[_Finding]:
    """I3: ready-made weights without model and data, the first of each pseudo-id."""
    found: dict[str, _Finding] = {}
    reading = Reading("source", "I3: ready-made weights", 0.5)
    for doc in docs:
        for sentence in doc.sents:
            if speaks_of_others(sentence.text, sentence.text.lower()):
                continue
            for start, end, dataset in ready_made(sentence.text):
                place = sentence.start_char
                found.setdefault(
                    dataset,
                    _Finding(
                        dataset,
                        reading,
                        True,
                        place + start,
                        place + end,
                        sentence.text.strip(),
                        doc._.passage,
                        None,
                        None,
                    ),
                )
    return list(found.values())


def is_unnamed(dataset: str) -> bool:
    """Whether a use is of rule I3, which is reported apart."""
    return dataset in PSEUDO_IDS
