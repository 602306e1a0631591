"""The papers behind the numbers, with the words that show what each used."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import evidence, filters, numbers, page, survey
from data.records import ROLES

_SIZE = 10

here = page.opened("Papers and evidence", "Which papers are counted, and what do they say?")
where = filters.selection(here.path, here.at)
known = list(numbers.datasets(here.path, here.at)["dataset"])
targets = list(numbers.datasets(here.path, here.at, "target")["dataset"])
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    dataset = st.selectbox(
        "Dataset", known, index=None, placeholder="any", key="dataset", bind="query-params"
    )
    role = st.selectbox(
        "as", ROLES, index=None, placeholder="any role", key="role", bind="query-params", width=160
    )
    target = st.multiselect(
        "with target", targets, key="target", bind="query-params", placeholder="any"
    )
    words = st.text_input("Words in title or abstract", key="words", bind="query-params").strip()

chosen = replace(where, targets=tuple(target), text="together" if role is None else where.text)
ids = numbers.works(here.path, here.at, where=chosen, dataset=dataset, role=role)
if words:
    having = survey.with_words(here.path, here.at, words)
    ids = [work_id for work_id in ids if work_id in having]
st.markdown(f"**{len(ids):,} papers**, newest first")
if not ids:
    page.nothing("No paper meets all of these; take a filter away.")
n_pages = -(-len(ids) // _SIZE)
number = 1
if n_pages > 1:
    number = st.pagination(n_pages, key="page", bind="query-params")
shown = tuple(ids[(number - 1) * _SIZE : number * _SIZE])
for known_paper in survey.papers(here.path, here.at, shown):
    with st.container(border=True, gap="small"):
        st.page_link(
            "views/paper.py",
            label=f"**{filters.as_text(known_paper['work']['title'] or '(untitled)')}**",
            query_params={"id": known_paper["work"]["id"]},
        )
        st.html(evidence.summary(known_paper))
