import html
import re
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import NOW, decision, survey, use, work
from hypothesis import given
from hypothesis import strategies as st

from dashboard import charts
from dashboard.demo import protocol_text
from dashboard.evidence import badge, heading, marked
from dashboard.source import Source
from data.kept import stamp
from data.records import Work
from data.sample import LABEL


def span(start: int, end: int, role: str = "source", dataset: str = "D") -> dict[str, Any]:
    return {"start": start, "end": end, "role": role, "dataset": dataset, "implied": False}


def visible(marked_text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", marked_text))


def test_marks_stand_where_the_offsets_say() -> None:
    assert marked("ab cd", [span(3, 5)]) == 'ab <mark class="source" title="D: source">cd</mark>'


def test_overlapping_uses_share_a_mark() -> None:
    both = marked("abcd", [span(0, 4), span(1, 3, "target", "E")])
    assert both.count("<mark") == 1
    assert 'title="D: source; E: target"' in both


def test_the_evidence_sentence_is_shaded_around_its_marks() -> None:
    shaded = marked("One. Two D. Three.", [span(9, 10)], sentence="Two D.")
    assert '<span class="sentence">Two </span><mark' in shaded
    assert '<span class="sentence">.</span> Three.' in shaded


@given(
    st.text("ab<>&\"' é", max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=4),
)
def test_whatever_is_marked_the_text_stays(text: str, places: list[tuple[int, int]]) -> None:
    spans = [span(a, min(a + n, len(text))) for a, n in places if a < len(text)]
    assert visible(marked(text, spans, sentence=text[2:9] or None)) == text


def test_nothing_from_the_web_becomes_markup() -> None:
    evil = '"><script>x</script>'
    claim = {"dataset": evil, "role": "source", "state": "machine", "implied": False, "named": True}
    fields = {"title": evil, "year": 2020, "venue": evil, "id": "W1", "doi": evil}
    for shown in (badge(claim), heading(fields), marked(evil, [span(0, 5, "source", evil)])):
        assert "<script" not in shown
    assert heading(fields | {"title": None, "doi": None}).startswith("<strong>(untitled)")


def frame(**columns: Any) -> pd.DataFrame:
    plain = {"group": ["2020", "2021"], "dataset": ["A", "A"], "n": [0, 20], "n_papers": [10, 40]}
    rest = {"share": [0.0, 0.5], "low": [0.0, 0.35], "high": [0.28, 0.65]}
    return pd.DataFrame(plain | rest | columns)


def over_years(rows: pd.DataFrame, *, this_year: int = 2021, sample: bool = False) -> charts.Chart:
    return charts.over_years(rows, title="T", this_year=this_year, sample=sample)


def test_a_chart_over_years_shows_share_band_and_few_papers() -> None:
    band, over, tail, points = over_years(frame()).figure.data
    assert list(points.y) == [0.0, 0.5]
    assert list(points.marker.symbol) == ["circle-open", "circle"]
    assert list(band.y) == [0.65, 0.35], "before its first use a dataset has no band"
    assert (list(over.x), list(tail.x), tail.line.dash) == ([2020], [2020, 2021], "dot")
    assert "n = 40" in points.hovertext[1]


def test_a_chart_of_the_sample_says_so() -> None:
    for sample in (True, False):
        said = [each.text for each in over_years(frame(), sample=sample).figure.layout.annotations]
        assert (LABEL in said) is sample


def test_a_chart_has_its_table_its_words_and_its_papers() -> None:
    chart = over_years(frame())
    assert list(chart.table["year"]) == [2020, 2021]
    assert chart.alt == (
        "Line chart. T. A goes from 0% in 2020 (n = 10 papers) to 50% in 2021 (n = 40)."
    )
    assert chart.behind[1] == {"dataset": "A", "role": "source", "years": ["2021", "2021"]}
    assert list(chart.figure.data[-1].customdata) == [0, 1]
    assert "2021 is not over" in chart.note
    assert "fewer than 30" in chart.note


def test_unknown_years_are_not_drawn() -> None:
    assert list(over_years(frame(group=["2020", "unknown"])).table["year"]) == [2020]


def test_a_chart_over_groups_says_n_and_interval() -> None:
    chart = charts.over_groups(
        frame(group=["US", "DE"]), title="T", by="country", sample=False, role="source"
    )
    (points,) = chart.figure.data
    assert set(points.y) == {"US (n = 10)", "DE (n = 40)"}
    assert list(points.error_x.array) == pytest.approx([0.28, 0.15])
    assert list(points.error_x.arrayminus) == pytest.approx([0.0, 0.15])
    assert chart.behind[1] == {"dataset": "A", "role": "source", "country": ["DE"]}


def test_a_ranking_has_the_most_used_on_top() -> None:
    rows = frame(dataset=["A", "B"], group=["all", "all"])
    chart = charts.ranking(rows, title="T", sample=False, role="target")
    assert list(chart.table["dataset"]) == ["B", "A"]
    assert chart.behind[0] == {"dataset": "B", "role": "target"}
    assert chart.alt == "Bar chart. T. The highest: B: 50% (20 of 40 papers)."


def test_a_matrix_leaves_cells_of_few_papers_hollow() -> None:
    rows = frame(group=["mri", "ct"], n=[3, 20], share=[0.3, 0.5])
    chart = charts.matrix(rows, title="T", by="modality", sample=False, role="source")
    cells, many, few = chart.figure.data
    assert [list(row) for row in cells.z] == [[0.5, pytest.approx(float("nan"), nan_ok=True)]]
    assert (list(many.text), list(few.text)) == (["50"], ["30"])
    assert few.marker.symbol == "square-open"


def test_a_difference_that_holds_zero_is_hollow() -> None:
    row = {"dataset": "A", "n_1": 5, "n_papers_1": 50, "share_1": 0.1, "n_2": 2, "n_papers_2": 40}
    row |= {"share_2": 0.05, "difference": 0.05, "low": -0.02, "high": 0.12}
    rows = pd.DataFrame([row, row | {"dataset": "B", "low": 0.01}])
    value = ("difference", "low", "high")
    chart = charts.differences(
        rows, title="T", first="new", second="old", sample=False, value=value
    )
    assert list(chart.figure.data[0].marker.symbol) == ["diamond-open", "diamond"]
    said = charts.verdicts(rows, "new", "old")
    assert said[0].startswith("A: undecided. 10.0% of n = 50 against 5.0% of n = 40 in old")
    assert said[1].startswith("B: more in new")


def test_eight_datasets_are_told_apart_without_colour() -> None:
    names = [f"D{n}" for n in range(8)]
    wide = pd.concat([frame(dataset=[name, name]) for name in names])
    named = [trace for trace in over_years(wide).figure.data if trace.name]
    assert len({points.marker.symbol[1] for points in named}) == 8


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["light", "dark"])
def test_every_colour_stands_out_on_the_page(ground: str) -> None:
    theme = tomllib.loads((Path(charts.__file__).parent / "theme.toml").read_text())["theme"]
    behind = luminance(theme[ground]["backgroundColor"])
    for colour in charts.COLOURS:
        dark, light = sorted((luminance(colour), behind))
        assert (light + 0.05) / (dark + 0.05) >= 3, colour  # WCAG 1.4.11, graphical objects


def test_a_citation_holds_what_draws_the_figure_again() -> None:
    source = Source(
        survey="S", state="snapshot cats-1", choice="modality mri", drawn=NOW.date(), version="0.1"
    )
    assert source.citation("T, by year") == (
        "T, by year (modality mri). From: S, snapshot cats-1. Drawn 2026-11-01 with CATS 0.1."
    )
    assert source.file_name("T, by year") == "cats-t-by-year-2026-11-01"


def test_the_stamp_follows_parts_and_decisions(tmp_path: Path) -> None:
    corpus = survey(tmp_path, [work()], [use()])
    seen = {stamp(tmp_path)}
    corpus.append(Work, [work("W2")], name="b")
    seen.add(stamp(tmp_path))
    with corpus.journal() as journal:
        journal.decide([decision("a", "accept", at=NOW)])
        seen.add(stamp(tmp_path))
    assert len(seen) == 3


def test_the_demo_asks_the_packaged_question_under_its_own_title() -> None:
    assert f'title = "{LABEL}"' in protocol_text()
    assert "T12422" in protocol_text()
