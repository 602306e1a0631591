"""One survey = one directory. `Corpus` is the one object that the API hangs on.

Bulk is Parquet, written whole to a temporary name, fsynced and renamed, never edited; so a reader
sees whole parts only, and mining, annotating, reviewing and reading can run side by side. Queries
are DuckDB in memory over these parts and the journal.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError
from data.journal import Journal
from data.records import (
    Candidate,
    Decision,
    Passage,
    R,
    Record,
    Result,
    Use,
    Work,
    from_table,
    passages_of,
    schema,
    to_table,
)

if TYPE_CHECKING:
    import duckdb

PROTOCOL = "protocol.toml"
SNAPSHOT = "snapshot.json"  # in a released survey, which nothing may change
FOLDERS: Mapping[type[Record], str] = {
    Work: "works",
    Passage: "passages",
    Use: "uses",
    Candidate: "candidates",
    Result: "results",
}
TOLD_PART = "told.parquet"  # in a survey that was given away without texts
JOURNAL = "journal.db"
# What papers are about, and whether more than title and abstract of them was read.
Topic = Literal["modality", "organ", "task"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
TOLD = pa.schema(
    [
        pa.field("work_id", pa.string(), nullable=False),
        pa.field("full_text", pa.bool_(), nullable=False),
        *(pa.field(by, pa.list_(pa.string())) for by in TOPICS),
    ]
)
_PARTIAL = ".partial-"
_WORKS_AT_ONCE = 20_000  # works whose abstracts are in memory together, 2 kB each
_TEXTS_AT_ONCE = 200  # works whose full texts are, 100 kB each

# ... and only the uses of a work's latest annotation run.
_ANNOTATED = """CREATE VIEW annotated AS SELECT * FROM all_annotated
    QUALIFY row_number() OVER (PARTITION BY work_id ORDER BY "at" DESC, run DESC) = 1"""
_USES = """CREATE VIEW uses AS SELECT all_uses.* EXCLUDE (filename)
    FROM all_uses JOIN annotated USING (work_id, run)"""
_CANDIDATES = """CREATE VIEW candidates AS SELECT all_candidates.* EXCLUDE (filename)
    FROM all_candidates JOIN annotated USING (work_id, run)"""
# The unit that replaces is a work: a part has all its passages, and its newest part counts.
_PASSAGES = """CREATE VIEW passages AS SELECT * EXCLUDE (filename) FROM all_passages
    QUALIFY filename = max(filename) OVER (PARTITION BY work_id)"""
# What the protocol leaves out cannot stand for a paper; what people leave out takes its versions
# along, or an excluded paper would come back as its own preprint.
_ELIGIBLE = """CREATE VIEW eligible AS SELECT works.* FROM works ANTI JOIN
    (SELECT work_id FROM screened WHERE included = 0 AND stage = 'protocol') AS out
    ON works.id = out.work_id"""
# A work is in the survey unless some stage of screening left it out, or another work stands for it.
_INCLUDED = """CREATE VIEW included AS SELECT works.* FROM works
    ANTI JOIN (SELECT work_id FROM screened WHERE included = 0) AS out ON works.id = out.work_id
    ANTI JOIN (SELECT work_id FROM versions SEMI JOIN eligible ON into_id = eligible.id) AS version
    ON works.id = version.work_id"""

# Works that screening leaves in and for which another work stands.
N_MERGED = """SELECT count(*) FROM works
    ANTI JOIN (SELECT work_id FROM screened WHERE included = 0) AS out ON works.id = out.work_id
    ANTI JOIN included ON works.id = included.id"""

# Works that have all that the protocol asks for but, perhaps, an abstract.
CANDIDATES = """SELECT * FROM works ANTI JOIN
    (SELECT work_id FROM screened WHERE included = 0 AND reason <> 'no abstract') AS out
    ON works.id = out.work_id"""
# Asked of all rows, since `works` holds all abstracts in memory to say which one counts.
N_NO_ABSTRACT = f"""SELECT count(*) FROM ({CANDIDATES}) AS candidates
    ANTI JOIN (SELECT id FROM all_works WHERE abstract IS NOT NULL) AS having_one USING (id)"""


def newest(rows: str, *carried: str) -> str:
    """A query for the row of each work that a reader keeps, without its column filename.

    That is the newest fetch; of two equal ones, the part that sorts last.

    Args:
        rows: what has columns id, fetched_at, filename and those carried.
        carried: columns that are taken, where the newest row lacks them, from the newest one that
            has them: OpenAlex withdraws abstracts, and has none of those filled from elsewhere.
    """
    by = "PARTITION BY id ORDER BY fetched_at DESC, filename DESC"
    whole = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
    filled = ", ".join(
        f"coalesce({name}, first_value({name} IGNORE NULLS) OVER ({by} {whole})) AS {name}"
        for name in carried
    )
    return (
        f"SELECT * EXCLUDE (filename) REPLACE ({filled}) FROM {rows} "
        f"QUALIFY row_number() OVER ({by}) = 1"
    )


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is there whole or not at all, kill -9 included.

    Args:
        write: is given the open binary file.
    """
    partial = path.with_name(f"{_PARTIAL}{secrets.token_hex(4)}-{path.name}")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Return when the names in a folder would survive a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def new_run(now: datetime) -> str:
    """A fresh run id; ids sort by time to the microsecond."""
    return f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


