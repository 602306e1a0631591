"""Mine a survey from a copy of OpenAlex's bulk snapshot, part by part. Resumable anywhere.

`miner.release` says what lies in the copy, `miner.criteria` which works are asked for, `miner.scan`
takes one part, `data.engines` says where that is done. Only this process writes the journal; works
are written where a part is read, so on a cluster the survey's folder is on a disk that all share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from data.corpus import Corpus, new_run
from data.engines import Engine
from data.journal import Checkpoint, Journal
from data.protocol import Protocol
from miner.criteria import Criteria
from miner.parts import STAGE, Mined, Screened, set_aside
from miner.release import Release, SnapshotPart, release_at
from miner.scan import Reading, Scan, Scanned
from miner.update import STAGE as FATE

KIND = "mine-snapshot"
_LOCAL = Engine()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of a snapshot has come, this call only.

    Args:
        parts, of_parts: read now, and left when it began.
        bytes, of_bytes: of these.
        records: looked through.
        mined: the counts of works and rejects.
    """

    parts: int
    of_parts: int
    bytes: int
    of_bytes: int
    records: int
    mined: Mined

    @property
    def expected(self) -> int | None:
        """Records in all parts, judged by their bytes; None before the first."""
        return round(self.records * self.of_bytes / self.bytes) if self.bytes else None

    def after(self, scanned: Scanned) -> Progress:
        """The progress with one more part."""
        return Progress(
            self.parts + 1,
            self.of_parts,
            self.bytes + scanned.part.size,
            self.of_bytes,
            self.records + scanned.n_records,
            self.mined + scanned.mined,
        )


def mine_snapshot(
    corpus: Corpus,
    protocol: Protocol,
    place: str,
    *,
    clock: Callable[[], datetime],
    engine: Engine = _LOCAL,
    again: bool = False,
    progress: Callable[[Progress], None] = lambda at: None,
) -> Progress:
    """Take the works that a protocol asks for from the parts of a snapshot not read before.

    A part that is damaged, missing, or differs from the manifest leaves the run open: the same
    command, once the part is fetched again, reads that part only.

    Args:
        place: a folder or `s3://`, as in `miner.release`.
        clock: gives the time, UTC.
        again: read all parts anew.

    Returns: what this call did; no parts if there were none left.

    Raises:
        InputError: no parts there, or the protocol cannot be asked of them.
        NetworkError: the object store or the scheduler gave out; call again later.
        StoppedError: a process was ended from outside; call again.
    """
    names = Criteria(protocol).names
    release = release_at(place)
    settings = {"protocol": protocol.hash, "snapshot": place}
    with corpus.journal() as journal:
        run = journal.open_run(KIND, settings=settings)
        left = _left(journal, run, settings, release.parts, again=again)
        at = Progress(0, len(left), 0, sum(part.size for part in left), 0, Mined())
        if run is None:
            if not left and not release.faults:
                return at
            run = new_run(clock())
            journal.start_run(run, KIND, settings=settings, now=clock())
            planned = [Checkpoint(run, KIND, p.key, "*", 0, 0, p.records) for p in left]
            journal.plan(planned, now=clock())
        scan = Scan(corpus, protocol, run, _begun(journal, run))
        is_whole = not release.faults
        for scanned in engine.mapped(scan.take, left):
            _done(journal, run, names, scanned, clock())
            at = at.after(scanned)
            is_whole = is_whole and scanned.fault is None
            progress(at)
        _mark_gone(corpus, journal, run, release, clock())
        if release.faults:
            rows = [{"at": f.at, "reason": f.reason, "record": None} for f in release.faults]
            set_aside(corpus, f"{run}-manifest", rows)
            at = _with_rejects(at, len(rows))
        if is_whole:
            journal.end_run(run, now=clock())
    return at


def _with_rejects(at: Progress, n: int) -> Progress:
    return Progress(
        at.parts, at.of_parts, at.bytes, at.of_bytes, at.records, at.mined + Mined(rejects=n)
    )


def _begun(journal: Journal, run: str) -> datetime:
    """When a run began: the time of its works, also of those taken after a stop."""
    rows = journal.table("runs").to_pylist()
    return next(datetime.fromisoformat(row["started_at"]) for row in rows if row["id"] == run)


