"""What the survey says in a few sentences, what it rests on, and what it cannot tell."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page, survey
from dashboard.texts import CANNOT_TELL, HOW_SURE
from data.cube import Selection
from data.trends import leading

_TOP = 8
_COLOURS: dict[str, Literal["green", "orange", "gray"]] = {
    "corrected": "green",
    "uncorrected": "orange",
    "undetermined": "gray",
}
_MORE: dict[str, tuple[str, str, dict[str, str] | None]] = {
    "most used": ("views/sources.py", "All sources", None),
    "medical": ("views/compare.py", "Compare the periods", {"of": "natural or medical images"}),
    "implied": ("views/trends.py", "By year", {"of": "named or implied"}),
    "concentration": ("views/sources.py", "Concentration", None),
    "unnamed": ("views/quality.py", "How good is the annotator?", None),
}

here = page.opened(
    "Which datasets do papers transfer from?",
    "In medical image classification a network is trained first on a *source* dataset and then "
    "carried to a small *target*. This survey counts which sources papers say they use.",
)
where = Selection(text=numbers.kind_of_text(here.path, here.at))
source = numbers.source(here.path, here.at, filters.in_words(where))
told = survey.summary(here.path, here.at)
counts = told.counts
left = counts["in the survey"] - counts["annotated"]
if left > 0:
    st.info(
        f"{left:,} of {counts['in the survey']:,} papers are not annotated yet, so that these "
        "figures will move: `cats annotate`.",
        icon=":material/pending:",
    )

st.header("What it says", anchor=False)
for place, found in enumerate(numbers.findings(here.path, here.at, where)):
    if place % 2 == 0:
        halves = st.columns(2, gap="small")
    with halves[place % 2].container(border=True, gap="small", height="stretch"):
        st.markdown(filters.as_text(found.sentence))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(HOW_SURE[found.sure], color=_COLOURS[found.sure], help=found.how_sure)
            target, words, query = _MORE[found.name]
            st.page_link(target, label=words, query_params=query)

st.header("How it changes", anchor=False)
first, second = st.columns(2, gap="large")
images = numbers.shares_of(here.path, here.at, by="year", of="images", where=where)
frame = numbers.shares_of(here.path, here.at, by="all", where=where)
with first:
    if images.empty:
        st.info("No source found yet.")
    else:
        chart = charts.over_years(
            images[images["dataset"] != "unknown"],
            title="Share of papers whose source holds natural or medical images, by year",
            this_year=numbers.this_year(),
            sample=here.sample,
            role=None,
        )
        exhibit.show(chart, key="images", source=source)
with second:
    if not frame.empty:
        chart = charts.ranking(
            frame[frame["dataset"].isin(leading(frame, _TOP))],
            title="Most used sources, share of papers in all years",
            sample=here.sample,
            role="source",
        )
        exhibit.show(chart, key="ranking", source=source)

st.header("What it rests on", anchor=False)
with st.container(horizontal=True, gap="large"):
    for name in ("works", "in the survey", "annotated", "uses", "decisions"):
        st.metric(name, f"{counts[name]:,}", width="content")
read = numbers.read_of(here.path, here.at)
parts = [f"{n:,} by {'title and ' if text == 'abstract' else ''}{text}" for text, n in read.items()]
st.markdown(f"Papers read: {', '.join(parts) or 'none'}.")
chart = charts.papers(
    told.by_year,
    title="Papers in the survey, by year",
    this_year=numbers.this_year(),
    sample=here.sample,
)
exhibit.show(chart, key="papers", source=source)

st.header("What it cannot tell", anchor=False)
st.markdown("\n".join(f"- {line}" for line in CANNOT_TELL))
