"""The annotator beside what one would write instead: speed, and quality where labels are given.

    python tests/benchmarks/annotator.py [--gold FILE ...] [--repeat N]

Speed is on the embedded sample's abstracts, one process, the best of N runs; peers are a regular
expression over all names with a cue word for the role, and spaCy's PhraseMatcher (names only).
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import spacy
from spacy.matcher import PhraseMatcher

from annotate.evaluate import labels, scores
from annotate.pipeline import Annotator
from annotate.texts import as_line, read_papers
from data.catalogue import Catalogue, load
from data.records import Passage, passages_of
from data.sample import WORKS
from miner.openalex import parse_work

Paper = tuple[str, Sequence[Passage]]
Uses = list[dict[str, Any]]
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_CUE = re.compile(r"pre-?train|transfer|initiali[sz]", re.IGNORECASE)


def sample() -> list[Paper]:
    now = datetime.now(UTC)
    with gzip.open(WORKS, "rt", encoding="utf-8") as lines:
        works = [parse_work(json.loads(line), fetched_at=now) for line in lines]
    return [(work.id, passages_of(work)) for work in works]


def names(catalogue: Catalogue) -> dict[str, str]:
    return {
        name.casefold(): dataset.id
        for dataset in catalogue.datasets.values()
        for name in dataset.names
    }


def regex_pipeline(catalogue: Catalogue) -> Callable[[Sequence[Paper]], list[Uses]]:
    """All names in one regular expression; a source where the sentence has a cue word."""
    known = names(catalogue)
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b", re.IGNORECASE)

    def read(papers: Sequence[Paper]) -> list[Uses]:
        found: list[Uses] = []
        for _, passages in papers:
            uses: dict[tuple[str, str], dict[str, Any]] = {}
            for passage in passages:
                for sentence in _SENTENCE.split(passage.text):
                    role = "source" if _CUE.search(sentence) else "target"
                    for match in pattern.finditer(sentence):
                        dataset = known[match[0].casefold()]
                        use = {"dataset": dataset, "role": role, "implied": False}
                        uses[dataset, role] = use
            found.append(list(uses.values()))
        return found

    return read


def phrase_matcher(catalogue: Catalogue) -> Callable[[Sequence[Paper]], int]:
    nlp = spacy.blank("en")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add("DATASET", list(nlp.pipe(names(catalogue))))

    def read(papers: Sequence[Paper]) -> int:
        texts = [passage.text for _, passages in papers for passage in passages]
        return sum(len(matcher(doc)) for doc in nlp.pipe(texts))

    return read


def best_s(work: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gold", type=Path, action="append", default=[])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    catalogue, papers, annotator = load(), sample(), Annotator()
    regex, phrases = regex_pipeline(catalogue), phrase_matcher(catalogue)
    seconds = {
        "cats annotate": best_s(lambda: list(annotator.annotate(papers, run="b")), options.repeat),
        "regular expression + cue": best_s(lambda: regex(papers), options.repeat),
        "spaCy PhraseMatcher, names only": best_s(lambda: phrases(papers), options.repeat),
    }
    n_names = len(names(catalogue))
    print(f"{len(papers)} sample works, {n_names} names, best of {options.repeat}")
    ours = seconds["cats annotate"]
    for name, taken in seconds.items():
        print(f"  {name:32} {len(papers) / taken:8.0f} papers/s   x {taken / ours:.2f} our time")
    for gold in options.gold:
        compare(gold, annotator, regex, catalogue)


def compare(
    gold: Path,
    annotator: Annotator,
    regex: Callable[[Sequence[Paper]], list[Uses]],
    catalogue: Catalogue,
) -> None:
    read = list(read_papers(gold))
    papers = [(paper["id"], passages) for paper, passages in read]
    wanted = [labels(paper["uses"], catalogue) for paper, _ in read]
    ours = [as_line(made)["uses"] for made in annotator.annotate(papers, run="b")]
    print(f"{gold.name}, n = {len(papers)}: F1 [95% bootstrap by paper]")
    for name, found in (("cats annotate", ours), ("regular expression + cue", regex(papers))):
        table = scores(wanted, [labels(uses, catalogue) for uses in found])
        cells = [
            f"{score.measure} {score.f1:.2f} [{'{:.2f}, {:.2f}'.format(*score.f1_interval)}]"
            for score in table[:4]
            if score.f1 is not None and score.f1_interval is not None
        ]
        print(f"  {name:26}", "; ".join(cells))


if __name__ == "__main__":
    main()
