"""Write the embedded sample from its seed: `python -m data.sample.generate [FOLDER]`."""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.sample import TRUTH, WORKS, phrases
from data.sample.phrases import FIELDS, FIRST_YEAR, Field, Foreign

SEED = 20261124
_PER_YEAR = {  # growth as one sees it in a young field
    2015: 16,
    2016: 20,
    2017: 28,
    2018: 38,
    2019: 48,
    2020: 58,
    2021: 66,
    2022: 74,
    2023: 82,
    2024: 92,
    2025: 98,
    2026: 60,
}
_FIRST_ID = 8_800_000_001
_COUNTRIES = [
    "US",
    "CN",
    "IN",
    "DE",
    "GB",
    "FR",
    "NL",
    "IT",
    "ES",
    "TR",
    "EG",
    "BR",
    "JP",
    "KR",
    "CA",
    "PK",
    "SA",
]


@dataclass
class _Paper:
    """One invented paper while it is put together."""

    year: int
    imaging: Field
    kind: str
    task: str
    title: str = ""
    sentences: list[str] = field(default_factory=list)
    uses: list[dict[str, Any]] = field(default_factory=list)
    from_scratch: bool = False

    def use(self, role: str, *datasets: str, implied: bool = False) -> None:
        """Note what the sentences say, for `truth.jsonl`."""
        for dataset in datasets:
            use = {"dataset": dataset, "role": role, "implied": implied}
            if use not in self.uses:
                self.uses.append(use)


def papers(rng: random.Random) -> list[_Paper]:
    """All invented papers by year; no two share a title or an abstract."""
    made: list[_Paper] = []
    seen: set[str] = set()
    for year, count in _PER_YEAR.items():
        kept = 0
        while kept < count:
            paper = _paper(rng, year)
            texts = {" ".join(paper.sentences), paper.title}
            if not texts & seen:
                seen |= texts
                made.append(paper)
                kept += 1
    return made


def _kind_weights(year: int) -> dict[str, float]:
    """How often each kind of paper is invented: ImageNet's share falls, others rise."""
    late = max(0, year - 2020)
    return {
        "named": 22 - late,
        "implied": 24 - 2 * late,
        "self-supervised": 2 + 1.5 * late,
        "foundation": 0 if year < 2021 else 4 * late,
        "adaptation": 5,
        "compared": 2 + late,
        "scratch": 12 - late,
        "mention": 6,
        "none": 14,
    }


def _paper(rng: random.Random, year: int) -> _Paper:
    weights = _kind_weights(year)
    kind = rng.choices(list(weights), list(weights.values()))[0]
    modality = rng.choice(list(phrases.ADAPTATIONS if kind == "adaptation" else FIELDS))
    if kind == "adaptation" and not _pairs(modality, year):
        kind = "scratch"
    if kind == "self-supervised" and not _public(FIELDS[modality].sources, year):
        kind = "implied"
    task = rng.choice(FIELDS[modality].tasks)
    paper = _Paper(year, FIELDS[modality], kind, task)
    paper.title = _title(rng, paper)
    words = {
        "task": task,
        "Task": task[0].upper() + task[1:],
        "images": paper.imaging.images,
        "points": f"{rng.uniform(0.4, 6):.1f}",
        "auc": f"0.{rng.randint(78, 98)}",
        "n": str(rng.randint(2, 9)),
    }
    _say(rng, paper, phrases.BACKGROUND, words)
    _say(rng, paper, phrases.OWN, words)
    _method(rng, paper, words, modality)
    for closing in rng.sample(phrases.CLOSING, rng.randint(1, 3)):
        _say(rng, paper, [closing], words)
    return paper


def _public(names: Sequence[str], year: int) -> list[str]:
    """Those of the names that existed in a year."""
    return [name for name in names if FIRST_YEAR.get(name, 0) <= year]


def _pairs(modality: str, year: int) -> list[tuple[str, str]]:
    pairs = phrases.ADAPTATIONS.get(modality, ())
    return [pair for pair in pairs if len(_public(pair, year)) == len(pair)]


def _of_its_time(choices: Sequence[str], year: int) -> list[str]:
    """Those of the phrasings that someone could have written in a year."""
    late = [word for word, first in phrases.LATE_WORDS.items() if first > year]
    return [text for text in choices if not any(word in text.lower() for word in late)]


