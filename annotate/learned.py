"""How sure a finding is, and its role where rules are unsure: a small learned classifier.

Multinomial logistic regression over the features of `features`; its weights are `weights.json`
beside this file, fitted by `annotate.training`. They are plain numbers: nothing is unpickled.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal, Protocol, get_args

from ahocorasick_rs import AhoCorasick, MatchKind

from annotate.roles import Reading, speaks_of_own
from data.errors import InputError
from data.records import ROLES, Passage, Role

WEIGHTS = Path(__file__).parent / "weights.json"
Outcome = Literal["source", "target", "mention", "none"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# Rules that read no statement, only what stands near; there the classifier decides.
UNSURE = frozenset({"cue before", "cue after", "no cue", "D model", "background"})

_CUES = AhoCorasick(
    [
        *("pretrain", "pre-train", "finetun", "fine-tun", "transfer", "scratch", "frozen"),
        *("initialis", "initializ", "selfsupervis", "self-supervis", "adapt", "foundation"),
        *("evaluat", "experiment", "benchmark", "validat", "test set", "outperform", "achiev"),
        *(f"state{a}of{b}the{c}art" for a, b, c in product(" -", repeat=3)),
        *("compar", "propos", "introduc", "releas", "collect", "annotat", "augment"),
        *("generalis", "generaliz", "zero-shot", "downstream", "without", "instead of", "unlike"),
        *("such as", "recent", "previous", "et al", "widely", "commonly", "challenge", "winner"),
        *(f"train{form} {word}" for form in ("", "ed", "ing") for word in ("on", "with", "using")),
        *("tested on", "on the", "from the", "dataset", "database", "cohort", "images"),
    ],
    matchkind=MatchKind.LeftmostFirst,
)
_NO_WEIGHT = (0.0,) * len(OUTCOMES)
_WORD = re.compile(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]")
_NEAR = 40  # characters on each side of the name
_LONG = 40  # words of a sentence


class Found(Protocol):
    """What the classifier looks at; `annotate.paper.Finding` is one."""

    @property
    def reading(self) -> Reading:
        """Role, rule and the rule's own score."""

    @property
    def implied(self) -> bool:
        """Read off a model's name."""

    @property
    def evidence(self) -> str:
        """The sentence."""

    @property
    def also(self) -> tuple[str, ...]:
        """Other sentences."""

    @property
    def passage(self) -> Passage:
        """Where it stands."""

    @property
    def start(self) -> int:
        """First character of the name in the passage."""

    @property
    def end(self) -> int:
        """Character after it."""


def features(found: Found) -> Iterator[str]:
    """The features of a finding, each present or not, in no order."""
    rule, role = found.reading.rule, found.reading.role
    kind = "implied" if found.implied else role
    yield "bias"
    yield f"kind {kind}"
    yield f"rule {rule} {role}"
    yield f"{kind} in {found.passage.section}"
    yield f"{kind} evidence {min(len(found.also), 2)}"
    if rule in UNSURE:
        yield f"unsure {role}"
    if speaks_of_own(found.evidence):
        yield f"{kind} own"
    if found.evidence.count(" ") > _LONG:
        yield f"{kind} long"
    for cue in set(_CUES.find_matches_as_strings(found.evidence.lower())):
        yield f"{kind} says {cue}"
    text = found.passage.text
    before = _WORD.findall(text[max(0, found.start - _NEAR) : found.start])[-2:]
    after = _WORD.findall(text[found.end : found.end + _NEAR])[:2]
    for place, words in (("before", before), ("after", after)):
        for word in words:
            yield f"{place} {word.lower()}"


@dataclass(frozen=True, slots=True)
class Classifier:
    """Weights by feature, one number an outcome; features that it does not know count nothing."""

    weights: Mapping[str, Sequence[float]]

    def probabilities(self, found: Found) -> dict[Outcome, float]:
        """The probability of each outcome; they sum to 1.

        Source: multinomial logistic regression, softmax of the sums of weights.
        """
        rows = [self.weights.get(feature, _NO_WEIGHT) for feature in features(found)]
        # Not `sum`, whose last digit depends on the order, which is another in each process.
        sums = [math.fsum(column) for column in zip(*rows, strict=True)]
        highest = max(sums)
        grown = [math.exp(each - highest) for each in sums]
        total = math.fsum(grown)
        return {name: each / total for name, each in zip(OUTCOMES, grown, strict=True)}

    def read(self, found: Found) -> Reading:
        """The finding's role and calibrated probability.

        Where its rule is unsure, the likeliest role, else the rule's.
        """
        likely = self.probabilities(found)
        role: Role = found.reading.role
        if found.reading.rule in UNSURE and not found.implied:
            role = max(ROLES, key=lambda each: likely[each])
        return Reading(role, found.reading.rule, likely[role])


@cache
def classifier(path: Path = WEIGHTS) -> Classifier:
    """The classifier whose weights are in a file.

    Raises:
        InputError: the file is missing or does not hold weights.
    """
    try:
        weights = json.loads(path.read_text(encoding="utf-8"))["weights"]
        is_whole = all(len(row) == len(OUTCOMES) for row in weights.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise InputError(
            f"no weights of the role classifier ({type(e).__name__}); fit them with "
            "`python -m annotate.training`, or install cats-toolkit anew",
            path=path,
        ) from e
    if not is_whole:
        raise InputError(f"a row of weights is not {len(OUTCOMES)} numbers", path=path)
    return Classifier(weights)
