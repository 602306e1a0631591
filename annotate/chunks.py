"""Words with the shape of a name: acronyms, CamelCase, letters with digits, capitalised runs.

Open `chunks` first. Neighbouring words of such a shape are one chunk. What names no dataset
whatever stands around it (modalities, organs, metrics, places ...) is listed with its reason in
`data/facts/ordinary_names.csv`. Each token is looked at a bounded number of times.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal

from annotate.matcher import Name
from annotate.sentences import sentence_starts
from data.catalogue import ORDINARY_CSV

Shape = Literal["mixed", "capital", "other"]


def words_of(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_LONGEST_NAME = 6  # words
_LONGEST_TOKEN = 40  # characters; a longer one is no name
_HEADLINE = 0.6  # of its longer words capitalised: capitals of such a title say nothing

# "FooNet-pretrained" is a name and a word.
_TOKEN = re.compile(
    r"[Pp]re-train\w*|\w+(?:[\-\u2010-\u2015+&'\u2019](?!(?:pre-?)?train|based)\w+)*\+*|[^\w\s]"
)
_LONGER = re.compile(r"[\-\u2010-\u2015](?=[A-Z]\w*[A-Za-z])")
YEAR = re.compile(r"(?:19|20)\d\d$")
_PART = re.compile(r"[^\W_]+")
_DEMONYM = re.compile(r"[A-Z][a-z]{2,}(?:an|ese|ish)$")
_NOT_A_NOUN = re.compile(r"[A-Z][a-z]+(?:ing|ly|ed|ally|ous|ive|al|ic)$")

DATA = words_of(
    "dataset datasets database databases cohort cohorts corpus corpora benchmark benchmarks "
    "challenge challenges collection collections biobank registry repository archive data-set "
    "data-sets testset leaderboard competition"
)
# Words that end the name of a collection: "The Cancer Genome Atlas".
COLLECTION = words_of(
    "biobank initiative registry atlas study archive consortium project database repository cohort "
    "collection challenge bank dataset datasets benchmark decathlon corpus series"
)
_ORGANISATION = words_of(
    "university hospital foundation department center centre institute college school clinic "
    "society association conference workshop committee laboratory lab inc ltd ministry agency "
    "council group company health hospitals umc klinikum kantonsspital hopital"
)
_LINKS = frozenset(("of", "for", "in"))
# Kinds of ordinary words that long names begin with.
_PARTS = frozenset(("place", "organ or disease", "modality"))


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark of punctuation: `text[start:end]` of the passage."""

    text: str
    start: int
    end: int
    shape: Shape
    known: str  # kind of the catalogue's name that it belongs to; "" if to none

    @property
    def lower(self) -> str:
        """The word in lower case."""
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens `first` to `last` (inclusive) of a sentence, which have the shape of a name."""

    first: int
    last: int
    name: str
    is_mixed: bool
    is_sure_shape: bool  # CamelCase or with digits, which an abbreviation seldom is
    n_words: int


@cache
def _ordinary() -> dict[str, str]:
    """Words with the shape of a name that name no dataset, folded, and what each is instead."""
    with ORDINARY_CSV.open(encoding="utf-8", newline="") as file:
        return {row["word"].casefold(): row["is"] for row in csv.DictReader(file)}


@lru_cache(maxsize=1 << 16)
def _shape(word: str) -> Shape:
    """Whether a word looks like a made-up name, begins with a capital, or neither."""
    if not any(char.isupper() for char in word):
        return "other"
    parts = _PART.findall(word)
    # "CT-based" and "U-shaped" are adjectives, "5-shot" and "3D" no names.
    if any(part.islower() and len(part) > 2 for part in parts[1:]) or word[0].isdigit():
        return "other"
    if all(part[0].isupper() and part[1:].islower() and part.isalpha() for part in parts):
        return "capital"
    n_letters = sum(char.isalpha() for char in word)
    return "mixed" if n_letters > 1 and len(word) > 2 else "other"


def _is_sure_shape(word: str) -> bool:
    """CamelCase or with digits: "FooNet", "FC100"; a plain abbreviation is neither."""
    letters = "".join(_PART.findall(word))
    has_digit = any(char.isdigit() for char in letters)
    camel = any(a.islower() and b.isupper() for a, b in pairwise(letters))
    return has_digit or camel or any(part.isupper() for part in _PART.findall(word)[1:])


@lru_cache(maxsize=1 << 16)
def is_ordinary(word: str) -> str:
    """What an ordinary word is instead of a dataset's name; "" for all other words.

    "MRI-CT" is made of ordinary words; "Rwandan" and "Finnish" say whose data it is.
    """
    folded = word.casefold().replace("\u2019", "'")
    known = _ordinary()
    found = known.get(folded) or known.get(folded.removesuffix("s"))
    if found is None and "-" in word and all(is_ordinary(part) for part in word.split("-") if part):
        return "made of ordinary words"
    return found or ("place" if _DEMONYM.match(word) else "")


def tokens(text: str, known: Sequence[Name], start: int, end: int) -> list[Token]:
    """The tokens of `text[start:end]`; `known` by place."""
    spans = iter(known)
    name = next(spans, None)
    found = []
    for match in _TOKEN.finditer(text, start, end):
        while name is not None and name.end <= match.start():
            name = next(spans, None)
        kind = name.kind if name is not None and match.end() > name.start else ""
        word = match[0]
        if name is not None and kind == "dataset" and _LONGER.match(text, name.end):
            kind = ""  # "Kvasir-SEG" is no edition of Kvasir
        is_other = kind or len(word) > _LONGEST_TOKEN
        shape: Shape = "other" if is_other else _shape(word)
        found.append(Token(word, match.start(), match.end(), shape, kind))
    return found


def is_headline(sentence: Sequence[Token]) -> bool:
    """Whether capitals are the style of this title rather than a mark of names."""
    words = [token for token in sentence if len(token.text) > 3 and token.text[0].isalpha()]
    capitals = sum(token.text[0].isupper() for token in words)
    return len(words) > 2 and capitals >= _HEADLINE * len(words)


def chunks(sentence: Sequence[Token], *, without_capitals: bool = False) -> list[Chunk]:
    """The name-shaped runs of a sentence, ordinary words at their ends cut off.

    Args:
        without_capitals: words with a mere capital do not count, as in a title in headline style.
    """
    found: list[Chunk] = []
    place = 0
    while place < len(sentence):
        last = place
        if _is_shaped(sentence[place], without_capitals):
            while (after := _joined(sentence, last, without_capitals)) is not None:
                last = after
            found += _trimmed(sentence, place, last)
        place = last + 1
    return _with_acronyms(sentence, found)


def _is_shaped(token: Token, without_capitals: bool) -> bool:
    return token.shape == "mixed" or (token.shape == "capital" and not without_capitals)


def _joined(sentence: Sequence[Token], last: int, without_capitals: bool) -> int | None:
    """The place of the next token of the same name, or None."""
    step = last + 1
    if (
        sentence[last].shape == "capital"
        and not _starts(sentence, last)  # "Samples of the FooBar"
        and step < len(sentence)
        and sentence[step].text in _LINKS
    ):
        step += 1 + (step + 1 < len(sentence) and sentence[step + 1].text == "the")
    if step >= len(sentence):
        return None
    if step == last + 1 and YEAR.match(sentence[step].text):
        return step
    if not _is_shaped(sentence[step], without_capitals):
        return None
    # "Zheng et al.": a comma, a bracket or a stop is a token and ends a run by itself.
    return step


def _trimmed(sentence: Sequence[Token], first: int, last: int) -> list[Chunk]:
    while first <= last and _is_loose(sentence, first, last):
        first += 1
    while first <= last and (
        is_ordinary(sentence[last].text) or sentence[last].lower in _LINKS | {"the"}
    ):
        last -= 1
    words = sentence[first : last + 1]
    if not words or len(words) > _LONGEST_NAME:
        return []
    if any(token.lower in _ORGANISATION for token in words):
        return []
    years = [token for token in words if YEAR.match(token.text)]
    named = [token for token in words if token not in years]
    if all(is_ordinary(token.text) or token.lower in COLLECTION | DATA for token in named):
        return []
    mixed = [token for token in named if token.shape == "mixed"]
    return [
        Chunk(
            first,
            last,
            " ".join(token.text for token in words),
            bool(mixed),
            any(_is_sure_shape(token.text) for token in mixed),
            len(named),
        )
    ]


def _is_loose(sentence: Sequence[Token], first: int, last: int) -> bool:
    """Whether the first word of a run belongs to the sentence rather than to the name.

    "Human Connectome Project" keeps its first word, "Chinese FooBar" and "The FooBar" do not.
    """
    word, n_words = sentence[first], last - first + 1
    kind = is_ordinary(word.text)
    if kind and (n_words < 3 or kind not in _PARTS):
        return kind != "place" or n_words < 3
    if word.shape != "capital" or not _starts(sentence, first):
        return False
    return n_words == 1 or (n_words < 3 and _NOT_A_NOUN.match(word.text) is not None)


def _starts(sentence: Sequence[Token], place: int) -> bool:
    """Whether a word's capital may be the sentence's."""
    return place == 0 or sentence[place - 1].text in ".:\u2022"


def _with_acronyms(sentence: Sequence[Token], chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "Finger Motion Challenge (FMC)" is one chunk of the name FMC."""
    found: list[Chunk] = []
    for chunk in chunks:
        before = found[-1] if found else None
        if (
            before is not None
            and chunk.is_mixed
            and sentence[chunk.first - 1].text == "("
            and all(token.lower in DATA for token in sentence[before.last + 1 : chunk.first - 1])
            and before.n_words > 1
            and abbreviates(chunk.name, [t.text for t in sentence[before.first : before.last + 1]])
        ):
            found[-1] = replace(chunk, first=before.first, n_words=before.n_words)
        else:
            found.append(chunk)
    return found


def abbreviates(acronym: str, words: Sequence[str]) -> bool:
    """Whether the letters of an acronym stand in the words in order, the first at the start."""
    letters = [char.lower() for char in acronym if char.isalpha()]
    if not letters or not words or words[0][0].lower() != letters[0]:
        return False
    rest = iter("".join(words).lower())
    return all(letter in rest for letter in letters)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence."""
    starts = sentence_starts(text)
    return zip(starts, [*starts[1:], len(text)], strict=True)
