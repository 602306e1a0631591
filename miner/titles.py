"""Titles as they are compared: what may differ between versions of a paper is taken away.

Case, Unicode, LaTeX, punctuation, hyphens, plurals, British spelling, a few spelled-out
abbreviations and "(extended version)" do not count; every other word and every number does. So two
titles that differ in one such word ("liver", "kidney"; "supervised", "unsupervised"; "2020",
"2021"; "part I", "part II") are never the same.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

_TYPO_LETTERS = 9  # a letter more or less in a shorter word can make another word
_TYPO_HEAD = 4  # and prefixes carry the meaning: typical, atypical; hyper, hypo

_FILLER = re.compile(r"(?:an?|the|of|for|in|on|at|by|via|with|using|through|and|as|its)$")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(_NUMBERS, start=1)}
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_SINGLE_ROMAN = {"i": "1", "v": "5", "x": "10"}
_COUNTED = re.compile(r"(?:part|phase|type|stage|vol|volume|study|section|grade|paper|chapter)$")

_SPELLINGS = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"(?<=..)ies$", "y"),
        (r"(?<=[a-z]{4})(?:sis|ses)$", "s"),  # diagnosis, diagnoses
        (r"(?<=[a-z]{3})(?<![siu])s$", ""),  # images; not class, analysis, fundus
        (r"[ao]e", "e"),  # haemorrhage, oedema
        (r"(?<=..)our(?=$|ed$|ing$|al$)", "or"),  # tumour
        (r"(?<=..)y?is(?=e$|ed$|ing$|er$|ation$)", "iz"),  # localise
        (r"ys(?=e$|ed$|ing$|er$)", "yz"),  # analyse
        (r"ll", "l"),  # labelled
        (r"(?<=[tb])re$", "er"),  # centre
        (r"^grey", "gray"),
        (r"^toward$|^towards$", "toward"),
    )
]
_PHRASES = {
    "magnetic resonance imaging": "mri",
    "mr imaging": "mri",
    "computed tomography": "ct",
    "computerized tomography": "ct",
    "positron emission tomography": "pet",
    "optical coherence tomography": "oct",
    "convolutional neural network": "cnn",
    "generative adversarial network": "gan",
}
_PHRASE = re.compile(r"\b(?:" + "|".join(_PHRASES) + r")\b")

_LATEX_WORD = re.compile(r"\\(?:text|math)?(?:bf|it|rm|cal|sf|tt|sc|bb|frak|emph|sl)?\b\s*")
_ACCENT = re.compile(r"\\[\"'`^~=.]\s*\{?([A-Za-z])\}?")
_ACRONYM = re.compile(r"\(([A-Za-z][\w-]{1,9})\)")
_NOTE = (
    r"(?:extended|full|long|short|complete|revised|preprint|accepted|camera[- ]ready|arxiv|journal"
    r"|conference)"
)
_NOTES = re.compile(
    r"\[version \d+[^\]]*\]"  # F1000: [version 2; peer review: 2 approved]
    rf"|[(\[]\s*{_NOTE}\s+(?:version|abstract|paper|manuscript)\s*[)\]]"
    rf"|[(\[]\s*preprint\s*[)\]]|\s[-–—:]\s*{_NOTE}\s+(?:version|abstract)\s*$"
    r"|^\s*(?:extended abstract|preprint)\s*:\s*"
)
# A work about another work, or a piece of one, bears its title without being a version of it.
_MARK = re.compile(
    r"\b(?:erratum|errata|corrigend(?:um|a)|retract(?:ed|ion)|expression of concern|addendum"
    r"|(?:author|publisher)s?[’']? correction|supplement(?:ary|al) (?:material|information|data"
    r"|file|table|figure|appendix)s?|supporting information|decision letter|peer review"
    r"|letter to the editor|table of contents|front matter|author index)\b"
    r"|^\W*(?:corrections?\s*(?:to\b|:)|re\s*:|(?:the )?(?:authors?[’']?s? )?"
    r"(?:in )?(?:reply|response|rebuttal)\b|comment(?:s|ary)?\s*(?:on\b|:)|discussion (?:of|on)\b"
    r"|discussion\s*:|editorial\b|(?:data|code|dataset|software) (?:from|for)\b|appendix\b"
    r"|supplement\b|invited comment)"
)
_GENRE = re.compile(
    r"\b(?:review|survey|overview|protocol|challenge|benchmark|dataset|database|comment|reply|update"
    r"|editorial|perspective|tutorial|part|guideline|consensus|meta|erratum|correction)\b|\d"
)
_COLON = re.compile(r"\s*:\s+|\s+[-–—]+\s+|\?\s+")
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Title:
    """A title made ready to be compared.

    Args:
        plain: its words, lower-case, as they stand.
        words: the words that count, each in one spelling.
        key: these run together, so that "x-ray", "x ray" and "xray" are one.
        main: the key of what stands before a colon, if that is long enough to name a paper.
        subtitle: the words after it.
        numbers: its numbers, sorted; also Roman, also in words.
        is_about: it names a correction, a reply, a supplement: no version of the paper it names.
    """

    plain: str
    words: tuple[str, ...]
    key: str
    main: str | None
    subtitle: str
    numbers: tuple[str, ...]
    is_about: bool

    @property
    def is_specific(self) -> bool:
        """Long enough to name one paper; "Introduction" and "Deep learning in radiology" do not."""
        return len(self.words) >= 4 and len(self.key) >= 20

    def blocks(self) -> list[str]:
        """Any two titles that `match`, or of which one `is_prolonged`, share at least one of these.

        Two titles that differ in one long word are equal in all the others and in its head.
        """
        if not self.is_specific or self.is_about:
            return []
        found = [self.key]
        if self.main is not None:
            found.append(self.main)
        for place, word in enumerate(self.words):
            if len(word) >= _TYPO_LETTERS - 1 and word.isalpha():
                masked = (*self.words[:place], word[:_TYPO_HEAD] + "*", *self.words[place + 1 :])
                found.append(" ".join(masked))
        return found


@lru_cache(maxsize=1 << 16)
def title_of(text: str) -> Title:
    """A title made ready to be compared.

    >>> title_of("Localisation of Tumours in X-ray Images").key
    'localizationtumorxrayimage'
    """
    clean = _plain_unicode(text)
    if "(" in clean:
        clean = _without_acronyms(clean)
    clean = clean.lower()
    clean = _NOTES.sub(" ", clean)
    is_about = _MARK.search(clean) is not None
    head, *tail = _COLON.split(clean.strip(), maxsplit=1)
    first = _canonical(head)
    rest = _canonical(tail[0]) if tail else ()
    words = first + rest
    is_named = len(first) >= 5 and bool(rest)
    return Title(
        plain=" ".join(_WORD.findall(clean)),
        words=words,
        key=_key(words),
        main=_key(first) if is_named else None,
        subtitle=" ".join(rest),
        numbers=tuple(sorted(n for word in words for n in _NUMBER.findall(word))),
        is_about=is_about,
    )


def similarity(left: Title, right: Title) -> float:
    """How alike two titles are as strings, from 0 to 1; `match` decides, this is for the reader."""
    return fuzz.ratio(left.plain, right.plain) / 100


def match(left: Title, right: Title) -> bool:
    """Whether the titles are one, a typing error in one long word aside."""
    if left.is_about or right.is_about or not (left.is_specific and right.is_specific):
        return False
    return left.key == right.key or _is_typo(left.words, right.words)


def is_prolonged(left: Title, right: Title) -> bool:
    """Whether one title is the other with a subtitle that does not make it another kind of text."""
    if left.is_about or right.is_about:
        return False
    for short, long in ((left, right), (right, left)):
        if long.main == short.key and short.is_specific:
            return not _GENRE.search(long.subtitle)
    return False


def shared_words(left: Title, right: Title) -> float:
    """The share of the shorter title's words that the other has; 0 if one has no words."""
    words, others = set(left.words), set(right.words)
    return len(words & others) / max(1, min(len(words), len(others)))


