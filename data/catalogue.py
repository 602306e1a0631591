"""Names of datasets and of pretrained models: open `load` first, then `Catalogue.resolve`.

The facts are two hand-kept tables beside this file, `facts/datasets.csv` and `facts/models.csv`,
one fact a row, each with its citation. A cell with several values separates them by `;`. A survey
may have a table of datasets of its own (`own_table`), in the same columns; `add` appends to it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, cast, get_args

from data.errors import InputError

Domain = Literal[
    "natural",
    "texture",
    "face",
    "document",
    "video",
    "satellite",
    "radiology",
    "pathology",
    "ophthalmology",
    "dermatology",
    "endoscopy",
    "ultrasound",
    "microscopy",
    "multi-modal",
    "no images",  # known so that it is not taken for one: records, signals, texts
]
Modality = Literal[
    "photo",
    "texture",
    "face",
    "video",
    "image-text",
    "video-text",
    "depth",
    "3d shape",
    "synthetic",
    "sketch",
    "document",
    "handwriting",
    "scene text",
    "satellite",
    "x-ray",
    "mammography",
    "tomosynthesis",
    "ct",
    "mri",
    "fmri",
    "pet",
    "pet-ct",
    "ultrasound",
    "fundus",
    "oct",
    "octa",
    "dermoscopy",
    "clinical photo",
    "histology",
    "cytology",
    "microscopy",
    "electron microscopy",
    "endoscopy",
    "surgical video",
    "dental",
    "mixed",
    "none",
]
Images = Literal["natural", "medical"]
Kind = Literal["backbone", "pretrained", "method", "none"]
Strategy = Literal[
    "supervised",
    "self-supervised",
    "vision-language",
    "multi-task",
    "distillation",
    "generative",
]

NATURAL = "natural images (unspecified)"
MEDICAL = "medical images (unspecified)"
UNSPECIFIED = "unspecified"
PSEUDO_IDS = (NATURAL, MEDICAL, UNSPECIFIED)
MODEL_PREFIX = "model:"

DATASETS_CSV = Path(__file__).parent / "facts" / "datasets.csv"
MODELS_CSV = Path(__file__).parent / "facts" / "models.csv"
ORDINARY_CSV = Path(__file__).parent / "facts" / "ordinary_names.csv"
DATASET_COLUMNS = (
    "id",
    "name",
    "aliases",
    "domain",
    "modality",
    "organ",
    "year",
    "size",
    "access",
    "paper",
    "ambiguous",
    "context",
    "openalex",
)
MODEL_COLUMNS = (
    "id",
    "aliases",
    "kind",
    "datasets",
    "parent",
    "strategy",
    "paper",
    "ambiguous",
    "context",
    "note",
)
_NATURAL = frozenset({"natural", "texture", "face", "document", "video", "satellite"})
FIRST_YEAR, LAST_YEAR = 1990, 2030
_WORK_ID = re.compile(r"W\d+")

_CITATION = re.compile(
    r"doi:10\.\d{4,9}/\S+|arXiv:(?:\d{4}\.\d{4,5}|[a-z-]+/\d{7})|https://[^\s/]+\.\S+"
)
# Two figures are an edition only from 05 (VOC05) on, so that "X-01" stays a name of its own.
_EDITION = re.compile(r"(?<=\D)(?:(?:19|20)\d\d|0[5-9]|[12]\d)$")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named collection of images; see the codebook for what counts as one.

    Args:
        id: the short public name, the only spelling that is stored in records.
        name: the full official name.
        aliases: other surface forms seen in papers.
        domain: field of the images.
        modality: how the images were made.
        organ: what they show, lower-case; "" if nothing in particular.
        year: of publication; None if unknown.
        size: as the source states it.
        access: licence or how to get it.
        papers: citations, `doi:...`, `arXiv:...` or `https://...`.
        ambiguous: those of the names that are homonyms, matched case-sensitively.
        context: lower-case words, one of which settles an ambiguous name.
        openalex: ids of the works that present it, preprint and published twin; see
            `data.citations` for those that the table does not hold.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    domain: Domain
    modality: Modality
    organ: str
    year: int | None
    size: str
    access: str
    papers: tuple[str, ...]
    ambiguous: tuple[str, ...]
    context: tuple[str, ...]
    openalex: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The id, the full name and the aliases, in that order, without duplicates."""
        return tuple(dict.fromkeys((self.id, self.name, *self.aliases)))

    @property
    def images(self) -> Images | None:
        """Whether it holds natural or medical images, by its domain; None if it holds none."""
        if self.domain == "no images":
            return None
        return "natural" if self.domain in _NATURAL else "medical"


