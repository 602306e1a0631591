"""One claim at a time: what the annotator says, the words it read, and a person's decision."""

from __future__ import annotations

import html
import time
import uuid
from datetime import UTC, datetime

import streamlit as st

from annotate.review import Item, decide, progress, queue, undo
from dashboard import survey
from dashboard.evidence import badge, heading, marked
from data.catalogue import load
from data.corpus import Corpus
from data.records import CODEBOOK, ROLES, Role, Verdict

path = survey.directory()

st.title("Review")
reviewer = st.text_input(
    "Reviewer", value=survey.reviewer(), key="reviewer", placeholder="your name"
).strip()
if not reviewer:
    st.info("Give your name; every decision is stored with it.")
    st.stop()
corpus = Corpus(path)
with corpus.connect() as db:
    so_far = progress(db, name="uncertain", reviewer=reviewer)
    items = queue(db, name="uncertain", reviewer=reviewer, limit=20)


def _save(proposal: Item, verdict: Verdict, dataset: str | None, role: Role | None) -> None:
    """Write the decision; it is on disk before the next claim is drawn."""
    shown = time.monotonic() - st.session_state["shown_since"]
    decision = decide(
        proposal,
        verdict,
        uid=str(uuid.uuid4()),
        reviewer=reviewer,
        now=datetime.now(UTC),
        dataset=dataset,
        role=role,
        note=st.session_state.get("note"),
        shown_ms=round(shown * 1000),
    )
    with corpus.journal() as journal:
        journal.decide([decision])
    st.session_state["note"] = ""


def _take_back() -> None:
    """Undo this reviewer's last decision ; its claim then comes first."""
    with corpus.journal() as journal:
        taken = journal.last_standing(reviewer)
        if taken is not None:
            journal.decide([undo(taken, uid=str(uuid.uuid4()), now=datetime.now(UTC))])


st.progress(
    so_far.done / max(1, so_far.total), f"{so_far.done:,} decided, {so_far.waiting:,} to go"
)
current = next(iter(items), None)
if current is None or current.dataset is None or current.role is None:
    st.success("Nothing waits for your decision.")
    st.button("Undo", shortcut="u", on_click=_take_back)
    st.stop()
identity = (current.work_id, current.dataset, current.role)
if st.session_state.get("shown") != identity:
    st.session_state["shown"], st.session_state["shown_since"] = identity, time.monotonic()

known = survey.paper(path, survey.stamp(path), current.work_id)
uses = [u for u in known["uses"] if (u["dataset"], u["role"]) == (current.dataset, current.role)]
best = max(uses, key=lambda use: use["score"], default=None)
with st.container(border=True):
    model = f", read off {html.escape(best['model'])}" if best and best["implied"] else ""
    pieces = [
        heading(known["work"]),
        f"Is <strong>{html.escape(current.dataset)}</strong> a "
        f"<strong>{html.escape(current.role)}</strong> of this paper?{model} "
        f'<span class="faint">score {current.score or 0:.2f}</span>',
    ]
    for passage in known["passages"]:
        own = [
            span
            for span in passage["spans"]
            if (span["dataset"], span["role"]) == (current.dataset, current.role)
        ]
        evidence = best["evidence"] if best else None
        label = html.escape(passage["section"])
        text = marked(passage["text"], own, sentence=evidence)
        pieces.append(f'<span class="faint">{label}</span> {text}')
    others = [c for c in known["claims"] if (c["dataset"], c["role"]) != identity[1:]]
    if others:
        pieces.append("Also here: " + "".join(badge(claim) for claim in others))
    st.html('<div class="cats">' + "<br>".join(pieces) + "</div>")

keys = st.columns(4)
keys[0].button(
    "Accept",
    shortcut="a",
    type="primary",
    on_click=_save,
    args=(current, "accept", None, None),
    width="stretch",
)
keys[1].button(
    "Reject", shortcut="x", on_click=_save, args=(current, "reject", None, None), width="stretch"
)
keys[2].button(
    "Skip", shortcut="s", on_click=_save, args=(current, "skip", None, None), width="stretch"
)
keys[3].button("Undo", shortcut="u", on_click=_take_back, width="stretch")

ids = list(load().datasets)
choices = ids if current.dataset in ids else [current.dataset, *ids]
first, second, third = st.columns([3, 1, 1], vertical_alignment="bottom")
dataset = first.selectbox(
    "It is rather", choices, index=choices.index(current.dataset), key=f"dataset {identity}"
)
role = second.selectbox("as", ROLES, index=ROLES.index(current.role), key=f"role {identity}")
is_same = (dataset, role) == (current.dataset, current.role)
third.button(
    "Save edit",
    shortcut="e",
    disabled=is_same,
    help="Change the dataset or the role first." if is_same else None,
    on_click=_save,
    args=(current, "edit", dataset, role),
    width="stretch",
)
st.text_input("Note", key="note")
st.caption(f"Codebook {CODEBOOK}. A decision is stored before the next claim is drawn.")
