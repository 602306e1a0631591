from datetime import UTC, datetime
from pathlib import Path

import pytest

from data.citations import read_looked_up
from data.errors import NetworkError
from data.settings import Settings
from miner.pages import Pages
from miner.papers import Resolved, resolve
from miner.replay import serve

NOW = datetime(2026, 11, 1, tzinfo=UTC)
WORKS = [
    {"id": "https://openalex.org/W1", "doi": "https://doi.org/10.1111/a"},
    {"id": "https://openalex.org/W2", "doi": "https://doi.org/10.48550/arXiv.1405.0312"},
]
DOIS = ["10.1111/a", "10.48550/arxiv.1405.0312", "10.1111/none"]


def looked_up(
    path: Path, works: list[dict[str, str]], dois: list[str], **options: bool
) -> Resolved:
    with serve(works) as (url, _), Pages(Settings(openalex_url=url, tries=2)) as pages:
        return resolve(path, dois, pages, clock=lambda: NOW, **options)


def test_answers_are_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "dataset_papers.csv"
    assert looked_up(path, WORKS, DOIS) == Resolved(found=2, unknown=1)
    kept = read_looked_up(path)
    assert {doi: work for doi, (work, _) in kept.items()} == {
        "10.1111/a": "W1",
        "10.48550/arxiv.1405.0312": "W2",
        "10.1111/none": "",
    }
    assert looked_up(path, [], DOIS) == Resolved(before=3)
    assert read_looked_up(path) == kept


def test_what_was_not_known_is_asked_again_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "dataset_papers.csv"
    looked_up(path, WORKS[:1], DOIS)
    assert looked_up(path, WORKS, DOIS, again=True) == Resolved(found=1, unknown=1, before=1)
    assert read_looked_up(path)["10.48550/arxiv.1405.0312"][0] == "W2"


def test_a_stop_keeps_what_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "dataset_papers.csv"
    told: list[int] = []

    def stop(n: int) -> None:
        told.append(n)
        if len(told) == 2:
            raise KeyboardInterrupt

    with (
        serve(WORKS) as (url, _),
        Pages(Settings(openalex_url=url)) as pages,
        pytest.raises(KeyboardInterrupt),
    ):
        resolve(path, DOIS, pages, clock=lambda: NOW, progress=stop)
    assert list(read_looked_up(path)) == DOIS[:2]
    assert looked_up(path, WORKS, DOIS) == Resolved(unknown=1, before=2)


def test_without_a_network_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "dataset_papers.csv"
    looked_up(path, WORKS, DOIS[:1])
    settings = Settings(openalex_url="http://127.0.0.1:9", tries=1)
    with Pages(settings, sleep=lambda s: None) as pages, pytest.raises(NetworkError):
        resolve(path, DOIS, pages, clock=lambda: NOW)
    assert list(read_looked_up(path)) == DOIS[:1]
