"""Catalogue names in text: every spelling, longest match, homonyms only in their context.

Text and names are compared without separators and case ("Image-Net" = "ImageNet"), by one
Aho-Corasick pass; what the pass finds is then checked against the text as it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Literal

import numpy as np
from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation

from annotate.letters import GOES_ON, IN_WORD, Alphabet, Letters, folded
from data.catalogue import Catalogue, Dataset, Model, key

NameKind = Literal["dataset", "model"]

# What may stand between the parts of a name where the catalogue writes none or another one; the
# invisible ones are soft hyphens and the like, which text taken from a PDF has.
_GAP = re.compile(r"[\s\-\u00ad\u200b\u2010-\u2015\u2060\u2212_/'\u2019]{1,3}")
_PLURAL = re.compile(r"(?:['\u2019]?s|['\u2019])(?!\w)")
# "BraTS 2021", "BraTS'18", "ISIC2018", "OpenImagesV4"; editions are one dataset (codebook).
_EDITION = re.compile(
    r"[\s\-\u2010-\u2015_]?(?:(?:19|20)\d\d|['\u2019]\d\d|[vV]\.?\d+)(?!\w)|(?<=[A-Za-z])\d\d(?!\w)"
)
# "ImageNet-5k", "ImageNet-128w": subsets of the dataset that is named.
_SUBSET = re.compile(r"-\d+[kwm](?!\w)", re.IGNORECASE)
_DATA_WORD = (
    r"(?:data ?sets?|data|databases?|challenges?|benchmarks?|cohorts?|collections?|corpus"
    r"|test set|training set|competition|images?|archive|repository|train(?:ing)? split)"
)
_DATA_AFTER = re.compile(rf"\W{{0,3}}(?:\[[^\]]*\]\W{{0,2}})?(?:\w+ ){{0,1}}{_DATA_WORD}\b", re.I)
_DATA_BEFORE = re.compile(rf"\b{_DATA_WORD}\W{{1,3}}(?:named |called |of )?$", re.IGNORECASE)
_LISTED = re.compile(r"\s*(?:,|;|/|&|\+|and|or|,\s*and)\s*", re.IGNORECASE)
# "github.com/mlmed/torchxrayvision" says where code is, not what was used.
_IN_ADDRESS = re.compile(r"(?:://|www\.|github\.com)\S*$")
_ADDRESS_REACH = 80
_GAP_MOST = 4  # characters between two letters of a name
_SHORT = 4  # letters: an acronym this short is not matched in lower case ("voc", "ixi")


@dataclass(frozen=True, slots=True)
class Name:
    """A catalogue name in a text: `text[start:end]` are the words as they stand."""

    start: int
    end: int
    kind: NameKind
    id: str


@dataclass(frozen=True, slots=True)
class _Alias:
    kind: NameKind
    id: str
    name: str
    key: str
    length: int  # of the key
    is_exact: bool  # the scan tells its letters from all others
    letters: str  # as they stand, for comparing case
    breaks: frozenset[int]  # where, in letters from its start, the name has a separator itself
    context: frozenset[str]
    is_ambiguous: bool


def _alias(kind: NameKind, entry: Dataset | Model, name: str, alphabet: Alphabet) -> _Alias:
    spelled = key(name)
    breaks, letters, gap = set(), 0, False
    for char in name:
        kept = len(folded(char))
        if kept and gap:
            breaks.add(letters)
        letters, gap = letters + kept, not kept
    return _Alias(
        kind,
        entry.id,
        name,
        spelled,
        len(spelled),
        alphabet.is_exact(spelled),
        _letters(name),
        frozenset(breaks),
        frozenset(entry.context),
        name in entry.ambiguous,
    )


def _letters(text: str) -> str:
    """Letters and digits as they stand, for comparing case."""
    return text if text.isalnum() else "".join(filter(str.isalnum, text))


@dataclass(slots=True)
class Scan:
    """What one pass finds in a text.

    Args:
        candidates: what is spelled like a name; they may overlap, homonyms are not settled.
        cues: where each cue word begins, and which it is.
    """

    candidates: dict[Name, _Alias] = field(default_factory=dict)
    cues: list[tuple[int, str]] = field(default_factory=list)


class Matcher:
    """Finds the names of a catalogue; build it once, it is the costly part.

    Args:
        cues: lower-case words without separators, whose places `scan` tells as well.
    """

    def __init__(self, catalogue: Catalogue, *, cues: Iterable[str] = ()) -> None:
        entries: list[tuple[NameKind, Dataset | Model]] = [
            *(("dataset", dataset) for dataset in catalogue.datasets.values()),
            *(("model", model) for model in catalogue.models.values()),
        ]
        self._cues = sorted(cues)
        spellings = {key(name) for _, entry in entries for name in entry.names} | set(self._cues)
        self._alphabet = Alphabet(spellings)
        aliases: dict[bytes, list[_Alias]] = {}
        for kind, entry in entries:
            for name in entry.names:
                alias = _alias(kind, entry, name, self._alphabet)
                if alias.length > 1:
                    aliases.setdefault(self._alphabet.spelled(alias.key), []).append(alias)
        self._aliases = list(aliases.values())
        self._scan = BytesAhoCorasick(
            [*aliases, *map(self._alphabet.spelled, self._cues)], implementation=Implementation.DFA
        )
        self._context = Words({word for _, entry in entries for word in entry.context})

    def names(self, text: str, *, context: str | None = None) -> list[Name]:
        """The names in `text`, by place; they do not overlap, the longest wins.

        Args:
            context: the whole paper's text, where homonyms look for their context words;
                `text` itself if None.
        """
        (scan,) = self.scan([text])
        surroundings = text if context is None else context
        return self.settled(text, scan, lambda: self.context_words(surroundings))

    def scan(self, texts: Sequence[str]) -> list[Scan]:
        """What is spelled like a name, and cue words, in each text: one pass over all of them."""
        scans = [Scan() for _ in texts]
        read = self._alphabet.read(texts)
        n_names = len(self._aliases)
        for index, start, end, number, offset in self._hits(read):
            scan = scans[number]
            if index >= n_names:
                place = int(read.places[start]) - offset
                scan.cues.append((place, self._cues[index - n_names]))
                continue
            places = (read.places[start:end] - offset).tolist()
            found = scan.candidates
            for alias in self._aliases[index]:
                name = _fitted(texts[number], places, alias)
                if name is not None and (name not in found or alias.length > found[name].length):
                    found[name] = alias
        return scans

    def _hits(self, read: Letters) -> list[list[int]]:
        """(alias or cue, first letter, letter after the last, text, its start) of what is found.

        Nearly all that spells a name is inside a word ("wit", "ers"), so that is dropped first.
        """
        found = self._scan.find_matches_as_indexes(read.letters, overlapping=True)
        hits = np.fromiter(chain.from_iterable(found), np.intp, 3 * len(found)).reshape(-1, 3)
        index, start, end = hits.T
        first, last = read.places[start], read.places[end - 1]
        is_apart = (
            (read.places[start - 1] < first)
            & (read.places[end] > last)
            & (last - first < (_GAP_MOST + 1) * (end - start))
            & (self._alphabet.marks(read, first - 1) & IN_WORD == 0)
            & (self._alphabet.marks(read, last + 1) & GOES_ON == 0)
        )
        kept = is_apart | (index >= len(self._aliases))
        number = np.searchsorted(read.starts, first[kept], side="right") - 1
        rows: list[list[int]] = np.column_stack([hits[kept], number, read.starts[number]]).tolist()
        return rows

    def context_words(self, text: str) -> frozenset[str]:
        """The catalogue's context words that begin a word or stand alone in `text`."""
        return self._context.found(text.casefold())

    def settled(
        self, text: str, scan: Scan, surroundings: Callable[[], frozenset[str]]
    ) -> list[Name]:
        """The names of a scanned text, by place; they do not overlap, the longest wins.

        Args:
            surroundings: gives the paper's context words; asked only where there are homonyms.
        """
        candidates = _longest(scan.candidates)
        unsettled = {name: alias for name, alias in candidates.items() if alias.is_ambiguous}
        kept = candidates.keys() - unsettled.keys()
        if unsettled:
            words = surroundings()
            known = {
                name
                for name, alias in unsettled.items()
                if alias.context & words or _beside_data(text, name)
            }
            kept |= known | _listed(text, unsettled.keys() - kept, kept)
            # A homonym that is settled settles the one listed beside it.
            kept |= _listed(text, unsettled.keys() - kept, kept)
        return sorted(_one_kind(kept, text), key=lambda name: name.start)


