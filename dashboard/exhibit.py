"""One way to show a chart: with its table, its files, its citation and the papers behind it.

Open `show` first. Every chart of every page goes through it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.components.v2 import component

from dashboard.charts import Chart, Query
from dashboard.filters import as_sentence, as_text
from dashboard.source import Source

_CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}
_INK = {"light": "#43413c", "dark": "#cfccc6"}  # 7:1 and more on the theme's grounds
_PERCENT = re.compile(r"(?:^|_)(share|value|low|high|corrected|difference)(?:$|_)")
# Columns as the page heads them; in files they keep their names.
_WORDS = {
    "n": "papers",
    "n_papers": "of papers",
    "low": "95% from",
    "high": "95% to",
    "corrected_low": "corrected from",
    "corrected_high": "corrected to",
    "mean_score": "mean score",
    "n_right": "right",
    "min_score": "least score",
}
_HTML = """<div class="files"><button type="button" data-as="png">PNG</button>
<button type="button" data-as="svg">SVG</button><span role="status"></span></div>"""
_CSS = """.files { display: flex; gap: .5rem; align-items: center; }
button { font: inherit; color: var(--st-text-color); background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
  min-height: 2.5rem; padding: 0 .9rem; }
button:hover, button:focus-visible { border-color: var(--st-primary-color);
  color: var(--st-primary-color); }"""
_files = component(
    "cats_files",
    html=_HTML,
    css=_CSS,
    js=(Path(__file__).parent / "download.js").read_text(encoding="utf-8"),
)


def show(chart: Chart, *, key: str, source: Source, with_table: bool = False) -> None:
    """Draw a chart under its title; beneath it how to read it, its table, and how to cite it.

    A press on a point, or on a row of the table, links to the papers that it counts.

    Args:
        key: unique on the page; letters, digits and hyphens.
        source: what the chart is drawn from, for the citation and for the files.
        with_table: the table stands below at once, where the chart has nothing to press.
    """
    st.markdown(f"##### {as_text(chart.title)}")
    _exhibit(chart, key, source, with_table)


@st.fragment
def _exhibit(chart: Chart, key: str, source: Source, with_table: bool) -> None:
    """A fragment: what is pressed in one chart draws only that chart again."""
    names = (
        ["Chart", "Cite and download"] if with_table else ["Chart", "Table", "Cite and download"]
    )
    tabs = dict(zip(names, st.tabs(names, key=f"{key}-tabs", on_change="rerun"), strict=True))
    with tabs["Chart"]:
        pressed = st.plotly_chart(
            _inked(chart.figure),
            key=key,
            alt=chart.alt,
            config=_CONFIG,
            on_select="rerun",
            selection_mode="points",
        )
        _link_to_papers(chart, [_row(point) for point in pressed["selection"]["points"]])
    if "Table" in tabs and tabs["Table"].open:
        with tabs["Table"]:
            _table(chart, key)
    if tabs["Cite and download"].open:
        with tabs["Cite and download"]:
            _cite_and_download(chart, key, source)
    st.caption(as_sentence(chart.note))
    if with_table:
        _table(chart, key)


def _inked(figure: go.Figure) -> go.Figure:
    """The figure with its words in the page's own colour; Streamlit's grey is too faint to read."""
    ink = _INK["dark" if st.context.theme.type == "dark" else "light"]
    figure.update_layout(font={"color": ink}, legend={"font": {"color": ink}})
    figure.update_xaxes(tickfont={"color": ink}, title_font={"color": ink})
    figure.update_yaxes(tickfont={"color": ink}, title_font={"color": ink})
    figure.update_traces(textfont={"color": ink}, selector={"type": "sankey"})
    figure.update_traces(error_x={"color": ink}, selector={"type": "bar"})
    return figure


def _table(chart: Chart, key: str) -> None:
    picked = st.dataframe(
        chart.table,
        key=f"{key}-table",
        hide_index=True,
        column_config={name: _column(name, chart.is_share) for name in chart.table.columns},
        on_select="rerun",
        selection_mode="single-row",
    )
    _link_to_papers(chart, list(picked["selection"]["rows"]))


def _column(name: str, is_share: bool) -> Any:
    words = _WORDS.get(name, name.replace("_", " "))
    if is_share and _PERCENT.search(name):
        return st.column_config.NumberColumn(words, format="percent")
    return st.column_config.Column(words)


def _cite_and_download(chart: Chart, key: str, source: Source) -> None:
    citation = source.citation(chart.title)
    st.code(citation, language=None, wrap_lines=True)
    name = source.file_name(chart.title)
    with st.container(horizontal=True, vertical_alignment="center"):
        text = chart.table.to_csv(index=False)
        st.download_button("CSV", text, file_name=f"{name}.csv", key=f"{key}-csv", mime="text/csv")
        _files(
            key=f"{key}-files",
            data={"key": key, "title": chart.title, "source": citation, "name": name},
            width="content",
        )


def _row(point: Any) -> int | None:
    """The row of the table that a pressed point stands for."""
    said = point.get("customdata")
    said = said[0] if isinstance(said, list) else said
    return int(said) if said is not None else None


def _link_to_papers(chart: Chart, rows: list[int | None]) -> None:
    row = rows[0] if rows else None
    if row is None or row >= len(chart.behind):
        return
    query = chart.behind[row]
    if query is None:
        return
    cells = chart.table.iloc[row]
    names = [str(cells[name]) for name in chart.table.columns[:2] if name not in ("n", "n_papers")]
    st.page_link(
        "views/papers.py",
        label=as_text(f"{', '.join(names)}: the {int(cells['n']):,} papers behind it"),
        icon=":material/arrow_forward:",
        query_params=_pairs(query),
    )


def _pairs(query: Query) -> list[tuple[str, str]]:
    return [
        (name, each)
        for name, value in query.items()
        for each in (value if isinstance(value, list) else [value])
    ]
