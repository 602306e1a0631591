"""Two selections of papers, dataset by dataset. Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from data.corrected import Question
from data.counting import counted, items, of_text, texts_of
from data.cube import Bools, Cube, Of, Selection
from data.errors import InputError
from data.gold_sample import read
from data.intervals import Floats, difference, holm, two_sided_p, z_of
from data.records import Role
from data.trends import answers


def compare(
    cube: Cube,
    first: Selection,
    second: Selection,
    *,
    role: Role = "source",
    of: Of = "dataset",
    datasets: tuple[str, ...] = (),
    gold: pa.Table | None = None,
) -> pd.DataFrame:
    """The difference of two selections' shares (first minus second), dataset by dataset.

    Papers in both selections are heeded (`n_both`).

    Args:
        datasets: only these; those that either selection uses if empty. Holm counts these.
        gold: see `data.gold_sample.GOLD`.

    Returns: columns text, dataset, n_1, n_papers_1, share_1, n_2, n_papers_2, share_2, n_both,
        difference, low, high (Newcombe 95%), p, p_holm (over the datasets of a text kind),
        corrected, corrected_low, corrected_high, corrected_p, corrected_p_holm, and not_corrected
        (why these are missing); the largest |difference| first. Empty where a selection is.

    Raises:
        InputError: one selection counts kinds of text apart and the other does not.
    """
    if (first.text == "separate") != (second.text == "separate"):
        raise InputError(
            f"texts {first.text!r} and {second.text!r} cannot be compared; name one for each"
        )
    frames = [
        _compared(cube, one, other, role=role, of=of, datasets=datasets, gold=gold)
        for one, other in zip(_by_text(first), _by_text(second), strict=True)
    ]
    frame = pd.concat(frames, ignore_index=True)
    order = frame["difference"].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _by_text(where: Selection) -> list[Selection]:
    if where.text != "separate":
        return [where]
    return [replace(where, text="full text"), replace(where, text="abstract")]


def _compared(
    cube: Cube,
    first: Selection,
    second: Selection,
    *,
    role: Role,
    of: Of,
    datasets: tuple[str, ...],
    gold: pa.Table | None,
) -> pd.DataFrame:
    masks = [_papers(cube, where) for where in (first, second)]
    found = [
        items(cube, role, of, where, mask=mask, datasets=datasets if of == "dataset" else ())
        for where, mask in zip((first, second), masks, strict=True)
    ]
    used = np.unique(np.concatenate([each.item for each in found]))
    names = tuple(found[0].names[i] for i in used) if not datasets or of != "dataset" else datasets
    one, other = (
        answers(cube, Question("all", role, of, where), each, names, gold=gold)
        for where, each in zip((first, second), found, strict=True)
    )
    if one.empty or other.empty:
        return pd.DataFrame(columns=_COLUMNS)
    text = first.text if first.text == second.text else f"{first.text} - {second.text}"
    frame = pd.DataFrame({"text": text, "dataset": one["dataset"]})
    for i, part in ((1, one), (2, other)):
        for name in ("n", "n_papers", "share"):
            frame[f"{name}_{i}"] = part[name]
    both = masks[0] & masks[1]
    frame["n_both"] = int(both.sum())
    rho = _correlation(*masks)
    told = difference(_triple(one, _RAW), _triple(other, _RAW), correlation=rho)
    frame["difference"], frame["low"], frame["high"] = told
    frame["p"] = _score_p(one, other, int(both.sum()))
    frame["p_holm"] = holm(frame["p"])
    sampled = np.unique(read(cube, gold).paper)
    rho = _correlation(*(mask[sampled] for mask in masks))
    return _with_corrected(frame, one, other, rho)[_COLUMNS]


_RAW = ("share", "low", "high")
_COLUMNS = [
    "text",
    "dataset",
    *(f"{name}_{i}" for i in (1, 2) for name in ("n", "n_papers", "share")),
    "n_both",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "corrected",
    "corrected_low",
    "corrected_high",
    "corrected_p",
    "corrected_p_holm",
    "not_corrected",
]


def _papers(cube: Cube, where: Selection) -> Bools:
    (text,) = texts_of(where)
    return of_text(cube, where, text, counted(cube, where))


def _triple(frame: pd.DataFrame, names: tuple[str, ...]) -> tuple[Floats, Floats, Floats]:
    value, low, high = (frame[name].to_numpy(float) for name in names)
    return value, low, high


def _correlation(first: Bools, second: Bools) -> float:
    """Of the shares in two samples of papers that share some: the same paper, the same answer."""
    n, m = int(first.sum()), int(second.sum())
    return float((first & second).sum() / np.sqrt(n * m)) if n and m else 0.0


def _score_p(one: pd.DataFrame, other: pd.DataFrame, n_both: int) -> Floats:
    """Score test of equal shares, with the share of both together, and papers in both heeded."""
    n, m = one["n_papers"].to_numpy(float), other["n_papers"].to_numpy(float)
    pooled = (one["n"].to_numpy(float) + other["n"].to_numpy(float)) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * np.maximum(1 / n + 1 / m - 2 * n_both / (n * m), 0))
    return two_sided_p(one["share"].to_numpy(float) - other["share"].to_numpy(float), error)


def _with_corrected(
    frame: pd.DataFrame, one: pd.DataFrame, other: pd.DataFrame, rho: float
) -> pd.DataFrame:
    names = ("corrected", "corrected_low", "corrected_high")
    value, low, high = difference(_triple(one, names), _triple(other, names), correlation=rho)
    # The interval is not symmetric; what lies between the value and zero decides.
    error = np.where(value > 0, value - low, high - value) / z_of()
    told = np.isfinite(value)
    p = np.full(len(frame), np.nan)
    p[told] = two_sided_p(value[told], error[told])
    adjusted = p.copy()
    adjusted[told] = holm(p[told])
    reasons = one["not_corrected"].where(one["not_corrected"].notna(), other["not_corrected"])
    return frame.assign(
        corrected=value,
        corrected_low=low,
        corrected_high=high,
        corrected_p=p,
        corrected_p_holm=adjusted,
        not_corrected=reasons,
    )
