"""How well uses are found: precision, recall and F1 against labels, with intervals.

Open `evaluation` first: it gathers all that is measured of one annotator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotate.calibration import Calibration, calibrations
from annotate.gold import Label, Labels
from annotate.resampling import RESAMPLES, interval, resampled
from data.catalogue import Images, key
from data.errors import GateError, InputError
from data.records import Role

Items = set[tuple[str, ...]]
Wanted = Callable[[Label], bool]
# What is compared of one paper: the gold's items and the found ones.
Pick = Callable[[Labels, Labels], tuple[Items, Items]]


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of one measure, each with its 95% bootstrap interval.

    A rate without a denominator is None; `n_gold` and `n_found` are its denominators.
    """

    measure: str
    n_gold: int
    n_found: int
    n_right: int
    precision: float | None
    recall: float | None
    f1: float | None
    precision_interval: tuple[float, float] | None
    recall_interval: tuple[float, float] | None
    f1_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that is measured of one annotator.

    Args:
        annotator: name@version, a baseline's name, or the file of another person's labels.
        scores: in the order of `MEASURES`; empty if it could not run.
        calibration: empty for those that give no scores.
        note: why it could not run, and what to do.
    """

    annotator: str
    scores: list[Score]
    calibration: list[Calibration]
    note: str | None = None


def _uses(wanted: Wanted) -> Pick:
    """Dataset and role, of what is wanted on either side."""

    def pick(gold: Labels, found: Labels) -> tuple[Items, Items]:
        return _items(gold, wanted), _items(found, wanted)

    return pick


def _items(of: Labels, wanted: Wanted) -> Items:
    return {(label.dataset, label.role) for label in of if wanted(label)}


def _names(ambiguous: bool | None) -> Pick:
    """Datasets that are named, whatever their role; all, or those with or without a homonym."""

    def pick(gold: Labels, found: Labels) -> tuple[Items, Items]:
        homonyms = _homonyms(gold, found)

        def names(of: Labels) -> Items:
            named = {label.dataset for label in of if not label.implied}
            return {(d,) for d in named if ambiguous is None or ambiguous == (d in homonyms)}

        return names(gold), names(found)

    return pick


def _roles(ambiguous: bool | None) -> Pick:
    """Dataset and role of the names that gold and annotator both have: is the role right?"""
    names = _names(ambiguous)

    def pick(gold: Labels, found: Labels) -> tuple[Items, Items]:
        gold_names, found_names = names(gold, found)
        shared = gold_names & found_names

        def wanted(label: Label) -> bool:
            return not label.implied and (label.dataset,) in shared

        return _items(gold, wanted), _items(found, wanted)

    return pick


def _homonyms(gold: Labels, found: Labels) -> set[str]:
    """Datasets that the paper names by a homonym: the gold's words decide, else those found."""
    told: dict[str, bool] = {}
    for side in (found, gold):
        said: dict[str, bool] = {}
        for label in side:
            if label.ambiguous is not None and not label.implied:
                said[label.dataset] = said.get(label.dataset, False) or label.ambiguous
        told |= said
    return {dataset for dataset, is_homonym in told.items() if is_homonym}


def _of_images(role: Role, images: Images | None) -> Pick:
    return _uses(
        lambda label: label.role == role and label.images == images and not label.is_unnamed
    )


MEASURES: dict[str, Pick] = {
    "named sources": _uses(lambda label: label.role == "source" and not label.implied),
    "implied sources": _uses(
        lambda label: label.role == "source" and label.implied and not label.is_unnamed
    ),
    "all sources": _uses(lambda label: label.role == "source" and not label.is_unnamed),
    "targets": _uses(lambda label: label.role == "target"),
    "mentions": _uses(lambda label: label.role == "mention"),
    "unnamed sources (I3)": _uses(lambda label: label.role == "source" and label.is_unnamed),
    "natural sources": _of_images("source", "natural"),
    "medical sources": _of_images("source", "medical"),
    "uncatalogued sources": _of_images("source", None),
    "natural targets": _of_images("target", "natural"),
    "medical targets": _of_images("target", "medical"),
    "uncatalogued targets": _of_images("target", None),
    "names": _names(None),
    "plain names": _names(False),
    "ambiguous names": _names(True),
    "roles of names found": _roles(None),
    "roles of plain names found": _roles(False),
    "roles of ambiguous names found": _roles(True),
}


