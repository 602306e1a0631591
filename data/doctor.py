"""What stands between a user and a survey that works: packages, facts, SQLite, the survey's files.

Open `examine` first. Nothing is changed, and nothing but this machine is asked.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from data.errors import CatsError

DISTRIBUTION = "cats-toolkit"
State = Literal["good", "absent", "bad"]
_LEAST_FREE_GB = 1.0
_JOURNAL_FILES = ("journal.db-wal", "journal.db-shm")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        state: good; absent (only some commands need it); bad (what needs it fails).
        found: what there is.
        advice: what to do; "" where nothing needs doing.
    """

    what: str
    state: State
    found: str
    advice: str = ""


def examine(environment: Mapping[str, str], survey: Path | None) -> list[Check]:
    """All checks, of the installation first.

    Args:
        environment: the process's; a key in it is told as set or not, never shown.
        survey: its directory; None leaves the survey's checks out.
    """
    checks = [_python(), _core(), *_extras(), _facts(), _sqlite(), *_servers(environment)]
    if survey is not None:
        checks += [_space(survey), _protocol(survey), _journal(survey), *_parts(survey)]
    return checks


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = metadata(DISTRIBUTION)["Requires-Python"]
    return Check("Python", "good", f"{found} (wants {wanted}), cats {version(DISTRIBUTION)}")


def _requirements(extra: str) -> list[Requirement]:
    """What the core (extra "") or an extra asks for on this machine."""
    asked = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    return [
        each
        for each in asked
        if (each.marker is None and not extra)
        or (each.marker and extra and each.marker.evaluate({"extra": extra}))
    ]


def _unmet(requirements: Iterable[Requirement]) -> Iterator[str]:
    for each in requirements:
        try:
            found = version(each.name)
        except PackageNotFoundError:
            yield str(each.name)
            continue
        if not each.specifier.contains(found, prereleases=True):
            yield f"{each.name} {found} (wants {each.specifier})"


def _core() -> Check:
    asked = _requirements("")
    unmet = list(_unmet(asked))
    if unmet:
        again = f"pip install --upgrade {DISTRIBUTION}"
        return Check("core packages", "bad", f"missing: {', '.join(unmet)}", again)
    return Check("core packages", "good", f"all {len(asked)} are there")


def _extras() -> Iterator[Check]:
    for extra in metadata(DISTRIBUTION).get_all("Provides-Extra") or ():
        asked = _requirements(extra)
        unmet = list(_unmet(asked))
        if unmet:
            advice = f'pip install "{DISTRIBUTION}[{extra}]"'
            yield Check(f"extra {extra}", "absent", f"missing: {', '.join(unmet)}", advice)
        else:
            yield Check(f"extra {extra}", "good", f"all {len(asked)} are there")


def _facts() -> Check:
    from data.catalogue import load

    try:
        known = load()
    except (CatsError, OSError) as e:
        return Check("catalogue", "bad", str(e), f"pip install --force-reinstall {DISTRIBUTION}")
    return Check(
        "catalogue", "good", f"{len(known.datasets):,} datasets, {len(known.models):,} models"
    )


def _sqlite() -> Check:
    return Check("SQLite", "good", sqlite3.sqlite_version)


def _servers(environment: Mapping[str, str]) -> Iterator[Check]:
    from data.settings import OPENALEX_URL, settings

    try:
        chosen = settings(environment)
    except CatsError as e:
        yield Check("servers", "bad", str(e), "correct or unset the variable")
        return
    usual = "" if chosen.openalex_url == OPENALEX_URL else " (by CATS_OPENALEX_URL)"
    yield Check("OpenAlex", "good", f"{chosen.openalex_url}{usual}; not asked here")
    if chosen.openalex_key is None:
        advice = "set OPENALEX_API_KEY to the free key of an openalex.org account"
        yield Check("OpenAlex key", "absent", "not set: a small allowance a day", advice)
    else:
        yield Check("OpenAlex key", "good", "set")


def _space(survey: Path) -> Check:
    free_gb = shutil.disk_usage(survey).free / 1e9
    found = f"{free_gb:.1f} GB free"
    if free_gb < _LEAST_FREE_GB:
        return Check("disk", "bad", found, "make room: a write that fails stops a run")
    return Check("disk", "good", found)


def _protocol(survey: Path) -> Check:
    from data.corpus import PROTOCOL
    from data.protocol import load

    try:
        protocol = load(survey / PROTOCOL)
    except (CatsError, OSError) as e:
        return Check("protocol", "bad", str(e), f"edit {survey / PROTOCOL}")
    return Check("protocol", "good", protocol.title)


def _journal(survey: Path) -> Check:
    path = survey / "journal.db"
    if not path.exists():
        return Check("journal", "absent", "none yet", "the first `cats mine` makes it")
    advice = "restore it from a copy, or move it away; see docs/review.md"
    # A plain read-only connection waits for nobody's lock and makes no file beside the journal,
    # unless a write-ahead log is there already and must be read with it.
    beside = any((survey / name).exists() for name in _JOURNAL_FILES)
    mode = "mode=ro" if beside else "mode=ro&immutable=1"
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
        try:
            (told,) = db.execute("PRAGMA quick_check(1)").fetchone()
            (decisions,) = db.execute("SELECT count(*) FROM decisions").fetchone()
        finally:
            db.close()
    except sqlite3.Error as e:
        return Check("journal", "bad", str(e), advice)
    if told != "ok":
        return Check("journal", "bad", told, advice)
    return Check("journal", "good", f"whole; {decisions:,} decisions")


def _parts(survey: Path) -> Iterator[Check]:
    """A check a folder of Parquet parts: every part's footer is read, no row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from data.corpus import FOLDERS

    for folder in FOLDERS.values():
        parts = sorted((survey / folder).glob("[!.]*.parquet"))
        rows, broken = 0, []
        for part in parts:
            try:
                rows += pq.read_metadata(part).num_rows
            except (pa.ArrowException, OSError):
                broken.append(part.name)
        if broken:
            found = f"{len(broken)} of {len(parts)} parts cannot be read: {', '.join(broken[:3])}"
            advice = f"restore them from a copy, or remove them and run the step of {folder} again"
            yield Check(folder, "bad", found, advice)
        elif parts:
            yield Check(folder, "good", f"{rows:,} rows in {len(parts):,} parts")
        else:
            yield Check(folder, "absent", "none yet")
