"""What people said, in the formats of other review tools: Label Studio, doccano, pdf_annotator.

Each knows labels and no events, so what travels is what a reviewer holds now: a dataset in a role,
or that it is not. A place in the text goes along where there is one; Label Studio and doccano need
it. Undos, skips, notes and times stay behind: `data.exchange` keeps those in JSON lines.

Sources: Label Studio, https://labelstud.io/guide/task_format (a region's label and the text area
that belongs to it share an id); doccano's JSONL of sequence labelling, `"label": [[start, end,
name]]`, and of its relation projects, `"entities": [{"label", "start_offset", "end_offset"}]`;
pdf_annotator, https://github.com/TheoSourget/pdf_annotator, `pages/2_Label_A_Project.py` as of
2024 (commit 09875244): `annotations/USER.csv` with the columns doc_id, doc_name, label1, label2 and
value (True or False), by some versions comments too; without second labels doc_id, doc_name,
label1 and selected.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from data.records import ROLES, SECTIONS, Role, Section

Place = tuple[Section, int, int, int]  # section, order, start, end
TextKey = tuple[str, Section, int]  # work id, section, order
_LABEL = re.compile(r"(not )?(source|target|mention)(?:\s*:\s*(.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Said:
    """A person says that a paper uses a dataset in a role, or that it does not.

    Args:
        place: where the words stand; None if nowhere in particular.
    """

    reviewer: str
    work_id: str
    dataset: str
    role: Role
    yes: bool
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used: where it is, why not, and what it holds."""

    where: str
    reason: str
    row: Any


def _label(said: Said) -> str:
    return said.role if said.yes else f"not {said.role}"


def _passages(said: Iterable[Said]) -> dict[TextKey, list[Said]]:
    found: dict[TextKey, list[Said]] = {}
    for each in said:
        if each.place is not None:
            section, order, _, _ = each.place
            found.setdefault((each.work_id, section, order), []).append(each)
    return dict(sorted(found.items()))


# --- Label Studio -----------------------------------------------------------------------------


def to_label_studio(said: Iterable[Said], texts: Mapping[TextKey, str]) -> list[dict[str, Any]]:
    """Tasks, one a passage, with one annotation a reviewer; what has no place is left out.

    The labelling interface needs `<Labels name="role" toName="text">` with the values source,
    target, mention and their "not ...", and `<TextArea name="dataset" toName="text"
    perRegion="true"/>`.
    """
    tasks = []
    for (work_id, section, order), own in _passages(said).items():
        text = texts[work_id, section, order]
        by_person: dict[str, list[Said]] = {}
        for each in own:
            by_person.setdefault(each.reviewer, []).append(each)
        annotations = [
            {
                "reviewer": who,
                "result": [region for n, one in enumerate(of) for region in _regions(one, n, text)],
            }
            for who, of in by_person.items()
        ]
        data = {"text": text, "work_id": work_id, "section": section, "order": order}
        tasks.append({"data": data, "annotations": annotations})
    return tasks


def _regions(said: Said, number: int, text: str) -> Iterator[dict[str, Any]]:
    assert said.place is not None
    _, _, start, end = said.place
    span = {"start": start, "end": end}
    common = {"id": f"r{number}", "to_name": "text"}
    labels = span | {"text": text[start:end], "labels": [_label(said)]}
    yield common | {"from_name": "role", "type": "labels", "value": labels}
    named = span | {"text": [said.dataset]}
    yield common | {"from_name": "dataset", "type": "textarea", "value": named}


def from_label_studio(
    tasks: Any, texts: Mapping[TextKey, str], *, reviewer: str | None = None
) -> tuple[list[Said], list[Reject]]:
    """What the annotations of some tasks say, and what cannot be used.

    A region without a dataset is of the dataset that its words name.

    Args:
        texts: the passages of the survey; a task's text must be one of them.
        reviewer: of annotations that name none.
    """
    if not isinstance(tasks, list):
        return [], [Reject("file", "expected a list of tasks, as Label Studio exports JSON", None)]
    said: list[Said] = []
    rejects: list[Reject] = []
    for number, task in enumerate(tasks):
        where = f"task {number + 1}"
        try:
            place = _passage_of(task["data"], texts)
            annotations = [
                each for each in task["annotations"] if not each.get("was_cancelled", False)
            ]
            people = [(_person(each, reviewer), _by_region(each)) for each in annotations]
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            rejects.append(Reject(where, _why(e), task))
            continue
        for who, regions in people:
            for parts in regions:
                try:
                    said.append(_from_region(parts, who, place, texts[place]))
                except (KeyError, TypeError, AttributeError, ValueError) as e:
                    rejects.append(Reject(where, _why(e), parts))
    return said, rejects


