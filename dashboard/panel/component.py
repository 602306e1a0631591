"""The panel as a component of the page: `panel.html`, `panel.css` and `panel.js` beside this file.

One key decides, saves and moves on. The page holds some items ahead and keeps whatever is not
acknowledged in an outbox, in the browser's storage too; it sends the outbox as a *state*, since
Streamlit keeps the last state, while of several triggers in a row it may keep one. `Desk` answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboard.panel.desk import Desk

_FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "cats_panel",
    html=(_FOLDER / "panel.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "panel.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "panel.js").read_text(encoding="utf-8"),
)


def panel(desk: Desk, paper: str) -> None:
    """Draw the panel, store what it sent and send it what comes next.

    Args:
        paper: work that is shown first, out of turn; "" for none.
    """
    # A state of its own for each reviewer and queue: what one sent is never another's.
    key = f"panel {desk.name} {desk.reviewer}"
    state = st.session_state.get(key)
    message = state.get("outbox") if isinstance(state, Mapping) else None
    answer = desk.serve(message, now=datetime.now(UTC))
    answer["look"] = f"{paper}||" if paper else None
    _mount(key=key, data=answer, on_outbox_change=_nothing)


def _nothing() -> None:
    """Streamlit runs the fragment again by itself; a state needs a callback all the same."""
