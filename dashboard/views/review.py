"""One item at a time: what the annotator says, the words it read, and a person's decision."""

from __future__ import annotations

from typing import cast

import streamlit as st

from annotate.review import Shown
from dashboard import survey
from dashboard.panel.seat import work_through

# Adjudicating has a page of its own.
_QUEUES = {
    "uncertain": "uncertain: scores near one half",
    "gold": "gold: the random sample, proposals hidden",
    "disagree": "disagree: people or annotator differ",
    "new-name": "new names: not in the catalogue",
    "paper": "paper: everything in one",
    "recheck": "recheck: your own decisions again",
}

queue = st.sidebar.selectbox(
    "Queue", list(_QUEUES), format_func=_QUEUES.__getitem__, key="queue", bind="query-params"
)
path = survey.directory()
trend = ""
if queue == "gold":  # a person needs to stop some time; for which trend is a matter of choice
    names, _, _ = survey.choices(path, survey.stamp(path))
    trend = st.sidebar.selectbox("Enough for the share of", names, key="trend") or ""
work_through(path, cast(Shown, queue), heading="Review", trend=trend)
