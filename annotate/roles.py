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
from annotate.patterns import Pattern, pattern
from data.records import Role, Strategy, Tuning

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
    r"(?:\s|,|;|/|&|\+|\b(?:and|or)\s+(?:on|from)\b|\band\b|\bor\b|\bas well as\b|\bboth\b"
    r"|\bthe\b|\bdata ?sets?\b|\bdata\b"
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
    return " ".join("".join(pieces).split())


# Each with a word that it cannot do without, which is cheaper to look for.
_SPELLINGS = [
    ("pre", re.compile(r"\bpre[\s\-\u2010-\u2015]*(?:tr?ain)"), "pretrain"),
    ("fine", re.compile(r"\bfine[\s\-\u2010-\u2015]*tun"), "finetun"),
    ("initialis", re.compile(r"\binitialis"), "initializ"),
    ("supervis", re.compile(r"self[\s\-\u2010-\u2015]+supervis"), "selfsupervis"),
]
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015", " "))


def _plain(piece: str) -> str:
    plain = _CITATION.sub(" ", piece) if "[" in piece or "(" in piece else piece
    plain = plain.lower()
    for word, spelled, replacement in _SPELLINGS:
        if word in plain:
            plain = spelled.sub(replacement, plain)
    plain = plain.replace("-", " ").replace("_", " ").replace("(", " ").replace(")", " ")
    return plain if plain.isascii() else plain.translate(_DASHES)


# --- the rules --------------------------------------------------------------------------------

BACKGROUND = "background: "  # prefix of a rule read in a sentence that speaks of others

