"""Papers with their datasets and the words that show them."""

from __future__ import annotations

import html

import streamlit as st

from dashboard import survey
from dashboard.evidence import badge, heading, marked
from data.records import ROLES

_SIZE = 10

path = survey.directory()
at = survey.stamp(path)

st.title("Papers")
datasets, first_year, last_year = survey.choices(path, at)
if not last_year:
    st.info("No annotated papers yet: `cats mine`, then `cats annotate`.")
    st.stop()
columns = st.columns([3, 2, 1])
words = columns[0].text_input("Words in title or abstract", key="words", bind="query-params")
dataset = columns[1].selectbox("Dataset", ["", *datasets], key="dataset", bind="query-params")
role = columns[2].selectbox("Role", ["", *ROLES], key="role", bind="query-params")
years = (first_year, last_year)
if first_year < last_year:
    years = st.slider("Years", first_year, last_year, years, key="years")


def _found(page: int) -> tuple[list[str], int]:
    return survey.papers(
        path,
        at,
        words=words.strip(),
        dataset=dataset or "",
        role=role or "",
        years=years,
        page=page,
        size=_SIZE,
    )


ids, n_found = _found(0)
st.caption(f"{n_found:,} papers")
n_pages = -(-n_found // _SIZE)
if n_pages > 1:
    page = st.number_input(f"Page, of {n_pages:,}", 1, n_pages, 1, key="page")
    ids, _ = _found(page - 1)
for work_id in ids:
    known = survey.paper(path, at, work_id)
    with st.container(border=True):
        pieces = [heading(known["work"])]
        pieces.append("".join(badge(claim) for claim in known["claims"]))
        for passage in known["passages"]:
            # Of a full text only what names a dataset: a page shows twenty papers.
            if passage["section"] == "abstract" or passage["spans"]:
                label = html.escape(passage["section"])
                text = marked(passage["text"], passage["spans"])
                pieces.append(f'<span class="faint">{label}</span> {text}')
        st.html('<div class="cats">' + "<br>".join(filter(None, pieces)) + "</div>")