@dataclass(frozen=True, slots=True)
class Model:
    """A named network or learning method, and what its ready-made weights were trained on.

    Args:
        id: the usual name.
        aliases: other surface forms seen in papers.
        kind: `backbone` implies `datasets` only where the text says pretrained; `pretrained`
            implies them by its name; `method` only as a ready-made checkpoint; `none` nothing.
        datasets: ids of its training sets; empty if unknown or unnamed.
        parent: id of the model that it was initialised from; None if from none.
        strategy: how it was trained.
        papers: citations.
        ambiguous: those of the names that are homonyms, matched case-sensitively.
        context: lower-case words, one of which settles an ambiguous name.
        note: what a curator should know.
    """

    id: str
    aliases: tuple[str, ...]
    kind: Kind
    datasets: tuple[str, ...]
    parent: str | None
    strategy: Strategy
    papers: tuple[str, ...]
    ambiguous: tuple[str, ...]
    context: tuple[str, ...]
    note: str

    @property
    def names(self) -> tuple[str, ...]:
        """The id and the aliases, in that order, without duplicates."""
        return tuple(dict.fromkeys((self.id, *self.aliases)))

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the datasets that its weights imply; `model:<id>` if the set is unknown."""
        if self.kind == "none":
            return ()
        return self.datasets or (MODEL_PREFIX + self.id,)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All datasets and models by id, in the order of the files.

    Args:
        datasets: dataset id to dataset.
        models: model id to model.
        dataset_keys: `key` of every dataset name to the dataset id.
        model_keys: `key` of every model name to the model id.
        own: ids of the datasets that a survey's own table brought.
    """

    datasets: Mapping[str, Dataset]
    models: Mapping[str, Model]
    dataset_keys: Mapping[str, str]
    model_keys: Mapping[str, str]
    own: frozenset[str] = frozenset()

    def resolve(self, name: str) -> str | None:
        """The dataset id for any spelling of a dataset's name, also with a trailing edition.

        A listed name wins over an edition: "CAMELYON17" is itself, "BraTS 2021" is BraTS.
        A pseudo-id gives itself, and so does `model:<Name>` (spelled as the catalogue spells it).

        Args:
            name: an id, a full name, an alias or a pseudo-id, as written in a text.

        Returns:
            The dataset id or pseudo-id; None if the name is not known.
        """
        if name.startswith(MODEL_PREFIX) and key(name[len(MODEL_PREFIX) :]):
            model = self.resolve_model(name[len(MODEL_PREFIX) :])
            return MODEL_PREFIX + model if model else name
        found = _PSEUDO_KEYS.get(key(name))
        return found or _lookup(self.dataset_keys, name)

    def resolve_model(self, name: str) -> str | None:
        """The model id for any spelling of a model's name; None if it is not known."""
        return self.model_keys.get(key(name))


def key(name: str) -> str:
    """The form in which two spellings of one name are equal.

    NFKC and casefold; only letters, digits, `+` and `&` stay, so that "Chest X-ray_14" is
    "ChestX-ray14" while "DeepLabv3+" and "M&Ms" keep what sets them apart. "" if nothing stays.

    >>> key("PH²  data-set"), key("M&Ms"), key("DeepLabv3+")
    ('ph2dataset', 'm&ms', 'deeplabv3+')
    """
    if name.isascii():
        return name.lower().translate(_SEPARATORS)  # the same, in a tenth of the time
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if c.isalnum() or c in "+&")


_SEPARATORS = {n: None for n in range(128) if not (chr(n).isalnum() or chr(n) in "+&")}

_PSEUDO_KEYS = {key(name): name for name in PSEUDO_IDS}


def load(
    datasets_path: Path | None = None,
    models_path: Path | None = None,
    *,
    extra: Sequence[Path] = (),
) -> Catalogue:
    """The catalogue that the CSV files hold, checked as a whole.

    Args:
        datasets_path: the datasets; the packaged table if None.
        models_path: the models; the packaged table if None.
        extra: further tables of datasets, such as a survey's own (`own_table`). No name may be in
            two tables; here a row need not have a paper.

    Returns:
        The catalogue, in the order of the files.

    Raises:
        InputError: a file is missing, is not UTF-8 or CSV, or has faults; all faults of that
            file are in the one message, a line each, in the order of its lines.
    """
    packaged = datasets_path or DATASETS_CSV
    rows = _dataset_rows([packaged, *extra])
    datasets = {row.cells["id"]: _dataset(row.cells) for row in rows}
    models = _models(models_path or MODELS_CSV, datasets)
    return Catalogue(
        datasets=MappingProxyType(datasets),
        models=MappingProxyType(models),
        dataset_keys=MappingProxyType(_index(datasets.values())),
        model_keys=MappingProxyType(_index(models.values())),
        own=frozenset(row.cells["id"] for row in rows if row.path != packaged),
    )


