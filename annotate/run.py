"""Annotate a survey: what is new or changed, part by part, resumable at any point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from annotate.pipeline import Annotation, Annotator, Paper
from data.corpus import Corpus, new_run
from data.engines import Engine
from data.records import Candidate, Passage, Use

# What a kill costs at most, and what one process holds.
_PART = 2000  # works
_PART_LETTERS = 8_000_000  # characters; 2000 abstracts have 3 million

HERE = Engine(workers=1)


def text_hash(passages: Sequence[Passage]) -> str:
    """Twelve hexadecimal digits that change when any passage does."""
    digest = hashlib.sha256()
    for passage in passages:
        digest.update(f"{passage.section}\0{passage.order}\0{passage.text}\0".encode())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _Part:
    """Papers that are annotated in one go, and the hash of each one's text."""

    number: int
    papers: list[Paper]
    hashes: list[str]


@dataclass(frozen=True, slots=True)
class _Done:
    """What was found in a part; the papers' texts stay where they were read."""

    number: int
    hashes: list[str]
    annotations: list[Annotation]


def annotate_survey(
    corpus: Corpus,
    annotator: Annotator,
    *,
    clock: Callable[[], datetime],
    engine: Engine = HERE,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[int, int]:
    """Annotate the works whose text this annotator has not seen yet.

    Each part of uses, and of candidates (names that the catalogue lacks), is on disk before the
    journal calls its works annotated, so a killed run leaves nothing half-done and the next run
    takes up what is missing. Which works a part has does not depend on the engine, nor does what
    is found in them.

    Args:
        clock: gives the time, UTC.
        engine: where the parts are read; they are written here.
        progress: is told how many works were just done.

    Returns: how many works were annotated and how many uses were found in them.
    """
    run = new_run(clock())
    with corpus.journal() as journal:
        parts = _parts(corpus.passages(), journal.annotated_inputs(annotator.version))
        read = partial(_annotated, annotator=annotator, run=run)
        n_works = n_uses = 0
        for part in engine.mapped(read, parts):
            if n_works == 0:
                journal.start_run(
                    run, "annotate", settings={"annotator": annotator.version}, now=clock()
                )
            uses = [use for annotation in part.annotations for use in annotation.uses]
            corpus.append(Use, uses, name=f"{run}-{part.number:06d}")
            unknown = [each for annotation in part.annotations for each in annotation.candidates]
            corpus.append(Candidate, unknown, name=f"{run}-{part.number:06d}")
            journal.annotated_done(run, annotator.version, _rows(part), now=clock())
            n_works, n_uses = n_works + len(part.hashes), n_uses + len(uses)
            progress(len(part.hashes))
        if n_works:
            journal.end_run(run, now=clock())
    return n_works, n_uses


def annotated(
    papers: Iterable[Paper], annotator: Annotator, *, run: str, engine: Engine = HERE
) -> Iterator[Annotation]:
    """The annotation of each paper, in the order given, whatever the engine."""
    early: dict[int, _Done] = {}
    following = 0
    for part in engine.mapped(
        partial(_annotated, annotator=annotator, run=run), _parts(papers, {})
    ):
        early[part.number] = part
        while following in early:
            yield from early.pop(following).annotations
            following += 1


def _parts(papers: Iterable[Paper], done: Mapping[str, str]) -> Iterator[_Part]:
    """Parts of the papers whose text is not done yet."""
    part, size = _Part(0, [], []), 0
    for work_id, passages in papers:
        digest = text_hash(passages)
        if done.get(work_id) == digest:
            continue
        part.papers.append((work_id, passages))
        part.hashes.append(digest)
        size += sum(len(passage.text) for passage in passages)
        if len(part.papers) >= _PART or size >= _PART_LETTERS:
            yield part
            part, size = _Part(part.number + 1, [], []), 0
    if part.papers:
        yield part


def _annotated(part: _Part, *, annotator: Annotator, run: str) -> _Done:
    return _Done(part.number, part.hashes, list(annotator.annotate(part.papers, run=run)))


def _rows(done: _Done) -> Iterator[tuple[str, str, bool]]:
    for annotation, digest in zip(done.annotations, done.hashes, strict=True):
        yield annotation.work_id, digest, annotation.from_scratch
