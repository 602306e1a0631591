"""Mine a survey: page by page from OpenAlex, or from a file in its shape. Resumable anywhere.

A page's order is: raw page, rejects, part of works, screening, checkpoint. So a kill at any point
costs at most the page in hand, which the next run asks for again and writes under the same names.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from data.corpus import Corpus, new_run, write_whole
from data.errors import InputError
from data.journal import Checkpoint, Journal
from data.protocol import Protocol, screen
from data.records import Work
from miner.openalex import PER_PAGE, Query, parse_work, queries
from miner.pages import Page, Pages, page_of
from miner.readers import cores, reading_pool
from miner.slices import Slice, slice_size, slices

WORKERS = 8
_MANY_SLICES = 24  # of 500 works at least
STAGE = "protocol"  # of screening
_PART = 2000  # records of a file that become one part
_Screened = tuple[str, bool, str]  # work id, whether it stays, why
_Record = tuple[str, Any]  # where it stands ("line 3"), and the JSON value or the reject's reason


@dataclass(frozen=True, slots=True)
class Mined:
    """What a run brought.

    Args:
        works: how many records became works.
        left_out: how many of them screening left out of the survey.
        rejects: how many records could not be read; each is in a file of the `rejects` folder.
        expected: how many works the server counted; None for a file.
    """

    works: int = 0
    left_out: int = 0
    rejects: int = 0
    expected: int | None = None

    def __add__(self, other: Mined) -> Mined:
        counts = [count for count in (self.expected, other.expected) if count is not None]
        return Mined(
            self.works + other.works,
            self.left_out + other.left_out,
            self.rejects + other.rejects,
            sum(counts) if counts else None,
        )


Progress = Callable[[int, int | None], None]  # works so far, works expected


def run_settings(protocol: Protocol, server: str) -> dict[str, str]:
    """What makes two mining runs the same run: the question and who was asked."""
    return {"protocol": protocol.hash, "server": server}


def mine(
    corpus: Corpus,
    protocol: Protocol,
    pages: Pages,
    *,
    server: str,
    clock: Callable[[], datetime],
    progress: Progress = lambda works, expected: None,
    workers: int = WORKERS,
    readers: int | None = None,
) -> Mined:
    """Ask OpenAlex all questions of a protocol, from where the last unfinished run stopped.

    Questions are cut into slices by publication date, fetched side by side.

    Args:
        server: address of the server, for the record.
        clock: gives the time, UTC.
        progress: is told works so far and works expected, after each page.
        workers: how many slices are fetched at once.
        readers: how many other processes turn pages into parts; None for one a core where at
            least some ten thousand works are left (each takes half a second to start), else none.

    Returns: the counts of this call; pages that an earlier call made safe are not in them.

    Raises:
        InputError: the server refuses the question or the key.
        NetworkError: the network or the budget gave out; call again later.
    """
    settings = run_settings(protocol, server)
    with corpus.journal() as journal:
        run = journal.open_run("mine", settings=settings)
        if run is None:
            run = new_run(clock())
            journal.start_run(run, "mine", settings=settings, now=clock())
        if not journal.checkpoints(run):
            journal.plan(_first_checkpoints(protocol, pages, run, workers), now=clock())
        planned = journal.checkpoints(run)
        left = [(number, at) for number, at in enumerate(planned) if at.cursor is not None]
        if readers is None:
            readers = cores() if len(left) >= _MANY_SLICES else 0
        with ThreadPoolExecutor(workers) as pool, reading_pool(readers) as processes:
            miner = _Miner(corpus, protocol, pages, clock, progress, planned, processes)
            jobs = [pool.submit(miner.take, number, at) for number, at in left]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                miner.stop.set()  # every thread ends with the page in hand
                pool.shutdown(cancel_futures=True)
                raise
        journal.end_run(run, now=clock())
        expected = sum(at.expected or 0 for at in journal.checkpoints(run))
    return replace(miner.total, expected=expected)


def _first_checkpoints(
    protocol: Protocol, pages: Pages, run: str, workers: int
) -> Iterator[Checkpoint]:
    """One for each slice of each question; asks one page a question, for works by year."""
    first, last = protocol.search.first_year, protocol.search.last_year
    for query in queries(protocol):
        by_year = works_by_year(query, pages)
        size = slice_size(sum(by_year.values()), workers)
        for piece in slices(first, last, by_year, size=size):
            yield Checkpoint(run, query.name, str(piece), "*", 0, 0, None)


def works_by_year(query: Query, pages: Pages) -> dict[int, int]:
    """How many works a question has now, by year of publication; one call."""
    params = {"filter": query.filter, "group_by": "publication_year", "per-page": "200"}
    page = pages.works(params)
    return {int(year): count for year, count in page.groups if year.isdigit()}


@dataclass
class _Miner:
    """Takes slices into the survey; one for a run, used by many threads."""

    corpus: Corpus
    protocol: Protocol
    pages: Pages
    clock: Callable[[], datetime]
    progress: Progress
    planned: Sequence[Checkpoint]
    readers: Executor | None  # other processes that turn pages into parts
    stop: threading.Event = field(default_factory=threading.Event)
    total: Mined = Mined()

    def __post_init__(self) -> None:
        self._queries = {query.name: query for query in queries(self.protocol)}
        self._at = dict(enumerate(self.planned))
        self._lock = threading.Lock()

    def take(self, number: int, at: Checkpoint) -> None:
        """Fetch one slice to its end; a second time if works were missing at the first."""
        dates = Slice.parse(at.slice)
        query = self._queries[at.query].during(dates.first, dates.last)
        with self.corpus.journal() as journal:
            at = self._to_end(number, at, query, journal)
            if at.cursor is None and at.works < (at.expected or 0):
                at = replace(at, cursor="*", pages=0, works=0)
                self._to_end(number, at, query, journal)

    def _to_end(self, number: int, at: Checkpoint, query: Query, journal: Journal) -> Checkpoint:
        while at.cursor is not None and not self.stop.is_set():
            name = f"{at.run}-{number:04d}-{at.pages:06d}"
            part = _Part(self.corpus, self.protocol, name, self.clock())
            taken = self.pages.get("/works", _params(query, at.cursor), self._reader(part))
            at = _moved(at, taken)
            _done(journal, at, taken.screened, self.clock())
            self._note(number, at, taken.mined)
        return at

    def _reader(self, part: _Part) -> Callable[[bytes], Taken]:
        """`_Part.take`, in another process if there is a pool of them."""
        pool = self.readers
        if pool is None:
            return part.take
        return lambda body: pool.submit(part.take, body).result()

    def _note(self, number: int, at: Checkpoint, mined: Mined) -> None:
        with self._lock:
            self.total += mined
            self._at[number] = at
            known = [each.expected for each in self._at.values() if each.expected is not None]
            expected = sum(known) if len(known) == len(self._at) else None
            self.progress(sum(each.works for each in self._at.values()), expected)


def _params(query: Query, cursor: str) -> dict[str, str]:
    return {**dict(query.params), "per-page": str(PER_PAGE), "cursor": cursor}


def _records(page: Page) -> Iterator[_Record]:
    for place, record in enumerate(page.results, start=1):
        yield f"result {place}", record


def _moved(at: Checkpoint, page: Taken) -> Checkpoint:
    """The checkpoint after a page; the slice is done when the server has no more, or says so."""
    works = at.works + page.n_records
    is_last = page.n_records == 0 or (page.count is not None and works >= page.count)
    return replace(
        at,
        cursor=None if is_last else page.cursor,
        pages=at.pages + 1,
        works=works,
        expected=page.count,
    )


def _done(journal: Journal, at: Checkpoint, screened: Sequence[_Screened], now: datetime) -> None:
    """The last step of a part: its works, their screening and the checkpoint, all or none."""
    ids = [work_id for work_id, _, _ in screened]
    journal.page_done(at, ids, now=now, screened=(STAGE, screened))


def mine_file(
    corpus: Corpus,
    protocol: Protocol,
    path: Path,
    *,
    clock: Callable[[], datetime],
    progress: Progress = lambda works, expected: None,
) -> Mined:
    """Take the works of a file in OpenAlex's shape: JSON lines, a list, or pages; plain or .gz.

    Parts are named for the file's content, so the same file again, or after a kill, leaves what
    once leaves.

    Raises:
        InputError: the file is missing, empty, or breaks off; what could be read is kept.
    """
    digest = _digest(path)
    settings = {"file": path.name, "sha256": digest}
    total = Mined()
    with corpus.journal() as journal:
        run = new_run(clock())
        journal.start_run(run, "mine-file", settings=settings, now=clock())
        records, query = read_records(path), f"file {path.name}"
        for number, batch in enumerate(_batches(records)):
            part = _Part(corpus, protocol, f"file-{digest[:12]}-{number:06d}", clock())
            mined, screened = part.write(batch, raw=None)
            total += mined
            at = Checkpoint(run, query, "", None, number + 1, total.works, None)
            _done(journal, at, screened, clock())
            progress(total.works, None)
        journal.end_run(run, now=clock())
    return total


def _batches(records: Iterator[_Record]) -> Iterator[list[_Record]]:
    """Batches of records; those before a fault of the file come out before it is raised."""
    fault: InputError | None = None
    batch: list[_Record] = []
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


@dataclass(frozen=True, slots=True)
class Taken:
    """What is left to know of a page whose part is on disk.

    Args:
        mined: the counts.
        screened: how each work fared.
        n_records: how many records the page had, rejects included.
        cursor, count: as in `Page`.
    """

    mined: Mined
    screened: list[_Screened]
    n_records: int
    cursor: str | None
    count: int | None


class _Part:
    """One part of works to be, with what else its page leaves in the survey. Can be pickled."""

    def __init__(self, corpus: Corpus, protocol: Protocol, name: str, now: datetime) -> None:
        self._corpus = corpus
        self._protocol = protocol
        self._name = re.sub(r"[^\w\-]", "_", name)
        self._now = now

    def take(self, body: bytes) -> Taken:
        """Write all files of a page.

        Raises:
            PassingError: the page is not whole; nothing is written.
        """
        page = page_of(body)
        mined, screened = self.write(_records(page), raw=page.raw)
        return Taken(mined, screened, len(page.results), page.cursor, page.count)

    def write(
        self, records: Iterable[_Record], *, raw: bytes | None
    ) -> tuple[Mined, list[_Screened]]:
        """Write all files of it; returns the counts and how each work fared in screening."""
        works, rejects = [], []
        for place, record in records:
            try:
                works.append(self._work(record))
            except InputError as e:
                unread = None if isinstance(record, _Unreadable) else record
                rejects.append({"at": place, "reason": str(e), "record": unread})
        if raw is not None:
            is_packed = raw.startswith(b"\x1f\x8b")
            packed = raw if is_packed else gzip.compress(raw, compresslevel=1, mtime=0)
            self._keep("raw", "jsonl.gz", packed)
        if rejects:
            lines = "".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
            self._keep("rejects", "jsonl", lines.encode())
        self._corpus.append(Work, works, name=self._name)
        screened = [(work.id, *screen(work, self._protocol)) for work in works]
        left_out = sum(not included for _, included, _ in screened)
        return Mined(len(works), left_out, len(rejects)), screened

    def _work(self, record: Any) -> Work:
        if isinstance(record, _Unreadable):
            raise InputError(record.reason)
        return parse_work(record, fetched_at=self._now)

    def _keep(self, folder: str, ending: str, body: bytes) -> None:
        (self._corpus.path / folder).mkdir(exist_ok=True)
        path = self._corpus.path / folder / f"{self._name}.{ending}"
        write_whole(path, lambda file: file.write(body))


# --- files ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Unreadable:
    reason: str


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise InputError(f"cannot be read ({e.strerror}); give a file of works", path=path) from e


def read_records(path: Path) -> Iterator[_Record]:
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


def _records_of(lines: Iterator[str]) -> Iterator[_Record]:
    """One JSON value a line, or one JSON document over many lines."""
    numbered = ((n, line) for n, line in enumerate(lines, start=1) if line.strip())
    head = list(islice(numbered, 1))
    if head and isinstance(_value(head[0][1]), _Unreadable):
        head += numbered
        whole = _value("".join(line for _, line in head))
        if not isinstance(whole, _Unreadable):
            yield from _unpacked("document", whole)
            return
    for number, line in chain(head, numbered):
        yield from _unpacked(f"line {number}", _value(line))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as e:
        return _Unreadable(f"not JSON: {e}")


def _unpacked(place: str, value: Any) -> Iterator[_Record]:
    """The records of a JSON value: itself, or those of a list or of a page of results."""
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        value = value["results"]
    if not isinstance(value, list):
        yield place, value
        return
    for number, record in enumerate(value, start=1):
        yield f"{place}, record {number}", record