def own_table(survey: Path) -> Path:
    """Where the survey in a directory keeps datasets of its own."""
    return survey / "datasets.csv"


def own_tables(survey: Path) -> tuple[Path, ...]:
    """The survey's own table, if it has one: for `load`, `add` and `digest`."""
    path = own_table(survey)
    return (path,) if path.is_file() else ()


def digest(
    datasets_path: Path | None = None,
    models_path: Path | None = None,
    *,
    extra: Sequence[Path] = (),
) -> str:
    """Eight hexadecimal digits that change when a table does; see `load` for the arguments.

    The words that name no dataset (`facts/ordinary_names.csv`) count too.
    """
    tables = [datasets_path or DATASETS_CSV, models_path or MODELS_CSV, ORDINARY_CSV, *extra]
    return hashlib.sha256(b"".join(path.read_bytes() for path in tables)).hexdigest()[:8]


def add(path: Path, cells: Mapping[str, str], *, beside: Path | None = None) -> Dataset:
    """Append a dataset to a survey's own table, made if absent, and return it.

    Nothing is written unless the tables hold together with the new row.

    Args:
        path: the survey's own table.
        cells: column to value; columns left out are empty.
        beside: the datasets that its names must not clash with; the packaged table if None.

    Raises:
        InputError: the row has faults, or the table had some already.
    """
    exists = path.is_file()
    text = path.read_text(encoding="utf-8-sig") if exists else ""
    tables = [beside or DATASETS_CSV, *([path] if exists else [])]
    line = len(text.splitlines()) + 1 if exists else 2
    new = _Row(path, line, {column: cells.get(column, "").strip() for column in DATASET_COLUMNS})
    _dataset_rows(tables, new=new)
    written = io.StringIO()
    writer = csv.DictWriter(written, DATASET_COLUMNS, lineterminator="\n")
    if not exists:
        writer.writeheader()
    elif text and not text.endswith("\n"):
        written.write("\n")
    writer.writerow(new.cells)
    with path.open("ab") as file:  # one write, so that a kill leaves the row whole or absent
        file.write(written.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())
    return _dataset(new.cells)


class _Row(NamedTuple):
    path: Path
    line: int
    cells: dict[str, str]


class _Fault(NamedTuple):
    path: Path
    line: int
    row: str
    what: str


def _lookup(keys: Mapping[str, str], name: str) -> str | None:
    spelled = key(name)
    return keys.get(spelled) or keys.get(_EDITION.sub("", spelled))


def _index(entries: Iterable[Dataset] | Iterable[Model]) -> dict[str, str]:
    return {key(name): entry.id for entry in entries for name in entry.names}


def _dataset_rows(paths: Sequence[Path], *, new: _Row | None = None) -> list[_Row]:
    """The rows of all tables, the first of which is the packaged one, and `new`; all checked."""
    rows: list[_Row] = []
    faults: list[_Fault] = []
    for path in paths:
        found, misshapen = _read(path, DATASET_COLUMNS)
        rows += found
        faults += misshapen
    rows += [new] if new else []
    for row in rows:
        faults += _faults_of(row, _DATASET_CHECKS if row.path == paths[0] else _OWN_CHECKS)
    faults += _name_faults(rows, taken=_PSEUDO_KEYS)
    for path in [*paths, *([new.path] if new else [])]:
        _refuse(path, [fault for fault in faults if fault.path == path])
    return rows


def _models(path: Path, datasets: Mapping[str, Dataset]) -> dict[str, Model]:
    rows, faults = _read(path, MODEL_COLUMNS)
    for row in rows:
        faults += _faults_of(row, _MODEL_CHECKS)
        faults += [
            _fault(row, f"dataset {name!r} is no id in the datasets table")
            for name in _split(row.cells["datasets"])
            if name not in datasets
        ]
    faults += _name_faults(rows, taken={})
    faults += _parent_faults(rows)
    _refuse(path, faults)
    return {row.cells["id"]: _model(row.cells) for row in rows}


