"""Fit the role classifier on labelled papers, and say how well it does on papers held out.

    python -m annotate.training --gold FILE ... [--texts FILE ...] [--out FILE] [--folds 10]

Prints, by cross-validation over papers, F1 of each measure for the rules alone and with the
classifier, the expected calibration error and the Brier score. Needs scikit-learn.
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


def fit(read: Sequence[Paper], *, penalty: float = _PENALTY) -> Classifier:
    """The classifier fitted on all findings of some papers.

    Raises:
        InputError: there are no findings, or scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as e:
        raise InputError("fitting needs scikit-learn; install cats-toolkit[experiments]") from e
    rows = [dict.fromkeys(features(each), 1.0) for paper in read for each in paper.found]
    wanted = [outcome(each, paper.gold) for paper in read for each in paper.found]
    if len(set(wanted)) < 2:
        raise InputError("too few labelled findings to fit on; give more labelled papers")
    table = DictVectorizer()
    # Every finding has the feature "bias", which serves as intercept.
    model = LogisticRegression(C=penalty, max_iter=5000, fit_intercept=False)
    model.fit(table.fit_transform(rows), wanted)
    of_class = model.coef_ if len(model.coef_) > 1 else np.vstack([-model.coef_, model.coef_]) / 2
    by_class = dict(zip(model.classes_, of_class, strict=True))
    unseen = np.where(np.array(table.feature_names_) == "bias", _NEVER, 0.0)
    columns = np.column_stack([by_class.get(name, unseen) for name in OUTCOMES])
    rounded = zip(table.feature_names_, columns.round(4).tolist(), strict=True)
    return Classifier({name: row for name, row in rounded if any(row)})


def held_out(read: Sequence[Paper], *, folds: int, seed: int = _SEED) -> list[list[Finding]]:
    """What is found in each paper by a classifier fitted on papers of the other folds."""
    fold_of = np.random.default_rng(seed).permutation(len(read)) % folds
    found: list[list[Finding]] = [[] for _ in read]
    for fold in range(folds):
        fitted = fit([paper for paper, its in zip(read, fold_of, strict=True) if its != fold])
        for place in np.flatnonzero(fold_of == fold):
            found[int(place)] = reread(read[int(place)].found, fitted)
    return found


def _labels(found: Sequence[Finding]) -> Labels:
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
            for score in scores(gold, [_labels(each) for each in way])
            if score.f1 is not None
        }
        for name, way in ways.items()
    }
    judged = calibrations(gold, [_labels(each) for each in found])
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
