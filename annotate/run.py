"""Annotate a survey: what is new or changed, batch by batch, resumable at any point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from annotate.candidates import candidates_of
from annotate.matcher import Matcher
from annotate.pipeline import Annotation, Annotator
from data.catalogue import load, own_tables
from data.corpus import Corpus, new_run
from data.records import Candidate, Passage, Use

_PART = 2000  # works a part: what a kill costs at most


def text_hash(passages: Sequence[Passage]) -> str:
    """Twelve hexadecimal digits that change when any passage does."""
    digest = hashlib.sha256()
    for passage in passages:
        digest.update(f"{passage.section}\0{passage.order}\0{passage.text}\0".encode())
    return digest.hexdigest()[:12]


def annotate_survey(
    corpus: Corpus,
    annotator: Annotator,
    *,
    clock: Callable[[], datetime],
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[int, int]:
    """Annotate the works whose text this annotator has not seen yet.

    Each part of uses, and of candidates (names that the catalogue lacks), is on disk before the
    journal calls its works annotated, so a killed run leaves nothing half-done and the next run
    takes up what is missing.

    Args:
        clock: gives the time, UTC.
        progress: is told how many works were just done.

    Returns: how many works were annotated and how many uses were found in them.
    """
    run = new_run(clock())
    matcher = Matcher(load(extra=own_tables(corpus.path)))
    with corpus.journal() as journal:
        done = journal.annotated_inputs(annotator.version)
        todo = (
            (work.id, passages)
            for work, passages in corpus.passages()
            if done.get(work.id) != text_hash(passages)
        )
        n_works = n_uses = 0
        for number, batch in enumerate(_batches(todo)):
            if number == 0:
                journal.start_run(
                    run, "annotate", settings={"annotator": annotator.version}, now=clock()
                )
            annotations = list(annotator.annotate(batch, run=run))
            uses = [use for annotation in annotations for use in annotation.uses]
            corpus.append(Use, uses, name=f"{run}-{number:06d}")
            names = _candidates(batch, matcher, run=run, annotator=annotator.version)
            corpus.append(Candidate, names, name=f"{run}-{number:06d}")
            journal.annotated_done(run, annotator.version, _rows(batch, annotations), now=clock())
            n_works, n_uses = n_works + len(batch), n_uses + len(uses)
            progress(len(batch))
        if n_works:
            journal.end_run(run, now=clock())
    return n_works, n_uses


Batch = list[tuple[str, list[Passage]]]


def _batches(papers: Iterator[tuple[str, list[Passage]]]) -> Iterator[Batch]:
    while batch := list(islice(papers, _PART)):
        yield batch


def _rows(batch: Batch, annotations: Sequence[Annotation]) -> Iterator[tuple[str, str, bool]]:
    for (work_id, passages), annotation in zip(batch, annotations, strict=True):
        yield work_id, text_hash(passages), annotation.from_scratch


def _candidates(batch: Batch, matcher: Matcher, *, run: str, annotator: str) -> Iterator[Candidate]:
    for work_id, passages in batch:
        context = "\n".join(passage.text for passage in passages)
        texts = [(p, matcher.names(p.text, context=context)) for p in passages]
        yield from candidates_of(work_id, texts, run=run, annotator=annotator)
