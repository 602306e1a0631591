"""Dataset names that the catalogue lacks: how they look, and the words that introduce them.

Open `candidates_of` first. A sentence is cut into tokens; neighbouring ones with the shape of a
name (an acronym, CamelCase, letters with digits, capitalised words) are one chunk. A chunk is a
candidate where the words around it say "dataset" in one way or another; the paper's own
definitions ("magnetic resonance imaging (MRI)", "we propose FooNet") take others out. Each token
is looked at a bounded number of times, so the time is linear in the text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import groupby
from typing import Literal

from annotate.matcher import Name
from annotate.roles import grouped, is_review, read_role, template
from annotate.sentences import sentence_starts
from data.catalogue import ORDINARY_CSV, key
from data.records import Candidate, Passage, Role

Shape = Literal["mixed", "capital", "other"]
Why = Literal[
    "named dataset",
    "dataset named",
    "test set",
    "appositive",
    "collection",
    "collected from",
    "publicly available",
    "pretrained on",
    "edition",
    "evaluated on",
    "listed",
]

# How often such a find is a dataset: rounded down from the development papers (docs/method.md).
_SURE: dict[Why, float] = {
    "named dataset": 0.9,
    "dataset named": 0.8,
    "test set": 0.8,
    "appositive": 0.8,
    "collection": 0.7,
    "collected from": 0.7,
    "publicly available": 0.6,
    "pretrained on": 0.6,
    "edition": 0.6,
    "evaluated on": 0.6,
    "listed": 0.7,
}
_LONGEST_NAME = 6  # words
_REACH = 12  # tokens that a rule looks to either side
_LONGEST_TOKEN = 40  # characters; a longer one is no name
_HEADLINE = 0.6  # of its longer words capitalised: capitals of such a title say nothing

# "FooNet-pretrained" is a name and a word.
_TOKEN = re.compile(
    r"[Pp]re-train\w*|\w+(?:[\-\u2010-\u2015+&'\u2019](?!(?:pre-?)?train|based)\w+)*\+*|[^\w\s]"
)
_LONGER = re.compile(r"[\-\u2010-\u2015](?=[A-Z]\w*[A-Za-z])")
_YEAR = re.compile(r"(?:19|20)\d\d$")
_PART = re.compile(r"[^\W_]+")
_DEMONYM = re.compile(r"[A-Z][a-z]{2,}(?:an|ese|ish)$")
_NOT_A_NOUN = re.compile(r"[A-Z][a-z]+(?:ing|ly|ed|ally|ous|ive|al|ic)$")

_DATA = frozenset(
    "dataset datasets database databases cohort cohorts corpus corpora benchmark benchmarks "
    "challenge challenges collection collections biobank registry repository archive data-set "
    "data-sets testset leaderboard competition".split()
)
# Of these, words that have another sense: "FooNet presents a research challenge".
_EVERYDAY = frozenset("benchmark benchmarks challenge challenges collection collections".split())
_SPLIT = frozenset("test training train validation val evaluation testing held-out".split())
_SET = frozenset("set sets split splits subset partition".split())
# Words that end the name of a collection: "The Cancer Genome Atlas".
_COLLECTION = frozenset(
    "biobank initiative registry atlas study archive consortium project database repository cohort "
    "collection challenge bank dataset datasets benchmark decathlon corpus series".split()
)
_ORGANISATION = frozenset(
    "university hospital foundation department center centre institute college school clinic "
    "society association conference workshop committee laboratory lab inc ltd ministry agency "
    "council group company health hospitals umc klinikum kantonsspital hopital".split()
)
# Between a name and its noun: "the FooBar chest X-ray dataset", but not "FooBar uses a dataset".
_BREAKS = frozenset(
    "of in on for with and or to is are was were be by from at as that which we our using use uses "
    "used than via into over under between the a an this these those its their has have had can "
    "may show shows outperforms achieves while when where but not across among during after before "
    "within against per through towards including such measures presents present".split()
)
_METHOD = frozenset(
    "model models network networks algorithm algorithms method methods framework architecture "
    "architectures loss optimizer optimiser library toolkit gpu gpus classifier classifiers encoder "
    "decoder backbone backbones layer layers module modules approach pipeline software package tool "
    "code weights features strategy technique score scores metric metrics index loss-function "
    "baseline baselines attention detector detectors".split()
)
_METHOD_VERB = frozenset(
    "outperforms outperform achieves achieve learns uses employs improves reaches consists combines "
    "leverages surpasses yields reduces aims".split()
)
_NAMING = frozenset("called named termed dubbed namely including comprising e.g i.e".split())
_PROPOSING = frozenset(
    "propose proposed proposes introduce introduced introduces present presents presented develop "
    "developed develops call called named termed dubbed".split()
)
_FROM = re.compile(
    r"(?:collected|obtained|acquired|drawn|taken|derived|sourced|sampled|downloaded|extracted"
    r"|selected|gathered|retrieved|images?|slides?|scans?|patients?|subjects?|participants?|cases?"
    r"|videos?|samples?|data|volumes?|radiographs?|x-rays?|datasets?|examples?|studies)$"
)
_TRIED = re.compile(
    r"(?:(?:pre-?|re)?train(?:ed|ing)?|evaluat(?:ed?|ing|ions?)|test(?:ed|ing)?"
    r"|fine-?tun(?:ed?|ing)|validat(?:ed?|ing|ion)|benchmark(?:ed|ing)?|results?|experiments?"
    r"|experimentation|performance|accuracy|auc|dice|state-of-the-art|outperform\w*|scores?|map"
    r"|compar(?:ed?|ing|isons?)|reported|gains?|improvements?|demonstrated?|performs?|generali[sz]\w+"
    r"|verified|tasks?|conducted|studies|ablations?|segmentation|classification|detection)$",
    re.IGNORECASE,
)
_BESIDE = frozenset("and or , ; / & + ( ) [ ] reference the both as well either".split())
_AFTER_NAME = frozenset(
    ". , ; : ) ( and or with using for in by to we is are was were as under at from show shows "
    "demonstrate demonstrates , images dataset datasets while when respectively without over which "
    "where than on compared images classes videos".split()
)


@dataclass(frozen=True, slots=True)
class Found:
    """A name that may be a dataset's: `text[start:end]` are the words as they stand.

    Args:
        name: without an article or its expansion: "SNIC" of "Some Name In Capitals (SNIC)".
        why: the rule that found it.
        score: how sure the rule is that it is a dataset.
    """

    name: str
    start: int
    end: int
    why: Why
    score: float


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int
    shape: Shape
    known: str  # kind of the catalogue's name that it belongs to; "" if to none

    @property
    def lower(self) -> str:
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class _Chunk:
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


# --- tokens and chunks ------------------------------------------------------------------------


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
    camel = any(a.islower() and b.isupper() for a, b in zip(letters, letters[1:], strict=False))
    return has_digit or camel or any(part.isupper() for part in _PART.findall(word)[1:])


@lru_cache(maxsize=1 << 16)
def _is(word: str) -> str:
    """What an ordinary word is instead of a dataset's name; "" for all other words.

    "MRI-CT" is made of ordinary words; "Rwandan" and "Finnish" say whose data it is.
    """
    folded = word.casefold().replace("\u2019", "'")
    known = _ordinary()
    found = known.get(folded) or known.get(folded.removesuffix("s"))
    if found is None and "-" in word and all(_is(part) for part in word.split("-") if part):
        return "made of ordinary words"
    return found or ("place" if _DEMONYM.match(word) else "")


def _tokens(text: str, known: Sequence[Name], start: int, end: int) -> list[_Token]:
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
        found.append(_Token(word, match.start(), match.end(), shape, kind))
    return found


def _is_headline(tokens: Sequence[_Token]) -> bool:
    """Whether capitals are the style of this title rather than a mark of names."""
    words = [token for token in tokens if len(token.text) > 3 and token.text[0].isalpha()]
    capitals = sum(token.text[0].isupper() for token in words)
    return len(words) > 2 and capitals >= _HEADLINE * len(words)


def _chunks(tokens: Sequence[_Token], *, is_headline: bool) -> list[_Chunk]:
    """The name-shaped runs of a sentence, ordinary words at their ends cut off."""
    found: list[_Chunk] = []
    place = 0
    while place < len(tokens):
        last = place
        if _is_shaped(tokens[place], is_headline):
            while (after := _joined(tokens, last, is_headline)) is not None:
                last = after
            found += _trimmed(tokens, place, last)
        place = last + 1
    return _with_acronyms(tokens, found)


def _is_shaped(token: _Token, is_headline: bool) -> bool:
    return token.shape == "mixed" or (token.shape == "capital" and not is_headline)


def _joined(tokens: Sequence[_Token], last: int, is_headline: bool) -> int | None:
    """The place of the next token of the same name, or None."""
    step = last + 1
    if tokens[last].shape == "capital" and step < len(tokens) and tokens[step].text in _LINKS:
        step += 1 + (step + 1 < len(tokens) and tokens[step + 1].text == "the")
    if step >= len(tokens):
        return None
    if step == last + 1 and _YEAR.match(tokens[step].text):
        return step
    if not _is_shaped(tokens[step], is_headline):
        return None
    # "Zheng et al.": a comma, a bracket or a stop is a token and ends a run by itself.
    return step


_LINKS = frozenset(("of", "for", "in"))


def _trimmed(tokens: Sequence[_Token], first: int, last: int) -> list[_Chunk]:
    while first <= last and _is_loose(tokens, first, last):
        first += 1
    while first <= last and (
        _is(tokens[last].text) or tokens[last].lower in _LINKS | {"the"}
    ):
        last -= 1
    words = tokens[first : last + 1]
    if not words or len(words) > _LONGEST_NAME:
        return []
    if any(token.lower in _ORGANISATION for token in words):
        return []
    years = [token for token in words if _YEAR.match(token.text)]
    named = [token for token in words if token not in years]
    if all(_is(token.text) or token.lower in _COLLECTION | _DATA for token in named):
        return []
    mixed = [token for token in named if token.shape == "mixed"]
    return [
        _Chunk(
            first,
            last,
            " ".join(token.text for token in words),
            bool(mixed),
            any(_is_sure_shape(token.text) for token in mixed),
            len(named),
        )
    ]


def _is_loose(tokens: Sequence[_Token], first: int, last: int) -> bool:
    """Whether the first word of a run belongs to the sentence rather than to the name.

    "Human Connectome Project" keeps its first word, "Chinese FooBar" and "The FooBar" do not.
    """
    word, n_words = tokens[first], last - first + 1
    kind = _is(word.text)
    if kind and (n_words < 3 or kind not in _PARTS):
        return kind != "place" or n_words < 3
    is_start = first == 0 or tokens[first - 1].text in ".:\u2022"
    if word.shape != "capital" or not is_start:
        return False
    return n_words == 1 or _NOT_A_NOUN.match(word.text) is not None


# Kinds of ordinary words that long names begin with.
_PARTS = frozenset(("place", "organ or disease", "modality"))


def _with_acronyms(tokens: Sequence[_Token], chunks: Sequence[_Chunk]) -> list[_Chunk]:
    """ "Some Name In Capitals (SNIC)" is one chunk of the name SNIC."""
    found: list[_Chunk] = []
    for chunk in chunks:
        before = found[-1] if found else None
        if (
            before is not None
            and chunk.is_mixed
            and tokens[chunk.first - 1].text == "("
            and all(token.lower in _DATA for token in tokens[before.last + 1 : chunk.first - 1])
            and before.n_words > 1
            and _abbreviates(chunk.name, [t.text for t in tokens[before.first : before.last + 1]])
        ):
            found[-1] = replace(
                chunk, first=before.first, n_words=before.n_words
            )
        else:
            found.append(chunk)
    return found


def _abbreviates(acronym: str, words: Sequence[str]) -> bool:
    """Whether the letters of an acronym stand in the words in order, the first at the start."""
    letters = [char.lower() for char in acronym if char.isalpha()]
    if not letters or not words or words[0][0].lower() != letters[0]:
        return False
    rest = iter("".join(words).lower())
    return all(letter in rest for letter in letters)


# --- what the paper defines as something else --------------------------------------------------


def not_data(texts: Sequence[str], wanted: frozenset[str]) -> frozenset[str]:
    """Of the words `wanted`, those that a paper's texts introduce as something other than data.

    These are abbreviations of lower-case words ("optical coherence tomography (OCT)") and what
    the paper proposes ("we present FooNet, a network"; "FooNet: Better segmentation").
    """
    found: set[str] = set()
    for text in texts:
        if not any(word in text for word in wanted - found):
            continue
        tokens = _tokens(text, [], 0, len(text))
        for place, token in enumerate(tokens):
            if token.text in wanted and (
                _abbreviates_plain_words(tokens, place) or _is_proposed(tokens, place)
            ):
                found.add(token.text)
    return frozenset(found)


def _abbreviates_plain_words(tokens: Sequence[_Token], place: int) -> bool:
    if place == 0 or tokens[place - 1].text != "(":
        return False
    before = tokens[max(0, place - 1 - _REACH) : place - 1]
    after = [token.lower for token in tokens[place + 1 : place + 4]]
    if any(word in _DATA for word in after):
        return False
    acronym = tokens[place].text
    n_letters = sum(char.isalpha() for char in acronym)
    for start in range(len(before) - 1, max(-1, len(before) - n_letters - 4), -1):
        words = before[start:]
        if any(not token.text[0].isalnum() for token in words):
            return False
        if _abbreviates(acronym, [token.text for token in words]):
            lower = sum(token.text[0].islower() for token in words)
            is_data = any(token.lower in _DATA | _COLLECTION for token in words)
            return not is_data and 2 * lower >= len(words)
    return False


def _is_proposed(tokens: Sequence[_Token], place: int) -> bool:
    """Whether a name is what the paper makes, and no dataset: a method, in nearly all cases."""
    after = [token.lower for token in tokens[place + 1 : place + 1 + _REACH]]
    before = [token.lower for token in tokens[max(0, place - 4) : place]]
    if any(word in _DATA for word in _clause(after)):
        return False
    if place == 0 and after[:1] == [":"]:
        return True
    if any(word in _DATA for word in before):
        return False
    if after and after[0] in _METHOD_VERB:
        return True
    return any(word in _PROPOSING for word in before)


def _clause(words: Sequence[str]) -> list[str]:
    """The words up to the end of the sentence."""
    return list(words[: words.index(".")]) if "." in words else list(words)


# --- the rules --------------------------------------------------------------------------------


def _why(tokens: Sequence[_Token], chunk: _Chunk, *, in_title: bool) -> Why | None:
    """The first rule that takes a chunk for a dataset's name; None if none does."""
    left = [token.lower for token in tokens[max(0, chunk.first - _REACH) : chunk.first]]
    right = [token.lower for token in tokens[chunk.last + 1 : chunk.last + 1 + _REACH]]
    right = _past_brackets(right)
    words = [token.lower for token in tokens[chunk.first : chunk.last + 1]]
    if _is_said_data(words, right):
        return "named dataset"
    if (right and right[0] in _METHOD) or right[:2] == ["et", "al"]:
        return None
    if _is_called_data(left, right, chunk):
        return "dataset named"
    if chunk.is_mixed and _is_split(right):
        return "test set"
    if chunk.is_mixed and _is_appositive(left, right, in_title=in_title):
        return "appositive"
    if chunk.n_words > 1 and any(word in _COLLECTION for word in words[1:]) and not in_title:
        return "collection"
    return _weak_why(left, right, words, chunk)


