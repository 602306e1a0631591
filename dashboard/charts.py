"""Frames -> charts: a Plotly figure with its table, its words for who cannot see it, and n. Pure.

Open `Chart` first. Colours are told apart with any colour vision and on light and dark alike, and
a marker says the same again; groups of fewer than 30 papers are hollow, the year that is not over
is dashed, and intervals are 95%.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, groupby
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from data.sample import LABEL

# Okabe and Ito's, darkened or lightened until each has 3:1 on white and on the dark page.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#C8669B",
    "#A87900",
    "#7B61C4",
    "#8C564B",
    "#7F7F7F",
)
_MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")
MOST_LINES = len(COLOURS)
FEW = 30  # a group of fewer papers is drawn hollow
_SHADE = "0, 114, 178"  # of COLOURS[0], for areas
_GRID = "rgba(128, 128, 128, .22)"
_ZERO = "rgba(128, 128, 128, .7)"
_ROW_PX = 26
_PALE, _DEEP = "#dcebf5", "#0b4f7d"  # from few to many, opaque
_OUTLINE, _CLEAR = "rgba(128, 128, 128, .9)", "rgba(0, 0, 0, 0)"

Query = Mapping[str, str | list[str]]
_Value = tuple[str, str, str]  # names of the columns of a value, its low and its high
SHARE: _Value = ("share", "low", "high")
CORRECTED: _Value = ("corrected", "corrected_low", "corrected_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One figure and what goes with it.

    Args:
        title: what it shows, in a line.
        figure: a point's or bar's `customdata` is the number of its row in `table`.
        table: the same as numbers, a row a point.
        alt: the same in words.
        note: how to read it: n, intervals, what is hollow or dashed.
        is_share: whether the values in `table` are shares of papers; else they are other numbers.
        behind: for each row of `table` the choice of papers that it counts, as the page of papers
            takes it from its address; None where there is none.
    """

    title: str
    figure: go.Figure
    table: pd.DataFrame
    alt: str
    note: str
    is_share: bool = True
    behind: tuple[Query | None, ...] = ()


def over_years(
    frame: pd.DataFrame,
    *,
    title: str,
    this_year: int,
    sample: bool,
    value: _Value = SHARE,
    role: str | None = "source",
) -> Chart:
    """Shares over years: a line and a 95% band a dataset.

    Args:
        frame: as `data.trends.shares` gives it by year for one kind of text; eight datasets at
            most. Papers of unknown year are left out.
        this_year: the year that is not over: its line is dashed.
    """
    dated = frame[frame["group"].astype(str).str.fullmatch(r"\d+")]
    dated = dated.assign(year=dated["group"].astype(int))
    table = dated[dated[value[0]].notna()].sort_values(["dataset", "year"])
    table = _in_order(table, list(frame["dataset"].unique())).reset_index(drop=True)
    rows = [{**row, "row": place} for place, row in enumerate(_records(table))]
    lines = [list(line) for _, line in groupby(rows, key=lambda row: str(row["dataset"]))]
    # All at once: to add traces one by one takes Plotly three times as long.
    figure = go.Figure(
        [
            trace
            for place, line in enumerate(lines)
            for trace in _traces(line, place, this_year, value)
        ]
    )
    figure.update_yaxes(title="share of papers", tickformat=".1~%", rangemode="tozero")
    figure.update_xaxes(title="year of publication", dtick=_year_step(dated["year"]))
    if len(dated):  # also the years without a value, which else would not be missed
        figure.update_xaxes(range=[dated["year"].min() - 0.4, dated["year"].max() + 0.4])
    figure.update_layout(
        showlegend=len(lines) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=_tidy(table, "year", value),
        alt=_alt_of_lines(title, lines, value),
        note=_note("the band is the 95% interval", this_year, table),
        behind=tuple(_papers_of(row, "years", role) for row in rows),
    )


_Line = Sequence[Mapping[str, Any]]  # the rows of a dataset, by year; `row` is their place