def scores(
    gold: Sequence[Labels],
    found: Sequence[Labels],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Score]:
    """Each measure over all papers, micro-averaged over what is compared of each paper.

    Intervals are percentiles of a bootstrap over papers, as uses of one paper are not independent.

    Args:
        gold: the labels of each paper.
        found: the annotator's, same length and order.
        resamples: bootstrap samples.
    """
    counts = np.zeros((len(gold), len(MEASURES), 3))
    for paper, (wanted, had) in enumerate(zip(gold, found, strict=True)):
        for place, pick in enumerate(MEASURES.values()):
            a, b = pick(wanted, had)
            counts[paper, place] = len(a), len(b), len(a & b)
    flat = counts.reshape(len(gold), 3 * len(MEASURES))
    draws = resampled(flat, resamples=resamples, seed=seed)
    spread = _rates(draws.reshape(resamples, len(MEASURES), 3))
    totals = counts.sum(axis=0)
    rates = _rates(totals)
    return [
        _score(measure, totals[place], rates[place], spread[:, place])
        for place, measure in enumerate(MEASURES)
    ]


def _rates(totals: Any) -> Any:
    """Precision, recall, F1 of (n_gold, n_found, n_right). *Shape:* (..., 3) -> (..., 3)."""
    gold, found, right = (totals[..., column] for column in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([right / found, right / gold, 2 * right / (gold + found)], axis=-1)


def _score(measure: str, total: Any, rates: Any, spread: Any) -> Score:
    n_gold, n_found, n_right = (int(n) for n in total)
    precision, recall, f1 = (None if np.isnan(rate) else float(rate) for rate in rates)
    intervals = [
        None if rate is None else interval(spread[:, column])
        for column, rate in enumerate((precision, recall, f1))
    ]
    return Score(measure, n_gold, n_found, n_right, precision, recall, f1, *intervals)


def evaluation(annotator: str, gold: Sequence[Labels], found: Sequence[Labels]) -> Evaluation:
    """Scores and calibration of what an annotator found.

    Args:
        gold: the labels of each paper.
        found: the annotator's, same length and order.
    """
    return Evaluation(annotator, scores(gold, found), calibrations(gold, found))


def gates(wanted: Iterable[str]) -> dict[str, float]:
    """Measure to least F1, of texts such as "named sources=0.9" or "named-sources=0.9".

    Raises:
        InputError: a text has no such measure, or no number from 0 to 1.
    """
    spelled = {key(measure): measure for measure in MEASURES}
    found: dict[str, float] = {}
    for text in wanted:
        name, _, value = text.rpartition("=")
        if key(name) not in spelled:
            raise InputError(
                f"--min-f1 {text!r} names no measure; expected MEASURE=VALUE with one of: "
                + ", ".join(MEASURES)
            )
        try:
            least = float(value)
        except ValueError:
            least = -1.0
        if not 0 <= least <= 1:
            raise InputError(f"--min-f1 {text!r}: {value!r} is no number from 0 to 1")
        found[spelled[key(name)]] = least
    return found


def check_gates(table: Iterable[Score], least: dict[str, float]) -> None:
    """Nothing, if each measure's F1 is at least what is asked.

    Raises:
        GateError: some are below, or have neither labels nor finds to judge by; all in one
            message.
    """
    missed = []
    for score in table:
        floor = least.get(score.measure, 0.0)
        if score.measure in least and score.f1 is None:
            missed.append(f"{score.measure}: nothing labelled or found, so no F1 (least {floor:g})")
        elif score.f1 is not None and score.f1 < floor:
            missed.append(f"{score.measure}: F1 {score.f1:.4f}, least {floor:g}")
    if missed:
        raise GateError("F1 below what --min-f1 asks: " + "; ".join(missed))
