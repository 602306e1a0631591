"""Reference lists as references: RIS, BibTeX, CSV or TSV, PubMed's nbib. Text in, records out.

Nothing here talks to a server; `miner.lists` looks the references up. Open `references` first.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import logging
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from data.errors import InputError
from miner.openalex import ARXIV, bare_doi, plain_text
from miner.parts import Unreadable

Kind = Literal["ris", "bib", "csv", "nbib"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Fields = dict[str, list[str]]  # tag or column, lower-case -> its values
Entry = tuple[str, "Reference | Unreadable"]  # where it stands ("line 3"), and what it says

_HEAD = 1 << 16  # bytes that tell what a file is
_ENDINGS: Mapping[str, Kind] = {
    ".ris": "ris",
    ".bib": "bib",
    ".bibtex": "bib",
    ".csv": "csv",
    ".tsv": "csv",
    ".nbib": "nbib",
}
_MARKS: Mapping[Kind, re.Pattern[str]] = {
    "ris": re.compile(r"^TY  - ?\S", re.MULTILINE),
    "nbib": re.compile(r"^PMID- ?\d", re.MULTILINE),
    "bib": re.compile(r"^\s*@\s*[A-Za-z]+\s*[{(]", re.MULTILINE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One entry of a reference list; what it does not say is None.

    Args:
        doi: bare and lower-case.
        pmid: PubMed's number.
        arxiv: arXiv's id without version, `2101.00001`.
        authors: names in their order, as they stand in the list.
    """

    doi: str | None = None
    pmid: str | None = None
    arxiv: str | None = None
    title: str | None = None
    year: int | None = None
    authors: tuple[str, ...] = ()
    abstract: str | None = None
    venue: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What OpenAlex can be asked for, the surest first: `doi:...`, `pmid:...`."""
        found = [f"doi:{self.doi}"] if self.doi else []
        found += [f"pmid:{self.pmid}"] if self.pmid else []
        found += [f"doi:10.48550/arxiv.{self.arxiv}"] if self.arxiv else []
        return tuple(dict.fromkeys(found))

    @property
    def local_id(self) -> str:
        """The id of the work that stands for it where OpenAlex knows none: `local:` and a digest.

        Of its surest identifier; without one, of title, year and the first author's surname.
        """
        surname = self.authors[0].split(",")[0].split()[-1:] if self.authors else []
        described = (_folded(field) for field in (self.title or "", str(self.year), *surname))
        plain = "|".join(self.names[:1] or described)
        return f"local:{hashlib.sha256(plain.encode()).hexdigest()[:16]}"

    def as_record(self) -> dict[str, Any]:
        """The same in the shape of OpenAlex's works, under its local id."""
        places = {
            "doi": self.doi and f"https://doi.org/{self.doi}",
            "pmid": self.pmid and f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}",
            "arxiv": self.arxiv and f"https://arxiv.org/abs/{self.arxiv}",
        }
        return {
            "id": self.local_id,
            "doi": self.doi,
            "title": self.title,
            "publication_year": self.year,
            "abstract": self.abstract,
            "authorships": [{"author": {"display_name": name}} for name in self.authors],
            "primary_location": {"source": {"display_name": self.venue}},
            "ids": {name: place for name, place in places.items() if place},
        }


def kind_of(path: Path) -> Kind | None:
    """What kind of list a file is, by its content, then by its ending; None for none.

    Raises:
        InputError: it cannot be read.
    """
    head = _decoded(_bytes(path, _HEAD))
    if head.lstrip()[:1] in ("{", "["):
        return None  # JSON: works in OpenAlex's shape
    found = {kind: mark.search(head) for kind, mark in _MARKS.items()}
    first = min((m.start(), kind) for kind, m in found.items() if m) if any(found.values()) else ()
    if first:
        return first[1]
    ending = next((s for s in reversed(path.suffixes) if s.lower() != ".gz"), "")
    kind = _ENDINGS.get(ending.lower())
    line = next(iter(head.splitlines()), "")
    is_table = any(_column(cell) == "doi" for cell in re.split(r"[,;\t]", line))
    return kind or ("csv" if is_table or bare_doi(line) else None)