def _traces(line: _Line, place: int, this_year: int, value: _Value) -> list[dict[str, Any]]:
    """A dataset's band, its line, its dashed end and its points."""
    dataset, colour = str(line[0]["dataset"]), COLOURS[place % MOST_LINES]
    share, low, high = value
    # Before its first use a dataset's band says nothing but how few papers there were.
    used = list(dropwhile(lambda row: row["n"] == 0, line))
    over = [row for row in line if row["year"] < this_year]
    tail = [*over[-1:], *(row for row in line if row["year"] >= this_year)]
    still: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "hoverinfo": "skip",
        "legendgroup": dataset,
        "showlegend": False,
    }
    return [
        {
            **still,
            "x": [row["year"] for row in (*used, *used[::-1])],
            "y": [*(row[high] for row in used), *(row[low] for row in used[::-1])],
            "fill": "toself",
            "fillcolor": colour,
            "opacity": 0.13,
            "line": {"width": 0},
        },
        {**still, **_points(over, share), "line": {"color": colour, "width": 2}},
        {**still, **_points(tail, share), "line": {"color": colour, "width": 2, "dash": "dot"}},
        {
            "type": "scatter",
            **_points(line, share),
            "name": dataset,
            "legendgroup": dataset,
            "mode": "markers",
            "cliponaxis": False,
            "marker": {
                "color": colour,
                "size": 8,
                "symbol": [_symbol(row["n_papers"], place) for row in line],
                "line": {"width": 1},
            },
            "customdata": [row["row"] for row in line],
            "hovertext": [_said(row, str(row["year"]), value) for row in line],
            "hoverinfo": "text",
        },
    ]


def _points(line: _Line, share: str) -> dict[str, Any]:
    return {"x": [row["year"] for row in line], "y": [row[share] for row in line]}


def over_groups(
    frame: pd.DataFrame,
    *,
    title: str,
    by: str,
    sample: bool,
    value: _Value = SHARE,
    role: str | None,
) -> Chart:
    """Shares in each group: a point with its 95% interval a dataset; largest groups on top.

    Args:
        frame: as `data.trends.shares` gives it for one kind of text; eight datasets at most.
        by: what groups the papers.
    """
    table = frame[frame[value[0]].notna()].reset_index(drop=True)
    sizes = table.groupby("group")["n_papers"].first().sort_values(kind="stable")
    labels = {group: f"{group} (n = {size:,})" for group, size in sizes.items()}
    figure = go.Figure()
    for place, dataset in enumerate(table["dataset"].unique()):
        rows = table[table["dataset"] == dataset]
        figure.add_scatter(
            x=rows[value[0]],
            y=[labels[group] for group in rows["group"]],
            name=str(dataset),
            mode="markers",
            marker={
                "color": COLOURS[place % MOST_LINES],
                "symbol": _symbols(rows, place),
                "size": 9,
            },
            error_x=_whiskers(rows, value),
            customdata=list(rows.index),
            hovertext=[_said(row, str(row["group"]), value) for row in rows.to_dict("records")],
            hoverinfo="text",
        )
    figure.update_xaxes(title="share of papers", tickformat=".1~%", rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=list(labels.values()))
    figure.update_layout(
        height=max(360, 90 + _ROW_PX * len(labels)),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=_tidy(table, "group", value).rename(columns={"group": by}),
        alt=f"Dot plot. {title}. " + _highest(table, value),
        note=_note("whiskers are 95% intervals", None, table),
        behind=tuple(_papers_of(row, by, role) for row in table.to_dict("records")),
    )