def _say(
    rng: random.Random, paper: _Paper, choices: Sequence[str], words: dict[str, str], **more: str
) -> None:
    said = rng.choice(_of_its_time(choices, paper.year)).format(**words, **more)
    keeps_case = said.startswith("iNaturalist")
    paper.sentences.append(said if keeps_case else said[0].upper() + said[1:])


def _method(rng: random.Random, paper: _Paper, words: dict[str, str], modality: str) -> None:
    """The sentences that name datasets, as the kind of paper asks."""
    target = rng.choice(_public(paper.imaging.targets, paper.year))
    if paper.kind == "none":
        for sentence in rng.sample(phrases.NO_TRANSFER, 2):
            _say(rng, paper, [sentence], words)
    elif paper.kind == "adaptation":
        source, target = rng.choice(_pairs(modality, paper.year))
        _say(rng, paper, phrases.ADAPTATION, words, source=source, target=target)
        paper.use("source", source)
        paper.use("target", target)
    elif paper.kind == "self-supervised":
        source = rng.choice(_public(paper.imaging.sources, paper.year))
        target = _other(rng, paper, paper.imaging.targets, source)
        _say(rng, paper, phrases.SELF_SUPERVISED, words, source=source, target=target)
        paper.use("source", source)
        paper.use("target", target)
    else:
        _SOURCES[paper.kind](rng, paper, words, target)
        _targets(rng, paper, words, target)


def _targets(rng: random.Random, paper: _Paper, words: dict[str, str], target: str) -> None:
    _say(rng, paper, phrases.TARGET, words, target=target)
    paper.use("target", target)
    if rng.random() < 0.25 and len(_public(paper.imaging.targets, paper.year)) > 1:
        second = _other(rng, paper, paper.imaging.targets, target)
        if second not in {use["dataset"] for use in paper.uses}:
            _say(rng, paper, phrases.TARGET, words, target=second)
            paper.use("target", second)


def _other(rng: random.Random, paper: _Paper, names: Sequence[str], taken: str) -> str:
    """A dataset public in the paper's year that is not the one taken."""
    return rng.choice([name for name in _public(names, paper.year) if name != taken])


def _backbone(rng: random.Random, year: int) -> str:
    is_late = year >= 2021 and rng.random() < 0.4
    return rng.choice(_public(phrases.LATE_BACKBONES if is_late else phrases.BACKBONES, year))


def _source(rng: random.Random, paper: _Paper, target: str) -> str:
    """A source that such a paper would name in such a year."""
    late = max(0, paper.year - 2020)
    weights = {"ImageNet": 12.0 - 0.8 * late, "field": 1.5, "general": 0.8}
    if paper.year >= 2022:
        weights |= {"RadImageNet": 0.9 * (paper.year - 2021), "ImageNet-21k": 1.0}
    drawn = rng.choices(list(weights), list(weights.values()))[0]
    if drawn == "field":
        return _other(rng, paper, [*paper.imaging.sources, "ImageNet"], target)
    return _other(rng, paper, phrases.GENERAL_SOURCES, target) if drawn == "general" else drawn


def _named(rng: random.Random, paper: _Paper, words: dict[str, str], target: str) -> None:
    source = _source(rng, paper, target)
    _say(rng, paper, phrases.NAMED, words, source=source, backbone=_backbone(rng, paper.year))
    paper.use("source", source)


def _implied(rng: random.Random, paper: _Paper, words: dict[str, str], target: str) -> None:
    _say(rng, paper, phrases.IMPLIED, words, backbone=_backbone(rng, paper.year))
    paper.use("source", "ImageNet", implied=True)


def _foundation(rng: random.Random, paper: _Paper, words: dict[str, str], target: str) -> None:
    known = dict([*phrases.FOUNDATION, *paper.imaging.models])
    names = _public(list(known), paper.year)
    of_field = _public([name for name, _ in paper.imaging.models], paper.year)
    model = rng.choice(names + of_field)  # a field's own models twice as often
    datasets = known[model]
    _say(rng, paper, phrases.FOUNDATIONS, words, model=model)
    paper.use("source", *datasets, implied=True)


def _compared(rng: random.Random, paper: _Paper, words: dict[str, str], target: str) -> None:
    other = _other(rng, paper, [*paper.imaging.sources, "RadImageNet", "COCO"], target)
    _say(rng, paper, phrases.COMPARED, words, source="ImageNet", other=other)
    paper.use("source", "ImageNet", other)


