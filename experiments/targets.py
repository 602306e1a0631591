"""Targets to transfer to: image files in MedMNIST's shape, checked before they are believed."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.errors import InputError
from experiments.sources import Images

Labels = npt.NDArray[np.int64]
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """Images with their classes. *Shape:* images (n, h, w) or (n, h, w, 3), labels (n,)."""

    images: Images
    labels: Labels


@dataclass(frozen=True, slots=True)
class Target:
    """A classification task.

    Args:
        name: the file's name without ending.
        sha256: of the file, twelve digits.
        n_leaked: training and validation images that were left out since an image with the same
            pixels is in a split behind theirs.
    """

    name: str
    sha256: str
    train: Split
    val: Split
    test: Split
    n_leaked: int


def read(path: Path) -> Target:
    """The target in an `.npz` with `train_images`, `train_labels`, `val_...`, `test_...`.

    Pixels that occur again in a later split (train < val < test) would be learned by heart: they
    are taken out of the earlier one and counted.

    Raises:
        InputError: no such file, or an array is missing or of the wrong shape; names the array.
    """
    try:
        content = path.read_bytes()
        with np.load(path, allow_pickle=False) as arrays:
            train, val, test = (_split(arrays, name, path) for name in SPLITS)
    except (OSError, ValueError, zipfile.BadZipFile) as e:
        raise InputError(f"cannot be read as .npz ({e}); fetch it again", path=path) from e
    _check_together(train, val, test, path)
    kept_val = _without(val, test)
    kept_train = _without(train, val, test)
    n_leaked = len(train.labels) + len(val.labels) - len(kept_train.labels) - len(kept_val.labels)
    for name, split in (("train", kept_train), ("val", kept_val), ("test", test)):
        _check_classes(split, name, train, path)
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Target(path.stem, digest, kept_train, kept_val, test, n_leaked)


def _split(arrays: np.lib.npyio.NpzFile, name: str, path: Path) -> Split:
    missing = [f"{name}_{part}" for part in ("images", "labels") if f"{name}_{part}" not in arrays]
    if missing:
        raise InputError(
            f"no array {missing[0]!r}; found {', '.join(arrays.files)}; "
            "the shape of MedMNIST's files is expected",
            path=path,
        )
    images, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
    if images.dtype != np.uint8 or not (images.ndim == 3 or images.shape[3:] == (3,)):
        raise InputError(
            f"{name}_images is {images.dtype} of shape {images.shape}; expected uint8, "
            "(n, h, w) or (n, h, w, 3)",
            path=path,
        )
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise InputError(
            f"{name}_labels has {labels.shape[1]} columns: several labels an image; "
            "a probe here takes one class an image",
            path=path,
        )
    if labels.dtype.kind not in "iu" or labels.size != len(images) or labels.ndim > 2:
        raise InputError(
            f"{name}_labels is {labels.dtype} of shape {labels.shape}; expected one whole number "
            f"for each of {len(images)} images",
            path=path,
        )
    if not len(images):
        raise InputError(f"{name}_images has no image", path=path)
    return Split(images, labels.reshape(-1).astype(np.int64))


def _check_together(train: Split, val: Split, test: Split, path: Path) -> None:
    shapes = {split.images.shape[1:] for split in (train, val, test)}
    if len(shapes) > 1:
        raise InputError(f"splits differ in image shape: {sorted(shapes)}", path=path)
    if len(np.unique(train.labels)) < 2:
        raise InputError("train_labels has a single class; nothing to tell apart", path=path)


def _check_classes(split: Split, name: str, train: Split, path: Path) -> None:
    found, known = set(np.unique(split.labels)), set(np.unique(train.labels))
    if found != known:
        raise InputError(
            f"{name}_labels has classes {sorted(map(int, found))} after leaks were taken out, "
            f"train_labels {sorted(map(int, known))}; every split needs every class",
            path=path,
        )


def _without(split: Split, *others: Split) -> Split:
    """The split without images whose pixels are in one of the others."""
    seen = {image.tobytes() for other in others for image in other.images}
    kept = np.array([image.tobytes() not in seen for image in split.images])
    return Split(split.images[kept], split.labels[kept])
