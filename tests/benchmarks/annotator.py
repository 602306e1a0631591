"""The annotator beside what one would write instead: speed, and quality where labels are given.

    python tests/benchmarks/annotator.py [--gold FILE ...] [--repeat N]

Speed is on the embedded sample's abstracts, one process, the best of N runs; peers are a regular
expression over all names with a cue word for the role, and spaCy's PhraseMatcher (names only).
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import spacy
from spacy.matcher import PhraseMatcher

from annotate.baselines import Paper, Read, alias_and_cue
from annotate.evaluate import scores
from annotate.gold import labels
from annotate.pipeline import Annotator
from annotate.texts import as_line, read_papers
from data.catalogue import Catalogue, load
from data.records import passages_of
from data.sample import WORKS
from miner.openalex import parse_work


def sample() -> list[Paper]:
    now = datetime.now(UTC)
    with gzip.open(WORKS, "rt", encoding="utf-8") as lines:
        works = [parse_work(json.loads(line), fetched_at=now) for line in lines]
    return [(work.id, passages_of(work)) for work in works]


def names(catalogue: Catalogue) -> list[str]:
    return [name for dataset in catalogue.datasets.values() for name in dataset.names]


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
    regex, phrases = alias_and_cue(catalogue), phrase_matcher(catalogue)
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
    regex: Read,
    catalogue: Catalogue,
) -> None:
    read = list(read_papers(gold))
    papers = [(paper["id"], passages) for paper, passages in read]
    wanted = [labels(paper["uses"], catalogue) for paper, _ in read]
    ours = [as_line(made)["uses"] for made in annotator.annotate(papers, run="b")]
    by_regex = [line["uses"] for line in regex(papers)]
    print(f"{gold.name}, n = {len(papers)}: F1 [95% bootstrap by paper]")
    for name, found in (("cats annotate", ours), ("regular expression + cue", by_regex)):
        table = scores(wanted, [labels(uses, catalogue) for uses in found])
        cells = [
            f"{score.measure} {score.f1:.2f} [{'{:.2f}, {:.2f}'.format(*score.f1_interval)}]"
            for score in table[:4]
            if score.f1 is not None and score.f1_interval is not None
        ]
        print(f"  {name:26}", "; ".join(cells))


if __name__ == "__main__":
    main()
