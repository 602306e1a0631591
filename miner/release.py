"""What lies in a copy of OpenAlex's bulk snapshot: parts of works, manifest, ids that are gone.

A copy is a folder or `s3://bucket/prefix`; the snapshot's root, its works folder, one day of it, or
a single part. It is read as anybody, without credentials.

Source: OpenAlex's snapshot format (summer 2026; the layout before lies under `legacy-data/`).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pyarrow as pa
from pyarrow import fs

from data.errors import InputError, NetworkError

OPENALEX_REGION = "us-east-1"  # where the bucket `openalex` lies
_TIMEOUT_S = 30
# Where works lie below what was named; Parquet first, since it is read faster.
_WORKS_AT = (
    "data/parquet/works",
    "parquet/works",
    "data/jsonl/works",
    "jsonl/works",
    "data/works",
    "works",
    "",
)
_PART = re.compile(
    r"(?:updated_date=(?P<day>\d{4}-\d{2}-\d{2})/)?(?P<file>[^/._][^/]*)\.(?P<kind>parquet|jsonl|gz)"
)
_DAY = re.compile(r"updated_date=(\d{4}-\d{2}-\d{2})/")
_MERGED_AT = ("legacy-data/merged_ids/works", "merged_ids/works", "data/merged_ids/works")
_WORK_ID = re.compile(r"\bW\d+\b")


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """One file of works. Can be pickled; each process opens the store anew.

    Args:
        place: the copy that it belongs to, as the user named it.
        path: of the file in its store.
        name: the same below the works folder.
        size: bytes of the file.
        records: how many it holds by the manifest; None without one.
    """

    place: str
    path: str
    name: str
    size: int
    records: int | None = None

    @property
    def key(self) -> str:
        """What the journal calls it: another size is another file."""
        return f"{self.name} {self.size}"

    @property
    def file_name(self) -> str:
        """A name for its works, which sorts by the day when its records last changed."""
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:10]
        return f"{self.day or date.min}-{digest}"

    @property
    def day(self) -> date | None:
        """When its records last changed at OpenAlex; None where the path does not say."""
        found = _DAY.search(f"{self.path}")
        try:
            return date.fromisoformat(found[1]) if found else None
        except ValueError:
            return None

    def known_at(self, now: datetime) -> datetime:
        """As of when its records speak: the end of their day, so that a later change wins.

        Args:
            now: the time, UTC; for a part without a day.
        """
        if self.day is None:
            return now
        return min(now, datetime.combine(self.day, datetime.min.time(), UTC) + timedelta(days=1))

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet; else it is JSON lines."""
        return self.name.endswith(".parquet")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it should be, and is told."""

    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """A copy of the snapshot as it lies there.

    Args:
        parts: files of works, largest first, so that no process is alone with a large one last.
        faults: where manifest and files differ.
        works: the works folder in its store.
    """

    place: str
    works: str
    parts: tuple[SnapshotPart, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)

    @property
    def records(self) -> int | None:
        """Records of all parts by the manifest; None if it does not say."""
        counts = [part.records for part in self.parts]
        return None if None in counts else sum(count or 0 for count in counts)

    def deleted(self) -> Iterator[str]:
        """Ids of works that OpenAlex deleted."""
        for name in ("deleted_ids.csv", "deleted_ids.csv.gz"):
            for ids in _ids(self.place, f"{self.works}/{name}"):
                yield ids[0]

    def merged(self) -> Iterator[tuple[str, str]]:
        """(id, id of the work that took its place) of works that OpenAlex merged."""
        store, _ = opened(self.place)
        above = [self.works, *map(str, PurePosixPath(self.works).parents)][:4]
        for folder in dict.fromkeys(f"{each}/{at}" for each in above for at in _MERGED_AT):
            for info in _listing(store, folder):
                for ids in _ids(self.place, info.path):
                    if len(ids) > 1:
                        yield ids[0], ids[1]


def release_at(place: str) -> Release:
    """What lies at a place.

    Raises:
        InputError: there is nothing, or no works.
        NetworkError: the object store cannot be reached.
    """
    store, root = opened(place)
    info = _told(place, lambda: store.get_file_info(root))
    if info.type == fs.FileType.File:
        part = _part(place, str(PurePosixPath(root).parent), info)
        if part is None:
            raise _no_works(place)
        return Release(place, str(PurePosixPath(root).parent), (part,))
    for at in _WORKS_AT:
        works = f"{root}/{at}".rstrip("/")
        found = [_part(place, works, each) for each in _listing(store, works)]
        parts = [part for part in found if part is not None]
        if parts:
            return _checked(place, works, parts)
    raise _no_works(place)


def _no_works(place: str) -> InputError:
    return InputError(
        f"no parts of works at {place!r} (works/updated_date=.../part_0000.parquet, .gz or .jsonl);"
        " name the snapshot's folder, its works folder, a part, or s3://openalex/data"
    )


def _part(place: str, works: str, info: fs.FileInfo) -> SnapshotPart | None:
    """The part that a file is, or None if it is something else."""
    name = info.path.removeprefix(works).lstrip("/")
    found = _PART.fullmatch(name)
    if info.type != fs.FileType.File or found is None or found["file"].endswith(".csv"):
        return None
    return SnapshotPart(place, info.path, name, info.size)


def _listing(store: fs.FileSystem, folder: str) -> list[fs.FileInfo]:
    """The files of a folder, and of its days if it has any; none if there is no such folder."""
    try:
        infos = store.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        # Only then, since what was named may be anybody's home folder.
        if any(_DAY.match(f"{info.base_name}/") for info in infos):
            infos = store.get_file_info(fs.FileSelector(folder, recursive=True))
    except NotADirectoryError:
        return []
    except OSError as e:
        raise _unreached(folder, e) from e
    return sorted(infos, key=lambda info: str(info.path))


# --- the manifest -----------------------------------------------------------------------------


def _checked(place: str, works: str, parts: list[SnapshotPart]) -> Release:
    """The release of these parts, compared with its manifest if there is one."""
    largest_first = sorted(parts, key=lambda part: (-part.size, part.name))
    listed = _manifest(place, works)
    if listed is None:
        return Release(place, works, tuple(largest_first))
    faults, kept = [], []
    for part in largest_first:
        if part.name not in listed:
            faults.append(Fault(part.name, "not in the manifest, so of another release; left out"))
            continue
        size, records = listed[part.name]
        if size is not None and size != part.size:
            reason = f"has {part.size} bytes, the manifest says {size}; fetch it again"
            faults.append(Fault(part.name, reason))
        kept.append(SnapshotPart(place, part.path, part.name, part.size, records))
    here = {part.name for part in parts}
    faults += [
        Fault(name, "in the manifest, but missing; fetch it") for name in listed if name not in here
    ]
    return Release(place, works, tuple(kept), tuple(faults))


def _manifest(place: str, works: str) -> dict[str, tuple[int | None, int | None]] | None:
    """(bytes, records) of each part by the manifest, in either of its layouts; None without one."""
    store, _ = opened(place)
    above = str(PurePosixPath(works).parent)
    for path in (f"{works}/manifest", f"{works}/manifest.json", f"{above}/manifest.json"):
        if _told(place, lambda path=path: store.get_file_info(path)).type != fs.FileType.File:
            continue
        try:
            with store.open_input_stream(path) as file:
                entries = list(_entries(msgspec.json.decode(file.read())))
        except ValueError as e:
            raise InputError(
                f"the manifest is no JSON ({e}); fetch it again, or remove it", path=Path(path)
            ) from e
        found = {
            name: (entry.get("content_length"), entry.get("record_count"))
            for url, entry in entries
            if (name := _below_works(url)) is not None
        }
        if found:
            return found
    return None


def _entries(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(address, its counts) of all entries of a manifest, wherever they stand in it."""
    if isinstance(value, list):
        for each in value:
            yield from _entries(each)
    elif isinstance(value, dict):
        if isinstance(value.get("url"), str):
            meta = value.get("meta")
            yield value["url"], meta if isinstance(meta, dict) else value
        else:
            yield from _entries(list(value.values()))