def ranking(
    frame: pd.DataFrame, *, title: str, sample: bool, value: _Value = SHARE, role: str
) -> Chart:
    """Datasets by their share of papers: a bar with its 95% interval each, the most used on top.

    Args:
        frame: as `data.trends.shares` gives it by 'all' for one kind of text.
    """
    known = frame[frame[value[0]].notna()]
    table = known.sort_values([value[0], "n"], ascending=False, kind="stable")
    table = table.reset_index(drop=True)
    figure = go.Figure(
        go.Bar(
            x=table[value[0]],
            y=table["dataset"],
            orientation="h",
            marker={"color": f"rgba({_SHADE}, .4)", "line": {"color": COLOURS[0], "width": 1}},
            error_x=_whiskers(table, value),
            customdata=list(table.index),
            hovertext=[_said(row, "all years", value) for row in table.to_dict("records")],
            hoverinfo="text",
        )
    )
    figure.update_xaxes(title="share of papers", tickformat=".1~%", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(height=max(240, 80 + _ROW_PX * len(table)), bargap=0.35)
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=_tidy(table.drop(columns="group", errors="ignore"), "dataset", value),
        alt=f"Bar chart. {title}. " + _highest(table, value),
        note=_note("whiskers are 95% intervals", None, table),
        behind=tuple({"dataset": row["dataset"], "role": role} for row in table.to_dict("records")),
    )


def matrix(
    frame: pd.DataFrame,
    *,
    title: str,
    by: str,
    sample: bool,
    value: _Value = SHARE,
    role: str | None,
) -> Chart:
    """Datasets x groups: the share of a group's papers as shade and number.

    Args:
        frame: as `data.trends.shares` gives it for one kind of text: every dataset in each group.
    """
    table = frame[frame[value[0]].notna()].reset_index(drop=True)
    sizes = table.groupby("group")["n_papers"].first().sort_values(ascending=False, kind="stable")
    names = {group: f"{group} ({size:,})" for group, size in sizes.items()}
    few = table["n_papers"] < FEW
    shaded = table.assign(shade=table[value[0]].where((table["n"] > 0) & ~few))
    shares = shaded.pivot_table(
        index="dataset",
        columns="group",
        values="shade",
        sort=False,
        observed=True,
        dropna=False,
        aggfunc=lambda cells: cells.iloc[0],
    ).reindex(columns=list(sizes.index))
    top = max(float(shaded["shade"].max()), 0.01) if shaded["shade"].notna().any() else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=shares.to_numpy(),
            x=[names[group] for group in shares.columns],
            y=list(shares.index),
            zmin=0,
            zmax=top,
            colorscale=[[0, _PALE], [1, _DEEP]],
            showscale=False,
            hoverinfo="skip",
            xgap=2,
            ygap=2,
        )
    )
    # Heat maps have no points to press, so that these carry the numbers and the papers. A cell
    # tells the colour of its words, since it is the same on a light and on a dark page.
    for is_few, rows in table.assign(few=few).groupby("few"):
        figure.add_scatter(
            x=[names[group] for group in rows["group"]],
            y=rows["dataset"],
            mode="markers+text",
            marker={
                "symbol": "square-open" if is_few else "square",
                "size": 24,
                "color": [_OUTLINE if n and is_few else _CLEAR for n in rows["n"]],
            },
            text=[
                _percent(share).rstrip("%") if n else "" for share, n in _pairs(rows, value[0], "n")
            ],
            textfont={"size": 11}
            if is_few
            else {
                "size": 11,
                "color": ["#ffffff" if share > top / 2 else "#1f1e1b" for share in rows[value[0]]],
            },
            customdata=list(rows.index),
            hovertext=[_said(row, str(row["group"]), value) for row in _records(rows)],
            hoverinfo="text",
            showlegend=False,
        )
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(type="category", side="top", showgrid=False, tickangle=-90)
    figure.update_layout(height=max(320, 130 + 30 * len(shares)))
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=_tidy(table, "group", value).rename(columns={"group": by}),
        alt=f"Heat map. {title}. " + _highest(table, value),
        note=_note(
            "a number is the percentage of the column's papers, whose count is in brackets",
            None,
            table,
        ),
        behind=tuple(_papers_of(row, by, role) for row in table.to_dict("records")),
    )


