"""A reviewer's seat: who it is, and the panel before them. The review pages call `work_through`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from annotate.review import Shown
from dashboard import identity, survey
from dashboard.panel.component import panel
from dashboard.panel.desk import Desk
from data.corpus import Corpus
from data.errors import CatsError
from data.kept import stamp

# The panel fills the window; a reviewer should not have to scroll the page around it.
_STYLE = """<style>
.stMain .stMainBlockContainer { padding: 0.6rem clamp(0.8rem, 2vw, 2rem); }
.stMainBlockContainer > .stVerticalBlock { gap: 0; }
@media (max-width: 860px) { .stMain .stMainBlockContainer { padding-top: 3.4rem; } }
.stAppHeader { background: transparent; pointer-events: none; }
.stAppHeader button { pointer-events: auto; }
[data-testid="stStatusWidget"] { display: none; } /* the panel says itself what is saved */
.cats-unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; margin: 0;
  clip-path: inset(50%); }
</style>"""


def work_through(
    path: Path, name: Shown, *, heading: str, trend: str = "", paper: str = ""
) -> None:
    """The page on which a reviewer works through a queue of the survey in `path`; see `Desk`.

    Args:
        paper: of queues `gold` and `paper`, the work that is shown first.
    """
    st.html(f'{_STYLE}<h1 class="cats-unseen">{heading}</h1>')
    who = reviewer()
    if who is not None:
        _tell_disputes(path, name, who)
        _panel(path, name, trend, paper)


def _tell_disputes(path: Path, name: Shown, who: str) -> None:
    """Beside the menu: what waits in the queue that people forget, as it was on opening."""
    try:
        at = stamp(path)
        n_own = survey.n_disputes(path, at, who)
        n_others = survey.n_disputes(path, at) - n_own if name == "adjudicate" else 0
    except (CatsError, OSError):
        return  # the panel says what is wrong with the survey
    if name != "adjudicate" and n_own:
        told = "1 dispute waits" if n_own == 1 else f"{n_own} disputes wait"
        with st.sidebar:
            to_disputes(f"{told} for you to settle")
    if n_others:
        st.sidebar.caption(
            f"In dispute and not shown, since you took part or skipped it: {n_others}. "
            "Somebody else settles it."
        )


def to_disputes(label: str) -> None:
    """A link to the page that settles them, which keeps the reviewer's name."""
    known = {key: value for key, value in st.query_params.items() if key == "reviewer"}
    st.page_link("views/adjudicate.py", label=label, query_params=known)


def reviewer() -> str | None:
    """Who sits here, or None after the page has said what is missing.

    Raises:
        InputError: the settings for a reverse proxy are wrong.
    """
    person = identity.this_reviewer()
    if person.name is not None:
        if "is_logged_in" in st.user.to_dict():
            st.sidebar.button("Sign out", on_click=st.logout)
        return person.name
    if person.can_name:
        return _named()
    if person.can_sign_in:
        st.info("Sign in to review; every decision is stored with your name.")
        st.button("Sign in", on_click=st.login, type="primary")
    else:
        st.error(f"Nobody can review here: {person.refusal}.")
    return None


def _named() -> str | None:
    """The name that this machine's user gives; it is in the address, so a reload keeps it."""
    known = st.session_state.get("reviewer") or st.query_params.get("reviewer")
    place = st.sidebar if identity.clean(known) else st
    given = place.text_input(
        "Reviewer", key="reviewer", bind="query-params", placeholder="your name"
    )
    name = identity.clean(given)
    if not name:
        st.info("Give your name; every decision is stored with it.")
    return name or None


@st.fragment
def _panel(path: Path, name: Shown, trend: str, paper: str) -> None:
    """The panel alone runs again when it sends something; who sends is asked each time."""
    person = identity.this_reviewer()
    typed = identity.clean(st.session_state.get("reviewer")) if person.can_name else ""
    who = person.name or typed
    if not who:
        st.error("You are signed out; sign in again. What is not saved waits in this browser.")
        return
    desk = st.session_state.get("desk")
    asked = (who, name, trend)
    if not isinstance(desk, Desk) or (desk.reviewer, desk.name, desk.trend) != asked:
        try:
            desk = Desk(Corpus(path), who, name, trend=trend)
        except (CatsError, OSError) as e:
            st.error(f"The survey cannot be read: {e}")
            return
        st.session_state["desk"] = desk
    panel(desk, paper)
