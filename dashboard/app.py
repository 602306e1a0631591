"""The dashboard: `cats dashboard` starts it with streamlit. One file a page in `views/`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from PIL import Image
from streamlit.navigation.page import StreamlitPage

from dashboard import survey
from dashboard.evidence import STYLE
from data.errors import CatsError
from data.kept import stamp
from data.sample import LABEL

_VIEWS = Path(__file__).parent / "views"
_LOOK_EVERY = "4s"
# Drawn here, since Streamlit fetches its own icons from the network: three bars on blue.
_ICON = Image.new("RGB", (32, 32), "#0b5f99")
for _place, _top in ((6, 18), (14, 12), (22, 6)):
    _ICON.paste("#ffffff", (_place, _top, _place + 5, 26))
st.set_page_config(page_title="CATS", page_icon=_ICON, layout="wide")
path = survey.directory()
try:
    title = survey.title(path)
except (CatsError, OSError) as e:
    st.error(f"No survey at {path}: {e}. Start with `cats dashboard -C DIRECTORY`.")
    st.stop()


@st.fragment(run_every=_LOOK_EVERY)
def _watch() -> None:
    """Draw the page again when the survey on disk has changed, as it does while mining runs."""
    now = stamp(path)
    if st.session_state.setdefault("stamp", now) != now:
        st.session_state["stamp"] = now
        st.rerun()


def _page(name: str, title: str, icon: str, *, hidden: bool = False) -> StreamlitPage:
    return st.Page(
        _VIEWS / f"{name}.py",
        title=title,
        icon=f":material/{icon}:",
        default=name == "overview",
        visibility="hidden" if hidden else "visible",
    )


# A flat list: Streamlit puts sections of a menu into a list as no screen reader expects them.
pages = [
    _page("overview", "Overview", "home"),
    _page("trends", "Trends", "show_chart"),
    _page("sources", "Sources", "bar_chart"),
    _page("matrix", "Source by modality", "grid_on"),
    _page("flow", "Flow", "account_tree"),
    _page("compare", "Compare", "compare_arrows"),
    _page("choose", "Choose a source", "checklist"),
    _page("dataset", "Dataset", "database"),
    _page("papers", "Papers", "article"),
    _page("paper", "Paper", "description", hidden=True),
    _page("quality", "Quality", "verified"),
    _page("method", "Method and data", "science"),
]
at_the_panel = [
    _page("review", "Review", "rate_review"),
    _page("adjudicate", "Adjudicate", "balance"),
]
if survey.is_reviewed():
    pages += [*at_the_panel, _page("agreement", "Agreement", "handshake")]
page = st.navigation(pages, expanded=True)  # none of them behind a button
st.html(STYLE)
if page not in at_the_panel:  # there each key changes the survey, and the panel says its title
    if survey.is_sample(path):
        st.warning(f"{LABEL}: no figure here says anything about the literature.")
    else:
        st.caption(" \u00b7 ".join(filter(None, [title, survey.snapshot_id(path)])))
    _watch()
page.run()