def flow(frame: pd.DataFrame, *, title: str, sample: bool) -> Chart:
    """From source to target: a band a pair, as wide as it has papers.

    Args:
        frame: as `data.transfers.transfers` gives it for one kind of text.
    """
    table = frame.reset_index(drop=True)
    sources = list(dict.fromkeys(table["source"]))
    targets = list(dict.fromkeys(table["target"]))
    place = {("s", name): n for n, name in enumerate(sources)}
    place |= {("t", name): len(sources) + n for n, name in enumerate(targets)}
    tint = {name: COLOURS[n % MOST_LINES] for n, name in enumerate(sources)}
    figure = go.Figure(
        go.Sankey(
            node={
                "label": [*sources, *targets],
                "color": [*(tint[name] for name in sources), *("#7F7F7F" for _ in targets)],
                "pad": 12,
                "thickness": 12,
                "line": {"width": 0},
                "hovertemplate": "%{label}: %{value} pairs<extra></extra>",
            },
            link={
                "source": [place["s", name] for name in table["source"]],
                "target": [place["t", name] for name in table["target"]],
                "value": table["n"],
                "color": [_translucent(tint[name]) for name in table["source"]],
                "hovertemplate": "%{source.label} to %{target.label}: %{value} papers"
                "<extra></extra>",
            },
        )
    )
    height = max(360, 60 + 26 * max(len(sources), len(targets)))
    figure.update_layout(height=height)
    said = [f"{row['source']} to {row['target']} ({row['n']} papers)" for row in _records(table)]
    pairs = "; ".join(said[:5])
    n_papers = int(table["n_papers"].iloc[0]) if len(table) else 0
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=table.loc[:, ["source", "target", "n", "n_papers", *SHARE]],
        alt=f"Flow diagram. {title}. The most frequent: {pairs}.",
        note=f"n = {n_papers:,} papers with a source and a target; a paper of two sources and two "
        "targets is in four bands",
        behind=tuple(
            {"dataset": row["source"], "role": "source", "target": [row["target"]]}
            for row in _records(table)
        ),
    )


def differences(
    frame: pd.DataFrame, *, title: str, first: str, second: str, sample: bool, value: _Value
) -> Chart:
    """Differences of two shares, dataset by dataset, with 95% intervals around a line at zero.

    Args:
        frame: as `data.compare.compare` gives it for one kind of text.
        first, second: the selections' names.
    """
    table = frame[frame[value[0]].notna()].reset_index(drop=True)
    clear = (table[value[1]] > 0) | (table[value[2]] < 0)
    figure = go.Figure(
        go.Scatter(
            x=table[value[0]],
            y=table["dataset"],
            mode="markers",
            marker={
                "size": 10,
                "color": COLOURS[0],
                "symbol": ["diamond" if sure else "diamond-open" for sure in clear],
            },
            error_x=_whiskers(table, value),
            customdata=list(table.index),
            hovertext=[_difference(row, value) for row in table.to_dict("records")],
            hoverinfo="text",
        )
    )
    figure.add_vline(0, line={"color": _ZERO, "width": 1.5})
    figure.update_xaxes(
        title=f"more in {second}  \u2190  points  \u2192  more in {first}", tickformat="+.1~%"
    )
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(height=max(260, 100 + 30 * len(table)))
    columns = ["dataset", "n_1", "n_papers_1", "share_1", "n_2", "n_papers_2", "share_2"]
    shown = [*columns, *value, *(name for name in ("p", "p_holm") if name in table)]
    told = "; ".join(_difference(row, value) for row in _records(table)[:4])
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=table.loc[:, shown],
        alt=f"Dot plot of differences. {title}. {told}".replace("<br>", ", "),
        note="whiskers are 95% intervals; hollow where they hold zero",
    )


