"""What a sentence says of a dataset: source, target or mention, by cues and their direction.

A sentence is rewritten as a template: the group of datasets in question becomes `DD` (a list such
as "ImageNet, CheXpert and MIMIC-CXR" is one group and shares its role), other groups `XX`, models
`MM`, citations vanish, the rest is lower case. The rules then read the template, first hit wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from annotate.matcher import Name
from data.records import Role, Strategy

Cue = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A role that a sentence gives a dataset, with the rule that read it.

    `score` orders rules by how sure they are; it is not yet calibrated on labels.
    """

    role: Role
    rule: str
    score: float


# --- the template -----------------------------------------------------------------------------

_CITATION = re.compile(
    r"\[[^\[\]]{0,40}\]|\((?:[A-Z][\w\-]+ (?:et al\.?|and [A-Z]\w+),? \d{4}[;, ]*)+\)"
)
_LIST_FILLER = re.compile(
    r"(?:\s|,|;|/|&|\+|\band\b|\bor\b|\bas well as\b|\bboth\b|\bthe\b|\bdata ?sets?\b|\bdata\b"
    r"|\bchallenges?\b|\bbenchmarks?\b|\bcohorts?\b|\bclassification\b|\bdetection\b"
    r"|\bsegmentation\b|\[[^\]]{0,40}\]|\([^()]{0,60}\)|\()*",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"[,/&+(]|\band\b|\bor\b|\bas well as\b", re.IGNORECASE)


def grouped(names: Sequence[Name], text: str) -> list[list[Name]]:
    """Dataset names in groups that are listed together, in the order of the text."""
    groups: list[list[Name]] = []
    for name in (name for name in names if name.kind == "dataset"):
        between = text[groups[-1][-1].end : name.start] if groups else None
        if between is not None and _LIST_FILLER.fullmatch(between) and _LIST_MARK.search(between):
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def template(text: str, start: int, end: int, marks: Iterable[tuple[int, int, str]]) -> str:
    """The sentence `text[start:end]` as the rules read it.

    Args:
        marks: (start, end, placeholder) of the names in it; of two that overlap the first counts.
    """
    pieces, place = [], start
    for first, last, placeholder in sorted(marks):
        if first >= place and last <= end:
            pieces += [_plain(text[place:first]), f" {placeholder} "]
            place = last
    pieces.append(_plain(text[place:end]))
    return re.sub(r"\s+", " ", "".join(pieces)).strip()


_SPELLINGS = [
    (re.compile(r"\bpre[\s\-\u2010-\u2015]*(?:tr?ain)"), "pretrain"),
    (re.compile(r"\bfine[\s\-\u2010-\u2015]*tun"), "finetun"),
    (re.compile(r"\binitialis"), "initializ"),
    (re.compile(r"self[\s\-\u2010-\u2015]+supervis"), "selfsupervis"),
    (re.compile(r"[\u2010-\u2015\-_]+"), " "),
    (re.compile(r"[()]"), " "),
]


def _plain(piece: str) -> str:
    plain = _CITATION.sub(" ", piece).lower()
    for pattern, replacement in _SPELLINGS:
        plain = pattern.sub(replacement, plain)
    return plain


# --- the rules --------------------------------------------------------------------------------

_WEIGHTS = (
    r"(?:weights?|checkpoints?|initializations?|init|features?|backbones?|embeddings?|parameters)"
)
_NETWORK = (
    r"(?:(?:classification|recognition|deep|convolutional|image|vision|supervised|base) )*"
    r"(?:models?|networks?|encoders?|cnns?|convnets?|vits?|transformers?|detectors?|MM)"
)
_TO = r"(?:to|onto|into|towards?)"
# One clause: words without a stronger stop.
_NEAR = r"[^.;:]{0,70}?"
_SHORT = r"(?: [\w%.]+){0,3}?"

_NEGATED = re.compile(
    r"(?:\b(?:without|no|not|instead of|rather than|unlike|avoid\w*|replac\w+|than|beyond"
    r"|independent of|free of|need for|requir\w+|rely(?:ing)? on|dependence on|in contrast to"
    r"|as opposed to)\b)"
    r"(?: (?:the|any|a|an|use|of|need|for|using|on|additional|extra|standard|common|usual|external"
    r"|supervised|large scale|to|be|being|been|relying|expensive|conventional|typical|its|their"
    r"|pretrain\w*|weights|from|with|MM|models?|networks?)){0,6} DD"
)
_COMPARED = re.compile(
    r"with and without|with or without|both with|compar|versus|\bvs\b|outperform|surpass|better than"
)
_STATISTICS = re.compile(
    r"DD (?:\w+ )?(?:mean|means|statistics|pixel|normali[sz]ation|std|standard deviation)"
    r"|(?:statistics|mean|normali[sz]ed) (?:\w+ ){0,3}(?:of|from|by) (?:the )?DD"
    r"|canonical DD|inception score|\bfid\b"
)
_SUCH_AS = re.compile(
    r"\b(?:such as|like|e\.g\.,?|for example,?|including|similar to)(?: (?:the|those|in|of|on|from)){0,2} DD"
)

