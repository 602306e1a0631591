"""Evidence that two works are versions of one paper: a name they share, or title, author and year.

Each link holds for its two works alone; `miner.versions` makes groups of them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations, groupby

from data.records import Work
from miner.names import agree, name_keys, overlap, share_given
from miner.titles import is_prolonged, match, shared_words, similarity, title_of

_MOST_SHARED = 4  # works: an identifier, or a title of one author, that more bear names a series
_YEARS = 3  # from preprint to journal
_YEARS_BACK = 1  # ... or where both are of one kind, or the preprint came later
_ALIKE = 0.85  # works that share an identifier are one if their titles are this alike
_RELATED = 0.5  # ... or with this share of words in common and the same first author
_CO_AUTHORS = 0.5  # of the shorter list, in both
_LONG_TITLE = 6  # words that count: enough beside one author alone
_CROWD = 40  # works: above it, pairs are looked for by author

_HASH, _PLACE_BITS = (1 << 61) - 1, 32
_LABELS = {"doi": "DOI", "arxiv": "arXiv id", "pmid": "PubMed id", "pmcid": "PMC id"}
_VERSION = re.compile(r"(?<=[/.\d])v\d{1,2}$")
_ARXIV_DOI = "doi:10.48550/arxiv."
_PREPRINT_VENUE = re.compile(
    r"arxiv|[a-z]rxiv|research square|ssrn|preprint|authorea|\bhal\b|openreview|zenodo",
    re.IGNORECASE,
)
_CONFERENCE_VENUE = re.compile(
    r"proceedings of the .*(?:conference|symposium|workshop|meeting)|conference|symposium|workshop"
    r"|congress|lecture notes|\bproc\.",
    re.IGNORECASE,
)
JOURNAL, CONFERENCE, UNKNOWN, PREPRINT = range(4)
# Works of other types (data, software, errata, theses) may bear a paper's title and are not it.
_KINDS = {
    "article": JOURNAL,
    "review": JOURNAL,
    "data-paper": JOURNAL,
    "letter": JOURNAL,
    "conference-paper": CONFERENCE,
    "proceedings-article": CONFERENCE,
    "book-chapter": CONFERENCE,
    "preprint": PREPRINT,
    "posted-content": PREPRINT,
    None: UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Version:
    """What of a work is looked at; small, since a survey may hold millions.

    Args:
        names: identifiers such as `arxiv:2101.00001`, without their version numbers.
        authors: one a line.
        first_day: date of publication, or the last day of its year.
        kind: `JOURNAL` before `CONFERENCE` before `UNKNOWN` before `PREPRINT`.
    """

    id: str
    title: str
    names: tuple[str, ...]
    authors: str
    year: int | None
    first_day: date
    kind: int
    has_text: bool
    doi: str | None
    venue: str | None

    @property
    def author(self) -> str:
        """The first author, "" where unknown."""
        return self.authors.partition("\n")[0]

    @property
    def co_authors(self) -> list[str]:
        """All authors but the first."""
        return self.authors.split("\n")[1:]


@dataclass(frozen=True, slots=True)
class Link:
    """Evidence that two works are one.

    Args:
        by_name: they share an identifier, which is stronger than a title.
        alike: how alike the titles are, from 0 to 1.
    """

    one: Version
    other: Version
    by_name: bool
    alike: float
    reason: str

    def weakness(self) -> tuple[bool, float, str, str, str]:
        """What sorts links, the strongest first; no two links are equal in it."""
        return (not self.by_name, -self.alike, self.one.id, self.other.id, self.reason)


def version_of(work: Work) -> Version:
    """What of a work is looked at."""
    names = {bare_name(name) for name in work.links}
    if work.doi:
        names.add(bare_name(f"doi:{work.doi}"))
    return Version(
        id=work.id,
        title=work.title or "",
        names=tuple(sorted(names)),
        authors="\n".join(work.authors),
        year=work.year,
        first_day=work.date or date(work.year or date.max.year, 12, 31),
        kind=kind_of(work),
        has_text=bool(work.abstract),
        doi=work.doi,
        venue=work.venue,
    )


def is_paper(work: Work) -> bool:
    """Whether a work is of a type that can be a version of a paper."""
    return work.type in _KINDS


def kind_of(work: Work) -> int:
    """`JOURNAL`, `CONFERENCE`, `UNKNOWN` or `PREPRINT`.

    The venue corrects the type: OpenAlex calls many proceedings papers articles.
    """
    kind, venue = _KINDS.get(work.type, UNKNOWN), work.venue or ""
    if _PREPRINT_VENUE.search(venue):
        return PREPRINT
    return CONFERENCE if kind == JOURNAL and _CONFERENCE_VENUE.search(venue) else kind


def bare_name(name: str) -> str:
    """An identifier without its version, an arXiv DOI as the arXiv id.

    >>> bare_name("doi:10.48550/arxiv.2101.00001v2")
    'arxiv:2101.00001'
    """
    name = name.lower()
    if name.startswith(_ARXIV_DOI):
        name = "arxiv:" + name.removeprefix(_ARXIV_DOI)
    if name.startswith("doi:10.12688/"):  # F1000 and its sisters number the rounds of a paper
        return re.sub(r"\.\d{1,2}$", "", name)
    # JMIR posts a manuscript under the number of the later article.
    name = name.replace("doi:10.2196/preprints.", "doi:10.2196/")
    return _VERSION.sub("", name).rstrip("/.")


def links(known: Sequence[Version]) -> list[Link]:
    """All links between works, the strongest first.

    Args:
        known: sorted by id.
    """
    return sorted([*_same_names(known), *_same_titles(known)], key=Link.weakness)


def gainsay(one: Version, other: Version) -> bool:
    """Another number in the title, or a correction beside its paper: not one work, ever."""
    if not (one.title and other.title):
        return False
    left, right = title_of(one.title), title_of(other.title)
    return left.is_about != right.is_about or left.numbers != right.numbers


def contradict(one: Version, other: Version) -> bool:
    """Whether two works cannot be one on the strength of a title, be it through a third."""
    return gainsay(one, other) or _authors_differ(one, other) or _years_apart(one, other) > _YEARS


def _authors_differ(one: Version, other: Version) -> bool:
    return bool(one.authors and other.authors) and not agree(one.author, other.author)


def _years_apart(one: Version, other: Version) -> int:
    return abs(one.year - other.year) if one.year is not None and other.year is not None else 0


def _runs(keys: Iterable[tuple[str, int]]) -> Iterator[tuple[int, list[int]]]:
    """The `_mark` of each key that several share, and their places.

    Hashes are sorted, which takes a fifth of the memory of a table of keys; a clash brings works
    together that are then found to have nothing in common.
    """
    marked = sorted({_mark(key) << _PLACE_BITS | place for key, place in keys})
    for mark, run in groupby(marked, key=lambda both: both >> _PLACE_BITS):
        places = [both & ((1 << _PLACE_BITS) - 1) for both in run]
        if len(places) > 1:
            yield mark, places


def _mark(key: str) -> int:
    return hash(key) & _HASH


# --- by name ------------------------------------------------------------------------------------


def _same_names(known: Sequence[Version]) -> Iterator[Link]:
    keys = ((name, place) for place, version in enumerate(known) for name in version.names)
    for mark, places in _runs(keys):
        bearers = defaultdict(list)
        for place in places:
            for name in known[place].names:
                if _mark(name) == mark:
                    bearers[name].append(known[place])
        for name, works in bearers.items():
            yield from _by_name(name, works)


def _by_name(name: str, works: Sequence[Version]) -> Iterator[Link]:
    """Links by a name that at most four works share, none of them with a clearly other title."""
    if len(works) > _MOST_SHARED:
        return
    pairs = list(combinations(works, 2))
    if not all(_is_one_name(name, *pair) for pair in pairs):
        return
    kind, _, value = name.partition(":")
    value = value.upper() if kind == "pmcid" else value
    for one, other in pairs:
        alike = similarity(title_of(one.title), title_of(other.title))
        yield Link(one, other, True, alike, f"same {_LABELS.get(kind, kind)} {value}")


def _is_one_name(name: str, one: Version, other: Version) -> bool:
    """Whether titles and authors allow that two works share a name because they are one."""
    if gainsay(one, other):
        return False
    if not (one.title and other.title):
        return not _authors_differ(one, other)
    left, right = title_of(one.title), title_of(other.title)
    if left.key in (right.key, right.main) or left.main == right.key:
        return True
    if name.startswith("doi:") and _is_container(name, one, other):
        return False
    if similarity(left, right) >= _ALIKE:
        return True
    is_same = bool(one.authors and other.authors) and agree(one.author, other.author)
    return is_same and shared_words(left, right) >= _RELATED


def _is_container(name: str, one: Version, other: Version) -> bool:
    """Whether a shared DOI may be that of a proceedings or a data set.

    A paper's DOI is one work's own and another work's link; OpenAlex merges what has the same DOI,
    so two works with it, or two that only link to it, are more likely to lie in the same volume.
    """
    own = [version.doi for version in (one, other) if version.doi]
    is_own = any(bare_name(f"doi:{doi}") == name for doi in own)
    return not is_own or (len(own) == 2 and own[0] == own[1])


# --- by title -----------------------------------------------------------------------------------


def _same_titles(known: Sequence[Version]) -> Iterator[Link]:
    """Links by title, first author and year, without titles that an author gave a whole series."""
    found: dict[tuple[str, str], Link] = {}
    for block in _blocks(known):
        for one, other in _pairs(block):
            if (one.id, other.id) not in found:
                link = _by_title(one, other)
                if link is not None:
                    found[one.id, other.id] = link
    partners = Counter(id for pair in found for id in pair)
    for pair, link in found.items():
        if max(partners[id] for id in pair) <= _MOST_SHARED:
            yield link


def _blocks(known: Sequence[Version]) -> Iterator[list[Version]]:
    """Works whose titles share a key; every two titles that can be one are in some block."""
    keys = (
        (key, place)
        for place, version in enumerate(known)
        if version.title and version.authors and version.year is not None
        for key in title_of(version.title).blocks()
    )
    for _, places in _runs(keys):
        yield [known[place] for place in places]


def _pairs(block: Sequence[Version]) -> Iterator[tuple[Version, Version]]:
    """Pairs to compare, sorted within by id; in a large block only those with a name in common."""
    if len(block) <= _CROWD:
        yield from combinations(block, 2)
        return
    by_author: dict[str, list[Version]] = defaultdict(list)
    for version in block:
        for key in name_keys(version.author):
            by_author[key].append(version)
    for group in by_author.values():
        yield from combinations(group, 2)


def _by_title(one: Version, other: Version) -> Link | None:
    """The link between two works with one title, first author and time, or None."""
    left, right = title_of(one.title), title_of(other.title)
    is_same = match(left, right)
    if not (is_same or is_prolonged(left, right)):
        return None
    if not _are_near(one, other) or _are_two(one, other) or not agree(one.author, other.author):
        return None
    shared = overlap(one.co_authors, other.co_authors)
    is_alone = not (one.co_authors and other.co_authors)
    if is_alone and not (len(left.words) >= _LONG_TITLE and share_given(one.author, other.author)):
        return None
    # A subtitle more or less is believed only where all authors are the same.
    all_same = len(one.co_authors) == len(other.co_authors) and shared == 1
    if not (all_same or (is_same and (is_alone or shared >= _CO_AUTHORS))):
        return None
    alike = similarity(left, right)
    aside = "" if is_same else ", a subtitle aside"
    return Link(one, other, False, alike, f"title {alike:.2f}{aside}, first author and year")


def _are_near(one: Version, other: Version) -> bool:
    """Whether one can have become the other: a preprint may wait for its journal."""
    early, late = sorted((one, other), key=lambda version: (version.year or 0, -version.kind))
    return _years_apart(early, late) <= (_YEARS if early.kind > late.kind else _YEARS_BACK)


def _are_two(one: Version, other: Version) -> bool:
    """Two arXiv ids, or two DOIs or years in one venue: authors or editors hold them apart."""
    preprints = [{n for n in v.names if n.startswith("arxiv:")} for v in (one, other)]
    if all(preprints) and not preprints[0] & preprints[1]:
        return True
    if one.kind != other.kind or one.kind == PREPRINT or set(one.names) & set(other.names):
        return False
    is_one_venue = one.venue == other.venue is not None
    return is_one_venue and (bool(one.doi and other.doi) or one.year != other.year)
