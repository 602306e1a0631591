import html
import re
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
from dashboard.survey import stamp
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


def test_a_chart_over_years_shows_share_band_and_few_papers() -> None:
    figure = charts.over_years(frame(), title="T", sample=True)
    band, line = figure.data
    assert list(line.y) == [0.0, 0.5]
    assert list(line.marker.symbol) == ["circle-open", "circle"]
    assert list(band.y) == [0.65, 0.35], "before its first use a dataset has no band"
    assert LABEL in figure.layout.title.text
    assert LABEL not in charts.over_years(frame(), title="T", sample=False).layout.title.text


def test_a_chart_over_groups_says_n_and_interval() -> None:
    figure = charts.over_groups(frame(group=["US", "DE"]), title="T", sample=False)
    (points,) = figure.data
    assert set(points.y) == {"US (n = 10)", "DE (n = 40)"}
    assert list(points.error_x.array) == pytest.approx([0.28, 0.15])
    assert list(points.error_x.arrayminus) == pytest.approx([0.0, 0.15])


def test_eight_datasets_are_told_apart_without_colour() -> None:
    names = [f"D{n}" for n in range(8)]
    wide = pd.concat([frame(dataset=[name, name]) for name in names])
    lines = [trace for trace in charts.over_years(wide, title="", sample=False).data if trace.name]
    assert len({(line.marker.symbol[1], line.line.dash) for line in lines}) == 8


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
