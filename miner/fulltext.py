"""Open full text for the works of a survey: open this first.

A ladder, free and structured rungs first: Europe PMC's JATS, arXiv's HTML, OpenAlex's TEI (which
costs money), the open copy if it is a PDF. A document waits on disk until the part with its
passages is whole and the journal says so; what was not found is journalled at once. So a run
killed at any point asks again for the work in hand, and for nothing else.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from operator import methodcaller
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from data.corpus import Corpus, new_run, write_whole
from data.errors import InputError, NetworkError
from data.journal import Journal
from data.records import Passage, Work, from_table
from data.settings import Settings
from miner.arxiv_html import read_arxiv_html
from miner.document import Document
from miner.hosts import Hosts, RefusedError
from miner.jats import read_jats
from miner.pdf import read_pdf
from miner.tei import read_tei
from miner.transport import AbsentError

WHAT = "full text"
_PART = 24  # works a part
_DOWN_AFTER = 5  # works in a row that a server left without an answer, before it is let be
_WAITING = "raw/fulltext"


@dataclass(frozen=True, slots=True)
class Rung:
    """Where a full text may be had.

    Args:
        origin: its name, in passages and in the journal.
        fetch: the document of a work as it came; raises `AbsentError` if there is none.
        read: what is in it.
        is_possible: whether the work has what this server asks by.
    """

    origin: str
    fetch: Callable[[Work, Hosts, Settings], bytes]
    read: Callable[[bytes], Document]
    is_possible: Callable[[Work], bool]


@dataclass(frozen=True, slots=True)
class Sought:
    """How the search for one work's full text went.

    Args:
        missed: (origin, reason) of servers that have none, to be journalled.
        origin: of the document that was found; None if none was.
        unreached: what kept a server from being asked; None if all were.
    """

    work_id: str
    missed: tuple[tuple[str, str], ...]
    passages: tuple[Passage, ...] = ()
    origin: str | None = None
    unreached: str | None = None


@dataclass(slots=True)
class Fetched:
    """Counts of a run.

    Args:
        works: that were looked for.
        found: origin -> works.
        unreached: works of which a server could not be asked now.
        why: the first fault of those.
    """

    works: int = 0
    found: Counter[str] = field(default_factory=Counter)
    unreached: int = 0
    why: str | None = None

    def as_row(self) -> dict[str, object]:
        """The counts by name, for JSON."""
        return {
            "works": self.works,
            "found": dict(self.found),
            "unreached": self.unreached,
            "why": self.why,
        }

    def add(self, sought: Sought) -> None:
        """Count one work."""
        self.works += 1
        if sought.origin is not None:
            self.found[sought.origin] += 1
        if sought.unreached is not None:
            self.unreached, self.why = self.unreached + 1, self.why or sought.unreached


# --- the rungs --------------------------------------------------------------------------------


def _named(work: Work, prefix: str) -> str | None:
    found = (link.removeprefix(prefix) for link in work.links if link.startswith(prefix))
    return next(found, None)


def _doi(work: Work) -> str | None:
    return work.doi or _named(work, "doi:")


def _from_europepmc(work: Work, hosts: Hosts, settings: Settings) -> bytes:
    pmcid = _named(work, "pmcid:") or _pmcid(work, hosts, settings)
    return hosts.get(f"{settings.europepmc_url}/{quote(pmcid)}/fullTextXML").body


def _pmcid(work: Work, hosts: Hosts, settings: Settings) -> str:
    """Europe PMC's number of a work that is known by its PMID or DOI.

    Raises:
        AbsentError: it has no full text of it.
    """
    pmid = _named(work, "pmid:")
    query = f"EXT_ID:{pmid} AND SRC:MED" if pmid else f'DOI:"{_doi(work)}"'
    asked = urlencode({"query": query, "resultType": "lite", "format": "json"})
    body = hosts.get(f"{settings.europepmc_url}/search?{asked}").body
    try:
        found = [row.get("pmcid") for row in msgspec.json.decode(body)["resultList"]["result"]]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise InputError("Europe PMC's answer to a search is not in its usual shape") from e
    pmcid = next((str(name) for name in found if name), None)
    if pmcid is None:
        raise AbsentError("no full text at Europe PMC")
    return pmcid


def _from_arxiv(work: Work, hosts: Hosts, settings: Settings) -> bytes:
    return hosts.get(f"{settings.arxiv_url}/html/{quote(_named(work, 'arxiv:') or '')}").body


def _from_openalex(work: Work, hosts: Hosts, settings: Settings) -> bytes:
    key = {"Authorization": f"Bearer {settings.openalex_key}"}
    return hosts.get(f"{settings.content_url}/works/{work.id}.grobid-xml", headers=key).body


def _from_copy(work: Work, hosts: Hosts, settings: Settings) -> bytes:
    body = hosts.get(work.oa_url or "").body
    if not body[:1024].lstrip().startswith(b"%PDF-"):
        raise AbsentError("the open copy is no PDF")
    return body


def _has_pdf(work: Work) -> bool:
    """Whether the open copy's address speaks of PDF; landing pages are not asked for."""
    try:
        return "pdf" in urlsplit(work.oa_url or "").path.lower()
    except ValueError:
        return False


