import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.titles import is_prolonged, match, shared_words, similarity, title_of

WORDS = [
    "lesion",
    "segmentation",
    "tumour",
    "the",
    "of",
    "mammography",
    "II",
    "3D",
    "X-ray",
    "(CT)",
]
TITLES = st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join)


@given(st.text())
def test_any_text_is_a_title(text: str) -> None:
    title = title_of(text)
    assert title.plain == title.plain.lower()
    assert similarity(title, title) == 1.0


@given(st.one_of(TITLES, st.text()), st.one_of(TITLES, st.text()))
def test_matching_is_symmetric_and_never_crosses_a_number(left: str, right: str) -> None:
    one, other = title_of(left), title_of(right)
    assert match(one, other) == match(other, one)
    assert is_prolonged(one, other) == is_prolonged(other, one)
    if match(one, other):
        assert one.numbers == other.numbers


@given(TITLES, st.integers(0, 200), st.sampled_from("aemx"))
def test_titles_that_match_share_a_block(text: str, place: int, letter: str) -> None:
    """Whatever letter is put in wherever: what is one title is compared."""
    cut = place % (len(text) + 1)
    one, other = title_of(text), title_of(text[:cut] + letter + text[cut:])
    if match(one, other) or is_prolonged(one, other):
        assert set(one.blocks()) & set(other.blocks())


def test_titles_with_a_subtitle_share_a_block() -> None:
    short = title_of("Calibrated delineation of small lesions in brain scans")
    long = title_of("Calibrated delineation of small lesions in brain scans: evidence from clinics")
    assert is_prolonged(short, long)
    assert set(short.blocks()) & set(long.blocks())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("U-Net++ for $T_2$ scans", "u net plus plus t2 scan"),
        ("β-VAE \\textit{in vivo}", "beta ve vivo"),
        ("H\\'eritier et {\\\"o}dema", "heritier et odema"),
        ("Diagnoses, diagnosis", "diagno diagno"),
        ("1,000 images at 1.5 T", "1000 image 1.5 t"),
        ("Part IV, type x", "part 4 type 10"),
        ("Generative adversarial networks (GANs) for MR imaging", "gan mri"),
        ("Convolutional neural network (CNN) in CT", "cnn ct"),
    ],
)
def test_words_have_one_spelling(text: str, words: str) -> None:
    assert " ".join(title_of(text).words) == words


def test_numbers_run_together_stay_apart() -> None:
    assert title_of("Scans at 1 23").key != title_of("Scans at 12 3").key
    assert title_of("COVID-19").numbers == title_of("COVID19").numbers == ("19",)


def test_shared_words_of_no_words_is_none() -> None:
    assert shared_words(title_of(""), title_of("Lesion maps")) == 0.0
    assert shared_words(title_of("Lesion maps"), title_of("Maps of lesions by hand")) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "Erratum to: Lesion maps",
        "Author Correction: Lesion maps",
        "Retracted: Lesion maps",
        "In reply: Lesion maps",
        "Editorial: Lesion maps",
        "Re: Lesion maps",
        "Supplementary material for: Lesion maps",
    ],
)
def test_what_is_about_a_paper_is_marked(text: str) -> None:
    assert title_of(text).is_about


@pytest.mark.parametrize(
    "text",
    [
        "Predicting treatment response to radiotherapy",
        "Motion correction to the rescue",
        "The supplementary motor area in scans",
        "Lesion maps [version 2; peer review: 1 approved]",
        "Real-time reading of scans",
    ],
)
def test_a_paper_of_its_own_is_not_marked(text: str) -> None:
    assert not title_of(text).is_about
