"""The words that introduce a dataset: "the X dataset", "datasets such as X", "trained on X".

Open `names_of` first: it takes the name-shaped chunks of each sentence and asks the rules for the
first that holds.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from annotate.chunks import (
    COLLECTION,
    DATA,
    YEAR,
    Chunk,
    Tokens,
    abbreviates,
    chunks,
    has_capital,
    is_headline,
    is_ordinary,
    made_up,
    tokens,
    words_of,
)
from annotate.matcher import Name
from annotate.sentences import Sentences

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

_WORDS_OF_DATA = ["data", *sorted({word.rstrip("s") for word in DATA})]
_N_DATA = len(_WORDS_OF_DATA)
_DATA_WORDS = AhoCorasick(
    [*_WORDS_OF_DATA, *sorted(COLLECTION - DATA)], matchkind=MatchKind.LeftmostLongest
)
_PLAIN_DATA = _WORDS_OF_DATA.index("data")

_REACH = 12  # tokens that a rule looks to either side

# Of these, words that have another sense: "FooNet presents a research challenge".
_EVERYDAY = words_of("benchmark benchmarks challenge challenges collection collections")
_SPLIT = words_of("test training train validation val evaluation testing held-out")
_SET = words_of("set sets split splits subset partition")
# Between a name and its noun: "the FooBar chest X-ray dataset", but not "FooBar uses a dataset".
_BREAKS = words_of(
    "of in on for with and or to is are was were be by from at as that which we our using use uses "
    "used than via into over under between the a an this these those its their has have had can "
    "may show shows outperforms achieves while when where but not across among during after before "
    "within against per through towards including such measures presents present"
)
_METHOD = words_of(
    "model models network networks algorithm algorithms method methods framework architecture "
    "architectures loss optimizer optimiser library toolkit gpu gpus classifier classifiers "
    "encoder decoder backbone backbones layer layers module modules approach pipeline software "
    "package tool code weights features strategy technique score scores metric metrics index "
    "loss-function baseline baselines attention detector detectors"
)
_NAMING = words_of("called named termed dubbed namely including comprising e.g i.e")
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
_BESIDE = words_of("and or , ; / & + ( ) [ ] reference the both as well either")
_AFTER_NAME = words_of(
    ". , ; : ) ( and or with using for in by to we is are was were as under at from show shows "
    "demonstrate demonstrates , images dataset datasets while when respectively without over which "
    "where than on compared images classes videos"
)
# "On" of other senses: "based on FooNet", "runs on FooChip".
_RESTS = re.compile(
    r"(?:bas|buil|rel[yi]|focus|depend|r[ua]n|attention|impact|effect|insight|implement|install"
    r"|deploy|mount|rest|expand|extend|draw|hing|center|concentrat|work|paper|review|surve)"
)
_SHARES = words_of("part parts portion half images samples classes")
_SHOWN = frozenset(("classes",))  # "FooStain images" are of a kind, not of a dataset
_USED = words_of("use used using uses utilize utilized employ employed")
_TOLD = (["results"], ["scores"])  # "we report results for FooBar"
_PRETRAINED = re.compile(r"pre-?train")
_CLOSES = frozenset((",", ".", ")", "(", ";", ":", "and", "or", "which", "with", "[", "&"))


@dataclass(frozen=True, slots=True)
class Found:
    """A name that may be a dataset's: `text[start:end]` are the words as they stand.

    Args:
        name: without an article or its expansion: "FMC" of "Finger Motion Challenge (FMC)".
        why: the rule that found it.
        score: how sure the rule is that it is a dataset.
    """

    name: str
    start: int
    end: int
    why: Why
    score: float


class _Place(NamedTuple):
    """A chunk and the words around it, lower-case."""

    chunk: Chunk
    words: Sequence[str]
    left: Sequence[str]  # without an article
    right: Sequence[str]  # without a bracket that follows the name at once
    in_title: bool


def _place(sentence: Tokens, chunk: Chunk, *, in_title: bool) -> _Place:
    first, after = chunk.first, chunk.last + 1
    left = sentence.lower(max(0, first - _REACH), first)
    right = sentence.lower(after, after + _REACH)
    return _Place(chunk, sentence.lower(first, after), left, _past_brackets(right), in_title)


def _past_brackets(words: Sequence[str]) -> Sequence[str]:
    """The words with one bracket right after the name taken out: "FMC [3] dataset"."""
    closing = _CLOSING.get(words[0]) if words else None
    if closing is None or closing not in words:
        return words
    return words[words.index(closing) + 1 :]


_CLOSING = {"(": ")", "[": "]"}


# --- rules that the words around a name suffice for ---------------------------------------------


def _is_said_data(at: _Place) -> bool:
    """ "The FooBar (chest X-ray) dataset", "FooBar data set", "FooBar 2020 challenge"."""
    if at.words[-1] in DATA and len(at.words) > 1:
        return True
    for n, word in enumerate(at.right[:5]):
        if word in DATA:
            return n < 2 or word not in _EVERYDAY
        if word == "data" and at.right[n + 1 : n + 2] in (["set"], ["sets"]):
            return True
        if _ends_phrase(word):
            return False
    return False


def _ends_phrase(word: str) -> bool:
    return not word[0].isalnum() or word in _BREAKS or word in _METHOD


def _is_called_data(at: _Place) -> bool:
    """ "A dataset, FooBar", "datasets such as FooBar", "a dataset (FooBar)"."""
    before = list(at.left)
    while before and before[-1] in _LEADING:
        before.pop()
    gap = at.left[len(before) :]
    if before and before[-1] in _NAMING and any(word in DATA for word in before[-5:-1]):
        return True
    if not before or not (before[-1] in DATA or before[-2:] in _DATA_SETS):
        return False
    if "," in gap:  # "a dataset, FooBar, of", not "on both cohorts, FooBar does"
        return not at.right or at.right[0] in _CLOSES
    return bool(gap) or (at.chunk.is_mixed and before[-1] not in _EVERYDAY)


_LEADING = words_of("the as , : ( such e g . - i")
_DATA_SETS = (["data", "set"], ["data", "sets"])


def _is_split(at: _Place) -> bool:
    """ "FooBar test set", "FooBar classification set"; not "FooBar on the test set"."""
    for word in at.right[:3] if at.chunk.is_mixed else ():
        if word in _SET:
            return word != at.right[0]
        if _ends_phrase(word):
            return False
    return False


def _is_appositive(at: _Place) -> bool:
    """ "We introduce FooBar, a new dataset of ...", "FooBar: a large benchmark for ..."."""
    if not at.chunk.is_mixed or len(at.right) < 3 or at.right[0] not in _DASHES:
        return False
    if at.right[1] not in _ARTICLES and not at.in_title:
        return False
    for word in at.right[1:]:
        if word in DATA:
            return True
        if word in _ENDS_APPOSITIVE:
            return False
    return False


_DASHES = frozenset((",", ":", "-", "\u2013", "\u2014"))
_ARTICLES = frozenset(("a", "an", "the", "our"))
_ENDS_APPOSITIVE = words_of(". , : for with that which of to from on in")


def _is_collection(at: _Place) -> bool:
    """ "The Cancer Genome Atlas"."""
    return (
        at.chunk.n_words > 1
        and not at.in_title
        and any(word in COLLECTION for word in at.words[1:])
    )


# --- rules that need a made-up name as well ------------------------------------------------------


def _stands_alone(at: _Place) -> bool:
    """Whether a made-up name is no attribute of the next word, as in "FooNet segmentation"."""
    following = at.right[0] if at.right else "."
    return at.chunk.is_mixed and (
        following in _AFTER_NAME | _SPLIT | {"-"} or _PRETRAINED.match(following) is not None
    )


def _before(at: _Place) -> Sequence[str]:
    return at.left[:-1] if at.left[-1:] == ["the"] else at.left


def _is_available(at: _Place) -> bool:
    return at.chunk.is_sure_shape and _before(at)[-2:] == ["publicly", "available"]


def _is_drawn_from(at: _Place) -> bool:
    """ "Images from FooBar", "a subset of FooBar", "FooBar classes"."""
    before = _before(at)
    if before[-1:] == ["from"] and any(_FROM.match(word) for word in before[-4:-1]):
        return True
    if before[-1:] == ["of"] and before[-2:-1] and before[-2] in _SET | _SHARES:
        return True
    return at.chunk.is_sure_shape and bool(at.right) and at.right[0] in _SHOWN


def _is_pretrained_on(at: _Place) -> bool:
    """ "FooBar-pretrained", "FooBar pre-training"."""
    following = at.right[1:2] if at.right[:1] == ["-"] else at.right[:1]
    return at.chunk.is_sure_shape and any(_PRETRAINED.match(word) for word in following)


def _on(at: _Place) -> int:
    """Where "on" or "for" leads up to the name, counted from it to the left; 0 if nowhere."""
    before = _before(at)
    for n, word in enumerate(reversed(before[-4:]), 1):
        if word in ("on", "for"):
            return n
        if word in _BREAKS:
            break
    return 0


def _is_edition(at: _Place) -> bool:
    return _on(at) > 0 and YEAR.match(at.words[-1]) is not None


def _is_tried_on(at: _Place) -> bool:
    """ "Evaluated on FooBar", "results for FooBar", "we use FooBar for training"."""
    before, n = _before(at), _on(at)
    if before[-1:] and before[-1] in _USED and at.right[:1] in (["for"], ["to"]):
        return any(map(_TRIED.match, at.right[1:4]))
    if n == 0:
        return False
    cues = before[-n - 7 : len(before) - n]
    if before[-n] == "for":
        return cues[-1:] in _TOLD
    if at.chunk.is_sure_shape:
        return not any(map(_RESTS.match, cues[-2:]))
    return any(map(_TRIED.match, cues))


_Rule = tuple[Why, Callable[[_Place], bool]]
_OF_DATA: list[_Rule] = [  # rules that need a word of data, the first of all
    ("dataset named", _is_called_data),
    ("test set", _is_split),
    ("appositive", _is_appositive),
    ("collection", _is_collection),
]
_OF_ANY: list[_Rule] = [("test set", _is_split)]
_WEAK: list[_Rule] = [
    ("publicly available", _is_available),
    ("collected from", _is_drawn_from),
    ("pretrained on", _is_pretrained_on),
    ("edition", _is_edition),
    ("evaluated on", _is_tried_on),
]


def _why(at: _Place, *, of_data: bool) -> Why | None:
    """The first rule that takes a chunk for a dataset's name; None if none does.

    Args:
        of_data: its sentence has a word of data.
    """
    if of_data and _is_said_data(at):
        return "named dataset"
    if (at.right and at.right[0] in _METHOD) or at.right[:2] == ["et", "al"]:
        return None
    rules = [*(_OF_DATA if of_data else _OF_ANY), *(_WEAK if _stands_alone(at) else ())]
    return next((why for why, holds in rules if holds(at)), None)


# --- a text ---------------------------------------------------------------------------------------


def _lists(sentence: Tokens, shaped: Sequence[Chunk]) -> Iterator[list[Chunk | str]]:
    """Lists of names ("A, B and C"); for a name of the catalogue there stands its kind."""
    items: list[tuple[int, int, Chunk | str]] = [(c.first, c.last, c) for c in shaped]
    known = [place for place, kind in enumerate(sentence.known) if kind]
    for kind, places in groupby(known, key=lambda place: sentence.known[place]):
        items += [(place, place, kind) for place in places]
    items.sort(key=lambda item: item[0])
    group: list[Chunk | str] = []
    end = -1
    for first, last, item in items:
        if group and not _is_listing(sentence.lower(end + 1, min(first, end + 1 + _REACH))):
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
    return not between or any(
        (word.isalpha() and word != "the") or word in ",;/&+" for word in between
    )


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
    ordered = sorted(known, key=_start)
    found: list[Found] = []
    for start, end, of_data in _promising(text, ordered):
        first, last = (bisect_left(ordered, place, key=_start) for place in (start, end))
        names = ordered[first:last]
        here = _names_in(tokens(text, names, start, end), in_title, taken, of_data)
        if here and _may_name(text[start:end], names):
            found += here
    return found


def _start(name: Name) -> int:
    return name.start


def _promising(text: str, known: Sequence[Name]) -> Iterator[tuple[int, int, bool]]:
    """(start, end, has a word of data) of the sentences that a rule may find a name in.

    They have a made-up name; or a capitalised one, and a word of data or a dataset's name.
    """
    made, said = list(made_up(text, known)), list(_data_words(text))
    datasets = [name.start for name in known if name.kind == "dataset"]
    if not (made or said or datasets):
        return
    sentences = Sentences(text)
    surely, of_data = sentences.numbers(made), sentences.numbers(said)
    for number in sorted(surely | of_data | sentences.numbers(datasets)):
        start, end = sentences.span(number)
        if number in surely or has_capital(text, start, end):
            yield start, end, number in of_data


def _data_words(text: str) -> Iterator[int]:
    """Where words of data stand, "data sets" and the capitalised ends of names among them."""
    lower = text.replace("\u0130", "I").lower()  # that letter alone has a longer lower case
    for word, start, end in _DATA_WORDS.find_matches_as_indexes(lower):
        if word == _PLAIN_DATA:
            following = lower[end : end + _REACH].lstrip()
            is_said = not following or following.startswith("set")
        else:
            is_said = word < _N_DATA or not text[start:end].islower()
        if is_said:
            yield start


def _names_in(
    sentence: Tokens, in_title: bool, taken: frozenset[str], of_data: bool
) -> list[Found]:
    shaped = [
        chunk
        for chunk in chunks(sentence, without_capitals=in_title and is_headline(sentence))
        if not (taken & set(chunk.name.split()) or _is_spelled_out(sentence, chunk))
    ]
    reasons = {
        chunk: _why(_place(sentence, chunk, in_title=in_title), of_data=of_data) for chunk in shaped
    }
    if not any(reasons.values()) and "dataset" not in sentence.known:
        return []
    for group in _lists(sentence, shaped):
        members = [chunk for chunk in group if isinstance(chunk, Chunk)]
        given = {reasons[chunk] for chunk in members} - {None}
        if "model" in group or not (given or "dataset" in group):
            continue
        for chunk in members:
            # "Duke" is a name beside "the datasets CUHK03 and", not beside any name.
            if chunk.is_mixed or chunk.n_words > 1 or given & _SAID:
                reasons[chunk] = reasons[chunk] or "listed"
    spans = sentence.spans()
    return [_found(sentence, spans, chunk, why) for chunk, why in reasons.items() if why]


_SAID: frozenset[Why | None] = frozenset(("named dataset", "dataset named"))
_SHAPED = re.compile(
    r"[A-Za-z0-9][A-Z]|[A-Z][\w\-]{0,40}\d|[A-Z][a-z]+ (?:of |for |in )?(?:the )?[A-Z]"
)
_CUE = re.compile(
    r"data|cohort|corp(?:us|ora)\b|benchmark|challenge|collection|registry|repository|archive"
    r"|biobank|competition|leaderboard|\b(?:on|from|us(?:e[ds]?|ing))\b|(?:results|scores) for"
    r"|subset|available|test ?set|pre-?train|initiative|atlas|study|consortium|project|decathlon"
    r"|series",
    re.IGNORECASE,
)


def _may_name(sentence: str, known: Sequence[Name]) -> bool:
    """Whether a sentence is worth reading: cheaper than to read it."""
    if _SHAPED.search(sentence) is None and "ataset" not in sentence:
        return False
    return _CUE.search(sentence) is not None or any(name.kind == "dataset" for name in known)


def _is_spelled_out(sentence: Tokens, chunk: Chunk) -> bool:
    """Whether an ordinary abbreviation follows: "Optical Coherence Tomography (OCT)"."""
    after = sentence.words[chunk.last + 1 : chunk.last + 3]
    words = sentence.words[chunk.first : chunk.last + 1]
    return after[:1] == ["("] and is_ordinary(after[-1]) != "" and abbreviates(after[-1], words)


def _found(sentence: Tokens, spans: Sequence[tuple[int, int]], chunk: Chunk, why: Why) -> Found:
    score = _SURE[why]
    if not chunk.is_mixed and chunk.n_words == 1:
        score -= 0.2  # "the Duke dataset" or "the Bonn dataset": a name, or whose it is
    text, start, end = sentence.text, spans[chunk.first][0], spans[chunk.last][1]
    if chunk.name not in text[start:end].split() and text[end : end + 1] == ")":
        end += 1
    return Found(chunk.name, start, end, why, round(score, 2))
