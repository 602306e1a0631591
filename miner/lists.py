"""Take a reference list into the survey: each reference looked up by its names, never by title.

What OpenAlex does not know is kept as a work of its own under a `local:` id, and reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from data.corpus import Corpus, new_run, write_whole
from data.errors import InputError
from data.journal import Checkpoint, Journal
from data.protocol import Protocol
from miner.files import digest_of
from miner.mine import WORKERS, Progress, run_settings
from miner.openalex import parse_work
from miner.pages import Pages, QuestionError
from miner.parts import Mined, Part, Record, Screened, Unreadable, done
from miner.references import Entry, Kind, Reference, read_list
from miner.titles import match, title_of
from miner.update import STAGE

KIND = "mine-list"  # of runs
_BATCH = 48  # references between two checkpoints; some seconds of look-ups


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list brought.

    Args:
        mined: the counts of this call.
        unresolved: how many references of the whole list OpenAlex does not know.
        report: the file that lists them; there is none if there are none.
        taken_at: when the list was taken whole before, if it was and nothing was asked now.
    """

    mined: Mined
    unresolved: int
    report: Path
    taken_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a reference.

    Args:
        number: its place among the entries of the list, from 1.
        at: where it stands in the file.
        record: OpenAlex's record; else None, and `reason` says why.
        work_id: the id of the work that stands for it, a local one without a record.
    """

    number: int
    at: str
    reference: Reference
    record: Any | None
    work_id: str
    reason: str = ""

    @property
    def brings_abstract(self) -> bool:
        """Whether the list has an abstract that OpenAlex lacks, of a paper of the same title."""
        reference, record = self.reference, self.record
        if record is None or not reference.abstract:
            return bool(reference.abstract)
        if record.get("abstract_inverted_index"):
            return False
        return match(title_of(reference.title or ""), title_of(record.get("title") or ""))


def mine_list(
    corpus: Corpus,
    protocol: Protocol,
    path: Path,
    kind: Kind,
    *,
    pages: Pages,
    server: str,
    clock: Callable[[], datetime],
    progress: Progress = lambda works, expected: None,
    again: bool = False,
    workers: int = WORKERS,
) -> Listed:
    """Look up each reference of a file and take it into the survey.

    Resumable after each batch of references; a list that was taken whole is asked nothing again.

    Args:
        kind: as `miner.references.kind_of` tells.
        again: look all of them up anew; what OpenAlex knows by now takes the place of what was
            kept under a local id.
        workers: how many look-ups go on at once.

    Raises:
        InputError: the file cannot be read or holds no reference.
        NetworkError: the network or the budget gave out; call again later.
    """
    digest = digest_of(path)
    settings = {"list": path.name, "sha256": digest, **run_settings(protocol, server)}
    report = corpus.path / "unresolved" / f"{_named(path)}-{digest[:6]}.jsonl"
    with corpus.journal() as journal:
        run = journal.open_run(KIND, settings=settings)
        ended = journal.ended_at(KIND, settings=settings)
        if run is None and ended is not None and not again:
            return Listed(Mined(), len(_lines(report)), report, ended)
        entries = list(read_list(path, kind))
        if run is None:
            run = new_run(clock())
            journal.start_run(run, KIND, settings=settings, now=clock())
        start = Checkpoint(run, f"list {path.name}", "", "0", 0, 0, len(entries))
        at = next(iter(journal.checkpoints(run)), start)
        name = f"list-{digest[:12]}"
        with ThreadPoolExecutor(workers) as pool:
            taker = _Taker(corpus, protocol, pages, pool, clock, name, report)
            while at.cursor is not None:
                at = taker.take(entries, at, journal)
                progress(at.works, len(entries))
        journal.end_run(run, now=clock())
    return Listed(taker.total, len(_lines(report)), report)


@dataclass
class _Taker:
    """Takes a list into the survey, batch by batch."""

    corpus: Corpus
    protocol: Protocol
    pages: Pages
    pool: ThreadPoolExecutor
    clock: Callable[[], datetime]
    name: str
    report: Path
    total: Mined = field(default_factory=Mined)

    def __post_init__(self) -> None:
        held = self.corpus.table(
            "SELECT id FROM works WHERE id LIKE 'local:%' UNION "
            f"SELECT work_id FROM screened WHERE work_id LIKE 'local:%' AND stage = '{STAGE}'"
        )
        self._held = frozenset(held["id"].to_pylist())
        self._seen: set[str] = set()  # two references to one work write it once

    def take(self, entries: Sequence[Entry], at: Checkpoint, journal: Journal) -> Checkpoint:
        """Look up and write the next batch; returns the checkpoint after it."""
        number = int(at.cursor or 0)
        first = number * _BATCH
        batch = entries[first : first + _BATCH]
        found = self._found(batch, first)
        part = Part(self.corpus, self.protocol, f"{self.name}-{number:06d}", self.clock())
        answers = [each.record for each in found if each.record is not None]
        raw = "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
        unread = [(place, said) for place, said in batch if isinstance(said, Unreadable)]
        mined, screened = part.write([*self._records(found), *unread], raw=raw.encode())
        self._report(found, first)
        now, origin = self.clock(), at.query
        brought = [(each.work_id, origin, True, "") for each in found if each.brings_abstract]
        journal.seek("abstract", brought, now=now)
        journal.screen(STAGE, self._fates(found), now=now)
        at = replace(
            at,
            cursor=str(number + 1) if first + _BATCH < len(entries) else None,
            pages=number + 1,
            works=at.works + len(found),
        )
        done(journal, at, screened, now)
        self.total += mined
        return at

    def _found(self, batch: Sequence[Entry], first: int) -> list[Found]:
        """Each reference of a batch once looked up, side by side."""
        named = [
            (number, place, said)
            for number, (place, said) in enumerate(batch, start=first + 1)
            if isinstance(said, Reference)
        ]
        return list(self.pool.map(lambda entry: _look_up(*entry, pages=self.pages), named))

    def _records(self, found: Iterable[Found]) -> Iterator[Record]:
        """The record of each work not yet taken from this list, or its reference as one."""
        for each in found:
            if each.work_id in self._seen:
                continue
            self._seen.add(each.work_id)
            record = each.record or each.reference.as_record()
            own = {"abstract": each.reference.abstract} if each.brings_abstract else {}
            yield each.at, {**record, **own}

    def _fates(self, found: Iterable[Found]) -> list[Screened]:
        """What became of works held under a local id: known to OpenAlex by now, or not."""
        fates: list[Screened] = []
        for each in found:
            local = each.reference.local_id
            if local in self._held and each.work_id == local:
                fates.append((local, True, "unknown to OpenAlex"))
            elif local in self._held:
                fates.append((local, False, f"merged into {each.work_id}"))
        return fates

    def _report(self, found: Iterable[Found], first: int) -> None:
        """Add a batch to the report; what was there of it and of later ones is replaced."""
        lines = [line for line in _lines(self.report) if line["reference"] <= first]
        lines += [_line(each) for each in found if each.record is None]
        if not lines:
            self.report.unlink(missing_ok=True)
            return
        self.report.parent.mkdir(exist_ok=True)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_whole(self.report, lambda file: file.write(text.encode()))


def _look_up(number: int, place: str, reference: Reference, *, pages: Pages) -> Found:
    """A reference by its names, the surest first.

    Raises:
        InputError: the server refuses whatever is asked, as for a wrong key.
        NetworkError: it does not answer.
    """
    reasons = [] if reference.names else ["it has no DOI, PMID or arXiv id"]
    for name in reference.names:
        try:
            record = pages.single(name)
        except QuestionError as e:
            reasons.append(f"OpenAlex refuses {name}: {e.message}")
            continue
        if record is None:
            reasons.append(f"OpenAlex does not know {name}")
            continue
        try:
            work = parse_work(record, fetched_at=datetime.min)
        except InputError as e:
            reasons.append(f"OpenAlex's record of {name} cannot be read: {e}")
            continue
        return Found(number, place, reference, record, work.id)
    return Found(number, place, reference, None, reference.local_id, "; ".join(reasons))


def _line(found: Found) -> dict[str, Any]:
    """What the report says of a reference."""
    reference = found.reference
    return {
        "reference": found.number,
        "at": found.at,
        "reason": found.reason,
        "work": found.work_id,
        "names": reference.names,
        "title": reference.title,
        "year": reference.year,
    }


def _lines(report: Path) -> list[dict[str, Any]]:
    if not report.exists():
        return []
    return [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]


def _named(path: Path) -> str:
    return re.sub(r"[^\w.\-]", "_", path.name)
