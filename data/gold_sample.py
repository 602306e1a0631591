"""Gold labels beside what the annotator says of the same papers. Open `read` first.

The sample is drawn by chance with known probabilities, read whole and blind: only it may estimate
how good the annotator is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
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
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Gold:
    """Gold papers that are in a cube.

    Args:
        paper: their places in the cube, ascending.
        weight: how many papers each stands for, one over the chance of being drawn.
        true: (place in `paper`, dataset, role) of what they do use.
    """

    paper: Ints
    weight: Floats
    true: tuple[tuple[int, str, str], ...]

    @property
    def n(self) -> int:
        """How many papers there are."""
        return len(self.paper)


def read(cube: Cube, table: pa.Table | None) -> Gold:
    """The gold papers of a table that a cube holds; none if there is no table.

    Args:
        table: columns as `GOLD`.

    Raises:
        InputError: a column is missing, a weight is below 1, or a paper has two.
    """
    if table is None:
        return Gold(np.zeros(0, np.int32), np.zeros(0), ())
    missing = [name for name in GOLD.names if name not in table.column_names]
    if missing:
        raise InputError(f"gold labels lack the columns {missing}; expected {GOLD.names}")
    weights, place = _weights(table), _places(cube, table)
    papers = {p: weights[work] for work, p in place.items()}
    order = {p: i for i, p in enumerate(sorted(papers))}
    rows = table.select(["work_id", "dataset", "role", "truth"]).to_pylist()
    true = {
        (order[place[row["work_id"]]], row["dataset"], row["role"])
        for row in rows
        if row["truth"] and row["work_id"] in place
    }
    weight = np.array([papers[p] for p in sorted(papers)], float)
    return Gold(np.array(sorted(papers), np.int32), weight, tuple(sorted(true)))


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
    def uses(self) -> Collection[tuple[str, Role]]:
        """(dataset, role) that it does use."""

    @property
    def disputed(self) -> Collection[tuple[str, Role]]:
        """(dataset, role) that its readers differ on."""


def table_of(papers: Iterable[ReadPaper]) -> pa.Table:
    """The gold labels of papers, columns as `GOLD`.

    A paper on which its readers still differ is left out until somebody has settled it; the others
    of its stratum stand for it.

    Args:
        papers: as people have read them; `weight` is how many papers of the stratum each stands
            for, `uses` what it does use, `disputed` what its readers differ on.
    """
    every = list(papers)
    read = Counter(paper.stratum for paper in every)
    settled = [paper for paper in every if not paper.disputed]
    kept = Counter(paper.stratum for paper in settled)
    rows: list[dict[str, object]] = []
    for paper in settled:
        weight = paper.weight * read[paper.stratum] / kept[paper.stratum]
        of = {"work_id": paper.work_id, "stratum": paper.stratum, "weight": weight}
        rows += [
            {**of, "dataset": dataset, "role": role, "truth": True}
            for dataset, role in sorted(paper.uses)
        ] or [of]
    return pa.Table.from_pylist(rows, schema=GOLD)


_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".jsonl": "read_json"}


def read_labels(path: Path) -> pa.Table:
    """The gold labels of a file: Parquet, CSV or JSON lines with the columns of `GOLD`.

    Raises:
        InputError: the file cannot be read, or its columns are others.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise InputError(f"is none of {', '.join(_READERS)}; convert it", path=path)
    names = ", ".join(f'CAST("{field.name}" AS {_SQL[field.type]})' for field in GOLD)
    try:
        with duckdb.connect() as db:
            rows = db.sql(f"SELECT {names} FROM {reader}($path)", params={"path": str(path)})
            return pa.table(rows.to_arrow_table().columns, schema=GOLD)
    except (duckdb.Error, pa.ArrowInvalid) as e:
        what = f"holds no gold labels; expected the columns {', '.join(GOLD.names)}"
        raise InputError(f"{what} ({str(e).splitlines()[0]})", path=path) from e


_SQL = {pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN", pa.float64(): "DOUBLE"}


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
    """Which gold papers do use what. *Shape:* (n gold, n names).

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
    """Which gold papers do have a source. *Shape:* (n gold,)."""
    mask = np.zeros(gold.n, bool)
    mask[[paper for paper, _, role in gold.true if role == "source"]] = True
    return mask


def predictions(gold: Gold, found: Items, n_papers: int) -> Bools:
    """Which gold papers use what by these pairs. *Shape:* (n gold, n names)."""
    place = np.full(n_papers, -1, np.int64)
    place[gold.paper] = np.arange(gold.n)
    row = place[found.paper]
    table = np.zeros((gold.n, len(found.names)), bool)
    table[row[row >= 0], found.item[row >= 0]] = True
    return table
