import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.catalogue import (
    DATASET_COLUMNS,
    DATASETS_CSV,
    MODEL_COLUMNS,
    MODELS_CSV,
    PSEUDO_IDS,
    Catalogue,
    key,
    load,
)
from data.errors import InputError

_DATASET = {
    "id": "ImageNet",
    "name": "ImageNet",
    "domain": "natural",
    "modality": "photo",
    "paper": "arXiv:1409.0575",
}
_MODEL = {
    "id": "ResNet",
    "kind": "backbone",
    "strategy": "supervised",
    "datasets": "ImageNet",
    "paper": "arXiv:1512.03385",
}


@pytest.fixture(scope="module")
def packaged() -> Catalogue:
    return load()


def table(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def loaded(
    tmp_path: Path, datasets: list[dict[str, str]], models: list[dict[str, str]]
) -> Catalogue:
    return load(
        table(tmp_path / "d.csv", DATASET_COLUMNS, datasets),
        table(tmp_path / "m.csv", MODEL_COLUMNS, models),
    )


def test_the_packaged_tables_hold_what_the_survey_needs(packaged: Catalogue) -> None:
    assert len(packaged.datasets) >= 400
    assert len(packaged.models) >= 180
    assert {d.domain for d in packaged.datasets.values()} >= {
        "natural",
        "texture",
        "radiology",
        "pathology",
        "ophthalmology",
        "dermatology",
        "endoscopy",
        "ultrasound",
        "microscopy",
        "multi-modal",
    }


def test_every_fact_has_its_citation(packaged: Catalogue) -> None:
    assert all(entry.papers for entry in packaged.datasets.values())
    assert all(entry.papers for entry in packaged.models.values())


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("ILSVRC2012", "ImageNet"),
        ("Image-Net", "ImageNet"),
        ("IN-21k", "ImageNet-21k"),
        ("BraTS 2021", "BraTS"),
        ("BRATS2018", "BraTS"),
        ("CAMELYON17", "CAMELYON17"),
        ("NIH CXR14", "ChestX-ray14"),
        ("ChestX-ray8", "ChestX-ray8"),
        ("MIMIC-CXR-JPG", "MIMIC-CXR"),
        ("PCam", "PatchCamelyon"),
        ("unspecified", "unspecified"),
        ("no such set", None),
    ],
)
def test_spellings_lead_to_one_id(packaged: Catalogue, name: str, dataset: str | None) -> None:
    assert packaged.resolve(name) == dataset


@pytest.mark.parametrize(
    ("model", "sources"),
    [
        ("ResNet-50", ("ImageNet",)),
        ("CLIP", ("WIT-400M",)),
        ("SAM", ("SA-1B",)),
        ("DINOv2", ("LVD-142M",)),
        ("BiomedCLIP", ("PMC-15M",)),
        ("CheXzero", ("MIMIC-CXR",)),
        ("UNI", ("Mass-100K",)),
        ("REMEDIS", ("model:REMEDIS",)),
        ("U-Net", ()),
    ],
)
def test_models_imply_what_they_were_trained_on(
    packaged: Catalogue, model: str, sources: tuple[str, ...]
) -> None:
    name = packaged.resolve_model(model)
    assert name is not None
    assert packaged.models[name].sources == sources


@given(st.text(max_size=20))
def test_a_key_is_its_own_key(name: str) -> None:
    assert key(key(name)) == key(name)


def test_pseudo_ids_are_no_datasets(packaged: Catalogue) -> None:
    assert not set(PSEUDO_IDS) & set(packaged.datasets)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([_DATASET, _DATASET], "already on line 2"),
        ([_DATASET, {**_DATASET, "id": "X", "name": "X", "aliases": "image net"}], "also names"),
        ([{**_DATASET, "paper": ""}], "paper is empty"),
        ([{**_DATASET, "paper": "Smith 2009"}], "paper 'Smith 2009'"),
        ([{**_DATASET, "domain": "space"}], "domain 'space'"),
        ([{**_DATASET, "year": "20x9"}], "year '20x9'"),
        ([{**_DATASET, "ambiguous": "ImageNet"}], "no context"),
        ([{**_DATASET, "ambiguous": "Net", "context": "image"}], "not a name of the row"),
        ([{**_DATASET, "aliases": "unspecified"}], "reserved id"),
    ],
)
def test_a_fault_in_datasets_names_its_row(
    tmp_path: Path, rows: list[dict[str, str]], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        loaded(tmp_path, rows, [])
    assert "line " in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{**_MODEL, "datasets": "Nowhere"}], "'Nowhere' is no id"),
        ([{**_MODEL, "parent": "Nobody"}], "'Nobody' is no id"),
        ([{**_MODEL, "parent": "ResNet"}], "ring"),
        ([{**_MODEL, "kind": "none"}], "implies nothing"),
    ],
)
def test_a_fault_in_models_names_its_row(
    tmp_path: Path, rows: list[dict[str, str]], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        loaded(tmp_path, [_DATASET], rows)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    rows = [{**_DATASET, "paper": ""}, {**_DATASET, "id": "B", "name": "B", "domain": "x"}]
    with pytest.raises(InputError, match="2 faults"):
        loaded(tmp_path, rows, [])


def test_the_tables_are_sorted_out_as_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.csv", MODELS_CSV)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="columns"):
        load(tmp_path / "bad.csv", MODELS_CSV)
    assert DATASETS_CSV.is_file()
