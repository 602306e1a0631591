"""Catalogue names in text: every spelling, longest match, homonyms only in their context.

Text and names are compared without separators and case ("Image-Net" = "ImageNet"), by one
Aho-Corasick pass; what the pass finds is then checked against the text as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from ahocorasick_rs import AhoCorasick, MatchKind

from data.catalogue import Catalogue, Dataset, Model, key

NameKind = Literal["dataset", "model"]

# What may stand between the parts of a name where the catalogue writes none or another one.
_GAP = re.compile(r"[\s\-\u2010-\u2015\u2212_/'\u2019]{1,3}")
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
    breaks: frozenset[int]  # where, in letters from its start, the name has a separator itself
    context: tuple[str, ...]
    is_ambiguous: bool


def _alias(kind: NameKind, entry: Dataset | Model, name: str) -> _Alias:
    breaks, letters, gap = set(), 0, False
    for char in name:
        kept = len(key(char))
        if kept and gap:
            breaks.add(letters)
        letters, gap = letters + kept, not kept
    return _Alias(kind, entry.id, name, frozenset(breaks), entry.context, name in entry.ambiguous)


@cache
def _folded(char: str) -> str:
    return key(char)


def _squeeze(text: str) -> tuple[str, list[int]]:
    """The text without separators and case, and the place in `text` of each letter of it."""
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        kept = _folded(char)
        letters.append(kept)
        places.extend([place] * len(kept))
    return "".join(letters), places


def _letters(text: str) -> str:
    """Letters and digits as they stand, for comparing case."""
    return "".join(char for char in text if char.isalnum())


class Matcher:
    """Finds the names of a catalogue; build it once, it is the costly part."""

    def __init__(self, catalogue: Catalogue) -> None:
        aliases: dict[str, list[_Alias]] = {}
        entries: list[tuple[NameKind, Mapping[str, Dataset] | Mapping[str, Model]]] = [
            ("dataset", catalogue.datasets),
            ("model", catalogue.models),
        ]
        for kind, table in entries:
            for entry in table.values():
                for name in entry.names:
                    aliases.setdefault(key(name), []).append(_alias(kind, entry, name))
        self._keys = [name for name in aliases if len(name) > 1]
        self._aliases = aliases
        self._scan = AhoCorasick(self._keys, matchkind=MatchKind.Standard)

    def names(self, text: str, *, context: str | None = None) -> list[Name]:
        """The names in `text`, by place; they do not overlap, the longest wins.

        Args:
            context: the whole paper's text, where homonyms look for their context words;
                `text` itself if None.
        """
        squeezed, places = _squeeze(text)
        found: dict[Name, _Alias] = {}
        for index, start, end in self._scan.find_matches_as_indexes(squeezed, overlapping=True):
            for alias in self._aliases[self._keys[index]]:
                name = _fitted(text, places, start, end, alias)
                if name is not None and len(key(alias.name)) > _length(found.get(name)):
                    found[name] = alias
        candidates = _longest(found)
        surroundings = (context if context is not None else text).casefold()
        kept = {name for name, alias in candidates.items() if not alias.is_ambiguous}
        # Twice, since a homonym that is settled settles the one listed beside it.
        for _ in range(2):
            kept |= {
                name
                for name, alias in candidates.items()
                if name not in kept and _settled(text, name, alias, surroundings, kept)
            }
        return sorted(_one_kind(kept, text), key=lambda name: name.start)


def _fitted(text: str, places: list[int], start: int, end: int, alias: _Alias) -> Name | None:
    """The name at these letters, if word boundaries, gaps and case fit the alias."""
    first, last = places[start], places[end - 1] + 1
    starts_word = not (start > 0 and places[start - 1] == first) and _starts_word(text, first)
    if not starts_word or not _gaps_fit(text, places, start, end, alias):
        return None
    tail = _tail(text, last, alias)
    if tail is None or not _case_fits(text[first:last], alias):
        return None
    return Name(first, last + tail, alias.kind, alias.id)


def _starts_word(text: str, place: int) -> bool:
    # "krizhevsky_imagenet" is a citation key, not the dataset.
    if place > 0 and (text[place - 1].isalnum() or text[place - 1] == "_"):
        return False
    return _IN_ADDRESS.search(text, max(0, place - _ADDRESS_REACH), place) is None


def _gaps_fit(text: str, places: list[int], start: int, end: int, alias: _Alias) -> bool:
    is_capital = text[places[start]].isupper()
    for letter in range(start + 1, end):
        gap = text[places[letter - 1] + 1 : places[letter]]
        is_own = letter - start in alias.breaks
        if gap and not _gap_fits(gap, text[places[letter]], is_own):
            return False
        # "Fast MRI" at the head of a title is not fastMRI.
        if gap.isspace() and not is_own and is_capital != alias.name[0].isupper():
            return False
    return True


def _gap_fits(gap: str, following: str, is_own: bool) -> bool:
    if is_own:
        ends_clause = any(mark in gap for mark in ",;:!?") or ". " in gap
        return len(gap) <= _SHORT and not ends_clause
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
    letters, wanted = _letters(surface), _letters(alias.name)
    if alias.is_ambiguous:
        return letters == wanted
    if len(key(alias.name)) - 1 in alias.breaks and letters[-1] != wanted[-1]:
        return False  # "ImageNet as" is not ImageNet-A in the plural
    is_acronym = len(wanted) <= _SHORT and not wanted.islower()
    # "Brain Tumor Segmentation Challenge" has a name's capitals, "brain tumor segmentation" none.
    is_phrase = len(alias.breaks) > 1 and not wanted.islower()
    return not ((is_acronym or is_phrase) and letters.islower())


def _longest(found: Mapping[Name, _Alias]) -> dict[Name, _Alias]:
    """The names that no longer one overlaps; a dataset and a model may share a place."""
    kept: dict[Name, _Alias] = {}
    taken: list[Name] = []
    # At one place the longer alias first: "ImageNet-21k" is itself, no subset of ImageNet.
    for name in sorted(found, key=lambda n: (n.start - n.end, n.start, -_length(found[n]))):
        if all(_beside(name, other) for other in taken):
            kept[name] = found[name]
            taken.append(name)
    return kept


def _length(alias: _Alias | None) -> int:
    return 0 if alias is None else len(key(alias.name))


def _beside(name: Name, other: Name) -> bool:
    """Whether both may stand: apart, or a dataset and a model of one name."""
    if name.end <= other.start or other.end <= name.start:
        return True
    return (name.start, name.end) == (other.start, other.end) and name.kind != other.kind


def _settled(text: str, name: Name, alias: _Alias, surroundings: str, sure: set[Name]) -> bool:
    """Whether a homonym means the catalogue's entry here.

    It does where one of its context words stands in the paper, where a word such as "dataset"
    stands beside it, or where it is listed beside a sure name of the same kind.
    """
    if any(
        re.search(rf"(?<!\w){re.escape(word)}", surroundings) is not None for word in alias.context
    ):
        return True
    after, before = text[name.end : name.end + 40], text[max(0, name.start - 24) : name.start]
    if alias.kind == "dataset" and (_DATA_AFTER.match(after) or _DATA_BEFORE.search(before)):
        return True
    return any(
        _LISTED.fullmatch(text[min(name.end, other.end) : max(name.start, other.start)])
        for other in sure
        if other.kind == name.kind
    )


_MODEL_WORD = re.compile(
    r"\W{0,3}(?:\w+ )?"
    r"(?:models?|weights|baselines?|tool|encoders?|backbones?|networks?|features)\b",
    re.IGNORECASE,
)


def _one_kind(names: set[Name], text: str) -> Iterator[Name]:
    """Where a dataset and a model share a place, the one that the following words speak of."""
    for name in names:
        twin = replace(name, kind="model" if name.kind == "dataset" else "dataset")
        twins = [other for other in names if (other.start, other.end) == (twin.start, twin.end)]
        if len(twins) == 1:
            yield name
        else:
            is_model = _MODEL_WORD.match(text, name.end) is not None
            if (name.kind == "model") == is_model:
                yield name
