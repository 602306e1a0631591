"""How the use of datasets changes: shares by year, venue, country, modality, organ or task."""

from __future__ import annotations

from typing import cast, get_args

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page
from data.cube import By, Of
from data.records import Role
from data.trends import leading

_BY: dict[str, str] = {name: name for name in get_args(By) if name != "all"}
_ROLES: tuple[Role, ...] = ("source", "target", "mention")
_OF = {
    "dataset": "each dataset",
    "images": "natural or medical images",
    "naming": "named or implied",
}
_LEADING = 4  # lines that are told apart at a glance
_GROUPS = 20  # groups that a chart holds; the table has all

here = page.opened(
    "Trends", "Which datasets do papers transfer from, and how is that changing over the years?"
)
where = filters.selection(here.path, here.at)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    role = st.selectbox("Datasets as", _ROLES, key="role", bind="query-params")
    by = cast(By, st.selectbox("By", list(_BY), key="by", bind="query-params"))
    of = cast(
        Of,
        st.selectbox(
            "Counting", list(_OF), format_func=_OF.__getitem__, key="of", bind="query-params"
        ),
    )
    names: tuple[str, ...] = ()
    if of == "dataset":
        known = list(numbers.datasets(here.path, here.at, role)["dataset"])
        names = tuple(
            st.multiselect(
                "Datasets",
                known,
                max_selections=charts.MOST_LINES,
                key="dataset",
                bind="query-params",
                placeholder=f"the {_LEADING} most used",
            )
        )
frame = numbers.shares_of(here.path, here.at, by=by, role=role, of=of, where=where)
if frame.empty:
    page.nothing(f"No paper of this choice has a dataset as {role}.")
chosen = frame[frame["dataset"].isin(names or leading(frame, _LEADING))]
what = {
    "dataset": f"Share of papers that use each dataset as {role}",
    "images": f"Share of papers with natural or medical images as {role}",
    "naming": f"Share of papers that name a {role}, or only imply it by a model",
}[of]
title = f"{what}, by {by}"
source = numbers.source(here.path, here.at, filters.in_words(where))
growth = st.container()  # above the charts, but told after them: nobody should wait for it
values = {"As found": charts.SHARE}
if chosen["corrected"].notna().any():
    values["Corrected for the annotator's errors"] = charts.CORRECTED
for column, (label, value) in zip(st.columns(len(values)), values.items(), strict=True):
    with column:
        told = title if len(values) == 1 else f"{title}. {label}"
        if by == "year":
            chart = charts.over_years(
                chosen,
                title=told,
                this_year=numbers.this_year(),
                sample=here.sample,
                value=value,
                role=role if of == "dataset" else None,
            )
        else:
            largest = chosen.groupby("group")["n_papers"].first().nlargest(_GROUPS).index
            chart = charts.over_groups(
                chosen[chosen["group"].isin(largest)],
                title=told,
                by=by,
                sample=here.sample,
                value=value,
                role=role if of == "dataset" else None,
            )
        exhibit.show(chart, key=f"shares-{value[0]}", source=source)
with growth:
    page.growth(here, role=role, of=of, where=where, names=list(chosen["dataset"].unique()))
page.counted(here, where, chosen)
