"""Papers outside a corpus: lines of {"id", "title", "abstract"} in, lines of uses out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from annotate.pipeline import Annotation
from data.corpus import write_whole
from data.errors import InputError
from data.records import Passage, Section

_FIELDS = (
    "dataset",
    "role",
    "implied",
    "surface",
    "section",
    "start",
    "end",
    "evidence",
    "model",
    "strategy",
    "tuning",
    "score",
    "also",
)

_OF_CANDIDATES = ("role", "surface", "section", "start", "end", "evidence", "score")


def read_papers(
    path: Path, *, rejects: list[dict[str, Any]] | None = None
) -> Iterator[tuple[dict[str, Any], list[Passage]]]:
    """Each line's object with its title and abstract as passages; blank lines are skipped.

    Args:
        path: a JSONL file.
        rejects: bad lines are set aside here, as {"line", "reason", "text"}; if None, the first
            one is raised.

    Raises:
        InputError: the file is missing; or a line is bad and there is no `rejects`.
    """
    try:
        lines = path.open("rb")
    except OSError as e:
        raise InputError(f"cannot be read: {e.strerror}; check the path", path=path) from e
    with lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.strip():
                continue
            try:
                paper = _paper(raw)
            except ValueError as e:
                if rejects is None:
                    raise InputError(str(e), path=path, line=number) from e
                text = raw.decode("utf-8", errors="replace").rstrip("\n")
                rejects.append({"line": number, "reason": str(e), "text": text})
                continue
            yield paper, _passages(paper)


def _paper(raw: bytes) -> dict[str, Any]:
    paper = json.loads(raw)
    if not isinstance(paper, dict) or not isinstance(paper.get("id"), str) or not paper["id"]:
        raise ValueError('expected an object with a text "id", such as {"id": "W1", "title": ""}')
    for field in ("title", "abstract"):
        if not isinstance(paper.get(field), str | None):
            raise ValueError(f"{field!r} is {paper[field]!r:.40}, expected text or null")
    return paper


def _passages(paper: dict[str, Any]) -> list[Passage]:
    sections: tuple[Section, ...] = ("title", "abstract")
    return [
        Passage(work_id=paper["id"], section=section, order=0, text=paper[section], origin="file")
        for section in sections
        if paper.get(section)
    ]


def as_line(annotation: Annotation) -> dict[str, Any]:
    """An annotation as one line of the output file.

    Names that the catalogue lacks stand among the uses, under the name as written and with `known`
    false.
    """
    known = [{field: getattr(use, field) for field in _FIELDS} for use in annotation.uses]
    unknown = [
        dict.fromkeys(_FIELDS)
        | {field: getattr(each, field) for field in _OF_CANDIDATES}
        | {"dataset": each.name, "implied": False, "also": ()}
        for each in annotation.candidates
    ]
    return {
        "id": annotation.work_id,
        "uses": [
            *({**use, "known": True} for use in known),
            *({**use, "known": False} for use in unknown),
        ],
        "from_scratch": annotation.from_scratch,
    }


def write_lines(path: Path, objects: Iterable[dict[str, Any]]) -> int:
    """Write objects as JSONL, whole or not at all; returns how many.

    Raises:
        InputError: the directory does not exist.
    """
    if not path.parent.is_dir():
        raise InputError("its directory does not exist; make it first", path=path)
    count = 0

    def encoded() -> Iterator[bytes]:
        nonlocal count
        for line in objects:
            count += 1
            yield json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"

    write_whole(path, lambda file: file.writelines(encoded()))
    return count


def papers_only(
    papers: Iterable[tuple[dict[str, Any], Sequence[Passage]]],
) -> Iterator[tuple[str, Sequence[Passage]]]:
    """(id, passages) of what `read_papers` gives."""
    return ((paper["id"], passages) for paper, passages in papers)
