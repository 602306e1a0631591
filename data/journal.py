"""The SQLite journal of a corpus: what must be a transaction is here, and nothing else.

WAL mode, so that mining, annotating, reviewing and reading go on side by side. Decisions are
append-only: the database itself refuses to change or delete one.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from data.errors import InputError
from data.records import Decision

_LAYOUT = 2
_BUSY_MS = 30_000  # a writer waits this long for another writer before it gives up

_DECISION_COLUMNS = [field.name for field in dataclasses.fields(Decision)]
_DECISION_DDL = ", ".join(
    f'"{name}" PRIMARY KEY' if name == "uid" else f'"{name}"' for name in _DECISION_COLUMNS
)

_TABLES = f"""
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
PRAGMA user_version = {_LAYOUT};
"""


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
        InputError: the file is not a journal, or of a later layout than this program knows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Streamlit runs each script pass on another thread, and many threads mine. SQLite itself
        # serialises the calls; transactions are serialised here.
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        with self._readable():
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if not self._is_current():
                self._db.executescript(_TABLES)

    @classmethod
    def reading(cls, path: Path) -> Journal:
        """The journal at `path` to read only: an absent one is empty, and no file is made.

        One of an earlier layout is brought up to date in memory.

        Raises:
            InputError: the file is not a journal, or of a later layout than this program knows.
        """
        journal = cls.__new__(cls)
        journal.path = path
        journal._db = _opened_to_read(path)
        with journal._readable():
            if not journal._is_current():
                memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                journal._db.backup(memory)
                journal._db.close()
                journal._db = memory
                memory.executescript(_TABLES)
        return journal

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Close the file and say what to do where it cannot be read."""
        try:
            yield
        except sqlite3.DatabaseError as e:
            self._db.close()
            raise InputError(
                f"not a readable journal ({e}); restore it from a copy, or move it away to start "
                "a new one (checkpoints and decisions in it are then not used)",
                path=self.path,
            ) from e

    def _is_current(self) -> bool:
        """Whether the tables are those of this layout."""
        layout = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if layout > _LAYOUT:
            self._db.close()
            raise InputError(
                f"journal layout {layout} is newer than {_LAYOUT}, the latest this version of "
                "cats knows; upgrade cats",
                path=self.path,
            )
        # Some journals of this layout were made before it had its last table.
        return layout == _LAYOUT and self._has("splits")

    def _has(self, table: str) -> bool:
        named = "SELECT 1 FROM sqlite_master WHERE name = ?"
        return self._db.execute(named, (table,)).fetchone() is not None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second close does nothing."""
        self._db.close()

    def copy(self, path: Path) -> None:
        """Write the journal as it is now to another file, in one piece and without a log beside it.

        Raises:
            InputError: the file exists.
        """
        if path.exists():
            raise InputError("there is a journal already; choose another place", path=path)
        self._db.execute("VACUUM INTO ?", (str(path),))

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
        marks = ", ".join("?" * len(_DECISION_COLUMNS))
        with self.transaction():
            self._db.executemany(
                f"INSERT OR IGNORE INTO decisions VALUES ({marks})",
                [_decision_row(decision) for decision in kept],
            )
        return [decision.uid for decision in kept]

    def decisions(self) -> list[Decision]:
        """All decisions, oldest first."""
        rows = self._db.execute("SELECT * FROM decisions ORDER BY at, rowid")
        return [_decision(row) for row in rows]

    def table(self, name: str) -> pa.Table:
        """One of the journal's tables as Arrow: runs, checkpoints, hits, screened, ...

        All but the decisions, which `decisions` reads.
        """
        kinds = {"TEXT": pa.string(), "INTEGER": pa.int64()}
        columns = self._db.execute(f"PRAGMA table_info({name})").fetchall()
        schema = pa.schema([(column[1], kinds[column[2]]) for column in columns])
        rows = self._db.execute(f"SELECT * FROM {name}").fetchall()
        values = list(zip(*rows, strict=True)) or [()] * len(schema)
        return pa.table(
            [pa.array(value, field.type) for value, field in zip(values, schema, strict=True)],
            schema=schema,
        )


def _opened_to_read(path: Path) -> sqlite3.Connection:
    if not path.exists():
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro",
        uri=True,
        timeout=_BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )


def _decision_row(decision: Decision) -> tuple[Any, ...]:
    row = {name: getattr(decision, name) for name in _DECISION_COLUMNS}
    row["at"] = decision.at.isoformat()
    return tuple(row.values())


def _decision(row: Sequence[Any]) -> Decision:
    fields = dict(zip(_DECISION_COLUMNS, row, strict=True))
    fields["at"] = datetime.fromisoformat(fields["at"])
    return Decision(**fields)
