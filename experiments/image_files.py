"""Image files -> a target in MedMNIST's shape: a folder of classes, or a CSV of paths and labels.

Both are decoded once, into an `.npz` of a name that changes with any file; `experiments.targets`
reads it. Images that cannot be decoded are left out and listed.
"""

from __future__ import annotations

import csv
import hashlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from data.corpus import write_whole
from data.errors import InputError
from data.readers import cores
from experiments.targets import SPLITS, Broken, Images, Labels

if TYPE_CHECKING:
    from PIL import Image

_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp"})
_COLUMNS = frozenset({"path", "label", "labels", "split", "patient"})
_FOLDS = 10  # without splits of its own: 7 for training, 1 for validation, 2 for the test
_VAL, _TEST = (7,), (8, 9)


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a folder or table.

    Args:
        labels: names; exactly one unless the table has a column `labels`.
        split: train, val or test; None where it is still to be drawn.
        patient: images of one patient stay together; None where nothing is known.
    """

    path: Path
    labels: tuple[str, ...]
    split: str | None
    patient: str | None


def folder(path: Path, *, patient: str | None = None) -> list[Entry]:
    """The images of `path`/CLASS/, or of `path`/train/CLASS/, val/ and test/.

    Args:
        patient: regular expression whose first group, searched in the path below `path`, is the
            patient.

    Raises:
        InputError: there is no image, or an image whose path has no patient; a wrong expression.
    """
    pattern = _pattern(patient)
    split_of = {name: path / name for name in SPLITS if (path / name).is_dir()}
    if split_of and len(split_of) < len(SPLITS):
        missing = next(name for name in SPLITS if name not in split_of)
        raise InputError(f"has folders {', '.join(split_of)} but none named {missing}", path=path)
    roots: list[tuple[str | None, Path]] = [*split_of.items()] or [(None, path)]
    entries = []
    for split, root in roots:
        for image in sorted(root.glob("*/**/*")):
            if image.suffix.lower() not in _ENDINGS or not image.is_file():
                continue
            label = image.relative_to(root).parts[0]
            who = _patient(image.relative_to(path).as_posix(), pattern, path)
            entries.append(Entry(image, (label,), split, who))
    if not entries:
        raise InputError(
            "has no image; expected CLASS/IMAGE.png, or train/CLASS/..., val/... and test/...",
            path=path,
        )
    return entries


def _pattern(patient: str | None) -> re.Pattern[str] | None:
    if patient is None:
        return None
    try:
        pattern = re.compile(patient)
    except re.error as e:
        raise InputError(f"--patient {patient!r} is not a regular expression: {e}") from e
    if pattern.groups < 1:
        raise InputError(f"--patient {patient!r} has no group; put the patient in brackets")
    return pattern


def _patient(name: str, pattern: re.Pattern[str] | None, path: Path) -> str | None:
    if pattern is None:
        return None
    found = pattern.search(name)
    if found is None:
        raise InputError(f"--patient {pattern.pattern!r} finds none in {name!r}", path=path)
    return found[1]


def table(path: Path) -> tuple[list[Entry], bool]:
    """The images of a CSV, and whether an image may have several labels.

    Columns: path (relative to the table), label (a class) or labels (names joined by `|`, or
    none), and, where known, split (train, val, test) and patient.

    Raises:
        InputError: a column or value is wrong; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = set(reader.fieldnames or ())
            if "path" not in columns or len(columns & {"label", "labels"}) != 1:
                raise InputError(
                    f"columns {sorted(columns)}; expected path, and label or labels, and perhaps "
                    "split and patient",
                    path=path,
                    line=1,
                )
            return list(_rows(reader, path)), "labels" in columns
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"cannot be read as CSV in UTF-8 ({e})", path=path) from e


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[Entry]:
    lines: dict[str, int] = {}
    for row in reader:
        line = reader.line_num
        if None in row or None in row.values():
            raise InputError("has not as many cells as the header", path=path, line=line)
        cells = {name: row[name].strip() for name in _COLUMNS & row.keys()}
        name = cells["path"]
        if not name or name in lines:
            was = f"is in line {lines[name]} already" if name else "is empty"
            raise InputError(f"path {name!r} {was}", path=path, line=line)
        lines[name] = line
        if "label" in cells and not cells["label"]:
            raise InputError(f"no label for {name!r}", path=path, line=line)
        split = cells.get("split")
        if split is not None and split not in SPLITS:
            expected = ", ".join(SPLITS)
            raise InputError(f"split {split!r} is not one of {expected}", path=path, line=line)
        several = tuple(part.strip() for part in cells.get("labels", "").split("|") if part.strip())
        labels = (cells["label"],) if "label" in cells else several
        yield Entry(path.parent / name, labels, split, cells.get("patient") or None)