PAID = "openalex"
RUNGS: tuple[Rung, ...] = (
    Rung(
        "europepmc",
        _from_europepmc,
        read_jats,
        lambda work: bool(_named(work, "pmcid:") or _named(work, "pmid:") or _doi(work)),
    ),
    Rung("arxiv", _from_arxiv, read_arxiv_html, lambda work: _named(work, "arxiv:") is not None),
    Rung(PAID, _from_openalex, read_tei, lambda work: work.id.startswith("W")),
    Rung("copy", _from_copy, read_pdf, _has_pdf),
)
ORIGINS = tuple(rung.origin for rung in RUNGS)


# --- one work ---------------------------------------------------------------------------------


class Ladder:
    """Climbs for one work at a time, in any number of threads.

    Args:
        waiting: folder where documents wait until their passages are safe.
        rungs: in the order in which they are tried.
        missed: (work, origin) that were asked before and have none.
    """

    def __init__(
        self,
        hosts: Hosts,
        settings: Settings,
        *,
        waiting: Path,
        rungs: Sequence[Rung],
        missed: frozenset[tuple[str, str]],
    ) -> None:
        self._hosts, self._settings = hosts, settings
        self._waiting, self._rungs, self._missed = waiting, rungs, missed
        self._n_down: Counter[str] = Counter()
        self._lock = threading.Lock()

    def climb(self, work: Work) -> Sought:
        """The full text of the first rung that has one that can be read.

        Raises:
            RefusedError: OpenAlex refuses the key.
        """
        missed: list[tuple[str, str]] = []
        unreached: str | None = None
        for rung in self._rungs:
            if (work.id, rung.origin) in self._missed or not rung.is_possible(work):
                continue
            if rung.origin == PAID and unreached is not None:
                continue  # the free ones first, in a later run
            try:
                document = rung.read(self._document(work, rung))
                passages = document.passages(work.id, origin=rung.origin, license=work.license)
                if not any(passage.section not in ("title", "abstract") for passage in passages):
                    raise InputError("a document without text beyond the abstract")
            except NetworkError as e:
                unreached = str(e)
            except InputError as e:
                if isinstance(e, RefusedError) and rung.origin == PAID:
                    raise
                missed.append((rung.origin, str(e)))
                _place(self._waiting, work.id, rung.origin).unlink(missing_ok=True)
            else:
                return Sought(work.id, tuple(missed), tuple(passages), rung.origin)
        return Sought(work.id, tuple(missed), unreached=unreached)

    def _document(self, work: Work, rung: Rung) -> bytes:
        """A work's document, asked for unless it waits on disk already."""
        place = _place(self._waiting, work.id, rung.origin)
        if place.is_file():
            return place.read_bytes()
        if self._n_down[rung.origin] >= _DOWN_AFTER:
            raise NetworkError(f"{rung.origin} did not answer for {_DOWN_AFTER} works in a row")
        try:
            body = rung.fetch(work, self._hosts, self._settings)
        except NetworkError:
            with self._lock:
                self._n_down[rung.origin] += rung.origin != "copy"  # a host of its own each
            raise
        self._n_down[rung.origin] = 0
        write_whole(place, methodcaller("write", body))
        return body


def _place(waiting: Path, work_id: str, origin: str) -> Path:
    return waiting / f"{quote(work_id, safe='')}.{origin}"


# --- the run ----------------------------------------------------------------------------------


