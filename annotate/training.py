"""Fit the role classifier on labelled papers, and say how well it does on papers held out.

    python -m annotate.training --gold FILE ... [--texts FILE ...] [--out FILE] [--folds 10]

Prints, by cross-validation over papers, F1 of each measure for the rules alone and with the
classifier, the expected calibration error and the Brier score. Needs scipy.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotate.calibration import calibrations
from annotate.evaluate import scores
from annotate.gold import Label, Labels, labels, read_labels, with_texts
from annotate.learned import OUTCOMES, WEIGHTS, Classifier, Outcome, features
from annotate.paper import Finding, reread
from annotate.pipeline import Annotator
from data.catalogue import Catalogue, load
from data.corpus import write_whole
from data.errors import InputError
from data.records import ROLES, Passage

_PENALTY = 0.3  # inverse strength of the L2 penalty, chosen by cross-validation on the Brier score
_SEED = 0
_NEVER = -9.0  # log-odds of an outcome that no label has


@dataclass(frozen=True, slots=True)
class Paper:
    """A labelled paper and what the rules find in it."""

    id: str
    passages: Sequence[Passage]
    gold: Labels
    found: Sequence[Finding]


def papers(
    paths: Iterable[Path], catalogue: Catalogue, *, texts: Sequence[Path] = ()
) -> list[Paper]:
    """The labelled papers of some files, read by the rules alone.

    Args:
        texts: files with title and abstract of papers whose labels have none.
    """
    annotator = Annotator(weights=None)
    read = []
    for path in paths:
        labelled = [
            (paper, paper.passages)
            for paper in with_texts(read_labels(path), texts)[0]
            if paper.passages is not None
        ]
        found = annotator.findings((paper.id, passages) for paper, passages in labelled)
        for (paper, passages), its in zip(labelled, found, strict=True):
            read.append(Paper(paper.id, passages, labels(paper.uses, catalogue), its))
    return read


def outcome(found: Finding, gold: Labels) -> Outcome:
    """What the finding should have been: its own role if right, else the label's role, or none."""
    roles = {
        label.role
        for label in gold
        if label.dataset == found.dataset and label.implied == found.implied
    }
    if found.reading.role in roles:
        return found.reading.role
    return next((role for role in ROLES if role in roles), "none")


def fit(
    read: Sequence[Paper], *, penalty: float = _PENALTY, prior: Classifier | None = None
) -> Classifier:
    """The classifier fitted on all findings of some papers.

    Multinomial logistic regression: the sum of log-losses times `penalty`, plus half the squared
    distance of the weights from the prior's, or from zero. So few labels move a prior little, and
    features that none of them has stay as they were.

    Raises:
        InputError: there are no findings, or scipy is not installed.
    """
    try:
        from scipy.optimize import minimize
        from scipy.sparse import csr_array
    except ImportError as e:
        raise InputError("fitting needs scipy; install cats-toolkit[experiments]") from e
    rows = [list(dict.fromkeys(features(each))) for paper in read for each in paper.found]
    wanted = [outcome(each, paper.gold) for paper in read for each in paper.found]
    if len(set(wanted)) < (1 if prior else 2):
        raise InputError("too few labelled findings to fit on; give more labelled papers")
    names = sorted({name for row in rows for name in row})
    column = {name: n for n, name in enumerate(names)}
    places = [(n, column[name]) for n, row in enumerate(rows) for name in row]
    ones = np.ones(len(places))
    table = csr_array((ones, tuple(zip(*places, strict=True))), shape=(len(rows), len(names)))
    said = np.array([[name == each for name in OUTCOMES] for each in wanted], dtype=float)
    start = _start(names, set(wanted), prior)

    def loss(flat: Any) -> tuple[float, Any]:
        weights = flat.reshape(start.shape)
        sums = table @ weights
        sums -= sums.max(axis=1, keepdims=True)
        logs = sums - np.log(np.exp(sums).sum(axis=1, keepdims=True))
        away = weights - start
        slope = penalty * (table.T @ (np.exp(logs) - said)) + away
        value = -penalty * (said * logs).sum() + (away * away).sum() / 2
        return float(value), slope.ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 5000})
    rounded = zip(names, found.x.reshape(start.shape).round(4).tolist(), strict=True)
    kept = dict(prior.weights) if prior else {}
    return Classifier(kept | {name: row for name, row in rounded if any(row) or name in kept})


def _start(names: Sequence[str], seen: set[Outcome], prior: Classifier | None) -> Any:
    """Where the weights are drawn to. *Shape:* (features, outcomes).

    Every finding has the feature "bias", which serves as intercept: without a prior it is far
    below zero for outcomes that no label has.
    """
    if prior is not None:
        return np.array([prior.weights.get(name, [0.0] * len(OUTCOMES)) for name in names])
    start = np.zeros((len(names), len(OUTCOMES)))
    start[names.index("bias")] = [0.0 if name in seen else _NEVER for name in OUTCOMES]
    return start


def held_out(
    read: Sequence[Paper], *, folds: int, seed: int = _SEED, prior: Classifier | None = None
) -> list[list[Finding]]:
    """What is found in each paper by a classifier fitted on papers of the other folds."""
    fold_of = np.random.default_rng(seed).permutation(len(read)) % folds
    found: list[list[Finding]] = [[] for _ in read]
    for fold in range(folds):
        others = [paper for paper, its in zip(read, fold_of, strict=True) if its != fold]
        fitted = fit(others, prior=prior)
        for place in np.flatnonzero(fold_of == fold):
            found[int(place)] = reread(read[int(place)].found, fitted)
    return found


def labels_of(found: Sequence[Finding]) -> Labels:
    """What was found in a paper, as it is compared with labels."""
    return frozenset(
        Label(each.dataset, each.reading.role, each.implied, score=each.reading.score)
        for each in found
    )


def report(read: Sequence[Paper], found: Sequence[Sequence[Finding]]) -> dict[str, Any]:
    """F1 by measure for rules alone and for `found`; calibration of `found`'s scores."""
    gold = [paper.gold for paper in read]
    ways = {"rules": [paper.found for paper in read], "classifier": found}
    f1 = {
        name: {
            score.measure: score.f1
            for score in scores(gold, [labels_of(each) for each in way])
            if score.f1 is not None
        }
        for name, way in ways.items()
    }
    judged = calibrations(gold, [labels_of(each) for each in found])
    return {
        "n_papers": len(read),
        "f1": f1,
        "calibration": {
            each.of: {
                "n": each.n,
                "ece": each.ece,
                "ece_noise": each.ece_noise,
                "brier": each.brier,
            }
            for each in judged
        },
    }


def main() -> None:
    """Fit, print what cross-validation says, write the weights."""
    parser = argparse.ArgumentParser(description="Fit the role classifier on labelled papers.")
    parser.add_argument("--gold", type=Path, action="append", required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--texts", type=Path, action="append", default=[])
    options = parser.parse_args()
    read = papers(options.gold, load(), texts=options.texts)
    print(json.dumps(report(read, held_out(read, folds=options.folds)), indent=2))  # noqa: T201
    kept = {
        "fitted_on": {"files": [path.name for path in options.gold], "n_papers": len(read)},
        "outcomes": OUTCOMES,
        "weights": fit(read).weights,
    }
    body = json.dumps(kept, indent=0, ensure_ascii=False, sort_keys=True) + "\n"
    write_whole(options.out, lambda file: file.write(body.encode()))


if __name__ == "__main__":
    main()
