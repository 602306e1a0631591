"""Each page by the app itself: on a survey, on an empty one, and after one press."""

from pathlib import Path

import pytest
from builders import NOW, decision, survey, use, work
from streamlit.testing.v1 import AppTest

import dashboard
from annotate.sampling import draw
from data.corpus import Corpus
from data.records import Work

_APP = Path(dashboard.__path__[0]) / "app.py"
EVIL = "<script>alert(1)</script> & <b>bold</b>"
PAGES = {
    "overview": "Which datasets do papers transfer from?",
    "trends": "Trends",
    "sources": "Sources",
    "matrix": "Source by modality",
    "flow": "Flow",
    "compare": "Compare",
    "choose": "Choose a source",
    "dataset": "Dataset",
    "papers": "Papers and evidence",
    "paper": "Paper",
    "quality": "Quality",
    "method": "Method and data",
}


def small(path: Path) -> Corpus:
    text = "We pre-train on ImageNet and test on BraTS, an MRI set."
    works = [
        work("W1", title=EVIL, abstract=text, year=2020, venue="A Journal", doi="10.1000/a"),
        work("W2", abstract="We test on BraTS.", year=2021, countries=("US",), venue="B"),
        work("W3", abstract="Nothing.", year=2021),
    ]
    uses = [
        use("W1", start=16, end=24, evidence=text),
        use("W1", "BraTS", "target", start=37, end=42, evidence=text, score=0.8),
        use("W2", "BraTS", "target", start=11, end=16, evidence="We test on BraTS."),
    ]
    return survey(path, works, uses)