def _weak_why(
    left: Sequence[str], right: Sequence[str], words: Sequence[str], chunk: _Chunk
) -> Why | None:
    """Rules that need a name's shape, since the words around it alone would not do."""
    if not chunk.is_mixed or not (
        not right
        or right[0] in _AFTER_NAME | _SPLIT
        or _PRETRAINED.match(right[0])
        or right[:1] == ["-"]
    ):
        return None
    article = left[-1:] == ["the"]
    before = left[:-1] if article else left
    if before[-2:] == ["publicly", "available"] and chunk.is_sure_shape:
        return "publicly available"
    if before[-1:] == ["from"] and any(_FROM.match(word) for word in before[-4:-1]):
        return "collected from"
    if before[-1:] == ["of"] and before[-2:-1] and before[-2] in _SET | _SHARES:
        return "collected from"
    if chunk.is_sure_shape and right[:1] and right[0] in _SHOWN:
        return "collected from"
    if chunk.is_sure_shape and right[:1] and _PRETRAINED.match(right[right[0] == "-"]):
        return "pretrained on"
    if before[-1:] and before[-1] in _USED and right[:1] in (["for"], ["to"]):
        if any(map(_TRIED.match, right[1:4])):
            return "evaluated on"
    on = next((n for n, word in enumerate(reversed(before[-4:]), 1) if word in _ON), None)
    if on is None or any(word in _BREAKS for word in before[len(before) - on + 1 :]):
        return None
    if _YEAR.match(words[-1]):
        return "edition"
    cues = before[-on - 7 : len(before) - on]
    if before[-on] == "for":
        is_tried = cues[-1:] in _TOLD
    elif chunk.is_sure_shape:
        is_tried = not any(map(_RESTS.match, cues[-2:]))
    else:
        is_tried = any(map(_TRIED.match, cues))
    return "evaluated on" if is_tried else None


