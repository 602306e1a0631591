"""One item at a time: what the annotator says, the words it read, and a person's decision."""

from __future__ import annotations

from typing import cast

import streamlit as st

from annotate.review import Shown
from dashboard import numbers, survey
from dashboard.panel.seat import work_through
from data.kept import stamp

# Adjudicating has a page of its own.
_QUEUES = {
    "uncertain": "claims whose scores are near one half",
    "gold": "the random sample, proposals hidden",
    "disagree": "where people, or one and the annotator, differ",
    "new-name": "names that the catalogue lacks",
    "paper": "one paper after the other, everything in it",
    "recheck": "your own decisions, again",
}

queue = st.sidebar.selectbox("Queue", list(_QUEUES), key="queue", bind="query-params")
st.sidebar.caption(_QUEUES[queue])
path = survey.directory()
trend = ""
if queue == "gold":  # a person needs to stop some time; for which trend is a matter of choice
    names = list(numbers.datasets(path, stamp(path), "source")["dataset"])
    trend = st.sidebar.selectbox("Enough for the share of", names, key="trend") or ""
work_through(path, cast(Shown, queue), heading="Review", trend=trend)