def verdicts(frame: pd.DataFrame, first: str, second: str) -> list[str]:
    """The first rows of a comparison as sentences.

    Args:
        frame: as `data.compare.compare` gives it.
    """
    told = []
    for row in _records(frame):
        low, high = 100 * row["low"], 100 * row["high"]
        more = f"more in {first}" if low > 0 else f"less in {first}" if high < 0 else "undecided"
        told.append(
            f"{row['dataset']}: {more}. {row['share_1']:.1%} of n = {row['n_papers_1']:,} against "
            f"{row['share_2']:.1%} of n = {row['n_papers_2']:,} in {second}, a difference of "
            f"{100 * row['difference']:+.1f} points [{low:+.1f}, {high:+.1f}]"
        )
    return told


def lines(
    frame: pd.DataFrame,
    *,
    title: str,
    x: str,
    x_title: str,
    y_title: str,
    sample: bool,
    tickformat: str = "",
    zero: bool = True,
    height: int = 400,
) -> Chart:
    """A measure along a scale, with its 95% band, a line a name.

    Args:
        frame: columns `x`, name, value, low, high; hollow where its column n_papers is below 30.
    """
    table = frame[frame["value"].notna()].reset_index(drop=True)
    figure = go.Figure()
    for place, name in enumerate(table["name"].unique()):
        rows, colour = table[table["name"] == name], COLOURS[place % MOST_LINES]
        figure.add_scatter(
            x=[*rows[x], *rows[x][::-1]],
            y=[*rows["high"], *rows["low"][::-1]],
            mode="lines",
            fill="toself",
            fillcolor=colour,
            opacity=0.13,
            line={"width": 0},
            hoverinfo="skip",
            legendgroup=name,
            showlegend=False,
        )
        figure.add_scatter(
            x=rows[x],
            y=rows["value"],
            name=str(name),
            legendgroup=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"symbol": _symbols(rows, place), "size": 8},
            hovertemplate=f"<b>%{{fullData.name}}</b><br>{x} %{{x}}: %{{y:{tickformat or '.2f'}}}"
            "<extra></extra>",
        )
    figure.update_xaxes(title=x_title)
    if x == "year":
        figure.update_xaxes(type="category")
    figure.update_yaxes(title=y_title, tickformat=tickformat)
    if zero:
        figure.update_yaxes(rangemode="tozero")
    figure.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        showlegend=table["name"].nunique() > 1,
        height=height,
    )
    ends = [
        f"{name} goes from {rows['value'].iloc[0]:.2f} at {rows[x].iloc[0]} to "
        f"{rows['value'].iloc[-1]:.2f} at {rows[x].iloc[-1]}"
        for name, rows in table.groupby("name", sort=False)
    ]
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=table,
        alt=f"Line chart. {title}. {'; '.join(ends)}.",
        note="the band is the 95% interval",
        is_share="%" in tickformat,
    )


def reliability(frame: pd.DataFrame, *, title: str, sample: bool) -> Chart:
    """Calibration: the share that people confirmed against the score, on the diagonal if honest.

    Args:
        frame: columns mean_score, n, share, low, high: a row a bin.
    """
    table = frame.reset_index(drop=True)
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": _ZERO, "dash": "dash", "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=table["mean_score"],
        y=table["share"],
        mode="markers",
        marker={
            "color": COLOURS[0],
            "size": 9,
            "symbol": ["circle" if n >= FEW else "circle-open" for n in table["n"]],
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": table["high"] - table["share"],
            "arrayminus": table["share"] - table["low"],
            "thickness": 1.2,
        },
        customdata=list(table.index),
        hovertext=[
            f"score {row['mean_score']:.2f}: {row['share']:.0%} right of n = {row['n']}"
            for row in _records(table)
        ],
        hoverinfo="text",
        showlegend=False,
    )
    figure.update_xaxes(title="mean score of the bin", range=[0, 1.02])
    figure.update_yaxes(title="share that people confirmed", range=[0, 1.02], tickformat=".1~%")
    far = max((abs(r["mean_score"] - r["share"]) for r in _records(table)), default=0.0)
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=table,
        alt=f"Calibration plot. {title}. {len(table)} bins, at most {far:.2f} off the diagonal.",
        note="whiskers are Wilson 95% intervals; bins of fewer than 30 are hollow",
    )


