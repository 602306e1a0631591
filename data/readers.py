"""Other processes that read pages or papers, since threads share one interpreter."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from types import ModuleType

import pyarrow as pa

_SELDOM = 500_000  # allocations between two collections of garbage


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # not Linux


@contextmanager
def reading_pool(processes: int) -> Iterator[Executor | None]:
    """A pool of so many processes, which end with this one; None for 0."""
    if processes == 0:
        yield None
        return
    # Not forked: a fork copies the locks of other threads as they are.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin) as pool:
        with no_main():
            for _ in range(processes):
                pool.submit(os.getpid)  # each starts one
        yield pool


@contextmanager
def no_main() -> Iterator[None]:
    """Keep new processes from running this one's main module, which may be anybody's script."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin() -> None:
    """Set up a process of the pool."""
    # A page is 20,000 lists and dicts that all live until it is written; looking them through for
    # cycles, of which there are none, took 40% of the time (100 works of 4.4 kB a page).
    gc.set_threshold(_SELDOM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives the work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _spare_pandas()


class _NoPandas:
    """An importer that refuses pandas."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError("not now")


def _spare_pandas() -> None:
    """Make Arrow's first look for pandas fail; `import pandas` and `to_pandas` work after it.

    Arrow asks pandas whether a list is one of its own, and so imports it into every process that
    writes a table: 0.25 s and 35 MB (pyarrow 26). Once that has failed, it asks no more.
    """
    refuser = _NoPandas()
    sys.meta_path.insert(0, refuser)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(refuser)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # returns also when it was killed
        os._exit(1)
