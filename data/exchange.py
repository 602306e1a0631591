"""Decisions out of a survey and into one: `export_decisions` and `import_decisions`.

JSON lines hold the events one by one and lose nothing. CSV and Parquet hold the current state: of
each person the last word on each proposal. The formats of other tools are in `data.other_tools`.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq

from data.catalogue import load, own_tables
from data.claims import votes
from data.corpus import Corpus, write_whole
from data.errors import InputError
from data.other_tools import (
    Place,
    Reject,
    Said,
    TextKey,
    from_doccano,
    from_label_studio,
    from_pdf_annotator,
    lines_of,
    to_doccano,
    to_label_studio,
    to_pdf_annotator,
)
from data.records import (
    CODEBOOK,
    QUEUES,
    ROLES,
    SECTIONS,
    VERDICTS,
    Decision,
    Role,
    schema,
    to_table,
)

Format = Literal["jsonl", "csv", "parquet", "label-studio", "doccano", "pdf-annotator"]
FORMATS: tuple[Format, ...] = get_args(Format)
_BY_ENDING: Mapping[str, Format] = {
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".json": "label-studio",
}
_MUST = ("uid", "work_id", "verdict", "reviewer", "codebook", "at")
_CHOICES: Mapping[str, Sequence[str]] = {
    "verdict": VERDICTS,
    "role": ROLES,
    "proposed_role": ROLES,
    "queue": QUEUES,
    "section": SECTIONS,
}


def current(decisions: Iterable[Decision]) -> list[Decision]:
    """Of each person the last word on each proposal, oldest first; the undone count never was.

    Repeats and adjudications stand beside what the same person said otherwise; skips and notes are
    no word on anything.
    """
    kept = sorted(decisions, key=lambda made: (made.at, made.uid))
    undone = {made.undoes for made in kept if made.verdict == "undo"}
    last: dict[tuple[object, ...], Decision] = {}
    for made in kept:
        if made.verdict in ("undo", "skip", "note") or made.uid in undone:
            continue
        apart = made.queue if made.queue in ("recheck", "adjudicate") else None
        thing = made.proposed_dataset or made.dataset, made.proposed_role or made.role
        last[made.work_id, made.reviewer, apart, made.verdict == "done", *thing] = made
    return sorted(last.values(), key=lambda made: (made.at, made.uid))


# --- events and tables ------------------------------------------------------------------------


def to_jsonl(decisions: Iterable[Decision]) -> str:
    """One event a line, what is missing left out."""
    lines = [
        {name: cell for name, cell in _cells(made).items() if cell is not None}
        for made in decisions
    ]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def to_csv(decisions: Iterable[Decision]) -> str:
    """A table with the columns of `Decision`; what is missing is an empty cell."""
    written = io.StringIO()
    # Line ends as RFC 4180 has them, so that either half of one within a cell is quoted.
    writer = csv.DictWriter(written, schema(Decision).names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_cells(made) for made in decisions)
    return written.getvalue()


def _cells(made: Decision) -> dict[str, Any]:
    cells = {name: getattr(made, name) for name in schema(Decision).names}
    return cells | {"at": made.at.isoformat()}


def from_rows(
    rows: Iterable[tuple[str, Any]], *, works: frozenset[str] | None = None
) -> tuple[list[Decision], list[Reject]]:
    """The decisions of rows, and the rows that are none.

    Args:
        rows: (where it is, the row); cells are of their type, or text as in CSV.
        works: ids that a decision may speak of; any if None.
    """
    found: list[Decision] = []
    rejects: list[Reject] = []
    for where, row in rows:
        try:
            found.append(_decision(row, works))
        except (ValueError, TypeError, AttributeError) as e:
            rejects.append(Reject(where, str(e), row))
    return found, rejects


def _decision(row: Any, works: frozenset[str] | None) -> Decision:
    if not isinstance(row, Mapping):
        raise ValueError("expected an object with the fields of a decision")
    columns = {field.name: field for field in schema(Decision)}
    unknown = sorted(set(map(str, row)) - set(columns))
    if unknown:
        raise ValueError(f"no decision has a field {unknown[0]!r:.40}; expected {', '.join(_MUST)}")
    cells = {name: _cell(columns[name], value) for name, value in row.items()}
    for name in _MUST:
        if not cells.get(name):
            raise ValueError(f"{name} is missing")
    for name, choices in _CHOICES.items():
        if cells.get(name) not in (None, *choices):
            raise ValueError(f"{name} {cells[name]!r:.40} is not one of {', '.join(choices)}")
    if works is not None and cells["work_id"] not in works:
        raise ValueError(f"the survey has no work {cells['work_id']!r:.60}")
    return Decision(**cells)


def _cell(field: pa.Field, value: Any) -> Any:
    """A cell as its column's type, from that type or from its text; None for nothing."""
    if value is None or value == "":
        return None
    kind = field.type
    if pa.types.is_timestamp(kind):
        at = value if isinstance(value, date) else datetime.fromisoformat(value)
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise ValueError(f"{field.name} {value!r:.40} has no time zone; expected UTC")
        return at.astimezone(UTC)
    if pa.types.is_boolean(kind) and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if pa.types.is_string(kind) and isinstance(value, str):
        return value
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        if pa.types.is_int64(kind) and float(value) == int(value):
            return int(value)
        if pa.types.is_float64(kind):
            return float(value)
    raise ValueError(f"{field.name} is {value!r:.40}, expected {kind}")


