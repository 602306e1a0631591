"""Words with the shape of a name: acronyms, CamelCase, letters with digits, capitalised runs.

Open `chunks` first. Neighbouring words of such a shape are one chunk. What names no dataset
whatever stands around it (modalities, organs, metrics, places ...) is listed with its reason in
`data/facts/ordinary_names.csv`. Each token is looked at a bounded number of times.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

from annotate.matcher import Name
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
# From its first capital on, what stands without space: unless it is a mere capitalised word.
_CAPITAL = re.compile(r"[A-Z\u0080-\U0010ffff](?:(?<=[^\s(].)\S*|[a-z]*[^\sa-z.,;:)]\S*)")
# A capitalised word, with the link to a further one if there is one: "Atlas of " before a name.
_CAPITALISED = re.compile(
    r"[A-Z_\u0080-\U0010ffff][\w\-+&'\u2010-\u2015\u2019]*"
    r"(?:\s+(?:of|for|in)\s+(?:the\s+)?(?=[\w\-+&'\u2010-\u2015\u2019]*[A-Z\u0080-\U0010ffff]))?"
)
_RUNS_ON = re.compile(r"\s*(?:(?:19|20)\d\d|[\w\-+&'\u2010-\u2015\u2019]*[A-Z\u0080-\U0010ffff])")
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
_OF_DATA = COLLECTION | DATA
_LINKS = frozenset(("of", "for", "in"))
_LINKS_AND_THE = _LINKS | {"the"}
# Kinds of ordinary words that long names begin with.
_PARTS = frozenset(("place", "organ or disease", "modality"))


class Tokens(NamedTuple):  # and no dataclass, as those below: it is made in half the time
    """The words and marks of punctuation of `text[start:end]`, each list in their order.

    Args:
        words: as they stand.
        shapes: "other" for what belongs to a name of the catalogue.
        known: kind of the catalogue's name that it belongs to; "" if to none.
    """

    text: str
    start: int
    end: int
    words: Sequence[str]
    shapes: Sequence[Shape]
    known: Sequence[str]

    def lower(self, first: int = 0, last: int | None = None) -> list[str]:
        """The words from `first` to before `last` in lower case."""
        return [word.lower() for word in self.words[first:last]]

    def spans(self) -> list[tuple[int, int]]:
        """Where each stands in the text."""
        return [match.span() for match in _TOKEN.finditer(self.text, self.start, self.end)]


class Chunk(NamedTuple):
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
    if len(word) > _LONGEST_TOKEN or not any(char.isupper() for char in word):
        return "other"
    parts = _PART.findall(word)
    # "CT-based" and "U-shaped" are adjectives, "5-shot" and "3D" no names.
    if any(part.islower() and len(part) > 2 for part in parts[1:]) or word[0].isdigit():
        return "other"
    if all(part[0].isupper() and part[1:].islower() and part.isalpha() for part in parts):
        return "capital"
    n_letters = sum(char.isalpha() for char in word)
    return "mixed" if n_letters > 1 and len(word) > 2 else "other"


@lru_cache(maxsize=1 << 16)
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


def tokens(text: str, known: Sequence[Name], start: int, end: int) -> Tokens:
    """The tokens of `text[start:end]`; `known` by place."""
    words = _TOKEN.findall(text, start, end)
    shapes = list(map(_shape, words))
    kinds = [""] * len(words)
    found = Tokens(text, start, end, words, shapes, kinds)
    if known:
        for place, kind in _kinds(text, known, found.spans()):
            shapes[place], kinds[place] = "other", kind
    return found


def _kinds(
    text: str, known: Sequence[Name], spans: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, str]]:
    """The tokens that belong to a known name, and its kind."""
    names = iter(known)
    name = next(names, None)
    for place, (start, end) in enumerate(spans):
        while name is not None and name.end <= start:
            name = next(names, None)
        if name is None:
            return
        if end > name.start and not _goes_on(text, name):
            yield place, name.kind


def _goes_on(text: str, name: Name) -> bool:
    """ "Kvasir-SEG" is no edition of Kvasir."""
    return name.kind == "dataset" and _LONGER.match(text, name.end) is not None


def words_in(text: str) -> list[str]:
    """The words and marks of punctuation of a text."""
    return _TOKEN.findall(text)


def made_up(text: str, known: Sequence[Name]) -> Iterator[int]:
    """The places of words that look made up, of which every mixed chunk has one.

    Cheaper than to cut the text into tokens; ordinary words count only if a name may go on after
    them.
    """
    names = iter(known)
    name = next(names, None)
    for match in _CAPITAL.finditer(text):
        first, last = match.span()
        while first and not (text[first - 1] in " (" or text[first - 1].isspace()):
            first -= 1
        for begins, ends, is_ordinary_word in _mixed_in(text[first:last]):
            start, end = first + begins, first + ends
            while name is not None and name.end <= start:
                name = next(names, None)
            if name is not None and end > name.start and not _goes_on(text, name):
                continue
            if not is_ordinary_word or _RUNS_ON.match(text, end):
                yield start


def has_capital(text: str, start: int, end: int) -> bool:
    """Whether a capitalised word could make a chunk of `text[start:end]`."""
    return any(map(_may_name, _CAPITALISED.findall(text, start, end)))


@lru_cache(maxsize=1 << 16)
def _may_name(word: str) -> bool:
    return not is_ordinary(word) and word.lower() not in _OF_DATA


@lru_cache(maxsize=1 << 16)
def _mixed_in(piece: str) -> Sequence[tuple[int, int, bool]]:
    """(start, end, whether it is an ordinary word) of the mixed tokens of a text without space."""
    return [
        (*match.span(), not _may_name(match[0]))
        for match in _TOKEN.finditer(piece)
        if _shape(match[0]) == "mixed"
    ]


def is_headline(sentence: Tokens) -> bool:
    """Whether capitals are the style of this title rather than a mark of names."""
    words = [word for word in sentence.words if len(word) > 3 and word[0].isalpha()]
    capitals = sum(word[0].isupper() for word in words)
    return len(words) > 2 and capitals >= _HEADLINE * len(words)


def chunks(sentence: Tokens, *, without_capitals: bool = False) -> list[Chunk]:
    """The name-shaped runs of a sentence, ordinary words at their ends cut off.

    Args:
        without_capitals: words with a mere capital do not count, as in a title in headline style.
    """
    found: list[Chunk] = []
    end = 0
    for place, shape in enumerate(sentence.shapes):
        if place < end or shape == "other" or (without_capitals and shape == "capital"):
            continue
        last = place
        while (after := _joined(sentence, last, without_capitals)) is not None:
            last = after
        if last > place or _may_name(sentence.words[place]):
            found += _trimmed(sentence, place, last)
        end = last + 1
    return _with_acronyms(sentence, found) if len(found) > 1 else found


def _joined(sentence: Tokens, last: int, without_capitals: bool) -> int | None:
    """The place of the next token of the same name, or None."""
    words, step = sentence.words, last + 1
    if (
        step < len(words)
        and words[step] in _LINKS
        and sentence.shapes[last] == "capital"
        and not _starts(sentence, last)  # "Samples of the FooBar"
    ):
        step += 1 + (words[step + 1 : step + 2] == ["the"])
    if step >= len(words):
        return None
    if step == last + 1 and YEAR.match(words[step]):
        return step
    shape = sentence.shapes[step]
    # "Zheng et al.": a comma, a bracket or a stop is a token and ends a run by itself.
    return None if shape == "other" or (without_capitals and shape == "capital") else step


def _trimmed(sentence: Tokens, first: int, last: int) -> list[Chunk]:
    words = sentence.words
    while first <= last and _is_loose(sentence, first, last):
        first += 1
    while first <= last and (is_ordinary(words[last]) or words[last].lower() in _LINKS_AND_THE):
        last -= 1
    if first > last or last - first >= _LONGEST_NAME:
        return []
    places = range(first, last + 1)
    named = [place for place in places if not YEAR.match(words[place])]
    if not any(_may_name(words[place]) for place in named):
        return []
    if not _ORGANISATION.isdisjoint(sentence.lower(first, last + 1)):
        return []
    mixed = [words[place] for place in named if sentence.shapes[place] == "mixed"]
    return [
        Chunk(
            first,
            last,
            " ".join(words[first : last + 1]),
            bool(mixed),
            any(map(_is_sure_shape, mixed)),
            len(named),
        )
    ]


def _is_loose(sentence: Tokens, first: int, last: int) -> bool:
    """Whether the first word of a run belongs to the sentence rather than to the name.

    "Human Connectome Project" keeps its first word, "Chinese FooBar" and "The FooBar" do not.
    """
    word, n_words = sentence.words[first], last - first + 1
    kind = is_ordinary(word)
    if kind and (n_words < 3 or kind not in _PARTS):
        return kind != "place" or n_words < 3
    if sentence.shapes[first] != "capital" or not _starts(sentence, first):
        return False
    return n_words == 1 or (n_words < 3 and _NOT_A_NOUN.match(word) is not None)


def _starts(sentence: Tokens, place: int) -> bool:
    """Whether a word's capital may be the sentence's."""
    return place == 0 or sentence.words[place - 1] in ".:\u2022"


def _with_acronyms(sentence: Tokens, chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "Finger Motion Challenge (FMC)" is one chunk of the name FMC."""
    found: list[Chunk] = []
    for chunk in chunks:
        before = found[-1] if found else None
        if (
            before is not None
            and chunk.is_mixed
            and sentence.words[chunk.first - 1] == "("
            and all(word in DATA for word in sentence.lower(before.last + 1, chunk.first - 1))
            and before.n_words > 1
            and abbreviates(chunk.name, sentence.words[before.first : before.last + 1])
        ):
            found[-1] = chunk._replace(first=before.first, n_words=before.n_words)
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
