"""A page or batch of records as one part of the survey: works, rejects, raw page, screening.

The order is: raw pages, rejects, part of works; then, in one transaction, hits, screening and the
checkpoint. So a kill at any point costs at most the part in hand, which the next run writes again
under the same names, from the raw pages that are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from data.corpus import Corpus, write_whole
from data.errors import InputError
from data.journal import Checkpoint, Journal
from data.protocol import Protocol, screen
from data.records import Work
from miner.openalex import parse_work, records_of
from miner.raw import RawPages, packed

STAGE = "protocol"  # of screening
Screened = tuple[str, bool, str]  # work id, whether it stays, why
State = tuple[datetime | None, bool | None]  # last change at the source, retracted
# Where it stands ("line 3"), and the JSON, read or as bytes, or why there is none.
Record = tuple[str, Any]


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


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is not even JSON, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of works to be, with what else its page leaves in the survey. Can be pickled.

    Args:
        name: unique to the run and page; other characters than letters and digits become "_".
        now: when its records were fetched, UTC.
        known: state (see `state_of`) of the works held already; those in this state are left out.
    """

    corpus: Corpus
    protocol: Protocol
    name: str
    now: datetime
    known: Mapping[str, State] = field(default_factory=dict)

    @property
    def raw(self) -> RawPages:
        """Its pages as they came."""
        return RawPages(self.corpus.path / "raw" / f"{self._file}.jsonl.gz")

    def take(self) -> tuple[Mined, list[Screened]]:
        """Like `write`, for the records of its raw pages."""
        return self.write(_records(self.raw), raw=None)

    def write(
        self, records: Iterable[Record], *, raw: bytes | None
    ) -> tuple[Mined, list[Screened]]:
        """Write all files of it; returns the counts and how each work fared in screening."""
        works, rejects = [], []
        for place, record in records:
            try:
                work = self._work(record)
            except InputError as e:
                rejects.append({"at": place, "reason": str(e), "record": _value(record)})
                continue
            if work.updated is None or self.known.get(work.id) != state_of(work):
                works.append(work)
        if raw is not None:
            _keep(self.corpus, "raw", f"{self._file}.jsonl.gz", packed(raw))
        if rejects:
            set_aside(self.corpus, self._file, rejects)
        if works or not self.known:
            self.corpus.append(Work, works, name=self._file)
        screened = [(work.id, *screen(work, self.protocol)) for work in works]
        left_out = sum(not included for _, included, _ in screened)
        return Mined(len(works), left_out, len(rejects)), screened

    @property
    def _file(self) -> str:
        return re.sub(r"[^\w\-]", "_", self.name)

    def _work(self, record: Any) -> Work:
        if isinstance(record, Unreadable):
            raise InputError(record.reason)
        return parse_work(record, fetched_at=self.now)


def set_aside(corpus: Corpus, name: str, rejects: Iterable[Mapping[str, Any]]) -> None:
    """Keep what could not be read, with place and reason, as a file of the rejects folder."""
    lines = "".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
    _keep(corpus, "rejects", f"{name}.jsonl", lines.encode())


def _keep(corpus: Corpus, folder: str, name: str, body: bytes) -> None:
    (corpus.path / folder).mkdir(exist_ok=True)
    write_whole(corpus.path / folder / name, lambda file: file.write(body))


def _value(record: Any) -> Any:
    """A record as JSON values, for the rejects."""
    if isinstance(record, Unreadable):
        return None
    if isinstance(record, msgspec.Raw):
        return msgspec.json.decode(record)
    return msgspec.to_builtins(record)


def state_of(work: Work) -> State:
    """What differs once a record has changed at its source."""
    return work.updated, work.is_retracted


def _records(pages: Iterable[bytes]) -> Iterator[Record]:
    for number, page in enumerate(pages, start=1):
        for place, record in enumerate(records_of(page), start=1):
            yield f"line {number}, result {place}", record


def done(journal: Journal, at: Checkpoint, screened: Sequence[Screened], now: datetime) -> None:
    """The last step of a part: its works, their screening and the checkpoint, all or none."""
    ids = [work_id for work_id, _, _ in screened]
    journal.page_done(at, ids, now=now, screened=(STAGE, screened))
