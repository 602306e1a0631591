"""Images a second of fine-tuning, beside a loop as a tutorial writes it.

    python tests/benchmarks/training.py [--network NAME] [--size PX] [--batch N] [--rounds N]

Both train the same network on the same images in memory, in turns, and the median of the rounds'
ratios is printed. The plain loop is `TensorDataset`, `DataLoader` and AdamW; it scales images when
it loads them, as transforms do.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from experiments.machine import machine
from experiments.networks import network
from experiments.pixels import HALF, scaled
from experiments.training import Examples, Job, Recipe, classifier, fit, predicted

_STORED_PX = 28


class Images(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor, size_px: int) -> None:
        self.pixels, self.labels, self.size_px = pixels, labels, size_px

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.pixels[place].float()[None] / 255
        size = (self.size_px, self.size_px)
        image = nn.functional.interpolate(image, size, mode="bilinear", antialias=True)[0]
        return (image.expand(3, -1, -1) - 0.5) / 0.5, self.labels[place]


def plain(pixels: torch.Tensor, labels: torch.Tensor, name: str, size_px: int, batch: int) -> None:
    model = classifier(network(name), 2, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.train()
    loader = DataLoader(Images(pixels, labels, size_px), batch, shuffle=True, drop_last=True)
    for images, truth in loader:
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images), truth).backward()
        optimiser.step()


def ours(pixels: torch.Tensor, labels: torch.Tensor, name: str, size_px: int, batch: int) -> None:
    made = scaled(pixels[:, 0].numpy(), size_px)
    fit(
        Job(
            classifier=classifier(network(name), 2, seed=0),
            train=Examples(made, labels),
            val=Examples(made[:2], labels[:2]),
            normalisation=HALF,
            recipe=Recipe(epochs=1, batch=batch, learning_rates=(1e-4,)),
            learning_rate=1e-4,
            seed=0,
            machine=machine("cpu"),
        )
    )


def seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="efficientnet-lite0")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=512)
    options = parser.parse_args()
    shape = (options.images, 1, _STORED_PX, _STORED_PX)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.arange(options.images) % 2
    asked = pixels, labels, options.network, options.size, options.batch
    ours(*asked)
    rounds = [
        (seconds(lambda: plain(*asked)), seconds(lambda: ours(*asked)))
        for _ in range(options.rounds)
    ]
    best = [options.images / min(times) for times in zip(*rounds, strict=True)]
    ratio = statistics.median(one / other for one, other in rounds)
    model = network(options.network).to(memory_format=torch.channels_last)
    made = scaled(pixels[:, 0].numpy(), options.size)
    started = time.perf_counter()
    predicted(model, made, HALF, machine("cpu"))
    infer = options.images / (time.perf_counter() - started)
    print(
        f"{options.network}, {options.size} px, batch {options.batch}, {options.images} images, "
        f"{options.rounds} rounds, {torch.get_num_threads()} threads: plain loop {best[0]:.0f} "
        f"images/s, cats {best[1]:.0f} (best rounds), {ratio:.2f} times (median); features "
        f"{infer:.0f} images/s"
    )


if __name__ == "__main__":
    main()
