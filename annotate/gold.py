"""Labelled papers: what a gold file says, its texts joined where they are kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from annotate.texts import read_papers
from data.catalogue import PSEUDO_IDS, Catalogue, Images, key
from data.errors import InputError
from data.records import ROLES, Passage, Role


@dataclass(frozen=True, slots=True)
class Labelled:
    """One paper of a gold file.

    Args:
        passages: title and abstract; None if the file leaves both out, as text kept elsewhere.
        uses: as the file has them, each with at least dataset, role and implied.
    """

    id: str
    title: str | None
    passages: tuple[Passage, ...] | None
    uses: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Label:
    """One use, reduced to what is compared; the rest says which table it counts in.

    Args:
        images: what the dataset holds; None if the catalogue lacks it.
        ambiguous: whether the words in the text are a homonym of the catalogue's; None if the
            words are not given.
        score: of the annotator; None for people and baselines.
    """

    dataset: str
    role: Role
    implied: bool
    images: Images | None = field(default=None, compare=False)
    ambiguous: bool | None = field(default=None, compare=False)
    score: float | None = field(default=None, compare=False)

    @property
    def is_unnamed(self) -> bool:
        """Whether it is of rule I3, which is reported apart."""
        return self.dataset in PSEUDO_IDS


Labels = frozenset[Label]


def dataset_id(name: str, catalogue: Catalogue) -> str:
    """The catalogue's id of a dataset; a name that it lacks by its letters and digits alone."""
    return catalogue.resolve(name) or key(name)


def labels(uses: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> Labels:
    """The labels of one paper, with every dataset by its `dataset_id`."""
    return frozenset(_label(use, catalogue) for use in uses)


def _label(use: Mapping[str, Any], catalogue: Catalogue) -> Label:
    name, surface = dataset_id(use["dataset"], catalogue), use.get("surface")
    entry = catalogue.datasets.get(name)
    return Label(
        name,
        cast(Role, use["role"]),
        bool(use["implied"]),
        images=None if entry is None else entry.images,
        ambiguous=None if surface is None else entry is not None and surface in entry.ambiguous,
        score=use.get("score"),
    )


def read_labels(path: Path) -> list[Labelled]:
    """The papers of a gold file, in its order.

    Raises:
        InputError: the file cannot be read; a paper has no id, no uses of the codebook's shape,
            or the id of an earlier one.
    """
    papers: dict[str, Labelled] = {}
    for paper, passages in read_papers(path):
        if paper["id"] in papers:
            raise InputError("is labelled twice; keep one line", path=path, record=paper["id"])
        has_text = "title" in paper or "abstract" in paper
        papers[paper["id"]] = Labelled(
            paper["id"],
            paper.get("title"),
            tuple(passages) if has_text else None,
            _uses(paper, path),
        )
    return list(papers.values())


def _uses(paper: Mapping[str, Any], path: Path) -> tuple[Mapping[str, Any], ...]:
    try:
        for use in paper["uses"]:
            fits = isinstance(use["dataset"], str) and isinstance(use["implied"], bool)
            if not fits or use["role"] not in ROLES:
                raise ValueError(use)
        return tuple(paper["uses"])
    except (KeyError, TypeError, ValueError) as e:
        what = 'expected "uses": [{"dataset", "role", "implied"}], as in the codebook'
        fault = f"; found {e.args[0]!r:.200}" if isinstance(e, ValueError) else ""
        raise InputError(what + fault, path=path, record=paper["id"]) from e


def with_texts(
    papers: Sequence[Labelled], texts: Sequence[Path]
) -> tuple[list[Labelled], list[str]]:
    """The papers that have a text, and the ids of the others.

    A paper's own text stands; else the first that one of the files has for its id.

    Raises:
        InputError: a file cannot be read, or no paper has a text.
    """
    wanted = {paper.id for paper in papers if paper.passages is None}
    found: dict[str, tuple[str | None, tuple[Passage, ...]]] = {}
    for path in texts if wanted else ():
        for paper, passages in read_papers(path):
            if paper["id"] in wanted and passages:
                found.setdefault(paper["id"], (paper.get("title"), tuple(passages)))
    joined = [_joined(paper, found) for paper in papers]
    missing = [paper.id for paper in joined if paper.passages is None]
    if papers and len(missing) == len(papers):
        raise InputError(
            f"none of the {len(papers)} labelled papers has a text; give the file of "
            '{"id","title","abstract"} lines that holds them with --texts',
            record=missing[0],
        )
    return [paper for paper in joined if paper.passages is not None], missing


def _joined(
    paper: Labelled, found: Mapping[str, tuple[str | None, tuple[Passage, ...]]]
) -> Labelled:
    if paper.passages is not None or paper.id not in found:
        return paper
    title, passages = found[paper.id]
    uses = tuple(_with_words(use, passages) for use in paper.uses)
    return replace(paper, title=title, passages=passages, uses=uses)


def _with_words(use: Mapping[str, Any], passages: Sequence[Passage]) -> Mapping[str, Any]:
    """A use of an open gold file with the words that its offsets point to."""
    text = next((p.text for p in passages if p.section == use.get("section")), None)
    if text is None or "surface" in use or "start" not in use:
        return use
    return {**use, "surface": text[use["start"] : use["end"]]}


def in_both(
    papers: Sequence[Labelled], others: Sequence[Labelled]
) -> tuple[list[tuple[Labelled, Labelled]], list[str]]:
    """The papers that two people labelled, in the order of the first, and ids of all others.

    Raises:
        InputError: they share none.
    """
    second = {paper.id: paper for paper in others}
    pairs = [(paper, second[paper.id]) for paper in papers if paper.id in second]
    if not pairs:
        raise InputError("the two label files share no id; give labels of the same papers")
    shared = {paper.id for paper, _ in pairs}
    return pairs, [paper.id for paper in (*papers, *others) if paper.id not in shared]
