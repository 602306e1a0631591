"""A damaged journal, made anew from all that can still be read of it.

Two ways, one after the other. SQLite reads the tables row by row, around what is broken. Decisions
are then looked for in the bytes themselves, page by page, as they are found there even where the
tree above them, the schema or the first page is gone.

Source: the file format, https://www.sqlite.org/fileformat2.html, sections 1.5, 1.6, 2.1 and 4.1.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.journal import DECISION_COLUMNS, TABLES, Journal
from data.records import ROLES, VERDICTS

_PAGE = 4096  # SQLite's own size of a page, where the first page does not tell
_LEAF = 0x0D  # a page of a table's rows
_MOST = 2**24  # rowids are looked for up to here where the last one cannot be read
_PATIENCE = 2_000  # spans that may fail before what is left of a table is given up
_OLDEST = DECISION_COLUMNS.index("at") + 1  # columns of a decision in the first layout
_MUST = ("uid", "work_id", "verdict", "reviewer", "codebook", "at")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a damaged journal.

    Args:
        rows: table -> rows that are in the new one.
        from_bytes: decisions among them that only the bytes still had.
        damaged: the old file's new name.
    """

    rows: Mapping[str, int]
    from_bytes: int
    damaged: Path


def recover(path: Path, *, now: datetime) -> Recovered:
    """Make the journal at `path` anew; the old file and its log stay beside it, renamed.

    The old files are only copied from until the new journal is whole, and a decision that was
    being written when the damage came is kept if it is found.

    Args:
        now: names the old file.

    Raises:
        InputError: there is no journal, or nothing in it can be read.
    """
    if not path.is_file():
        raise InputError("there is no journal to recover", path=path)
    damaged = path.with_name(f"{path.stem}.damaged-{now:%Y%m%dT%H%M%S%f}{path.suffix}")
    made = path.with_name(f".recovered-{path.name}")
    _drop(made)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".recovering-") as folder:
            copy = Path(folder) / path.name
            for suffix in ("", "-wal"):
                if _beside(path, suffix).exists():
                    shutil.copyfile(_beside(path, suffix), _beside(copy, suffix))
            in_bytes = list(_decisions(_pages(copy)))
            with Journal(made) as journal:
                rows = {table: journal.restore(table, *_read(copy, table)) for table in TABLES}
                from_bytes = journal.restore("decisions", DECISION_COLUMNS, in_bytes)
        rows["decisions"] += from_bytes
        if not any(rows.values()):
            raise InputError(
                "nothing in the journal can be read; take it from a copy of the survey, or move "
                "it away to begin a new one",
                path=path,
            )
        for suffix in ("", "-wal"):
            if _beside(path, suffix).exists():
                os.link(_beside(path, suffix), _beside(damaged, suffix))
        # A log that stayed would be read into the new file.
        _beside(path, "-wal").unlink(missing_ok=True)
        _beside(path, "-shm").unlink(missing_ok=True)
        made.replace(path)
    finally:
        _drop(made)
    return Recovered(rows, from_bytes, damaged)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _drop(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        _beside(path, suffix).unlink(missing_ok=True)


# --- what SQLite reads ------------------------------------------------------------------------


def _read(path: Path, table: str) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """The columns of a table and its rows, as far as SQLite can read them."""
    db = sqlite3.connect(path)
    try:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        if not columns:
            return [], []
        return columns, list(_rows(db, table, ", ".join(f'"{name}"' for name in columns)))
    except sqlite3.DatabaseError:
        return [], []
    finally:
        db.close()


def _rows(db: sqlite3.Connection, table: str, names: str) -> Iterator[tuple[Any, ...]]:
    try:
        # Backwards too, as the last row may be readable where a row in the middle is not.
        last = db.execute(f"SELECT rowid FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        yield from _from_both_ends(db, table, names)  # a table without rowids
        return
    except sqlite3.DatabaseError:
        last = (_MOST,)
    if last is not None:
        yield from _spans(db, f"SELECT {names} FROM {table} WHERE rowid", last[0])


def _spans(db: sqlite3.Connection, sql: str, last: int) -> Iterator[tuple[Any, ...]]:
    """All rows to the last; a span that fails is read by halves, widest first."""
    spans = deque([(0, last)])
    n_failed = 0
    while spans and n_failed < _PATIENCE:
        first, last = spans.popleft()
        try:
            yield from db.execute(f"{sql} BETWEEN {first} AND {last}").fetchall()
        except sqlite3.DatabaseError:
            n_failed += 1
            middle = (first + last) // 2
            spans += [(first, middle), (middle + 1, last)] if first < last else []


def _from_both_ends(db: sqlite3.Connection, table: str, names: str) -> Iterator[tuple[Any, ...]]:
    keys = [row for row in db.execute(f"PRAGMA table_info({table})") if row[5]]
    ordered = [f'"{row[1]}"' for row in sorted(keys, key=lambda row: row[5])]
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{name} {direction}" for name in ordered)
        cursor = db.execute(f"SELECT {names} FROM {table} ORDER BY {order}")
        try:
            yield from cursor
        except sqlite3.DatabaseError:
            continue  # from the other end
        return


# --- what the bytes have ----------------------------------------------------------------------


def _pages(path: Path) -> tuple[dict[int, bytes], list[bytes]]:
    """The pages by number as they stand, and all that were ever written and are still there."""
    body = path.read_bytes()
    size = int.from_bytes(body[16:18], "big")
    size = 65536 if size == 1 else size if size >= 512 and size & (size - 1) == 0 else _PAGE
    pages = {n // size + 1: body[n : n + size] for n in range(0, len(body), size)}
    found = list(pages.values())
    log = _beside(path, "-wal")
    frames = log.read_bytes() if log.exists() else b""
    for place in range(32, len(frames) - size, size + 24):
        page = frames[place + 24 : place + 24 + size]
        pages[int.from_bytes(frames[place : place + 4], "big")] = page
        found.append(page)
    return pages, found


def _decisions(read: tuple[dict[int, bytes], list[bytes]]) -> Iterator[tuple[Any, ...]]:
    """Rows that are decisions by all signs, oldest first, each uid once."""
    pages, found = read
    kept: dict[str, tuple[Any, ...]] = {}
    for page in found:
        for payload in _payloads(page, pages):
            try:
                row = _record(payload)
            except (IndexError, ValueError):
                continue
            if _is_decision(row):
                kept[row[0]] = (*row, *[None] * (len(DECISION_COLUMNS) - len(row)))
    at = DECISION_COLUMNS.index("at")
    yield from sorted(kept.values(), key=lambda row: str(row[at]))


def _payloads(page: bytes, pages: Mapping[int, bytes]) -> Iterator[bytes]:
    """The rows of a page of a table, with what runs over into other pages."""
    for start in (100, 0) if page[:6] == b"SQLite" else (0,):
        if len(page) < start + 8 or page[start] != _LEAF:
            continue
        n_cells = int.from_bytes(page[start + 3 : start + 5], "big")
        for place in range(start + 8, min(start + 8 + 2 * n_cells, len(page) - 1), 2):
            try:
                yield _payload(page, int.from_bytes(page[place : place + 2], "big"), pages)
            except (IndexError, ValueError):
                continue


def _payload(page: bytes, place: int, pages: Mapping[int, bytes]) -> bytes:
    length, place = _varint(page, place)
    _, place = _varint(page, place)
    usable = len(page)
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if length <= most:
        return page[place : place + length]
    local = least + (length - least) % (usable - 4)
    local = local if local <= most else least
    payload = page[place : place + local]
    following = int.from_bytes(page[place + local : place + local + 4], "big")
    seen: set[int] = set()
    while len(payload) < length and following in pages and following not in seen:
        seen.add(following)
        more = pages[following]
        payload += more[4:]
        following = int.from_bytes(more[:4], "big")
    if len(payload) < length:
        raise ValueError("the rest of the row is gone")
    return payload[:length]


def _varint(body: bytes, place: int) -> tuple[int, int]:
    value = 0
    for number in range(9):
        byte = body[place + number]
        if number == 8:
            return value << 8 | byte, place + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + number + 1
    raise ValueError("no number")


_WHOLE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # bytes of a whole number by its serial type


def _record(payload: bytes) -> tuple[Any, ...]:
    """The values of a row."""
    import struct

    header, place = _varint(payload, 0)
    kinds = []
    while place < header:
        kind, place = _varint(payload, place)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        n_bytes = _WHOLE.get(kind, 8 if kind == 7 else (kind - 12) // 2 if kind >= 12 else 0)
        cell = payload[place : place + n_bytes]
        if len(cell) < n_bytes:
            raise ValueError("cut short")
        place += n_bytes
        if kind in _WHOLE:
            values.append(int.from_bytes(cell, "big", signed=True))
        elif kind == 7:
            values.append(struct.unpack(">d", cell)[0])
        elif kind >= 13 and kind % 2:
            values.append(cell.decode())
        else:
            values.append({0: None, 8: 0, 9: 1}.get(kind))
    return tuple(values)


def _is_decision(row: Sequence[Any]) -> bool:
    if not _OLDEST <= len(row) <= len(DECISION_COLUMNS):
        return False
    cells = dict(zip(DECISION_COLUMNS, row, strict=False))
    if not all(isinstance(cells[name], str) and cells[name] for name in _MUST):
        return False
    try:
        datetime.fromisoformat(cells["at"])
    except ValueError:
        return False
    roles = (cells["role"], cells["proposed_role"])
    return cells["verdict"] in VERDICTS and all(role in (None, *ROLES) for role in roles)
