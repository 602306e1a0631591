"""Two choices of papers side by side: the difference, with its interval."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page
from data.cube import By, Of, Selection
from data.records import Role

_BY = ("year", "modality", "organ", "task", "venue", "country")
_ROLES: tuple[Role, ...] = ("source", "target")
_OF = {"dataset": "each dataset", "images": "natural or medical images"}
_SPLIT = 2020  # the last year of the earlier period, unless another is chosen
_TOP = 12
_DIFFERENCE = ("difference", "low", "high")

here = page.opened(
    "Compare", "Do two groups of papers choose differently, by more than chance would explain?"
)
base = numbers.all_of(here.path, here.at)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    role = st.selectbox("Datasets as", _ROLES, key="role", bind="query-params")
    of = cast(
        Of,
        st.selectbox(
            "Counting", list(_OF), format_func=_OF.__getitem__, key="of", bind="query-params"
        ),
    )
    by = cast(By, st.selectbox("Two choices by", _BY, key="by", bind="query-params"))


def _sides() -> tuple[Selection, Selection, str, str]:
    """The two selections and their names."""
    groups = list(numbers.groups(here.path, here.at, by))
    left, right = st.columns(2, gap="large")
    if by == "year":
        years = [int(group) for group in groups if group.isdigit()]
        low, high = min(years), max(years)
        if low == high:
            page.nothing("All papers are of one year; compare them by something else.")
        split = max(low, min(_SPLIT, high - 1))
        later = left.slider("A", low, high, (split + 1, high), key="a", bind="query-params")
        early = right.slider("B", low, high, (low, split), key="b", bind="query-params")
        return (
            replace(base, years=later),
            replace(base, years=early),
            f"{later[0]}\u2013{later[1]}",
            f"{early[0]}\u2013{early[1]}",
        )
    if len(groups) < 2:
        page.nothing(f"All papers are of one {by}; compare them by something else.")
    one = left.multiselect("A", groups, groups[:1], key=f"a_{by}", bind="query-params")
    two = right.multiselect("B", groups, groups[1:2], key=f"b_{by}", bind="query-params")
    if not one or not two:
        page.nothing("Choose at least one on each side.")
    return (
        filters.narrowed(base, by, one),
        filters.narrowed(base, by, two),
        ", ".join(one),
        ", ".join(two),
    )


first, second, name_1, name_2 = _sides()
frame = numbers.compared(here.path, here.at, first=first, second=second, role=role, of=of)
if frame.empty:
    page.nothing(f"Neither choice has a paper with a dataset as {role}.")
told = frame.head(_TOP)
st.markdown(
    "\n".join(
        f"- {filters.as_text(line)}" for line in charts.verdicts(told.head(4), name_1, name_2)
    )
)
words = f"A: {name_1}; B: {name_2}; {filters.in_words(base)}"
source = numbers.source(here.path, here.at, words)
values = {"as found": _DIFFERENCE}
if told["corrected"].notna().any():
    values["corrected for the annotator's errors"] = charts.CORRECTED
for column, (label, value) in zip(st.columns(len(values)), values.items(), strict=True):
    with column:
        chart = charts.differences(
            told,
            title=f"Datasets as {role}: share in {name_1} minus share in {name_2}, {label}",
            first=name_1,
            second=name_2,
            sample=here.sample,
            value=value,
        )
        exhibit.show(chart, key=f"compare-{value[0]}", source=source)
n_both = int(told["n_both"].max())
both = f"{n_both:,} papers are on both sides, which the intervals heed."
st.caption(
    "Intervals are Newcombe 95%. p holm is corrected for asking of several datasets at once "
    f"(Holm). {both if n_both else 'No paper is on both sides.'}"
)
