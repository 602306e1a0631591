"""Transfer results that others published, one figure a row, each with its citation.

The facts are `data/facts/transfer_results.csv`: `published` reads it, and refuses it whole if a row
is wrong. `measured_here` puts a survey's own runs into the same columns, so that one analysis reads
both; they are told apart by `study`, and never pooled (`experiments.meta_analysis`).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import pandas as pd
import pyarrow as pa

import data
from data.catalogue import Catalogue, Modality
from data.errors import InputError

RESULTS_CSV = Path(data.__file__).parent / "facts" / "transfer_results.csv"
COLUMNS = (
    "source",
    "target",
    "modality",
    "model",
    "strategy",
    "metric",
    "value",
    "relative_to",
    "sd",
    "n_runs",
    "n_train",
    "citation",
    "checked",
    "note",
)
# What analyses read; `variance` is of the value, none if unknown, `study` a citation or OWN.
MEASURED = (
    "source",
    "target",
    "modality",
    "model",
    "strategy",
    "value",
    "relative_to",
    "variance",
    "study",
)
OWN = "run"
RANDOM = "random"
METRICS = ("auc",)
STRATEGIES = ("full fine-tune", "linear probe", "from scratch", "not noted")
# How a figure was verified: read in the authors' files or in the abstract, found again in a second
# place, taken from notes made while reading the paper, or remembered and yet to be looked up.
CHECKED = ("authors' files", "abstract", "second source", "notes", "memory")
_CITATION = re.compile(r"doi:10\.\d{4,9}/\S+|arXiv:\d{4}\.\d{4,5}")
_Cells = Mapping[str, str]


def published(path: Path | None = None, *, catalogue: Catalogue) -> pd.DataFrame:
    """The published results, checked, in the order of the file.

    Args:
        path: a table in `COLUMNS`; the packaged one if None.
        catalogue: knows the sources.

    Returns: columns as in the file; value, sd as floats, n_runs, n_train as whole numbers, missing
        where the file has nothing.

    Raises:
        InputError: the file is missing or has faults; all of them are in the one message, a line
            each.
    """
    path = path or RESULTS_CSV
    rows, faults = _read(path)
    seen: dict[tuple[str, ...], int] = {}
    for line, cells in rows:
        faults += [(line, what) for what in _faults(cells, catalogue)]
        cell = tuple(cells[name] for name in ("citation", "source", "target", "model", "strategy"))
        if cell in seen:
            faults.append((line, f"the same result is in line {seen[cell]}"))
        seen.setdefault(cell, line)
    if faults:
        told = [f"line {line}: {what}" for line, what in sorted(faults)]
        raise InputError("\n  ".join([f"{len(told)} fault(s)", *told]), path=path)
    frame = pd.DataFrame([cells for _, cells in rows], columns=list(COLUMNS))
    for name in ("value", "sd"):
        frame[name] = pd.to_numeric(frame[name].replace("", None)).astype("float64")
    for name in ("n_runs", "n_train"):
        frame[name] = pd.to_numeric(frame[name].replace("", None)).astype("Int64")
    for name in ("modality", "relative_to", "note"):
        frame[name] = frame[name].replace("", None)
    return frame


def measured_elsewhere(frame: pd.DataFrame) -> pd.DataFrame:
    """`published` in the columns `MEASURED`.

    The variance of a mean over runs is sd² / n_runs, where both are stated.
    """
    made = frame.assign(study=frame["citation"])
    made["variance"] = made["sd"] ** 2 / made["n_runs"].astype("float64")
    return pd.DataFrame(made, columns=list(MEASURED))


def measured_here(results: pa.Table, *, catalogue: Catalogue) -> pd.DataFrame:
    """A survey's own runs in the columns `MEASURED`: AUC on all training images, mean over seeds.

    The variance is that over seeds by their number, where there are several, plus that of the test
    images, by the width of their bootstrap interval (mean over seeds). Differences of sources on
    the same test images vary less: intervals from it are too wide rather than too narrow.

    Args:
        results: `Result` rows.
        catalogue: tells a target's modality.
    """
    rows = results.to_pandas()
    rows = rows[(rows["origin"] == "run") & (rows["fraction"] == 1)]
    rows = rows[rows["metric"].isin(["auc", "auc_low", "auc_high"])]
    if rows.empty:
        return pd.DataFrame(columns=list(MEASURED))
    cell = ["source", "target", "model", "strategy"]
    wide = rows.pivot_table(index=[*cell, "seed"], columns="metric", values="value")
    wide = wide.reindex(columns=["auc", "auc_low", "auc_high"])
    wide["images"] = ((wide["auc_high"] - wide["auc_low"]) / (2 * 1.96)) ** 2
    made = wide.groupby(cell).agg(
        value=("auc", "mean"),
        seeds=("auc", "var"),
        count=("auc", "count"),
        images=("images", "mean"),
    )
    made["variance"] = (made["seeds"] / made["count"]).fillna(0.0) + made["images"]
    made = made.reset_index().assign(relative_to=None, study=OWN)
    made["modality"] = [_modality(str(target), catalogue) for target in made["target"]]
    return pd.DataFrame(made, columns=list(MEASURED))


def _modality(target: str, catalogue: Catalogue) -> str | None:
    dataset = catalogue.datasets.get(catalogue.resolve(target) or "")
    return dataset.modality if dataset else None


def _read(path: Path) -> tuple[list[tuple[int, _Cells]], list[tuple[int, str]]]:
    rows: list[tuple[int, _Cells]] = []
    faults: list[tuple[int, str]] = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if tuple(header) != COLUMNS:
                raise InputError(
                    f"columns are {','.join(header)!r}; expected {','.join(COLUMNS)}",
                    path=path,
                    line=1,
                )
            for cells in reader:
                if len(cells) == len(COLUMNS):
                    found = {name: cell.strip() for name, cell in zip(COLUMNS, cells, strict=True)}
                    rows.append((reader.line_num, found))
                elif cells:
                    what = f"{len(cells)} cells, {len(COLUMNS)} expected"
                    faults.append((reader.line_num, what))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"cannot be read as UTF-8 CSV ({e})", path=path) from e
    return rows, faults


def _faults(cells: _Cells, catalogue: Catalogue) -> list[str]:
    checks: dict[str, Callable[[str], bool]] = {
        "source": bool,
        "target": bool,
        "modality": ("", *get_args(Modality)).__contains__,
        "model": bool,
        "strategy": STRATEGIES.__contains__,
        "metric": METRICS.__contains__,
        "value": lambda cell: _is_number(cell, -1.0 if cells["relative_to"] else 0.0, 1.0),
        "sd": lambda cell: not cell or _is_number(cell, 0.0, 1.0),
        "n_runs": lambda cell: not cell or _is_count(cell),
        "n_train": lambda cell: not cell or _is_count(cell),
        "citation": lambda cell: _CITATION.fullmatch(cell) is not None,
        "checked": CHECKED.__contains__,
    }
    found = [
        f"{name} {cells[name]!r} is not {_WANTED[name]}"
        for name, is_right in checks.items()
        if not is_right(cells[name])
    ]
    source = cells["source"]
    if source and source != RANDOM and catalogue.resolve(source) is None and not cells["note"]:
        found.append(
            f"source {source!r} is not in the catalogue; say in note what it is, or take "
            "its catalogue id"
        )
    return found


_WANTED = {
    "source": "a name",
    "target": "a name",
    "modality": "a modality of the catalogue, or empty",
    "model": "a name",
    "strategy": f"one of {', '.join(STRATEGIES)}",
    "metric": f"one of {', '.join(METRICS)}",
    "value": "a number in [0, 1], or in [-1, 1] relative to a source",
    "sd": "a number in [0, 1], or empty",
    "n_runs": "a whole number above 0, or empty",
    "n_train": "a whole number above 0, or empty",
    "citation": "doi:10... or arXiv:....",
    "checked": f"one of {', '.join(CHECKED)}",
}


def _is_number(cell: str, low: float, high: float) -> bool:
    try:
        value = float(cell)
    except ValueError:
        return False
    return math.isfinite(value) and low <= value <= high


def _is_count(cell: str) -> bool:
    return re.fullmatch(r"[1-9]\d*", cell) is not None