# --- a survey ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exported:
    """How many decisions, or opinions, were written; how many have no place in a text for it."""

    n: int
    n_left_out: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Args:
        n_new, n_known: decisions that were added, and such as the survey had.
        rejects: rows that cannot be used.
    """

    n_new: int
    n_known: int
    rejects: list[Reject]


def format_of(path: Path, asked: str | None = None) -> Format:
    """The format that was asked for, or that a file's ending stands for.

    Raises:
        InputError: there is no such format, or the ending stands for none.
    """
    if asked is not None and asked not in FORMATS:
        raise InputError(f"--format {asked!r} is not one of {', '.join(FORMATS)}")
    found = asked or _BY_ENDING.get(path.suffix.lower())
    if found is None:
        raise InputError(
            f"the ending stands for no format; give --format: {', '.join(FORMATS)}", path=path
        )
    return found


def export_decisions(corpus: Corpus, path: Path, *, format: str | None = None) -> Exported:
    """Write a survey's decisions to a file; of pdf_annotator to a folder, a file a reviewer.

    Raises:
        InputError: there is no such format.
    """
    form = format_of(path, format)
    with corpus.journal_as_it_is() as journal:
        events = journal.decisions()
    state = current(events)
    if form == "jsonl":
        return _written(path, to_jsonl(events).encode(), len(events))
    if form == "csv":
        return _written(path, to_csv(state).encode(), len(state))
    if form == "parquet":
        table = to_table(Decision, state)
        write_whole(path, lambda file: pq.write_table(table, file))
        return Exported(len(state), 0)
    said = _all_said(corpus, state)
    if form == "pdf-annotator":
        path.mkdir(parents=True, exist_ok=True)
        for who in {each.reviewer for each in said}:
            own = to_pdf_annotator(each for each in said if each.reviewer == who)
            _written(path / f"{quote(who, safe=' ')}.csv", own.encode(), 0)
        return Exported(len(said), 0)
    texts = _texts(corpus, {each.work_id for each in said})
    placed = [each for each in said if each.place and _fits(each, texts)]
    if form == "label-studio":
        body = json.dumps(to_label_studio(placed, texts), ensure_ascii=False, indent=1) + "\n"
    else:
        rows = to_doccano(placed, texts)
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return Exported(_written(path, body.encode(), len(placed)).n, len(said) - len(placed))


def _written(path: Path, body: bytes, n: int) -> Exported:
    if not path.parent.is_dir():
        raise InputError("its directory does not exist; make it first", path=path)
    write_whole(path, lambda file: file.write(body))
    return Exported(n, 0)


def _fits(said: Said, texts: Mapping[TextKey, str]) -> bool:
    assert said.place is not None
    section, order, _, end = said.place
    return end <= len(texts.get((said.work_id, section, order), ""))


def _all_said(corpus: Corpus, state: Sequence[Decision]) -> list[Said]:
    """What each person says of each dataset and role now, adjudications as the adjudicator's."""
    said: dict[tuple[str, str, str, Role], Said] = {}
    places = _places(corpus)
    for made in state:
        if made.queue == "recheck" or made.verdict == "done":
            continue
        own: Place | None = None
        if made.section and made.start is not None and made.end is not None:
            own = made.section, made.order or 0, made.start, made.end
        proposed = (made.proposed_dataset, made.proposed_role)
        known = places.get((made.work_id, *proposed))
        pairs: list[tuple[str | None, Role | None, bool]] = []
        if made.verdict in ("reject", "edit"):
            pairs.append((*proposed, False))
        if made.verdict in ("accept", "edit", "add"):
            pairs.append((made.dataset, made.role, True))
        for dataset, role, yes in pairs:
            if dataset is not None and role is not None:
                place = own or places.get((made.work_id, dataset, role)) or known
                each = Said(made.reviewer, made.work_id, dataset, role, yes, place)
                said[made.reviewer, made.work_id, dataset, role] = each
    return list(said.values())