def packed(
    entries: Sequence[Entry],
    *,
    name: str,
    size_px: int,
    is_multi_label: bool,
    place: Path,
    origin: Path,
) -> Path:
    """The `.npz` of these images, decoded now unless it is there.

    Args:
        name: of the target.
        size_px: images are scaled to this square.
        place: directory for the file.
        origin: folder or table that errors name.

    Raises:
        InputError: no image can be read, or too few to split.
    """
    digest = hashlib.sha256(f"{name} {size_px} {is_multi_label}".encode())
    for entry in entries:
        stat = entry.path.stat() if entry.path.is_file() else None
        seen = (stat.st_size, stat.st_mtime_ns) if stat else None
        digest.update(
            repr((str(entry.path), entry.labels, entry.split, entry.patient, seen)).encode()
        )
    path = place / digest.hexdigest()[:12] / f"{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = _arrays(entries, size_px, is_multi_label, origin)
        write_whole(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    return path


def _arrays(
    entries: Sequence[Entry], size_px: int, is_multi_label: bool, origin: Path
) -> dict[str, npt.NDArray[np.generic]]:
    images, good, broken = _decoded(entries, size_px, origin)
    kept = [entries[place] for place in good]
    classes = sorted({label for entry in kept for label in entry.labels})
    if (len(classes) < 2 and not is_multi_label) or not classes:
        raise InputError(
            f"has a single class, {', '.join(classes) or 'none'}; nothing to tell apart",
            path=origin,
        )
    labels = _labels(kept, classes, is_multi_label)
    splits = _splits(kept, labels, origin)
    kept_of, n_leaked = _apart(kept, splits)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "classes": np.array(classes),
        "broken": np.array([(each.path, each.reason) for each in broken], dtype=str).reshape(-1, 2),
        "n_leaked": np.array(n_leaked),
    }
    for name, places in kept_of.items():
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = images[places], labels[places]
    return arrays


def _labels(entries: Sequence[Entry], classes: list[str], is_multi_label: bool) -> Labels:
    index = {label: place for place, label in enumerate(classes)}
    if not is_multi_label:
        return np.array([index[entry.labels[0]] for entry in entries], dtype=np.int64)
    made = np.zeros((len(entries), len(classes)), dtype=np.int64)
    for row, entry in zip(made, entries, strict=True):
        row[[index[label] for label in entry.labels]] = 1
    return made


def _splits(entries: Sequence[Entry], labels: Labels, origin: Path) -> list[str]:
    """The split of each image: its own, or drawn so that no patient is in two."""
    own = [entry.split for entry in entries if entry.split is not None]
    if own:
        return own
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups = [entry.patient or str(entry.path) for entry in entries]
    if len(set(groups)) < _FOLDS:
        raise InputError(
            f"has {len(set(groups))} patients or images; {_FOLDS} are needed to draw splits, "
            "or name them in train/, val/ and test/, or in a column split",
            path=origin,
        )
    largest = len(entries) if labels.ndim == 2 else int(np.bincount(labels).max())
    if largest < _FOLDS:
        raise InputError(
            f"has at most {largest} images of a class; {_FOLDS} are needed to draw splits, or name "
            "them in train/, val/ and test/, or in a column split",
            path=origin,
        )
    kind = GroupKFold if labels.ndim == 2 else StratifiedGroupKFold
    drawn = kind(n_splits=_FOLDS, shuffle=True, random_state=0)
    made = ["train"] * len(entries)
    with warnings.catch_warnings():
        # A rare class cannot be in every fold; `targets` refuses it where a split lacks it.
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, places) in enumerate(drawn.split(labels, labels, groups)):
            name = "val" if fold in _VAL else "test" if fold in _TEST else "train"
            for place in places:
                made[place] = name
    return made


def _apart(entries: Sequence[Entry], splits: Sequence[str]) -> tuple[dict[str, list[int]], int]:
    """The places of each split, without images of patients that are in a later one; how many."""
    order = {name: number for number, name in enumerate(SPLITS)}
    last: dict[str, int] = {}
    for entry, split in zip(entries, splits, strict=True):
        if entry.patient is not None:
            last[entry.patient] = max(last.get(entry.patient, 0), order[split])
    kept: dict[str, list[int]] = {name: [] for name in SPLITS}
    n_leaked = 0
    for place, (entry, split) in enumerate(zip(entries, splits, strict=True)):
        if entry.patient is not None and last[entry.patient] > order[split]:
            n_leaked += 1
        else:
            kept[split].append(place)
    return kept, n_leaked


def _decoded(
    entries: Sequence[Entry], size_px: int, origin: Path
) -> tuple[Images, list[int], list[Broken]]:
    """Images that can be read, (n, size, size, 3) or all grey, (n, size, size); their places."""
    decode = _decoder(size_px)
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(decode, (entry.path for entry in entries)))
    broken = [
        Broken(str(entry.path), made)
        for entry, made in zip(entries, found, strict=True)
        if isinstance(made, str)
    ]
    good = [place for place, made in enumerate(found) if not isinstance(made, str)]
    if not good:
        raise InputError(f"no image can be read; {broken[0].path}: {broken[0].reason}", path=origin)
    images = np.stack([made for made in found if not isinstance(made, str)])
    if _all_grey(images):
        images = np.ascontiguousarray(images[..., 0])
    return images, good, broken


def _all_grey(images: Iterable[Images]) -> bool:
    return all((image == image[..., :1]).all() for image in images)


def _decoder(size_px: int) -> Callable[[Path], Images | str]:
    from PIL import Image

    def decode(path: Path) -> Images | str:
        """The image, (size, size, 3), or why it cannot be read."""
        try:
            with warnings.catch_warnings(), Image.open(path) as opened:
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image = _eight_bits(opened) if opened.mode[0] in "IF" else opened.convert("RGB")
                scaled = image.convert("RGB").resize(
                    (size_px, size_px), Image.Resampling.BILINEAR, reducing_gap=3
                )
                return np.asarray(scaled)
        except (
            OSError,
            SyntaxError,  # of a broken PNG, as PIL says it
            ValueError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as e:
            return f"{type(e).__name__}: {e}"

    return decode


def _eight_bits(image: Image.Image) -> Image.Image:
    """More than eight bits a pixel, from the darkest to the brightest of the image."""
    from PIL import Image

    values = np.asarray(image, dtype=np.float64)
    span = np.ptp(values) or 1.0
    return Image.fromarray(((values - values.min()) / span * 255).round().astype(np.uint8))
