"""Features of a target's images by a source's network, made once and kept.

**The file** `experiments/features/SOURCE-TARGET-SEED-DIGEST.npz` of a survey, read by
`np.load(path, allow_pickle=False)` or by `read` below:

    train, val, test                       (n, d) float32: pooled features, not standardised
    train_labels, val_labels, test_labels  (n,) int64 class indices from 0, or (n, k) of 0 and 1
    train_source_probabilities             (n, k') float32: how the source's own head classifies
                                           the training images; (n, 0) where it has none
    about                                  one JSON text: source, model, checksum (of the weights),
                                           kind (random, fixed, pretrained here), target,
                                           target_sha256, classes (names), size_px, seed, seconds

Rows are in the target's order (`experiments.targets`, leaks left out), all training images; a
few-shot probe takes some of the rows. Fixed weights have one file, under seed 0.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from data.corpus import write_whole
from data.errors import InputError
from experiments.machine import Machine
from experiments.networks import Network, calibrate
from experiments.pixels import scaled
from experiments.sources import Source
from experiments.targets import SPLITS, Labels, Target
from experiments.training import predicted

Features = npt.NDArray[np.float32]
_VERSION = 1  # of this code, where it changes what comes out
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """What the file holds; see the module's text.

    Args:
        source_probabilities: of the training images; None where the source has no head.
        about: source, model, checksum, kind, target, target_sha256, classes, size_px, seed,
            seconds (what it took to make).
    """

    train: Features
    val: Features
    test: Features
    train_labels: Labels
    val_labels: Labels
    test_labels: Labels
    source_probabilities: Features | None
    about: dict[str, Any]


def slug(*parts: str) -> str:
    """A file's name of names."""
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", part) for part in parts)


def path_of(place: Path, source: Source, target: Target, *, seed: int, size_px: int) -> Path:
    """Where the features of a pair are."""
    seed = seed if source.is_seeded else 0
    told = (source.id, source.model, source.checksum(), target.sha256, size_px, seed, _VERSION)
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:12]
    return place / f"{slug(source.id, target.name, f's{seed}', digest)}.npz"


def features(
    source: Source, target: Target, *, seed: int, size_px: int, machine: Machine, place: Path
) -> FeatureSet:
    """The features of a pair: read where they are, else made now, in one pass, and kept.

    Raises:
        InputError: a feature is not a number.
    """
    path = path_of(place, source, target, seed=seed, size_px=size_px)
    if path.exists():
        try:
            return read(path)
        except InputError as e:
            _log.warning("%s; it is made anew", e)
    made = extracted(source, target, seed=seed, size_px=size_px, machine=machine)
    place.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda file: np.savez(file, **_arrays(made)))  # type: ignore[arg-type]
    return made


def extracted(
    source: Source, target: Target, *, seed: int, size_px: int, machine: Machine
) -> FeatureSet:
    """The features of a pair, made now.

    Random weights get their batch-norm statistics from training images.
    """
    started = time.perf_counter()
    seed = seed if source.is_seeded else 0
    place = machine.place()
    network = source.load(seed).to(place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels = [scaled(split.images, size_px) for split in (target.train, target.val, target.test)]
    if source.kind == "random":
        calibrate(network, pixels[0], source.normalisation, place)
    how = source.normalisation
    made = [predicted(network, part, how, machine).numpy() for part in pixels]
    for name, part in zip(SPLITS, made, strict=True):
        n_bad = int((~np.isfinite(part).all(axis=1)).sum())
        if n_bad:
            raise InputError(
                f"{n_bad} of {len(part)} {name} images of {target.name} have features of "
                f"{source.id} ({source.model}) that are no numbers; its weights or normalisation "
                "are wrong, or --precision is too low"
            )
    return FeatureSet(
        train=made[0],
        val=made[1],
        test=made[2],
        train_labels=target.train.labels,
        val_labels=target.val.labels,
        test_labels=target.test.labels,
        source_probabilities=_source_probabilities(network, made[0]),
        about={
            "source": source.id,
            "model": source.model,
            "checksum": source.checksum(),
            "kind": source.kind,
            "target": target.name,
            "target_sha256": target.sha256,
            "classes": list(target.classes),
            "size_px": size_px,
            "seed": seed,
            "seconds": time.perf_counter() - started,
        },
    )


def _source_probabilities(network: Network, made: Features) -> Features | None:
    if network.source_head is None:
        return None
    with torch.inference_mode():
        logits = network.source_head.cpu()(torch.from_numpy(made))
        probabilities: Features = logits.softmax(dim=1).numpy()
    return probabilities


def _arrays(made: FeatureSet) -> dict[str, npt.NDArray[Any]]:
    told = made.source_probabilities
    return {
        **{name: getattr(made, name) for name in SPLITS},
        **{f"{name}_labels": getattr(made, f"{name}_labels") for name in SPLITS},
        "train_source_probabilities": (
            np.zeros((len(made.train), 0), np.float32) if told is None else told
        ),
        "about": np.array(json.dumps(made.about)),
    }


def read(path: Path) -> FeatureSet:
    """The features in a file.

    Raises:
        InputError: it is damaged, or holds values that are no numbers.
    """
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
            about = json.loads(str(content["about"]))
            told = content["train_source_probabilities"]
            made = FeatureSet(
                **{name: content[name] for name in SPLITS},
                **{f"{name}_labels": content[f"{name}_labels"] for name in SPLITS},
                source_probabilities=told if told.shape[1] else None,
                about=about,
            )
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile) as e:
        raise InputError(f"cannot be read as features ({e}); delete it", path=path) from e
    for name in SPLITS:
        if not np.isfinite(getattr(made, name)).all():
            raise InputError(f"{name} holds values that are no numbers; delete it", path=path)
    return made


def feature_files(survey: Path) -> list[Path]:
    """All files of features of a survey, by name."""
    return sorted((survey / "experiments" / "features").glob("[!.]*.npz"))
