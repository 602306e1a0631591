"""How well dataset names that the catalogue lacks are found: by hiding those of the labels.

    python tests/benchmarks/candidates.py --gold ../shared/gold [--show]

All datasets that the labels name are taken out of the catalogue; each (paper, dataset) that a
candidate brings back counts as found. Papers are halved by a hash of their id: the rules were
written on half 0, half 1 is for the report.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from annotate.candidates import candidates_of
from annotate.matcher import Matcher
from annotate.texts import read_papers
from data.catalogue import Catalogue, key, load
from data.intervals import wilson
from data.records import Candidate, Passage

FILES = ("dev.jsonl", "dev_passages.jsonl")
_LONG = 4  # letters: a shorter surface inside a longer one proves nothing


@dataclass
class Report:
    """Counts of (paper, dataset): found, wrongly found, missed."""

    n_papers: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + len(self.wrong))

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + len(self.missed))


def half_of(paper_id: str) -> int:
    return int(hashlib.sha256(paper_id.encode()).hexdigest(), 16) % 2


def held_out(gold: Path, *, half: int, files: tuple[str, ...] = FILES) -> Report:
    """What candidates bring back of the datasets that were hidden, on one half of the papers."""
    catalogue = load()
    hidden = {
        catalogue.resolve(use["dataset"])
        for name in FILES
        for paper, _ in read_papers(gold / name)
        for use in named(paper)
    }
    kept = {id: each for id, each in catalogue.datasets.items() if id not in hidden}
    matcher = Matcher(replace(catalogue, datasets=MappingProxyType(kept)))
    report = Report()
    for name in files:
        for paper, passages in read_papers(gold / name):
            if half_of(paper["id"]) == half:
                _count(report, paper, passages, matcher, catalogue)
    return report


def named(paper: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (use for use in paper["uses"] if not use["implied"])


def _count(
    report: Report,
    paper: dict[str, Any],
    passages: list[Passage],
    matcher: Matcher,
    catalogue: Catalogue,
) -> None:
    surfaces = {
        key(use["surface"]): catalogue.resolve(use["dataset"]) or key(use["dataset"])
        for use in named(paper)
    }
    context = "\n".join(passage.text for passage in passages)
    texts = [(passage, matcher.names(passage.text, context=context)) for passage in passages]
    made = candidates_of(paper["id"], texts, run="b", annotator="b")
    found = {_dataset(candidate, surfaces, catalogue) for candidate in made}
    wanted = set(surfaces.values())
    report.n_papers += 1
    report.right += len(found & wanted)
    report.wrong += [f"{paper['id']}: {name}" for name in sorted(found - wanted)]
    report.missed += [f"{paper['id']}: {name}" for name in sorted(wanted - found)]


def _dataset(candidate: Candidate, surfaces: dict[str, str], catalogue: Catalogue) -> str:
    """The labelled dataset that a candidate is, by name or by its words; else its own key."""
    known = catalogue.resolve(candidate.name)
    if known:
        return known
    name, words = key(candidate.name), key(candidate.surface)
    for surface, dataset in surfaces.items():
        if surface in (name, words):
            return dataset
        if (len(surface) > _LONG and surface in words) or (
            len(name) > 2 * _LONG and name in surface
        ):
            return dataset
    return name


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--show", action="store_true", help="list what is wrong or missed")
    options = parser.parse_args()
    for half in (0, 1):
        for files in ((FILES[0],), (FILES[1],), FILES):
            report = held_out(options.gold, half=half, files=files)
            n_found, n_wanted = report.right + len(report.wrong), report.right + len(report.missed)
            precision, recall = wilson(report.right, n_found), wilson(report.right, n_wanted)
            print(
                f"half {half}, {' + '.join(files)}, n = {report.n_papers} papers: "
                f"precision {report.right}/{n_found} = {report.precision:.2f} "
                f"[{precision[0]:.2f}, {precision[1]:.2f}], "
                f"recall {report.right}/{n_wanted} = {report.recall:.2f} "
                f"[{recall[0]:.2f}, {recall[1]:.2f}]"
            )
            if options.show and files == FILES:
                print("  wrong:", *report.wrong, sep="\n    ")
                print("  missed:", *report.missed, sep="\n    ")


if __name__ == "__main__":
    main()