_ON = frozenset(("on", "for"))
# "On" of other senses: "based on FooNet", "runs on FooChip".
_RESTS = re.compile(
    r"(?:bas|buil|rel[yi]|focus|depend|r[ua]n|attention|impact|effect|insight|implement|install"
    r"|deploy|mount|rest|expand|extend|draw|hing|center|concentrat|work|paper|review|surve)"
)
_SHARES = frozenset("part parts portion half images samples classes".split())
_SHOWN = frozenset(("classes",))  # "FooStain images" are of a kind, not of a dataset
_USED = frozenset("use used using uses utilize utilized employ employed".split())
_TOLD = (["results"], ["scores"])  # "we report results for FooBar"
_PRETRAINED = re.compile(r"pre-?train")


def _past_brackets(words: Sequence[str]) -> list[str]:
    """The words with one bracket right after the name taken out: "SNIC [3] dataset"."""
    closing = {"(": ")", "[": "]"}.get(words[0] if words else "")
    if closing is None or closing not in words:
        return list(words)
    return list(words[words.index(closing) + 1 :])


def _is_said_data(words: Sequence[str], right: Sequence[str]) -> bool:
    """ "The FooBar (chest X-ray) dataset", "FooBar data set", "FooBar 2020 challenge"."""
    if words[-1] in _DATA and len(words) > 1:
        return True
    for place, word in enumerate(right[:5]):
        if word in _DATA:
            return place < 2 or word not in _EVERYDAY
        if word == "data" and right[place + 1 : place + 2] in (["set"], ["sets"]):
            return True
        if not word[0].isalnum() or word in _BREAKS or word in _METHOD:
            return False
    return False