_STORED = r"(?:weights?|checkpoints?|initializations?|init|backbones?|parameters)"
_WEIGHTS = rf"(?:{_STORED}|features?|filters?|embeddings?)"
_NETWORK = (
    r"(?:(?:classification|recognition|deep|convolutional|image|vision|supervised|base) )*"
    r"(?:models?|networks?|encoders?|cnns?|convnets?|vits?|transformers?|detectors?|classifiers?)"
)
_TO = r"(?:to|onto|into|towards?)"
# Verbs after which "on D" tells where a result was had, not what was learned from.
_RESULT = (
    r"(?:show|gain|improv|outperform|achiev|reach|yield|result|perform|increas|obtain|help|benefit"
    r"|boost|attain)"
)
_TARGET_CUE = (
    r"(?:finetun|evaluat|test(?:ed|ing)\b|adapt(?:ed|ing)|transferr|appl(?:y|ied)\b|validat"
    rf"|replac|predict|compar(?:ed|ing)\b|{_RESULT})"
)
# Words of one clause that lead up to a name, without a cue of another role.
_WORDS = rf"(?:(?!XX\b|and then|then\b|\w*{_TARGET_CUE})[\w%.'/]+,? ){{0,6}}?"
_NEAR = r"[^.;:]{0,70}?"  # a clause: no stronger stop
_NO_TARGET_CUE = rf"(?:(?!XX|{_TARGET_CUE})[^.;:]){{0,90}}?"
# "pretrained models for X on D", "a pretrained ResNet is retrained on D": on D is not pretrained's.
_ADJECTIVE = (
    r"(?:MM|models?|networks?|encoders?|cnns?|backbones?|vits?|transformers?|detectors?)[, ]+"
    r"(?:for|to|is|are|was|were|can|could|will|has|have|in)\b"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    pattern: Pattern
    role: Role
    score: float


def _rules(role: Role, *rows: tuple[str, float, str]) -> list[_Rule]:
    return [_Rule(name, pattern(regex), role, score) for name, score, regex in rows]


_DOMAIN_TARGET_RULES = _rules(
    "target",
    (
        "X to D",
        0.85,
        rf"(?:transfer|adapt|finetun|generali[sz])\w*{_NEAR}from (?:the )?[^.;:]{{0,50}}? {_TO} "
        r"(?:(?:the|a|unlabell?ed|target|domain|\w+) ){0,4}DD",
    ),
    (
        "transfer: X to D",
        0.75,
        r"(?:transfer|adapt)\w*[^.]{0,80}XX (?:images? )?to (?:(?!XX)\w+ ){0,3}DD",
    ),
    (
        "target domain D",
        0.88,
        r"target (?:domain|dataset|data|task|set)s?[^.;:]{0,30}DD"
        r"|DD (?:\w+ ){0,2}as (?:the |a |our )?(?:\w+ )?target",
    ),
)
_SOURCE_RULES = _rules(
    "source",
    ("D-pretrained", 0.92, r"DD(?: \d*k?)? pretrain"),
    (
        "pretrained D model",
        0.92,
        rf"pretrain\w* (?:\w+ )?DD {_NETWORK}|pretrain\w* DD(?: and| then|,|$|\.)",
    ),
    (
        "D-based transfer",
        0.85,
        r"DD (?:based |derived |learned )?(?:transfer|knowledge|representations?)\b"
        rf"|DD based (?:\w+ )?(?:{_NETWORK}|{_WEIGHTS})",
    ),
    (
        "pretrained on D",
        0.93,
        rf"(?:pretrain(?!ed)\w*{_NO_TARGET_CUE}"
        rf"|pretrained(?:(?!XX|{_TARGET_CUE}|{_ADJECTIVE})[^.;:]){{0,90}}?) "
        rf"(?:(?:on|with|using|from|over|via|by) {_WORDS}|(?:in|for) (?:the )?)DD",
    ),
    (
        "initialised from D",
        0.88,
        rf"initializ\w*{_NO_TARGET_CUE} (?:from|with|by|on|using) {_NO_TARGET_CUE}DD",
    ),
    (
        "weights from D",
        0.85,
        rf"{_STORED} (?:(?!for\b)\w+ ){{0,3}}(?:from|of|obtained (?:on|from)) (?:the )?(?:\w+ )?DD"
        # Features "from D" may be those of its images; learned on it they are not.
        rf"|{_WEIGHTS} (?:\w+ ){{0,3}}(?:learn\w+ (?:on|from)|trained on) (?:the )?(?:\w+ )?DD",
    ),
    (
        "from the model for D",
        0.8,
        r"(?:finetun|initializ|start|transfer|resum|continu)\w*[^.;:]{0,70}? from (?:the |a |our )?"
        r"(?:\w+ ){0,3}(?:models?|networks?|weights|checkpoints?|parameters) "
        r"(?:(?:pre)?trained |learned |obtained )?(?:for|on|of) (?:the )?DD",
    ),
    (
        "first on D, then",
        0.8,
        rf"\bfirst(?:ly)? (?:\w+ ){{0,5}}?(?:finetun|train)\w*[^.;:]{{0,60}}? (?:on|with|using) "
        rf"{_WORDS}DD[^.;]{{0,80}}?\b(?:then|before|afterwards?|subsequently|followed by)\b",
    ),
    (
        "model fine-tuned on D, further",
        0.75,
        rf"(?:finetun|train|adapt|transfer)\w* (?:the |a |our )?(?:\w+ ){{0,2}}DD "
        rf"(?:finetuned|trained) (?:\w+ )?{_NETWORK}",
    ),
    (
        "uses a model trained on D",
        0.72,
        r"\b(?:we|using|with|via) (?:(?:then|also|further|first|use|used|employ\w*|appl\w*"
        r"|leverag\w*|adopt\w*|take|took) )*(?:a|an|the|existing|publicly available) "
        rf"(?:\w+ ){{0,2}}?{_NETWORK} (?:that (?:was|is) )?trained (?:on|with|using) {_WORDS}DD"
        r"(?:(?!XX|evaluat|test|validat)[^.;])*? to (?:predict|extract|obtain|segment|detect"
        r"|generate|explor|classify|initializ|produce|provide|compute)",
    ),
    (
        "source domain D",
        0.9,
        r"(?<!open )source (?:domain|dataset|data|task|set)s?[^.;:]{0,30}DD"
        r"|DD (?:\w+ ){0,3}as (?:the |a |our )?(?:\w+ )?source"
        r"|DD (?:as|is|are|was|were|serves? as|used as) (?:the |a |our )?source",
    ),
    (
        "from D to X",
        0.9,
        rf"(?:transfer|adapt|finetun|generali[sz]|domain|shift|knowledge|distill)\w*{_NEAR}"
        r"from (?:the )?(?:labell?ed )?(?:source )?(?:domain )?DD(?: \w+){0,4} "
        rf"{_TO} (?:(?:the|a|unlabell?ed|target|domain|\w+) ){{0,4}}XX",
    ),
    (
        "transfer from D",
        0.88,
        r"(?:transfer|knowledge|distill|representations? learn)\w*(?: \w+){0,8} from (?:the )?"
        rf"(?:\w+ ){{0,3}}DD|transferr?\w* from (?:\w+ ){{0,4}}(?:pre)?trained on {_WORDS}DD",
    ),
    (
        "self-supervised on D",
        0.75,
        rf"(?:selfsupervis|contrastive|masked|unsupervised)\w*{_NEAR}(?:learn|train|model)\w* "
        rf"(?:on|with|using|from) {_WORDS}DD"
        r"|selfsupervis\w* on (?:the )?(?:\w+ ){0,3}DD",
    ),
    (
        "self-supervised on images of D",
        0.6,
        r"(?:\bssl\b|selfsupervis\w*|self ?distill\w*)(?:(?!XX|evaluat|test|validat|finetun"
        r"|benchmark|downstream|outperform)[^.;])*? (?:on|from|in) (?:the )?(?:\w+ ){0,2}DD",
    ),
    (
        "trained on D, used",
        0.85,
        rf"trained on {_WORDS}DD(?: \w+){{0,4}} (?:is|are|was|were|be) "
        r"(?:then |further |directly |subsequently )?"
        r"(?:used|employed|adopted|appl|transfer|finetun|adapt)"
        rf"|trained on {_WORDS}DD as (?:a |an |the |our )?"
        r"(?:starting|initial|backbone|feature|encoder|extractor|teacher)",
    ),
    (
        "trained on D, fine-tuned",
        0.82,
        rf"trained (?:on|with|using) {_WORDS}DD{_NEAR}"
        rf"(?:and|then|before|followed by){_NEAR}(?:finetun|adapt|transfer)\w*(?! on (?:the )?DD)",
    ),
    (
        "teacher trained on D",
        0.75,
        r"(?:teacher|extractor|features?|encoder|backbone)(?:(?!XX|pretrain)[^.;:]){0,70}? "
        r"trained (?:on|with|using) "
        r"(?:the )?(?:\w+ ){0,2}DD",
    ),
    (
        "model that was trained on D",
        0.7,
        rf"(?:MM|{_NETWORK}) (?:that|which) (?:has been|have been|was|were|is|are) "
        rf"(?:fine)?t(?:rain|un)ed on (?:the )?(?:\w+ ){{0,2}}DD",
    ),
    (
        "D for pretraining",
        0.85,
        r"DD(?:(?!XX)[^.;:]){0,70}? (?:for|to|as|in|during|used in) (?:the |our |a )?"
        r"(?:(?!XX)\w+ ){0,2}pretrain"
        r"|\bfor (?:the |our )?(?:\w+ )?pretraining,? (?:(?:we|the|our|use[ds]?|using) ){0,4}DD",
    ),
    (
        "transfer: D to X",
        0.75,
        r"(?:transfer|adapt)\w*[^.]{0,80}DD (?:images? )?to (?:(?!XX)\w+ ){0,3}XX",
    ),
    (
        "pretraining: D",
        0.85,
        r"pretrain\w*(?: (?:data|datasets?|corpora|corpus|set|source)s?)(?: \w+){0,3} DD",
    ),
    (
        "D or no pretraining",
        0.8,
        r"DD(?:,? (?:and|or|versus|vs)|,) (?:no|without|random)\w* (?:\w+ )?(?:pretrain|initializ)",
    ),
    (
        "fine-tuned D model",
        0.85,
        rf"finetun\w* (?:\w+ ){{0,3}}DD (?:pretrain|{_WEIGHTS}|{_NETWORK})",
    ),
    (
        "D weights",
        0.78,
        rf"DD (?:(?!using|with|and|for|on|by|in)\w+ )?(?:{_WEIGHTS}\b|initializ)",
    ),
    ("D model", 0.65, rf"DD (?:trained )?{_NETWORK}\b"),
)
_TARGET_RULES = _rules(
    "target",
    (
        "D test set",
        0.85,
        r"DD(?:'s)? (?:\w+ ){0,2}(?:test|validation|val|evaluation|minival|leaderboard|benchmark"
        r"|accuracy|auc|dice)",
    ),
    (
        "D for fine-tuning",
        0.85,
        r"DD (?:\w+ ){0,2}(?:for|in|during) (?:the |our )?(?:\w+ )?"
        r"(?:finetun|evaluat|test|validat)",
    ),
    ("on D, we", 0.8, r"^(?:on|for|in) (?:[\w]+ ){0,4}DD(?: \w+){0,2},? (?:we|our)\b"),
)
_RULES = [*_DOMAIN_TARGET_RULES, *_SOURCE_RULES, *_TARGET_RULES]

# "We fine-tune a pretrained ResNet on D": on D goes with fine-tune, not with pretrained.
_PRETRAINED_THEN_TUNED_ON = pattern(
    r"(?:finetun|evaluat|test|adapt|appl|train|assess|validat)\w* (?:\w+ ){0,4}?pretrained "
    rf"(?:\w+ ){{0,4}}?(?:MM|{_NETWORK})(?: (?:and|or) (?:MM|{_NETWORK}))* (?:on|to|for|using) "
    rf"{_WORDS}DD"
)
_NEGATED = pattern(
    r"(?:\b(?:without|no|not|instead of|rather than|unlike|avoid\w*|replac\w+|than|beyond"
    r"|independent of|free of|need for|requir\w+|rely(?:ing)? on|dependence on|in contrast to"
    r"|as opposed to)\b)"
    r"(?: (?:the|any|a|an|use|of|need|for|using|on|additional|extra|standard|common|usual"
    r"|external|supervised|large scale|to|be|being|been|relying|expensive|conventional|typical"
    r"|its|their|pretrain\w*|weights|from|with|MM|models?|networks?)){0,6} DD"
)
_COMPARED = pattern(
    r"with and without|with or without|both with|compar|versus|\bvs\b|outperform|surpass"
    r"|better than"
)
_STATISTICS = pattern(
    r"DD (?:\w+ )?(?:mean|means|statistics|pixel|normali[sz]ation|std|standard deviation)"
    r"|(?:statistics|mean(?! (?:auc|auroc|dice|iou|accuracy|average|f1))|normali[sz]ed) "
    r"(?:\w+ ){0,3}(?:of|from|by) (?:the )?DD"
    r"|canonical DD|inception score|\bfid\b"
)
_SUCH_AS = pattern(
    r"\b(?:such as|like|e\.g\.,?|for example,?|similar to)"
    r"(?: (?:the|those|in|of|on|from)){0,2} DD"
)
_OUT_OF_SCOPE = pattern(
    r"DD[^.;]*\b(?:out of (?:the )?scope|beyond (?:the )?scope|future work|left (?:for|to) future)"
    r"|(?:future work|in future|in the future)[^.;]*DD"
)
_BOTH = pattern(
    r"pretrain\w* and (?:\w+ )?(?:evaluat|finetun|test|validat)\w*(?: \w+){0,4} "
    r"(?:on|with|using) (?:\w+ ){0,3}DD"
    r"|between (?:the )?DD"
    r"|DD (?:<->|\u2194) XX"
    r"|adapt\w*[^.;:]{0,60}DD[^.]{0,40}from [\w ]{0,40}source to [\w ]{0,40}target"
    r"|DD[^.]{0,40}(?:adapting|transfer\w*) from [\w ]{0,40}(?:in the )?source[\w ]{0,20} "
    r"to [\w ]{0,40}target"
)
_FINETUNED_ON = pattern(
    r"(?:finetun|evaluat|test|validat|transferr?|adapt)\w*"
    r"(?:(?!pretrain|initializ|weights|from)[^.;:]){0,40}? (?:on|to|onto|for|using|in) "
    r"(?:(?!XX)\w+ ){0,3}DD(?! pretrain| \w+ pretrain| weights| checkpoint| initializ)"
)

_CUES: dict[Cue, Pattern] = {
    "source": pattern(r"pretrain\w*|initializ\w*|warm start\w*|transferr?\w* from|knowledge from"),
    "target": pattern(
        r"finetun\w*|evaluat\w*|test(?:ed|ing|s)?\b|validat\w*|experiment\w*|benchmark\w*"
        r"|assess\w*|demonstrat\w*|appl(?:y|ied|ying)\b|conduct\w*|perform\w*"
        r"|train(?:ed|ing|s)?\b|report\w*|result\w*|achiev\w*|outperform\w*|show\w*|improv\w*"
        r"|state of the art|using|use[ds]?\b|obtain\w*|compar\w*|collected|analy[sz]\w*"
        r"|segment\w*|classif\w*|detect\w*|predict\w*|dataset|downstream|released?|introduc\w*"
        r"|augment\w*|consist\w*|contain\w*|accuracy|stud(?:y|ies)\b|tackle|address"
    ),
}
_OWN = pattern(
    r"\b(?:we|our|ours|us|this (?:paper|work|study|article)|the proposed|proposed|herein|here"
    r"|(?:is|are|was|were) (?:\w+ )?(?:evaluated|validated|tested) on)\b"
    r"|^(?:\w+ )?(?:experiment\w*|results|evaluated on|tested on|validated on)\b"
)
_BACKGROUND = pattern(
    # "outperforms existing methods" tells of the paper's own result
    r"(?<!outperforms )(?<!outperform )(?<!outperforming )(?<!surpasses )(?<!surpassing )"
    r"(?<!over )(?<!than )(?<!to )(?<!with )"
    r"\b(?:existing(?! pretrain)|recent|previous|prior (?:work|studies|methods))\b"
    r"|\b(?:et al|recently|previously"
    r"|commonly"
    r"|widely|usually|typically|often|generally|in most cases"
    r"|most (?:methods|works|approaches|studies)|in the literature|has been|have been|have become"
    r"|has become|de facto|the norm|the success of|traditionally|many (?:works|methods|studies)"
    r"|breakthroughs?|became|mainstay|remains?|popular|well known|success(?:es)? (?:of|in)"
    r"|progress|researchers|the community|in general|conventional(?:ly)?|winner|winning"
    r"|top entries|their (?:approach|method|model|work|network)|ever since|since the DD"
    r"|(?:earliest|first|new|then) (?:published )?(?:state of the art|results) (?:for|on|in)"
    r"|state of the art (?:methods|models) have)\b"
)
_OTHERS = pattern(
    r"^\s*(?:\[[^\]]{0,40}\]|[A-Z][\w\-]+ et al)"
    r"|\bet al\b[^.]{0,60}(?:propos|use|show|present|introduc|train|report)"
)
_LEFT_REACH = 140


def read_role(
    sentence: str, rewritten: str, *, in_title: bool = False, is_general: bool = False
) -> list[Reading]:
    """The roles that a sentence gives the dataset group `DD`; at least one.

    Args:
        sentence: the words as they stand.
        rewritten: its `template`.
        in_title: titles name what a paper is about, so nothing there is background.
        is_general: `DD` are photographs or the like, which decides where grammar does not:
            "we fine-tune a pretrained ResNet on ImageNet" tells what it was pretrained on, the
            same sentence with BraTS what it is fine-tuned on.
    """
    is_own = in_title or _OWN.search(rewritten) is not None
    is_background = not in_title and speaks_of_others(sentence, rewritten)
    exception = _exception(rewritten, is_own=is_own, in_title=in_title)
    if exception:
        return exception
    if not is_general and not is_background and _PRETRAINED_THEN_TUNED_ON.search(rewritten):
        return [Reading("target", "pretrained, then tuned on D", 0.8)]
    is_finetuned_to = _FINETUNED_ON.search(rewritten) is not None
    for rule in _RULES:
        if rule.role == "source" and is_finetuned_to:
            continue  # a target cue stands between the source cue and the dataset
        if rule.pattern.search(rewritten):
            if is_background:
                return [Reading("mention", f"{BACKGROUND}{rule.role}", 0.65)]
            return [Reading(rule.role, rule.name, rule.score)]
    return [_by_nearest_cue(rewritten, is_own=is_own, is_background=is_background)]


def _exception(rewritten: str, *, is_own: bool, in_title: bool) -> list[Reading]:
    """What overrules all cues, or nothing."""
    if _STATISTICS.search(rewritten):
        return [Reading("mention", "statistics", 0.8)]
    if _BOTH.search(rewritten):
        return [Reading("source", "both", 0.8), Reading("target", "both", 0.8)]
    if _NEGATED.search(rewritten) and not (is_own and _COMPARED.search(rewritten)):
        return [Reading("mention", "negated", 0.75)]
    if _OUT_OF_SCOPE.search(rewritten):
        return [Reading("mention", "out of scope", 0.75)]
    if _SUCH_AS.search(rewritten) and not (is_own or in_title):
        return [Reading("mention", "such as", 0.7)]
    return []


def speaks_of_others(sentence: str, rewritten: str) -> bool:
    """Whether a sentence tells what others did or what is common, and nothing of this paper."""
    if _OWN.search(rewritten):
        return False
    return _BACKGROUND.search(rewritten) is not None or _OTHERS.search(sentence) is not None


def speaks_of_own(sentence: str) -> bool:
    """Whether a sentence tells of the paper's own work ("we", "this study")."""
    return _OWN.search(sentence.lower()) is not None


def _by_nearest_cue(rewritten: str, *, is_own: bool, is_background: bool) -> Reading:
    """The role of the cue that stands nearest to the left in the clause; else the default.

    The default is the codebook's: named as used but not how is a target.
    """
    if is_background:
        return Reading("mention", "background", 0.7)
    place = rewritten.index("DD")
    left = re.split(r"[;:]", rewritten[:place][-_LEFT_REACH:])[-1]
    last = {
        cue: max((match.start() for match in cues.finditer(left)), default=-1)
        for cue, cues in _CUES.items()
    }
    if last["target"] >= 0 and last["target"] >= last["source"]:
        return Reading("target", "cue before", 0.78 if is_own else 0.66)
    if last["source"] >= 0:
        return Reading("source", "cue before", 0.6)
    if any(cues.search(rewritten[place:]) for cues in _CUES.values()):
        return Reading("target", "cue after", 0.62)
    return Reading("target", "no cue", 0.5)


_REVIEW = pattern(
    r"\b(?:(?:systematic|scoping|literature|comprehensive|narrative|critical|brief|short|recent"
    r"|umbrella) (?:\w+ )?review|(?:a|mini)[\s\-]review|review of|: review|survey (?:of|on)"
    r"|a survey|overview of|an overview|meta[\s\-]analysis|bibliometric)\b",
    re.IGNORECASE,
)
_MEASURED = pattern(r"benchmark|experiment|empirical|evaluation", re.IGNORECASE)


def is_review(title: str) -> bool:
    """Whether a title announces a review, which has no experiments of its own to name data for."""
    return _REVIEW.search(title) is not None and _MEASURED.search(title) is None


# --- beside the role --------------------------------------------------------------------------

_STRATEGIES: list[tuple[Strategy, Pattern]] = [
    (
        "domain adaptation",
        pattern(r"domain adapt|domain shift|unsupervised adapt|source domain"),
    ),
    (
        "vision-language",
        pattern(r"vision language|image text|visual language|\bvlms?\b|image report"),
    ),
    (
        "self-supervised",
        pattern(r"selfsupervis|contrastive|masked|\bssl\b|unsupervised pretrain"),
    ),
    ("distillation", pattern(r"distill|teacher")),
    ("multi-task", pattern(r"multi task|jointly")),
    ("supervised", pattern(r"(?<!un)(?<!self)(?<!semi)supervised|classification task")),
]


def read_strategy(rewritten: str) -> Strategy | None:
    """How the source was learned from, where the sentence says so."""
    return next((name for name, cue in _STRATEGIES if cue.search(rewritten)), None)


_FROZEN = pattern(
    r"\bfrozen\b|\bfreez\w*|linear[\s\-]prob\w*|linear evaluation|zero[\s\-]shot|training[\s\-]free"
    r"|features? extract\w*|extract\w* (?:\w+ ){0,3}features|off[\s\-]the[\s\-]shelf"
    r"|without (?:any )?(?:fine[\s\-]*tun|re-?train|further training)",
    re.IGNORECASE,
)
_FINE_TUNED = pattern(
    r"fine[\s\-]*tun|\blora\b|low[\s\-]rank adapt|adapter|re-?train"
    r"|end[\s\-]to[\s\-]end|warm[\s\-]start"
    r"|initiali[sz]|\badapt(?:s|ed|ing|ation)?\b|prompt[\s\-]tun",
    re.IGNORECASE,
)


def read_tuning(sentence: str) -> Tuning | None:
    """Whether what is transferred stays frozen or is fine-tuned; None if neither or both is said.

    >>> read_tuning("Features of a frozen DINOv2 feed a linear classifier.")
    'frozen'
    """
    is_frozen = _FROZEN.search(sentence) is not None
    is_tuned = _FINE_TUNED.search(sentence) is not None
    if is_frozen == is_tuned:
        return None
    return "frozen" if is_frozen else "fine-tuned"


_SCRATCH = pattern(
    r"(?:train|learn)\w*[^.;]{0,60} from scratch|from scratch training|scratch[\s\-]trained"
    r"|(?:compar|versus|\bvs\b|outperform|and|\()[^.;]{0,40}from scratch"
    r"|random(?:ly)?[\s\-]initiali[sz]\w*[^.;]{0,40}(?:weights|network|model|cnn|backbone|encoder)"
    r"|(?:weights|network|model|cnn|backbone|encoder)s?[^.;]{0,40}random(?:ly)?[\s\-]initiali[sz]"
    r"|train(?:ed|ing)? (?:[\w\-]+ ){0,4}without (?:any )?pre-?train",
    re.IGNORECASE,
)
_NOT_SCRATCH = pattern(
    r"(?:instead of|rather than|avoid\w*|without|not|need (?:to|for)|expensive to|costly to"
    r"|difficult to|hard to|impossible to|infeasible to)(?: \w+){0,3} (?:train\w*|from scratch)"
    r"|\b(?:training|learning|train|learn)\b[^.;]{0,40} from scratch "
    r"(?:requires?|needs?|is|may|can|would|often)\b|(?:insufficient|overfit)\w* "
    r"[^.;]{0,80}from scratch|layers? (?:with|is|are|was|were) random",
    re.IGNORECASE,
)


def says_from_scratch(sentence: str) -> bool:
    """Whether the sentence says that the paper trains a model of its own from scratch."""
    if _SCRATCH.search(sentence) is None or _NOT_SCRATCH.search(sentence):
        return False
    return not speaks_of_others(sentence, sentence.lower())