def fetch_full_text(
    corpus: Corpus,
    hosts: Hosts,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    origins: Sequence[str] = ORIGINS,
    limit: int | None = None,
    again: bool = False,
    workers: int = 8,
    progress: Callable[[Fetched, int], None] = lambda fetched, total: None,
) -> Fetched:
    """Look for the full text of each included work that has none.

    Args:
        clock: gives the time, UTC.
        origins: the rungs to try, out of `ORIGINS`; OpenAlex's only with a key.
        limit: works at most; None for all.
        again: ask also the servers that had none when they were asked before.
        workers: works looked for at once.
        progress: is told the counts and how many works there are, after each work.

    Returns: the counts of this call.

    Raises:
        RefusedError: OpenAlex refuses the key; what was found is kept.
    """
    waiting = corpus.path / _WAITING
    waiting.mkdir(parents=True, exist_ok=True)
    rungs = [
        rung
        for rung in RUNGS
        if rung.origin in origins and (rung.origin != PAID or settings.openalex_key)
    ]
    with corpus.journal() as journal:
        missed = frozenset() if again else _missed(journal)
        todo = [
            work
            for work in wanting(corpus)
            if any(
                rung.is_possible(work) and (work.id, rung.origin) not in missed for rung in rungs
            )
        ][:limit]
        fetched = Fetched()
        if not todo:
            return fetched
        ladder = Ladder(hosts, settings, waiting=waiting, rungs=rungs, missed=missed)
        with Shelf(corpus, journal, clock) as shelf:
            for sought in _climbed(ladder, todo, workers):
                shelf.take(sought)
                fetched.add(sought)
                progress(fetched, len(todo))
    return fetched


def wanting(corpus: Corpus) -> Iterator[Work]:
    """The included works without full text, in the order of their ids."""
    found = f"SELECT work_id FROM sought WHERE what = '{WHAT}' AND found = 1"
    return from_table(
        Work,
        corpus.table(
            f"SELECT * FROM included ANTI JOIN ({found}) AS had ON id = work_id ORDER BY id"
        ),
    )


def _missed(journal: Journal) -> frozenset[tuple[str, str]]:
    rows = journal.table("sought").to_pylist()
    return frozenset(
        (row["work_id"], row["origin"]) for row in rows if row["what"] == WHAT and not row["found"]
    )


def _climbed(ladder: Ladder, works: Sequence[Work], workers: int) -> Iterator[Sought]:
    """The outcome of each work as it comes; a fault ends it when those in hand are done."""
    pool = ThreadPoolExecutor(workers)
    try:
        ahead: set[Future[Sought]] = set()
        for work in works:
            ahead.add(pool.submit(ladder.climb, work))
            if len(ahead) > 2 * workers:
                done, ahead = wait(ahead, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while ahead:
            done, ahead = wait(ahead, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


class Shelf:
    """Makes found passages safe, some dozens of works a part; use it as a context.

    The part is on disk before the journal says so, and the documents go only after that.
    """

    def __init__(self, corpus: Corpus, journal: Journal, clock: Callable[[], datetime]) -> None:
        self._corpus, self._journal, self._clock = corpus, journal, clock
        self._run = new_run(clock())
        self._n_parts = 0
        self._held: list[tuple[Sought, str]] = []

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *exc: object) -> None:
        self.store()

    def take(self, sought: Sought, reason: str = "read") -> None:
        """Keep one work's outcome."""
        if sought.missed:
            rows = [(sought.work_id, origin, False, why) for origin, why in sought.missed]
            self._journal.seek(WHAT, rows, now=self._clock())
        if sought.origin is not None:
            self._held.append((sought, reason))
        if len(self._held) == _PART:
            self.store()

    def store(self) -> None:
        """Write what is held as one part, and journal it."""
        if not self._held:
            return
        passages = [passage for sought, _ in self._held for passage in sought.passages]
        name = f"fulltext-{self._run}-{self._n_parts:06d}"
        self._corpus.append(Passage, passages, name=name)
        rows = [(sought.work_id, str(sought.origin), True, why) for sought, why in self._held]
        self._journal.seek(WHAT, rows, now=self._clock())
        for sought, _ in self._held:
            place = _place(self._corpus.path / _WAITING, sought.work_id, str(sought.origin))
            place.unlink(missing_ok=True)
        self._n_parts, self._held = self._n_parts + 1, []


def missing_extra() -> str | None:
    """The package that full text needs and that is not installed; None if all are."""
    from importlib.util import find_spec

    lacking: Iterable[str] = (name for name in ("lxml", "pypdfium2") if find_spec(name) is None)
    return next(iter(lacking), None)


def by_origin(found: Mapping[str, int]) -> str:
    """The counts as words, in the order of the ladder."""
    return ", ".join(f"{found[origin]} from {origin}" for origin in ORIGINS if found.get(origin))