_SOURCE_RULES: list[tuple[str, re.Pattern[str], float]] = [
    (name, re.compile(pattern), score)
    for name, pattern, score in [
        ("D-pretrained", r"DD(?: \d*k?)? pretrain", 0.92),
        ("pretrained D model", rf"pretrain\w* (?:\w+ )?DD {_NETWORK}", 0.92),
        (
            "D weights",
            rf"DD (?:\w+ )?(?:{_WEIGHTS}|initializ\w*|{_NETWORK}) ?(?:for init|to init|trained)?",
            0.78,
        ),
        (
            "pretrained on D",
            rf"pretrain\w*(?:(?!finetun|evaluat|test(?:ed|ing)|adapt(?:ed|ing)|transferred|appl(?:y|ied)|validat)[^.;:]){{0,90}}? (?:on|with|using|from|over|in|for|via|by) {_SHORT}(?: (?:the|a|an|\w+)){{0,4}} ?DD",
            0.93,
        ),
        ("initialised from D", rf"initializ\w*{_NEAR}(?:from|with|by|on|using){_NEAR}DD", 0.88),
        (
            "weights from D",
            rf"{_WEIGHTS} (?:\w+ ){{0,3}}(?:from|of|learn\w+ (?:on|from)|trained on|obtained (?:on|from)) (?:the )?(?:\w+ )?DD",
            0.85,
        ),
        (
            "source domain D",
            r"source (?:domain|dataset|data|task|set)s?[^.;:]{0,30}DD|DD (?:\w+ ){0,3}as (?:the |a |our )?(?:\w+ )?source|DD (?:as|is|are|was|were|serves? as|used as) (?:the |a |our )?source",
            0.9,
        ),
        (
            "from D to X",
            rf"(?:transfer|adapt|finetun|generali[sz]|domain|shift|knowledge|distill)\w*{_NEAR}from (?:the )?(?:labell?ed )?(?:source )?(?:domain )?DD(?: \w+){{0,4}} {_TO} (?:(?:the|a|unlabell?ed|target|domain|\w+) ){{0,4}}XX",
            0.9,
        ),
        (
            "transfer from D",
            r"(?:transfer|knowledge|distill|representations? learn)\w*(?: \w+){0,6} from (?:the )?(?:\w+ ){0,3}DD",
            0.88,
        ),
        (
            "self-supervised on D",
            rf"(?:selfsupervis|contrastive|masked|unsupervised)\w*{_NEAR}(?:learn|train|model)\w* (?:on|with|using|from) (?:the )?(?:\w+ ){{0,4}}DD",
            0.75,
        ),
        (
            "trained on D, used",
            r"trained on (?:the )?(?:\w+ ){0,2}DD(?: \w+){0,4} (?:is|are|was|were|be) (?:then |further |directly |subsequently )?(?:used|employed|adopted|appl|transfer|finetun|adapt)",
            0.85,
        ),
        (
            "trained on D, fine-tuned",
            rf"trained (?:on|with|using) (?:the )?(?:\w+ ){{0,2}}DD{_NEAR}(?:and|then|before|followed by){_NEAR}(?:finetun|adapt|transfer)\w*(?! on (?:the )?DD)",
            0.82,
        ),
        (
            "teacher trained on D",
            rf"(?:teacher|extractor|features?|encoder|backbone){_NEAR} trained (?:on|with|using) (?:the )?(?:\w+ ){{0,2}}DD",
            0.75,
        ),
        (
            "D for pretraining",
            rf"DD{_NEAR}(?:for|to|as|in|during|used in) (?:the |our |a )?(?:\w+ ){{0,2}}pretrain",
            0.85,
        ),
        (
            "pretraining: D",
            r"pretrain\w*(?: (?:data|datasets?|corpora|corpus|set|source)s?)(?: \w+){0,3} DD",
            0.85,
        ),
        (
            "fine-tuned D model",
            rf"finetun\w* (?:\w+ ){{0,3}}DD (?:pretrain|{_WEIGHTS}|{_NETWORK})",
            0.85,
        ),
    ]
]
_BOTH = re.compile(
    r"pretrain\w* and (?:\w+ )?(?:evaluat|finetun|test|validat)\w*(?: \w+){0,4} (?:on|with|using) (?:\w+ ){0,3}DD"
    r"|between (?:the )?DD"
    r"|DD (?:<->|\u2194) XX"
    r"|adapt\w*[^.;:]{0,60}DD[^.]{0,40}from [\w ]{0,40}source to [\w ]{0,40}target"
    r"|DD[^.]{0,40}(?:adapting|transfer\w*) from [\w ]{0,40}(?:in the )?source[\w ]{0,20} to [\w ]{0,40}target"
)
_TARGET_RULES: list[tuple[str, re.Pattern[str], float]] = [
    (name, re.compile(pattern), score)
    for name, pattern, score in [
        (
            "X to D",
            rf"(?:transfer|adapt|finetun|generali[sz])\w*{_NEAR}from (?:the )?[^.;:]{{0,50}}? {_TO} (?:(?:the|a|unlabell?ed|target|domain|\w+) ){{0,4}}DD",
            0.85,
        ),
        (
            "target domain D",
            r"target (?:domain|dataset|data|task|set)s?[^.;:]{0,30}DD|DD (?:\w+ ){0,2}as (?:the |a |our )?(?:\w+ )?target",
            0.88,
        ),
        (
            "D test set",
            r"DD(?:'s)? (?:\w+ ){0,2}(?:test|validation|val|evaluation|minival|leaderboard|benchmark|accuracy|auc|dice)",
            0.85,
        ),
    ]
]

