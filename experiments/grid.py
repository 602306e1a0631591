"""Which cells a command asks for: sources x targets by name, or the survey's popular pairs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from data.corpus import Corpus, write_whole
from data.errors import InputError
from experiments import registry
from experiments.carbon import Meter
from experiments.finetune import ALL, STRATEGIES, Amount, Cell, Outcome, Strategy, cells, is_done
from experiments.machine import Machine
from experiments.plan import Speed, expected, speed
from experiments.popular import Pair, popular, resolved
from experiments.sources import SOURCES, Source, Surroundings, source
from experiments.targets import Target
from experiments.training import Recipe

_USUAL_POPULAR = 10
_SMALLEST_PX, _LARGEST_PX = 32, 512  # below it nothing is left for the last layers to see
_SIZED = re.compile(r"(.+)@(\d+)")
_SHORT: dict[str, Strategy] = {"probe": "linear probe", "fine-tune": "full fine-tune"}


def strategies(names: Sequence[str]) -> tuple[Strategy, ...]:
    """The strategies of those short names; all for none.

    Raises:
        InputError: there is no such strategy.
    """
    unknown = [name for name in names if name not in _SHORT]
    if unknown:
        raise InputError(f"--strategy {unknown[0]!r} is not one of {', '.join(_SHORT)}")
    return tuple(_SHORT[name] for name in names) or STRATEGIES


def amounts(
    shares: Sequence[float] | None, images: Sequence[int] | None, per_class: Sequence[int] | None
) -> tuple[Amount, ...]:
    """How many training images are asked for; all of them if nothing is.

    Raises:
        InputError: a share is not above 0 and at most 1.
    """
    outside = [share for share in shares or () if not 0 < share <= 1]
    if outside:
        raise InputError(f"--fraction {outside[0]:g} is not above 0 and at most 1")
    asked = [Amount(share) for share in shares or ()]
    asked += [Amount(count, "images") for count in images or ()]
    asked += [Amount(count, "per class") for count in per_class or ()]
    return tuple(asked) or (ALL,)


@dataclass(kw_only=True)
class Grid:
    """What is asked for, and what comes of it; a target is read once.

    Args:
        popular: so many of the survey's most popular pairs; None for none if targets are named.
        say: is told what a user should know meanwhile.
    """

    corpus: Corpus
    target_specs: tuple[str, ...]
    source_specs: tuple[str, ...]
    popular: int | None
    strategies: tuple[Strategy, ...]
    amounts: tuple[Amount, ...]
    seeds: int
    size_px: int
    recipe: Recipe
    pretraining: Recipe
    patient: str | None
    machine: Machine
    country: str
    say: Callable[[str], None]
    _targets: dict[str, Target] = field(default_factory=dict)
    _sources: dict[str, Source] = field(default_factory=dict)

    def target(self, spec: str) -> Target:
        """The target of that name, read now or before; what was left out of it is said."""
        if spec not in self._targets:
            found = registry.target(
                spec,
                place=self._place,
                size_px=self.size_px,
                patient=self.patient,
                progress=self.say,
            )
            self._targets[spec] = found
            if found.n_leaked:
                self.say(
                    f"{found.n_leaked} training or validation images of {found.name} occur in a "
                    "later split too, or their patient does; they were left out"
                )
            if found.broken:
                self.say(f"{len(found.broken)} images of {found.name} cannot be read")
        return self._targets[spec]

    def source(self, spec: str) -> Source:
        """The source of that name, made now or before."""
        if spec not in self._sources:
            name, size_px = self._sized(spec)
            around = Surroundings(
                place=self._place / "weights",
                machine=self.machine,
                recipe=self.pretraining,
                size_px=size_px,
                target=self.target,
            )
            self._sources[spec] = source(name, around)
        return self._sources[spec]

    def _sized(self, spec: str) -> tuple[str, int]:
        """A source's name, and the size that its images are scaled to: NAME@PX, or all sources'."""
        found = _SIZED.fullmatch(spec)
        if found is None:
            return spec, self.size_px
        if not _SMALLEST_PX <= int(found[2]) <= _LARGEST_PX:
            raise InputError(f"--source {spec!r}: {_SMALLEST_PX} to {_LARGEST_PX} px")
        return found[1], int(found[2])

    @property
    def _place(self) -> Path:
        return self.corpus.path / "experiments"

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs that are asked for by name, then the popular ones."""
        made = [
            Pair(self.source(one).id, self.target(other).name, 0, one, other)
            for other in self.target_specs
            for one in self.source_specs or tuple(SOURCES)
        ]
        n_popular = self.popular or (0 if self.target_specs else _USUAL_POPULAR)
        return made + self._popular(n_popular) if n_popular else made

    def _popular(self, top: int) -> list[Pair]:
        sources = {id: id for id in SOURCES} | {self.source(s).id: s for s in self.source_specs}
        targets = {self.target(spec).name: spec for spec in self.target_specs}
        with self.corpus.connect() as db:
            rows = popular(db, top=top).to_pylist()
        return [
            resolved(
                row["source"], row["target"], row["n_papers"], sources=sources, targets=targets
            )
            for row in rows
        ]

    def cells_of(self, pair: Pair) -> list[Cell]:
        """The cells of a pair; none where it cannot be run here."""
        if pair.source_spec is None or pair.target_spec is None:
            return []
        return list(
            cells(
                [(self.source(pair.source_spec), self.target(pair.target_spec))],
                strategies=self.strategies,
                amounts=self.amounts,
                seeds=self.seeds,
                size_px=self._sized(pair.source_spec)[1],
                recipe=self.recipe,
            )
        )

    def cells(self) -> list[Cell]:
        """All cells that can be run here, each once.

        Raises:
            InputError: there is none.
        """
        found = {cell.name: cell for pair in self.pairs for cell in self.cells_of(pair)}
        if not found:
            why = "; ".join(f"{p.source} -> {p.target}: {p.why_not}" for p in self.pairs)
            raise InputError(
                f"no pair can be run here ({why or 'the survey has none'}); name --target, and "
                "perhaps --source"
            )
        return list(found.values())

    def plan(self) -> list[dict[str, Any]]:
        """A row a pair: papers, cells, those left, hours, kWh and kg CO2e at most, what is missing.

        Features or pretraining that several pairs share count with the first.
        """
        meter, known = Meter(self.country), dict[str, Speed]()

        def speed_of(cell: Cell) -> Speed:
            model = f"{cell.source.model}@{cell.size_px}px"
            if model not in known:
                self.say(f"measuring the speed of {model}")
                # Untrained where it would be pretrained now: the speed is the same.
                asked = cell.source.pretraining
                known[model] = speed(
                    lambda: cell.source.untrained(cell.seed),
                    size_px=cell.size_px,
                    batch=self.recipe.batch,
                    machine=self.machine,
                    meter=meter,
                    method="supervised" if asked is None else asked.method,
                )
            return known[model]

        rows = []
        for pair in self.pairs:
            asked = self.cells_of(pair)
            left = [cell for cell in asked if not is_done(self.corpus, cell)]
            cost = expected(left, speed_of)
            rows.append(
                {
                    "source": pair.source,
                    "target": pair.target,
                    "papers": pair.n_papers,
                    "cells": len(asked),
                    "left": len(left),
                    "hours": cost.seconds / 3600,
                    "kWh": cost.energy_kwh,
                    "kg CO2e": cost.co2_kg,
                    "missing": pair.why_not,
                }
            )
        return rows

    def faults(self, outcome: Outcome) -> Path | None:
        """The file that lists the images and cells that were left out; None if there are none."""
        rows = [
            (found.name, broken.path, broken.reason)
            for found in self._targets.values()
            for broken in found.broken
        ]
        rows += [
            (failure.cell.target.name, failure.cell.name, failure.reason)
            for failure in outcome.failures
        ]
        if not rows:
            return None
        text = io.StringIO()
        csv.writer(text).writerows([("target", "what", "reason"), *rows])
        path = self.corpus.path / "rejects" / "experiments.csv"
        path.parent.mkdir(exist_ok=True)
        write_whole(path, lambda file: file.write(text.getvalue().encode()))
        return path
