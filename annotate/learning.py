"""What a survey's own decisions teach the annotator: `learn` fits, `use_learned` tells to use it.

Decisions on gold papers never take part, nor any other decision on such a paper: quality is
estimated from them, and what was learned from would look better than it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotate.calibration import Calibration, calibrations
from annotate.gold import Label, Labels
from annotate.learned import (
    LEARNED,
    OUTCOMES,
    OWN,
    Classifier,
    classifier,
    survey_weights,
)
from annotate.paper import Finding, reread
from annotate.pipeline import Annotator
from annotate.resampling import RESAMPLES, interval, resampled
from annotate.training import Paper, fit, held_out, labels_of
from data.catalogue import own_tables
from data.claims import claims
from data.corpus import Corpus, write_whole
from data.errors import InputError

_FOLDS = 10
_FEWEST = 20  # papers: below that cross-validation says nothing
_MEASURES = ("source", "target", "mention")
_Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Change:
    """F1 of a role on papers held out, by the weights in use and by those learned.

    Args:
        interval: of `after` - `before`; 95% by paired bootstrap over papers.
    """

    role: str
    before: float | None
    after: float | None
    interval: _Interval


@dataclass(frozen=True, slots=True)
class Learned:
    """What refitting changes, by cross-validation over papers, and where the weights are.

    Args:
        n_papers, n_findings: that people decided on, gold left out.
        ece_before, ece_after: expected calibration error with its 95% bootstrap interval.
    """

    n_papers: int
    n_findings: int
    f1: list[Change]
    ece_before: tuple[float, _Interval]
    ece_after: tuple[float, _Interval]
    weights: Path

    def as_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        return asdict(self) | {"weights": str(self.weights)}


def decided_papers(corpus: Corpus) -> list[Paper]:
    """The papers that people decided on, with what the rules find of the datasets in question.

    A finding whose dataset nobody decided on is left out: it is neither right nor wrong.
    """
    with corpus.connect() as db:
        gold = (
            "work_id NOT IN (SELECT work_id FROM sample) AND work_id NOT IN "
            "(SELECT work_id FROM decisions WHERE queue = 'gold')"
        )
        uses = db.sql(f"SELECT * FROM uses WHERE {gold}").to_arrow_table()
        decisions = db.sql(f"SELECT * FROM decisions WHERE {gold}").to_arrow_table()
    rows = claims(uses, decisions).to_pylist()
    decided: dict[str, dict[str, dict[str, bool]]] = {}
    for row in rows:
        if row["state"] in ("accepted", "added", "rejected"):
            roles = decided.setdefault(row["work_id"], {}).setdefault(row["dataset"], {})
            roles[row["role"]] = row["state"] != "rejected"
    annotator = Annotator(extra=own_tables(corpus.path), weights=None)
    texts = [(work, passages) for work, passages in corpus.passages() if work in decided]
    return [
        _paper(work, passages, decided[work], found)
        for (work, passages), found in zip(texts, annotator.findings(texts), strict=True)
    ]


def _paper(
    work: str, passages: Any, decided: dict[str, dict[str, bool]], found: Sequence[Finding]
) -> Paper:
    known = [each for each in found if _is_known(decided.get(each.dataset, {}), each)]
    ways = {
        dataset: {each.implied for each in known if each.dataset == dataset} or {False}
        for dataset in decided
    }
    gold = frozenset(
        Label(dataset, role, implied)  # type: ignore[arg-type]
        for dataset, roles in decided.items()
        for role, is_so in roles.items()
        if is_so
        for implied in ways[dataset]
    )
    return Paper(work, passages, gold, known)


def _is_known(roles: dict[str, bool], found: Finding) -> bool:
    return any(roles.values()) or found.reading.role in roles


def learn(corpus: Corpus, *, resamples: int = RESAMPLES, seed: int = 0) -> Learned:
    """Fit the weights in use further on a survey's decisions, and write them to `learned.json`.

    Nothing else changes: `use_learned` is what makes the annotator read with them.

    Raises:
        InputError: too few papers are decided on, or scipy is not installed.
    """
    read = [paper for paper in decided_papers(corpus) if paper.found or paper.gold]
    if len(read) < _FEWEST:
        raise InputError(
            f"{len(read)} papers have decisions to learn from, gold ones left out; "
            f"{_FEWEST} are the least that can be judged: go on with `cats review`"
        )
    before = classifier(survey_weights(corpus.path))
    old = [reread(paper.found, before) for paper in read]
    new = held_out(read, folds=_FOLDS, seed=seed, prior=before)
    _write(corpus.path / LEARNED, fit(read, prior=before), len(read))
    gold = [paper.gold for paper in read]
    judged = [
        next(each for each in _calibrated(gold, way, resamples, seed) if each.of == "all")
        for way in (old, new)
    ]
    counts = _counts(gold, old), _counts(gold, new)
    return Learned(
        n_papers=len(read),
        n_findings=sum(len(paper.found) for paper in read),
        f1=[
            _change(role, *(of[:, place] for of in counts), resamples=resamples, seed=seed)
            for place, role in enumerate(_MEASURES)
        ],
        ece_before=(judged[0].ece, judged[0].ece_interval),
        ece_after=(judged[1].ece, judged[1].ece_interval),
        weights=corpus.path / LEARNED,
    )


def _calibrated(
    gold: Sequence[Labels], way: Sequence[Sequence[Finding]], resamples: int, seed: int
) -> list[Calibration]:
    found = calibrations(gold, [labels_of(each) for each in way], resamples=resamples, seed=seed)
    if not any(each.of == "all" for each in found):
        raise InputError("nothing that people decided on is found any more; annotate again first")
    return found


def _counts(gold: Sequence[Labels], way: Sequence[Sequence[Finding]]) -> Any:
    """Labelled, found and right (dataset, role) pairs. *Shape:* (papers, roles, 3)."""
    rows = []
    for labels, findings in zip(gold, way, strict=True):
        wanted = {(each.dataset, each.role) for each in labels}
        found = {(each.dataset, each.role) for each in labels_of(findings)}
        rows.append(
            [
                [sum(of == role for _, of in pairs) for pairs in (wanted, found, wanted & found)]
                for role in _MEASURES
            ]
        )
    return np.array(rows, dtype=float)


def _change(role: str, before: Any, after: Any, *, resamples: int, seed: int) -> Change:
    draws = resampled(np.hstack([before, after]), resamples=resamples, seed=seed)
    return Change(
        role,
        _number(_f1(before.sum(axis=0))),
        _number(_f1(after.sum(axis=0))),
        interval(_f1(draws[:, 3:]) - _f1(draws[:, :3])),
    )


def _f1(counts: Any) -> Any:
    """F1 of (labelled, found, right). *Shape:* (..., 3) -> (...)."""
    with np.errstate(invalid="ignore"):
        return 2 * counts[..., 2] / (counts[..., 0] + counts[..., 1])


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _write(path: Path, fitted: Classifier, n_papers: int) -> None:
    kept = {
        "fitted_on": {"what": "decisions of this survey", "n_papers": n_papers},
        "outcomes": OUTCOMES,
        "weights": fitted.weights,
    }
    body = json.dumps(kept, indent=0, ensure_ascii=False, sort_keys=True) + "\n"
    write_whole(path, lambda file: file.write(body.encode()))


def use_learned(survey: Path) -> Path:
    """Make a survey's annotator read with what its decisions taught, from now on.

    Raises:
        InputError: nothing was learned yet, or the file is damaged.
    """
    learned = survey / LEARNED
    classifier(learned)
    write_whole(survey / OWN, lambda file: file.write(learned.read_bytes()))
    return survey / OWN


def use_packaged(survey: Path) -> None:
    """Make a survey's annotator read with the packaged weights again."""
    (survey / OWN).unlink(missing_ok=True)
