"""The tables of docs/experiments.md: four sources x three targets x five seeds, and from scratch.

    python tests/benchmarks/source_grid.py [--images DIR] [--survey DIR] [--scratch | --large]

`--scratch` instead trains the small network from scratch on all of PneumoniaMNIST. `--large` is
for a GPU: eight sources, among them the same network pretrained in four ways, with 100, 500 and
all training images; its sources are measured side by side, a process each, in one survey. A
stopped run goes on where it was when `--survey` names the same directory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data.corpus import PROTOCOL, Corpus

_IMAGES = Path(__file__).resolve().parents[3] / "shared" / "images"
_TARGETS = ("pneumoniamnist", "brain_tumor_dedup", "covid_xray3")
_GRID = [
    *("--source", "random:resnet10-small"),
    *("--source", "ImageNet@48"),
    *("--source", "CIFAR-10=pretrain:{images}/cifar10_12k.npz"),
    *("--source", "BCCD=pretrain:{images}/bccd_cells.npz"),
    *("--images", "100", "--epochs", "8", "--pretrain-epochs", "2", "--batch", "16"),
    *("--precision", "bfloat16"),  # twice as fast where the processor has it
]
# Sources that share their pretraining, or need none, in one process.
_LARGE = (
    ("random:resnet18-small",),
    ("random@96", "ImageNet@96"),
    ("CIFAR-10=pretrain:resnet18-small:{images}/cifar10_12k.npz",),
    ("CIFAR-10 without labels=simsiam:resnet18-small:{images}/cifar10_12k.npz",),
    ("CIFAR-10 masked=mae:resnet18-small:{images}/cifar10_12k.npz",),
    ("BCCD=pretrain:resnet18-small:{images}/bccd_cells.npz",),
    ("brain tumour MRI=pretrain:resnet18-small:{images}/brain_tumor_dedup.npz",),
)
_LARGE_ASKED = [
    *("--images", "100", "--images", "500", "--fraction", "1"),
    *("--epochs", "20", "--pretrain-epochs", "30", "--batch", "64"),
]
_SCRATCH = [
    *("--source", "random:resnet10-small", "--strategy", "fine-tune"),
    *("--epochs", "12", "--batch", "64", "--learning-rate", "0.001", "--precision", "bfloat16"),
]
_PARTIAL = 4  # exit code: some cells could not be measured, such as a source on its own images
_COMMON = ["--seeds", "5", "--country", "NLD"]


def cats(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cats", "experiments", *arguments], check=True)


def measured(asked: list[list[str]]) -> None:
    """`cats experiments run` once for each list of arguments, all at the same time."""
    command = [sys.executable, "-m", "cats", "experiments", "run"]
    running = [subprocess.Popen([*command, *each]) for each in asked]
    codes = [process.wait() for process in running]
    if set(codes) - {0, _PARTIAL}:
        sys.exit(f"runs ended with exit codes {codes}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, default=_IMAGES)
    parser.add_argument("--survey", type=Path)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--scratch", action="store_true")
    kind.add_argument("--large", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        survey = options.survey or Path(folder) / "survey"
        if not (survey / PROTOCOL).exists():
            Corpus.create(survey, protocol='title = "Experiments"\n')
        names = _TARGETS[:1] if options.scratch else _TARGETS
        targets = [part for name in names for part in ("--target", f"{options.images}/{name}.npz")]
        plans = [_SCRATCH if options.scratch else _GRID]
        if options.large:
            plans = [
                [part for source in group for part in ("--source", source)] + _LARGE_ASKED
                for group in _LARGE
            ]
        size = ["--size", "32" if options.large else "28"]
        common = ["-C", str(survey), *targets, *size, *_COMMON]
        started = time.perf_counter()
        measured([[part.format(images=options.images) for part in plan] + common for plan in plans])
        print(f"{time.perf_counter() - started:.0f} s")
        for view in ("--pairs", "--cost"):
            cats("report", "-C", str(survey), view)


if __name__ == "__main__":
    main()
