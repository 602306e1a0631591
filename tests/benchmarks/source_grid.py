"""The table of docs/experiments.md: four sources x three targets x five seeds, and from scratch.

    python tests/benchmarks/source_grid.py [--images DIR] [--survey DIR] [--scratch]

`--scratch` instead trains the small network from scratch on all of PneumoniaMNIST. A stopped run
goes on where it was when `--survey` names the same directory.
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
    *("--images", "100", "--epochs", "10", "--pretrain-epochs", "2", "--batch", "16"),
]
_SCRATCH = [
    *("--source", "random:resnet10-small", "--strategy", "fine-tune"),
    *("--epochs", "12", "--batch", "64", "--learning-rate", "0.001"),
]
_COMMON = ["--size", "32", "--seeds", "5", "--country", "NLD"]


def cats(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cats", "experiments", *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, default=_IMAGES)
    parser.add_argument("--survey", type=Path)
    parser.add_argument("--scratch", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        survey = options.survey or Path(folder) / "survey"
        if not (survey / PROTOCOL).exists():
            Corpus.create(survey, protocol='title = "Experiments"\n')
        targets = _TARGETS[:1] if options.scratch else _TARGETS
        asked = [
            part.format(images=options.images) for part in (_SCRATCH if options.scratch else _GRID)
        ]
        named = [part for name in targets for part in ("--target", f"{options.images}/{name}.npz")]
        started = time.perf_counter()
        cats("run", "-C", str(survey), *named, *asked, *_COMMON)
        print(f"{time.perf_counter() - started:.0f} s")
        for view in ("--pairs", "--cost"):
            cats("report", "-C", str(survey), view)


if __name__ == "__main__":
    main()
