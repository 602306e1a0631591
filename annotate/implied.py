"""What a pretrained model implies about its source: the codebook's rules I1, I2 and I3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data.catalogue import MEDICAL, NATURAL, UNSPECIFIED, Model

_W = r"(?:[\w%.]+ )"
_READY = re.compile(
    rf"pretrained {_W}{{0,3}}?(?:MM (?:and |or )?)*NN|NN {_W}{{0,3}}?pretrain(?:ed|ing)\b"
    rf"|initializ\w* {_W}{{0,6}}?(?:from|with|by|of|using) {_W}{{0,6}}?(?:MM (?:and |or )?)*NN"
    rf"|NN {_W}?(?:weights|checkpoints?|initialization)|(?:weights|checkpoints?) {_W}{{0,2}}?(?:of|from) {_W}{{0,3}}?NN"
    rf"|(?:off the shelf|ready made|frozen|publicly available|released|transferred|existing) {_W}{{0,2}}?NN"
    rf"|pretrained {_W}{{0,5}}?(?:models?|networks?|cnns?|architectures?|backbones?|encoders?|classifiers?)"
    rf"[^.;]{{0,60}}NN"
)
_TRANSFERRED = re.compile(
    rf"finetun\w* {_W}{{0,3}}?(?:MM (?:and |or )?)*NN|NN {_W}{{0,2}}?(?:finetun|was finetun|were finetun)"
    rf"|transfer learning[^.;]{{0,80}}NN|NN[^.;]{{0,60}}transfer learning"
    rf"|features? {_W}{{0,4}}?(?:from|of|by|using|with|via) {_W}{{0,3}}?(?:MM (?:and |or )?)*NN"
    rf"|NN {_W}?(?:features?|feature extractors?|embeddings?)"
)
_OWN_TRAINING = re.compile(
    rf"\bpretrain {_W}{{0,4}}NN|NN[^.;]{{0,40}}(?:pre)?trained on (?:our|a|an|the same|unlabel|large|\d|in domain|in house|private)"
    rf"|pretrained {_W}{{0,3}}NN {_W}{{0,2}}on (?:our|unlabel|\d|in domain|in house|private)"
    rf"|(?:(?:pre)?train\w*|learn\w*) {_W}{{0,4}}?(?:using|with|via|by|through) {_W}{{0,3}}?NN (?:on|over)"
    r"|from scratch"
)
_NAMED_SET = re.compile(
    rf"NN[^.;]{{0,50}}trained on {_W}{{0,4}}XX|pretrain\w* on {_W}{{0,3}}XX|XX pretrain"
)
_ONLY_A_STYLE = re.compile(
    r"NN (?:style|like|inspired|type|loss|objective|framework|paper)|(?:inspired by|similar to|akin to) (?:the )?NN"
)
_METHOD_READY = re.compile(
    rf"pretrained {_W}{{0,2}}?NN|NN (?:pretrained )?(?:weights|checkpoints?|features?|models?|backbones?|vits?|encoders?|embeddings?)"
    rf"|(?:off the shelf|frozen|publicly available|released|ready made) {_W}{{0,2}}?NN"
)
_METHOD_ON_DATA = re.compile(
    rf"NN {_W}{{0,3}}?(?:pre)?train\w* {_W}{{0,2}}?on|NN on|(?:train\w*|learn\w*|using|with|via|by) {_W}{{0,3}}?NN (?:on|over)"
)
_INTRODUCED = re.compile(
    rf"\b(?:we|paper|work) {_W}{{0,3}}?(?:propose|introduce|present|develop|release)\w* {_W}{{0,4}}?NN"
)
_USED = re.compile(
    r"\b(?:we|our|ours|this (?:paper|work|study)|using|uses?|used|adapt\w*|finetun\w*|outperform\w*"
    r"|compar\w*|evaluat\w*|benchmark\w*|leverag\w*|based on|build\w* (?:on|upon)|employ\w*|frozen"
    r"|features?|embeddings?|zero shot|linear prob\w*|backbones?|prompt\w*|surpass\w*|initializ\w*"
    r"|investigat\w*|explor\w*|apply\w*|applied|enabl\w*|appli\w*|integrat\w*|combin\w*|distill\w*)\b"
)


@dataclass(frozen=True, slots=True)
class Implication:
    """The sources that a model implies in a sentence, with the rule that says so."""

    datasets: tuple[str, ...]
    rule: str
    score: float


def implication(
    model: Model, rewritten: str, *, in_title: bool, transfers: bool, is_background: bool
) -> Implication | None:
    """What `model` implies in a sentence, or None.

    Args:
        rewritten: the sentence's template with this model as `NN`, others `MM`, datasets `XX`.
        in_title: the sentence is the paper's title.
        transfers: the paper says elsewhere that it uses transfer learning or pretrained models.
        is_background: the sentence speaks of what others did.
    """
    if model.kind == "none" or is_background or _NAMED_SET.search(rewritten):
        return None
    if _ONLY_A_STYLE.search(rewritten) or _INTRODUCED.search(rewritten):
        return None
    if model.kind == "pretrained":
        # Titles and comparisons use a model by its bare name.
        if in_title and re.match(r"NN ?:", rewritten):
            return None
        if in_title or _USED.search(rewritten):
            return Implication(model.sources, "I2: named pretrained model", 0.8)
        return Implication(model.sources, "I2: named in passing", 0.55)
    if model.kind == "method":
        if _METHOD_READY.search(rewritten) and not _METHOD_ON_DATA.search(rewritten):
            return Implication(model.sources, "I2: ready-made checkpoint of a method", 0.7)
        return None
    if _OWN_TRAINING.search(rewritten):
        return None
    if _READY.search(rewritten):
        return Implication(model.sources, "I1: pretrained backbone", 0.85)
    if _TRANSFERRED.search(rewritten):
        return Implication(model.sources, "I1: transferred backbone", 0.7)
    if transfers and not in_title:
        return Implication(model.sources, "I1: backbone of a paper that transfers", 0.5)
    return None


_TRANSFERS = re.compile(
    r"transfer[\s\-]learning|pre-?trained (?:[\w\-]+ ){0,4}(?:models?|networks?|cnns?|architectures?|backbones?)",
    re.IGNORECASE,
)


def says_transfer(text: str) -> bool:
    """Whether a paper says anywhere that it uses transfer learning or pretrained networks."""
    return _TRANSFERS.search(text) is not None


_READY_MADE = re.compile(
    r"(?:\b(?:a|an|the|existing|frozen|publicly available|off-the-shelf|large|several|various|different|external),? )*"
    r"\bpre-?trained,? (?:(?!language|on\b|and then)[\w\-/]+,? ){0,5}?"
    r"(?:models?|networks?|cnns?|encoders?|backbones?|weights|transformers?|detectors?|vlms?|architectures?"
    r"|baselines?|extractors?|classifiers?|features)\b"
    r"|\b(?:a|an|the|frozen|existing|recent|large|different|several|multiple|these) (?:[\w\-]+ ){0,3}?foundation models?\b"
    r"|\bpre-?trained on (?:[\w\-]+ ){0,4}(?:natural|medical|large-scale)[\w\- ]{0,30}(?:images?|data)\b",
    re.IGNORECASE,
)
_OWN_READY = re.compile(
    r"\b(?:our|we|to) (?:\w+ ){0,2}pre-?train(?!ed)|\b(?:propos|introduc|present|develop|build)\w* "
    r"(?:[\w\-]+ ){0,4}foundation model|pre-?trained (?:[\w\-]+ ){0,3}on (?:our|unlabel|the same|this|an? )"
    r"|\bour (?:[\w\-]+ ){0,2}pre-?trained|language models?|\bllms?\b",
    re.IGNORECASE,
)
_NATURAL = re.compile(r"\bnatural[\s\-](?:image|scene|photo)", re.IGNORECASE)
_MEDICAL = re.compile(
    r"(?:corpus of|trained on) (?:[\w\-]+ ){0,5}(?:medical|radiolog\w*|patholog\w*|clinical) (?:image|data|scan)",
    re.IGNORECASE,
)


def ready_made(sentence: str) -> Sequence[tuple[int, int, str]]:
    """(start, end, pseudo-id) of ready-made weights of which neither model nor data is named: I3."""
    found = _READY_MADE.search(sentence)
    if found is None or _OWN_READY.search(sentence):
        return []
    if _NATURAL.search(sentence):
        return [(found.start(), found.end(), NATURAL)]
    if _MEDICAL.search(sentence):
        return [(found.start(), found.end(), MEDICAL)]
    return [(found.start(), found.end(), UNSPECIFIED)]
