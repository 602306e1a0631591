"""The dashboard: `cats dashboard` starts it with streamlit. One file a page in `views/`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

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


def _page(name: str, title: str, icon: str, *, default: bool = False) -> StreamlitPage:
    return st.Page(_VIEWS / f"{name}.py", title=title, icon=f":material/{icon}:", default=default)


pages = [
    _page("overview", "Overview", "home", default=True),
    _page("trends", "Trends", "show_chart"),
    _page("papers", "Papers", "article"),
]
at_the_panel = [
    _page("review", "Review", "rate_review"),
    _page("adjudicate", "Adjudicate", "balance"),
]
if survey.is_reviewed():
    pages += [*at_the_panel, _page("agreement", "Agreement", "handshake")]
page = st.navigation(pages)
st.html(STYLE)
if page not in at_the_panel:  # there each key changes the survey, and the panel says its title
    st.caption(title)
    if survey.is_sample(path):
        st.warning(f"{LABEL}: no figure here says anything about the literature.")
    _watch()
page.run()