def _scratch(rng: random.Random, paper: _Paper, words: dict[str, str], target: str) -> None:
    _say(rng, paper, phrases.SCRATCH, words)
    paper.from_scratch = True
    if rng.random() < 0.3:
        _mention(rng, paper, words, target)


def _mention(rng: random.Random, paper: _Paper, words: dict[str, str], target: str) -> None:
    source = rng.choice(_public(["ImageNet"] * 4 + ["RadImageNet"], paper.year))
    _say(rng, paper, phrases.MENTION, words, source=source)
    paper.use("mention", source)


_SOURCES = {
    "named": _named,
    "implied": _implied,
    "foundation": _foundation,
    "compared": _compared,
    "scratch": _scratch,
    "mention": _mention,
}


# --- in OpenAlex's shape ----------------------------------------------------------------------


def records(rng: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The works in OpenAlex's shape and what each of them says, in the same order."""
    works, truth = [], []
    for number, paper in enumerate(papers(rng)):
        works.append(_work(rng, number, paper))
        truth.append({"uses": paper.uses, "from_scratch": paper.from_scratch})
    _spoil(rng, works, truth)
    _add_twins(rng, works, truth)
    _add_other_languages(rng, works, truth)
    for work, said in zip(works, truth, strict=True):
        said["id"] = work["id"].rsplit("/", 1)[1]
    _cite(rng, works)
    return works, truth


def _work(rng: random.Random, number: int, paper: _Paper) -> dict[str, Any]:
    topic, name = paper.imaging.topic
    kinds = {"article": 62, "conference-paper": 24, "preprint": 10, "review": 2, "book-chapter": 2}
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    is_preprint = kind == "preprint"
    venue = phrases.VENUES[-1] if is_preprint else rng.choice(phrases.VENUES[:-1])
    month = rng.randint(1, 9 if paper.year == 2026 else 12)
    is_open = is_preprint or rng.random() < 0.5
    doi = f"https://doi.org/10.5555/cats-sample.{number + 1:04d}"
    return {
        "id": f"https://openalex.org/W{_FIRST_ID + number}",
        "doi": doi,
        "title": paper.title,
        "display_name": paper.title,
        "publication_year": paper.year,
        "publication_date": f"{paper.year}-{month:02d}-{rng.randint(1, 28):02d}",
        "type": kind,
        "language": "en",
        "primary_location": {"source": {"display_name": venue}} if rng.random() > 0.02 else None,
        "authorships": _authorships(rng, paper.year),
        "topics": [{"id": f"https://openalex.org/{topic}", "display_name": name}],
        "primary_topic": {"id": f"https://openalex.org/{topic}", "display_name": name},
        "referenced_works": [],
        "cited_by_count": int(rng.expovariate(1 / (1 + 6 * (2027 - paper.year)))),
        "open_access": {"is_oa": is_open, "oa_url": doi if is_open else None},
        "best_oa_location": {"license": rng.choice(["cc-by", None])} if is_open else None,
        "is_retracted": False,
        "updated_date": "2026-10-01T00:00:00",
        "abstract_inverted_index": _inverted(" ".join(paper.sentences)),
    }


def _title(rng: random.Random, paper: _Paper) -> str:
    approach = rng.choice(_of_its_time(phrases.APPROACHES[paper.kind], paper.year))
    adjective, task = rng.choice(phrases.ADJECTIVES), paper.task
    return rng.choice(phrases.TITLES).format(
        a="an" if adjective[0] in "aeiu" else "a",
        adjective=adjective,
        Adjective=adjective[0].upper() + adjective[1:],
        approach=approach,
        Approach=approach[0].upper() + approach[1:],
        task=task,
        Task=task[0].upper() + task[1:],
        images=paper.imaging.images,
    )


def _authorships(rng: random.Random, year: int) -> list[dict[str, Any]]:
    """Two to six invented people; from 2019 on more of them in China and India.

    Some works list nobody, some list people without a place, as real records do.
    """
    fate = rng.random()
    if fate < 0.03:
        return []
    weights = [9, 5 + max(0, year - 2018), 3 + max(0, year - 2019)] + [2.0] * 14
    home = rng.choices(_COUNTRIES, weights)[0]
    people = []
    for _ in range(rng.randint(2, 6)):
        country = home if rng.random() < 0.85 else rng.choice(_COUNTRIES)
        name = f"{rng.choice(phrases.GIVEN_NAMES)} {rng.choice(phrases.FAMILY_NAMES)}"
        place = {"display_name": rng.choice(phrases.INSTITUTIONS), "country_code": country}
        places = [] if fate < 0.06 else [place]
        people.append(
            {
                "author": {"display_name": name},
                "countries": [place["country_code"] for place in places],
                "institutions": places,
            }
        )
    return people


def _inverted(text: str) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, word in enumerate(text.split()):
        places.setdefault(word, []).append(place)
    return places


def _spoil(rng: random.Random, works: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    """The faults that real records have: no abstract, entities, tags, dashes, retractions."""
    nothing = {"uses": [], "from_scratch": False}
    chosen = rng.sample(range(len(works)), 66)
    for place in chosen[:26]:
        works[place]["abstract_inverted_index"] = None
        truth[place] |= nothing
    for count, place in enumerate(chosen[26:56]):
        work, (wart, spoiled) = works[place], phrases.WARTS[count % len(phrases.WARTS)]
        text = re.sub(wart, spoiled, _plain(work["abstract_inverted_index"]))
        work["abstract_inverted_index"] = _inverted(f"<p>{text}</p>" if count % 2 else text)
        title_wart = phrases.TITLE_WARTS[count % len(phrases.TITLE_WARTS)]
        work["title"] = work["display_name"] = title_wart.format(work["title"])
    for place in chosen[56:58]:
        works[place]["is_retracted"] = True
    works[chosen[58]]["title"] = works[chosen[58]]["display_name"] = None
    for place in chosen[59:62]:
        works[place]["type"] = "editorial"
    for place in chosen[62:64]:
        works[place]["type"] = "dataset"
    for place in chosen[64:66]:
        works[place]["doi"] = None


def _plain(index: dict[str, list[int]]) -> str:
    placed = [(place, word) for word, places in index.items() for place in places]
    return " ".join(word for _, word in sorted(placed))


def _add_twins(
    rng: random.Random, works: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    """A year after some preprints, their published versions: one paper, two works."""
    preprints = [
        (work, said)
        for work, said in zip(works, truth, strict=True)
        if work["type"] == "preprint"
        and work["publication_year"] < 2026
        and work["title"]
        and work["abstract_inverted_index"]
    ]
    for work, said in rng.sample(preprints, 6):
        number, year = len(works), work["publication_year"] + 1
        added = phrases.PUBLISHED.format(n=rng.randint(2, 9))
        works.append(
            work
            | {
                "id": f"https://openalex.org/W{_FIRST_ID + number}",
                "doi": f"https://doi.org/10.5555/cats-sample.{number + 1:04d}",
                "publication_year": year,
                "publication_date": f"{year}-03-15",
                "type": "article",
                "primary_location": {"source": {"display_name": phrases.VENUES[0]}},
                "abstract_inverted_index": _inverted(
                    f"{_plain(work['abstract_inverted_index'])} {added}"
                ),
            }
        )
        truth.append(dict(said))


def _add_other_languages(
    rng: random.Random, works: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    for foreign in phrases.OTHER_LANGUAGES:
        paper = _foreign_paper(rng.randint(2019, 2026), foreign)
        works.append(_work(rng, len(works), paper) | {"language": foreign.language})
        truth.append({"uses": paper.uses, "from_scratch": paper.from_scratch})


def _foreign_paper(year: int, foreign: Foreign) -> _Paper:
    imaging = FIELDS[foreign.modality]
    paper = _Paper(year, imaging, "none", imaging.tasks[0], foreign.title, [foreign.text])
    paper.from_scratch = foreign.from_scratch
    if foreign.source:
        paper.use("source", foreign.source, implied=foreign.implied)
    return paper


def _cite(rng: random.Random, works: list[dict[str, Any]]) -> None:
    """Each work cites a few earlier ones of the sample."""
    for work in works:
        earlier = [w["id"] for w in works if w["publication_date"] < work["publication_date"]]
        work["referenced_works"] = sorted(rng.sample(earlier, min(len(earlier), rng.randint(0, 6))))


def write(folder: Path) -> None:
    """Write `works.jsonl.gz` and `truth.jsonl` into a folder, the same bytes every time."""
    works, truth = records(random.Random(SEED))  # noqa: S311  a sample is no secret
    lines = ["".join(_line(row) for row in rows) for rows in (works, truth)]
    (folder / WORKS.name).write_bytes(gzip.compress(lines[0].encode(), 9, mtime=0))
    (folder / TRUTH.name).write_text(lines[1], encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else WORKS.parent)