def _left(
    journal: Journal,
    run: str | None,
    settings: dict[str, str],
    parts: Iterable[SnapshotPart],
    *,
    again: bool,
) -> list[SnapshotPart]:
    """The parts to read: those that the open run has not, and those that no run of these has.

    Args:
        again: all of them, if no run is open.
    """
    if again and run is None:
        return list(parts)
    is_read: dict[str, bool] = {}
    for each in journal.runs(KIND, settings=settings):  # the open one is the last
        for at in journal.checkpoints(each):
            if at.query == KIND:
                is_read[at.slice] = at.cursor is None
    return [part for part in parts if not is_read.get(part.key)]


def _done(journal: Journal, run: str, names: list[str], scanned: Scanned, now: datetime) -> None:
    """The last step of a part: hits of each question, screening, and last its checkpoint."""
    part, cursor = scanned.part, None if scanned.fault is None else "*"
    for name in names:
        ids = scanned.hits.get(name, [])
        at = Checkpoint(run, name, part.key, cursor, 1, len(ids), None)
        journal.page_done(at, ids, now=now)
    at = Checkpoint(run, KIND, part.key, cursor, 1, scanned.mined.works, part.records)
    journal.page_done(at, [], now=now, screened=(STAGE, scanned.screened))


def _mark_gone(corpus: Corpus, journal: Journal, run: str, release: Release, now: datetime) -> None:
    """Note which works held here OpenAlex has deleted or merged, and which are back."""
    held = set(corpus.table("SELECT id FROM works")["id"].to_pylist())
    if not held:
        return
    in_run = f"SELECT DISTINCT id FROM all_works WHERE contains(filename, '{run}')"
    here = set(corpus.table(in_run)["id"].to_pylist())
    out = f"SELECT work_id FROM screened WHERE stage = '{FATE}' AND included = 0"
    back = here & set(corpus.table(out)["work_id"].to_pylist())
    outcomes: list[Screened] = [(work, True, "at OpenAlex again") for work in sorted(back)]
    outcomes += _fates(release, held - here)
    journal.screen(FATE, outcomes, now=now)


def _fates(release: Release, held: set[str]) -> Iterator[Screened]:
    """What became of works that are held here and not in the snapshot any more."""
    for work in release.deleted():
        if work in held:
            yield work, False, "deleted at OpenAlex"
    for work, into in release.merged():
        if work in held:
            yield work, False, f"merged into {into}"


# --- before it is read ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """What reading a snapshot would take, judged by one part of middling size.

    Args:
        parts, bytes: all of them.
        records: in all parts; by the manifest, or judged by the bytes.
        works: that the protocol would find, judged by that part.
        records_per_s, mb_per_s: how fast one process looked through that part just now.
        hours: that as many processes take at this pace.
    """

    parts: int
    bytes: int
    records: int
    works: int
    records_per_s: float
    mb_per_s: float
    workers: int
    hours: float


def snapshot_plan(
    protocol: Protocol,
    place: str,
    *,
    workers: int,
    seconds: Callable[[], float] = time.perf_counter,
) -> SnapshotPlan:
    """The plan for a snapshot; looks through one part and keeps nothing.

    Args:
        workers: processes; at least 1.
        seconds: a clock that only goes forward.

    Raises:
        InputError: no parts there, or the one looked at is damaged.
        NetworkError: the object store gave out.
    """
    criteria, release = Criteria(protocol), release_at(place)
    sample = _middling(release.parts)
    reading, started = Reading(sample, criteria), seconds()
    found = sum(bool(criteria.questions(record)) for _, record in reading)
    took_s = max(seconds() - started, 1e-6)
    share = sample.size / release.size
    records = release.records or round(reading.n_records / share)
    return SnapshotPlan(
        parts=len(release.parts),
        bytes=release.size,
        records=records,
        works=round(found * records / max(1, reading.n_records)),
        records_per_s=round(reading.n_records / took_s, 1),
        mb_per_s=round(sample.size / 1e6 / took_s, 2),
        workers=workers,
        hours=round(release.size / sample.size * took_s / workers / 3600, 3),
    )


def _middling(parts: tuple[SnapshotPart, ...]) -> SnapshotPart:
    """The part that has half of all bytes in larger ones: what most of the time goes to."""
    half, seen = sum(part.size for part in parts) / 2, 0
    for part in parts:
        seen += part.size
        if seen >= half:
            return part
    return parts[-1]
