"""What was computed from a survey and is kept beside it, so that nobody computes it twice.

It lies in the survey's folder `cache`, which may be deleted at any time. A file there is written
whole or not at all, and is believed only if it is of the survey, and of the program, as they are
now; else it is made anew. Where nothing can be written all is computed each time.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

from data.catalogue import own_table
from data.citations import looked_up_path
from data.corpus import FOLDERS, JOURNAL, PROTOCOL, SNAPSHOT, TOLD_PART, write_whole
from data.records import Candidate

FOLDER = "cache"
# A file that changes twice within a tick of its file system's clock may look as it did between.
# The coarsest clock in use (FAT) ticks every 2 s; git's index is as careful.
_TICK_NS = 2_000_000_000
_UNWATCHED = FOLDERS[Candidate]  # names that are not yet known to be datasets are in no count


def _states(survey: Path) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of change of each file that a number may hang on, in one order."""
    for folder in FOLDERS.values():
        if folder != _UNWATCHED and (survey / folder).is_dir():
            with os.scandir(survey / folder) as found:
                parts = [part for part in found if part.name.endswith(".parquet")]
            for part in sorted(parts, key=lambda part: part.name):
                if not part.name.startswith("."):
                    yield f"{folder}/{part.name}", *_state(part)
    single = [survey / name for name in (PROTOCOL, JOURNAL, f"{JOURNAL}-wal", TOLD_PART)]
    for file in (*single, own_table(survey), looked_up_path(survey)):
        size, changed = _state(file)
        if size:  # a log without content comes and goes as others read
            yield file.name, size, changed


def _state(file: Path | os.DirEntry[str]) -> tuple[int, int]:
    """Size and time of change; zeros of a file that is gone."""
    try:
        state = file.stat()
    except FileNotFoundError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def stamp(survey: Path) -> str:
    """What changes when the survey on disk does: a hash of names, sizes and times of its files."""
    digest = hashlib.sha256()
    for state in _states(survey):
        digest.update("{} {} {}\n".format(*state).encode())
    return digest.hexdigest()[:16]


def is_settled(survey: Path, stamped: str) -> bool:
    """Whether the survey still has that stamp, and what changes from now on changes its stamp."""
    now = time.time_ns()
    return stamp(survey) == stamped and all(is_old(at, now) for _, _, at in _states(survey))


def is_old(changed_ns: int, now_ns: int) -> bool:
    """Whether a file that changes after now will show another time of change."""
    return changed_ns < now_ns - _TICK_NS


@cache
def program() -> str:
    """A hash of all that numbers hang on beside the survey: this room's source and its facts."""
    digest = hashlib.sha256()
    room = Path(__file__).parent
    for file in sorted([*room.glob("*.py"), *room.glob("facts/*.csv")]):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def keep(survey: Path, name: str, write: Callable[[BinaryIO], object]) -> None:
    """Write a file of the cache whole or not at all; a survey that may not be changed has none.

    Args:
        write: is given the open binary file.
    """
    if (survey / SNAPSHOT).exists():
        return
    try:
        (survey / FOLDER).mkdir(exist_ok=True)
        write_whole(survey / FOLDER / name, write)
    except OSError:
        return  # a folder that is read only, or a full disk: what was computed holds all the same
