"""Frames -> Plotly figures. Pure; each says n, its interval, and whether it shows the sample."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from data.sample import LABEL

# Okabe and Ito's colours, told apart with any colour vision; marker and dash say the same again.
_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#999999",
)
_MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "pentagon")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")
_FEW = 30  # a group of fewer papers is drawn hollow
_HOVER = (
    "<b>%{customdata[0]}</b>, %{customdata[1]}<br>%{customdata[2]} of %{customdata[3]} papers: "
    "%{customdata[4]:.1%} [%{customdata[5]:.1%}, %{customdata[6]:.1%}]<extra></extra>"
)
_HOVERED = ["dataset", "group", "n", "n_papers", "share", "low", "high"]


def over_years(frame: pd.DataFrame, *, title: str, sample: bool) -> go.Figure:
    """Shares over years, a line and a 95% band a dataset; years of fewer than 30 papers hollow.

    Args:
        frame: as `data.trends.shares` gives it by year; eight datasets at most.
        sample: the figures come from the embedded sample, which the chart then says.
    """
    figure = go.Figure()
    known = frame[frame["group"] != "unknown"]
    for place, dataset in enumerate(frame["dataset"].unique()):
        rows = known[known["dataset"] == dataset].sort_values("group")
        colour = _COLOURS[place % len(_COLOURS)]
        # Before its first use a dataset's band says nothing but how few papers there were.
        used = rows[rows["n"].cumsum() > 0]
        figure.add_scatter(
            x=[*used["group"], *used["group"][::-1]],
            y=[*used["high"], *used["low"][::-1]],
            mode="lines",
            fill="toself",
            fillcolor=colour,
            opacity=0.12,
            line={"width": 0},
            hoverinfo="skip",
            legendgroup=dataset,
            showlegend=False,
        )
        symbol = _MARKERS[place % len(_MARKERS)]
        figure.add_scatter(
            x=rows["group"],
            y=rows["share"],
            name=dataset,
            legendgroup=dataset,
            mode="lines+markers",
            line={"color": colour, "dash": _DASHES[place % len(_DASHES)], "width": 2},
            marker={
                "size": 8,
                "symbol": [symbol if n >= _FEW else f"{symbol}-open" for n in rows["n_papers"]],
            },
            customdata=rows[_HOVERED].to_numpy(),
            hovertemplate=_HOVER,
        )
    figure.update_yaxes(title="share of papers", tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(title="year of publication", type="category", categoryorder="array")
    figure.update_xaxes(categoryarray=sorted(known["group"].unique()))
    return _finished(figure, title, sample)


def over_groups(frame: pd.DataFrame, *, title: str, sample: bool) -> go.Figure:
    """Shares in each group, a point with its 95% interval a dataset; largest groups on top.

    Args:
        frame: as `data.trends.shares` gives it; eight datasets at most.
    """
    sizes = frame.groupby("group")["n_papers"].first().sort_values()
    labels = {group: f"{group} (n = {size})" for group, size in sizes.items()}
    figure = go.Figure()
    for place, dataset in enumerate(frame["dataset"].unique()):
        rows = frame[frame["dataset"] == dataset]
        figure.add_scatter(
            x=rows["share"],
            y=[labels[group] for group in rows["group"]],
            name=dataset,
            mode="markers",
            marker={
                "color": _COLOURS[place % len(_COLOURS)],
                "symbol": _MARKERS[place % len(_MARKERS)],
                "size": 9,
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rows["high"] - rows["share"],
                "arrayminus": rows["share"] - rows["low"],
                "thickness": 1.2,
            },
            customdata=rows[_HOVERED].to_numpy(),
            hovertemplate=_HOVER,
        )
    figure.update_xaxes(title="share of papers", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=list(labels.values()))
    figure.update_layout(height=max(360, 60 + 26 * len(labels)))
    return _finished(figure, title, sample)


def papers(frame: pd.DataFrame, *, title: str, sample: bool) -> go.Figure:
    """Papers a year as bars.

    Args:
        frame: columns year, n.
    """
    figure = go.Figure(go.Bar(x=frame["year"], y=frame["n"], marker={"color": _COLOURS[0]}))
    figure.update_yaxes(title="papers", rangemode="tozero")
    figure.update_xaxes(title="year of publication", dtick=1)
    return _finished(figure, title, sample)


def _finished(figure: go.Figure, title: str, sample: bool) -> go.Figure:
    figure.update_layout(
        title={"text": f"{title}<br><sup>{LABEL}</sup>" if sample else title},
        margin={"l": 10, "r": 10, "t": 70, "b": 10},
        legend={"orientation": "h", "y": -0.2},
        hovermode="closest",
    )
    return figure
