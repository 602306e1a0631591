"""What a reviewer's words for a dataset stand for: its name, or that of a model trained on it.

The terminal asks `named` of a whole line. The page is given `choices` and answers while one types
(dashboard/panel/panel.js); what counts as a whole name is the same in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from data.catalogue import PSEUDO_IDS, Catalogue, Dataset, Model
from data.records import Role

UNNAMED = "not named in the text"
# "the ISIC 2018 challenge dataset" is ISIC; a name that has such a word itself is tried first.
_AROUND = re.compile(
    r"\b(?:the|data[ -]?sets?|databases?|data|challenges?|models?|networks?)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A dataset under names by which a reviewer may ask for it.

    Args:
        dataset: catalogue id, pseudo-id or `model:<Name>`.
        about: what it is, in a few words.
        names: the usual one first.
        role: the only one that it can have: what a model implies is a source (I1 to I3); None if
            it can have any.
    """

    dataset: str
    about: str
    names: tuple[str, ...]
    role: Role | None = None


def choices(known: Catalogue) -> list[Choice]:
    """Datasets, what stands for unnamed data, then what models were trained on."""
    return [
        *(Choice(each.id, _about(each), each.names) for each in known.datasets.values()),
        *(Choice(name, UNNAMED, (name,), "source") for name in PSEUDO_IDS),
        *(
            Choice(dataset, _behind(model), model.names, "source")
            for model in known.models.values()
            for dataset in model.sources
        ),
    ]


def named(known: Catalogue, words: str) -> list[Choice]:
    """The choices whose name these words are, a dataset's first; empty if they name none."""
    for name in (words, _AROUND.sub(" ", words)):
        wanted = known.resolve(name), known.resolve_model(name)
        found = [choice for choice in choices(known) if choice.names[0] in wanted]
        if found:
            return list({choice.dataset: choice for choice in reversed(found)}.values())[::-1]
    return []


def _about(dataset: Dataset) -> str:
    parts = (dataset.modality, dataset.organ, dataset.year)
    return ", ".join(str(part) for part in parts if part)


def _behind(model: Model) -> str:
    known = "" if model.datasets else "unknown "
    weights = "" if model.kind == "pretrained" else "ready-made "
    return f"{known}training set of {weights}{model.id}"
