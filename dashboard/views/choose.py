"""For a practitioner: my images are X; what do people transfer from, and what was measured?"""

from __future__ import annotations

from typing import Literal, cast

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page
from dashboard.choosing import advice, ranked

_SHOWN = ["source", "tier", "sure", "reason", "n_papers", "access"]

here = page.opened(
    "Choose a source",
    "My target is a set of medical images. What do people transfer from, what was measured, and "
    "does the choice matter?",
)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    chosen: dict[str, str | None] = {}
    kinds: tuple[Literal["modality", "organ", "task"], ...] = ("modality", "organ", "task")
    for by in kinds:
        groups = [g for g in numbers.groups(here.path, here.at, by) if g != "unknown"]
        chosen[by] = st.selectbox(
            f"My {by}", groups, index=None, placeholder="any", key=by, bind="query-params"
        )
told = advice(here.path, here.at, **chosen)
where = told.where
source = numbers.source(here.path, here.at, filters.in_words(where))

if chosen["modality"]:
    st.header("What to try first", anchor=False)
    frame, verdict, notes = ranked(
        here.path,
        here.at,
        modality=chosen["modality"],
        organ=chosen["organ"],
        task=chosen["task"],
    )
    st.markdown(f"**{filters.as_text(verdict)}**")
    st.dataframe(frame.loc[:, _SHOWN], hide_index=True)
    st.caption(filters.as_sentence("; ".join(notes)))

st.header("What people use", anchor=False)
if told.used.empty:
    st.info("No paper of this kind has a source. Choose less narrowly.")
else:
    chart = charts.ranking(
        told.used,
        title=f"Sources of papers on {told.kind}",
        sample=here.sample,
        role="source",
    )
    exhibit.show(chart, key="used", source=source)
    if told.is_thin:
        st.warning(
            f"Only n = {told.n_papers:,} papers of this kind have been read: an interval this wide "
            "is a hint, no habit.",
            icon=":material/info:",
        )
    st.caption("That many use a source is no evidence that it is the better one.")

st.header("What was measured", anchor=False)
if told.measured.empty:
    st.info(
        "Nothing was measured on such a target in this survey: `cats experiments run --target "
        "FILE.npz` does it on your images.",
        icon=":material/science:",
    )
else:
    st.markdown(filters.as_text(told.verdict))
    for target, frame in told.measured.groupby("target", sort=False):
        chart = charts.measured(frame, title=f"AUC on {target}, by source", sample=here.sample)
        exhibit.show(chart, key=f"measured-{cast(str, target)}", source=source)

st.header("What it costs", anchor=False)
st.markdown(
    "Weights of the usual sources are free to download; training your own source network is what "
    "costs. `cats experiments plan` says how long a comparison on your images takes before it "
    "begins, and each result keeps its seconds, energy and CO\u2082."
)
