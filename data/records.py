"""What flows between the rooms: one frozen dataclass a record, one Arrow schema each.

The dataclass is the only definition: its Arrow schema, with a description a column, is derived
from it by `schema`. Missing is `None`; ids are canonical (`W123`, bare lower-case DOI); times are
UTC. `passage.text[use.start:use.end] == use.surface`, always.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

Section = Literal[
    "title",
    "abstract",
    "introduction",
    "methods",
    "results",
    "discussion",
    "caption",
    "table",
    "availability",
    "other",
]
Role = Literal["source", "target", "mention"]
Strategy = Literal[
    "supervised",
    "self-supervised",
    "vision-language",
    "domain adaptation",
    "multi-task",
    "distillation",
    "generative",
]
Tuning = Literal["frozen", "fine-tuned"]
Verdict = Literal["accept", "reject", "edit", "add", "done", "skip", "note", "undo"]
Queue = Literal["gold", "uncertain", "disagree", "new-name", "recheck", "paper", "adjudicate"]
State = Literal["machine", "accepted", "rejected", "added", "disputed"]
Presence = Literal["named", "cited", "both"]

SECTIONS: tuple[Section, ...] = get_args(Section)
ROLES: tuple[Role, ...] = get_args(Role)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
QUEUES: tuple[Queue, ...] = get_args(Queue)

CODEBOOK = "1.1"  # version of annotate/codebook.md, kept with each decision

_REQUIRED: Any = dataclasses.MISSING


def _column(description: str, default: Any = _REQUIRED) -> Any:
    return dataclasses.field(default=default, metadata={"description": description})


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One paper, as a bibliographic source describes it."""

    id: str = _column("OpenAlex id (W...) or local:...")
    doi: str | None = _column("DOI, bare and lower-case", None)
    title: str | None = _column("title, plain text", None)
    abstract: str | None = _column("abstract, plain text", None)
    year: int | None = _column("year of publication", None)
    date: date | None = _column("date of publication", None)
    type: str | None = _column("OpenAlex type, such as article or conference-paper", None)
    language: str | None = _column("ISO 639-1 code", None)
    venue: str | None = _column("journal, proceedings or preprint server", None)
    publisher: str | None = _column("who publishes the venue", None)
    links: tuple[str, ...] = _column(
        "its other names, of all its versions: doi:10..., arxiv:2101.00001, pmid:1, pmcid:PMC1", ()
    )
    authors: tuple[str, ...] = _column("names in the paper's order", ())
    countries: tuple[str, ...] = _column("ISO 3166-1 alpha-2 of the authors' institutions", ())
    topics: tuple[str, ...] = _column("OpenAlex topic ids (T...), best first", ())
    references: tuple[str, ...] = _column("ids of the works it cites", ())
    cited_by: int | None = _column("number of works that cite it", None)
    is_oa: bool | None = _column("an open copy is known", None)
    oa_url: str | None = _column("address of the open copy", None)
    license: str | None = _column("licence of the open copy", None)
    is_retracted: bool | None = _column("marked as retracted", None)
    updated: datetime | None = _column("last change at the source, UTC", None)
    fetched_at: datetime = _column("when it was fetched, UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The text of one section of a work; `Use` offsets count its characters."""

    work_id: str = _column("id of the work")
    section: Section = _column("which section")
    order: int = _column("position among the work's passages of that section, from 0")
    text: str = _column("plain text")
    origin: str = _column("where the text came from")
    license: str | None = _column("licence of the text", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Here this paper names this dataset, in this role."""

    work_id: str = _column("id of the work")
    run: str = _column("the annotation run that found it")
    dataset: str = _column("catalogue id of the dataset")
    role: Role = _column("source, target or mention")
    implied: bool = _column("read off a pretrained model's name, not off the dataset's")
    surface: str = _column("the words as they stand in the passage")
    section: Section = _column("section of the passage")
    order: int = _column("position of the passage in its section")
    start: int = _column("first character of the surface in the passage")
    end: int = _column("character after the surface")
    evidence: str = _column("the sentence that shows it")
    model: str | None = _column("pretrained model that carries it, if named", None)
    strategy: Strategy | None = _column("how the source was learned from", None)
    tuning: Tuning | None = _column("what is transferred stays frozen or is fine-tuned", None)
    score: float = _column("probability that dataset and role are right")
    annotator: str = _column("name@version of what found it")
    also: tuple[str, ...] = _column("other sentences that show it, surest first", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Here this paper names what may be a dataset that the catalogue lacks."""

    work_id: str = _column("id of the work")
    run: str = _column("the annotation run that found it")
    name: str = _column("the name without article or expansion")
    role: Role = _column("source, target or mention, were it a dataset")
    why: str = _column("the rule that found it")
    surface: str = _column("the words as they stand in the passage")
    section: Section = _column("section of the passage")
    order: int = _column("position of the passage in its section")
    start: int = _column("first character of the surface in the passage")
    end: int = _column("character after the surface")
    evidence: str = _column("the sentence that shows it")
    score: float = _column("how sure it is that this is a dataset in this role")
    annotator: str = _column("name@version of what found it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person said of a proposed use; append-only, so an undo is a decision too."""

    uid: str = _column("unique id, made where the key was pressed")
    work_id: str = _column("id of the work")
    proposed_dataset: str | None = _column("dataset on the screen; none when added by hand", None)
    proposed_role: Role | None = _column("role on the screen; none when added by hand", None)
    verdict: Verdict = _column(
        "accept, reject, edit, add, done (the paper has no other use), skip, note or undo"
    )
    dataset: str | None = _column("dataset that the person decided on", None)
    role: Role | None = _column("role that the person decided on", None)
    undoes: str | None = _column("uid of the decision that an undo takes back", None)
    note: str | None = _column("free text", None)
    reviewer: str = _column("who decided")
    codebook: str = _column("version of the codebook")
    annotator: str | None = _column("name@version of the proposal", None)
    score: float | None = _column("score of the proposal", None)
    shown_ms: int | None = _column("milliseconds on the screen", None)
    at: datetime = _column("when, UTC")
    # A journal gains a new column at its end, so what is added here is added last.
    queue: Queue | None = _column("what the item was shown for; none before queues had names", None)
    blind: bool | None = _column("proposal and score were hidden", None)
    stratum: str | None = _column("of a gold paper: where it was drawn from", None)
    weight: float | None = _column("of a gold paper: papers it stands for when drawn", None)
    section: Section | None = _column("of an added use: section of its passage", None)
    order: int | None = _column("of an added use: position of the passage in its section", None)
    start: int | None = _column("of an added use: first character of the words", None)
    end: int | None = _column("of an added use: character after the words", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """This paper used this dataset in this role: computed by `data.claims`, never stored."""

    work_id: str = _column("id of the work")
    dataset: str = _column("catalogue id of the dataset")
    role: Role = _column("source, target or mention")
    score: float = _column("best score of its uses; 1 where a person accepted")
    uses: int = _column("how many uses speak for it")
    named: bool = _column("the dataset is named")
    implied: bool = _column("a pretrained model implies it")
    cited: bool | None = _column("the dataset's paper is cited; none where unknown", None)
    presence: Presence | None = _column(
        "named, cited or both; none where a model implies it or a person added it, uncited", None
    )
    state: State = _column(
        "machine, accepted, rejected, added, or disputed: people differ and the annotator stands"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured or published transfer result."""

    source: str = _column("catalogue id of the source, or 'random'")
    target: str = _column("catalogue id of the target, or the file's name")
    model: str = _column("architecture")
    strategy: str = _column("linear probe or full fine-tune")
    fraction: float = _column("share of the training set used, in (0, 1]")
    seed: int = _column("random seed")
    metric: str = _column("such as auc")
    value: float = _column("value of the metric")
    n_train: int = _column("training images")
    n_test: int = _column("test images")
    seconds: float | None = _column("wall time, s", None)
    energy_kwh: float | None = _column("energy, kWh, as codecarbon estimates it", None)
    co2_kg: float | None = _column("CO2 equivalent, kg", None)
    origin: str = _column("'run' or a citation key")
    at: datetime = _column("when, UTC")


Record = Work | Passage | Use | Candidate | Decision | Claim | Result
R = TypeVar("R", Work, Passage, Use, Candidate, Decision, Claim, Result)

_ARROW: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    date: pa.date32(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def _arrow_type(hint: Any) -> tuple[pa.DataType, bool]:
    """The Arrow type of a Python type hint, and whether it admits None."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(arg for arg in get_args(hint) if arg is not type(None))
        return _arrow_type(inner)[0], True
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(get_args(hint)[0])[0]), False
    if get_origin(hint) is Literal:
        return pa.string(), False
    return _ARROW[hint], False


def _schema(kind: type[Record]) -> pa.Schema:
    # "date" names both a field of Work and its type, so the type is looked up by its module.
    hints = get_type_hints(kind, localns={"date": date, "datetime": datetime})
    columns = []
    for field in dataclasses.fields(kind):
        arrow_type, nullable = _arrow_type(hints[field.name])
        description = {"description": field.metadata["description"]}
        columns.append(pa.field(field.name, arrow_type, nullable, description))
    return pa.schema(columns)


_SCHEMAS = {kind: _schema(kind) for kind in get_args(Record)}


def schema(kind: type[Record]) -> pa.Schema:
    """The Arrow schema of a record, with each column's description in its metadata."""
    return _SCHEMAS[kind]


def to_table(kind: type[R], records: Iterable[R]) -> pa.Table:
    """An Arrow table of `records`, one row each, in their order; no rows for no records."""
    rows = list(records)
    columns = {name: list(map(attrgetter(name), rows)) for name in schema(kind).names}
    return pa.Table.from_pydict(columns, schema=schema(kind))


def from_table(kind: type[R], table: pa.Table) -> Iterator[R]:
    """The records of an Arrow table, in its order; columns that the record lacks are ignored."""
    wanted = [field.name for field in schema(kind)]
    listed = {field.name for field in schema(kind) if pa.types.is_list(field.type)}
    for batch in table.select(wanted).to_batches():
        for row in batch.to_pylist():
            for name in listed:
                row[name] = tuple(row[name] or ())
            yield kind(**row)


def passages_of(work: Work) -> list[Passage]:
    """The passages that every work brings along: its title and its abstract, where present."""
    texts: list[tuple[Section, str | None]] = [("title", work.title), ("abstract", work.abstract)]
    return [
        Passage(work_id=work.id, section=section, order=0, text=text, origin="openalex")
        for section, text in texts
        if text
    ]