def measured(frame: pd.DataFrame, *, title: str, sample: bool) -> Chart:
    """Measured results: a point a result, sources down, the metric across.

    Args:
        frame: columns source, target, value, and low, high (None where unknown), origin.
    """
    order = frame.groupby("source")["value"].mean().sort_values(ascending=False).index
    table = _in_order(frame, list(order), "source").reset_index(drop=True)
    figure = go.Figure()
    for place, origin in enumerate(table["origin"].unique()):
        rows = table[table["origin"] == origin]
        figure.add_scatter(
            x=rows["value"],
            y=rows["source"],
            name=str(origin),
            mode="markers",
            marker={
                "size": 9,
                "color": COLOURS[place % MOST_LINES],
                "symbol": _MARKERS[place % MOST_LINES],
            },
            error_x=_whiskers(rows, ("value", "low", "high")),
            customdata=list(rows.index),
            hovertext=[f"{r['source']} to {r['target']}: {r['value']:.3f}" for r in _records(rows)],
            hoverinfo="text",
        )
    figure.update_xaxes(title="AUC on the target's test images")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(
        height=max(240, 110 + _ROW_PX * table["source"].nunique()),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    best = [f"{row['source']} {row['value']:.3f}" for row in _records(table)[:4]]
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=table,
        alt=f"Dot plot. {title}. From the best on: {', '.join(best)}.",
        note=f"n = {len(table)} results; the axis does not start at zero",
        is_share=False,
    )


