"""Author names as they are compared: initials, accents, order and compound surnames."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_PARTICLES = re.compile(
    r"(?:de|del|della|di|da|do|dos|das|du|la|le|van|von|der|den|het|ten|ter|el|al|bin|ibn|ben|af|av"
    r"|zu|zur|st)$"
)
_TITLES = frozenset(("jr", "sr", "dr", "prof", "md", "phd", "msc", "iii"))
_PLAIN = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "œ": "oe", "æ": "ae"}
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
_LETTERS = str.maketrans(
    _PLAIN | {k.upper(): v.title() for k, v in _PLAIN.items()} | {"ß": "ss", "ı": "i", "’": "'"}
)
_GERMAN = str.maketrans(_UMLAUTS | {k.upper(): v.title() for k, v in _UMLAUTS.items()})
_PART = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Name:
    """One reading of a name.

    Args:
        parts: all its parts, initials too, without particles, in the order given name, surname.
        surname: those of them that are surname.
        is_full: a given name is written out.
    """

    parts: tuple[str, ...]
    surname: frozenset[str]
    is_full: bool


@lru_cache(maxsize=1 << 16)
def readings(name: str) -> tuple[Name, ...]:
    """The readings of a name: accents left out, and "ü" as "ue"; none for a name without letters.

    >>> sorted(readings("Müller, J.")[1].surname)
    ['mueller']
    """
    name = unicodedata.normalize("NFC", name)
    spellings = dict.fromkeys((_folded(name), _folded(name.translate(_GERMAN))))
    return tuple(read for spelling in spellings if (read := _read(spelling)) is not None)


def agree(left: str, right: str) -> bool:
    """Whether two names can be one person's.

    Each part of the shorter name must be in the longer one, in full or as an initial, and they must
    share a surname; with given name and surname in another order, all in full.
    """
    return any(_agree(one, other) for one in readings(left) for other in readings(right))


def share_given(left: str, right: str) -> bool:
    """Whether both names write the same given name out."""
    return any(
        one.is_full and other.is_full and set(one.parts) & set(other.parts) - one.surname
        for one in readings(left)
        for other in readings(right)
    )


def overlap(left: Sequence[str], right: Sequence[str]) -> float:
    """The share of the shorter list's names that agree with one in the other; 0 for an empty one.

    Surnames alone will do, since lists of authors are cut to initials.
    """
    short, long = sorted((left, right), key=len)
    known = [read for name in long for read in readings(name)]
    surnames = {part for read in known for part in read.surname}
    whole = {frozenset(read.parts) for read in known}  # in whatever order
    shared = sum(
        any(read.surname & surnames or frozenset(read.parts) in whole for read in readings(name))
        for name in short
    )
    return shared / len(short) if short else 0.0


def name_keys(name: str) -> set[str]:
    """Any two names that `agree` share at least one of these."""
    return {part for read in readings(name) for part in read.parts if len(part) > 1}


def _agree(left: Name, right: Name) -> bool:
    short, long = sorted((left, right), key=lambda name: len(name.parts))
    if _given(left) == _given(right) and left.surname == right.surname:
        return True
    rest = list(long.parts)
    in_full = 0
    for part in sorted(short.parts, key=len, reverse=True):
        found = next((other for other in rest if _same_part(part, other)), None)
        if found is None:
            return False
        rest.remove(found)
        in_full += len(part) > 1 and len(found) > 1
    if left.surname & right.surname:
        return True
    return in_full == len(short.parts) >= 2


def _given(name: Name) -> str:
    """The given names run together: Xiao-Ming is Xiaoming."""
    return "".join(part for part in name.parts if part not in name.surname)


def _same_part(part: str, other: str) -> bool:
    if part == other:
        return True
    short, long = sorted((part, other), key=len)
    return len(short) == 1 and long.startswith(short)


def _folded(name: str) -> str:
    name = unicodedata.normalize("NFKD", name)
    name = "".join(c for c in name if not unicodedata.combining(c))
    return name.translate(_LETTERS)


def _read(name: str) -> Name | None:
    before, comma, after = name.partition(",")
    if comma and _parts(after):
        surname, given = _parts(before), _parts(after)
    else:
        surname, given = _split(before)
    surname = [part for part in surname if not _PARTICLES.match(part)] or surname
    parts = [part for part in given if not _PARTICLES.match(part)] + surname
    if not parts:
        return None
    is_full = any(len(part) > 1 for part in given)
    return Name(tuple(parts), frozenset(surname), is_full)


def _split(name: str) -> tuple[list[str], list[str]]:
    """(surname, given names) of a name without a comma: "Ann Lee", "A. Lee" or "Lee A"."""
    chunks = [chunk for chunk in name.split() if _parts(chunk)]
    if len(chunks) < 2:
        return _parts(name), []
    last = chunks[-1].replace(".", "")
    is_initials = last.isupper() and len(last) <= 2 and not chunks[0].isupper()
    if is_initials:
        return [part for chunk in chunks[:-1] for part in _parts(chunk)], list(last.lower())
    given = [part for chunk in chunks[:-1] for part in _parts(chunk)]
    return _parts(chunks[-1]), given


def _parts(text: str) -> list[str]:
    """The parts of a piece of a name, lower-case; capitals run together ("JA") are initials."""
    found: list[str] = []
    for part in _PART.findall(text.replace("'", "")):
        if part.lower() in _TITLES:
            continue
        is_initials = len(part) == 2 and part.isupper()
        found += list(part.lower()) if is_initials else [part.lower()]
    return found
