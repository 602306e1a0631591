"""A passage cut into runs for the panel: what is evidence, what names a dataset, what gives cue.

Runs are cut here since Python counts characters where a browser counts UTF-16 units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

Run = tuple[str, str, str]  # text, CSS classes, what a mark says when pointed at

# Words that the codebook's roles turn on. They guide the eye; the annotator has rules of its own.
_CUE = re.compile(
    r"\b(?:pre[-\u2010\u2011 ]?train\w*|fine[-\u2010\u2011 ]?tun\w*|initiali[sz]\w*|from scratch"
    r"|transfer(?:s|red|ring|able|ability)?(?: learning)?|weights|backbones?|frozen|zero[- ]shot"
    r"|train(?:ed|ing|s)?(?= (?:on|with|using|from)\b)|distil\w*|adapt(?:s|ed|ing|ation)?"
    r"|source domain|target domain|foundation models?|linear prob\w*"
    r"|(?:evaluat|validat|benchmark)\w*|test(?:s|ed|ing)?(?= (?:on|with|using|set)\b)"
    r"|experiments?(?= (?:on|with|using)\b))(?!\w)",
    re.IGNORECASE,
)


def runs(
    text: str, spans: Sequence[Mapping[str, Any]], *, sentence: str | None = None
) -> list[Run]:
    """`text` in pieces, in order, whose texts joined are `text`.

    Args:
        spans: start, end, role, dataset, own and who of each use; `own` ones are what is asked
            about, and `who` is the person who selected the words, or "".
        sentence: the evidence, if it is in the text; cue words are marked in it only.
    """
    first = text.find(sentence) if sentence else -1
    evidence = (first, first + len(sentence or "")) if first >= 0 else (0, 0)
    cues = [found.span() for found in _CUE.finditer(text, *evidence)]
    edges = {0, len(text), *evidence}
    edges.update(edge for span in spans for edge in (span["start"], span["end"]))
    edges.update(edge for cue in cues for edge in cue)
    found: list[Run] = []
    for a, b in pairwise(sorted(edge for edge in edges if 0 <= edge <= len(text))):
        named = [span for span in spans if _holds((span["start"], span["end"]), a, b)]
        classes = _classes(named, cues, evidence, a, b)
        found.append((text[a:b], classes, "; ".join(_says(span) for span in named)))
    return found


def _holds(span: tuple[int, int], a: int, b: int) -> bool:
    return span[0] <= a and b <= span[1]


def _classes(
    named: Sequence[Mapping[str, Any]],
    cues: Iterable[tuple[int, int]],
    evidence: tuple[int, int],
    a: int,
    b: int,
) -> str:
    classes: list[str] = []
    if named:
        best = next((span for span in named if span["own"]), named[0])
        classes += ["mark", "own" if best["own"] else "", best["role"] or "unsaid"]
    elif any(_holds(cue, a, b) for cue in cues):
        classes += ["mark", "cue"]
    if _holds(evidence, a, b):
        classes.append("evidence")
    return " ".join(filter(None, classes))


def _says(span: Mapping[str, Any]) -> str:
    said = f"{span['dataset']}: {span['role']}" if span["role"] else str(span["dataset"])
    return f"{said}, {span['who']}" if span["who"] else said