def _places(corpus: Corpus) -> dict[tuple[str, str | None, str | None], Place]:
    """(work, dataset, role) -> where its surest use stands."""
    rows = corpus.table(
        'SELECT work_id, dataset, role, section, "order", start, "end" FROM uses ORDER BY score'
    ).to_pylist()
    return {
        (row["work_id"], row["dataset"], row["role"]): (
            row["section"],
            row["order"],
            row["start"],
            row["end"],
        )
        for row in rows
    }


def _texts(corpus: Corpus, works: set[str]) -> dict[TextKey, str]:
    return {
        (work, passage.section, passage.order): passage.text
        for work, passages in corpus.passages()
        if work in works
        for passage in passages
    }


def import_decisions(
    corpus: Corpus,
    path: Path,
    *,
    format: str | None = None,
    reviewer: str | None = None,
    now: datetime,
) -> Imported:
    """Take decisions from a file into a survey's journal; those that it has stay as they are.

    Which kind of JSON lines or CSV it is, is told by its fields. Events and states keep their uid.
    What other tools say is an accept or reject where the annotator or somebody else proposes it,
    else an add, with a uid that follows from its content, so that it is taken once.

    Args:
        reviewer: of labels in files that name nobody; of pdf_annotator the file's name if None.
        now: when such labels count as given, UTC.

    Raises:
        InputError: the file cannot be read, or there is no such format.
    """
    form = format_of(path, format)
    ids = corpus.table("SELECT id, doi FROM works").to_pylist()
    works = frozenset(row["id"] for row in ids)
    if form == "parquet":
        found, rejects = from_rows(_parquet(path), works=works)
        return _stored(corpus, found, rejects)
    text = _read(path)
    if form == "csv":
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if "doc_name" not in (rows.fieldnames or []):
            lines = ((f"line {rows.line_num}", row) for row in rows)
            return _stored(corpus, *from_rows(lines, works=works))
        form = "pdf-annotator"
    if form == "pdf-annotator":
        names = {row["id"]: row["id"] for row in ids}
        names |= {row["doi"].replace("/", "_"): row["id"] for row in ids if row["doi"]}
        who = reviewer or unquote(path.stem)
        return _taken(corpus, *from_pdf_annotator(text, reviewer=who, works=names), now=now)
    if form == "label-studio":
        try:
            tasks = json.loads(text)
        except ValueError as e:
            raise InputError(f"is no JSON ({e}); export it anew", path=path) from e
        texts = _texts(corpus, set(works))
        return _taken(corpus, *from_label_studio(tasks, texts, reviewer=reviewer), now=now)
    objects, broken = lines_of(text)
    is_events = form == "jsonl" and not any(isinstance(o, dict) and "text" in o for o in objects)
    if is_events:
        rows_ = ((f"event {n}", each) for n, each in enumerate(objects, start=1))
        found, rejects = from_rows(rows_, works=works)
        return _stored(corpus, found, [*broken, *rejects])
    texts = _texts(corpus, set(works))
    said, rejects = from_doccano(objects, texts, reviewer=reviewer)
    return _taken(corpus, said, [*broken, *rejects], now=now)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as e:
        raise InputError(f"cannot be read: {e.strerror}; check the path", path=path) from e
    except UnicodeDecodeError as e:
        raise InputError(f"is not UTF-8 (byte {e.start}); save it as UTF-8", path=path) from e


