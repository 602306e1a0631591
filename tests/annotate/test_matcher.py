import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.matcher import Matcher
from data.catalogue import DATASETS_CSV, MODELS_CSV, load


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(load())


def found(matcher: Matcher, text: str) -> list[tuple[str, str]]:
    return [(text[name.start : name.end], name.id) for name in matcher.names(text)]


@pytest.mark.parametrize(
    ("text", "surface", "dataset"),
    [
        ("on ImageNet;", "ImageNet", "ImageNet"),
        ("(ImageNet)", "ImageNet", "ImageNet"),
        ("ImageNet]", "ImageNet", "ImageNet"),
        ("Image-Net weights", "Image-Net", "ImageNet"),
        ("IMAGENET weights", "IMAGENET", "ImageNet"),
        ("ImageNet's classes", "ImageNet", "ImageNet"),
        ("ImageNet\u2011pretrained", "ImageNet", "ImageNet"),
        ("ILSVRC 2012 images", "ILSVRC 2012", "ImageNet"),
        ("ImageNet-21k", "ImageNet-21k", "ImageNet-21k"),
        ("ImageNet\u201121K", "ImageNet\u201121K", "ImageNet-21k"),
        ("IN-21k weights", "IN-21k", "ImageNet-21k"),
        ("Tiny ImageNet", "Tiny ImageNet", "Tiny ImageNet"),
        ("RadImageNet", "RadImageNet", "RadImageNet"),
        ("BraTS 2021 data", "BraTS 2021", "BraTS"),
        ("BRATS'18 data", "BRATS'18", "BraTS"),
        ("ISIC2018", "ISIC2018", "ISIC"),
        ("NIH ChestX-ray14", "NIH ChestX-ray14", "ChestX-ray14"),
        ("ChestX-\nray14", "ChestX-\nray14", "ChestX-ray14"),
        ("CXR14", "CXR14", "ChestX-ray14"),
        ("MIMIC-CXR-JPG", "MIMIC-CXR-JPG", "MIMIC-CXR"),
        ("PatchCamelyon", "PatchCamelyon", "PatchCamelyon"),
        ("CAMELYON16", "CAMELYON16", "CAMELYON16"),
        ("Camelyon 17", "Camelyon 17", "CAMELYON17"),
        ("the UK-Biobank", "UK-Biobank", "UK Biobank"),
        ("MS-COCO", "MS-COCO", "COCO"),
        ("tested on FLARE22", "FLARE22", "FLARE"),
        ("unlike ImageNet, a small set", "ImageNet", "ImageNet"),
        ("ImageNet as a backbone", "ImageNet", "ImageNet"),
        ("trained on ImageNet. A network", "ImageNet", "ImageNet"),
        ("tested on ImageNet-A", "ImageNet-A", "ImageNet-A"),
        ("ChestX-ray14", "ChestX-ray14", "ChestX-ray14"),
        ("NIH ChestXray14", "NIH ChestXray14", "ChestX-ray14"),
        ("BraTS 2021", "BraTS 2021", "BraTS"),
        ("BraTS'21;", "BraTS'21", "BraTS"),
        ("BraTS\u201918", "BraTS\u201918", "BraTS"),
        ("Image\u00adNet", "Image\u00adNet", "ImageNet"),
        ("Image-\nNet", "Image-\nNet", "ImageNet"),
        ("Image\u200bNet", "Image\u200bNet", "ImageNet"),
        ("ImageNet\u201321k", "ImageNet\u201321k", "ImageNet-21k"),
        ("ImageNet\u221221k", "ImageNet\u221221k", "ImageNet-21k"),
        ("MIMIC-CXR;", "MIMIC-CXR", "MIMIC-CXR"),
        ("(MIMIC\u2011CXR)", "MIMIC\u2011CXR", "MIMIC-CXR"),
        ("[BraTS]", "BraTS", "BraTS"),
        ("the CheXperts", "CheXpert", "CheXpert"),
        ("CheXpert\u2019s labels", "CheXpert", "CheXpert"),
        ("\u03b1-ImageNet", "ImageNet", "ImageNet"),
        ("\uff29mageNet", "\uff29mageNet", "ImageNet"),
        ("PatchCamelyon (PCam)", "PatchCamelyon", "PatchCamelyon"),
    ],
)
def test_spellings(matcher: Matcher, text: str, surface: str, dataset: str) -> None:
    assert {(surface, dataset)} <= set(found(matcher, text))
    assert {name for _, name in found(matcher, text)} == {dataset}


@pytest.mark.parametrize(
    "text",
    [
        "krizhevsky_imagenet",
        "MyImageNetwork",
        "deep lesion segmentation",
        "Ultra-Fast MRI at night",
        "brain tumor segmentation challenge of clinics",
        "they drive to places and stare",
        "Code: https://github.com/mlmed/torchxrayvision",
        "the voc of words",
        "Breast MRI",
        "a glass-box model",
        "the WMHs are small white matter lesions in this challenge",
        "the CLiP dataset",
    ],
)
def test_what_only_looks_like_a_name(matcher: Matcher, text: str) -> None:
    assert found(matcher, text) == []


