"""MedMNIST's 2D sets: which there are, and a download that continues and is checked."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import requests

import data
from data.errors import InputError, NetworkError

_TABLE = Path(str(data.__file__)).parent / "facts" / "medmnist.csv"
SMALLEST_PX = 28
_CHUNK = 1 << 16  # what a broken connection costs
_TIMEOUT_S = (10, 60)


@dataclass(frozen=True, slots=True)
class Edition:
    """One set at one size.

    Args:
        dataset: catalogue id, such as PneumoniaMNIST.
        md5: as MedMNIST publishes it.
    """

    dataset: str
    file: str
    size_px: int
    n_train: int
    license: str
    url: str
    md5: str


@cache
def editions() -> dict[str, Edition]:
    """All sets and sizes, by file name without ending: pneumoniamnist, pneumoniamnist_64, ..."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["file"].removesuffix(".npz"): Edition(
            row["dataset"],
            row["file"],
            int(row["size_px"]),
            int(row["train"]),
            row["license"],
            row["url"],
            row["md5"],
        )
        for row in rows
    }


def edition(name: str) -> Edition:
    """The set of that name, in any case; `_64`, `_128` or `_224` for the larger images.

    Raises:
        InputError: there is none.
    """
    known = editions()
    if name.lower() not in known:
        plain = ", ".join(key for key in known if "_" not in key)
        raise InputError(
            f"MedMNIST has no 2D set {name!r}; it has {plain}, each also with _64, ..."
        )
    return known[name.lower()]


def fetch(
    wanted: Edition,
    folder: Path,
    *,
    session: requests.Session,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Path:
    """The set's file in `folder`; downloaded, from where it stopped, unless it is there.

    Args:
        progress: is told bytes done and in all.

    Raises:
        NetworkError: the server gave out; the same call continues.
        InputError: what came is not what MedMNIST published.
    """
    path = folder / wanted.file
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".partial-{wanted.file}"
    for _ in range(2):  # what was begun on another edition of the file is begun anew once
        was_begun = partial.exists() and partial.stat().st_size > 0
        _download(wanted.url, partial, session, progress)
        if _md5(partial) == wanted.md5:
            partial.replace(path)
            return path
        partial.unlink()
        if not was_begun:
            break
    raise InputError(
        f"what the server sent for {wanted.file} has another MD5 than {wanted.md5}; try again, or "
        f"put the right file at {path}"
    )


def _download(
    url: str,
    partial: Path,
    session: requests.Session,
    progress: Callable[[int, int | None], None],
) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    # Without compression, or the bytes on disk would not be those that Range counts.
    headers = {"Range": f"bytes={done}-", "Accept-Encoding": "identity"}
    try:
        with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            if answer.status_code == 416:  # nothing is left to send
                return
            answer.raise_for_status()
            if answer.status_code != 206:  # the server sends all of it
                done = 0
            length = answer.headers.get("Content-Length")
            total = None if length is None else done + int(length)
            with partial.open("ab" if done else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    progress(done, total)
    except requests.RequestException as e:
        raise NetworkError(
            f"the download stopped after {done} bytes ({e}); the same command continues", url=url
        ) from e
    if total is not None and done < total:
        raise NetworkError(
            f"the download stopped after {done} of {total} bytes; the same command continues",
            url=url,
        )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
