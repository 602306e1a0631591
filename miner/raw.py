"""The pages of a part as they came, in one file, from which the part is made.

A page is kept before the next one is asked for. So a part, and with it the checkpoint, can be of
many pages, and yet a kill costs no page that had arrived.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from isal import igzip

from data.corpus import sync_folder
from miner.pages import LARGEST, Page, unread_page_of
from miner.transport import GZIP, PassingError, first_member

_LEVEL = 1  # smaller than gzip's first level, in a seventh of its time (a page of 0.4 MB)


def packed(body: bytes) -> bytes:
    """A body as gzip; as it is where it is that already."""
    return body if body.startswith(GZIP) else igzip.compress(body, _LEVEL, mtime=0)


_LINE_END = packed(b"\n")


class RawPages:
    """A `.jsonl.gz` of pages: each a gzip member of its own, with one for the line end after it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, body: bytes) -> Page:
        """Keep a page.

        Raises:
            PassingError: it is not whole, and not kept.
        """
        page = unread_page_of(body)
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("ab") as file:
            file.write(packed(body) + _LINE_END)
        return page

    def __iter__(self) -> Iterator[bytes]:
        """The pages, unpacked."""
        for body, _ in self._members():
            yield body

    def kept(self) -> list[Page]:
        """The pages that an earlier run left here; what a kill left of one more is cut off."""
        if not self.path.exists():
            return []
        whole = list(self._members())
        os.truncate(self.path, whole[-1][1] if whole else 0)
        return [unread_page_of(body) for body, _ in whole]

    def _members(self) -> Iterator[tuple[bytes, int]]:
        """(a whole page, where it ends in the file); ends before what is damaged."""
        rest = self.path.read_bytes()
        size = len(rest)
        while rest:
            try:
                body, rest = first_member(rest, LARGEST)
                _, rest = first_member(rest, LARGEST)
            except PassingError:
                return
            yield body, size - len(rest)

    def sync(self) -> None:
        """Return when the pages would survive a power cut."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        sync_folder(self.path.parent)