def _why(e: Exception) -> str:
    return str(e) if isinstance(e, ValueError) else f"lacks {e}, or has it in another shape"


def _passage_of(data: Mapping[str, Any], texts: Mapping[TextKey, str]) -> TextKey:
    key = str(data["work_id"]), cast(Section, data["section"]), int(data["order"])
    if key[1] not in SECTIONS or key not in texts:
        raise ValueError(f"the survey has no passage {key[1]!r} {key[2]} of work {key[0]!r:.60}")
    if data["text"] != texts[key]:
        raise ValueError("the text is not the survey's any more, so that places in it are off")
    return key


def _person(annotation: Mapping[str, Any], otherwise: str | None) -> str:
    by = annotation.get("completed_by")
    by = by.get("email") if isinstance(by, Mapping) else by
    name = annotation.get("reviewer") or otherwise or (str(by) if by else None)
    if not isinstance(name, str):
        raise ValueError("names no reviewer; give one with --reviewer")
    return name


def _by_region(annotation: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    found: dict[Any, list[Mapping[str, Any]]] = {}
    for part in annotation["result"]:
        found.setdefault(part["id"], []).append(part)
    return list(found.values())


def _from_region(parts: Sequence[Mapping[str, Any]], who: str, passage: TextKey, text: str) -> Said:
    work_id, section, order = passage
    label = next((part["value"] for part in parts if part["type"] == "labels"), None)
    if label is None:
        raise ValueError("a text area without a region that has a role")
    start, end = _span(label["start"], label["end"], text, label.get("text"))
    named = [part["value"]["text"] for part in parts if part["type"] == "textarea"]
    name = (named[0] if isinstance(named[0], str) else named[0][0]) if named else None
    return _said(label["labels"][0], name, who, (work_id, (section, order, start, end)), text)


def _said(label: Any, name: str | None, who: str, at: tuple[str, Place], text: str) -> Said:
    work_id, place = at
    match = _LABEL.fullmatch(label) if isinstance(label, str) else None
    if match is None:
        raise ValueError(f"label {label!r:.60} is not one of {', '.join(ROLES)}, or not of them")
    dataset = name or match[3] or text[place[2] : place[3]]
    if not isinstance(dataset, str) or not dataset.strip():
        raise ValueError("the region names no dataset")
    return Said(who, work_id, dataset.strip(), cast(Role, match[2]), not match[1], place)


def _span(start: Any, end: Any, text: str, words: str | None = None) -> tuple[int, int]:
    """A span in characters; browsers count those beyond the first plane twice."""
    if isinstance(start, bool) or not isinstance(start, int) or not isinstance(end, int):
        raise ValueError(f"the span {start!r:.20} to {end!r:.20} is no pair of whole numbers")
    if words is not None and text[start:end] != words:
        units = text.encode("utf-16-le")
        start, end = (
            len(units[: 2 * place].decode("utf-16-le", "replace")) for place in (start, end)
        )
        if text[start:end] != words:
            raise ValueError(f"{words!r:.60} does not stand where the region says")
    if not 0 <= start < end <= len(text):
        raise ValueError(f"the span {start} to {end} is not within the {len(text)} characters")
    return start, end


# --- doccano ----------------------------------------------------------------------------------


def to_doccano(said: Iterable[Said], texts: Mapping[TextKey, str]) -> list[dict[str, Any]]:
    """Lines of sequence labelling, one a passage and reviewer; what has no place is left out.

    A label is "source: ImageNet", or "not source: ImageNet".
    """
    lines = []
    for (work_id, section, order), own in _passages(said).items():
        for who in dict.fromkeys(each.reviewer for each in own):
            labels = [
                [each.place[2], each.place[3], f"{_label(each)}: {each.dataset}"]
                for each in own
                if each.reviewer == who and each.place is not None
            ]
            line = {"text": texts[work_id, section, order], "label": labels}
            at = {"work_id": work_id, "section": section, "order": order}
            lines.append(line | at | {"reviewer": who})
    return lines


def from_doccano(
    lines: Iterable[Any], texts: Mapping[TextKey, str], *, reviewer: str | None = None
) -> tuple[list[Said], list[Reject]]:
    """What lines of doccano say, and what cannot be used.

    Args:
        lines: objects with text, the labels, and work_id, section and order as exported.
        reviewer: of lines that name none.
    """
    said: list[Said] = []
    rejects: list[Reject] = []
    for number, line in enumerate(lines, start=1):
        try:
            at = _passage_of(line, texts)
            who = _person(line, reviewer)
            labels = line.get("label", line.get("labels"))
            if labels is None:
                labels = [
                    (each["start_offset"], each["end_offset"], each["label"])
                    for each in line["entities"]
                ]
            labels = list(labels)
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            rejects.append(Reject(f"line {number}", _why(e), line))
            continue
        for label in labels:
            try:
                start, end, name = label
                first, last = _span(start, end, texts[at])
                place: Place = (at[1], at[2], first, last)
                said.append(_said(name, None, who, (at[0], place), texts[at]))
            except (TypeError, ValueError) as e:
                rejects.append(Reject(f"line {number}", _why(e), label))
    return said, rejects


# --- pdf_annotator ----------------------------------------------------------------------------


def to_pdf_annotator(said: Iterable[Said]) -> str:
    """One reviewer's CSV: a row for each dataset and role, the paper's id as the file's name."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["doc_id", "doc_name", "label1", "label2", "value"])
    numbers: dict[str, int] = {}
    for each in said:
        number = numbers.setdefault(each.work_id, len(numbers))
        writer.writerow([number, each.work_id, each.dataset, each.role, each.yes])
    return written.getvalue()


def from_pdf_annotator(
    text: str, *, reviewer: str, works: Mapping[str, str]
) -> tuple[list[Said], list[Reject]]:
    """What one reviewer's CSV says, and what cannot be used.

    `label1` is a dataset, `label2` a role. Where there are no second labels, a selected dataset is
    a target, by the codebook's rule for what is used and not said how.

    Args:
        works: name of a file without ".pdf" -> work id.
    """
    rows = csv.reader(io.StringIO(text, newline=""))
    header = next(rows, [])
    said: list[Said] = []
    rejects: list[Reject] = []
    for cells in rows:
        where = f"line {rows.line_num}"
        # Some versions write a row without the comments that their header has.
        if not len(header) - (header[-1:] == ["comments"]) <= len(cells) <= len(header):
            if cells:
                reason = f"{len(cells)} cells under {len(header)} columns; quote names with a comma"
                rejects.append(Reject(where, reason, cells))
            continue
        row = dict(zip(header, cells, strict=False))
        try:
            said.append(_from_row(row, reviewer, works))
        except (KeyError, ValueError) as e:
            rejects.append(Reject(where, _why(e), cells))
    return said, rejects


def _from_row(row: Mapping[str, str], reviewer: str, works: Mapping[str, str]) -> Said:
    name = row["doc_name"].strip().removesuffix(".pdf")
    if name not in works:
        raise ValueError(f"no work of the survey has the id or DOI {name!r:.80}")
    role = row["label2"].strip().lower() if "label2" in row else "target"
    if role not in ROLES:
        raise ValueError(f"label2 {role!r:.40} is not one of {', '.join(ROLES)}")
    value = row["value" if "label2" in row else "selected"].strip().lower()
    if value not in ("true", "false"):
        raise ValueError(f"{value!r:.40} is not True or False")
    if not row["label1"].strip():
        raise ValueError("label1 names no dataset")
    return Said(reviewer, works[name], row["label1"].strip(), role, value == "true")


def lines_of(text: str) -> tuple[list[Any], list[Reject]]:
    """The objects of JSON lines, and the lines that are none."""
    found: list[Any] = []
    rejects: list[Reject] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except ValueError as e:
                rejects.append(Reject(f"line {number}", f"is no JSON ({e})", line))
    return found, rejects