class Corpus:
    """The survey in directory `path`.

    Raises:
        InputError: there is no survey in that directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / PROTOCOL).is_file():
            raise InputError(
                f"no survey here ({PROTOCOL} is missing); make one with `cats init {path}` "
                "or name its directory with -C",
                path=path,
            )

    @classmethod
    def create(cls, path: Path, *, protocol: str) -> Corpus:
        """Make a survey in `path`, with the protocol's TOML text.

        Raises:
            InputError: there is a survey already.
        """
        if (path / PROTOCOL).exists():
            raise InputError("there is a survey already; choose another directory", path=path)
        path.mkdir(parents=True, exist_ok=True)
        write_whole(path / PROTOCOL, lambda file: file.write(protocol.encode()))
        return cls(path)

    @property
    def is_snapshot(self) -> bool:
        """Whether the survey is a release (`data.release`), which nothing may change."""
        return (self.path / SNAPSHOT).exists()

    def journal(self) -> Journal:
        """The journal of this survey, opened to write.

        Raises:
            InputError: the survey is a snapshot.
        """
        self._refuse_snapshot()
        return Journal(self.path / JOURNAL)

    def journal_as_it_is(self) -> Journal:
        """The journal of this survey, opened to read; nothing is written."""
        return Journal.reading(self.path / JOURNAL)

    def _refuse_snapshot(self) -> None:
        if self.is_snapshot:
            raise InputError(
                "this is a released snapshot, which nothing may change; work on the survey that "
                f"it was made of, or on a copy without {SNAPSHOT}",
                path=self.path,
            )

    def append(self, kind: type[R], records: Iterable[R], *, name: str) -> Path:
        """Write one part of records; a part of the same name is replaced whole.

        Args:
            name: the part's name without ending; unique to a run and a page or batch.

        Raises:
            InputError: the survey is a snapshot.
        """
        self._refuse_snapshot()
        folder = self.path / FOLDERS[kind]
        folder.mkdir(exist_ok=True)
        part = folder / f"{name}.parquet"
        table = to_table(kind, records)
        write_whole(part, lambda file: pq.write_table(table, file, compression="zstd"))
        return part

    def connect(self, *, without: Collection[str] = ()) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection in memory that sees the survey as it is on disk at this moment.

        Views: works (newest fetch), eligible (works left in by the protocol), included (works left
        in by screening, a paper of several versions once), passages, uses and candidates (of the
        latest run), annotated, results, decisions, sample (the gold papers drawn), hits, screened,
        sought, versions, checkpoints, runs, survey (one row: the directory's path), and told
        (columns as `TOLD`: what was read of papers whose texts did not come along).

        Args:
            without: of runs, checkpoints, hits and sought, what nobody will ask for: to read a
                million hits takes seconds.
        """
        import duckdb  # not needed to write, and 25 MB in each process that only writes

        db = duckdb.connect()
        # The journal is read first: what it calls annotated is on disk already.
        with self.journal_as_it_is() as journal:
            tables = {
                name: journal.table(name)
                for name in ("runs", "checkpoints", "hits", "screened", "sought", "versions")
                if name not in without
            }
            tables["all_annotated"] = journal.table("annotated")
            tables["decisions"] = to_table(Decision, journal.decisions())
            tables["sample"] = journal.sample()
        tables["survey"] = pa.table({"path": [str(self.path)]})
        for name, table in tables.items():
            db.register(name, table)
        for kind, folder in FOLDERS.items():
            self._parts(db, kind, f"all_{folder}")
        db.execute(f"CREATE VIEW works AS {newest('all_works', 'abstract')}")
        for view in (_ANNOTATED, _USES, _CANDIDATES, _PASSAGES, _ELIGIBLE, _INCLUDED):
            db.execute(view)
        # What was read of papers whose texts did not come along; see `data.publish`.
        told = self.path / TOLD_PART
        db.register("told", pq.read_table(told) if told.is_file() else TOLD.empty_table())
        db.execute("CREATE VIEW results AS SELECT * EXCLUDE (filename) FROM all_results")
        return db

    def _parts(self, db: duckdb.DuckDBPyConnection, kind: type[Record], view: str) -> None:
        """A view over all parts of a kind, with the part's name in `filename`."""
        empty = schema(kind).empty_table().append_column("filename", pa.array([], pa.string()))
        parts = sorted((self.path / FOLDERS[kind]).glob("[!.]*.parquet"))
        if not parts:
            db.register(view, empty)
            return
        listed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
        # Parts that an earlier version wrote may lack columns; they are null there.
        db.register(f"{view}_columns", empty)
        db.execute(
            f"CREATE VIEW {view} AS SELECT * FROM {view}_columns UNION ALL BY NAME SELECT * FROM "
            f"read_parquet([{listed}], union_by_name = true, filename = true)"
        )

    def table(self, sql: str) -> pa.Table:
        """The answer to a query over the views of `connect`, as an Arrow table."""
        with self.connect() as db:
            return db.sql(sql).to_arrow_table()

    def works(self) -> Iterator[Work]:
        """The works as newest fetched, in the order of their ids."""
        return from_table(Work, self.table("SELECT * FROM works ORDER BY id"))

    def included(self) -> Iterator[Work]:
        """The works in the survey, a paper of several versions once, in the order of their ids."""
        return from_table(Work, self.table("SELECT * FROM included ORDER BY id"))

    def uses(self) -> Iterator[Use]:
        """The uses of each work's latest annotation run, by work, passage and place."""
        order = 'work_id, section, "order", start, role, dataset'
        return from_table(Use, self.table(f"SELECT * FROM uses ORDER BY {order}"))

    def passages(self) -> Iterator[tuple[str, list[Passage]]]:
        """Each included work's id and passages: title, abstract, then full text in order.

        A title or abstract of a full text gives way to the work's own.
        By work id, and read by ranges of ids, so that memory does not grow with the survey.
        """
        columns = "id, title, abstract, fetched_at"
        with self.connect() as db:
            ids = db.sql("SELECT id FROM included ORDER BY id").to_arrow_table()["id"]
            for first in range(0, len(ids), _WORKS_AT_ONCE):
                last = min(first + _WORKS_AT_ONCE, len(ids)) - 1
                span = ids[first].as_py(), ids[last].as_py()
                table = _between(db, f"SELECT {columns} FROM included", "id", *span)
                for batch in table.to_batches(_TEXTS_AT_ONCE):
                    works = [Work(**row) for row in batch.to_pylist()]
                    yield from self._with_full_texts(db, works)

    def _with_full_texts(
        self, db: duckdb.DuckDBPyConnection, works: list[Work]
    ) -> Iterator[tuple[str, list[Passage]]]:
        texts: dict[str, list[Passage]] = {}
        if any((self.path / FOLDERS[Passage]).glob("[!.]*.parquet")):
            span = works[0].id, works[-1].id
            found = _between(db, "SELECT * FROM passages", "work_id", *span)
            for passage in from_table(Passage, found):
                texts.setdefault(passage.work_id, []).append(passage)
        for work in works:
            own = passages_of(work)
            held = {passage.section for passage in own}
            full = [text for text in texts.get(work.id, []) if text.section not in held]
            full.sort(key=lambda text: (text.section, text.order))
            yield work.id, [*own, *full]


def _between(db: duckdb.DuckDBPyConnection, sql: str, work_id: str, *span: str) -> pa.Table:
    """The rows of a query from one work's to another's, by `work_id`, its column with that id.

    A range, since DuckDB passes over the parts that hold none of it.
    """
    asked = db.sql(f"{sql} WHERE {work_id} BETWEEN ? AND ?", params=list(span))
    return asked.order(work_id).to_arrow_table()