_CLOSES = frozenset((",", ".", ")", "(", ";", ":", "and", "or", "which", "with", "[", "&"))


def _is_called_data(left: Sequence[str], right: Sequence[str], chunk: _Chunk) -> bool:
    """ "A dataset, FooBar", "datasets such as FooBar", "a dataset (FooBar)"."""
    before = list(left)
    while before and before[-1] in {"the", "as", ",", ":", "(", "such", "e", "g", ".", "-", "i"}:
        before.pop()
    gap = left[len(before) :]
    if before and before[-1] in _NAMING and any(word in _DATA for word in before[-5:-1]):
        return True
    if not before or not (before[-1] in _DATA or before[-2:] in (["data", "set"], ["data", "sets"])):
        return False
    if "," in gap:  # "a dataset, FooBar, of", not "on both cohorts, FooBar does"
        return not right or right[0] in _CLOSES
    return bool(gap) or (chunk.is_mixed and before[-1] not in _EVERYDAY)


def _is_split(right: Sequence[str]) -> bool:
    """ "FooBar test set", "FooBar classification set"; not "FooBar on the test set"."""
    for word in right[:3]:
        if word in _SET:
            return word != right[0]
        if not word[0].isalnum() or word in _BREAKS or word in _METHOD:
            return False
    return False