def papers(frame: pd.DataFrame, *, title: str, this_year: int, sample: bool) -> Chart:
    """Papers a year as bars; the year that is not over is hollow.

    Args:
        frame: columns year, n.
    """
    table = frame.reset_index(drop=True)
    fills = [f"rgba({_SHADE}, {'.75' if year < this_year else '.15'})" for year in table["year"]]
    figure = go.Figure(
        go.Bar(
            x=table["year"],
            y=table["n"],
            marker={"color": fills, "line": {"color": COLOURS[0], "width": 1}},
            customdata=list(table.index),
            hovertext=[f"{row['year']}: n = {row['n']:,} papers" for row in _records(table)],
            hoverinfo="text",
        )
    )
    figure.update_yaxes(title="papers", rangemode="tozero")
    figure.update_xaxes(title="year of publication", dtick=_year_step(table["year"]))
    told = ", ".join(f"{row['year']}: {row['n']}" for row in _records(table))
    return Chart(
        title=title,
        figure=_finished(figure, sample),
        table=table,
        alt=f"Bar chart. {title}. {told}.",
        note=f"n = {int(table['n'].sum()):,} papers; {this_year} is not over",
        behind=tuple({"years": [str(row["year"])] * 2} for row in _records(table)),
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _pairs(frame: pd.DataFrame, first: str, second: str) -> list[tuple[Any, Any]]:
    return list(zip(frame[first], frame[second], strict=True))


def _in_order(frame: pd.DataFrame, names: Sequence[str], column: str = "dataset") -> pd.DataFrame:
    """The rows by the place of their name in `names`, else as they were."""
    place = {name: n for n, name in enumerate(names)}
    return frame.sort_values(column, key=lambda found: found.map(place), kind="stable")


def _symbols(rows: pd.DataFrame, place: int) -> list[str]:
    if "n_papers" not in rows:
        return [_MARKERS[place % MOST_LINES]] * len(rows)
    return [_symbol(n, place) for n in rows["n_papers"]]


def _symbol(n_papers: int, place: int) -> str:
    symbol = _MARKERS[place % MOST_LINES]
    return symbol if n_papers >= FEW else f"{symbol}-open"


def _whiskers(rows: pd.DataFrame, value: _Value) -> dict[str, Any]:
    share, low, high = (rows[name].astype(float) for name in value)
    return {
        "type": "data",
        "symmetric": False,
        "array": high - share,
        "arrayminus": share - low,
        "thickness": 1.2,
        "width": 3,
    }


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 or share == 0 else f"{share:.1%}"


def _said(row: Mapping[Any, Any], group: str, value: _Value) -> str:
    share, low, high = (float(row[name]) for name in value)
    about = f"{row['n']:,} of n = {row['n_papers']:,} papers"
    how = about if value == SHARE else f"corrected; found: {about}"
    return f"<b>{row['dataset']}</b>, {group}<br>{share:.1%} [{low:.1%}, {high:.1%}]<br>{how}"


def _difference(row: Mapping[Any, Any], value: _Value) -> str:
    by, low, high = (100 * float(row[name]) for name in value)
    return (
        f"{row['dataset']}: {by:+.1f} points [{low:+.1f}, {high:+.1f}]<br>"
        f"{row['n_1']} of n = {row['n_papers_1']} against {row['n_2']} of n = {row['n_papers_2']}"
    )


def _papers_of(row: Mapping[Any, Any], by: str, role: str | None) -> Query | None:
    group = str(row["group"])
    if role is None:
        return None
    if by == "years":
        return {"dataset": row["dataset"], "role": role, "years": [group, group]}
    return {"dataset": row["dataset"], "role": role, by: [group]}


def _tidy(table: pd.DataFrame, first: str, value: _Value) -> pd.DataFrame:
    """The columns that a reader of the table needs, in the order of reading."""
    shown = dict.fromkeys(["dataset", first, "n", "n_papers", *SHARE, *value])
    corrected = [name for name in CORRECTED if name in table and table[name].notna().any()]
    return table.loc[:, [name for name in dict.fromkeys([*shown, *corrected]) if name in table]]


def _highest(table: pd.DataFrame, value: _Value) -> str:
    """The largest values in words."""
    largest = table[table["n"] > 0].nlargest(5, value[0])
    told = [
        f"{row['dataset']}{'' if row.get('group', 'all') == 'all' else ' in ' + str(row['group'])}:"
        f" {_percent(row[value[0]])} ({row['n']:,} of {row['n_papers']:,} papers)"
        for row in _records(largest)
    ]
    return f"The highest: {'; '.join(told)}." if told else "No paper is counted."


def _alt_of_lines(title: str, lines: Sequence[_Line], value: _Value) -> str:
    told = []
    for line in lines:
        first, last = line[0], line[-1]
        told.append(
            f"{first['dataset']} goes from {_percent(first[value[0]])} in {first['year']} "
            f"(n = {first['n_papers']:,} papers) to {_percent(last[value[0]])} in {last['year']} "
            f"(n = {last['n_papers']:,})"
        )
    return f"Line chart. {title}. {'; '.join(told)}."


def _note(intervals: str, this_year: int | None, table: pd.DataFrame) -> str:
    parts = [intervals]
    if len(table) and (table["n_papers"] < FEW).any():
        parts.append(f"groups of fewer than {FEW} papers are hollow")
    if this_year is not None and len(table) and int(table["year"].max()) >= this_year:
        parts.append(f"{this_year} is not over and dashed")
    return "; ".join(parts)


def _year_step(years: pd.Series[int]) -> int:
    return 1 if len(years) == 0 or years.max() - years.min() < 9 else 2


def _translucent(colour: str) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, .35)"


def _finished(figure: go.Figure, sample: bool) -> go.Figure:
    figure.update_layout(
        margin={"l": 8, "r": 12, "t": 34, "b": 60 if sample else 40},
        hovermode="closest",
        dragmode=False,
        separators=".,",
    )
    figure.update_xaxes(automargin=True, gridcolor=_GRID, zeroline=False)
    figure.update_yaxes(automargin=True, gridcolor=_GRID, zeroline=False)
    if sample:
        figure.add_annotation(
            text=LABEL,
            xref="paper",
            yref="paper",
            x=0,
            y=0,
            yshift=-62,
            xanchor="left",
            showarrow=False,
            font={"size": 11},
        )
    return figure