def _dataset(cells: Mapping[str, str]) -> Dataset:
    return Dataset(
        id=cells["id"],
        name=cells["name"],
        aliases=_split(cells["aliases"]),
        domain=cast(Domain, cells["domain"]),
        modality=cast(Modality, cells["modality"]),
        organ=cells["organ"],
        year=int(cells["year"]) if cells["year"] else None,
        size=cells["size"],
        access=cells["access"],
        papers=_split(cells["paper"]),
        ambiguous=_split(cells["ambiguous"]),
        context=_split(cells["context"]),
        openalex=_split(cells["openalex"]),
    )


def _model(cells: Mapping[str, str]) -> Model:
    return Model(
        id=cells["id"],
        aliases=_split(cells["aliases"]),
        kind=cast(Kind, cells["kind"]),
        datasets=_split(cells["datasets"]),
        parent=cells["parent"] or None,
        strategy=cast(Strategy, cells["strategy"]),
        papers=_split(cells["paper"]),
        ambiguous=_split(cells["ambiguous"]),
        context=_split(cells["context"]),
        note=cells["note"],
    )


def _split(cell: str) -> tuple[str, ...]:
    if not cell:
        return ()
    return tuple(part.strip() for part in cell.split(";") if part.strip())


def _read(path: Path, columns: tuple[str, ...]) -> tuple[list[_Row], list[_Fault]]:
    """The rows with exactly `columns`, blank lines left out, and the faults of their shape."""
    rows: list[_Row] = []
    faults: list[_Fault] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            _check_header(path, next(reader, []), columns)
            line = reader.line_num + 1
            for cells in reader:
                if len(cells) == len(columns):
                    row = dict(zip(columns, (c.strip() for c in cells), strict=True))
                    rows.append(_Row(path, line, row))
                elif cells:
                    what = f"{len(cells)} cells, expected {len(columns)}; quote cells with a comma"
                    faults.append(_Fault(path, line, cells[0], what))
                line = reader.line_num + 1
    except OSError as e:
        raise InputError(f"cannot be read ({e.strerror}); give the path of a CSV", path=path) from e
    except UnicodeDecodeError as e:
        raise InputError(f"is not UTF-8 (byte {e.start}); save it as UTF-8", path=path) from e
    except csv.Error as e:
        raise InputError(f"is not CSV ({e}); correct it", path=path, line=reader.line_num) from e
    return rows, faults


def _check_header(path: Path, found: list[str], columns: tuple[str, ...]) -> None:
    missing = [c for c in columns if c not in found]
    unknown = [c for c in found if c not in columns]
    if not missing and not unknown and tuple(found) == columns:
        return
    parts = [f"missing {missing}"] if missing else []
    parts += [f"unknown {unknown}"] if unknown else []
    what = ", ".join(parts) or f"in the order {found}"
    raise InputError(f"columns: {what}; expected {','.join(columns)}", path=path, line=1)


_Check = Callable[[Mapping[str, str]], list[str]]


def _faults_of(row: _Row, checks: Iterable[_Check]) -> list[_Fault]:
    return [_fault(row, what) for check in checks for what in check(row.cells)]


def _fault(row: _Row, what: str) -> _Fault:
    return _Fault(row.path, row.line, row.cells["id"], what)


def _filled(*columns: str) -> _Check:
    return lambda cells: [f"{c} is empty; fill it in" for c in columns if not cells[c]]


def _one_of(column: str, choices: tuple[str, ...]) -> _Check:
    def check(cells: Mapping[str, str]) -> list[str]:
        value = cells[column]
        if not value or value in choices:
            return []
        return [f"{column} {value!r} is not one of {', '.join(choices)}"]

    return check


def _year(cells: Mapping[str, str]) -> list[str]:
    value = cells["year"]
    if not value or (re.fullmatch(r"[0-9]{4}", value) and FIRST_YEAR <= int(value) <= LAST_YEAR):
        return []
    return [f"year {value!r} is not within {FIRST_YEAR}..{LAST_YEAR}; correct it or leave it empty"]


def _citations(cells: Mapping[str, str]) -> list[str]:
    return [
        f"paper {part!r} is not doi:10..., arXiv:1234.56789 or https://...; correct it"
        for part in _split(cells["paper"])
        if not _CITATION.fullmatch(part)
    ]


