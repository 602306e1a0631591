"""Features of a user's own images by the sources at hand, for a ranking. Needs torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from experiments.features import extracted
from experiments.machine import machine
from experiments.ranking import SourceFeatures
from experiments.registry import target
from experiments.sources import SOURCES
from experiments.targets import Target

_SHOWN = 10  # images that cannot be read


def features_of(
    path: Path, *, size_px: int, seed: int, say: Callable[[str], None] = lambda message: None
) -> dict[str, SourceFeatures]:
    """The features of the training images of a target, by every source at hand.

    Image files are decoded anew each time: a survey that is asked for advice is not written to.

    Args:
        path: an `.npz` in MedMNIST's shape, a folder of classes or a `.csv`, as
            `experiments.registry.target` takes it.
        size_px: images are scaled to it.
        seed: of random weights.
        say: is told of images left out.

    Raises:
        InputError: the images cannot be read, are too few or of one class.
    """
    with tempfile.TemporaryDirectory() as place:
        images = target(str(path), place=Path(place), size_px=size_px)
    _tell(images, say)
    return {
        origin.id: SourceFeatures(
            features=extracted(origin, images, seed=seed, size_px=size_px, machine=machine()).train,
            labels=images.train.labels,
        )
        for origin in SOURCES.values()
    }


def _tell(images: Target, say: Callable[[str], None]) -> None:
    if images.n_leaked:
        say(f"{images.n_leaked} images of {images.name} occur in a later split too: left out")
    for broken in images.broken[:_SHOWN]:
        say(f"left out: {broken.path}: {broken.reason}")
    if len(images.broken) > _SHOWN:
        say(f"left out: {len(images.broken) - _SHOWN} more that cannot be read")
