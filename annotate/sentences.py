"""Sentence boundaries for scientific prose: abbreviations and citations do not end one."""

from __future__ import annotations

import re

from spacy.language import Language
from spacy.tokens import Doc

_END = re.compile(
    r"[.!?]['\"\u201d\u2019)\]]*(?:\s*\[[^\]]{1,40}\])*\s+(?=[\"'\u201c(\[]?[A-Z0-9])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:al|e\.g|i\.e|cf|vs|etc|resp|approx|fig|figs|eq|eqs|sec|tab|ref|refs|no|nos|dr|prof"
    r"|inc|st|ca|w\.r\.t|[a-z])|\b[A-Z])$",
    re.IGNORECASE,
)


def sentence_starts(text: str) -> list[int]:
    """Where each sentence of `text` begins, the first at 0."""
    starts = [0]
    for end in _END.finditer(text):
        if _ABBREVIATION.search(text[max(0, end.start() - 8) : end.start()]) is None:
            starts.append(end.end())
    return starts


@Language.component("cats_sentences")
def cats_sentences(doc: Doc) -> Doc:
    """Set the sentence starts of a document from `sentence_starts`."""
    starts = iter(sentence_starts(doc.text))
    following: int | None = next(starts)
    for token in doc:
        token.is_sent_start = following is not None and token.idx >= following
        while following is not None and token.idx >= following:
            following = next(starts, None)
    return doc