def _is_appositive(left: Sequence[str], right: Sequence[str], *, in_title: bool) -> bool:
    """ "We introduce FooBar, a new dataset of ...", "FooBar: a large benchmark for ..."."""
    if len(right) < 3 or right[0] not in {",", ":", "-", "\u2013", "\u2014"}:
        return False
    if right[1] not in {"a", "an", "the", "our"} and not in_title:
        return False
    for word in right[1:]:
        if word in _DATA:
            return True
        if word in {".", ",", ":", "for", "with", "that", "which", "of", "to", "from", "on", "in"}:
            return False
    return False


def _lists(tokens: Sequence[_Token], chunks: Sequence[_Chunk]) -> Iterator[list[_Chunk | str]]:
    """Lists of names ("A, B and C"); for a name of the catalogue there stands its kind."""
    items: list[tuple[int, int, _Chunk | str]] = [(c.first, c.last, c) for c in chunks]
    known = [place for place, token in enumerate(tokens) if token.known]
    for kind, places in groupby(known, key=lambda place: tokens[place].known):
        items += [(place, place, kind) for place in places]
    items.sort(key=lambda item: item[0])
    group: list[_Chunk | str] = []
    end = -1
    for first, last, item in items:
        between = [token.lower for token in tokens[end + 1 : first][: _REACH]]
        if group and not _is_listing(between):
            yield group
            group = []
        group.append(item)
        end = last
    if group:
        yield group


