"""A survey without third-party text: what may be given away, and opens like any survey."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from data.catalogue import own_table
from data.citations import looked_up_path
from data.corpus import JOURNAL, PROTOCOL, TOLD_PART, Corpus, write_whole
from data.errors import InputError
from data.records import Result, Use, Work, from_table
from data.topics import survey_topics

_PART = "published"


@dataclass(frozen=True, slots=True)
class Published:
    """How many works and uses were given away."""

    works: int
    uses: int


def publish(corpus: Corpus, out: Path) -> Published:
    """Write a survey of the same works and uses with no sentence of anybody's text.

    Titles, years, venues and links stay, for they name the works; a use keeps the words that name
    the dataset and where they stand. Abstracts, passages, evidence, raw pages and rejects do not
    go along. The journal does, but for notes, which are free text.

    Args:
        out: an absent or empty folder.

    Raises:
        InputError: the folder has something in it.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError("there is something here already; choose an empty folder", path=out)
    given = Corpus.create(out, protocol=(corpus.path / PROTOCOL).read_text(encoding="utf-8"))
    works = [replace(work, abstract=None) for work in corpus.works()]
    given.append(Work, works, name=_PART)
    uses = [replace(use, evidence="", also=()) for use in corpus.uses()]
    given.append(Use, uses, name=_PART)
    with corpus.connect() as db:
        told = survey_topics(db)
    write_whole(out / TOLD_PART, lambda file: pq.write_table(told, file, compression="zstd"))
    results = corpus.table("SELECT * FROM results")
    if results.num_rows:
        given.append(Result, from_table(Result, results), name=_PART)
    with corpus.journal_as_it_is() as journal:
        journal.copy_without_notes(out / JOURNAL)
    for own in (own_table(corpus.path), looked_up_path(corpus.path)):
        if own.is_file():  # the survey's additions to the catalogue
            shutil.copyfile(own, out / own.name)
    return Published(len(works), len(uses))
