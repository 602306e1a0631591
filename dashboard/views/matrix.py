"""Which source for which images: datasets by modality, organ or task."""

from __future__ import annotations

from typing import cast

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page
from data.cube import By
from data.records import Role
from data.trends import leading

_GROUPS = 12
_ROLES: tuple[Role, ...] = ("source", "target")

here = page.opened(
    "Source by modality", "Does the choice of source depend on the images that it is meant for?"
)
where = filters.selection(here.path, here.at)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    role = st.selectbox(
        "Datasets as",
        _ROLES,
        key="role",
        bind="query-params",
        width=200,
    )
    by = cast(
        By,
        st.segmented_control(
            "By",
            ["modality", "organ", "task"],
            default="modality",
            required=True,
            key="by",
            bind="query-params",
        ),
    )
    top = st.slider("How many", 5, 30, 12, 1, key="top", bind="query-params", width=240)
frame = numbers.shares_of(here.path, here.at, by=by, role=role, where=where)
if frame.empty:
    page.nothing(f"No paper of this choice has a dataset as {role}.")
largest = frame.groupby("group")["n_papers"].first().nlargest(_GROUPS).index
chosen = frame[frame["dataset"].isin(leading(frame, top)) & frame["group"].isin(largest)]
chart = charts.matrix(
    chosen,
    title=f"Share of each {by}'s papers that use a dataset as {role}",
    by=by,
    sample=here.sample,
    role=role,
)
exhibit.show(
    chart, key="matrix", source=numbers.source(here.path, here.at, filters.in_words(where))
)
st.caption(
    f"A paper counts in each {by} that its title or abstract names; of {frame['group'].nunique()} "
    f"the {len(largest)} with the most papers are drawn."
)
page.counted(here, where, chosen)
