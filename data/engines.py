"""Where parts are worked on: this process, others on this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeVar

from data.errors import InputError, NetworkError, StoppedError
from data.readers import cores, no_main, reading_pool

Kind = Literal["local", "dask"]
_PATIENCE_S = 10  # for the scheduler's first answer
_AHEAD = 2  # parts handed out for each worker, so that none waits for the next
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Engine:
    """Where work is done.

    Args:
        kind: `local` or `dask`.
        workers: how many processes; None for one a core, or for all that the cluster has.
        scheduler: address of a running Dask scheduler; None for a cluster on this machine.

    Raises:
        InputError: a scheduler, but not for Dask.
    """

    kind: Kind = "local"
    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.scheduler is not None and self.kind != "dask":
            raise InputError(f"--scheduler {self.scheduler} goes with --engine dask")

    def mapped(self, function: Callable[[A], B], values: Iterable[A]) -> Iterator[B]:
        """`function` of each value, in the order in which they are ready.

        Raises:
            StoppedError: a worker or the cluster was ended from outside.
            NetworkError: the scheduler cannot be reached.
            InputError: Dask is not installed.
        """
        with self._pool() as (pool, workers):
            if pool is None:
                yield from map(function, values)
                return
            with _worker_ends():
                yield from _ready(pool, function, iter(values), workers * _AHEAD)

    @contextmanager
    def _pool(self) -> Iterator[tuple[Executor | None, int]]:
        workers = self.workers or cores()
        if self.kind == "dask":
            with _dask(workers, self.scheduler) as both:
                yield both
        else:
            with reading_pool(workers if workers > 1 else 0) as pool:  # one: this process itself
                yield pool, workers


def _ready(
    pool: Executor, function: Callable[[A], B], values: Iterator[A], at_once: int
) -> Iterator[B]:
    running: set[Future[B]] = {pool.submit(function, v) for v in islice(values, at_once)}
    try:
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(function, value) for value in islice(values, len(done))}
            for each in done:
                yield each.result()
    finally:
        for each in running:
            each.cancel()


@contextmanager
def _worker_ends() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as e:
        raise StoppedError(
            "another process of this run was ended from outside (too little memory?); "
            "the same command continues"
        ) from e


@contextmanager
def _dask(workers: int, scheduler: str | None) -> Iterator[tuple[Executor, int]]:
    """(executor of a Dask cluster, how many parts it reads at once)."""
    try:
        from distributed import Client, KilledWorker, LocalCluster
        from distributed.comm.core import CommClosedError
    except ImportError as e:
        raise InputError("--engine dask needs Dask: pip install 'cats-toolkit[cluster]'") from e
    try:
        with (
            _cluster(LocalCluster, workers, scheduler) as address,
            _client(Client, address) as client,
        ):
            threads = sum(client.nthreads().values())
            yield client.get_executor(pure=False), threads or workers
    except (KilledWorker, CommClosedError, CancelledError) as e:
        raise StoppedError(
            f"the cluster or a worker was ended from outside ({type(e).__name__}: {e}); "
            "the same command continues"
        ) from e


@contextmanager
def _cluster(local: Any, workers: int, scheduler: str | None) -> Iterator[Any]:
    """The scheduler given, or a cluster on this machine for as long as it is needed."""
    if scheduler is not None:
        yield scheduler
        return
    with no_main():
        cluster = local(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    with cluster:
        yield cluster


def _client(kind: Any, address: Any) -> Any:
    try:
        return kind(address, timeout=_PATIENCE_S)
    except (OSError, ValueError) as e:
        raise NetworkError(f"no Dask scheduler answers ({e}); start one", url=str(address)) from e
