"""Mine a survey from OpenAlex, slices side by side, some pages a part. Resumable anywhere.

Threads of this process ask for pages and keep them as they come; other processes make parts of
what is kept; then this process notes it in the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from datetime import datetime

from data.corpus import Corpus, new_run
from data.errors import CatsError, StoppedError
from data.journal import Checkpoint, Journal
from data.protocol import Protocol
from data.readers import cores, reading_pool
from miner.openalex import PER_PAGE, Query, queries, topics_only
from miner.pages import CursorError, Page, Pages
from miner.parts import Mined, Part, Screened, done
from miner.raw import RawPages
from miner.slices import Slice, slice_size, slices

WORKERS = 8
_FIRST = "*"  # the cursor of a first page
_PAGE = "page="  # before a number that stands for a cursor, where cursors need a key
_MANY_SLICES = 24  # of 500 works at least
# Pages a part. A file costs the time of 100 works to write, and as much again to open later; with
# ten pages that is a tenth.
_PAGES = 10
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
            journal.plan(first_checkpoints(protocol, pages, run, workers), now=clock())
        planned = journal.checkpoints(run)
        miner = Miner(corpus, protocol, pages, journal, clock, progress, planned)
        miner.fetch(workers, readers)
        journal.end_run(run, now=clock())
        expected = sum(at.expected or 0 for at in journal.checkpoints(run))
    return replace(miner.total, expected=expected)


def first_checkpoints(
    protocol: Protocol, pages: Pages, run: str, workers: int, *, first_year: int | None = None
) -> Iterator[Checkpoint]:
    """One for each slice of each question; asks one page a question, for works by year.

    Args:
        first_year: instead of the protocol's.
    """
    first, last = first_year or protocol.search.first_year, protocol.search.last_year
    for question in asked(protocol, pages):
        n_works = sum(count for year, count in question.by_year.items() if year >= first)
        size = slice_size(n_works, workers)
        for piece in slices(first, last, question.by_year, size=size):
            yield Checkpoint(run, question.query.name, str(piece), _FIRST, 0, 0, None)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is asked of the server.

    Args:
        by_year: works a year of publication.
        topics_alone: works that the topics have without the text that narrows them; None where
            there is no text, or no topic.
    """

    query: Query
    by_year: dict[int, int]
    topics_alone: int | None = None


def asked(protocol: Protocol, pages: Pages) -> Iterator[Asked]:
    """Each question; the search by its topics alone if its text leaves none of their works out.

    A filter costs a tenth of a search. One call a question, and one for its topics alone.
    """
    wider = topics_only(protocol)
    for query in queries(protocol):
        by_year = works_by_year(query, pages)
        if wider is None or not query.costs_search:
            yield Asked(query, by_year)
            continue
        of_topics = works_by_year(wider, pages)
        is_same = of_topics == by_year
        yield Asked(wider if is_same else query, by_year, sum(of_topics.values()))


def works_by_year(query: Query, pages: Pages) -> dict[int, int]:
    """How many works a question has now, by year of publication; one call."""
    params = {"filter": query.filter, "group_by": "publication_year", "per-page": "200"}
    page = pages.works(params)
    return {int(year): count for year, count in page.groups if year.isdigit()}


