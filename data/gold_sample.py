"""Gold labels beside what the annotator says of the same papers. Open `read` first.

The sample is drawn by chance with known probabilities, read whole and blind: only it may estimate
how good the annotator is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa

from data.catalogue import PSEUDO_IDS
from data.counting import Items
from data.cube import UNKNOWN, Bools, Cube, Ints, Of
from data.errors import InputError
from data.gold import survey_gold
from data.intervals import Floats
from data.records import Role

# One row a paper, dataset and role that people judged. A gold paper was read whole, so that what
# has no row is not in it; one in which nothing was found has one row, without dataset and role.
GOLD = pa.schema(
    [
        pa.field("work_id", pa.string(), nullable=False),
        pa.field("dataset", pa.string()),
        pa.field("role", pa.string()),
        pa.field("truth", pa.bool_()),  # the paper uses this dataset in this role; null as dataset
        pa.field("stratum", pa.string(), nullable=False),  # in which the paper was drawn
        pa.field("weight", pa.float64(), nullable=False),  # papers that it stands for, 1 or more
        # Which reading of the paper this is, where its readers differ and nobody has settled it:
        # each is read as a row is, and counts as a part of the paper. Null, or no column: the one.
        pa.field("reading", pa.int64()),
    ]
)
_MAY_LACK = ("reading",)


@dataclass(frozen=True, slots=True, eq=False)
class Gold:
    """Readings of the gold papers that are in a cube; most papers have one.

    A paper that its readers differ on has one a reader, each a part of the paper. Left out, or
    given to either reader, such papers would bias what is estimated: they are the hard ones, and
    papers that use nothing are hardly ever among them.

    Args:
        paper: their places in the cube, ascending.
        weight: how many papers each paper stands for, one over the chance of being drawn.
        part: of its paper that a reading is: 1, or 1/2 of two.
        true: (place in `paper`, dataset, role) of what they do use.
    """

    paper: Ints
    weight: Floats
    part: Floats
    true: tuple[tuple[int, str, str], ...]

    @property
    def n(self) -> int:
        """How many readings there are."""
        return len(self.paper)

    @property
    def n_papers(self) -> int:
        """How many papers there are."""
        return len(np.unique(self.paper))


def read(cube: Cube, table: pa.Table | None) -> Gold:
    """The gold papers of a table that a cube holds; none if there is no table.

    Args:
        table: columns as `GOLD`.

    Raises:
        InputError: a column is missing, a weight is below 1, or a paper has two.
    """
    if table is None:
        return Gold(np.zeros(0, np.int32), np.zeros(0), np.zeros(0), ())
    missing = [n for n in GOLD.names if n not in table.column_names and n not in _MAY_LACK]
    if missing:
        raise InputError(f"gold labels lack the columns {missing}; expected {GOLD.names}")
    weights, place = _weights(table), _places(cube, table)
    if "reading" not in table.column_names:
        table = table.append_column(GOLD.field("reading"), pa.nulls(table.num_rows, pa.int64()))
    rows = [
        ((place[row["work_id"]], row["reading"] or 0), row)
        for row in table.select(["work_id", "dataset", "role", "truth", "reading"]).to_pylist()
        if row["work_id"] in place
    ]
    readings = sorted({key for key, _ in rows})
    order = {key: i for i, key in enumerate(readings)}
    true = {(order[key], row["dataset"], row["role"]) for key, row in rows if row["truth"]}
    n_readings = Counter(paper for paper, _ in readings)
    weight_of = {paper: weights[work] for work, paper in place.items()}
    return Gold(
        np.array([paper for paper, _ in readings], np.int32),
        np.array([weight_of[paper] for paper, _ in readings], float),
        np.array([1 / n_readings[paper] for paper, _ in readings], float),
        tuple(sorted(true)),
    )


class ReadPaper(Protocol):
    """A gold paper that people have read whole."""

    @property
    def work_id(self) -> str:
        """Id of the work."""

    @property
    def stratum(self) -> str:
        """Where it was drawn from."""

    @property
    def weight(self) -> float:
        """Papers of the stratum by those read of it."""

    @property
    def readings(self) -> Sequence[Collection[tuple[str, Role]]]:
        """(dataset, role) that it does use: once, or as each reader has it where they differ."""


def table_of(papers: Iterable[ReadPaper]) -> pa.Table:
    """The gold labels of papers, columns as `GOLD`.

    Args:
        papers: as people have read them; `weight` is how many papers of the stratum each stands
            for.
    """
    rows: list[dict[str, object]] = []
    for paper in papers:
        for place, uses in enumerate(paper.readings):
            of = {"work_id": paper.work_id, "stratum": paper.stratum, "weight": paper.weight}
            of["reading"] = place if len(paper.readings) > 1 else None
            rows += [
                {**of, "dataset": dataset, "role": role, "truth": True}
                for dataset, role in sorted(uses)
            ] or [of]
    return pa.Table.from_pylist(rows, schema=GOLD)


def survey_labels(db: duckdb.DuckDBPyConnection) -> pa.Table | None:
    """The survey's own gold labels, columns as `GOLD`; None where people have read no gold paper.

    Args:
        db: a connection from `Corpus.connect`.
    """
    if not db.sql("SELECT 1 FROM sample LIMIT 1").fetchall():
        return None
    labels = table_of(survey_gold(db).papers())
    return labels if labels.num_rows else None


_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".jsonl": "read_json"}


def read_labels(path: Path) -> pa.Table:
    """The gold labels of a file: Parquet, CSV or JSON lines with the columns of `GOLD`.

    Raises:
        InputError: the file cannot be read, or its columns are others.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise InputError(f"is none of {', '.join(_READERS)}; convert it", path=path)
    try:
        with duckdb.connect() as db:
            held = db.sql(f"FROM {reader}($path)", params={"path": str(path)})
            lacks = [name for name in _MAY_LACK if name not in held.columns]
            names = ", ".join(
                f"CAST({'NULL' if f.name in lacks else f.name} AS {_SQL[f.type]}) AS {f.name}"
                for f in GOLD
            )
            return pa.table(held.select(names).to_arrow_table().columns, schema=GOLD)
    except (duckdb.Error, pa.ArrowInvalid) as e:
        what = f"holds no gold labels; expected the columns {', '.join(GOLD.names)}"
        raise InputError(f"{what} ({str(e).splitlines()[0]})", path=path) from e


