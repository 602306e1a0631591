"""Small records for tests: a field that a test does not speak of has a plain value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.corpus import Corpus
from data.records import Candidate, Decision, Use, Work

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
PROTOCOL = """
title = "A test"
[search]
topics = [{ id = "T1", name = "Imaging" }]
first_year = 2015
last_year = 2026
types = ["article", "preprint"]
languages = ["en"]
"""


def work(id: str = "W1", **fields: Any) -> Work:
    plain = {
        "title": "A title",
        "abstract": "An abstract.",
        "year": 2020,
        "type": "article",
        "language": "en",
        "fetched_at": NOW,
    }
    return Work(id=id, **(plain | fields))


def use(work_id: str = "W1", dataset: str = "ImageNet", role: str = "source", **fields: Any) -> Use:
    plain = {
        "run": "r1",
        "implied": False,
        "surface": dataset,
        "section": "abstract",
        "order": 0,
        "start": 0,
        "end": len(dataset),
        "evidence": f"{dataset} is used.",
        "score": 0.9,
        "annotator": "test@1",
    }
    return Use(work_id=work_id, dataset=dataset, role=role, **(plain | fields))  # type: ignore[arg-type]


def candidate(
    work_id: str = "W1", name: str = "FooBar", role: str = "target", **fields: Any
) -> Candidate:
    plain = {
        "run": "r1",
        "why": "named dataset",
        "surface": name,
        "section": "abstract",
        "order": 0,
        "start": 0,
        "end": len(name),
        "evidence": f"{name} is used.",
        "score": 0.7,
        "annotator": "test@1",
    }
    return Candidate(work_id=work_id, name=name, role=role, **(plain | fields))  # type: ignore[arg-type]


def decision(uid: str, verdict: str, **fields: Any) -> Decision:
    plain = {
        "work_id": "W1",
        "proposed_dataset": "ImageNet",
        "proposed_role": "source",
        "reviewer": "ann",
        "codebook": "1",
        "at": NOW,
    }
    return Decision(uid=uid, verdict=verdict, **(plain | fields))  # type: ignore[arg-type]


def survey(path: Path, works: list[Work] = [], uses: list[Use] = [], *, run: str = "r1") -> Corpus:  # noqa: B006
    """A survey that holds these works, all annotated by one run with these uses."""
    corpus = Corpus.create(path, protocol=PROTOCOL)
    if works:
        corpus.append(Work, works, name="works")
        corpus.append(Use, uses, name=run)
        with corpus.journal() as journal:
            rows = [(work.id, "hash", False) for work in works]
            journal.annotated_done(run, "test@1", rows, now=NOW)
    return corpus
