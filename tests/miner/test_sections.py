import pytest

from miner.sections import Outline, is_references, section_of, split_number


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("Introduction", "introduction"),
        ("1 INTRODUCTION", "introduction"),
        ("2. Related Work", "introduction"),
        ("Background and motivation", "introduction"),
        ("Materials and methods", "methods"),
        ("III. EXPERIMENTAL SETUP", "methods"),
        ("Experiments", "methods"),
        ("Patients", "methods"),
        ("Implementation details", "methods"),
        ("4.1 Datasets", "methods"),
        ("Network architecture", "methods"),
        ("Results", "results"),
        ("Experimental results", "results"),
        ("Results and Discussion", "results"),
        ("Ablation study", "results"),
        ("5 Discussion", "discussion"),
        ("Conclusions and future work", "discussion"),
        ("Limitations", "discussion"),
        ("Data availability", "availability"),
        ("Availability of data and materials", "availability"),
        ("Code Availability Statement", "availability"),
        ("Abstract", "abstract"),
        ("Acknowledgements", None),
        ("Zebras", None),
    ],
)
def test_what_a_heading_names(heading: str, section: str | None) -> None:
    assert section_of(heading) == section


def test_a_number_is_told_from_the_words() -> None:
    assert split_number("3.1. Data sets") == ("3.1", "Data sets")
    assert split_number("IV. RESULTS") == ("IV", "RESULTS")
    assert split_number("A deep network") == (None, "A deep network")
    assert split_number("A. Deep networks") == ("A", "Deep networks")
    assert split_number("Data") == (None, "Data")


def test_a_numbered_part_is_its_parents() -> None:
    outline = Outline()
    headings = ["3 Experiments", "3.1 Results on ImageNet", "3.1.1 Zebras", "4 Results", "5 Zebras"]
    assert [outline.enter(heading) for heading in headings] == [
        *("methods", "methods", "methods", "results", "other")
    ]


def test_availability_stands_within_methods() -> None:
    outline = Outline()
    assert outline.enter("2 Methods") == "methods"
    assert outline.enter("2.4 Data availability") == "availability"


def test_what_says_nothing_stays_but_ends_an_introduction() -> None:
    outline = Outline()
    assert outline.enter("Methods") == "methods"
    assert outline.enter("Zebras") == "methods"
    assert outline.enter("Introduction") == "introduction"
    assert outline.enter("Zebras") == "other"


def test_references_are_told() -> None:
    assert is_references("REFERENCES")
    assert is_references("7. Bibliography")
    assert not is_references("Reference standard")