def _works(cells: Mapping[str, str]) -> list[str]:
    return [
        f"openalex {part!r} is no id such as W123; correct it"
        for part in _split(cells["openalex"])
        if not _WORK_ID.fullmatch(part)
    ]


def _ambiguity(cells: Mapping[str, str]) -> list[str]:
    names = {cells["id"], cells.get("name", ""), *_split(cells["aliases"])}
    ambiguous, context = _split(cells["ambiguous"]), _split(cells["context"])
    faults = [
        f"ambiguous {name!r} is not a name of the row; spell it as there"
        for name in ambiguous
        if name not in names
    ]
    if ambiguous and not context:
        faults.append(f"ambiguous {ambiguous[0]!r} has no context; give words that settle it")
    faults += [f"context {w!r} is not lower-case; correct it" for w in context if w != w.lower()]
    return faults


def _none_implies_nothing(cells: Mapping[str, str]) -> list[str]:
    if cells["kind"] != "none" or not cells["datasets"]:
        return []
    return [f"kind 'none' implies nothing but datasets is {cells['datasets']!r}; empty one"]


# A survey's own table: what a paper names may have no citation yet.
_OWN_CHECKS: tuple[_Check, ...] = (
    _filled("id", "name", "domain", "modality"),
    _one_of("domain", get_args(Domain)),
    _one_of("modality", get_args(Modality)),
    _year,
    _citations,
    _ambiguity,
    _works,
)
_DATASET_CHECKS: tuple[_Check, ...] = (*_OWN_CHECKS, _filled("paper"))
_MODEL_CHECKS: tuple[_Check, ...] = (
    _filled("id", "kind", "strategy", "paper"),
    _one_of("kind", get_args(Kind)),
    _one_of("strategy", get_args(Strategy)),
    _citations,
    _ambiguity,
    _none_implies_nothing,
)


def _name_faults(rows: list[_Row], taken: Mapping[str, str]) -> list[_Fault]:
    """Ids given twice, and names whose `key` another row or a pseudo-id has."""
    faults: list[_Fault] = []
    ids: dict[str, _Row] = {}
    owners: dict[str, _Row | str] = dict(taken)
    for row in rows:
        name_id = row.cells["id"]
        if name_id and ids.setdefault(name_id, row) is not row:
            where = _where(ids[name_id], row)
            faults.append(_fault(row, f"id {name_id!r} is already on {where}; keep one"))
            continue
        names = (name_id, row.cells.get("name", ""), *_split(row.cells["aliases"]))
        for name in dict.fromkeys(n for n in names if n):
            faults += _claim_name(name, row, owners)
    return faults


def _claim_name(name: str, row: _Row, owners: dict[str, _Row | str]) -> list[_Fault]:
    spelled = key(name)
    if not spelled:
        return [_fault(row, f"name {name!r} has no letter or digit")]
    owner = owners.setdefault(spelled, row)
    if owner is row:
        return []
    if isinstance(owner, str):
        where = f"the reserved id {owner!r}"
    else:
        where = f"{owner.cells['id']!r} on {_where(owner, row)}"
    return [_fault(row, f"name {name!r} also names {where}; keep one")]


def _where(other: _Row, row: _Row) -> str:
    """The line of another row, with its file where that is not this row's."""
    return f"line {other.line}" + ("" if other.path == row.path else f" of {other.path}")


def _parent_faults(rows: list[_Row]) -> list[_Fault]:
    """Parents that are no model, and each ring of parents once, at its first row."""
    faults: list[_Fault] = []
    parents = {row.cells["id"]: row.cells["parent"] for row in rows}
    seen: set[str] = set()
    for row in rows:
        name, parent = row.cells["id"], row.cells["parent"]
        if parent and parent not in parents:
            faults.append(_fault(row, f"parent {parent!r} is no id of this table"))
        trail: list[str] = []
        while name and name not in seen and name not in trail:
            trail.append(name)
            name = parents.get(name, "")
        if name in trail:
            ring = " <- ".join([*trail[trail.index(name) :], name])
            faults.append(_fault(row, f"parents run in a ring: {ring}"))
        seen.update(trail)
    return faults


def _refuse(path: Path, faults: list[_Fault]) -> None:
    if not faults:
        return
    faults = sorted(faults, key=lambda fault: fault.line)
    lines = "\n".join(f"  line {f.line}, row {f.row!r}: {f.what}" for f in faults)
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise InputError(f"{count}, to be corrected in the file:\n{lines}", path=path)
