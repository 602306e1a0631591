import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from builders import PROTOCOL, survey

from data.corpus import Corpus
from data.errors import InputError, NetworkError
from data.protocol import load
from data.settings import Settings
from miner.mine import mine
from miner.pages import Pages
from miner.parts import Mined
from miner.replay import Library, serve
from miner.update import update

MINED_AT = datetime(2024, 6, 1, tzinfo=UTC)
UPDATED_AT = datetime(2024, 9, 1, tzinfo=UTC)


def record(number: int, year: int = 2018, **fields: Any) -> dict[str, Any]:
    plain = {
        "id": f"https://openalex.org/W{number}",
        "title": f"Paper {number}",
        "publication_year": year,
        "publication_date": f"{year}-03-01",
        "type": "article",
        "language": "en",
        "topics": [{"id": "https://openalex.org/T1"}],
        "abstract_inverted_index": {"Text": [0]},
        "updated_date": "2024-05-01T00:00:00",
    }
    return plain | fields


OLD = [record(number) for number in range(1, 251)] + [record(1001, 2024)]


def asked(corpus: Corpus, url: str, step: Any, at: datetime) -> Mined:
    settings = Settings(openalex_url=url, tries=2, read_timeout_s=5)
    with Pages(settings, sleep=lambda s: None, rng=random.Random(1)) as pages:
        protocol = load(corpus.path / "protocol.toml")
        found: Mined = step(corpus, protocol, pages, server="replay", clock=lambda: at)
        return found


def updated(
    corpus: Corpus,
    works: list[dict[str, Any]],
    *,
    merged: Mapping[str, str] | None = None,
    faults: tuple[str, ...] = (),
) -> tuple[Mined, Library]:
    with serve(works, merged=merged, faults=faults) as (url, library):
        return asked(corpus, url, update, UPDATED_AT), library


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    made = survey(tmp_path / "s")
    with serve(OLD) as (url, _):
        asked(made, url, mine, MINED_AT)
    return made


def included(corpus: Corpus) -> set[str]:
    return {row["id"] for row in corpus.table("SELECT id FROM included").to_pylist()}


def test_nothing_new_writes_no_work(corpus: Corpus) -> None:
    before = sorted(part.name for part in (corpus.path / "works").iterdir())
    result, library = updated(corpus, OLD)
    assert (result.works, result.rejects) == (0, 0)
    assert sorted(part.name for part in (corpus.path / "works").iterdir()) == before
    # One page of works by year, one of the window from 2023, and 251 ids in three batches.
    assert len(library.requests) == 1 + 1 + 3
    assert not any("created" in request.path for request in library.requests)


def test_new_and_changed_works_come(corpus: Corpus) -> None:
    changed = record(7, title="Paper 7, corrected", updated_date="2024-08-01T00:00:00")
    works = [changed if w["id"][-2:] == "W7" else w for w in OLD] + [record(2000, 2024)]
    result, _ = updated(corpus, works)
    assert result.works == 2
    titles = {work.id: work.title for work in corpus.works()}
    assert titles["W7"] == "Paper 7, corrected"
    assert titles["W2000"] == "Paper 2000"
    assert len(titles) == len(OLD) + 1


def test_retracted_merged_and_deleted_works_leave_the_survey_with_their_reason(
    corpus: Corpus,
) -> None:
    gone = {"https://openalex.org/W3", "https://openalex.org/W4", "https://openalex.org/W5"}
    works = [
        w | ({"is_retracted": True} if w["id"].endswith("/W6") else {})
        for w in OLD
        if w["id"] not in gone
    ]
    works.append(record(5000, 2010))  # outside the protocol's years: found by its old id only
    result, _ = updated(corpus, works, merged={"W3": "W8", "W4": "W5000"})
    reasons = {
        row["work_id"]: row["reason"]
        for row in corpus.table("SELECT * FROM screened WHERE included = 0").to_pylist()
    }
    assert reasons == {
        "W3": "merged into W8",
        "W4": "merged into W5000",
        "W5": "deleted at OpenAlex",
        "W6": "retracted",
        "W5000": "year 2010",
    }
    assert result.works == 2
    assert included(corpus) == {w["id"].rsplit("/")[-1] for w in OLD} - {"W3", "W4", "W5", "W6"}


def test_a_work_that_is_back_is_in_the_survey_again(corpus: Corpus) -> None:
    updated(corpus, [w for w in OLD if not w["id"].endswith("/W9")])
    assert "W9" not in included(corpus)
    updated(corpus, OLD)
    assert "W9" in included(corpus)


def test_a_stopped_update_continues(corpus: Corpus) -> None:
    works = [*OLD, record(2000, 2024)]
    with pytest.raises(NetworkError):
        updated(corpus, works, faults=("429-budget",))
    result, library = updated(corpus, works)
    assert "W2000" in included(corpus)
    assert len(library.requests) <= 4  # what was safe is not asked again
    assert result.rejects == 0


def test_an_update_of_what_was_never_mined_says_so(tmp_path: Path) -> None:
    corpus = Corpus.create(tmp_path / "s", protocol=PROTOCOL)
    with pytest.raises(InputError, match="`cats mine` first"):
        updated(corpus, OLD)
