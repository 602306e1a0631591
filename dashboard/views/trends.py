"""Shares of papers by year, venue, modality or country. The address holds the choice."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, survey
from data.cube import BYS
from data.records import ROLES
from data.trends import leading

_AMONG = {"all": "all papers", "transfer": "papers with a source"}  # as the chart says it
_MOST = 8  # as many as colours
_GROUPS = 20  # groups a chart holds; the table has all

path = survey.directory()
at, sample = survey.stamp(path), survey.is_sample(path)

st.title("Trends")
first, second, third = st.columns(3)
by = first.selectbox("By", BYS, key="by", bind="query-params")
role = second.selectbox("Datasets as", ROLES, key="role", bind="query-params")
among = third.selectbox("Among papers", list(_AMONG), key="among", bind="query-params")
frame, note = survey.shares(path, at, by=by, role=role, among=among)
if frame.empty:
    st.info(f"No dataset found as {role} yet: `cats mine`, then `cats annotate`.")
    st.stop()
datasets = st.multiselect(
    "Datasets (none chosen: the most used)",
    list(frame["dataset"].unique()),
    max_selections=_MOST,
    key="dataset",
    bind="query-params",
)
chosen = frame[frame["dataset"].isin(datasets or leading(frame, 5))]
title = f"Datasets as {role}, by {by}, among {_AMONG[among]}"
if by == "year":
    figure = charts.over_years(chosen, title=title, sample=sample)
else:
    largest = frame.groupby("group")["n_papers"].first().nlargest(_GROUPS).index
    figure = charts.over_groups(chosen[chosen["group"].isin(largest)], title=title, sample=sample)
st.plotly_chart(figure, key="shares", alt=title)
st.caption(f"{note}. Groups of fewer than 30 papers are hollow.")
st.dataframe(
    chosen,
    hide_index=True,
    column_config={
        name: st.column_config.NumberColumn(format="percent") for name in ("share", "low", "high")
    },
)
st.download_button(
    "Download as CSV", frame.to_csv(index=False), file_name=f"cats-{role}-by-{by}.csv"
)
