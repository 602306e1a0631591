"""From which source to which target."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page

here = page.opened("Flow", "From which source do papers go to which target?")
where = filters.selection(here.path, here.at)
top = st.slider("Pairs", 5, 60, 25, 5, key="top", bind="query-params", width=240)
frame = numbers.transfers_of(here.path, here.at, where, top)
if frame.empty:
    page.nothing("No paper of this choice has both a source and a target.")
chart = charts.flow(frame, title="Pairs of source and target in the same paper", sample=here.sample)
exhibit.show(
    chart,
    key="flow",
    source=numbers.source(here.path, here.at, filters.in_words(where)),
    with_table=True,
)
page.counted(here, where)
