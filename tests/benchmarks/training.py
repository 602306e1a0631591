"""Images a second of fine-tuning, beside a loop as tutorials write it; and what a GPU waits for.

    python tests/benchmarks/training.py [--network NAME] [--size PX] [--batch N] [--rounds N]
                                        [--device cuda]

Both train the same network on the same images in memory, in turns, and the median of the rounds'
ratios is printed. The plain loop is `TensorDataset`, `DataLoader` (on a GPU with eight workers and
pinned memory) and AdamW, in the same precision; it scales images when it loads them, as transforms
do. On a GPU follow the share of the processor's peak, and where an epoch's time goes by
torch.profiler: the GPU is idle for as long as it waits for data, or for orders.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from experiments.machine import Machine, machine
from experiments.networks import network
from experiments.pixels import HALF, normalised, scaled
from experiments.training import Examples, Job, Recipe, classifier, fit, predicted

_STORED_PX = 28
_WORKERS = 8
# Names of what prepares images, in a profile: choosing, moving, mirroring, bytes to numbers.
_PREPARES = ("gather", "index", "clamp", "flip", "Memcpy HtoD")


@dataclass(frozen=True, slots=True)
class Asked:
    pixels: torch.Tensor
    labels: torch.Tensor
    network: str
    size_px: int
    batch: int
    machine: Machine


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


def plain(asked: Asked) -> None:
    place = asked.machine.place()
    is_gpu = place.type == "cuda"
    model = classifier(network(asked.network), 2, seed=0).to(place)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.train()
    loader = DataLoader(
        Images(asked.pixels, asked.labels, asked.size_px),
        asked.batch,
        shuffle=True,
        drop_last=True,
        num_workers=_WORKERS if is_gpu else 0,
        pin_memory=is_gpu,
    )
    for images, truth in loader:
        optimiser.zero_grad()
        with asked.machine.autocast():
            loss = nn.functional.cross_entropy(model(images.to(place)), truth.to(place))
        loss.backward()
        optimiser.step()


def job(asked: Asked, made: torch.Tensor, epochs: int = 1) -> Job:
    return Job(
        classifier=classifier(network(asked.network), 2, seed=0),
        train=Examples(made, asked.labels),
        val=Examples(made[:2], asked.labels[:2]),
        normalisation=HALF,
        recipe=Recipe(epochs=epochs, batch=asked.batch, learning_rates=(1e-4,), patience=epochs),
        learning_rate=1e-4,
        seed=0,
        machine=asked.machine,
    )


def ours(asked: Asked) -> None:
    fit(job(asked, scaled(asked.pixels[:, 0].numpy(), asked.size_px)))


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def flops(asked: Asked) -> int:
    """Of training on one image: the forward pass, and twice as much backward."""
    model = network(asked.network)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.eval()(torch.zeros(1, 3, asked.size_px, asked.size_px))
    return 3 * int(counter.get_total_flops())


def peak() -> float:
    """FLOP/s of a large product of bfloat16 matrices on this GPU, the median of ten."""
    one, other = torch.randn(2, 8192, 8192, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        one @ other
    times = [seconds(lambda: one @ other) for _ in range(10)]
    return 2 * 8192**3 / statistics.median(times)


def on_gpu(asked: Asked) -> None:
    """An epoch that is under way: speed, share of the peak, and the profile."""
    made = scaled(asked.pixels[:, 0].numpy(), asked.size_px)
    n = len(asked.labels) // asked.batch * asked.batch
    fit(job(asked, made))
    short, long = (seconds(lambda e=epochs: fit(job(asked, made, e))) for epochs in (1, 4))
    rate = 3 * n / (long - short)
    whole, done = peak(), flops(asked)
    print(
        f"an epoch under way: {rate:.0f} images/s, {done / 1e9:.1f} GFLOP an image, "
        f"{rate * done / 1e12:.0f} TFLOP/s: {rate * done / whole:.1%} of the {whole / 1e12:.0f} "
        "that a product of matrices reaches here"
    )
    print(f"the same network on images that lie ready: {ready(asked, made, n):.0f} images/s")
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        took = seconds(lambda: fit(job(asked, made)))
    kernels = [(event.key, event.self_device_time_total / 1e6) for event in seen.key_averages()]
    kernels = [(name, time_s) for name, time_s in kernels if time_s and not name.startswith("aten")]
    busy = sum(time_s for _, time_s in kernels)
    prepares = sum(t for name, t in kernels if any(part in name for part in _PREPARES))
    print(
        f"profile of one epoch, start included: {took:.2f} s, GPU busy {busy:.2f} s, of which "
        f"preparing images {prepares:.3f} s ({prepares / busy:.1%})"
    )
    for name, time_s in sorted(kernels, key=lambda kernel: -kernel[1])[:8]:
        print(f"  {time_s:7.3f} s  {name[:90]}")


def ready(asked: Asked, made: torch.Tensor, n: int) -> float:
    """Images/s of steps on one batch that is never prepared again: what data could cost at most."""
    place = asked.machine.place()
    model = classifier(network(asked.network), 2, seed=0)
    model = model.to(place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images = normalised(made[: asked.batch].to(place), HALF, place)
    labels = asked.labels[: asked.batch].to(place)

    def steps(count: int) -> None:
        for _ in range(count):
            optimiser.zero_grad(set_to_none=True)
            with asked.machine.autocast():
                loss = nn.functional.cross_entropy(model(images).float(), labels)
            loss.backward()
            optimiser.step()

    model.train()
    steps(5)
    torch.cuda.synchronize()
    return n / seconds(lambda: steps(n // asked.batch))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="efficientnet-lite0")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    shape = (options.images, 1, _STORED_PX, _STORED_PX)
    asked = Asked(
        pixels=torch.randint(0, 256, shape, dtype=torch.uint8),
        labels=torch.arange(options.images) % 2,
        network=options.network,
        size_px=options.size,
        batch=options.batch,
        machine=machine(options.device),
    )
    ours(asked)
    rounds = [
        (seconds(lambda: plain(asked)), seconds(lambda: ours(asked))) for _ in range(options.rounds)
    ]
    best = [options.images / min(times) for times in zip(*rounds, strict=True)]
    ratio = statistics.median(one / other for one, other in rounds)
    place = asked.machine.place()
    model = network(options.network).to(place).to(memory_format=torch.channels_last)
    made = scaled(asked.pixels[:, 0].numpy(), options.size)
    infer = options.images / seconds(lambda: predicted(model, made, HALF, asked.machine))
    print(
        f"{options.network}, {options.size} px, batch {options.batch}, {options.images} images, "
        f"{options.rounds} rounds, {options.device}, {asked.machine.precision}, "
        f"{torch.get_num_threads()} threads: plain loop {best[0]:.0f} images/s, cats {best[1]:.0f} "
        f"(best rounds), {ratio:.2f} times (median); features {infer:.0f} images/s"
    )
    if place.type == "cuda":
        on_gpu(asked)


if __name__ == "__main__":
    main()
