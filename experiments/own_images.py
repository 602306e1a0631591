"""Features of a user's own images by the sources at hand, for a ranking. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from experiments.ranking import SourceFeatures
from experiments.sources import SOURCES, features
from experiments.targets import read


def features_of(
    path: Path, *, size_px: int, seed: int, say: Callable[[str], None] = lambda message: None
) -> dict[str, SourceFeatures]:
    """The features of the training images in a file of MedMNIST's shape, by every source at hand.

    Args:
        path: as `experiments.targets.read` takes it.
        size_px: images are scaled to it.
        seed: of random weights.
        say: is told of images left out.

    Raises:
        InputError: the images cannot be read.
    """
    target = read(path)
    if target.n_leaked:
        say(f"{target.n_leaked} images of {target.name} occur in a later split too: left out")
    return {
        origin.id: SourceFeatures(
            features=features(origin, target.train.images, seed=seed, size_px=size_px)[0],
            labels=target.train.labels,
        )
        for origin in SOURCES.values()
    }
