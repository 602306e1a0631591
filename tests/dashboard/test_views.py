from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from builders import decision, survey, use, work
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import identity
from dashboard import survey as survey_module
from data.corpus import Corpus

_FOLDER = Path(dashboard.__path__[0])
VIEWS = ["review", "adjudicate", "agreement"]  # the others are in test_pages.py
EVIL = "<script>alert(1)</script> & <b>bold</b>"


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


def small(path: Path) -> Corpus:
    text = "We pre-train on ImageNet and test on BraTS."
    works = [
        work("W1", title=EVIL, abstract=text, year=2020, venue="A Journal", doi="10.1000/a"),
        work("W2", abstract="We test on BraTS.", year=2021, countries=("US",)),
        work("W3", abstract="Nothing.", year=2021),
    ]
    uses = [
        use("W1", start=16, end=24, evidence=text),
        use("W1", "BraTS", "target", start=37, end=42, evidence=text, score=0.8),
        use("W2", "BraTS", "target", start=11, end=16, evidence="We test on BraTS."),
    ]
    return survey(path, works, uses)


def page(
    path: Path, view: str, monkeypatch: pytest.MonkeyPatch, *, name: str = "ann", **query: str
) -> AppTest:
    monkeypatch.setenv("CATS_CORPUS", str(path))
    monkeypatch.setenv("CATS_REVIEW", "1")
    monkeypatch.setenv("CATS_REVIEWER", name)
    # There is no connection behind an AppTest; those are in tests/browser.
    monkeypatch.setattr(identity, "this_request", lambda: identity.Request(None, {}, {}))
    app = AppTest.from_file(str(_FOLDER / "app.py"), default_timeout=60)
    app.switch_page(f"views/{view}.py")
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def html_of(app: AppTest) -> str:
    return "".join(str(element.proto.body) for element in app.get("html"))


def panels(app: AppTest) -> list[Any]:
    return list(app.get("bidi_component"))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_stands_on_an_empty_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    survey(tmp_path)
    app = page(tmp_path, view, monkeypatch)
    assert not app.exception
    assert app.info or panels(app)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_a_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    small(tmp_path)
    app = page(tmp_path, view, monkeypatch)
    assert not app.exception
    assert app.title or panels(app)


# --- pages on which people decide -------------------------------------------------------------


def test_the_pages_on_which_people_decide_open_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    monkeypatch.setenv("CATS_CORPUS", str(tmp_path))
    monkeypatch.delenv("CATS_REVIEW", raising=False)
    assert not survey_module.is_reviewed()
    monkeypatch.setenv("CATS_REVIEW", "1")
    assert survey_module.is_reviewed()


def test_nobody_decides_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    monkeypatch.delenv("CATS_REVIEWER", raising=False)
    app = page(tmp_path, "review", monkeypatch, name="")
    assert "name" in app.info[0].value
    assert not panels(app)
    app.text_input(key="reviewer").set_value("ann").run()
    assert panels(app)


def test_a_corrupt_journal_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    for log in tmp_path.glob("journal.db-*"):
        log.unlink()
    (tmp_path / "journal.db").write_bytes(b"no database" * 500)
    app = page(tmp_path, "review", monkeypatch)
    assert "cats status --recover" in app.error[0].value
    assert not panels(app)


def in_dispute(path: Path) -> None:
    """ann and bob differ on one claim, ann and eve on another."""
    corpus = small(path)
    brats = {"proposed_dataset": "BraTS", "proposed_role": "target"}
    with corpus.journal() as journal:
        journal.decide(
            [
                decision("a", "accept", dataset="ImageNet", role="source"),
                decision("b", "reject", reviewer="bob"),
                decision("c", "accept", dataset="BraTS", role="target", **brats),
                decision("d", "reject", reviewer="eve", **brats),
            ]
        )


def links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]


def test_disputes_that_wait_are_told_where_one_reviews(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_dispute(tmp_path)
    assert links(page(tmp_path, "agreement", monkeypatch)) == ["In dispute, to be settled: 2"]
    assert links(page(tmp_path, "review", monkeypatch, name="ann")) == []
    waiting = "1 dispute waits for you to settle"
    assert links(page(tmp_path, "review", monkeypatch, name="bob")) == [waiting]
    app = page(tmp_path, "adjudicate", monkeypatch, name="bob")
    assert "not shown, since you took part or skipped it: 1." in app.sidebar.caption[0].value


def test_a_queue_that_there_is_not_is_told_and_none_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    app = page(tmp_path, "review", monkeypatch, queue="silver")
    assert app.error[0].value == "No queue is called 'silver'. Choose one:"
    assert not panels(app)
    assert '<a href="review?queue=gold">gold</a>: the random sample' in html_of(app)


def test_agreement_shows_its_figures_with_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = small(tmp_path)
    brats = {"proposed_dataset": "BraTS", "proposed_role": "target"}
    with corpus.journal() as journal:
        journal.decide(
            [
                decision("a", "accept", dataset="ImageNet", role="source"),
                decision("b", "accept", dataset="ImageNet", role="source", reviewer="bob"),
                decision("c", "reject", **brats),
                decision("d", "reject", **brats, reviewer="bob"),
            ]
        )
    app = page(tmp_path, "agreement", monkeypatch)
    assert not app.exception
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown == {"of one opinion": "100%", "kappa": "1.00", "alpha": "1.00"}
    assert "2 units in 1 papers" in " ".join(caption.value for caption in app.caption)
