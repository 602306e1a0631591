"""Where labels and finds differ, one mistake a paper and dataset, by kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from annotate.gold import Labelled, dataset_id
from data.catalogue import PSEUDO_IDS, Catalogue, key

Use = Mapping[str, Any]
Kind = Literal[
    "role confusion",
    "missed name",
    "wrong dataset",
    "implied",
    "spurious",
    "unnamed source (I3)",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One dataset of one paper on which gold and annotator differ.

    Args:
        gold: the labels of the dataset; empty if it has none.
        found: the finds; empty if it was missed.
        score: the highest of the finds; None for a miss, and where no score is given.
    """

    kind: Kind
    paper: Labelled
    gold: tuple[Use, ...]
    found: tuple[Use, ...]
    score: float | None

    @property
    def shown(self) -> Use:
        """The use whose sentence shows it best: the surest find, else the first label."""
        if not self.found:
            return self.gold[0]
        return max(self.found, key=lambda use: use.get("score") or 0.0)


def mistakes(
    papers: Sequence[Labelled], found: Sequence[Iterable[Use]], catalogue: Catalogue
) -> list[Mistake]:
    """All mistakes, the surest first; misses, which have no score, at the end.

    Kinds:
    - role confusion: the dataset is right, its roles are not (one of two missed included);
    - missed name: a named dataset that was not found;
    - wrong dataset: the same words were taken for another dataset;
    - implied: a source that a model implies was missed or invented, or named taken for implied;
    - spurious: a named dataset that gold does not have;
    - unnamed source (I3): any difference on ready-made weights without model and data.

    Args:
        papers: with their labels.
        found: the uses found in each, same length and order.
    """
    all_mistakes = [
        mistake
        for paper, uses in zip(papers, found, strict=True)
        for mistake in _paired(_of_paper(paper, uses, catalogue))
    ]
    return sorted(all_mistakes, key=_surest_first)


def _surest_first(mistake: Mistake) -> tuple[bool, float, str]:
    return mistake.score is None, -(mistake.score or 0.0), mistake.paper.id


def _of_paper(paper: Labelled, uses: Iterable[Use], catalogue: Catalogue) -> list[Mistake]:
    gold, found = _by_dataset(paper.uses, catalogue), _by_dataset(uses, catalogue)
    return [
        Mistake(kind, paper, a, b, _surest(b))
        for dataset in {**gold, **found}
        for a, b in [(gold.get(dataset, ()), found.get(dataset, ()))]
        if (kind := _kind(dataset, a, b)) is not None
    ]


def _by_dataset(uses: Iterable[Use], catalogue: Catalogue) -> dict[str, tuple[Use, ...]]:
    grouped: dict[str, tuple[Use, ...]] = {}
    for use in uses:
        dataset = dataset_id(use["dataset"], catalogue)
        grouped[dataset] = (*grouped.get(dataset, ()), use)
    return grouped


def _kind(dataset: str, gold: Sequence[Use], found: Sequence[Use]) -> Kind | None:
    said, had = ({(use["role"], bool(use["implied"])) for use in uses} for uses in (gold, found))
    if said == had:
        return None
    if dataset in PSEUDO_IDS:
        return "unnamed source (I3)"
    if gold and found:
        same_roles = {role for role, _ in said} == {role for role, _ in had}
        return "implied" if same_roles else "role confusion"
    if all(use["implied"] for use in (*gold, *found)):
        return "implied"
    return "missed name" if gold else "spurious"


def _paired(found: Sequence[Mistake]) -> list[Mistake]:
    """A miss and an invention over the same words become one mistake: the wrong dataset."""
    named = [mistake for mistake in found if mistake.kind != "unnamed source (I3)"]
    misses = [mistake for mistake in named if not mistake.found]
    pairs: list[tuple[Mistake, Mistake]] = []
    for invention in (mistake for mistake in named if not mistake.gold):
        miss = next((miss for miss in misses if _same_words(miss.gold, invention.found)), None)
        if miss is not None:
            misses.remove(miss)
            pairs.append((miss, invention))
    apart = [mistake for pair in pairs for mistake in pair]
    return [mistake for mistake in found if mistake not in apart] + [
        replace(invention, kind="wrong dataset", gold=miss.gold) for miss, invention in pairs
    ]


def _same_words(some: Iterable[Use], others: Iterable[Use]) -> bool:
    surfaces, rest = (
        [spelled for use in uses if (spelled := key(use.get("surface") or ""))]
        for uses in (some, others)
    )
    return any(a in b or b in a for a in surfaces for b in rest)


def _surest(uses: Iterable[Use]) -> float | None:
    return max((use["score"] for use in uses if use.get("score") is not None), default=None)
