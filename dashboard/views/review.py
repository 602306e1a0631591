"""One item at a time: what the annotator says, the words it read, and a person's decision."""

from __future__ import annotations

from html import escape
from typing import cast
from urllib.parse import urlencode

import streamlit as st

from annotate.review import Shown
from dashboard import filters, numbers, survey
from dashboard.panel.seat import work_through
from data.kept import stamp

_ADJUDICATE = "views/adjudicate.py"  # a page of its own
_QUEUES = {
    "uncertain": "claims whose scores are near one half",
    "gold": "the random sample, proposals hidden",
    "disagree": "where people, or one and the annotator, differ",
    "new-name": "names that the catalogue lacks",
    "paper": "one paper after the other, everything in it",
    "recheck": "your own decisions, again",
}
asked = st.query_params.get("queue", "uncertain")
if asked == "adjudicate":
    kept = {name: value for name, value in st.query_params.items() if name != "queue"}
    st.switch_page(_ADJUDICATE, query_params=kept)
if asked not in _QUEUES:  # the list below would drop it without a word and show another queue
    st.error(f"No queue is called {filters.as_text(repr(asked))}. Choose one:")
    for name, about in _QUEUES.items():  # Streamlit's own links to this very page leave its address
        query = escape(urlencode({**st.query_params.to_dict(), "queue": name}))
        st.html(f'<a href="review?{query}">{name}</a>: {about}')
    st.stop()
queue = st.sidebar.selectbox("Queue", list(_QUEUES), key="queue", bind="query-params")
st.sidebar.caption(_QUEUES[queue])
path = survey.directory()
trend = ""
if queue == "gold":  # a person needs to stop some time; for which trend is a matter of choice
    names = list(numbers.datasets(path, stamp(path), "source")["dataset"])
    trend = st.sidebar.selectbox("Enough for the share of", names, key="trend") or ""
paper = st.query_params.get("paper", "") if queue in ("gold", "paper") else ""
work_through(path, cast(Shown, queue), heading="Review", trend=trend, paper=paper)
