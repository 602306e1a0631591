"""What a practitioner is told: what papers like theirs use, and what was measured on such targets.

Open `advice` first. It is the one place that a ranking of sources would come in by.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

import data
from dashboard import numbers, survey
from data.catalogue import Catalogue
from data.corpus import Corpus
from data.cube import Selection
from data.trends import leading
from experiments.recommend import advice as recommended

_PUBLISHED = Path(data.__file__).parent / "facts" / "transfer_results.csv"
_COLUMNS = ["source", "target", "value", "low", "high", "model", "strategy", "origin"]
_FEW, _TOP = 30, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is known for one kind of target.

    Args:
        where: the papers on such targets.
        kind: the kind of target in words.
        used: as `data.trends.shares` gives it: the sources of these papers, the most used first.
        n_papers: how many papers there are.
        measured: columns source, target, value (AUC), low, high (None where unknown), model,
            strategy, origin ('run' or a citation).
    """

    where: Selection
    kind: str
    used: pd.DataFrame
    n_papers: int
    measured: pd.DataFrame

    @property
    def is_thin(self) -> bool:
        """Whether there are too few papers to speak of a habit."""
        return self.n_papers < _FEW


def advice(
    path: Path, at: str, *, modality: str | None, organ: str | None, task: str | None
) -> Advice:
    """What papers on such targets use, and what was measured on targets of that modality."""
    where = Selection(
        text=numbers.kind_of_text(path, at),
        among="transfer",
        modality=(modality,) if modality else (),
        organ=(organ,) if organ else (),
        task=(task,) if task else (),
    )
    used = numbers.shares_of(path, at, by="all", where=where)
    used = used[used["dataset"].isin(leading(used, _TOP))]
    found = results(path, at)
    if modality or organ:
        known = survey.catalogue(path, at)
        alike = [_is_alike(known, row, modality, organ) for row in found.to_dict("records")]
        found = found[pd.Series(alike, dtype=bool, index=found.index)]
    kind = ", ".join(value for value in (modality, organ, task) if value) or "any images"
    n_papers = int(used["n_papers"].iloc[0]) if len(used) else 0
    return Advice(
        where=where,
        kind=kind,
        used=used,
        n_papers=n_papers,
        measured=found,
    )


@st.cache_data(max_entries=32, show_spinner="Weighing what was measured ...")
def ranked(
    path: Path, at: str, *, modality: str, organ: str | None, task: str | None
) -> tuple[pd.DataFrame, str, tuple[str, ...]]:
    """`experiments.recommend.advice`: sources best first, what to do, what that rests on."""
    told = recommended(Corpus(path), modality=modality, organ=organ, task=task)
    return told.frame, told.verdict, told.notes


@st.cache_data(max_entries=4, show_spinner=False)
def results(path: Path, at: str) -> pd.DataFrame:
    """AUCs measured in this survey and those published elsewhere, in the columns of `Advice`."""
    own = survey.results(path, at)
    wide = own.pivot_table(
        index=["source", "target", "model", "strategy", "origin"],
        columns="metric",
        values="value",
        aggfunc="mean",
    ).reset_index()
    names = {"auc": "value", "auc_low": "low", "auc_high": "high"}
    frames = [wide.rename(columns=names)] if "auc" in wide else []
    if _PUBLISHED.is_file():
        told = pd.read_csv(_PUBLISHED, keep_default_na=False, na_values={"value": [""]})
        told = told[(told["metric"] == "auc") & (told["relative_to"] == "")]
        frames.append(told.rename(columns={"citation": "origin"}).assign(low=None, high=None))
    if not frames:
        return pd.DataFrame(columns=[*_COLUMNS, "modality"])
    return pd.concat(frames, ignore_index=True).reindex(columns=[*_COLUMNS, "modality"])


def measured_with(path: Path, at: str, dataset: str) -> pd.DataFrame:
    """The results with this dataset as source or as target."""
    found = results(path, at)
    return found[(found["source"] == dataset) | (found["target"] == dataset)].loc[:, _COLUMNS]


def _is_alike(
    known: Catalogue, row: dict[object, object], modality: str | None, organ: str | None
) -> bool:
    """Whether a result's target is of this modality and shows this organ."""
    target = known.datasets.get(known.resolve(str(row["target"])) or "")
    stated = row.get("modality")
    kind = stated if isinstance(stated, str) and stated else getattr(target, "modality", None)
    of_organ = str(getattr(target, "organ", "") or "")
    return (modality is None or kind == modality) and (organ is None or organ in of_organ)


def by_target(measured: pd.DataFrame) -> pd.DataFrame:
    """One row a target and study with two sources or more, those with the most sources first.

    Returns: columns target, study, sources, best, AUC, best_less_worst.
    """
    rows = []
    for (target, origin), results in measured.groupby(["target", "origin"], sort=False):
        means = results.groupby("source")["value"].mean().sort_values(ascending=False)
        if len(means) > 1:
            best = float(means.iloc[0])
            rows.append(
                (target, origin, len(means), means.index[0], best, best - float(means.iloc[-1]))
            )
    columns = ["target", "study", "sources", "best", "AUC", "best_less_worst"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(["sources", "target"], ascending=[False, True], kind="stable")
