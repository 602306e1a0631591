"""Seconds, energy and CO2 of a piece of work, with what was assumed, by codecarbon offline."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from data.errors import InputError

_J_PER_KWH = 3.6e6


@dataclass(slots=True, kw_only=True)
class Cost:
    """What a piece of work took; all but seconds are None until it is over, or unknown.

    Args:
        method: tool and version, and how it knows the power of each part of the machine.
        watts: mean power over the piece of work, as assumed or read.
        g_per_kwh: CO2 equivalent of the country's electricity, g/kWh.
    """

    seconds: float = 0.0
    energy_kwh: float | None = None
    co2_kg: float | None = None
    method: str | None = None
    watts: float | None = None
    g_per_kwh: float | None = None


class Meter:
    """Measures one piece of work after the other on this machine.

    Where no counter of the processor can be read (virtual machines, no right to RAPL), codecarbon
    assumes watts by the processor's name and load; two tools differ by a factor of four then, so
    the method is kept beside every figure.

    Args:
        country: ISO 3166-1 alpha-3 code whose electricity is assumed.

    Raises:
        InputError: codecarbon does not know the country.
    """

    def __init__(self, country: str) -> None:
        from codecarbon import OfflineEmissionsTracker

        # Its own log_level comes too late for what it says while it is made.
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        _check_country(country)
        self._tracker: Any = OfflineEmissionsTracker(
            country_iso_code=country,
            output_methods=[],
            log_level="critical",
            allow_multiple_runs=True,
        )
        # A fault while it is made is logged and swallowed, and half a tracker comes out.
        if not hasattr(self._tracker, "_hardware"):
            raise InputError("codecarbon cannot start; see `codecarbon detect` for the reason")
        self._numbers = count()

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        """The cost of what is done inside, filled in at its end, also if it fails."""
        cost, task = Cost(), str(next(self._numbers))
        self._tracker.start_task(task)
        started = time.perf_counter()
        try:
            yield cost
        finally:
            cost.seconds = time.perf_counter() - started
            self._fill(cost, self._tracker.stop_task(task))

    def _fill(self, cost: Cost, told: Any) -> None:
        if told is None:
            return
        cost.energy_kwh, cost.co2_kg = float(told.energy_consumed), float(told.emissions)
        cost.method = f"codecarbon {told.codecarbon_version}: {self._parts()}"
        if cost.seconds > 0 and cost.energy_kwh > 0:
            cost.watts = cost.energy_kwh * _J_PER_KWH / cost.seconds
            cost.g_per_kwh = 1000 * cost.co2_kg / cost.energy_kwh

    def _parts(self) -> str:
        """Each part that is counted, and how: a counter that is read, load, or a constant."""
        known = [
            (type(part).__name__, getattr(part, "_mode", None)) for part in self._tracker._hardware
        ]
        return ", ".join(name if mode is None else f"{name} by {mode}" for name, mode in known)


def _check_country(country: str) -> None:
    """codecarbon goes on with a world average, and only logs that it does."""
    from codecarbon.input import DataSource

    known = DataSource().get_global_energy_mix_data()  # type: ignore[no-untyped-call]
    if country not in known:
        raise InputError(
            f"--country {country!r} is not one of the {len(known)} countries that codecarbon "
            "knows, by ISO 3166-1 alpha-3 such as NLD"
        )