@pytest.mark.parametrize(
    ("homonym", "context", "dataset"),
    [
        ("DRIVE", "retinal vessels", "DRIVE"),
        ("ACDC", "cardiac MRI", "ACDC"),
        ("REFUGE", "glaucoma", "REFUGE"),
        ("CRAG", "colorectal glands", "CRAG"),
        ("SAM", "a segmentation foundation model", "SAM"),
        ("STARE", "retinal vessels", "STARE"),
        ("CLIP", "zero-shot vision-language classification", "CLIP"),
    ],
)
def test_homonyms_need_their_context(
    matcher: Matcher, homonym: str, context: str, dataset: str
) -> None:
    assert found(matcher, f"We use {homonym} for {context}.") == [(homonym, dataset)]
    assert found(matcher, f"We use {homonym} for our walk.") == []


def test_a_homonym_beside_a_word_for_data_is_settled(matcher: Matcher) -> None:
    assert found(matcher, "on the DRIVE dataset") == [("DRIVE", "DRIVE")]


def test_a_homonym_listed_beside_a_sure_name_is_settled(matcher: Matcher) -> None:
    assert ("STARE", "STARE") in found(matcher, "on CHASE_DB1, STARE and others")


def test_a_settled_homonym_settles_its_neighbour(matcher: Matcher) -> None:
    assert [one for one, _ in found(matcher, "on Synapse and ACDC datasets")] == ["Synapse", "ACDC"]


def test_a_name_of_both_kinds_is_read_by_what_follows(matcher: Matcher) -> None:
    (name,) = matcher.names("the TotalSegmentator dataset")
    assert name.kind == "dataset"


@pytest.mark.parametrize(
    "text",
    ["Sam and Ann labelled the scans.", "a clip of the film", "Places to go", "coco butter"],
)
def test_words_and_people_are_no_names(matcher: Matcher, text: str) -> None:
    assert found(matcher, text) == []


def test_a_name_does_not_end_inside_a_ligature(tmp_path: Path) -> None:
    table = tmp_path / "datasets.csv"
    header = DATASETS_CSV.read_text(encoding="utf-8").splitlines()[0]
    table.write_text(f"{header}\nChef,Chef,,natural,photo,,2020,,,doi:10.1000/1,,,\n")
    own = Matcher(load(table, _no_models(tmp_path)))
    assert found(own, "Chef") == [("Chef", "Chef")]
    assert found(own, "Che\ufb00s and Che\ufb01sh") == []


def test_names_in_another_script_are_told_apart(tmp_path: Path) -> None:
    """More letters than bytes: those that share a byte are compared as they stand."""
    table = tmp_path / "datasets.csv"
    header = DATASETS_CSV.read_text(encoding="utf-8").splitlines()[0]
    names = [chr(0x4E00 + 2 * n) + chr(0x4E01 + 2 * n) for n in range(200)]
    rows = [f"{name},{name},,natural,photo,,2020,,,doi:10.1000/1,,," for name in names]
    table.write_text("\n".join([header, *rows]), encoding="utf-8")
    own = Matcher(load(table, _no_models(tmp_path)))
    assert found(own, " ".join(names)) == [(name, name) for name in names]
    assert found(own, names[-1][0] + names[-2][1]) == []


def _no_models(folder: Path) -> Path:
    path = folder / "models.csv"
    path.write_text(MODELS_CSV.read_text(encoding="utf-8").splitlines()[0] + "\n")
    return path


@given(st.lists(st.text("ImageNet-21k CLIP model\u2013\ufb01\u0131\u00df\n", max_size=40)))
def test_texts_read_together_are_read_as_alone(matcher: Matcher, texts: list[str]) -> None:
    together = matcher.scan(texts)
    assert together == [scan for text in texts for scan in matcher.scan([text])]


_PIECES = st.sampled_from(
    [
        "ImageNet",
        "BraTS",
        "21k",
        " ",
        "-",
        "2021",
        "'s",
        "CLIP",
        "the",
        "\u2013",
        "(",
        "\n",
        "ß",
        "ﬁ",
        "\u0131",
        "\ud800",
        "\U0001f600",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_names_lie_in_order_without_overlap(matcher: Matcher, text: str) -> None:
    names = matcher.names(text)
    assert all(0 <= name.start < name.end <= len(text) for name in names)
    for one, other in itertools.pairwise(names):
        assert one.end <= other.start or (one.start, one.end) == (other.start, other.end)


@given(st.text())
def test_any_text_can_be_read(matcher: Matcher, text: str) -> None:
    matcher.names(text)
