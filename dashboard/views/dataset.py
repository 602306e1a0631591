"""One dataset: what it is, who uses it with what, and what was measured with it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import charts, evidence, exhibit, filters, numbers, page, survey
from dashboard.choosing import measured_with

_FIRST = 5
_PAIRS = 12

here = page.opened("Dataset", "What is it, who uses it with what, and what was measured with it?")
known = list(numbers.datasets(here.path, here.at)["dataset"])
if not known:
    page.nothing("No dataset was found in these papers yet.")
name = st.selectbox("Dataset", known, key="dataset", bind="query-params")
where = replace(numbers.all_of(here.path, here.at))
source = numbers.source(here.path, here.at, filters.in_words(where))
about = survey.catalogue(here.path, here.at).datasets.get(name)
st.header(name, anchor=False)
if about is None:
    st.markdown("The catalogue has no such dataset: a person added it, or its data are unknown.")
else:
    st.html(evidence.about_dataset(about, survey.models_of(here.path, here.at, name)))

frames = {
    role: numbers.shares_of(
        here.path, here.at, by="year", role=role, where=where, datasets=(name,)
    ).assign(dataset=f"{name} as {role}")
    for role in ("source", "target")
}
for column, (role, frame) in zip(st.columns(2, gap="large"), frames.items(), strict=True):
    with column:
        if frame.empty:
            st.info(f"No paper uses it as {role}.")
            continue
        chart = charts.over_years(
            frame.assign(dataset=name),
            title=f"Share of papers that use {name} as {role}, by year",
            this_year=numbers.this_year(),
            sample=here.sample,
            role=role,
        )
        exhibit.show(chart, key=f"years-{role}", source=source)
modalities = numbers.shares_of(here.path, here.at, by="modality", where=where, datasets=(name,))
if not modalities.empty:
    chart = charts.over_groups(
        modalities,
        title=f"Share of each modality's papers that use {name} as source",
        by="modality",
        sample=here.sample,
        role="source",
    )
    exhibit.show(chart, key="modality", source=source)

pairs = numbers.partners(here.path, here.at, where, name)
if not pairs.empty:
    chart = charts.flow(
        pairs.head(_PAIRS), title=f"{name}, from source to target", sample=here.sample
    )
    exhibit.show(chart, key="partners", source=source, with_table=True)

st.header("Measured with it", anchor=False)
results = measured_with(here.path, here.at, name)
if results.empty:
    st.markdown("Nothing was measured with it in this survey: `cats experiments run`.")
else:
    st.dataframe(results, hide_index=True)

st.header("Papers", anchor=False)
ids = numbers.works(here.path, here.at, where=where, dataset=name, role=None)
for paper in survey.papers(here.path, here.at, tuple(ids[:_FIRST])):
    with st.container(border=True, gap="small"):
        st.page_link(
            "views/paper.py",
            label=f"**{filters.as_text(paper['work']['title'] or '(untitled)')}**",
            query_params={"id": paper["work"]["id"]},
        )
        st.html(evidence.summary(paper, dataset=name))
st.page_link(
    "views/papers.py",
    label=f"All {len(ids):,} papers",
    query_params={"dataset": name},
    icon=":material/arrow_forward:",
)