def _is_listing(between: Sequence[str]) -> bool:
    """Whether these words stand between two names of one list; none do within one name."""
    if len(between) > 6 or not all(word in _BESIDE for word in between):
        return False
    return not between or any(word.isalpha() and word != "the" or word in ",;/&+" for word in between)


def names_of(
    text: str,
    known: Sequence[Name],
    *,
    in_title: bool = False,
    taken: frozenset[str] = frozenset(),
) -> list[Found]:
    """The names in a text that may be datasets and are not in the catalogue, by place.

    Args:
        known: the catalogue's names in the text.
        in_title: the text is a title, whose capitals may be its style.
        taken: words that are something else; see `not_data`.
    """
    found: list[Found] = []
    ordered = sorted(known, key=lambda name: name.start)
    place = 0
    for start, end in _spans(text):
        first = place
        while place < len(ordered) and ordered[place].start < end:
            place += 1
        names = ordered[first:place]
        if not _may_name(text[start:end], names):
            continue
        tokens = _tokens(text, names, start, end)
        chunks = [
            chunk
            for chunk in _chunks(tokens, is_headline=in_title and _is_headline(tokens))
            if not (_is_taken(chunk, taken) or _is_spelled_out(tokens, chunk))
        ]
        reasons = {chunk: _why(tokens, chunk, in_title=in_title) for chunk in chunks}
        for group in _lists(tokens, chunks):
            members = [chunk for chunk in group if isinstance(chunk, _Chunk)]
            why = {reasons[chunk] for chunk in members} | ({"known"} if "dataset" in group else set())
            for chunk in members if why - {None} and "model" not in group else ():
                # "Duke" is a name beside "the datasets CUHK03 and", not beside any name.
                if chunk.is_mixed or chunk.n_words > 1 or why & {"named dataset", "dataset named"}:
                    reasons[chunk] = reasons[chunk] or "listed"
        found += [_found(text, tokens, chunk, why) for chunk, why in reasons.items() if why]
    return found


_SHAPED = re.compile(
    r"[A-Za-z0-9][A-Z]|[A-Z][\w\-]{0,40}\d|[A-Z][a-z]+ (?:of |for |in )?(?:the )?[A-Z]"
)
_CUE = re.compile(
    r"data|cohort|corp(?:us|ora)\b|benchmark|challenge|collection|registry|repository|archive"
    r"|biobank|competition|leaderboard|\b(?:on|from|us(?:e[ds]?|ing))\b|results for|scores for|test ?set|pretrain"
    r"|pre-train|[Ii]nitiative|[Aa]tlas|[Ss]tudy|[Cc]onsortium|[Pp]roject|[Dd]ecathlon|[Ss]eries"
)