_CUES: list[tuple[Cue, re.Pattern[str]]] = [
    (
        "source",
        re.compile(r"pretrain\w*|initializ\w*|warm start\w*|transferr?\w* from|knowledge from"),
    ),
    (
        "target",
        re.compile(
            r"finetun\w*|evaluat\w*|test(?:ed|ing|s)?\b|validat\w*|experiment\w*|benchmark\w*|assess\w*"
            r"|demonstrat\w*|appl(?:y|ied|ying)\b|conduct\w*|perform\w*|train(?:ed|ing|s)?\b|report\w*|result\w*"
            r"|achiev\w*|outperform\w*|show\w*|improv\w*|state of the art|trained|using|use[ds]?\b|obtain\w*"
            r"|compar\w*|collected|analy[sz]\w*|segment\w*|classif\w*|detect\w*|predict\w*|dataset|downstream"
            r"|released?|introduc\w*|augment\w*|consist\w*|contain\w*|accuracy|stud(?:y|ies)\b|tackle|address"
        ),
    ),
]
_OWN = re.compile(
    r"\b(?:we|our|ours|us|this (?:paper|work|study|article)|the proposed|proposed|herein|here)\b"
)
_BACKGROUND = re.compile(
    r"\b(?:et al|recent(?:ly)?|previous(?:ly)?|prior (?:work|studies|methods)|existing|commonly|widely"
    r"|usually|typically|often|generally|most (?:methods|works|approaches|studies)|in the literature"
    r"|has been|have been|have become|has become|de facto|the norm|the success of|traditionally|many (?:works|methods|studies)"
    r"|breakthroughs?|became|mainstay|remains?|popular|well known|success(?:es)? (?:of|in)|progress"
    r"|researchers|the community|in general|conventional(?:ly)?|winner|winning|top entries|state of the art (?:methods|models) have)\b"
)
_OTHERS = re.compile(
    r"^\s*(?:\[[^\]]{0,40}\]|[A-Z][\w\-]+ et al)|\bet al\b[^.]{0,60}(?:propos|use|show|present|introduc|train|report)"
)
_LEFT_REACH = 140


def read_role(sentence: str, rewritten: str, *, in_title: bool = False) -> list[Reading]:
    """The roles that a sentence gives the dataset group `DD`; at least one.

    Args:
        sentence: the words as they stand.
        rewritten: its `template`.
        in_title: titles name what a paper is about, so nothing there is background.
    """
    is_own = in_title or _OWN.search(rewritten) is not None
    is_background = not in_title and speaks_of_others(sentence, rewritten)
    if _STATISTICS.search(rewritten):
        return [Reading("mention", "statistics", 0.8)]
    if _BOTH.search(rewritten):
        return [Reading("source", "both", 0.8), Reading("target", "both", 0.8)]
    if _NEGATED.search(rewritten) and not (is_own and _COMPARED.search(rewritten)):
        return [Reading("mention", "negated", 0.75)]
    if is_background and _SUCH_AS.search(rewritten):
        return [Reading("mention", "such as", 0.8)]
    for rules, role in (
        (_TARGET_RULES[:2], "target"),
        (_SOURCE_RULES, "source"),
        (_TARGET_RULES[2:], "target"),
    ):
        for name, pattern, score in rules:
            if pattern.search(rewritten):
                if role == "source" and _is_finetuned_to(rewritten):
                    continue
                return [_weighed(role, name, score, is_background)]  # type: ignore[arg-type]
    return [_by_nearest_cue(rewritten, is_own=is_own, is_background=is_background)]