def read_list(path: Path, kind: Kind) -> Iterator[Entry]:
    """The entries of a file; see `references`.

    Raises:
        InputError: it cannot be read, or there is no entry in it.
    """
    text = _decoded(_bytes(path, -1))
    entries = references(text, kind)
    first = list(islice(entries, 1))
    if not first:
        raise InputError(
            f"no reference in it, read as {kind}; give RIS, BibTeX, CSV with DOIs or nbib",
            path=path,
        )
    yield from first
    yield from entries


def references(text: str, kind: Kind) -> Iterator[Entry]:
    """The entries of a list in the order of the text; one that names no paper is `Unreadable`."""
    for place, found in _READERS[kind](text):
        if isinstance(found, Unreadable):
            yield place, found
            continue
        reference = _reference(found, kind)
        if not (reference.names or reference.title):
            yield place, Unreadable("it has neither DOI, PMID, arXiv id nor title")
        else:
            yield place, reference


# --- files ------------------------------------------------------------------------------------


def _bytes(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not is_gzip:
                return file.read(size)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return unpacked.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise InputError("the .gz is damaged; fetch it again", path=path) from e
    except OSError as e:
        raise InputError(f"cannot be read ({e.strerror}); give a file", path=path) from e


def _decoded(body: bytes) -> str:
    """Text in UTF-8 or UTF-16, by its mark; else in the Latin alphabet of old Windows."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        is_cut = e.start >= _HEAD - 3  # a head may end within a character
        return body.decode("utf-8-sig", "ignore") if is_cut else body.decode("cp1252", "replace")


# --- formats ----------------------------------------------------------------------------------

_RIS = re.compile(r"([A-Z][A-Z0-9])  -(?: (.*)|$)")
_NBIB = re.compile(r"(?=.{4}-)([A-Z]{2,4}) *-(?: (.*)|$)")


def _tagged(
    text: str, line_of: re.Pattern[str], first: str
) -> Iterator[tuple[str, Fields | Unreadable]]:
    """Records of lines `TAG - value`, each begun by the tag `first`; other lines continue a value.

    A record without an end mark, as at the end of a file cut short, still counts.
    """
    fields: Fields = {}
    place, last = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = line_of.match(line)
        if found is None:
            if last and line.strip():
                fields[last][-1] += " " + line.strip()
            continue
        tag, value = found[1].lower(), found[2] or ""
        if tag == first:
            if fields:
                yield place, fields
            fields, place = {}, f"line {number}"
        if not place or tag == "er":  # before the first record, or after the last
            last = ""
            continue
        fields.setdefault(tag, []).append(value.strip())
        last = tag
    if fields:
        yield place, fields


def _ris(text: str) -> Iterator[tuple[str, Fields | Unreadable]]:
    return _tagged(text, _RIS, "ty")


def _nbib(text: str) -> Iterator[tuple[str, Fields | Unreadable]]:
    return _tagged(text, _NBIB, "pmid")


def _bib(text: str) -> Iterator[tuple[str, Fields | Unreadable]]:
    """Entries as bibtexparser reads them; one that it gives up is unreadable, the rest goes on."""
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import Entry as Block
    from bibtexparser.model import ParsingFailedBlock

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # told by us, with its place
    for block in parse_string(text).blocks:
        place = f"line {(block.start_line or 0) + 1}"
        spare = block.ignore_error_block if isinstance(block, ParsingFailedBlock) else None
        if isinstance(block, Block):
            yield place, _fields((each.key, each.value) for each in block.fields)
        elif isinstance(spare, Block):  # a key or a field that is there twice; its values are raw
            yield place, _fields((each.key, _opened(each.value)) for each in spare.fields)
        elif isinstance(block, ParsingFailedBlock):
            why = getattr(block.error, "abort_reason", None) or block.error
            yield place, Unreadable(f"not BibTeX: {why}")


def _fields(pairs: Iterable[tuple[str, Any]]) -> Fields:
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name.strip().lower(), []).append(str(value))
    return fields


def _opened(value: Any) -> str:
    text = str(value).strip()
    return text[1:-1] if text[:1] + text[-1:] in ("{}", '""') else text


def _csv(text: str) -> Iterator[tuple[str, Fields | Unreadable]]:
    """Rows under their column names; without such names, what looks like a DOI is one."""
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    delimiter = max("\t;,", key=lambda mark: (head.count(mark), mark == ","))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    while True:
        place = f"line {rows.line_num + 1}"
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as e:
            yield place, Unreadable(f"not CSV: {e}")
            continue
        if not any(cell.strip() for cell in row):
            continue
        if columns is None:
            columns = [_column(cell) for cell in row]
            if {"doi", "pmid", "title", "arxiv"} & set(columns):
                continue
            columns = []
        yield place, _row(row, columns)


def _row(row: Sequence[str], columns: Sequence[str]) -> Fields:
    if not columns:
        return {"doi": [cell for cell in row if bare_doi(cell)]}
    return _fields(zip(columns, row, strict=False))


def _column(name: str) -> str:
    """The name of a column in one spelling: Scopus, Web of Science, PubMed and Zotero have own."""
    plain = re.sub(r"[^a-z]", "", name.lower().lstrip("\ufeff"))
    return _COLUMNS.get(plain, plain)


_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("di", "doilink", "dois"), "doi"),
    **dict.fromkeys(("pubmedid", "pm", "pubmed"), "pmid"),
    **dict.fromkeys(("arxivid", "eprint"), "arxiv"),
    **dict.fromkeys(("ti", "articletitle", "documenttitle"), "title"),
    **dict.fromkeys(("publicationyear", "py", "date", "pubyear"), "year"),
    **dict.fromkeys(("author", "au", "authorfullnames", "authornames"), "authors"),
    **dict.fromkeys(("ab", "abstractnote"), "abstract"),
    **dict.fromkeys(("sourcetitle", "journal", "journalbook", "publicationtitle"), "venue"),
}
_READERS: Mapping[Kind, Callable[[str], Iterator[tuple[str, Fields | Unreadable]]]] = {
    "ris": _ris,
    "bib": _bib,
    "csv": _csv,
    "nbib": _nbib,
}

# --- fields -----------------------------------------------------------------------------------

# Where each format keeps a field, the surest place first.
_PLACES: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    "ris": {
        "doi": ("do", "di", "m3", "ur", "l3"),
        "pmid": ("an", "c7", "ur"),
        "arxiv": ("do", "ur", "l1", "an", "m1"),
        "title": ("ti", "t1", "ct"),
        "year": ("py", "y1", "da"),
        "authors": ("au", "a1"),
        "abstract": ("ab", "n2"),
        "venue": ("jo", "jf", "t2", "ja", "bt"),
    },
    "bib": {
        "doi": ("doi", "url", "ee", "note"),
        "pmid": ("pmid", "url", "note"),
        "arxiv": ("eprint", "arxivid", "arxiv", "doi", "url", "journal", "note"),
        "title": ("title",),
        "year": ("year", "date"),
        "authors": ("author",),
        "abstract": ("abstract",),
        "venue": ("journal", "journaltitle", "booktitle"),
    },
    "csv": {
        "doi": ("doi", "url", "link"),
        "pmid": ("pmid", "url", "link"),
        "arxiv": ("arxiv", "doi", "url", "link"),
        "title": ("title",),
        "year": ("year",),
        "authors": ("authors",),
        "abstract": ("abstract",),
        "venue": ("venue",),
    },
    "nbib": {
        "doi": ("lid", "aid"),
        "pmid": ("pmid",),
        "arxiv": ("lid", "aid"),
        "title": ("ti", "btti"),
        "year": ("dp", "edat"),
        "authors": ("fau", "au"),
        "abstract": ("ab",),
        "venue": ("jt", "ta"),
    },
}
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>{}|]+", re.IGNORECASE)
_OWN_ARXIV = re.compile(
    r"(?:arxiv:)?(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE
)
_PMID = re.compile(
    r"(?:pubmed\.ncbi\.nlm\.nih\.gov/|ncbi\.nlm\.nih\.gov/pubmed/|pmid:?\s*)(\d+)", re.IGNORECASE
)
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20|21)\d\d(?!\d)")
_ARXIV_DOI = "10.48550/arxiv."


def _reference(fields: Fields, kind: Kind) -> Reference:
    places = _PLACES[kind]

    def values(name: str) -> Iterator[tuple[str, str]]:
        for place in places[name]:
            for value in fields.get(place, ()):
                yield place, value

    def first(read: Callable[[str, str], str | None], name: str) -> str | None:
        return next((found for at, value in values(name) if (found := read(at, value))), None)

    def text(at: str, value: str) -> str | None:
        return plain_text(_undone(value) if kind == "bib" else value)

    doi, arxiv = first(_doi, "doi"), first(_arxiv, "arxiv")
    if doi and doi.startswith(_ARXIV_DOI):
        arxiv = doi.removeprefix(_ARXIV_DOI)
        arxiv, doi = re.sub(r"v\d+$", "", arxiv), None
    year = first(lambda at, value: (m := _YEAR.search(value)) and m[0], "year")
    listed = next((fields[place] for place in places["authors"] if place in fields), [])
    return Reference(
        doi=doi,
        pmid=first(_pmid, "pmid"),
        arxiv=arxiv,
        title=first(text, "title"),
        year=int(year) if year else None,
        authors=tuple(name for each in _authors(listed, kind) if (name := text("", each))),
        abstract=first(text, "abstract"),
        venue=first(text, "venue"),
    )


def _doi(place: str, value: str) -> str | None:
    """A DOI, also in an address, with LaTeX's escapes, or among other words."""
    value = re.sub("%2f", "/", value.replace("\\", ""), flags=re.IGNORECASE)
    whole = bare_doi(value)
    if whole is not None:
        return whole.rstrip(".,;'")
    found = _DOI.search(value)
    if found is None:
        return None
    doi = found[0].rstrip(".,;'")
    if doi.endswith(")") and doi.count("(") < doi.count(")"):
        doi = doi[:-1]
    return bare_doi(doi)


def _arxiv(place: str, value: str) -> str | None:
    own = _OWN_ARXIV.fullmatch(value.strip()) if place in ("eprint", "arxivid", "arxiv") else None
    found = own or ARXIV.search(value)
    return None if found is None else found[1].lower()


def _pmid(place: str, value: str) -> str | None:
    if place == "pmid":
        found = re.match(r"(?:pmid:?)?\s*(\d{1,9})(?:\.0)?\s*$", value, re.IGNORECASE)
    else:
        found = _PMID.search(value)
    return found[1].lstrip("0") or None if found else None


def _authors(values: Sequence[str], kind: Kind) -> list[str]:
    if kind == "bib":
        return [name for value in values for name in re.split(r"\s+and\s+", value)]
    if kind == "csv":
        marks = ";" if any(";" in value for value in values) else ","
        return [name for value in values for name in value.split(marks)]
    return list(values)


@cache
def _latex() -> Any:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(keep_comments=True)  # "10% of" is seldom meant as a comment


def _undone(value: str) -> str:
    r"""Text without LaTeX: `{\"o}` is "ö"; as it stands where there is none."""
    if not any(mark in value for mark in "\\{}$~"):
        return value
    return str(_latex().latex_to_text(value))


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())
