"""Fill abstracts that OpenAlex lacks, from Europe PMC and arXiv, asked by identifier.

An answer's abstract is taken only where its title is the work's. Open `fill` first.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import urlencode

import msgspec

from data.corpus import CANDIDATES, Corpus, new_run
from data.errors import InputError
from data.journal import Journal
from data.protocol import Protocol, screen
from data.records import Work, from_table
from data.settings import Settings
from miner.hosts import Hosts
from miner.openalex import bare_doi, plain_text
from miner.parts import STAGE
from miner.titles import is_prolonged, match, title_of
from miner.transport import AbsentError

WHAT = "abstract"  # in the journal
_BATCH = 100  # works between two notes in the journal
_ARXIV_DOI = "10.48550/arxiv."


@dataclass(frozen=True, slots=True)
class Said:
    """What a source says of a paper: its title and abstract, as plain text."""

    title: str | None
    abstract: str | None


Answers = Mapping[str, Said]  # name of a paper, such as "pmid:1", -> what is said of it


@dataclass(frozen=True, slots=True)
class Source:
    """Where abstracts come from.

    Args:
        key: its name in files.
        name: its name in the journal.
        names_of: what it may be asked for of a work, the surest first; none if it cannot know it.
        per_request: how many works one request asks for.
        address: of the question for some names.
        read: the answers in a body.
    """

    key: str
    name: str
    names_of: Callable[[Work], tuple[str, ...]]
    per_request: int
    address: Callable[[Settings, Sequence[str]], str]
    read: Callable[[bytes], Answers]


@dataclass
class Filled:
    """What a run brought: works asked for, abstracts found by source, works that came in."""

    asked: int = 0
    found: Counter[str] = field(default_factory=Counter)
    came_in: int = 0


def fill(
    corpus: Corpus,
    protocol: Protocol,
    hosts: Hosts,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda works, expected: None,
    limit: int | None = None,
    again: bool = False,
) -> Filled:
    """Look for the abstracts of the works that lack nothing else.

    What was found or not is noted source by source after each hundred works, so a stopped run
    continues, and no source is asked twice for a work.

    Args:
        progress: is told works asked and works to ask, source by source.
        limit: ask each source for so many works at most.
        again: ask also for works that a source did not have before.

    Raises:
        NetworkError: a source does not answer; call again later.
        InputError: a source refuses all that is asked.
    """
    renew(corpus, protocol, clock=clock)
    run, total = new_run(clock()), Filled()
    asked: set[str] = set()
    for source in SOURCES:
        ids = _missing(corpus, source, again=again)[:limit]
        for number, first in enumerate(range(0, len(ids), _BATCH)):
            works = _works(corpus, ids[first : first + _BATCH])
            found, outcomes = _look_up(works, source, hosts, settings)
            if found:
                corpus.append(Work, found, name=f"abstracts-{source.key}-{run}-{number:06d}")
            with corpus.journal() as journal:
                journal.seek(WHAT, outcomes, now=clock())
                total.came_in += _screen(found, protocol, journal, clock())
            asked |= {work.id for work in works}
            total.found[source.name] += len(found)
            progress(min(first + _BATCH, len(ids)), len(ids))
    total.asked = len(asked)
    return total


def renew(corpus: Corpus, protocol: Protocol, *, clock: Callable[[], datetime]) -> int:
    """Screen works again that were left out for an abstract that they have by now.

    A newer record without the abstract leaves such works, and so does a kill after the part was
    written; where that also kept the source from the journal, it is noted from the part's name.

    Returns: how many came into the survey.
    """
    names = {source.key: source.name for source in SOURCES}
    with corpus.connect() as db:
        left_out = db.sql(
            "SELECT works.* FROM works JOIN screened ON works.id = work_id WHERE included = 0 "
            f"AND stage = '{STAGE}' AND reason = 'no abstract' AND abstract IS NOT NULL"
        ).to_arrow_table()
        unnoted = db.sql(
            "SELECT DISTINCT id, parse_filename(filename) FROM all_works "
            "WHERE starts_with(parse_filename(filename), 'abstracts-') AND id NOT IN "
            f"(SELECT work_id FROM sought WHERE what = '{WHAT}' AND found = 1)"
        ).fetchall()
    with corpus.journal() as journal:
        keys = [(work, name.split("-")[1]) for work, name in unnoted]
        origins = [(work, names.get(key, key), True, "") for work, key in keys]
        journal.seek(WHAT, origins, now=clock())
        return _screen(from_table(Work, left_out), protocol, journal, clock())


def unasked(corpus: Corpus) -> int:
    """How many works lack an abstract, nothing else, and could be asked for at some source."""
    return len({id for source in SOURCES for id in _missing(corpus, source, again=False)})


def _screen(works: Iterable[Work], protocol: Protocol, journal: Journal, now: datetime) -> int:
    outcomes = [(work.id, *screen(work, protocol)) for work in works]
    journal.screen(STAGE, outcomes, now=now)
    return sum(included for _, included, _ in outcomes)


def _missing(corpus: Corpus, source: Source, *, again: bool) -> list[str]:
    """Ids of works that lack an abstract alone and that a source may be asked for."""
    asked = f"SELECT work_id FROM sought WHERE what = '{WHAT}' AND origin = '{source.name}'"
    found = corpus.table(
        f"SELECT id, doi, links, fetched_at FROM ({CANDIDATES}) WHERE abstract IS NULL "
        f"AND id NOT IN (SELECT work_id FROM versions) "
        f"{'' if again else f'AND id NOT IN ({asked})'} ORDER BY id"
    )
    works = (Work(**row | {"links": tuple(row["links"] or ())}) for row in found.to_pylist())
    return [work.id for work in works if source.names_of(work)]


def _works(corpus: Corpus, ids: Sequence[str]) -> list[Work]:
    listed = ", ".join("'" + id.replace("'", "''") + "'" for id in ids)
    return list(from_table(Work, corpus.table(f"SELECT * FROM works WHERE id IN ({listed})")))


def _look_up(
    works: Sequence[Work], source: Source, hosts: Hosts, settings: Settings
) -> tuple[list[Work], list[tuple[str, str, bool, str]]]:
    """The works with the abstract that a source has, and what to note of all of them.

    A question that is refused is halved until the name that spoils it stands alone.

    Raises:
        InputError: all of them are refused.
    """
    found, outcomes = [], []
    refused: dict[str, InputError] = {}

    def ask(some: Sequence[Work]) -> Answers:
        url = source.address(settings, [source.names_of(work)[0] for work in some])
        try:
            return source.read(hosts.get(url).body)
        except AbsentError:
            raise  # of the service itself: it is not at this address
        except InputError as e:
            if len(some) == 1:
                refused[some[0].id] = e
                return {}
            half = len(some) // 2
            return {**ask(some[:half]), **ask(some[half:])}

    for first in range(0, len(works), source.per_request):
        some = works[first : first + source.per_request]
        answers = ask(some)
        for work in some:
            said = next((answers[n] for n in source.names_of(work) if n in answers), None)
            reason = _why_not(work, said)
            if work.id in refused:
                reason = f"refused: {refused[work.id].message}"
            if not reason and said is not None:
                found.append(replace(work, abstract=said.abstract))
            outcomes.append((work.id, source.name, not reason, reason))
    if works and len(refused) == len(works):
        raise next(iter(refused.values()))
    return found, outcomes


def _why_not(work: Work, said: Said | None) -> str:
    """Why an answer's abstract is not taken; "" if it is."""
    if said is None:
        return "not known there"
    if not said.abstract or _NONE.match(said.abstract):
        return "no abstract there"
    one, other = title_of(work.title or ""), title_of(said.title or "")
    # The identifier is the work's already: here a short title will do, if it is the same.
    is_same = one.key == other.key != "" and one.is_about == other.is_about
    return "" if is_same or match(one, other) or is_prolonged(one, other) else "another title there"


