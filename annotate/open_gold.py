"""Labels that may be given away: a gold file without anybody's text.

    python -m annotate.open_gold IN.jsonl OUT.jsonl [--readers "two people"]

Keeps id, address and, of each use, dataset, role, whether it is implied and where its words stand:
`section`, `start`, `end`. `cats evaluate --gold OUT.jsonl --texts FILE` puts the words back.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from annotate.texts import read_papers, write_lines
from data.errors import InputError
from data.records import Passage


def without_text(
    paper: Mapping[str, Any], passages: Sequence[Passage], *, readers: str | None = None
) -> dict[str, Any]:
    """One line of an open gold file.

    Args:
        paper: a labelled paper with its text.
        readers: who labelled it, if the paper itself does not say by `annotators`.

    Raises:
        InputError: the words of a use are not in the text.
    """
    line = {name: paper[name] for name in ("id", "url", "annotators") if paper.get(name)}
    if readers is not None:
        line["annotators"] = readers
    line["from_scratch"] = bool(paper.get("from_scratch"))
    line["uses"] = [_use(use, passages, paper["id"]) for use in paper["uses"]]
    return line


def _use(use: Mapping[str, Any], passages: Sequence[Passage], record: str) -> dict[str, Any]:
    kept = {name: use[name] for name in ("dataset", "role", "implied")}
    for passage in passages:
        # The name stands within its sentence; elsewhere it may stand in another role.
        sentence = passage.text.find(use.get("evidence") or use["surface"])
        start = passage.text.find(use["surface"], max(sentence, 0))
        if sentence >= 0 and start >= 0:
            end = start + len(use["surface"])
            return kept | {"section": passage.section, "start": start, "end": end}
    raise InputError(f"{use['surface']!r} is not in the text; correct the label", record=record)


def main() -> None:
    """Write an open gold file."""
    parser = argparse.ArgumentParser(description="Labels without text.")
    parser.add_argument("labelled", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--readers")
    options = parser.parse_args()
    write_lines(
        options.out,
        (
            without_text(paper, passages, readers=options.readers)
            for paper, passages in read_papers(options.labelled)
        ),
    )


if __name__ == "__main__":
    main()