def _parquet(path: Path) -> list[tuple[str, Any]]:
    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowInvalid) as e:
        raise InputError(f"cannot be read as Parquet: {e}", path=path) from e
    return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]


def _stored(corpus: Corpus, found: Sequence[Decision], rejects: list[Reject]) -> Imported:
    with corpus.journal() as journal:
        before = {made.uid for made in journal.decisions()}
        journal.decide(found)
    new = {made.uid for made in found} - before
    return Imported(len(new), len(found) - len(new), rejects)


def _taken(
    corpus: Corpus, said: Sequence[Said], rejects: list[Reject], *, now: datetime
) -> Imported:
    """Store what other tools say as decisions; what the reviewer holds already adds nothing."""
    with corpus.connect() as db:
        uses = db.sql("SELECT * FROM uses").to_arrow_table()
        decided = db.sql("SELECT * FROM decisions").to_arrow_table()
    held = {
        (row["reviewer"], row["work_id"], row["dataset"], row["role"]): (row["yes"], row["uid"])
        for row in votes(uses, decided).to_pylist()
        if not row["adjudicates"]
    }
    proposed = {(u["work_id"], u["dataset"], u["role"]) for u in uses.to_pylist()}
    proposed |= {thing[1:] for thing in held}
    known = load(extra=own_tables(corpus.path))
    made: dict[str, Decision] = {}
    n_known = 0
    for each in said:
        dataset = known.resolve(each.dataset) or each.dataset
        is_proposed = (each.work_id, dataset, each.role) in proposed
        before, uid = held.get((each.reviewer, each.work_id, dataset, each.role), (None, None))
        if before == each.yes or not (each.yes or is_proposed):
            n_known += 1
            continue
        decision = _from_said(each, dataset, is_proposed, before=uid, now=now)
        made[decision.uid] = decision
    done = _stored(corpus, list(made.values()), rejects)
    return Imported(done.n_new, done.n_known + n_known, rejects)


def _from_said(
    said: Said, dataset: str, is_proposed: bool, *, before: str | None, now: datetime
) -> Decision:
    section, order, start, end = said.place or (None, None, None, None)
    verdict: Literal["accept", "reject", "add"] = "reject" if not said.yes else "add"
    if said.yes and is_proposed:
        verdict = "accept"
    # With the decision that it replaces, since one may come back to what one said at first.
    parts = [said.reviewer, said.work_id, dataset, said.role, verdict, *(said.place or ()), before]
    return Decision(
        uid=str(uuid.uuid5(uuid.NAMESPACE_URL, "cats:" + json.dumps(parts))),
        work_id=said.work_id,
        proposed_dataset=dataset if is_proposed else None,
        proposed_role=said.role if is_proposed else None,
        verdict=verdict,
        dataset=dataset if said.yes else None,
        role=said.role if said.yes else None,
        reviewer=said.reviewer,
        codebook=CODEBOOK,
        at=now,
        section=section,
        order=order,
        start=start,
        end=end,
    )