def _may_name(sentence: str, known: Sequence[Name]) -> bool:
    """Whether a sentence is worth reading: cheaper than to read it."""
    if _SHAPED.search(sentence) is None and "ataset" not in sentence:
        return False
    return _CUE.search(sentence) is not None or any(name.kind == "dataset" for name in known)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence."""
    starts = sentence_starts(text)
    return zip(starts, [*starts[1:], len(text)], strict=True)


def _is_spelled_out(tokens: Sequence[_Token], chunk: _Chunk) -> bool:
    """Whether an ordinary abbreviation follows: "Optical Coherence Tomography (OCT)"."""
    after = [token.text for token in tokens[chunk.last + 1 : chunk.last + 3]]
    return after[:1] == ["("] and _is(after[-1]) != ""


def _is_taken(chunk: _Chunk, taken: frozenset[str]) -> bool:
    return any(word in taken for word in chunk.name.split())


def _found(text: str, sentence: Sequence[_Token], chunk: _Chunk, why: Why) -> Found:
    score = _SURE[why]
    if not chunk.is_mixed and chunk.n_words == 1:
        score -= 0.2  # "the Duke dataset" or "the Bonn dataset": a name, or whose it is
    start, end = sentence[chunk.first].start, sentence[chunk.last].end
    if chunk.name not in text[start:end].split() and text[end : end + 1] == ")":
        end += 1
    return Found(chunk.name, start, end, why, round(score, 2))


# --- one paper --------------------------------------------------------------------------------

_PLACEHOLDERS = {"dataset": "XX", "model": "MM"}
_REACH_OF_ROLES = 600  # characters to either side of a name; few sentences are longer


def candidates_of(
    work_id: str,
    texts: Sequence[tuple[Passage, Sequence[Name]]],
    *,
    run: str,
    annotator: str,
) -> list[Candidate]:
    """What one paper names that may be a dataset and is not in the catalogue.

    One candidate a name and role, the surest; a mention gives way to a use, as in uses.

    Args:
        texts: each passage with the catalogue's names in it.

    Returns: by passage and place.
    """
    if not any(_names(passage, known, frozenset()) for passage, known in texts):
        return []
    found = [(passage, known, _names(passage, known, frozenset())) for passage, known in texts]
    words = {word for _, _, names in found for name in names for word in name.name.split()}
    taken = not_data([passage.text for passage, _ in texts], frozenset(words))
    is_in_review = any(p.section == "title" and is_review(p.text) for p, _ in texts)
    best: dict[tuple[str, Role], Candidate] = {}
    for passage, known, names in found:
        kept = _names(passage, known, taken) if taken and names else names
        for name, role, score, evidence in _with_roles(passage, known, kept):
            role = "mention" if is_in_review else role
            place = key(name.name), role
            if place not in best or score > best[place].score:
                best[place] = Candidate(
                    work_id=work_id,
                    run=run,
                    name=name.name,
                    role=role,
                    why=name.why,
                    surface=passage.text[name.start : name.end],
                    section=passage.section,
                    order=passage.order,
                    start=name.start,
                    end=name.end,
                    evidence=evidence,
                    score=score,
                    annotator=annotator,
                )
    used = {name for name, role in best if role != "mention"}
    order = {(p.section, p.order): place for place, (p, _) in enumerate(texts)}
    return sorted(
        (c for (name, role), c in best.items() if role != "mention" or name not in used),
        key=lambda c: (order[c.section, c.order], c.start, c.role),
    )


def _names(passage: Passage, known: Sequence[Name], taken: frozenset[str]) -> list[Found]:
    return names_of(passage.text, known, in_title=passage.section == "title", taken=taken)


def _with_roles(
    passage: Passage, known: Sequence[Name], found: Sequence[Found]
) -> Iterator[tuple[Found, Role, float, str]]:
    """Each find with each role that its sentence gives it, the score of both, the sentence.

    Roles are read as those of the catalogue's names are; a list shares its role.
    """
    new = {Name(name.start, name.end, "dataset", name.name): name for name in found}
    apart = [name for name in known if not any(_overlap(name, other) for other in new)]
    names = sorted([*apart, *new], key=lambda name: name.start)
    text = passage.text
    for start, end in _spans(text):
        if not any(start <= name.start < end for name in new):
            continue
        inside = [name for name in names if start <= name.start < end]
        for group in grouped(inside, text):
            if not any(name in new for name in group):
                continue
            first = max(start, group[0].start - _REACH_OF_ROLES)
            last = min(end, group[-1].end + _REACH_OF_ROLES)
            marks = [(name.start, name.end, _PLACEHOLDERS[name.kind]) for name in inside]
            others = [mark for mark, name in zip(marks, inside, strict=True) if name not in group]
            mark = (group[0].start, group[-1].end, "DD")
            rewritten = template(text, first, last, [mark, *others])
            sentence = text[first:last].strip()
            for reading in read_role(sentence, rewritten, in_title=passage.section == "title"):
                for name in group:
                    if name in new:
                        score = round(new[name].score * reading.score, 3)
                        yield new[name], reading.role, score, sentence


def _overlap(one: Name, other: Name) -> bool:
    return one.start < other.end and other.start < one.end
