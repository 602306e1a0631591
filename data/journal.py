"""The SQLite journal of a corpus: what must be a transaction is here, and nothing else.

WAL mode, so that mining, annotating, reviewing and reading go on side by side. Decisions are
append-only: the database itself refuses to change or delete one.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from data.errors import InputError
from data.records import Decision

_LAYOUT = 3
TABLES = (
    "runs",
    "checkpoints",
    "hits",
    "screened",
    "sought",
    "annotated",
    "versions",
    "splits",
    "decisions",
    "frame",
    "draws",
)
_ROWS_AT_ONCE = 50_000
_BUSY_MS = 30_000  # a writer waits this long for another writer before it gives up

DECISION_COLUMNS = [field.name for field in dataclasses.fields(Decision)]
_DECISION_NAMES = ", ".join(f'"{name}"' for name in DECISION_COLUMNS)
_DECISION_DDL = ", ".join(
    f'"{name}" PRIMARY KEY' if name == "uid" else f'"{name}"' for name in DECISION_COLUMNS
)

_MAKE = f"""
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
    settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL, query TEXT NOT NULL, slice TEXT NOT NULL, cursor TEXT,
    pages INTEGER NOT NULL, works INTEGER NOT NULL, expected INTEGER, at TEXT NOT NULL,
    PRIMARY KEY (run, query, slice));
