"""Small images that a network can learn to tell apart, and small networks that learn it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from experiments.machine import Machine
from experiments.networks import Network, ResNet
from experiments.pixels import HALF
from experiments.sources import Source
from experiments.targets import Target, read
from experiments.training import Classifier, Examples, Job, Recipe

CPU = Machine()
QUICK = Recipe(epochs=2, batch=16, learning_rates=(3e-3,), shift=0.0, flip=False)
Arrays = dict[str, Any]


def shapes(n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Grey images of squares (class 0) and crosses (class 1) at random places, with noise."""
    images = rng.integers(0, 60, (n, 28, 28), dtype=np.uint8)
    labels = np.arange(n) % 2
    for image, label in zip(images, labels, strict=True):
        x, y = rng.integers(2, 14, 2)
        if label:
            image[x + 5 : x + 7, y : y + 12] = image[x : x + 12, y + 5 : y + 7] = 220
        else:
            image[x : x + 8, y : y + 8] = 220
    return images, labels.reshape(-1, 1)


def arrays(seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    made: Arrays = {}
    for split, n in (("train", 80), ("val", 40), ("test", 60)):
        made[f"{split}_images"], made[f"{split}_labels"] = shapes(n, rng)
    return made


def written(path: Path, *, seed: int = 0, **changes: Any) -> Path:
    """A file in MedMNIST's shape; an array that is None is left out."""
    made = {name: value for name, value in (arrays(seed) | changes).items() if value is not None}
    np.savez(path, **made)
    return path


def shapes_target(folder: Path, *, seed: int = 0) -> Target:
    return read(written(folder / "shapes.npz", seed=seed))


def tiny(seed: int = 0) -> Network:
    """A network with 2,600 weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = ResNet((1, 1), width=8, is_deep=False, is_small=True)
    return Network(body, body.n_features)


def tiny_source(**fields: Any) -> Source:
    """Random weights of the small network, as a source."""
    plain: dict[str, Any] = {
        "id": "random",
        "model": "tiny",
        "kind": "random",
        "normalisation": HALF,
        "load": tiny,
        "checksum": lambda: "random",
    }
    return Source(**(plain | fields))


class NoNorm(nn.Module):
    """A network in which an image's features do not depend on the others of its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(images))


class Greedy(nn.Module):
    """A network that runs out of memory when it is given more than `most` images at once."""

    def __init__(self, inner: nn.Module, most: int) -> None:
        super().__init__()
        self.inner, self.most = inner, most

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        made: torch.Tensor = self.inner(images)
        return made


class GreedyInOne(Greedy):
    """The same in one of several processes, from its `spared`-th batch on; the others have room."""

    def __init__(self, inner: nn.Module, most: int, spared: int) -> None:
        super().__init__(inner, most)
        self.spared = spared

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.spared -= self.training
        is_full = dist.is_initialized() and dist.get_rank() == 1 and self.spared < 0
        return super().forward(images) if is_full else self.inner(images)


def no_norm() -> Network:
    torch.manual_seed(0)
    return Network(NoNorm(), 8)


def told_apart(n: int = 64, *, size_px: int = 8) -> Examples:
    """Bright and dark noise, of two classes."""
    generator = torch.Generator().manual_seed(n)
    labels = torch.arange(n) % 2
    pixels = torch.randint(0, 120, (n, 3, size_px, size_px), generator=generator)
    return Examples((pixels + 100 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels)


def job(network: Network | None = None, **fields: Any) -> Job:
    """A fit that takes a tenth of a second."""
    torch.manual_seed(0)
    plain: dict[str, Any] = {
        "classifier": Classifier(network or tiny(), 2),
        "train": told_apart(64),
        "val": told_apart(32),
        "normalisation": HALF,
        "recipe": replace(QUICK, epochs=4),
        "learning_rate": 3e-3,
        "seed": 0,
        "machine": CPU,
    }
    return Job(**(plain | fields))