def speaks_of_others(sentence: str, rewritten: str) -> bool:
    """Whether a sentence tells what others did or what is common, and nothing of this paper."""
    if _OWN.search(rewritten):
        return False
    return _BACKGROUND.search(rewritten) is not None or _OTHERS.search(sentence) is not None


_FINETUNED_ON = re.compile(
    r"(?:finetun|evaluat|test|validat|transferr?|adapt)\w*(?:(?!pretrain|initializ|weights|from)[^.;:]){0,40}? (?:on|to|onto|for|using|in) (?:(?:the|a|an|\w+) ){0,3}DD(?! pretrain| \w+ pretrain| weights| checkpoint)"
)


def _is_finetuned_to(rewritten: str) -> bool:
    """A target cue stands between the source cue and the dataset."""
    return _FINETUNED_ON.search(rewritten) is not None


def _weighed(role: Role, rule: str, score: float, is_background: bool) -> Reading:
    """A rule's reading; in a background sentence the paper speaks of others."""
    if is_background:
        return Reading("mention", f"background: {rule}", 0.65)
    return Reading(role, rule, score)


def _by_nearest_cue(rewritten: str, *, is_own: bool, is_background: bool) -> Reading:
    """The role of the cue that stands nearest to the left in the clause; else the default.

    The default is the codebook's: named as used but not how is a target.
    """
    if is_background:
        return Reading("mention", "background", 0.7)
    left = rewritten[: rewritten.index("DD")][-_LEFT_REACH:]
    left = re.split(r"[;:]", left)[-1]
    last = {
        cue: max((match.start() for match in pattern.finditer(left)), default=-1)
        for cue, pattern in _CUES
    }
    if last["target"] >= 0 and last["target"] >= last["source"]:
        return Reading("target", "cue before", 0.78 if is_own else 0.66)
    if last["source"] >= 0:
        return Reading("source", "cue before", 0.6)
    right = rewritten[rewritten.index("DD") :]
    if any(pattern.search(right) for _, pattern in _CUES):
        return Reading("target", "cue after", 0.62)
    return Reading("target", "no cue", 0.5)


# --- beside the role --------------------------------------------------------------------------

_STRATEGIES: list[tuple[Strategy, re.Pattern[str]]] = [
    (
        "domain adaptation",
        re.compile(r"domain adapt|domain shift|unsupervised adapt|source domain"),
    ),
    (
        "vision-language",
        re.compile(r"vision language|image text|visual language|\bvlms?\b|image report"),
    ),
    (
        "self-supervised",
        re.compile(r"selfsupervis|contrastive|masked|\bssl\b|unsupervised pretrain"),
    ),
    ("distillation", re.compile(r"distill|teacher")),
    ("multi-task", re.compile(r"multi task|jointly")),
    ("supervised", re.compile(r"(?<!un)(?<!self)(?<!semi)supervised|classification task")),
]


def read_strategy(rewritten: str) -> Strategy | None:
    """How the source was learned from, where the sentence says so."""
    return next((name for name, cue in _STRATEGIES if cue.search(rewritten)), None)


_SCRATCH = re.compile(
    r"from scratch|random(?:ly)? initiali[sz]|train(?:ed|ing)? without (?:any )?pre-?train",
    re.IGNORECASE,
)
_NOT_SCRATCH = re.compile(
    r"(?:instead of|rather than|avoid\w*|without|not|need (?:to|for)|expensive to|costly to)"
    r"(?: \w+){0,3} (?:train\w*|from scratch)",
    re.IGNORECASE,
)


def says_from_scratch(sentence: str) -> bool:
    """Whether the sentence says that the paper trains a model of its own from scratch."""
    found = _SCRATCH.search(sentence) is not None
    is_background = _BACKGROUND.search(sentence.lower()) and not _OWN.search(sentence.lower())
    return found and not _NOT_SCRATCH.search(sentence) and not is_background