_NONE = re.compile(r"\W*(?:no abstract|abstract (?:is )?(?:not|un)\s?available|n/?a\W*$)", re.I)


# --- Europe PMC -------------------------------------------------------------------------------
# Search syntax and fields: europepmc.org/RestfulWebService, "search" with resultType=core.


def _pubmed_names(work: Work) -> tuple[str, ...]:
    names = [link for kind in ("pmid:", "pmcid:") for link in work.links if link.startswith(kind)]
    if work.doi and not work.doi.startswith(_ARXIV_DOI):
        names.append(f"doi:{work.doi}")
    return tuple(names)


def _pubmed_address(settings: Settings, names: Sequence[str]) -> str:
    question = {
        "query": " OR ".join(map(_pubmed_term, names)),
        "resultType": "core",
        "pageSize": "100",  # a paper may be there several times, as article and preprint
        "format": "json",
    }
    return f"{settings.europepmc_url}/search?{urlencode(question)}"


def _pubmed_term(name: str) -> str:
    kind, _, value = name.partition(":")
    if kind == "pmid":
        return f"(EXT_ID:{value} AND SRC:MED)"
    if kind == "pmcid":
        return f"PMCID:{value.upper()}"
    return 'DOI:"{}"'.format(re.sub(r'["\\]', "", value))


