"""What a pretrained model implies about its source: the codebook's rules I1, I2 and I3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from annotate.patterns import pattern
from data.catalogue import MEDICAL, NATURAL, UNSPECIFIED, Model

# --- I1 and I2: in a template (see annotate.roles) the model is NN, others MM, datasets XX -----

_W = r"(?:[\w%.]+ )"  # one word
_LISTED = r"(?:MM (?:and |or )?)*NN"  # the model, or a list that it ends

_READY = pattern(
    rf"pretrained {_W}{{0,3}}?{_LISTED}|NN {_W}{{0,3}}?pretrain(?:ed|ing)\b"
    rf"|initializ\w* {_W}{{0,6}}?(?:from|with|by|of|using) {_W}{{0,6}}?{_LISTED}"
    rf"|NN {_W}?(?:weights|checkpoints?|initialization)"
    rf"|(?:weights|checkpoints?) {_W}{{0,2}}?(?:of|from) {_W}{{0,3}}?NN"
    r"|(?:off the shelf|ready made|frozen|publicly available|released|transferred|existing) "
    rf"{_W}{{0,2}}?NN"
    rf"|pretrained {_W}{{0,5}}?"
    r"(?:models?|networks?|cnns?|architectures?|backbones?|encoders?|classifiers?)[^.;]{0,60}NN"
)
_TRANSFERRED = pattern(
    rf"finetun\w* {_W}{{0,3}}?{_LISTED}|NN {_W}{{0,2}}?(?:finetun|was finetun|were finetun)"
    r"|transfer learning[^.;]{0,80}NN|NN[^.;]{0,60}transfer learning"
    rf"|features? {_W}{{0,4}}?(?:from|of|by|using|with|via) {_W}{{0,3}}?{_LISTED}"
    rf"|NN {_W}?(?:features?|feature extractors?|embeddings?)"
    r"|features? (?:encoders?|extractors?|backbones?)[ ,:]+(?:(?:MM|and|or),? )*NN"
)
_OWN_DATA = r"(?:our|unlabel\w*|\d\S*|in domain|in house|private)"
_OWN_TRAINING = pattern(
    rf"\bpretrain {_W}{{0,4}}NN|\bpretraining (?:MM |vision |the |a )?NN {_W}{{0,2}}on"
    rf"|NN[^.;]{{0,40}}(?:pre)?trained on (?:{_OWN_DATA}|a|an|the same|large)"
    rf"|pretrained {_W}{{0,3}}NN {_W}{{0,2}}on {_OWN_DATA}"
    rf"|\b(?:self|wild|domain|jointly|further) pretrained {_W}{{0,2}}?NN"
    rf"|(?:(?:pre)?train\w*|learn\w*) {_W}{{0,4}}?(?:using|with|via|by|through) {_W}{{0,3}}?"
    r"NN (?:on|over)"
)
_SCRATCH = pattern(r"NN[^.;,]{0,50}from scratch|from scratch[^.;,]{0,30}NN")
_NAMED_SET = pattern(
    rf"NN[^.;]{{0,50}}\b(?:pre)?trained on {_W}{{0,4}}XX|pretrain\w* on {_W}{{0,3}}XX|XX pretrain"
)
# "A pretrained NN was trained on XX": XX is what it was tuned on, its own training set is unnamed.
_TRAINED_FURTHER = pattern(
    rf"pretrained {_W}{{0,3}}?NN[^.;]{{0,60}}\b(?:is|was|are|were|then) {_W}{{0,2}}?trained on"
)
_NOT_USED = pattern(
    r"NN (?:style|like|inspired|type|loss|objective|paper|distance|score)"
    rf"|NN {_W}?(?:architectures?|frameworks?|recipes?|methods?|pipelines?|algorithms?|training"
    r"|pretraining|settings?|configurations?)\b"
    r"|(?:inspiration|modif\w*|modifications|differs?|departs?) (?:from|of|to) (?:the )?NN"
    r"|(?:inspired by|similar to|akin to|such as|like|e\.g\.,?) (?:the )?NN"
    rf"|\b(?:we|paper|work) {_W}{{0,3}}?(?:propose|introduce|present|develop|release)\w* "
    rf"{_W}{{0,4}}?NN"
    # "models such as the Segment Anything Model, SAM, have ..." names an example
    rf"|\b(?:such as|e\.g\.,?) (?:the )?(?:(?:MM|and|or|the),? )+NN"
)
# What NN is shown to reach, or lacks, is no use of it.
_TOLD_OF = pattern(
    r"(?<!with )(?<!using )(?<!by )(?<!from )(?<!of )"
    rf"NN,? (?:{_W}{{0,2}}?(?:have|has) {_W}{{0,2}}?(?:shown|achieved|demonstrated|emerged|become"
    rf"|revolutioni[sz]ed|excelled|gained|made)"
    rf"|(?:achieves?|shows?|excels?|struggles?|suffers?|fails?|lacks?|remains?|requires?)\b)"
)
_METHOD_READY = pattern(
    r"pretrained (?:(?!with|using|by|via|through)[\w%.]+ ){0,2}?NN"
    r"|NN (?:weights|checkpoints?|features?|embeddings?)"
    r"|NN pretrained (?:models?|backbones?|vits?|encoders?)"
    rf"|(?:off the shelf|frozen|publicly available|released|ready made) {_W}{{0,2}}?NN"
    rf"|(?:transfer\w*|initializ\w*) {_W}{{0,2}}?(?:from|with) {_W}?NN"
)
_METHOD_ON_DATA = pattern(
    rf"NN {_W}{{0,3}}?(?:pre)?train\w* {_W}{{0,2}}?on|NN on"
    rf"|(?:train\w*|learn\w*|using|with|via|by) {_W}{{0,3}}?NN (?:on|over)"
)
_METHOD_ALONE = pattern(
    rf"\b(?:pre)?train\w* {_W}{{0,6}}?(?:with|using|via|by|through) (?:the )?NN "
    r"(?:method |framework |objective |algorithm )?(?:on|over)\b"
)
# "we train a NN", "NN for self-supervised pretraining": its recipe, and weights of one's own.
_TRAINED_ANEW = pattern(
    rf"\btrain(?:ed|ing|s)? (?:a|an|our) {_W}?NN"
    rf"|NN (?:(?!pretrained|frozen|features?|embeddings?)[^.;:])*? selfsupervised {_W}{{0,2}}?"
    r"pretraining"
)
_USED = pattern(
    r"\b(?:we|our|ours|this (?:paper|work|study)|using|uses?|used|adapt\w*|finetun\w*"
    r"|outperform\w*|compar\w*|evaluat\w*|benchmark\w*|leverag\w*|based on|build\w* (?:on|upon)"
    r"|employ\w*|frozen|features?|embeddings?|zero shot|linear prob\w*|backbones?|prompt\w*"
    r"|surpass\w*|initializ\w*|investigat\w*|explor\w*|apply\w*|applied|enabl\w*|appli\w*"
    r"|integrat\w*|combin\w*|distill\w*)\b"
)


_STANDARD = "ImageNet"
_WE_USE = pattern(
    rf"\b(?:we|our (?:method|model|approach)) {_W}{{0,2}}?(?:use|employ|adopt|apply"
    rf"|utili[sz]e|train|investigate|compare|evaluate)\w* {_W}{{0,6}}?NN"
    rf"|NN {_W}{{0,2}}?(?:is|was|are|were) (?:used|employed|adopted|applied|utili[sz]ed)"
)
_BY_US = pattern(r"\b(?:we|our|ours|us|this (?:paper|work|study)|proposed|compar\w*)\b")


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
    is_named = _NAMED_SET.search(rewritten) and not _TRAINED_FURTHER.search(rewritten)
    if is_background or is_named or _NOT_USED.search(rewritten):
        return None
    if model.kind == "pretrained":
        reason = _pretrained(rewritten, in_title=in_title)
    elif model.kind == "method":
        reason = _method(rewritten)
    elif model.kind == "backbone":
        is_standard = model.datasets == (_STANDARD,)
        reason = _backbone(rewritten, transfers and not in_title, is_standard=is_standard)
    else:
        reason = None
    return None if reason is None else Implication(model.sources, *reason)


def _pretrained(rewritten: str, *, in_title: bool) -> tuple[str, float] | None:
    """I2: a model with weights of its own; titles and comparisons use one by its bare name."""
    if _METHOD_ALONE.search(rewritten) or _TRAINED_ANEW.search(rewritten):
        return None  # "pretrained with DINOv2 on our slides": the method, not its weights
    if in_title and re.match(r"(?:\w+ )?NN ?:", rewritten):
        return None  # "NN: a foundation model for ..." is the paper that makes it
    if not in_title and _TOLD_OF.search(rewritten) and not _BY_US.search(rewritten):
        return None
    if in_title or _USED.search(rewritten):
        return "I2: named pretrained model", 0.8
    return "I2: named in passing", 0.55


def _method(rewritten: str) -> tuple[str, float] | None:
    """I2: the name of a method implies a source only as a ready-made checkpoint."""
    if _METHOD_READY.search(rewritten) and not _METHOD_ON_DATA.search(rewritten):
        return "I2: ready-made checkpoint of a method", 0.7
    return None


def _backbone(rewritten: str, transfers: bool, *, is_standard: bool) -> tuple[str, float] | None:
    """I1: a backbone implies ImageNet where its weights are said to be taken ready-made.

    Networks of other tasks (YOLO, RAFT) imply their usual training set only where they are called
    pretrained: "we fine-tune RAFT" is as often said of a network of one's own.
    """
    if _OWN_TRAINING.search(rewritten):
        return None
    if _READY.search(rewritten):
        return "I1: pretrained backbone", 0.85
    if _SCRATCH.search(rewritten) or not is_standard:
        return None
    if _TRANSFERRED.search(rewritten):
        return "I1: transferred backbone", 0.7
    is_used = transfers and _WE_USE.search(rewritten) is not None
    return ("I1: backbone of a paper that transfers", 0.5) if is_used else None


_TRANSFERS = pattern(
    r"transfer[\s\-]learning"
    r"|pre-?trained (?:[\w\-]+ ){0,4}(?:models?|networks?|cnns?|architectures?|backbones?)",
    re.IGNORECASE,
)
_STUDIES = pattern(
    r"transfer[\s\-]learning|pre-?train|fine-?tun|self-?supervised|initiali[sz]ation", re.IGNORECASE
)


def says_transfer(text: str) -> bool:
    """Whether a paper says anywhere that it uses transfer learning or pretrained networks."""
    return _TRANSFERS.search(text) is not None


def speaks_of_transfer(sentence: str) -> bool:
    """Whether a sentence speaks of pretraining or transfer in any form."""
    return _STUDIES.search(sentence) is not None


# --- I3: neither model nor data is named -------------------------------------------------------

_READY_MADE = pattern(
    r"(?:\b(?:a|an|the|existing|frozen|publicly available|off-the-shelf|large|several|various"
    r"|different|external),? )*"
    r"\bpre-?trained,? (?:(?!language|on\b|and then)[\w\-/]+,? ){0,5}?"
    r"(?:models?|networks?|cnns?|encoders?|backbones?|weights|transformers?|detectors?|vlms?"
    r"|architectures?|baselines?|extractors?|classifiers?|features)\b"
    r"|\b(?:a|an|the|frozen|existing|recent|large|different|several|multiple|these) "
    r"(?:[\w\-]+ ){0,3}?foundation models?\b"
    r"|\bpre-?trained on (?:[\w\-]+ ){0,4}(?:natural|medical|large-scale)[\w\- ]{0,30}"
    r"(?:images?|data)\b",
    re.IGNORECASE,
)
_NOT_READY_MADE = pattern(
    # the paper's own pretraining, or a model that it makes
    r"\b(?:our|we|to) (?:\w+ ){0,2}pre-?train(?!ed)"
    r"|\b(?:propos|introduc|present|develop|build)\w* (?:[\w\-]+ ){0,4}?(?:[\w\-]+, )?"
    r"(?:[\w\-]+ ){0,3}foundation model"
    r"|pre-?trained (?:[\w\-]+ ){0,3}on (?:our|unlabel|the same|this|an? )"
    r"|\bour (?:[\w\-]+ ){0,2}pre-?trained|\bthe pre-?trained (?:model|network) is\b"
    r"|code and (?:[\w\-]+ ){0,2}pre-?trained|pre-?trained (?:models?|weights) available"
    r"|\bonce \w+ (?:\w+ )?(?:is|are) pre-?trained"
    # what the field does, could do, or does without
    r"|(?:success|rise|advent|emergence|progress|potential|advances?|way|landscape|era|power"
    r"|development|promise|capabilit\w+|limitations?) (?:of|for|in|towards?) "
    r"(?:[\w\-]+ ){0,3}?(?:pre-?trained|foundation)"
    r"|\b(?:inspired by|instead of|rather than|without|unlike|towards?|avoid\w*|no need)\b"
    r"[^.;,]{0,60}(?:pre-?trained|foundation)"
    r"|\b(?:might|may|can|could|should) (?:\w+ ){0,3}(?:fine-?tun|adapt|us|be)\w*"
    r"[^.;]{0,40}(?:pre-?trained|foundation)"
    # parts of the paper's own training, or of a name
    r"|pre-?trained (?:[\w\-]+ ){0,3}?(?:teacher|generator|discriminator|autoencoder)"
    r"|pre-?trained (?:features|weights|model|network|encoder) (?:from|of) [A-Z]"
    r"|(?-i:Pre-?[Tt]rained Transformer)"
    # not of images
    r"|language models?|\bllms?\b|\bt5\b|\bbert\b|transformer-based|time[\s\-]series",
    re.IGNORECASE,
)
_NATURAL = pattern(r"\bnatural[\s\-](?:image|scene|photo)", re.IGNORECASE)
_BOTH_FIELDS = pattern(r"\bnatural and medical images?", re.IGNORECASE)
_MEDICAL = pattern(
    r"(?:corpus of|trained on) (?:[\w\-]+ ){0,5}(?:medical|radiolog\w*|patholog\w*|clinical) "
    r"(?:image|data|scan)",
    re.IGNORECASE,
)


# "The pre-trained network" is mostly one that the paper trained before.
_DEFINITE = pattern(
    r"\b(?:the|its|their|this|each|both)\s+(?:[\w\-]+\s+)?pre-?trained", re.IGNORECASE
)
_STATES_USE = pattern(
    r"\b(?:we|our|using|uses?|used|leverag\w*|employ\w*|exploit\w*|adapt\w*|fine-?tun\w*|frozen"
    r"|based on|build\w*|built|benchmark\w*|evaluat\w*|compar\w*|with|from|by|via|over|than)\b",
    re.IGNORECASE,
)


def ready_made(sentence: str) -> Sequence[tuple[int, int, str]]:
    """(start, end, pseudo-id) of ready-made weights without model and data: rule I3."""
    found = _READY_MADE.search(sentence)
    if found is None or _NOT_READY_MADE.search(sentence) or _DEFINITE.search(sentence):
        return []
    if _STATES_USE.search(sentence) is None:
        return []
    if _BOTH_FIELDS.search(sentence):
        fields = [NATURAL, MEDICAL]
    elif _NATURAL.search(sentence):
        fields = [NATURAL]
    elif _MEDICAL.search(sentence):
        fields = [MEDICAL]
    else:
        fields = [UNSPECIFIED]
    return [(found.start(), found.end(), field) for field in fields]
