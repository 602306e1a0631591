"""Which sources are used most, and how much papers rely on few of them."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page
from data.records import Role
from data.trends import leading

_ROLES: tuple[Role, ...] = ("source", "target")
_MEASURES = {"gini": "Gini", "hhi": "HHI (Herfindahl)"}
_EFFECTIVE = "effective number (HHI)"

here = page.opened(
    "Sources", "Which sources are used most, and how much do papers rely on few of them?"
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
    top = st.slider("How many", 5, 40, 15, 5, key="top", bind="query-params", width=240)
frame = numbers.shares_of(here.path, here.at, by="all", role=role, where=where)
if frame.empty:
    page.nothing(f"No paper of this choice has a dataset as {role}.")
source = numbers.source(here.path, here.at, filters.in_words(where))
chosen = frame[frame["dataset"].isin(leading(frame, top))]
values = {"as found": charts.SHARE}
if chosen["corrected"].notna().any():
    values["corrected for the annotator's errors"] = charts.CORRECTED
for column, (label, value) in zip(st.columns(len(values)), values.items(), strict=True):
    with column:
        chart = charts.ranking(
            chosen,
            title=f"Most used {role}s, share of papers, {label}",
            sample=here.sample,
            value=value,
            role=role,
        )
        exhibit.show(chart, key=f"ranking-{value[0]}", source=source)
page.counted(here, where, chosen)

st.header("Concentration", anchor=False)
st.markdown(
    f"The *effective number* of {role}s is how many equally used ones would be as varied as what "
    "is used: 1 if all papers use the same."
)
measures = numbers.concentration_of(here.path, here.at, by="all", role=role, where=where)
by_year = numbers.concentration_of(here.path, here.at, by="year", role=role, where=where)
with st.container(horizontal=True, gap="large"):
    for row in measures.to_dict("records"):
        form = ".0%" if row["measure"].startswith("share") else ".2f"
        is_corrected = not math.isnan(row["corrected"])
        st.metric(
            _MEASURES.get(row["measure"], row["measure"]),
            f"{row['value']:{form}}",
            delta=f"corrected {row['corrected']:{form}} "
            f"[{row['corrected_low']:{form}}, {row['corrected_high']:{form}}]"
            if is_corrected
            else None,
            delta_color="off",
            delta_arrow="off",
            help=f"95% interval {row['low']:{form}} to {row['high']:{form}}, by bootstrap over "
            f"n = {row['n_papers']:,} papers with {row['n_uses']:,} uses"
            + ("" if is_corrected else f"; not corrected: {row['not_corrected']}"),
            width="content",
        )
if measures["corrected"].notna().any():
    st.caption(
        "Corrected values are by gold papers, with 95% intervals; method.md says why the other "
        "measures have none."
    )
over_time = by_year[(by_year["measure"] == _EFFECTIVE) & (by_year["group"] != "unknown")]
if len(over_time) > 1:
    chart = charts.lines(
        over_time.rename(columns={"measure": "name", "group": "year"}),
        title=f"Effective number of {role}s, by year",
        x="year",
        x_title="year of publication",
        y_title=f"effective number of {role}s",
        sample=here.sample,
    )
    exhibit.show(chart, key="concentration", source=source)

st.header("First use", anchor=False)
first = numbers.first_use(here.path, here.at, role, where)
st.dataframe(
    first.loc[:, ["dataset", "released", "year", "n", "text", "work_id"]],
    hide_index=True,
    column_config={
        "released": st.column_config.NumberColumn("dataset released", format="%d"),
        "year": st.column_config.NumberColumn("first used", format="%d"),
        "n": st.column_config.NumberColumn("papers"),
        "work_id": st.column_config.TextColumn("first paper"),
    },
)
