"""The annotator as a component of a spaCy pipeline: `nlp.add_pipe("cats")`, then `doc._.uses`.

The annotator itself does without spaCy: its steps look at letters and sentences, never at tokens,
and importing spaCy takes longer than to annotate a thousand abstracts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from spacy.language import Language
from spacy.tokens import Doc

from annotate.pipeline import Annotator
from data.errors import InputError
from data.records import SECTIONS, Passage

Doc.set_extension("uses", default=())


@Language.factory("cats", default_config={"section": "abstract"}, retokenizes=False)
def component(nlp: Language, name: str, section: str) -> Callable[[Doc], Doc]:
    """A component that reads a document as one passage and sets `doc._.uses`, by place.

    Args:
        section: of the paper that the texts are, such as "abstract" or "methods".

    >>> nlp = spacy.blank("en")
    >>> nlp.add_pipe("cats")
    >>> [(use.dataset, use.role) for use in nlp("We pretrain on ImageNet.")._.uses]
    [('ImageNet', 'source')]
    """
    if section not in SECTIONS:
        raise InputError(f"section {section!r} is not one of {', '.join(SECTIONS)}; choose one")
    annotator = _annotator()

    def annotated(doc: Doc) -> Doc:
        passage = Passage(work_id="doc", section=section, order=0, text=doc.text, origin="spaCy")
        (annotation,) = annotator.annotate([("doc", [passage])], run="spaCy")
        doc._.uses = annotation.uses
        return doc

    return annotated


@cache
def _annotator() -> Annotator:
    return Annotator()
