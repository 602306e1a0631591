"""Bring a survey up to date with a free key: new works, changed ones, merged, retracted, deleted.

OpenAlex sells the question "what changed since"; free are recent publication dates again, and all
ids of the survey in batches. Only records that differ from what is here are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from data.corpus import Corpus, new_run
from data.errors import InputError
from data.journal import Checkpoint
from data.protocol import Protocol
from miner.mine import WORKERS, Miner, Progress, first_checkpoints, run_settings
from miner.openalex import PER_PAGE, SELECT, work_id
from miner.pages import Pages
from miner.parts import Mined, Part, Screened, State

STAGE = "openalex"  # of screening: what became of the record there
_REFRESH = "refresh"  # the name of the question about ids
_WINDOW = timedelta(days=366)  # records of the last year are still being completed


def update(
    corpus: Corpus,
    protocol: Protocol,
    pages: Pages,
    *,
    server: str,
    clock: Callable[[], datetime],
    progress: Progress = lambda works, expected: None,
    workers: int = WORKERS,
) -> Mined:
    """Ask again for works published since a year before the last run, then for all ids held here.

    Resumable like `miner.mine.mine`. A work published earlier that OpenAlex adds later is not seen:
    that takes the whole question again.

    Returns: the counts of new and changed works.

    Raises:
        InputError: the survey has not been mined to its end; the server refuses question or key.
        NetworkError: the network or the budget gave out; call again later.
    """
    settings = run_settings(protocol, server)
    with corpus.journal() as journal:
        mined_at = journal.ended_at("mine", settings=settings)
        if mined_at is None:
            raise InputError(
                "nothing to update: this question has not been answered whole; `cats mine` first",
                path=corpus.path,
            )
        run = journal.open_run("mine-update", settings=settings)
        if run is None:
            run = new_run(clock())
            journal.start_run(run, "mine-update", settings=settings, now=clock())
        if not journal.checkpoints(run):
            updated_at = journal.ended_at("mine-update", settings=settings) or mined_at
            first_year = max((updated_at - _WINDOW).year, protocol.search.first_year)
            recent = first_checkpoints(protocol, pages, run, workers, first_year=first_year)
            journal.plan([*recent, *_batches(corpus, run)], now=clock())
        planned = journal.checkpoints(run)
        updater = _Updater(corpus, protocol, pages, journal, clock, progress, planned)
        updater.fetch(workers, readers=0)
        journal.end_run(run, now=clock())
    return updater.total


def _batches(corpus: Corpus, run: str) -> Iterator[Checkpoint]:
    """One for each hundred ids of the survey; the ids stand in its slice."""
    ids = corpus.table("SELECT id FROM works WHERE id LIKE 'W%' ORDER BY id")["id"].to_pylist()
    for start in range(0, len(ids), PER_PAGE):
        batch = ids[start : start + PER_PAGE]
        yield Checkpoint(run, _REFRESH, "|".join(batch), "*", 0, 0, len(batch))


class _Updater(Miner):
    """Takes slices like a miner, and batches of ids; leaves out what has not changed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        held = self.corpus.table("SELECT id, updated, is_retracted FROM works").to_pydict()
        states = zip(held["updated"], held["is_retracted"], strict=True)
        self._known: Mapping[str, State] = dict(zip(held["id"], states, strict=True))
        gone = self.corpus.table(f"SELECT work_id FROM screened WHERE stage = '{STAGE}'")
        self._gone = frozenset(gone["work_id"].to_pylist())

    def part(self, number: int, at: Checkpoint) -> Part:
        """As a miner's, less what has not changed."""
        return replace(super().part(number, at), known=self._known)

    def take(self, number: int, at: Checkpoint) -> None:
        """Fetch a slice, or refresh a batch of ids."""
        if at.query != _REFRESH:
            super().take(number, at)
        elif not self.stop.is_set():
            self._refresh(number, at)

    def _refresh(self, number: int, at: Checkpoint) -> None:
        asked = at.slice.split("|")
        params = {
            "filter": f"ids.openalex:{at.slice}",
            "per-page": str(PER_PAGE),
            "select": ",".join(SELECT),
        }
        page = self.pages.works(params)
        found = {work_id(record.get("id")): record for record in page.results}
        outcomes: list[Screened] = [
            (held, True, "at OpenAlex again") for held in found if held in self._gone
        ]
        for name in asked:
            if name not in found:
                record = self.pages.single(name)
                outcomes.append(_fate(name, record))
                if record is not None:
                    found[work_id(record.get("id"))] = record
        mined, screened = self.part(number, at).write(found.items(), raw=page.raw)
        now = self.clock()
        self.journal.screen(STAGE, outcomes, now=now)
        at = replace(at, cursor=None, pages=1, works=len(found))
        successors = [name for name, _, _ in screened if name not in self._known]
        self.journal.page_done(at, successors, now=now, screened=("protocol", screened))
        self.count(mined)
        self.note(number, at)


def _fate(name: str, record: Any | None) -> Screened:
    """What became of a work that a batch did not bring."""
    if record is None:
        return name, False, "deleted at OpenAlex"
    successor = work_id(record.get("id"))
    if successor == name:
        return name, True, "at OpenAlex again"
    return name, False, f"merged into {successor}"
