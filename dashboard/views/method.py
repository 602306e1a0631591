"""How the survey was made, what its files hold, and how to cite it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

import streamlit as st

from dashboard import filters, numbers, page, survey
from dashboard.texts import HOW_FIGURES_COME_ABOUT
from data.account import methods
from data.bibliography import bibtex
from data.corpus import Corpus
from data.dictionary import dictionary
from data.flow import flow_svg

here = page.opened("Method and data", "How was this made, and how can it be used and cited?")
asked = survey.protocol(here.path)
account = survey.account_of(here.path, here.at)
now = datetime.now(UTC)
paragraph = methods(account, asked, version=version("cats-toolkit"), now=now)
drawing = flow_svg(account, title=asked.title)
source = numbers.source(here.path, here.at)

st.header("The question", anchor=False)
rows = {
    "Title": asked.title,
    "Topics": ", ".join(f"{topic.name} ({topic.id})" for topic in asked.search.topics),
    "Text query": asked.search.text,
    "Years": f"{asked.search.first_year}\u2013{asked.search.last_year}",
    "Types": ", ".join(asked.search.types),
    "Languages": ", ".join(asked.search.languages),
    "Papers that cite": ", ".join(f"{seed.name} ({seed.cites})" for seed in asked.seeds),
    "Protocol hash": asked.hash,
}
st.markdown(
    "\n".join(f"- **{name}:** {filters.as_text(value)}" for name, value in rows.items() if value)
)

st.header("What was found and left out", anchor=False)
st.image(
    drawing,
    caption="PRISMA 2020 flow",
    alt="Flow diagram; the same numbers are in the paragraph below.",
    width="content",
)
st.markdown(filters.as_text(paragraph))

st.header("How figures come about", anchor=False)
st.markdown("\n".join(f"{n}. {line}" for n, line in enumerate(HOW_FIGURES_COME_ABOUT, 1)))

st.header("Downloads", anchor=False)
with st.container(horizontal=True):
    st.download_button("PRISMA flow (SVG)", drawing, file_name="prisma.svg", key="prisma")
    st.download_button("Methods paragraph", paragraph, file_name="methods.txt", key="methods")
    st.download_button(
        "Shares by year (CSV)",
        lambda: numbers.shares_of(here.path, here.at, by="year").to_csv(index=False),
        file_name="shares-by-year.csv",
        key="shares",
    )
    st.download_button(
        "Included papers (BibTeX)",
        lambda: bibtex(Corpus(here.path).included()),
        file_name="papers.bib",
        key="bibtex",
    )
    st.download_button(
        "Data dictionary (CSV)",
        dictionary().to_csv(index=False),
        file_name="dictionary.csv",
        key="dictionary",
    )
st.caption(
    "All tables in one immutable, citable release: `cats export FOLDER`. All of it in one document "
    "for beside a paper: `cats report FILE.html`."
)

st.header("What the columns mean", anchor=False)
st.dataframe(dictionary(), hide_index=True, height=360)

st.header("How to cite", anchor=False)
st.code(source.citation(asked.title), language=None, wrap_lines=True)