def opened(
    path: Path, page: str, monkeypatch: pytest.MonkeyPatch, **query: str | list[str]
) -> AppTest:
    monkeypatch.setenv("CATS_CORPUS", str(path))
    monkeypatch.delenv("CATS_REVIEWER", raising=False)
    app = AppTest.from_file(str(_APP), default_timeout=60)
    if page != "overview":
        app.switch_page(f"views/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def words(app: AppTest) -> str:
    return "\n".join(
        [element.value for element in (*app.markdown, *app.caption, *app.info)]
        + [str(element.proto.body) for element in app.get("html")]
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_what_to_do_on_an_empty_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    survey(tmp_path)
    app = opened(tmp_path, page, monkeypatch)
    assert not app.exception
    assert app.title[0].value == PAGES[page]
    assert "cats mine" in app.info[0].value


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_a_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    small(tmp_path)
    app = opened(tmp_path, page, monkeypatch, **({"id": "W1"} if page == "paper" else {}))
    assert not app.exception
    assert app.title[0].value == PAGES[page]
    assert not app.error
    assert "<script>" not in words(app)


def test_works_that_nobody_annotated_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Corpus.create(tmp_path, protocol=_protocol()).append(Work, [work()], name="a")
    app = opened(tmp_path, "trends", monkeypatch)
    assert "1 works are here and none is annotated yet: `cats annotate`" in app.info[0].value


def _protocol() -> str:
    from builders import PROTOCOL

    return PROTOCOL


def test_the_app_without_a_survey_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(tmp_path, "overview", monkeypatch)
    assert "cats dashboard -C" in app.error[0].value


def test_the_overview_counts_and_follows_new_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = small(tmp_path)
    app = opened(tmp_path, "overview", monkeypatch)
    assert {metric.label: metric.value for metric in app.metric}["works"] == "3"
    corpus.append(Work, [work("W9")], name="later")
    app.run()
    assert {metric.label: metric.value for metric in app.metric}["works"] == "4"
    assert "1 of 4 papers are not annotated yet" in app.info[0].value


def table_of(app: AppTest, key: str) -> dict[str, list[object]]:
    """The table twin of a chart, once its tab is pressed."""
    app.session_state[f"{key}-tabs"] = "Table"
    app.run()
    assert not app.exception
    return {name: list(cells) for name, cells in app.dataframe[0].value.items()}


def test_trends_change_with_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = opened(tmp_path, "trends", monkeypatch)
    app.selectbox(key="role").set_value("target").run()
    table = table_of(app, "shares-share")
    assert table["dataset"] == ["BraTS", "BraTS"]
    assert table["year"] == [2020, 2021]
    assert (table["n"], table["n_papers"]) == ([1, 1], [1, 2])
    assert "n = 3 annotated papers" in words(app)


def test_an_address_holds_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = opened(tmp_path, "trends", monkeypatch, role="target", by="country", venue=["B"])
    table = table_of(app, "shares-share")
    assert (table["country"], table["n_papers"]) == (["US"], [1])


def test_sources_are_ranked_and_their_concentration_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    app = opened(tmp_path, "sources", monkeypatch, among="papers with a source")
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["share of the first"] == "100%"
    assert table_of(app, "ranking-share")["share"] == [1.0]


def with_gold(path: Path) -> None:
    """100 papers of two years that are said to use ImageNet or COCO; two people read 80 of them."""
    works = [work(f"W{i:03}", year=2019 + i % 2) for i in range(100)]
    corpus = survey(
        path, works, [use(w.id, ("ImageNet", "COCO")[n % 3 > 1]) for n, w in enumerate(works)]
    )
    draw(corpus, n=80, seed=1, now=NOW)
    gold = {"queue": "gold", "blind": True, "proposed_dataset": None, "proposed_role": None}
    with corpus.journal() as journal:
        for paper in journal.sample()["work_id"].to_pylist():
            for who in ("ann", "bob"):
                own = {**gold, "work_id": paper, "reviewer": who}
                name = "COCO" if int(paper[1:]) % 4 == 0 else "ImageNet"
                said = {"dataset": name, "role": "source"}
                journal.decide([decision(f"{who}{paper}", "add", **own, **said)])
                journal.decide([decision(f"{who}{paper}d", "done", **own)])


def test_what_gold_papers_correct_stands_beside_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gold(tmp_path)
    app = opened(tmp_path, "sources", monkeypatch)
    assert not app.exception
    deltas = {metric.label: metric.delta for metric in app.metric}
    assert deltas["effective number (HHI)"].startswith("corrected 1.")
    assert " [1." in deltas["effective number (HHI)"]
    assert not deltas["Gini"]
    assert len(table_of(app, "concentration")["year"]) == 2
    told = words(opened(tmp_path, "trends", monkeypatch))
    assert "points since 2020: " in told
    assert "] as found, " in told
    assert "] corrected" in told
    assert not opened(tmp_path, "quality", monkeypatch).exception


def test_the_matrix_turns_to_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = opened(tmp_path, "matrix", monkeypatch)
    app.selectbox(key="role").set_value("target").run()
    table = table_of(app, "matrix")
    found = dict(zip(table["modality"], table["n"], strict=True))
    assert found == {"mri": 1, "unknown": 1}


def test_flow_has_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = opened(tmp_path, "flow", monkeypatch)
    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["source"], row["target"], row["n"]) == ("ImageNet", "BraTS", 1)


def test_two_choices_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = opened(tmp_path, "compare", monkeypatch, role="target")
    assert "BraTS\\: undecided. 50.0% of n = 2 against 100.0% of n = 1" in words(app)
    app.selectbox(key="by").set_value("venue").run()
    app.multiselect(key="a_venue").set_value([]).run()
    assert "Choose at least one on each side" in words(app)


def test_a_practitioner_is_told_how_thin_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    app = opened(tmp_path, "choose", monkeypatch)
    app.selectbox(key="modality").set_value("mri").run()
    assert not app.exception
    assert "Only n = 1 papers" in app.warning[0].value


def test_a_dataset_has_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = opened(tmp_path, "dataset", monkeypatch, dataset="ImageNet")
    assert "ILSVRC" in words(app)
    assert "No paper uses it as target" in words(app)


def test_a_paper_has_a_permalink_and_its_texts_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    shown = words(opened(tmp_path, "paper", monkeypatch, id="W1"))
    assert "&lt;script&gt;" in shown
    assert '<mark class="source" title="ImageNet: source">ImageNet</mark>' in shown
    assert "no paper W7" in words(opened(tmp_path, "paper", monkeypatch, id="W7"))


@pytest.mark.parametrize(
    ("choice", "n_found"),
    [
        ({"dataset": "BraTS"}, 2),
        ({"dataset": "ImageNet", "role": "source"}, 1),
        ({"dataset": "ImageNet", "role": "target"}, 0),
        ({"dataset": "ImageNet", "target": ["BraTS"]}, 1),
        ({"words": "NOTHING"}, 1),
        ({"words": "no such words"}, 0),
        ({"years": ["2021", "2021"]}, 2),
        ({"venue": ["B"]}, 1),
    ],
)
def test_papers_are_filtered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    choice: dict[str, str | list[str]],
    n_found: int,
) -> None:
    small(tmp_path)
    app = opened(tmp_path, "papers", monkeypatch, **choice)
    assert not app.exception
    assert f"**{n_found} papers**" in words(app)


def test_findings_are_shown_at_each_threshold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path)
    shown = words(opened(tmp_path, "quality", monkeypatch))
    assert "People have not labelled a random sample" in shown
    assert "test@1" in shown


def test_the_method_says_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path)
    app = opened(tmp_path, "method", monkeypatch)
    assert "Imaging (T1)" in words(app)
    assert "2015" in words(app)
    assert "A test" in app.code[-1].value