def _is_typo(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    if len(left) != len(right):
        return False
    odd = [pair for pair in zip(left, right, strict=True) if pair[0] != pair[1]]
    if len(odd) != 1:
        return False
    (one, other), *_ = odd
    return (
        min(len(one), len(other)) >= _TYPO_LETTERS - 1
        and max(len(one), len(other)) >= _TYPO_LETTERS
        and one.isalpha()
        and other.isalpha()
        and one[:_TYPO_HEAD] == other[:_TYPO_HEAD]
        and len(one) != len(other)
        and Levenshtein.distance(one, other, score_cutoff=1) == 1
    )


def _plain_unicode(text: str) -> str:
    """Letters without accents, Greek ones by name, LaTeX undone."""
    if not text.isascii():
        text = "".join(map(_letter, unicodedata.normalize("NFKD", text)))
    if "\\" in text:
        text = _ACCENT.sub(r"\1", text)
        text = _LATEX_WORD.sub(" ", text)
        text = text.replace("\\", " ")
    for mark, new in (("+", " plus "), ("%", " percent "), ("&", " and ")):
        text = text.replace(mark, new)
    text = re.sub(r"[${}_^~'’`]", "", text)
    return _THOUSANDS.sub("", text)


@lru_cache(maxsize=4096)
def _letter(character: str) -> str:
    if unicodedata.combining(character):
        return ""
    if "GREEK" in unicodedata.name(character, ""):
        return " " + unicodedata.name(character).rsplit(" ", 1)[-1].lower() + " "
    return character


def _without_acronyms(text: str) -> str:
    """The text without "(CNN)" after the words that it stands for."""

    def gone(found: re.Match[str]) -> str:
        letters = "".join(c for c in found[1] if c.isupper()).lower()
        before = re.findall(r"[A-Za-z]+", text[: found.start()])[-len(letters) :] if letters else []
        stands = letters and "".join(word[0].lower() for word in before) == letters
        return " " if stands else found[0]

    return _ACRONYM.sub(gone, text)


def _canonical(text: str) -> tuple[str, ...]:
    words: list[str] = []
    for word in _WORD.findall(text):
        if _FILLER.match(word):
            continue
        if word in _SINGLE_ROMAN and words and _COUNTED.match(words[-1]):
            words.append(_SINGLE_ROMAN[word])
        else:
            words.append(_spelling(word))
    line = " ".join(words)
    if "tomography" in line or "imag" in line or "network" in line:
        line = _PHRASE.sub(lambda found: _PHRASES[found[0]], line)
    return tuple(line.split())


@lru_cache(maxsize=1 << 17)
def _spelling(word: str) -> str:
    if word in _NUMBER_WORDS or word in _ROMAN:
        return _NUMBER_WORDS.get(word) or _ROMAN[word]
    if not word.isalpha() or not word.isascii():
        return word
    for pattern, new in _SPELLINGS:
        word = pattern.sub(new, word)
    return word


def _key(words: tuple[str, ...]) -> str:
    """The words run together, with a mark between two numbers: "1 23" is not "12 3"."""
    key = "".join(words)
    if not any(map(str.isdigit, key)):
        return key
    parts = [words[0]] if words else []
    for before, word in pairwise(words):
        parts.append(f"-{word}" if before[-1].isdigit() and word[0].isdigit() else word)
    return "".join(parts)