def _pubmed_answers(body: bytes) -> Answers:
    answers: dict[str, Said] = {}
    try:
        results = msgspec.json.decode(body)["resultList"]["result"]
        for result in results:
            said = Said(plain_text(result.get("title") or ""), _abstract(result))
            for name in _result_names(result):
                if said.abstract or name not in answers:
                    answers[name] = said
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise InputError(f"Europe PMC's answer is not in its shape ({type(e).__name__})") from e
    return answers


def _result_names(result: Mapping[str, Any]) -> Iterator[str]:
    if result.get("pmid"):
        yield f"pmid:{result['pmid']}"
    if result.get("pmcid"):
        yield f"pmcid:{result['pmcid'].lower().replace('pmc', 'PMC')}"
    doi = bare_doi(result.get("doi"))
    if doi:
        yield f"doi:{doi}"


def _abstract(result: Mapping[str, Any]) -> str | None:
    """The abstract as text; its headings become words of their own."""
    text = re.sub(r"<h4>\s*(.*?)[\s:]*</h4>", r" \1: ", result.get("abstractText") or "")
    return plain_text(re.sub(r"</?(?:p|br|sec|title)\b[^<>]*>", " ", text))


# --- arXiv ------------------------------------------------------------------------------------
# info.arxiv.org/help/api/user-manual.html: id_list, Atom. One request in three seconds, which
# `miner.hosts` sees to.

_ATOM = "{http://www.w3.org/2005/Atom}"


def _arxiv_names(work: Work) -> tuple[str, ...]:
    names = [link for link in work.links if link.startswith("arxiv:")]
    if work.doi and work.doi.startswith(_ARXIV_DOI):
        names.append(f"arxiv:{work.doi.removeprefix(_ARXIV_DOI)}")
    return tuple(dict.fromkeys(re.sub(r"v\d+$", "", name) for name in names))


def _arxiv_address(settings: Settings, names: Sequence[str]) -> str:
    ids = ",".join(name.removeprefix("arxiv:") for name in names)
    question = urlencode({"id_list": ids, "max_results": len(names)}, safe=",/")
    return f"{settings.arxiv_api_url}/api/query?{question}"


class _NoDoctype(ET.TreeBuilder):
    """Entities are declared in a document type, so that without one there is nothing to expand."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise InputError("arXiv's answer has a document type, which Atom has not; it is not read")


def _arxiv_answers(body: bytes) -> Answers:
    parser = ET.XMLParser(target=_NoDoctype())  # noqa: S314  see _NoDoctype
    try:
        parser.feed(body)
        feed = parser.close()
    except ET.ParseError as e:
        raise InputError(f"arXiv's answer is not XML ({e})") from e
    answers: dict[str, Said] = {}
    for entry in feed.iter(f"{_ATOM}entry"):
        id, title, summary = (entry.findtext(_ATOM + k) or "" for k in ("id", "title", "summary"))
        _, is_paper, name = id.partition("/abs/")  # an error has /api/errors
        if is_paper:
            bare = re.sub(r"v\d+$", "", name.strip().lower())
            answers[f"arxiv:{bare}"] = Said(plain_text(title), plain_text(summary))
    return answers


SOURCES: tuple[Source, ...] = (
    Source("europepmc", "Europe PMC", _pubmed_names, 20, _pubmed_address, _pubmed_answers),
    Source("arxiv", "arXiv", _arxiv_names, _BATCH, _arxiv_address, _arxiv_answers),
)