class Words:
    """Finds which of some words a text holds, each at the beginning of a word of the text."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(words)
        self._scan = AhoCorasick(self._words)

    def found(self, text: str) -> frozenset[str]:
        """The words that are there."""
        return frozenset(
            self._words[index]
            for index, start, _ in self._scan.find_matches_as_indexes(text, overlapping=True)
            if start == 0 or not (text[start - 1].isalnum() or text[start - 1] == "_")
        )


def _fitted(text: str, places: list[int], alias: _Alias) -> Name | None:
    """The name whose letters are at `places`, if gaps, case and what follows fit the alias."""
    first, last = places[0], places[-1] + 1
    surface = text[first:last]
    if not _case_fits(surface, alias) or not (surface.isalnum() or _gaps_fit(text, places, alias)):
        return None
    if not alias.is_exact and "".join(map(folded, surface)) != alias.key:
        return None
    tail = _tail(text, last, alias)
    if tail is None or _is_part_of_another(text, first, last + tail, alias):
        return None
    if _IN_ADDRESS.search(text, max(0, first - _ADDRESS_REACH), first):
        return None
    return Name(first, last + tail, alias.kind, alias.id)


# "Fetal-SynthSeg" and "PCA-YOLO" are other networks than SynthSeg and YOLO, "SSDD-GAN" is no SSDD.
_PREFIX = re.compile(r"(?<![\w\-])[A-Za-z]*[A-Z]\w+-\Z")
_SUFFIX = re.compile(r"-?(?:GAN|Net|Former|CLIP|SAM|DINO|Mamba|VLM|LLM)(?![a-z])")
_TITLE_SUFFIX = re.compile(r"-[A-Za-z0-9]+\s*:")
_PREFIX_REACH = 24


def _is_part_of_another(text: str, first: int, last: int, alias: _Alias) -> bool:
    """Whether the name at `text[first:last]` is a part of the name of something else."""
    if alias.kind == "dataset":
        return _SUFFIX.match(text, last) is not None
    if first == 0 and _TITLE_SUFFIX.match(text, last):
        return True  # "MAIRA-Seg: ..." begins a title of its own
    return _PREFIX.search(text, max(0, first - _PREFIX_REACH), first) is not None


def _gaps_fit(text: str, places: list[int], alias: _Alias) -> bool:
    is_capital = text[places[0]].isupper()
    for letter in range(1, len(places)):
        gap = text[places[letter - 1] + 1 : places[letter]]
        is_own = letter in alias.breaks
        if gap and not _gap_fits(gap, text[places[letter]], is_own):
            return False
        # "Fast MRI" at the head of a title is not fastMRI.
        if gap.isspace() and not is_own and is_capital != alias.name[0].isupper():
            return False
    return True


def _gap_fits(gap: str, following: str, is_own: bool) -> bool:
    if is_own:
        ends_clause = any(mark in gap for mark in ",;:!?") or ". " in gap
        return len(gap) <= _GAP_MOST and not ends_clause
    if _GAP.fullmatch(gap) is None:
        return False
    # "Image Net" and "JFT-300 M" are spellings; "deep lesion" is not DeepLesion.
    return not gap.isspace() or following.isupper() or following.isdigit()


def _tail(text: str, end: int, alias: _Alias) -> int | None:
    """How many characters after the alias still belong to the name; None if it goes on."""
    if alias.kind == "dataset" and not alias.name[-1].isdigit():
        edition = _EDITION.match(text, end)
        if edition is not None:
            return edition.end() - end
    if alias.kind == "dataset":
        subset = _SUBSET.match(text, end)
        if subset is not None:
            return subset.end() - end
    if end == len(text) or not text[end].isalnum():
        return 0
    # "WMHs" are lesions; a homonym that is a dataset has no plural.
    is_plural = _PLURAL.match(text, end) is not None and not alias.is_ambiguous
    return 0 if is_plural else None


def _case_fits(surface: str, alias: _Alias) -> bool:
    letters, wanted = _letters(surface), alias.letters
    if alias.is_ambiguous:
        return letters == wanted
    if alias.length - 1 in alias.breaks and letters[-1] != wanted[-1]:
        return False  # "ImageNet as" is not ImageNet-A in the plural
    is_acronym = len(wanted) <= _SHORT and not wanted.islower()
    # "Brain Tumor Segmentation Challenge" has a name's capitals, "brain tumor segmentation" none.
    is_phrase = len(alias.breaks) > 1 and not wanted.islower()
    return not ((is_acronym or is_phrase) and letters.islower())


def _longest(found: Mapping[Name, _Alias]) -> dict[Name, _Alias]:
    """The names that no longer one overlaps; a dataset and a model may share a place."""
    if len(found) == 1:
        return dict(found)
    kept: dict[Name, _Alias] = {}
    taken: dict[int, list[Name]] = {}  # the names kept, at each character of theirs
    # At one place the longer alias first: "ImageNet-21k" is itself, no subset of ImageNet.
    for name in sorted(found, key=lambda n: (n.start - n.end, n.start, -found[n].length)):
        # A longer name that overlaps this one has one of its ends.
        others = [*taken.get(name.start, ()), *taken.get(name.end - 1, ())]
        if all(_beside(name, other) for other in others):
            kept[name] = found[name]
            for place in range(name.start, name.end):
                taken.setdefault(place, []).append(name)
    return kept


def _beside(name: Name, other: Name) -> bool:
    """Whether both may stand: apart, or a dataset and a model of one name."""
    if name.end <= other.start or other.end <= name.start:
        return True
    return (name.start, name.end) == (other.start, other.end) and name.kind != other.kind


def _beside_data(text: str, name: Name) -> bool:
    """Whether a word such as "dataset" stands beside a dataset's name."""
    if name.kind != "dataset":
        return False
    after, before = text[name.end : name.end + 40], text[max(0, name.start - 24) : name.start]
    return bool(_DATA_AFTER.match(after) or _DATA_BEFORE.search(before))


def _listed(text: str, names: Set[Name], sure: Set[Name]) -> set[Name]:
    """Those of `names` that are listed beside a sure name of the same kind."""
    found = set()
    for kind in ("dataset", "model"):
        row = sorted((n for n in names | sure if n.kind == kind), key=lambda n: n.start)
        for one, other in pairwise(row):
            if (one in sure) != (other in sure) and _LISTED.fullmatch(text, one.end, other.start):
                found.add(one if other in sure else other)
    return found


_MODEL_WORD = re.compile(
    r"\W{0,3}(?:\w+ )?"
    r"(?:models?|weights|baselines?|tool|encoders?|backbones?|networks?|features)\b",
    re.IGNORECASE,
)


def _one_kind(names: Set[Name], text: str) -> Iterator[Name]:
    """Where a dataset and a model share a place, the one that the following words speak of."""
    shared = Counter((name.start, name.end) for name in names)
    for name in names:
        is_model = shared[name.start, name.end] > 1 and _MODEL_WORD.match(text, name.end)
        if shared[name.start, name.end] == 1 or (name.kind == "model") == bool(is_model):
            yield name