def _below_works(url: str) -> str | None:
    """The name of a part of works, as in `SnapshotPart`; None for other files."""
    _, found, name = url.rpartition("/works/")
    return name if found and _PART.fullmatch(name) else None


# --- stores -----------------------------------------------------------------------------------


@cache
def opened(place: str) -> tuple[fs.FileSystem, str]:
    """(store, path in it) of a place, a folder or `s3://`.

    Another object store than Amazon's is named in the address, by Arrow's names:
    `s3://bucket/prefix?scheme=http&endpoint_override=127.0.0.1:9000`, also `region=`.

    Raises:
        InputError: an address of another kind, or with an unknown option.
    """
    if "://" not in place:
        return fs.LocalFileSystem(), str(Path(place).resolve())
    parts = urlsplit(place)
    options = dict(parse_qsl(parts.query))
    unknown = options.keys() - {"scheme", "endpoint_override", "region"}
    if parts.scheme != "s3" or not parts.netloc or unknown:
        raise InputError(
            f"{place!r} is no folder and no s3:// address (options: scheme, endpoint_override, "
            "region); give one such as s3://openalex/data"
        )
    options.setdefault("region", OPENALEX_REGION)
    store = fs.S3FileSystem(
        anonymous=True, connect_timeout=_TIMEOUT_S, request_timeout=_TIMEOUT_S, **options
    )
    return store, f"{parts.netloc}{parts.path}".rstrip("/")


def is_network(place: str, error: BaseException) -> bool:
    """Whether an error of reading comes from the way to the object store, not from the file."""
    return "://" in place and isinstance(error, OSError) and "AWS Error" in str(error)


def _unreached(place: str, error: OSError) -> NetworkError | InputError:
    if "AWS Error" in str(error):
        reason = " ".join(str(error).split())[:200]
        return NetworkError(f"cannot be read ({reason}); the same command continues", url=place)
    return InputError(f"cannot be read ({error})", path=Path(place))


def _told(place: str, ask: Any) -> Any:
    try:
        return ask()
    except OSError as e:
        raise _unreached(place, e) from e


def _ids(place: str, path: str) -> Iterator[list[str]]:
    """The ids of works in each row of a CSV, plain or .gz, rows without any left out."""
    store, _ = opened(place)
    if _told(place, lambda: store.get_file_info(path)).type != fs.FileType.File:
        return
    try:
        with store.open_input_stream(path, compression="detect") as file:
            lines: Iterable[str] = io.TextIOWrapper(file, encoding="utf-8", errors="replace")
            for line in lines:
                ids = _WORK_ID.findall(line)
                if ids:
                    yield ids
    except (OSError, pa.ArrowException) as e:
        if is_network(place, e):
            raise _unreached(place, OSError(str(e))) from e
        raise InputError(f"damaged ({e}); fetch it again", path=Path(path)) from e