CREATE TABLE IF NOT EXISTS hits (
    work_id TEXT NOT NULL, query TEXT NOT NULL, run TEXT NOT NULL,
    PRIMARY KEY (work_id, query)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS screened (
    work_id TEXT NOT NULL, stage TEXT NOT NULL, included INTEGER NOT NULL, reason TEXT NOT NULL,
    at TEXT NOT NULL, PRIMARY KEY (work_id, stage)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sought (
    work_id TEXT NOT NULL, what TEXT NOT NULL, origin TEXT NOT NULL, found INTEGER NOT NULL,
    reason TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (work_id, what, origin)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS annotated (
    work_id TEXT NOT NULL, run TEXT NOT NULL, annotator TEXT NOT NULL, input TEXT NOT NULL,
    from_scratch INTEGER NOT NULL, at TEXT NOT NULL, PRIMARY KEY (work_id, run)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    work_id TEXT PRIMARY KEY, into_id TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS splits (
    one TEXT NOT NULL, other TEXT NOT NULL, apart INTEGER NOT NULL, who TEXT NOT NULL, note TEXT,
    at TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS splits_stay BEFORE UPDATE ON splits
    BEGIN SELECT RAISE(ABORT, 'splits are append-only'); END;
CREATE TRIGGER IF NOT EXISTS splits_kept BEFORE DELETE ON splits
    BEGIN SELECT RAISE(ABORT, 'splits are append-only'); END;
CREATE TABLE IF NOT EXISTS decisions ({_DECISION_DDL});
CREATE INDEX IF NOT EXISTS decisions_of_work ON decisions (work_id);
CREATE TRIGGER IF NOT EXISTS decisions_stay BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER IF NOT EXISTS decisions_kept BEFORE DELETE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TABLE IF NOT EXISTS frame (
    work_id TEXT PRIMARY KEY, stratum TEXT NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS draws (n INTEGER NOT NULL, seed INTEGER NOT NULL, at TEXT NOT NULL);
"""

_WITHOUT_NOTES = """
DROP TRIGGER decisions_stay; UPDATE decisions SET note = NULL;
DROP TRIGGER splits_stay; UPDATE splits SET note = NULL;
"""

_SAMPLE = pa.schema(
    [
        ("work_id", pa.string()),
        ("stratum", pa.string()),
        ("place", pa.int64()),
        ("weight", pa.float64()),
    ]
)


@contextmanager
def _told(path: Path | None) -> Iterator[None]:
    """Faults of the file, not of a statement, become errors that say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as e:
        code = getattr(e, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            what = (
                f"the journal is damaged ({e}); end all other cats commands, then `cats status "
                "--recover` makes it anew from all that can be read and keeps this file under "
                "another name"
            )
        elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            what = (
                f"another program has held the journal for {_BUSY_MS / 1000:g} s ({e}); nothing is "
                "lost: end it or wait for it, then run the same command again"
            )
        elif code in (
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CANTOPEN,
        ):
            what = f"the journal cannot be used ({e}); check the disk and the rights of its folder"
        else:
            raise
        raise InputError(what, path=path) from e


class _Cursor(sqlite3.Cursor):
    @property
    def _path(self) -> Path | None:
        return getattr(self.connection, "path", None)

    def execute(self, *arguments: Any) -> _Cursor:
        with _told(self._path):
            super().execute(*arguments)
        return self

    def executemany(self, *arguments: Any) -> _Cursor:
        with _told(self._path):
            super().executemany(*arguments)
        return self

    def executescript(self, *arguments: Any) -> _Cursor:
        with _told(self._path):
            super().executescript(*arguments)
        return self

    def fetchone(self) -> Any:
        with _told(self._path):
            return super().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        with _told(self._path):
            return super().fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> list[Any]:
        with _told(self._path):
            return super().fetchall()

    def __next__(self) -> Any:
        with _told(self._path):
            return super().__next__()


class _Connection(sqlite3.Connection):
    path: Path | None = None

    def cursor(self, *_: Any) -> Any:
        return super().cursor(_Cursor)

    def execute(self, *arguments: Any) -> Any:
        return self.cursor().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        return self.cursor().executemany(*arguments)

    def executescript(self, *arguments: Any) -> Any:
        return self.cursor().executescript(*arguments)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a slice of a query of a mining run has come; `cursor` is None when it is done.

    Args:
        slice: dates of publication, `2020-01-01..2020-12-31`; "" for all of the query.
        expected: the count that the server gave with the last page, or None.
    """

    run: str
    query: str
    slice: str
    cursor: str | None
    pages: int
    works: int
    expected: int | None


class Journal:
    """The journal at `path`, made if absent; close it, or use it as a context.

    Raises:
        InputError: the file is damaged, held by another program, or of a later layout than this
            program knows; so do all methods where the file fails them later.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Streamlit runs each script pass on another thread, and many threads mine. SQLite itself
        # serialises the calls; transactions are serialised here.
        self._lock = threading.RLock()
        self._db = _opened(str(path), path)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._bring_up_to_date()
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def reading(cls, path: Path) -> Journal:
        """The journal at `path` to read only: an absent one is empty, and no file is made.

        One of an earlier layout is brought up to date in memory.

        Raises:
            InputError: as for the class.
        """
        journal = cls.__new__(cls)
        journal.path, journal._lock = path, threading.RLock()
        place = f"file:{quote(str(path.absolute()))}?mode=ro" if path.exists() else ":memory:"
        journal._db = _opened(place, path)
        try:
            if not journal._is_current():
                memory = _opened(":memory:", path)
                with _told(path):
                    journal._db.backup(memory)
                journal._db.close()
                journal._db = memory
                journal._bring_up_to_date()
        except BaseException:
            journal._db.close()
            raise
        return journal

    def _is_current(self) -> bool:
        """Whether the tables are those of this layout."""
        layout = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if layout > _LAYOUT:
            raise InputError(
                f"journal layout {layout} is newer than {_LAYOUT}, the latest this version of "
                "cats knows; upgrade cats",
                path=self.path,
            )
        return layout == _LAYOUT

    def _bring_up_to_date(self) -> None:
        if not self._is_current():
            self._db.executescript(_MAKE)
            self._widen()

    def _widen(self) -> None:
        """Give the decisions of an older journal the columns that came since; its rows stay."""
        with self.transaction():
            held = {row[1] for row in self._db.execute("PRAGMA table_info(decisions)")}
            for name in DECISION_COLUMNS:
                if name not in held:
                    self._db.execute(f'ALTER TABLE decisions ADD COLUMN "{name}"')
            self._db.execute(f"PRAGMA user_version = {_LAYOUT}")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second close does nothing."""
        self._db.close()

    def copy_without_notes(self, path: Path) -> None:
        """Write the journal as it is now to another file, in one piece and without a log beside it.

        Notes are free text, in which a reviewer may have quoted a paper, so that they stay here.

        Raises:
            InputError: the file exists.
        """
        if path.exists():
            raise InputError("there is a journal already; choose another place", path=path)
        memory = _opened(":memory:", path)
        try:
            with _told(path):
                self._db.backup(memory)
            memory.executescript(_WITHOUT_NOTES)
            memory.executescript(_MAKE)
            # Into a fresh file: in an edited one the words would still stand between its rows.
            memory.execute("VACUUM INTO ?", (str(path),))
        finally:
            memory.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for what is written inside; one thread after the other."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def start_run(self, run: str, kind: str, *, settings: Mapping[str, Any], now: datetime) -> None:
        """Note that a run begins; the settings are stored without any key."""
        self._db.execute(
            "INSERT INTO runs VALUES (?, ?, ?, NULL, ?)",
            (run, kind, now.isoformat(), json.dumps(settings, sort_keys=True, default=str)),
        )

    def end_run(self, run: str, *, now: datetime) -> None:
        """Note that a run came to its end."""
        self._db.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (now.isoformat(), run))

    def open_run(self, kind: str, *, settings: Mapping[str, Any]) -> str | None:
        """The latest run of that kind and settings that has not ended, or None."""
        row = self._db.execute(
            "SELECT id FROM runs WHERE kind = ? AND settings = ? AND ended_at IS NULL "
            "ORDER BY started_at DESC LIMIT 1",
            (kind, json.dumps(settings, sort_keys=True, default=str)),
        ).fetchone()
        return None if row is None else str(row[0])

    def runs(self, kind: str, *, settings: Mapping[str, Any]) -> list[str]:
        """All runs of that kind and settings, oldest first."""
        rows = self._db.execute(
            "SELECT id FROM runs WHERE kind = ? AND settings = ? ORDER BY rowid",
            (kind, json.dumps(settings, sort_keys=True, default=str)),
        )
        return [run for (run,) in rows]

    def ended_at(self, kind: str, *, settings: Mapping[str, Any]) -> datetime | None:
        """When the latest run of that kind and settings came to its end, or None."""
        row = self._db.execute(
            "SELECT max(ended_at) FROM runs WHERE kind = ? AND settings = ?",
            (kind, json.dumps(settings, sort_keys=True, default=str)),
        ).fetchone()
        return None if row[0] is None else datetime.fromisoformat(row[0])

    def checkpoints(self, run: str) -> list[Checkpoint]:
        """All checkpoints of a run, in the order in which they were first set."""
        rows = self._db.execute(
            "SELECT run, query, slice, cursor, pages, works, expected FROM checkpoints "
            "WHERE run = ? ORDER BY rowid",
            (run,),
        )
        return [Checkpoint(*row) for row in rows]

    def plan(self, checkpoints: Iterable[Checkpoint], *, now: datetime) -> None:
        """Set the first checkpoints of a run, all or none, so that a resumed run has the same."""
        with self.transaction():
            for checkpoint in checkpoints:
                self._move(checkpoint, now)

    def page_done(
        self,
        checkpoint: Checkpoint,
        work_ids: Sequence[str],
        *,
        now: datetime,
        screened: tuple[str, Iterable[tuple[str, bool, str]]] = ("", ()),
    ) -> None:
        """Move the checkpoint, note which works the query hit and how screening went: all or none.

        Call it only when the part that the checkpoint speaks of is on disk.

        Args:
            screened: the stage, and (work id, included, reason) of each work; see `screen`.
        """
        with self.transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO hits VALUES (?, ?, ?)",
                [(work_id, checkpoint.query, checkpoint.run) for work_id in work_ids],
            )
            self._screen(*screened, now)
            self._move(checkpoint, now)

    def _move(self, at: Checkpoint, now: datetime) -> None:
        # Not INSERT OR REPLACE, which would move the row to the end of the order.
        self._db.execute(
            "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (run, query, slice) DO UPDATE SET cursor = excluded.cursor, "
            "pages = excluded.pages, works = excluded.works, expected = excluded.expected, "
            "at = excluded.at",
            (*dataclasses.astuple(at), now.isoformat()),
        )

    def screen(
        self, stage: str, outcomes: Iterable[tuple[str, bool, str]], *, now: datetime
    ) -> None:
        """Note (work id, included, reason) at a stage; the latest outcome of a stage counts."""
        with self.transaction():
            self._screen(stage, outcomes, now)

    def _screen(self, stage: str, outcomes: Iterable[tuple[str, bool, str]], now: datetime) -> None:
        at = now.isoformat()
        self._db.executemany(
            "INSERT OR REPLACE INTO screened VALUES (?, ?, ?, ?, ?)",
            [(work, stage, int(included), reason, at) for work, included, reason in outcomes],
        )

    def seek(
        self, what: str, outcomes: Iterable[tuple[str, str, bool, str]], *, now: datetime
    ) -> None:
        """Note (work id, origin, found, reason) of a search for `what`, "abstract" or "full text".

        Call it only when the passages that were found are on disk.
        """
        at = now.isoformat()
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO sought VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (work, what, origin, int(found), reason, at)
                    for work, origin, found, reason in outcomes
                ],
            )

    def replace_versions(
        self, rows: Iterable[tuple[str, str, str]], *, splits: set[tuple[str, str]], now: datetime
    ) -> bool:
        """Store (work id, id of the work that stands for the paper, reason) in place of all others.

        Args:
            splits: those that were respected; where people have split meanwhile, nothing is stored.

        Returns: whether it was stored.
        """
        at = now.isoformat()
        with self.transaction():
            if self.splits() != splits:
                return False
            self._db.execute("DELETE FROM versions")
            self._db.executemany(
                "INSERT INTO versions VALUES (?, ?, ?, ?)", [(*row, at) for row in rows]
            )
        return True

    def split(
        self, one: str, other: str, *, apart: bool, who: str, note: str | None, now: datetime
    ) -> None:
        """Append that two works are held apart, or (`apart` False) no longer."""
        pair = sorted((one, other))
        self._db.execute(
            "INSERT INTO splits VALUES (?, ?, ?, ?, ?, ?)",
            (*pair, int(apart), who, note, now.isoformat()),
        )

    def splits(self) -> set[tuple[str, str]]:
        """The pairs held apart now, each sorted: the last word on a pair counts."""
        rows = self._db.execute("SELECT one, other, apart FROM splits ORDER BY rowid")
        last = {(one, other): apart for one, other, apart in rows}
        return {pair for pair, apart in last.items() if apart}

    def annotated_done(
        self,
        run: str,
        annotator: str,
        works: Iterable[tuple[str, str, bool]],
        *,
        now: datetime,
    ) -> None:
        """Note (work id, hash of its text, from scratch) as annotated by a run.

        Call it only when the uses of these works are on disk: from then on readers keep these.
        """
        at = now.isoformat()
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO annotated VALUES (?, ?, ?, ?, ?, ?)",
                [(work, run, annotator, text, int(scratch), at) for work, text, scratch in works],
            )

    def annotated_inputs(self, annotator: str) -> dict[str, str]:
        """Work id -> hash of the text, for the works that this annotator has done last."""
        rows = self._db.execute(
            "SELECT work_id, input, annotator, max(at || run) FROM annotated GROUP BY work_id"
        )
        return {work: text for work, text, by, _ in rows if by == annotator}

    def decide(self, decisions: Iterable[Decision]) -> list[str]:
        """Append decisions in one transaction; a uid that is there already is left as it is.

        Returns: the uids that are safe now, in the given order.
        """
        kept = list(decisions)
        marks = ", ".join("?" * len(DECISION_COLUMNS))
        with self.transaction():
            self._db.executemany(
                f"INSERT OR IGNORE INTO decisions ({_DECISION_NAMES}) VALUES ({marks})",
                [_decision_row(decision) for decision in kept],
            )
        return [decision.uid for decision in kept]

    def decision(self, uid: str) -> Decision | None:
        """The decision of that uid, or None."""
        named = f"SELECT {_DECISION_NAMES} FROM decisions WHERE uid = ?"
        row = self._db.execute(named, (uid,)).fetchone()
        return None if row is None else _decision(row)

    def is_undone(self, uid: str) -> bool:
        """Whether an undo takes that decision back."""
        undoing = "SELECT 1 FROM decisions WHERE verdict = 'undo' AND undoes = ?"
        return self._db.execute(undoing, (uid,)).fetchone() is not None

    def last_standing(self, reviewer: str, *, but: Container[str | None] = ()) -> Decision | None:
        """A reviewer's last decision that no undo takes back; None if there is none.

        Args:
            but: uids that are taken back by undos not stored yet.
        """
        rows = self._db.execute(
            f"SELECT {_DECISION_NAMES} FROM decisions WHERE reviewer = ? AND verdict <> 'undo' "
            "AND uid NOT IN (SELECT undoes FROM decisions WHERE verdict = 'undo' "
            "AND undoes IS NOT NULL) ORDER BY at DESC, rowid DESC",
            (reviewer,),
        )
        return next((made for made in map(_decision, rows) if made.uid not in but), None)

    def additions(self, work_id: str, reviewer: str) -> list[Decision]:
        """The uses that a reviewer has added to a work and not taken back, oldest first."""
        rows = self._db.execute(
            f"SELECT {_DECISION_NAMES} FROM decisions WHERE work_id = ? AND reviewer = ? "
            "AND verdict = 'add' AND uid NOT IN (SELECT undoes FROM decisions "
            "WHERE verdict = 'undo' AND undoes IS NOT NULL) ORDER BY at, rowid",
            (work_id, reviewer),
        )
        return [_decision(row) for row in rows]

    def decisions(self) -> list[Decision]:
        """All decisions, oldest first."""
        rows = self._db.execute(f"SELECT {_DECISION_NAMES} FROM decisions ORDER BY at, rowid")
        return [_decision(row) for row in rows]

    def decisions_since(self, place: int) -> tuple[list[Decision], int]:
        """The decisions appended after a place in the journal, in that order, and the new place.

        Args:
            place: as an earlier call gave it; 0 is before the first decision.
        """
        rows = self._db.execute(
            f"SELECT rowid, {_DECISION_NAMES} FROM decisions WHERE rowid > ? ORDER BY rowid",
            (place,),
        ).fetchall()
        return [_decision(row[1:]) for row in rows], rows[-1][0] if rows else place

    def set_frame(
        self, frame: Iterable[tuple[str, str, int]], *, n: int, seed: int, now: datetime
    ) -> None:
        """Store the frame that gold papers are drawn from, in place of any other, and draw n.

        Args:
            frame: (work id, stratum, place in the order of drawing, from 0).
        """
        with self.transaction():
            self._db.execute("DELETE FROM frame")
            self._db.executemany("INSERT INTO frame VALUES (?, ?, ?)", frame)
            self._draw(n, seed, now)

    def draw(self, n: int, *, now: datetime) -> None:
        """Draw n papers from the frame that is stored: the first n, so those drawn before stay."""
        with self.transaction():
            (seed,) = self._db.execute("SELECT seed FROM draws ORDER BY rowid DESC").fetchone()
            self._draw(n, seed, now)

    def _draw(self, n: int, seed: int, now: datetime) -> None:
        self._db.execute("INSERT INTO draws VALUES (?, ?, ?)", (n, seed, now.isoformat()))

    def draws(self) -> list[tuple[int, int]]:
        """(papers drawn in all, seed) of each draw, the first one first."""
        rows = self._db.execute("SELECT n, seed FROM draws ORDER BY rowid")
        return [(n, seed) for n, seed in rows]

    def drawn(self) -> tuple[int, int] | None:
        """(papers drawn, seed) of the sample as it is now; None before the first draw."""
        return next(reversed(self.draws()), None)

    def frame(self) -> list[tuple[str, str, int]]:
        """(work id, stratum, place) of all papers that gold ones are drawn from, by place."""
        rows = self._db.execute("SELECT work_id, stratum, place FROM frame ORDER BY place")
        return [(work, stratum, place) for work, stratum, place in rows]

    def sample(self) -> pa.Table:
        """The papers drawn, by place: columns work_id, stratum, place, weight.

        `weight` is the papers of the stratum by those drawn of it: one over the chance of being
        drawn. No rows before the first draw.
        """
        n, _ = self.drawn() or (0, 0)
        rows = self._db.execute(
            "SELECT work_id, stratum, place, 1.0 * size / count(*) OVER (PARTITION BY stratum) "
            "FROM frame JOIN (SELECT stratum, count(*) AS size FROM frame GROUP BY 1) "
            "USING (stratum) WHERE place < ? ORDER BY place",
            (n,),
        ).fetchall()
        columns = list(zip(*rows, strict=True)) or [()] * len(_SAMPLE)
        return pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, _SAMPLE, strict=True)], _SAMPLE
        )

    def restore(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
        """Add rows that were saved from another journal; those that are there already stay.

        Args:
            columns: of the rows; such as the table lacks are left out.

        Returns: how many rows are new.
        """
        own = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
        kept = [place for place, name in enumerate(columns) if name in own]
        if not kept:
            return 0
        names = ", ".join(f'"{columns[place]}"' for place in kept)
        marks = ", ".join("?" * len(kept))
        before = self._db.total_changes
        with self.transaction():
            self._db.executemany(
                f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})",
                (tuple(row[place] for place in kept) for row in rows),
            )
        return self._db.total_changes - before

    def table(self, name: str) -> pa.Table:
        """One of the journal's tables as Arrow: runs, checkpoints, hits, screened, ...

        All but the decisions, which `decisions` reads.
        """
        kinds = {"TEXT": pa.string(), "INTEGER": pa.int64()}
        columns = self._db.execute(f"PRAGMA table_info({name})").fetchall()
        schema = pa.schema([(column[1], kinds[column[2]]) for column in columns])
        rows, batches = self._db.execute(f"SELECT * FROM {name}"), []
        # Some at a time: a row is a dozen times larger in Python than in Arrow.
        while some := rows.fetchmany(_ROWS_AT_ONCE):
            values = zip(zip(*some, strict=True), schema, strict=True)
            arrays = [pa.array(value, field.type) for value, field in values]
            batches.append(pa.record_batch(arrays, schema=schema))
        return pa.Table.from_batches(batches, schema)


def _opened(place: str, path: Path) -> _Connection:
    """A connection to a file's name, address (`file:`) or memory, whose faults speak of `path`."""
    with _told(path):
        db = sqlite3.connect(
            place,
            uri=place.startswith("file:"),
            timeout=_BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
    db.path = path
    return db


def _decision_row(decision: Decision) -> tuple[Any, ...]:
    row = {name: getattr(decision, name) for name in DECISION_COLUMNS}
    row["at"] = decision.at.isoformat()
    return tuple(row.values())


def _decision(row: Sequence[Any]) -> Decision:
    fields = dict(zip(DECISION_COLUMNS, row, strict=True))
    fields["at"] = datetime.fromisoformat(fields["at"])
    fields["blind"] = None if fields["blind"] is None else bool(fields["blind"])
    return Decision(**fields)
