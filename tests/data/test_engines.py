import os

import pytest

from data.engines import Engine
from data.errors import InputError, NetworkError, StoppedError


def doubled(n: int) -> int:
    return 2 * n


def ended(n: int) -> None:
    os._exit(1)


@pytest.mark.parametrize("engine", [Engine(workers=1), Engine(workers=2), Engine("dask", 1)])
def test_each_value_is_worked_on_once(engine: Engine) -> None:
    assert sorted(engine.mapped(doubled, range(20))) == list(range(0, 40, 2))


def test_a_dead_process_is_told_and_can_be_continued() -> None:
    with pytest.raises(StoppedError, match="continues"):
        list(Engine(workers=2).mapped(ended, range(3)))


def test_values_are_taken_as_they_are_needed() -> None:
    taken = []

    def values() -> object:
        for n in range(100):
            taken.append(n)
            yield n

    results = Engine(workers=2).mapped(doubled, values())  # type: ignore[arg-type]
    next(results)
    assert len(taken) < 10
    results.close()  # type: ignore[attr-defined]


def test_a_scheduler_that_is_not_there_is_told() -> None:
    with pytest.raises(NetworkError, match="no Dask scheduler"):
        list(Engine("dask", scheduler="tcp://127.0.0.1:1").mapped(doubled, [1]))


def test_a_scheduler_is_dasks() -> None:
    with pytest.raises(InputError, match="--engine dask"):
        Engine(scheduler="tcp://127.0.0.1:1")
