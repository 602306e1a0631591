"""Targets to transfer to: checked before they are believed.

`read` takes MedMNIST's `.npz`; `experiments.image_files` makes one of folders and tables of
images, `experiments.medmnist` downloads one, and `experiments.registry` finds any of them by name.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.errors import InputError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """Images with their classes.

    *Shape:* images (n, h, w) or (n, h, w, 3); labels (n,), class indices, or (n, k), 0 or 1 for
    each of k labels.
    """

    images: Images
    labels: Labels


@dataclass(frozen=True, slots=True)
class Broken:
    """An image file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Target:
    """A classification task.

    Args:
        name: catalogue id, or the file's name without ending.
        sha256: of the content, twelve digits.
        n_leaked: training and validation images that were left out since an image with the same
            pixels, or of the same patient, is in a split behind theirs.
        classes: names, in the order of indices or of label columns.
        broken: images that were left out since they cannot be read.
    """

    name: str
    sha256: str
    train: Split
    val: Split
    test: Split
    n_leaked: int
    classes: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def is_multi_label(self) -> bool:
        """Whether an image may have several labels, or none."""
        return self.train.labels.ndim == 2


def read(path: Path) -> Target:
    """The target in an `.npz` with `train_images`, `train_labels`, `val_...`, `test_...`.

    Labels in several columns of 0 and 1 are one label each. `classes` (names), `n_leaked` and
    `broken` (rows of path and reason), as `experiments.image_files` adds them, are read too.
    Pixels that occur again in a later split (train < val < test) would be learned by heart: they
    are taken out of the earlier one and counted.

    Raises:
        InputError: no such file, or an array is missing or of the wrong shape; names the array.
    """
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            splits = [_split(arrays, name, path) for name in SPLITS]
            names = [str(name) for name in arrays["classes"]] if "classes" in arrays else None
            n_known = int(arrays["n_leaked"]) if "n_leaked" in arrays else 0
            rows = arrays["broken"].tolist() if "broken" in arrays else []
    except (OSError, ValueError, zipfile.BadZipFile) as e:
        raise InputError(f"cannot be read as .npz ({e}); fetch it again", path=path) from e
    train, val, test = splits
    _check_together(train, val, test, path)
    kept_val = _without(val, test)
    kept_train = _without(train, val, test)
    n_leaked = len(train.labels) + len(val.labels) - len(kept_train.labels) - len(kept_val.labels)
    checked = Target(
        name=path.stem,
        sha256=hashlib.sha256(content).hexdigest()[:12],
        train=kept_train,
        val=kept_val,
        test=test,
        n_leaked=n_known + n_leaked,
        broken=tuple(Broken(where, why) for where, why in rows),
    )
    _check_classes(checked, path)
    return _indexed(checked, names, path)


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
    if labels.dtype.kind not in "iu" or labels.shape[:1] != images.shape[:1] or labels.ndim > 2:
        raise InputError(
            f"{name}_labels is {labels.dtype} of shape {labels.shape}; expected one whole number "
            f"for each of {len(images)} images, or a row of 0 and 1",
            path=path,
        )
    if not labels.size:
        raise InputError(f"{name}_images has no image", path=path)
    labels = labels.astype(np.int64)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and not np.isin(labels, (0, 1)).all():
        raise InputError(
            f"{name}_labels has {labels.shape[1]} columns with values up to {labels.max()}; "
            "several labels an image are columns of 0 and 1",
            path=path,
        )
    return Split(images, labels)


def _check_together(train: Split, val: Split, test: Split, path: Path) -> None:
    shapes = {split.images.shape[1:] for split in (train, val, test)}
    if len(shapes) > 1:
        raise InputError(f"splits differ in image shape: {sorted(shapes)}", path=path)
    widths = {split.labels.shape[1:] for split in (train, val, test)}
    if len(widths) > 1:
        raise InputError(f"splits differ in label columns: {sorted(widths)}", path=path)


def _check_classes(target: Target, path: Path) -> None:
    """Every split can tell something apart, and all of them the same."""
    splits = zip(SPLITS, (target.train, target.val, target.test), strict=True)
    known = set(np.unique(target.train.labels, axis=0).ravel()) if len(target.train.labels) else {}
    for name, split in splits:
        labels = split.labels
        if not len(labels):
            raise InputError(f"{name} has no image left after leaks were taken out", path=path)
        if labels.ndim == 2:
            same = [column for column in range(labels.shape[1]) if np.ptp(labels[:, column]) == 0]
            if same:
                raise InputError(
                    f"{name}_labels has a single class in column {same[0]}, counted from 0; every "
                    "label needs images with and without it in every split",
                    path=path,
                )
        elif name == "train" and len(np.unique(labels)) < 2:
            raise InputError("train_labels has a single class; nothing to tell apart", path=path)
        elif set(np.unique(labels)) != known:
            found = sorted(int(label) for label in np.unique(labels))
            raise InputError(
                f"{name}_labels has classes {found} after leaks were taken out, "
                f"train_labels {sorted(map(int, known))}; every split needs every class",
                path=path,
            )


def _indexed(target: Target, names: Sequence[str] | None, path: Path) -> Target:
    """The target with classes counted from 0, and named."""
    if target.is_multi_label:
        n_classes = target.train.labels.shape[1]
        if names is not None and len(names) != n_classes:
            raise InputError(
                f"classes has {len(names)} names for {n_classes} label columns", path=path
            )
        return replace(target, classes=tuple(names or map(str, range(n_classes))))
    values = np.unique(target.train.labels)
    if names is not None and not (values[0] >= 0 and values[-1] < len(names)):
        raise InputError(f"classes has {len(names)} names, labels reach {values[-1]}", path=path)

    def counted(split: Split) -> Split:
        return Split(split.images, np.searchsorted(values, split.labels).astype(np.int64))

    return replace(
        target,
        train=counted(target.train),
        val=counted(target.val),
        test=counted(target.test),
        classes=tuple(str(v) if names is None else names[v] for v in values),
    )


def hashes(images: Images) -> list[bytes]:
    """What tells equal images: a digest of size and pixels, grey as colour or not."""
    made = []
    for image in images:
        grey = image.ndim == 3 and (image == image[..., :1]).all()
        pixels = np.ascontiguousarray(image[..., 0] if grey else image)
        made.append(hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).digest())
    return made


def _without(split: Split, *others: Split) -> Split:
    """The split without images whose pixels are in one of the others."""
    seen = {found for other in others for found in hashes(other.images)}
    kept = np.array([found not in seen for found in hashes(split.images)], dtype=bool)
    return Split(split.images[kept], split.labels[kept])


def n_shared(source: Target, target: Target) -> int:
    """How many images that a target is judged by (validation, test) a source was trained on.

    Only pixels that are equal at the same size are found.
    """
    seen = set(hashes(source.train.images)) | set(hashes(source.val.images))
    judged = hashes(target.val.images) + hashes(target.test.images)
    return sum(found in seen for found in judged)
