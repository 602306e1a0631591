"""The dashboard: `cats dashboard` starts it with streamlit. One file a page in `views/`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import survey
from dashboard.evidence import STYLE
from data.errors import CatsError
from data.sample import LABEL

_VIEWS = Path(__file__).parent / "views"
_LOOK_EVERY = "4s"

st.set_page_config(page_title="CATS", page_icon=":cat:", layout="wide")
path = survey.directory()
try:
    title = survey.title(path)
except (CatsError, OSError) as e:
    st.error(f"No survey at {path}: {e}. Start with `cats dashboard -C DIRECTORY`.")
    st.stop()


@st.fragment(run_every=_LOOK_EVERY)
def _watch() -> None:
    """Draw the page again when the survey on disk has changed, as it does while mining runs."""
    now = survey.stamp(path)
    if st.session_state.setdefault("stamp", now) != now:
        st.session_state["stamp"] = now
        st.rerun()


review = st.Page(_VIEWS / "review.py", title="Review", icon=":material/rate_review:")
page = st.navigation(
    [
        st.Page(_VIEWS / "overview.py", title="Overview", icon=":material/home:", default=True),
        st.Page(_VIEWS / "trends.py", title="Trends", icon=":material/show_chart:"),
        st.Page(_VIEWS / "papers.py", title="Papers", icon=":material/article:"),
        review,
    ]
)
st.html(STYLE)
st.caption(title)
if survey.is_sample(path):
    st.warning(f"{LABEL}: no figure here says anything about the literature.")
if page is not review:  # there the reviewer's own decisions change the survey with each key
    _watch()
page.run()
