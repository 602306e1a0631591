"""What a run will take: time, energy and CO2, by a short measurement of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from experiments.carbon import Meter
from experiments.finetune import Cell, drawn
from experiments.machine import Machine
from experiments.networks import Network
from experiments.pixels import HALF
from experiments.pretrain import Method, pretraining_job
from experiments.probe import probe
from experiments.training import Examples, Recipe, fit, predicted

_STEPS = 6  # of training, after a first round that warms up
_PROBED = 400  # images of the regression that is timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast this machine is with one network at one size.

    Args:
        train: images a second, forward and back.
        pretrain: images a second of a pretraining by the source's method; `train` where the
            network is not pretrained here, or on labels.
        infer: images a second, forward.
        probe_s: seconds of a probe for each training image.
        watts: mean power meanwhile; None where nothing is known.
        g_per_kwh: of the country's electricity.
    """

    train: float
    pretrain: float
    infer: float
    probe_s: float
    watts: float | None
    g_per_kwh: float | None


@dataclass(slots=True)
class Expected:
    """What cells are expected to take, at most: fits may stop early."""

    cells: int = 0
    seconds: float = 0.0
    energy_kwh: float | None = 0.0
    co2_kg: float | None = 0.0
    seen: set[tuple[str, ...]] = field(default_factory=set, repr=False)

    def add(self, seconds: float, speed: Speed) -> None:
        """Add some seconds of work."""
        self.seconds += seconds
        if speed.watts is None or speed.g_per_kwh is None or self.energy_kwh is None:
            self.energy_kwh = self.co2_kg = None
            return
        kwh = seconds * speed.watts / 3.6e6
        self.energy_kwh += kwh
        self.co2_kg = (self.co2_kg or 0.0) + kwh * speed.g_per_kwh / 1000


def speed(
    load: Callable[[], Network],
    *,
    size_px: int,
    batch: int,
    machine: Machine,
    meter: Meter,
    method: Method = "supervised",
) -> Speed:
    """The speed of a network on this machine, measured now on noise, in some seconds.

    Args:
        method: of the pretraining.
    """
    rng = torch.Generator().manual_seed(0)
    n = batch * _STEPS
    pixels = torch.randint(0, 256, (n, 3, size_px, size_px), generator=rng, dtype=torch.uint8)
    labels = torch.arange(n) % 2
    recipe = Recipe(epochs=1, batch=batch, learning_rates=(1e-4,))

    def trained(n_images: int, how: Method) -> float:
        job = pretraining_job(
            how,
            load(),
            Examples(pixels[:n_images], labels[:n_images]),
            Examples(pixels[:2], labels[:2]),
            n_classes=2,
            recipe=recipe,
            seed=0,
            machine=machine,
        )
        started = time.perf_counter()
        fit(job)
        return time.perf_counter() - started

    def images_a_second(how: Method) -> float:
        warm, whole = trained(batch, how), trained(n, how)
        # What one batch takes, loading included, is taken off: it comes once a fit.
        is_told = whole > 1.5 * warm
        return (n - batch * is_told) / (whole - warm * is_told)

    with meter.measured() as cost:
        train = images_a_second("supervised")
        pretrain = train if method == "supervised" else images_a_second(method)
        network = load().to(machine.place())
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        started = time.perf_counter()
        made = predicted(network, pixels, HALF, machine).numpy()
        infer_s = time.perf_counter() - started
        probe_s = _probe_seconds(made.shape[1])
    return Speed(
        train=train,
        pretrain=pretrain,
        infer=n / infer_s,
        probe_s=probe_s,
        watts=cost.watts,
        g_per_kwh=cost.g_per_kwh,
    )


def _probe_seconds(n_features: int) -> float:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(_PROBED, n_features)).astype(np.float32)
    labels = np.arange(_PROBED) % 2
    started = time.perf_counter()
    probe(noise, labels, noise[:100], labels[:100], noise[:100])
    return (time.perf_counter() - started) / _PROBED


def expected(cells: Iterable[Cell], speeds: Callable[[Cell], Speed]) -> Expected:
    """What the cells take, features and pretraining included once each.

    Args:
        cells: those that are not measured yet.
        speeds: the speed of a cell's network.
    """
    total = Expected()
    for cell in cells:
        found = speeds(cell)
        total.cells += 1
        total.add(_pretraining_s(cell, found, total.seen), found)
        total.add(_cell_s(cell, found, total.seen), found)
    return total


def _pretraining_s(cell: Cell, speed: Speed, seen: set[tuple[str, ...]]) -> float:
    source = cell.source
    once = ("pretraining", source.checksum(), str(cell.seed))
    asked = source.pretraining
    if asked is None or once in seen or source.is_made(cell.seed):
        return 0.0
    seen.add(once)
    epoch_s = len(asked.images.train.labels) / speed.pretrain
    if asked.method == "supervised":
        epoch_s += len(asked.images.val.labels) / speed.infer
    return asked.recipe.epochs * epoch_s


def _cell_s(cell: Cell, speed: Speed, seen: set[tuple[str, ...]]) -> float:
    target = cell.target
    n_train = len(drawn(target.train, cell.amount, np.random.default_rng(cell.seed)))
    n_val, n_test = len(target.val.labels), len(target.test.labels)
    if cell.strategy == "full fine-tune":
        epoch_s = n_train / speed.train + n_val / speed.infer
        return len(cell.recipe.learning_rates) * cell.recipe.epochs * epoch_s + n_test / speed.infer
    seed = str(cell.seed) if cell.source.is_seeded else ""
    once = ("features", cell.source.checksum(), cell.source.model, target.sha256, seed)
    n_features_of = 0 if once in seen else len(target.train.labels) + n_val + n_test
    seen.add(once)
    return n_features_of / speed.infer + n_train * speed.probe_s
