"""The review queues in a terminal, over ssh or from a pipe: `review` is the one entry.

The same items and the same events as in the browser. What is typed ahead is kept; each decision is
on disk before the next item is shown.
"""

from __future__ import annotations

import os
import select
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

import duckdb
from rich.console import Console
from rich.text import Text

from annotate.naming import Choice, named
from annotate.review import Item, Opinion, Progress, Shown, progress, queue, record
from data.catalogue import load, own_tables
from data.corpus import Corpus
from data.records import Decision, Role, Use

_AT_ONCE = 10  # items that are asked for together
_ROLES: dict[str, Role] = {"s": "source", "t": "target", "m": "mention"}
_STYLES: dict[str, str] = {
    "source": "bold black on bright_cyan",
    "target": "bold black on bright_yellow",
    "mention": "bold black on white",
}
# Texts of others must not move the cursor or write to the clipboard.
_CONTROL = {
    code: "\ufffd" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"
}
# The same keys as on the page (dashboard/panel/panel.js).
_KEYS = {
    "a": "accept",
    "x": "reject",
    "s": "source",
    "t": "target",
    "m": "mention",
    "d": "dataset",
    "i": "add",
    "f": "finished",
    "k": "skip",
    "n": "note",
    "u": "undo",
    "?": "help",
    "q": "quit",
}
_HELP = """\
accept, reject  the dataset is used in that role, or is not
source, target, mention   the dataset is right, and this is its role
dataset         it is another dataset, or another role too
add             the paper also uses another dataset
finished        the paper has no other use; a gold paper is closed by it
1-9             reject that claim of a paper; accept then takes the others and closes the paper
skip            it does not come again to you
note            a remark; the item stays
undo            take back your last decision; its item comes first

source   what was learned from it is transferred in the paper's own experiments
target   the paper's final task is trained, tuned, tested or benchmarked on it
mention  named and not used in the paper's own experiments
The whole codebook is annotate/codebook.md.
"""


def plain(text: str) -> str:
    """A text without characters that a terminal acts on."""
    return text.translate(_CONTROL)