@dataclass
class Miner:
    """Takes slices into the survey; one for a run, used by many threads."""

    corpus: Corpus
    protocol: Protocol
    pages: Pages
    journal: Journal
    clock: Callable[[], datetime]
    progress: Progress
    planned: Sequence[Checkpoint]
    stop: threading.Event = field(default_factory=threading.Event)
    total: Mined = field(default_factory=Mined)

    def __post_init__(self) -> None:
        known = [*queries(self.protocol), topics_only(self.protocol)]
        self._queries = {query.name: query for query in known if query is not None}
        self._at = dict(enumerate(self.planned))
        self._lock = threading.Lock()
        self._readers: Executor | None = None

    def fetch(self, workers: int, readers: int | None) -> None:
        """Take all slices that are not done, side by side; see `mine` for the arguments."""
        left = [(number, at) for number, at in enumerate(self.planned) if at.cursor is not None]
        if readers is None:
            readers = cores() if len(left) >= _MANY_SLICES else 0
        with ThreadPoolExecutor(workers) as pool, reading_pool(readers) as self._readers:
            jobs = [pool.submit(self.take, number, at) for number, at in left]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                self.stop.set()  # every thread ends with the page in hand
                pool.shutdown(cancel_futures=True)
                raise

    def take(self, number: int, at: Checkpoint) -> None:
        """Fetch one slice to its end; a second time if works were missing at the first."""
        dates = Slice.parse(at.slice)
        query = self._queries[at.query].during(dates.first, dates.last)
        at = self._to_end(number, at, query)
        if at.cursor is None and at.works < (at.expected or 0):
            at = replace(at, cursor=_FIRST, pages=0, works=0)
            self.journal.plan([at], now=self.clock())
            for raw in (self.corpus.path / "raw").glob(f"{_name(at.run, number)}-*"):
                raw.unlink()  # or it would be taken for a page that a kill left
            self._to_end(number, at, query)

    def _to_end(self, number: int, at: Checkpoint, query: Query) -> Checkpoint:
        while at.cursor is not None and not self.stop.is_set():
            at = self._next_part(number, at, query)
        return at

    def _next_part(self, number: int, began: Checkpoint, query: Query) -> Checkpoint:
        """The checkpoint after one more part: of some pages, or of those before a fault."""
        part, at, fault = self.part(number, began), began, None
        try:
            for at in self._pages(began, query, part.raw):
                self.note(number, at)
        except CatsError as e:
            self.stop.set()
            fault = e
        if at is not began:
            part.raw.sync()
            mined, screened = self._read(part)
            done(self.journal, at, screened, self.clock())
            self.count(mined)
        if fault is not None:
            raise fault
        return at

    def _pages(self, at: Checkpoint, query: Query, raw: RawPages) -> Iterator[Checkpoint]:
        """The checkpoint after each page, those first that an earlier run kept."""
        last = at.pages + _PAGES
        for page in raw.kept():
            at = _moved(at, page)
            yield at
        while at.cursor is not None and at.pages < last and not self.stop.is_set():
            try:
                page = self.pages.get("/works", page_params(query, at.cursor), raw.add)
            except CursorError:
                # A damaged cursor is answered alike, and no server refuses the first one of a key.
                if at.cursor != _FIRST:
                    raise
                at = replace(at, cursor=f"{_PAGE}1")
                continue
            at = _moved(at, page)
            yield at

    def part(self, number: int, at: Checkpoint) -> Part:
        """The part that the next pages of a slice become."""
        name = f"{_name(at.run, number)}-{at.pages:06d}"
        return Part(self.corpus, self.protocol, name, self.clock())

    def _read(self, part: Part) -> tuple[Mined, list[Screened]]:
        """`Part.take`, in another process if there is a pool of them."""
        if self._readers is None:
            return part.take()
        try:
            return self._readers.submit(part.take).result()
        except BrokenProcessPool as e:
            raise StoppedError(
                "another process of this run was ended from outside (too little memory?); "
                "the same command continues"
            ) from e

    def note(self, number: int, at: Checkpoint) -> None:
        """Tell that a page has come."""
        with self._lock:
            self._at[number] = at
            known = [each.expected for each in self._at.values() if each.expected is not None]
            expected = sum(known) if len(known) == len(self._at) else None
            self.progress(sum(each.works for each in self._at.values()), expected)

    def count(self, mined: Mined) -> None:
        """Count a part that is safe."""
        with self._lock:
            self.total += mined


def _name(run: str, number: int) -> str:
    """How the names of a slice's parts begin."""
    return f"{run}-{number:04d}"


def page_params(query: Query, cursor: str) -> dict[str, str]:
    """The parameters of one page of a question, by cursor or, as `page=2`, by number."""
    place = {"page": cursor[len(_PAGE) :]} if cursor.startswith(_PAGE) else {"cursor": cursor}
    return {**dict(query.params), "per-page": str(PER_PAGE), **place}


def _moved(at: Checkpoint, page: Page) -> Checkpoint:
    """The checkpoint after a page; the slice is done when the server has no more, or says so."""
    n_records = len(page.results)
    works = at.works + n_records
    is_last = n_records == 0 or (page.count is not None and works >= page.count)
    following = page.cursor or f"{_PAGE}{at.pages + 2}"  # only pages asked by number have none
    return replace(
        at,
        cursor=None if is_last else following,
        pages=at.pages + 1,
        works=works,
        expected=page.count,
    )
