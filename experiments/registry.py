"""Targets by name: a MedMNIST set, an `.npz`, a folder of classes, a CSV of paths and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import requests

from data.errors import InputError
from experiments import image_files, medmnist
from experiments.targets import Target, read

_MEDMNIST = "medmnist:"


def named(spec: str) -> tuple[str | None, str]:
    """What stands before and after `=` in ID=SPEC; no id where there is no `=`."""
    id, equals, rest = spec.partition("=")
    return (id, rest) if equals and not Path(spec).exists() else (None, spec)


def target(
    spec: str,
    *,
    place: Path,
    size_px: int,
    patient: str | None = None,
    progress: Callable[[str], None] = lambda said: None,
) -> Target:
    """The target that `spec` names.

    Args:
        spec: `medmnist:NAME` (NAME_64, ...), a path to an `.npz`, a folder or a `.csv`; ID= before
            it gives the catalogue id that results are kept under.
        place: directory for what is downloaded or decoded.
        size_px: image files are scaled to it.
        patient: regular expression whose first group is the patient in an image's path.
        progress: is told what takes long.

    Raises:
        InputError: there is no such target, or it is not fit for use.
        NetworkError: a download gave out; the same call continues.
    """
    id, rest = named(spec)
    if rest.startswith(_MEDMNIST):
        wanted = medmnist.edition(rest.removeprefix(_MEDMNIST))
        progress(f"{wanted.file}, {wanted.license}, from {wanted.url}")
        with requests.Session() as session:
            path = medmnist.fetch(wanted, place / "downloads", session=session)
        return replace(read(path), name=id or wanted.dataset)
    path = Path(rest)
    found = read(path if path.suffix == ".npz" else _packed(path, place, size_px, patient))
    return found if id is None else replace(found, name=id)


def _packed(path: Path, place: Path, size_px: int, patient: str | None) -> Path:
    if path.is_dir():
        entries, is_multi_label = image_files.folder(path, patient=patient), False
    elif path.suffix == ".csv" and path.is_file():
        entries, is_multi_label = image_files.table(path)
    else:
        raise InputError(
            "no such target; expected medmnist:NAME, an .npz, a folder of classes or a .csv",
            path=path,
        )
    return image_files.packed(
        entries,
        name=path.stem if path.is_file() else path.resolve().name,
        size_px=size_px,
        is_multi_label=is_multi_label,
        place=place / "images",
        origin=path,
    )
