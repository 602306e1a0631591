"""What the survey holds, and its most used sources."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, survey
from data.trends import leading

_TOP = 6

path = survey.directory()
at, sample = survey.stamp(path), survey.is_sample(path)
counts = survey.counts(path, at)

st.title("Which datasets do papers transfer from?")
shown = ("works", "in the survey", "annotated", "uses", "decisions", "results")
for column, name in zip(st.columns(len(shown)), shown, strict=True):
    column.metric(name, f"{counts[name]:,}")
if not counts["works"]:
    st.info("No works yet: `cats mine`, or `cats mine --from FILE`. This page follows by itself.")
    st.stop()
left = counts["in the survey"] - counts["annotated"]
if left > 0:
    st.info(f"{left:,} works of the survey are not annotated yet: `cats annotate`.")

frame, note = survey.shares(path, at, by="year", role="source", among="all")
chosen = frame[frame["dataset"].isin(leading(frame, _TOP))]
first, second = st.columns([3, 2])
with first:
    if chosen.empty:
        st.info("No source found yet.")
    else:
        figure = charts.over_years(chosen, title="Most used sources", sample=sample)
        st.plotly_chart(figure, key="sources", alt="Share of papers that use each source, by year")
with second:
    figure = charts.papers(
        survey.papers_by_year(path, at), title="Papers in the survey", sample=sample
    )
    st.plotly_chart(figure, key="papers", alt="Papers in the survey by year")
st.caption(note)
reasons = {
    name.removeprefix("left out: "): count
    for name, count in counts.items()
    if name.startswith("left out: ")
}
if reasons:
    st.subheader("Left out, and why")
    st.dataframe(
        {"reason": list(reasons), "works": list(reasons.values())}, hide_index=True, width="content"
    )
