"""Headings -> the sections that passages name.

Related work and background belong to the introduction: both speak of what others did, which the
annotator reads as mentions. Data, experimental setup and implementation are methods.
"""

from __future__ import annotations

import re
from functools import lru_cache

from data.records import Section

# The first that is found decides, so what is narrower stands before what is wider.
_HEADINGS: tuple[tuple[Section, str], ...] = (
    (
        "availability",
        r"(?:data|code|dataset|materials?|software)\b.{0,40}\b(?:availab\w+|access\w*|sharing)"
        r"|availability|code release|reproducibility statement|accession (?:codes?|numbers?)",
    ),
    ("abstract", r"abstract|summary$|synopsis"),
    (
        "results",
        r"results?\b|findings|evaluation results|ablation|comparisons? (?:with|to)\b"
        r"|quantitative|qualitative|performance (?:evaluation|analysis|comparison)",
    ),
    ("discussion", r"discussions?|conclusions?|concluding|limitations?|future|outlook|summary and"),
    (
        "methods",
        r"methods?\b|methodolog\w+|materials?\b|experiment\w*|patients?\b|subjects|participants"
        r"|study (?:design|population|cohort)|implementation|training\b|pre-?training|fine-?tuning"
        r"|set-?up|data ?sets?\b|data\b|database|cohorts?\b|images?\b|imaging|preprocessing"
        r"|pre-processing|augmentation|network|architecture|models?\b|proposed|approach|framework"
        r"|algorithm|statistical|evaluation|metrics?|transfer learning|loss\b|optimi[sz]ation"
        r"|procedures?|protocol|ethics|annotation|hyper-?parameters?|overview of (?:the|our)",
    ),
    (
        "introduction",
        r"introduction|related|background|motivation|prior work|previous work|literature"
        r"|state of the art|preliminar\w+|contributions?",
    ),
)
# A heading that says one of these and nothing else is sure even where wider words come first.
_SURE: tuple[tuple[Section, str], ...] = (
    ("introduction", r"related (?:works?|research|studies|literature)|background(?: and .*)?"),
    ("introduction", r"introduction(?: and .*)?|literature review|state of the art"),
    ("results", r"(?:experiments?|experimental|evaluation|main)(?: and)? results?(?: and .*)?"),
    ("results", r"results? and discussions?"),
    ("discussion", r"discussions? and (?:conclusions?|future .*)|conclusions? and .*"),
    ("methods", r"(?:patients|materials?|subjects|data) and methods?"),
    ("methods", r"experiments?|experimental (?:set-?up|settings?|design|details)"),
)
_COMPILED = [(section, re.compile(rf"\b(?:{words})")) for section, words in _HEADINGS]
_COMPILED_SURE = [(section, re.compile(words)) for section, words in _SURE]
_REFERENCES = re.compile(
    r"(?:references?|bibliography|literature cited|works cited)(?: and notes)?"
)
_NUMBER = re.compile(
    r"^\s*(?:§\s*)?(?:section\s+|appendix\s+)?"
    r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,4}|[IVX]{1,5}(?=[.\s])|[A-H](?:\.\d{1,2}){0,3}(?=[.):\s]))"
    r"\s*[.):]?\s+(?=\S)"
)


def split_number(heading: str) -> tuple[str | None, str]:
    """The number of a heading, if it has one, and its words.

    >>> split_number("3.1. Data sets")
    ('3.1', 'Data sets')
    """
    found = _NUMBER.match(heading)
    if found is None or (found["number"] == "A" and heading.lstrip()[1:2] == " "):
        return None, heading.strip()  # "A deep network" begins with an article
    return found["number"], heading[found.end() :].strip()


@lru_cache(maxsize=1 << 14)
def section_of(heading: str) -> Section | None:
    """The section that a heading names; None if its words do not tell.

    >>> section_of("2. Materials and Methods")
    'methods'
    """
    words = " ".join(split_number(heading)[1].lower().split()).strip(" .:-–—")
    for section, pattern in _COMPILED_SURE:
        if pattern.fullmatch(words):
            return section
    for section, pattern in _COMPILED:
        if pattern.search(words):
            return section
    return None


def is_references(heading: str) -> bool:
    """Whether a heading opens the list of references."""
    words = split_number(heading)[1].lower().strip(" .:")
    return _REFERENCES.fullmatch(words) is not None


class Outline:
    """Follows the headings of a document whose nesting is in their numbers alone, or nowhere.

    A heading within a section is the section's: "3.1 ImageNet" after "3 Experiments" is methods,
    whatever its own words say, unless section 3 said nothing. A heading without number that says
    nothing stays in the section before it; but an introduction ends there.
    """

    def __init__(self) -> None:
        self.section: Section = "other"
        self._by_number: dict[str, Section] = {}

    def enter(self, heading: str, number: str | None = None) -> Section:
        """The section of what follows a heading.

        Args:
            number: where it does not stand in the heading itself.
        """
        own, words = split_number(heading)
        number = number.strip(" .") if number else own
        said = section_of(words)
        parent = self._by_number.get(number.rpartition(".")[0]) if number else None
        if number is None:
            self.section = said or self._unsaid()
        else:
            self.section = inherited(parent, said)
            self._by_number[number] = self.section
        return self.section

    def _unsaid(self) -> Section:
        return "other" if self.section in ("introduction", "abstract", "title") else self.section


def inherited(parent: Section | None, said: Section | None) -> Section:
    """The section of a part of another: its parent's, where that says one.

    Availability stands wherever it is said, since it is often a part of the methods.
    """
    if said == "availability":
        return said
    return parent if parent not in (None, "other") else said or "other"
