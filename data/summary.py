"""All that the pages of a survey ask of it at once: made together, and kept until it changes.

Open `summary` first. What is kept is one Arrow file with one row, a list a column, so that it is
there again without a copy.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa

from data import kept
from data.corpus import FOLDERS, Corpus
from data.cube import BYS, Cube, Groups, Uses, survey_cube
from data.findings import Finding, findings
from data.gold_sample import survey_labels
from data.records import ROLES, Work
from data.trends import survey_counts, survey_papers_by_year

_NAME = "summary.arrow"
_LARGE = 30_000_000  # bytes of works; less is counted within half a gigabyte
_UNASKED = ("runs", "checkpoints", "hits", "sought")
_Row = Mapping[str, pa.Array]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Summary:
    """What is counted of a survey.

    Args:
        cube: see `data.cube.survey_cube`.
        counts: see `data.trends.survey_counts`.
        by_year: see `data.trends.survey_papers_by_year`.
        gold: see `data.gold_sample.survey_labels`.
        findings: see `data.findings.findings`, on all papers of the kind of text that most have.
    """

    cube: Cube
    counts: Mapping[str, int]
    by_year: pd.DataFrame
    gold: pa.Table | None
    findings: tuple[Finding, ...]


def summary(survey: Path, stamp: str) -> Summary:
    """The survey's numbers: those that are kept if they are of this state, else made and kept.

    Args:
        stamp: the survey's `data.kept.stamp`.

    Raises:
        InputError: the survey cannot be read.
    """
    file = survey / kept.FOLDER / _NAME
    return _read(file, stamp) or _made_apart(survey, stamp) or _made_here(survey, stamp)


def _made_here(survey: Path, stamp: str) -> Summary:
    """The numbers, made by this process and kept if they are of this state."""
    is_settled = kept.is_settled(survey, stamp)
    made = _made(survey)
    if is_settled and kept.stamp(survey) == stamp:
        kept.keep(survey, _NAME, lambda file: _write(file, made, stamp))
    return made


def _made_apart(survey: Path, stamp: str) -> Summary | None:
    """The numbers of a large survey, made and kept by another process, which gives them over.

    So the memory that counting takes, several times that of what is counted, goes with it. None
    where the survey is not large, or the other process failed: then this one says why.
    """
    parts = (survey / FOLDERS[Work]).glob("[!.]*.parquet")
    if sum(part.stat().st_size for part in parts) < _LARGE:
        return None
    with TemporaryDirectory(prefix="cats-") as folder:
        given = Path(folder) / _NAME
        command = [sys.executable, "-P", "-m", __name__, str(survey.resolve()), stamp, str(given)]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        return _read(given, stamp)


def _made(survey: Path) -> Summary:
    with Corpus(survey).connect(without=_UNASKED) as db:
        cube, gold = survey_cube(db), survey_labels(db)
        return Summary(
            cube=cube,
            counts=MappingProxyType(survey_counts(db)),
            by_year=survey_papers_by_year(db),
            gold=gold,
            findings=tuple(findings(cube, gold=gold)),
        )


def _write(file: BinaryIO, made: Summary, stamp: str) -> None:
    """A line of whose state it is, and by what program, and a checksum; then the Arrow file."""
    sink = pa.BufferOutputStream()
    row = {name: _one(column) for name, column in _row(made).items()}
    table = pa.table(row).replace_schema_metadata({"json": json.dumps(_words(made))})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    file.write(f"{stamp} {kept.program()} {hashlib.sha256(content).hexdigest()}\n".encode())
    file.write(content)


def _read(path: Path, stamp: str) -> Summary | None:
    """What is kept, if it is whole, of this state and by this program; else None."""
    try:
        with path.open("rb") as file:
            first = file.readline(200).decode("ascii", "replace").split()
            if first[:-1] != [stamp, kept.program()]:
                return None
            content = file.read()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != first[-1]:
        return None
    table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
    row = {name: table[name].chunk(0).values for name in table.column_names}
    return _summary(row, json.loads(table.schema.metadata[b"json"]))


def _one(column: pa.Array) -> pa.Array:
    """A list of all values, as the one value of a column."""
    return pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)


def _row(made: Summary) -> dict[str, pa.Array]:
    cube = made.cube
    arrays: dict[str, Any] = {
        name: getattr(cube, name) for name in ("year", "full_text", "has_references", "images")
    }
    arrays |= {"cited paper": cube.cited[0], "cited dataset": cube.cited[1]}
    for by, groups in cube.groups.items():
        arrays[f"{by} of paper"] = groups.of_paper
        if groups.sets is not None:
            arrays |= {f"{by} sets": groups.sets[0], f"{by} groups": groups.sets[1]}
    for role, uses in cube.uses.items():
        arrays |= {f"{role} {each.name}": getattr(uses, each.name) for each in fields(Uses)}
    row = {name: pa.array(array) for name, array in arrays.items()}
    row["ids"] = cube.ids
    row["datasets"] = pa.array(cube.datasets, pa.string())
    row |= {f"{by} names": pa.array(cube.groups[by].names, pa.string()) for by in BYS}
    row["by year"] = _records(pa.Table.from_pandas(made.by_year, preserve_index=False))
    if made.gold is not None:
        row["gold"] = _records(made.gold)
    return row


def _records(table: pa.Table) -> pa.Array:
    return table.to_struct_array().combine_chunks()


def _words(made: Summary) -> dict[str, Any]:
    cube = made.cube
    return {
        "image_of": dict(cube.image_of),
        "released": dict(cube.released),
        "counts": dict(made.counts),
        "findings": [asdict(each) for each in made.findings],
    }


def _summary(row: _Row, words: Mapping[str, Any]) -> Summary:
    """What `_row` and `_words` were made of."""
    cube = Cube(
        ids=row["ids"],
        year=_array(row["year"]),
        full_text=_array(row["full_text"]),
        has_references=_array(row["has_references"]),
        groups=MappingProxyType({by: _groups(row, by) for by in BYS}),
        datasets=tuple(row["datasets"].to_pylist()),
        images=_array(row["images"]),
        uses=MappingProxyType(
            {
                role: Uses(*(_array(row[f"{role} {each.name}"]) for each in fields(Uses)))
                for role in ROLES
            }
        ),
        cited=(_array(row["cited paper"]), _array(row["cited dataset"])),
        image_of=MappingProxyType(words["image_of"]),
        released=MappingProxyType(words["released"]),
    )
    return Summary(
        cube=cube,
        counts=MappingProxyType(words["counts"]),
        by_year=pa.Table.from_struct_array(row["by year"]).to_pandas(),
        gold=pa.Table.from_struct_array(row["gold"]) if "gold" in row else None,
        findings=tuple(Finding(**each) for each in words["findings"]),
    )


def _groups(row: _Row, by: str) -> Groups:
    sets = None
    if f"{by} sets" in row:
        sets = _array(row[f"{by} sets"]), _array(row[f"{by} groups"])
    return Groups(tuple(row[f"{by} names"].to_pylist()), _array(row[f"{by} of paper"]), sets)


def _array(column: pa.Array) -> Any:
    return column.to_numpy(zero_copy_only=False)


if __name__ == "__main__":
    _survey, _stamp, _given = sys.argv[1:]
    with Path(_given).open("wb") as _file:
        _write(_file, _made_here(Path(_survey), _stamp), _stamp)