_SQL = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.float64(): "DOUBLE",
    pa.int64(): "BIGINT",
}


def _places(cube: Cube, table: pa.Table) -> dict[str, int]:
    import pyarrow.compute as pc

    works = table["work_id"].unique()
    found = pc.index_in(works, value_set=cube.ids).to_pylist()
    return {work: p for work, p in zip(works.to_pylist(), found, strict=True) if p is not None}


def _weights(table: pa.Table) -> dict[str, float]:
    weights: dict[str, float] = {}
    pairs = zip(table["work_id"].to_pylist(), table["weight"].to_pylist(), strict=True)
    for work, weight in pairs:
        if weight is None or not weight >= 1:
            raise InputError(f"weight {weight!r} of a gold paper is below 1", record=work)
        if weights.setdefault(work, weight) != weight:
            what = f"gold paper has two weights, {weights[work]} and {weight}; keep one"
            raise InputError(what, record=work)
    return weights


def truths(
    gold: Gold,
    cube: Cube,
    role: Role,
    of: Of,
    *,
    names: tuple[str, ...],
    datasets: tuple[str, ...],
) -> Bools:
    """Which readings do use what. *Shape:* (n gold, n names).

    Args:
        of: all but 'naming': labels do not say whether a dataset is named.
        names: what is used, in the order of the columns.
        datasets: only labels of these; all if empty.
    """
    places = {name: i for i, name in enumerate(names)}
    table = np.zeros((gold.n, len(names)), bool)
    for paper, dataset, found in gold.true:
        if found != role or (datasets and dataset not in datasets):
            continue
        item = _item(cube, of, dataset)
        if item in places:
            table[paper, places[item]] = True
    return table


def _item(cube: Cube, of: Of, dataset: str) -> str:
    if of == "unnamed":
        return "unnamed" if dataset in PSEUDO_IDS else ""
    return dataset if of == "dataset" else cube.image_of.get(dataset, UNKNOWN)


def transfers_in_truth(gold: Gold) -> Bools:
    """Which readings do have a source. *Shape:* (n gold,)."""
    mask = np.zeros(gold.n, bool)
    mask[[paper for paper, _, role in gold.true if role == "source"]] = True
    return mask


def predictions(gold: Gold, found: Items, n_papers: int) -> Bools:
    """Which readings' papers use what by these pairs. *Shape:* (n gold, n names)."""
    papers, place_of = np.unique(gold.paper, return_inverse=True)
    place = np.full(n_papers, -1, np.int64)
    place[papers] = np.arange(len(papers))
    row = place[found.paper]
    table = np.zeros((len(papers), len(found.names)), bool)
    table[row[row >= 0], found.item[row >= 0]] = True
    return np.asarray(table[place_of])
