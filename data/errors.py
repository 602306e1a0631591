"""The tree of errors. Each carries what it speaks of and the exit code of the command line.

Raise one where the fault is known, catch it where it can be mended, print it in cats.py only.
"""

from __future__ import annotations

from pathlib import Path


class CatsError(Exception):
    """A fault that the user can act on: what was found, where, and what to do.

    Args:
        message: what was found, what was expected and what to do, in one sentence.
        path: the file that it speaks of.
        line: the line in that file, counted from 1.
        record: the id of the record.
        url: the address without its key.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        path: Path | None = None,
        line: int | None = None,
        record: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.record = record
        self.url = url

    def __str__(self) -> str:
        where = [str(self.path)] if self.path is not None else []
        if self.line is not None:
            where.append(f"line {self.line}")
        if self.record is not None:
            where.append(f"record {self.record!r}")
        if self.url is not None:
            where.append(self.url)
        return f"{' '.join(where)}: {self.message}" if where else self.message


class InputError(CatsError):
    """Configuration, credentials or an input file that cannot be used."""

    exit_code = 3


class PartialError(CatsError):
    """The work is done except for records that are listed in `path`."""

    exit_code = 4


class GateError(CatsError):
    """A quality gate was missed."""

    exit_code = 5


class NetworkError(CatsError):
    """The network or the budget gave out; the same command continues later."""

    exit_code = 6


class StoppedError(CatsError):
    """The run was ended from outside; the same command continues."""

    exit_code = 130
