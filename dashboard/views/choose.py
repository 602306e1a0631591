"""For a practitioner: my images are X; what do people transfer from, and what was measured?"""

from __future__ import annotations

from typing import Literal

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page
from dashboard.choosing import advice, by_target, ranked

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

st.header("What to try first", anchor=False)
if not chosen["modality"]:
    st.info(
        "Say your modality: then sources are ranked for it, with the reasons and how sure they are."
    )
else:
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
    st.markdown("Published by others, or run in this survey; targets with most sources first.")
    targets = by_target(told.measured)
    st.dataframe(
        targets,
        hide_index=True,
        column_config={
            "AUC": st.column_config.NumberColumn("its AUC", format="%.3f"),
            "best_less_worst": st.column_config.NumberColumn("best less worst", format="%.3f"),
        },
    )
    names = list(dict.fromkeys([*targets["target"], *told.measured["target"]]))
    target = st.selectbox("Each source on", names, key="target", bind="query-params")
    frame = told.measured[told.measured["target"] == target]
    chart = charts.measured(frame, title=f"AUC on {target}, by source", sample=here.sample)
    exhibit.show(chart, key="measured", source=source)

st.header("What it costs", anchor=False)
st.markdown(
    "Weights of the usual sources are free to download; training your own source network is what "
    "costs. `cats experiments plan` says how long a comparison on your images takes before it "
    "begins, and each result keeps its seconds, energy and CO\u2082."
)
