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
    ORDINARY_CSV,
    PSEUDO_IDS,
    Catalogue,
    add,
    digest,
    key,
    load,
    own_table,
    own_tables,
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


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_a_plain_key_is_what_it_is_beside_other_letters(name: str) -> None:
    assert key(name + "\u00e9") == key(name) + "\u00e9"


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


def own(path: Path, rows: list[dict[str, str]]) -> Path:
    return table(path / "datasets.csv", DATASET_COLUMNS, rows)


_OWN = {"id": "FooBar", "name": "Foo Bar Set", "domain": "radiology", "modality": "ct"}


def test_a_surveys_own_table_is_loaded_beside_the_packaged_one(
    tmp_path: Path, packaged: Catalogue
) -> None:
    both = load(extra=[own(tmp_path, [_OWN])])
    assert len(both.datasets) == len(packaged.datasets) + 1
    assert both.resolve("foo-bar set") == "FooBar"
    assert both.own == {"FooBar"}
    assert packaged.own == frozenset()
    assert own_tables(tmp_path) == (own_table(tmp_path),)
    assert own_tables(tmp_path / "none") == ()


def test_a_clash_with_the_packaged_table_names_both_places(tmp_path: Path) -> None:
    path = own(tmp_path, [_OWN, {**_OWN, "id": "Mine", "name": "Mine", "aliases": "Image-Net"}])
    with pytest.raises(InputError, match=r"line 3.*also names 'ImageNet' on line \d+ of") as caught:
        load(extra=[path])
    assert caught.value.path == path
    assert str(DATASETS_CSV) in str(caught.value)


def test_only_a_packaged_row_must_have_a_paper(tmp_path: Path) -> None:
    assert load(extra=[own(tmp_path, [_OWN])]).datasets["FooBar"].papers == ()
    with pytest.raises(InputError, match="paper is empty"):
        loaded(tmp_path, [_OWN], [])


def test_a_work_id_is_checked(tmp_path: Path) -> None:
    assert loaded(tmp_path, [{**_DATASET, "openalex": "W1;W2"}], []).datasets[
        "ImageNet"
    ].openalex == ("W1", "W2")
    with pytest.raises(InputError, match="'1409' is no id such as W123"):
        loaded(tmp_path, [{**_DATASET, "openalex": "1409"}], [])


def test_added_rows_are_appended_one_by_one(tmp_path: Path) -> None:
    path = own_table(tmp_path)
    assert add(path, _OWN).id == "FooBar"
    first = path.read_bytes()
    add(path, {**_OWN, "id": 'Ba"z', "name": "Baz, the 2nd", "aliases": "BZ;BZZ"})
    assert path.read_bytes().startswith(first)
    both = load(extra=[path])
    assert both.own == {"FooBar", 'Ba"z'}
    assert both.datasets['Ba"z'].aliases == ("BZ", "BZZ")


def test_a_table_without_a_last_line_end_is_added_to(tmp_path: Path) -> None:
    path = own(tmp_path, [_OWN])
    path.write_bytes(path.read_bytes().rstrip())
    add(path, {**_OWN, "id": "Baz", "name": "Baz"})
    assert load(extra=[path]).own == {"FooBar", "Baz"}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({**_OWN}, r"line 3, row 'FooBar': id 'FooBar' is already on line 2"),
        ({**_OWN, "id": "X", "name": "imagenet"}, "also names 'ImageNet'"),
        ({**_OWN, "id": "X", "name": "X", "domain": "space"}, "domain 'space' is not one of"),
        ({**_OWN, "id": "", "name": "X"}, "id is empty"),
        ({**_OWN, "id": "X", "name": "X", "ambiguous": "X"}, "has no context"),
    ],
)
def test_a_row_with_a_fault_is_not_written(
    tmp_path: Path, cells: dict[str, str], said: str
) -> None:
    path = own_table(tmp_path)
    add(path, _OWN)
    before = path.read_bytes()
    with pytest.raises(InputError, match=said):
        add(path, cells)
    assert path.read_bytes() == before


def test_the_digest_follows_every_table(tmp_path: Path) -> None:
    path = own(tmp_path, [_OWN])
    one = digest(extra=[path])
    assert one != digest()
    add(path, {**_OWN, "id": "Baz", "name": "Baz"})
    assert digest(extra=[path]) != one
    assert digest() == digest()


def test_ordinary_words_say_what_they_are() -> None:
    with ORDINARY_CSV.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 800
    assert all(row["word"] and row["is"] for row in rows)


def test_no_dataset_of_the_catalogue_is_an_ordinary_word(packaged: Catalogue) -> None:
    with ORDINARY_CSV.open(encoding="utf-8", newline="") as file:
        words = {row["word"] for row in csv.DictReader(file)}
    names = {name for dataset in packaged.datasets.values() for name in dataset.names}
    assert words & names == set()
