"""Works from a file in OpenAlex's shape: JSON lines, a list, or pages; plain or .gz."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from data.corpus import Corpus, new_run
from data.errors import InputError
from data.journal import Checkpoint
from data.protocol import Protocol
from miner.parts import Mined, Part, Record, Unreadable, done

_PART = 2000  # records of a file that become one part


def mine_file(
    corpus: Corpus,
    protocol: Protocol,
    path: Path,
    *,
    clock: Callable[[], datetime],
    progress: Callable[[int, int | None], None] = lambda works, expected: None,
) -> Mined:
    """Take the works of a file in OpenAlex's shape: JSON lines, a list, or pages; plain or .gz.

    Parts are named for the file's content, so the same file again, or after a kill, leaves what
    once leaves.

    Raises:
        InputError: the file is missing, empty, or breaks off; what could be read is kept.
    """
    digest = digest_of(path)
    settings = {"file": path.name, "sha256": digest}
    total = Mined()
    with corpus.journal() as journal:
        run = new_run(clock())
        journal.start_run(run, "mine-file", settings=settings, now=clock())
        records, query = read_records(path), f"file {path.name}"
        for number, batch in enumerate(_batches(records)):
            part = Part(corpus, protocol, f"file-{digest[:12]}-{number:06d}", clock())
            mined, screened = part.write(batch, raw=None)
            total += mined
            at = Checkpoint(run, query, "", None, number + 1, total.works, None)
            done(journal, at, screened, clock())
            progress(total.works, None)
        journal.end_run(run, now=clock())
    return total


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Batches of records; those before a fault of the file come out before it is raised."""
    fault: InputError | None = None
    batch: list[Record] = []
    try:
        for record in records:
            batch.append(record)
            if len(batch) == _PART:
                yield batch
                batch = []
    except InputError as e:
        fault = e
    if batch:
        yield batch
    if fault is not None:
        raise fault


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise InputError(f"cannot be read ({e.strerror}); give a file of works", path=path) from e


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file with their places; a line that is not JSON comes as a reject.

    Raises:
        InputError: the file has no record, is no UTF-8, or its .gz breaks off.
    """
    n_records = 0
    try:
        for record in _records_of(_lines(path)):
            n_records += 1
            yield record
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise InputError(
            f"the .gz is damaged after {n_records} records, which are kept; fetch it again",
            path=path,
        ) from e
    except UnicodeDecodeError as e:
        raise InputError(f"not UTF-8 after {n_records} records, which are kept", path=path) from e
    if n_records == 0:
        raise InputError("no works in it; give JSON lines, a list or a page of works", path=path)


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    with path.open("rb") as file:
        unpacked = gzip.GzipFile(fileobj=file) if is_gzip else file
        with io.TextIOWrapper(unpacked, encoding="utf-8") as lines:
            yield from lines


def _records_of(lines: Iterator[str]) -> Iterator[Record]:
    """One JSON value a line, or one JSON document over many lines."""
    numbered = ((n, line) for n, line in enumerate(lines, start=1) if line.strip())
    head = list(islice(numbered, 1))
    if head and isinstance(_value(head[0][1]), Unreadable):
        head += numbered
        whole = _value("".join(line for _, line in head))
        if not isinstance(whole, Unreadable):
            yield from _unpacked("document", whole)
            return
    for number, line in chain(head, numbered):
        yield from _unpacked(f"line {number}", _value(line))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as e:
        return Unreadable(f"not JSON: {e}")


def _unpacked(place: str, value: Any) -> Iterator[Record]:
    """The records of a JSON value: itself, or those of a list or of a page of results."""
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        value = value["results"]
    if not isinstance(value, list):
        yield place, value
        return
    for number, record in enumerate(value, start=1):
        yield f"{place}, record {number}", record
