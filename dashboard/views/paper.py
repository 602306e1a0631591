"""One paper by its permalink: what it says, what was read out of it, what people said of that."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import evidence, filters, page, survey

here = page.opened("Paper", "")
work_id = st.query_params.get("id", "").strip()
if not work_id:
    page.nothing("The address names no paper: it ends in ?id=W... Find one under Papers.")
found = survey.papers(here.path, here.at, (work_id,))
if not found:
    page.nothing(f"The survey has no paper {filters.as_text(work_id)}.")
(paper,) = found
work = paper["work"]
st.html(evidence.heading_of(work))
if paper["claims"]:
    st.subheader("Datasets", anchor=False)
    table = pd.DataFrame(paper["claims"])
    st.dataframe(
        table.loc[:, ["dataset", "role", "score", "state", "uses", "named", "implied", "cited"]],
        hide_index=True,
        column_config={"score": st.column_config.NumberColumn(format="%.2f")},
    )
    for dataset in dict.fromkeys(claim["dataset"] for claim in paper["claims"]):
        st.page_link(
            "views/dataset.py",
            label=f"About {filters.as_text(dataset)}",
            query_params={"dataset": dataset},
            icon=":material/database:",
        )
else:
    st.info("No dataset was found in this paper.")
st.subheader("What it says", anchor=False)
st.html(evidence.full(paper))
if not any(passage["section"] == "abstract" for passage in paper["passages"]):
    st.caption(
        "This survey was given away without texts of others: the places above count characters of "
        "the title or abstract, which the paper's own page shows."
    )
st.subheader("Permalink", anchor=False)
st.code(f"paper?id={work_id}", language=None)
