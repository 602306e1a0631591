"""Full texts from a folder: files are matched to works by their names, or by what they say.

A file is named by a work's id, DOI (slashes as _), PMCID or arXiv id; else the names that stand in
it count, and last its title, if it is exactly one work's after normalisation.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import methodcaller
from pathlib import Path

from data.corpus import Corpus, new_run, write_whole
from data.errors import InputError
from data.records import Work, from_table
from miner.document import Document
from miner.formats import LARGEST, READERS, format_of
from miner.fulltext import WHAT, Shelf, Sought
from miner.titles import title_of

ORIGIN = "file"
_VERSION = re.compile(r"v\d+$")


@dataclass(frozen=True, slots=True)
class Taken:
    """Counts of a folder.

    Args:
        files: that were looked at.
        works: whose text was taken.
        known: files that an earlier run took already.
        rejects: files that could not be matched or read.
        listed: the file that lists those; None if there are none.
    """

    files: int
    works: int
    known: int
    rejects: int
    listed: Path | None


class Names:
    """The included works of a survey, by all that a file may call them."""

    def __init__(self, corpus: Corpus) -> None:
        self._by_name: dict[str, Work] = {}
        by_title: dict[str, list[Work]] = {}
        for work in from_table(Work, corpus.table("SELECT * FROM included ORDER BY id")):
            for name in _names(work):
                self._by_name.setdefault(name, work)
            title = title_of(work.title or "")
            if title.is_specific and not title.is_about:
                by_title.setdefault(title.key, []).append(work)
        self._by_title = {key: works[0] for key, works in by_title.items() if len(works) == 1}

    def by_file(self, stem: str) -> Work | None:
        """The work that a file's name names."""
        stem = stem.lower()
        return self._by_name.get(stem) or self._by_name.get(_VERSION.sub("", stem))

    def by_content(self, document: Document) -> Work | None:
        """The work that a document is by its own names, else by its title."""
        for name in document.names:
            bare = name.partition(":")[2].lower()
            found = self._by_name.get(bare.replace("/", "_")) or self.by_file(bare)
            if found is not None and not name.startswith("pmid:"):
                return found
        title = title_of(document.title or "")
        return None if title.is_about else self._by_title.get(title.key)


def _names(work: Work) -> Iterator[str]:
    """What a file may be called, lower-case; slashes as _."""
    yield work.id.lower().replace("/", "_")
    if work.doi:
        yield work.doi.lower().replace("/", "_")
    for link in work.links:
        kind, _, name = link.partition(":")
        if kind in ("doi", "arxiv", "pmcid"):
            yield name.lower().replace("/", "_")


def take_folder(
    corpus: Corpus,
    folder: Path,
    *,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Taken:
    """Take the full texts in a folder, its own folders included; the rest is listed with reasons.

    Of several files of a work the best format is taken. A file that was taken before is passed
    over, so the same command continues a stopped run.

    Args:
        clock: gives the time, UTC.
        progress: is told files done and files in all.

    Raises:
        InputError: there is no such folder, or no file in it.
    """
    paths = _files(folder)
    names, rejects, counts = Names(corpus), [], Counter[str]()
    by_work: dict[str, Path] = {}
    with corpus.journal() as journal:
        rows = journal.table("sought").to_pylist()
        known = {
            row["reason"]: row["work_id"]
            for row in rows
            if (row["what"], row["origin"], row["found"]) == (WHAT, ORIGIN, 1)
        }
        with Shelf(corpus, journal, clock) as shelf:
            for number, path in enumerate(paths, start=1):
                try:
                    body = path.read_bytes()
                    mark = _mark(path, body)
                    if mark in known:
                        by_work.setdefault(known[mark], path)
                        counts["known"] += 1
                        continue
                    sought = _sought(path, body, names, by_work)
                except (InputError, OSError) as e:
                    rejects.append({"file": str(path), "reason": _reason(e)})
                else:
                    by_work[sought.work_id] = path
                    shelf.take(sought, mark)
                    counts["works"] += 1
                progress(number, len(paths))
    listed = _list(corpus, rejects, clock()) if rejects else None
    return Taken(len(paths), counts["works"], counts["known"], len(rejects), listed)


def _files(folder: Path) -> list[Path]:
    """The files of a folder, those of the best format first."""
    if not folder.is_dir():
        raise InputError("no such folder; give one with full texts", path=folder)
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    if not paths:
        raise InputError("no file in it; give a folder with full texts", path=folder)
    return sorted(paths, key=_rank)


def _rank(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return list(READERS).index(format_of(file.read(1 << 16)))
    except (InputError, OSError):
        return len(READERS)


def _mark(path: Path, body: bytes) -> str:
    """A file's name and content, for the journal."""
    return f"{path.name} sha256:{hashlib.sha256(body).hexdigest()[:16]}"


def _sought(path: Path, body: bytes, names: Names, by_work: dict[str, Path]) -> Sought:
    """The text of one file, with the work that it is of.

    Raises:
        InputError: it cannot be read, is of no work of the survey, or of one that has a file.
    """
    if len(body) > LARGEST:
        raise InputError(f"{len(body) / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}")
    kind = format_of(body)
    document = READERS[kind](body)
    if not document.pieces:
        raise InputError(f"{kind} without text")
    work = names.by_file(path.stem) or names.by_file(path.name) or names.by_content(document)
    if work is None:
        raise InputError(
            "no included work has this name, nor an identifier or title in it; name the file by "
            "the work's id, DOI (slashes as _), PMCID or arXiv id"
        )
    if work.id in by_work:
        raise InputError(f"{work.id} has its text from {by_work[work.id].name} already")
    passages = document.passages(work.id, origin=ORIGIN, license=work.license)
    return Sought(work.id, (), tuple(passages), ORIGIN)


def _reason(fault: InputError | OSError) -> str:
    return fault.message if isinstance(fault, InputError) else str(fault.strerror)


def _list(corpus: Corpus, rejects: list[dict[str, str]], now: datetime) -> Path:
    path = corpus.path / "rejects" / f"fulltext-{new_run(now)}.jsonl"
    path.parent.mkdir(exist_ok=True)
    lines = "".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
    write_whole(path, methodcaller("write", lines.encode("utf-8", "surrogateescape")))
    return path