class Keyboard:
    """Keys one by one from a terminal, without Enter; lines from anything else, such as a pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_terminal = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @contextmanager
    def open(self) -> Iterator[None]:
        """The terminal in a mode that gives each key at once, and as it was at the end."""
        if not self.is_terminal:
            yield
            return
        import termios
        import tty

        before = termios.tcgetattr(self._stream)
        try:
            # Not the default, which throws away what was typed before.
            tty.setcbreak(self._stream, termios.TCSADRAIN)
            yield
        finally:
            termios.tcsetattr(self._stream, termios.TCSADRAIN, before)

    def key(self) -> str:
        """The next key in lower case; "q" at the end of the input."""
        if not self.is_terminal:
            line = self._stream.readline()
            return (line.strip() or " ")[0].lower() if line else "q"
        got = os.read(self._stream.fileno(), 1)
        if got == b"\x1b":
            self._skip_sequence()
        return got.decode("ascii", "replace").lower() if got not in (b"", b"\x04") else "q"

    def _skip_sequence(self) -> None:
        """Take the rest of an arrow or function key, whose last letter is no key of ours."""
        place = self._stream.fileno()
        if not select.select([place], [], [], 0.05)[0] or os.read(place, 1) not in (b"[", b"O"):
            return
        while select.select([place], [], [], 0.05)[0] and not b"@" <= os.read(place, 1) <= b"~":
            pass

    def line(self) -> str:
        """The next line, without space around it; "" at the end of the input."""
        if not self.is_terminal:
            return self._stream.readline().strip()
        import termios

        mode = termios.tcgetattr(self._stream)
        typed = mode[:]
        typed[3] |= termios.ICANON | termios.ECHO
        termios.tcsetattr(self._stream, termios.TCSADRAIN, typed)
        try:
            return os.read(self._stream.fileno(), 4096).decode("utf-8", "replace").strip()
        finally:
            termios.tcsetattr(self._stream, termios.TCSADRAIN, mode)


def review(
    corpus: Corpus,
    *,
    reviewer: str,
    name: Shown = "uncertain",
    work_id: str | None = None,
    console: Console | None = None,
    stream: TextIO | None = None,
) -> int:
    """Show items and store decisions until the queue is empty, or q or the end of the input.

    Args:
        work_id: of queue `paper` or `gold`, that one alone.

    Returns: how many events were stored.
    """
    screen = console or Console(width=None if sys.stdout.isatty() else 100)
    session = _Session(corpus, reviewer, name, screen, Keyboard(stream or sys.stdin))
    with session.keyboard.open():
        return session.run(work_id)


class _Session:
    def __init__(
        self, corpus: Corpus, reviewer: str, name: Shown, console: Console, keyboard: Keyboard
    ) -> None:
        self._corpus = corpus
        self._reviewer = reviewer
        self._name: Shown = name
        self._console = console
        self.keyboard = keyboard
        self._kept = 0

    def run(self, work_id: str | None) -> int:
        while True:
            with self._corpus.connect() as db:
                items = queue(
                    db, name=self._name, reviewer=self._reviewer, limit=_AT_ONCE, work_id=work_id
                )
                state = progress(db, name=self._name, reviewer=self._reviewer)
                texts = {item.work_id: _paper(db, item.work_id) for item in items}
            if not items:
                self._console.print("Nothing waits for your decision.")
                return self._kept
            for number, item in enumerate(items):
                so_far = Progress(state.done + number, state.waiting - number)
                outcome = self._one(item, texts[item.work_id], so_far)
                if outcome == "quit":
                    self._console.print(f"{self._kept} stored; the same command goes on.")
                    return self._kept
                if outcome == "again":
                    break
            if work_id is not None:
                return self._kept

    def _one(self, item: Item, paper: dict[str, Any], so_far: Progress) -> str:
        """Show an item until it is decided: "next"; "again" to ask anew what to show; "quit"."""
        self._show(item, paper, so_far)
        since = time.monotonic()
        while True:
            self._console.print(_prompt(item), end=" ")
            key = self.keyboard.key()
            # A terminal does not show a single key, and a pipe has no line's end to show.
            self._console.print(plain(key), markup=False)
            shown_ms = round((time.monotonic() - since) * 1000)
            if key == "q":
                return "quit"
            if key == "?":
                self._console.print(_HELP, markup=False)
            elif key == "u":
                if self._send(None, "undo"):
                    return "again"
            elif key in (*_ACTIONS, *_ROLES) or (key.isdigit() and item.claims):
                outcome = self._act(key, item, shown_ms)
                if outcome:
                    return outcome
            else:
                self._console.print(f"No such key: {plain(key)!r}; ? shows them.", markup=False)

    def _act(self, key: str, item: Item, shown_ms: int) -> str | None:
        if key.isdigit():
            claim = next(iter(item.claims[int(key) - 1 : int(key)]), None) if int(key) else None
            return "again" if claim and self._send(claim, "reject", shown_ms=shown_ms) else None
        if key == "a" and item.claims:
            decided = {
                made.proposed_dataset and (made.proposed_dataset, made.proposed_role)
                for made in item.own
                if made.verdict != "skip"
            }
            left = [claim for claim in item.claims if (claim.dataset, claim.role) not in decided]
            sent = [self._send(claim, "accept", shown_ms=shown_ms) for claim in left]
            return "next" if all(sent) and self._send(item, "done", shown_ms=shown_ms) else None
        if key == "f" and item.is_closed:
            return "next"  # what was added or taken back counts already
        role = _ROLES.get(key)
        verdict = _ACTIONS[key] if role is None else "accept" if role == item.role else "edit"
        fields = {"role": role} if role and verdict == "edit" else self._asked(verdict, item)
        if not self._send(item, verdict, shown_ms=shown_ms, **fields):
            return None
        # What settles one dispute may settle another.
        after = "again" if self._name == "adjudicate" else "next"
        return {"note": None, "add": "again"}.get(verdict, after)

    def _asked(self, verdict: str, item: Item) -> dict[str, Any]:
        if verdict == "note":
            return {"note": self._ask("note: ")}
        if verdict not in ("add", "edit"):
            return {}
        default = f" [{item.dataset}]" if verdict == "edit" else ""
        typed = self._ask(f"dataset or model{default}: ")
        choice = self._choice(typed) if typed else None
        if typed and choice is None:
            return {}
        role = choice and choice.role
        if role is None:
            answer = self._ask("role (s source, t target, m mention): ")
            role = _ROLES.get(answer[:1].lower())
        return {"dataset": choice and choice.dataset, "role": role}

    def _choice(self, typed: str) -> Choice | None:
        """What was typed stands for; None if it may be several and none was chosen."""
        found = named(load(extra=own_tables(self._corpus.path)), typed)
        if not found:
            found = [Choice(typed, "as written, not in the catalogue", (typed,))]
        for number, one in enumerate(found, start=1):
            stored = f", as {one.role}" if one.role else ""
            line = f"{number}  {one.dataset} ({one.about}){stored}"
            self._console.print(plain(line), markup=False)
        if len(found) == 1:
            return found[0]
        place = self._ask(f"which (1-{len(found)}): ")
        return found[int(place) - 1] if place in map(str, range(1, len(found) + 1)) else None

    def _ask(self, question: str) -> str:
        self._console.print(question, end="", markup=False)
        return self.keyboard.line()

    def _send(self, item: Item | None, verdict: str, **fields: Any) -> bool:
        """Store a press; whether it is on disk."""
        press = {"uid": str(uuid.uuid4()), "verdict": verdict, **fields}
        press["token"] = item.token if item else None
        done = record(self._corpus, [press], reviewer=self._reviewer, now=datetime.now(UTC))
        for reason in done.refused.values():
            self._console.print(plain(reason), style="red", markup=False)
        self._kept += len(done.kept)
        return bool(done.kept)

    def _show(self, item: Item, paper: dict[str, Any], so_far: Progress) -> None:
        self._console.rule(f"{self._name}: {so_far.done} done, {so_far.waiting} to go")
        about = [paper["year"], paper["venue"], paper["id"]]
        if paper["doi"]:
            about.append(f"https://doi.org/{paper['doi']}")
        self._console.print(Text(plain(paper["title"] or "(untitled)"), style="bold"))
        self._console.print(Text(plain(" · ".join(str(each) for each in about if each)), "dim"))
        if item.dataset is None:
            self._show_paper(item, paper)
        else:
            score = "" if item.score is None else f"  (score {item.score:.2f})"
            question = Text("Is ") + Text(plain(item.dataset), _STYLES[item.role or "mention"])
            asked = " a dataset, " if item.name else " "
            self._console.print(question + Text(f"{asked}as {item.role}?{score}"))
            self._show_evidence(item)
        for made in item.own:
            self._console.print(Text(f"you said: {_said(made)}", "dim"))
        for one in item.others:
            self._show_opinion(one)

    def _show_opinion(self, one: Opinion) -> None:
        who = plain(one.decision.reviewer)
        self._console.print(Text(f"{who} said: {_said(one.decision)}"))
        for made in one.also:
            self._console.print(Text(plain(f"  and {made.dataset} as {made.role}"), "dim"))
        for made in one.noted:
            if made.uid != one.decision.uid:
                self._console.print(Text(f"  noted: {_said(made)}", "dim"))

    def _show_evidence(self, item: Item) -> None:
        for use in item.uses or ((item.name,) if item.name else ()):
            where = Text(f"{use.section}: ", "dim")
            self._console.print(where + _marked(use.evidence or use.surface, use.surface, use.role))
            for other in use.also if isinstance(use, Use) else ():
                self._console.print(Text("  also: ", "dim") + _marked(other, use.surface, use.role))

    def _show_paper(self, item: Item, paper: dict[str, Any]) -> None:
        for passage in paper["passages"]:
            text = Text(plain(passage["text"]))
            for use in item.uses:
                if (use.section, use.order) == (passage["section"], passage["order"]):
                    text.stylize(_STYLES[use.role], use.start, use.end)
            self._console.print(Text(f"{passage['section']}: ", "dim") + text)
        for number, claim in enumerate(item.claims, start=1):
            line = (
                f"{number}  {plain(claim.dataset or '')} as {claim.role} ({claim.score or 0:.2f})"
            )
            self._console.print(line, markup=False)


# Keys -> verdicts; those of roles are an edit, or an accept where the role is the proposed one.
_ACTIONS = {
    "a": "accept",
    "x": "reject",
    "d": "edit",
    "i": "add",
    "f": "done",
    "k": "skip",
    "n": "note",
}


def _prompt(item: Item) -> Text:
    is_paper = item.dataset is None
    hidden = "xdstm" if is_paper else "f"
    if is_paper and not item.claims:
        hidden += "a"
    shown = [f"[{key}] {word}" for key, word in _KEYS.items() if key not in hidden]
    return Text(" ".join([*(["[1-9] reject"] if item.claims else []), *shown]) + ":", "dim")


def _said(made: Decision) -> str:
    what = f" {made.dataset} as {made.role}" if made.dataset else ""
    note = f" ({made.note})" if made.note else ""
    return plain(f"{made.verdict}{what}{note}")


def _marked(sentence: str, words: str, role: str) -> Text:
    """A sentence with the words that name the dataset marked."""
    text = Text(plain(sentence))
    start = sentence.find(words)
    if start >= 0:
        text.stylize(_STYLES[role], start, start + len(words))
    return text


def _paper(db: duckdb.DuckDBPyConnection, work_id: str) -> dict[str, Any]:
    """A work's fields, and its passages in the order of reading."""
    (work,) = _rows(
        db, "SELECT id, doi, title, abstract, year, venue FROM included WHERE id = $id", work_id
    )
    full = _rows(
        db,
        'SELECT section, "order", text FROM passages WHERE work_id = $id ORDER BY section, "order"',
        work_id,
    )
    own = [{"section": "abstract", "order": 0, "text": work["abstract"]}]
    own = own if work["abstract"] else []
    held = {"title"} | {passage["section"] for passage in own}
    passages = own + [passage for passage in full if passage["section"] not in held]
    return {**work, "passages": passages}


def _rows(db: duckdb.DuckDBPyConnection, sql: str, work_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = db.sql(sql, params={"id": work_id}).to_arrow_table().to_pylist()
    return rows
