"""OpenAlex ids of the datasets' own papers, looked up one by one, which is free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.citations import read_looked_up, write_looked_up
from miner.openalex import work_id
from miner.pages import Pages

_KEPT_EVERY = 25  # look-ups that a kill costs at most


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of a run: DOIs found, not known to OpenAlex, and answered before."""

    found: int = 0
    unknown: int = 0
    before: int = 0


def resolve(
    path: Path,
    dois: Sequence[str],
    pages: Pages,
    *,
    clock: Callable[[], datetime],
    again: bool = False,
    progress: Callable[[int], None] = lambda n: None,
) -> Resolved:
    """Look up the DOIs that `path` does not answer yet, and keep the answers there.

    What OpenAlex does not know is kept too, so that it is asked once. The same call continues a
    stopped one.

    Args:
        path: see `data.citations.looked_up_path`.
        clock: gives the time, UTC.
        again: ask anew for what OpenAlex did not know.
        progress: is told how many were just asked.

    Raises:
        NetworkError: the network or the budget gave out; what was answered is kept.
        InputError: the server refuses key or question, or the file is no such table.
    """
    known = read_looked_up(path)
    todo = [doi for doi in dois if doi not in known or (again and not known[doi][0])]
    before = len(dois) - len(todo)
    answers: list[str] = []
    try:
        for doi in todo:
            record = pages.single(f"doi:{doi}")
            answers.append("" if record is None else work_id(record.get("id")))
            known[doi] = (answers[-1], clock().isoformat(timespec="seconds"))
            if len(answers) % _KEPT_EVERY == 0:
                write_looked_up(path, known)
            progress(1)
    finally:
        if answers:
            write_looked_up(path, known)
    return Resolved(sum(map(bool, answers)), answers.count(""), before)
