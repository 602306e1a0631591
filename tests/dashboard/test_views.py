from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from builders import survey, use, work
from streamlit.testing.v1 import AppTest

import dashboard
from data.corpus import Corpus

_FOLDER = Path(dashboard.__path__[0])
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


def page(path: Path, view: str, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("CATS_CORPUS", str(path))
    monkeypatch.setenv("CATS_REVIEWER", "ann")
    app = AppTest.from_file(str(_FOLDER / "views" / f"{view}.py"), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def html_of(app: AppTest) -> str:
    return "".join(str(element.proto.body) for element in app.get("html"))


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    return button.click().run()


def decisions(corpus: Corpus) -> list[Any]:
    with corpus.journal() as journal:
        return journal.decisions()


def test_one_press_is_one_decision_and_the_next_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = small(tmp_path)
    app = page(tmp_path, "review", monkeypatch)
    first = html_of(app)
    press(app, "Accept")
    (made,) = decisions(corpus)
    assert (made.verdict, made.reviewer) == ("accept", "ann")
    assert made.shown_ms >= 0
    assert html_of(app) != first
    press(app, "Reject")
    press(app, "Skip")
    assert [d.verdict for d in decisions(corpus)] == ["accept", "reject", "skip"]
    assert app.success[0].value == "Nothing waits for your decision."


def test_a_reload_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = press(page(tmp_path, "review", monkeypatch), "Accept")
    assert html_of(page(tmp_path, "review", monkeypatch)) == html_of(app)


def test_undo_brings_the_claim_back_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = small(tmp_path)
    app = page(tmp_path, "review", monkeypatch)
    first = html_of(app)
    press(press(app, "Accept"), "Undo")
    assert html_of(app) == first
    assert [d.verdict for d in decisions(corpus)] == ["accept", "undo"]


def test_an_edit_stores_what_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = small(tmp_path)
    app = page(tmp_path, "review", monkeypatch)
    (role,) = [box for box in app.selectbox if box.label == "as"]
    role.set_value("mention").run()
    press(app, "Save edit")
    (made,) = decisions(corpus)
    assert (made.verdict, made.role) == ("edit", "mention")
    assert made.dataset == made.proposed_dataset


def test_a_note_goes_with_one_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = small(tmp_path)
    app = page(tmp_path, "review", monkeypatch)
    app.text_input(key="note").set_value("unclear").run()
    press(press(app, "Accept"), "Accept")
    assert [d.note for d in decisions(corpus)] == ["unclear", None]


def test_nobody_decides_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = page(tmp_path, "review", monkeypatch)
    app.text_input(key="reviewer").set_value(" ").run()
    assert not app.button
    assert "name" in app.info[0].value
