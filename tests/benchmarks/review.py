"""How long from a key to the next item on the screen, and what a kill of the server costs.

    python tests/benchmarks/review.py [--decisions 200] [--kills 20]

The panel beside the way that Streamlit's own buttons go, in the same browser and run; both store
each decision in the journal. Measured inside the page: from the key's event until the frame in
which the next item stands is drawn.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders import survey, use, work
from playwright.sync_api import Page, sync_playwright
from served import CHROMIUM, FLAGS, Server, free_port, serving, slowed

from data.corpus import Corpus

SENTENCE = "In this study, a network pre-trained on ImageNet is fine-tuned and evaluated on BraTS."
REST = " Segmentation of lesions is hard when labels are few, and transfer can help." * 18
_PANEL = """document.querySelector('[data-testid=stBidiComponentIsolated]')?.shadowRoot
    .querySelector('.panel')?.dataset.item ?? ''"""
_BUTTONS = "document.querySelector('.shown')?.textContent ?? ''"

_REST_MS = 4000  # by then both ways have stored what they will
# The whole of the other way: a fragment, a button with a shortcut, the next item drawn by Python.
NATIVE = """
import os, uuid
from datetime import UTC, datetime
from pathlib import Path
import streamlit as st
from annotate.review import queue, record
from data.corpus import Corpus

corpus = Corpus(Path(os.environ["CATS_CORPUS"]))
if "items" not in st.session_state:
    with corpus.connect() as db:
        found = queue(db, name="uncertain", reviewer="native", limit=1000)
    texts = {work.id: work for work in corpus.works()}
    st.session_state["items"] = [(item, texts[item.work_id]) for item in found]

def decide(verdict):
    item, _ = st.session_state["items"].pop(0)
    press = {"uid": str(uuid.uuid4()), "token": item.token, "verdict": verdict}
    record(corpus, [press], reviewer="native", now=datetime.now(UTC))

@st.fragment
def page():
    item, work = st.session_state["items"][0]
    st.html(f'<h3>{work.title}</h3><span class="shown">{item.key}</span><p>{work.abstract}</p>')
    st.button("Accept", shortcut="a", on_click=decide, args=("accept",))
    st.button("Reject", shortcut="x", on_click=decide, args=("reject",))

page()
"""

# Times each key until what `shown()` gives has changed and is painted.
_TIMER = """shown => {
    window.times = []; window.pressed = [];
    const look = () => (0, eval)(shown);
    window.addEventListener('keydown', event => {
        const before = look(), began = performance.now();
        window.pressed.push([before, event.key]);
        const check = () => {
            if (look() === before) return void setTimeout(check, 0);
            requestAnimationFrame(() => {
                const painted = new MessageChannel();  // heard after this frame is drawn
                painted.port1.onmessage = () => window.times.push(performance.now() - began);
                painted.port2.postMessage(null);
            });
        };
        queueMicrotask(check);
    }, true);
}"""


def papers(path: Path, n: int) -> Corpus:
    works = [work(f"W{i}", title=f"Paper {i}", abstract=SENTENCE + REST) for i in range(n)]
    uses = [
        made
        for i in range(n)
        for name, role in (("ImageNet", "source"), ("BraTS", "target"))
        for start in [SENTENCE.index(name)]
        for made in [
            use(
                f"W{i}",
                name,
                role,
                start=start,
                end=start + len(name),
                evidence=SENTENCE,
                score=0.6,
            )
        ]
    ]
    return survey(path, works, uses)


class NativeServer(Server):
    """The page of native buttons on a survey."""

    def __init__(self, survey: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        script = survey / "native.py"
        script.write_text(NATIVE, encoding="utf-8")
        options = ("--server.headless=true", "--server.address=127.0.0.1")
        options += (f"--server.port={self.port}", "--server.fileWatcherType=none")
        options += ("--browser.gatherUsageStats=false",)
        self._command = [sys.executable, "-m", "streamlit", "run", str(script), *options]


def opened(browser: Any, url: str, shown: str, ready: str) -> Page:
    page: Page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(url)
    page.locator(ready).first.wait_for()
    page.wait_for_timeout(1000)  # both ways at rest
    page.evaluate(_TIMER, shown)
    return page


def paced(page: Page, n: int) -> list[float]:
    """Milliseconds of n decisions, each made at rest, as native buttons need it."""
    for done in range(n):
        page.locator('[data-test-script-state="notRunning"]').wait_for()
        page.keyboard.press("ax"[done % 2])
        page.wait_for_function("n => window.times.length > n", arg=done)
    return page.evaluate("window.times")  # type: ignore[no-any-return]


def raced(page: Page, corpus: Corpus, reviewer: str, n: int = 60) -> str:
    """Of n keys 30 ms apart: how many were stored, and how many of them on what was shown."""
    page.wait_for_timeout(_REST_MS)
    page.evaluate("window.pressed.length = 0")
    before = len(made_by(corpus, reviewer))
    page.keyboard.type("ax" * (n // 2), delay=30)
    page.wait_for_timeout(_REST_MS)
    made = made_by(corpus, reviewer)[before:]
    pressed = [tuple(pair) for pair in page.evaluate("window.pressed")]
    return f"{len(made)} of {n} stored, {len(set(made) & set(pressed))} on the item shown"


def made_by(corpus: Corpus, reviewer: str) -> list[tuple[str, str]]:
    keys = {"accept": "a", "reject": "x"}
    with corpus.journal() as journal:
        made, _ = journal.decisions_since(0)
    return [
        (f"{d.work_id}|{d.proposed_dataset}|{d.proposed_role}", keys[d.verdict])
        for d in made
        if d.reviewer == reviewer
    ]


def killed(browser: Any, corpus: Corpus, kills: int) -> str:
    """The server killed by SIGKILL and started again at random moments of typing."""
    chance = random.Random(7)
    with serving(corpus.path, "dashboard", "--review") as server:
        page = opened(
            browser, f"{server.url}/review?reviewer=killed", _PANEL, ".panel[data-ahead=all]"
        )
        for _ in range(kills):

            def strike() -> None:
                time.sleep(chance.uniform(0.02, 0.7))
                server.kill()
                server.start()

            struck = threading.Thread(target=strike)
            struck.start()
            page.keyboard.type("ax" * 10, delay=30)
            struck.join()
            page.get_by_text("all saved").wait_for(timeout=60_000)
            page.locator(".panel[data-ahead=all]").wait_for(timeout=60_000)
        pressed = [tuple(pair) for pair in page.evaluate("window.pressed")]
    # Counted, since each new server may mix hidden repeats of an item in.
    made, keys = Counter(made_by(corpus, "killed")), Counter(pressed)
    lost, doubled = (keys - made).total(), (made - keys).total()
    return (
        f"{kills} kills, {len(pressed)} keys: {made.total()} stored, {lost} lost, "
        f"{doubled} doubled or on another item"
    )


def row(name: str, times: list[float]) -> str:
    low, high = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    return f"| {name} | {len(times)} | {low:.1f} | {high:.1f} |"


def measured(browser: Any, folder: Path, n: int) -> list[str]:
    ways: list[tuple[str, Callable[[Path], Server], str, str, str]] = [
        (
            "panel",
            lambda path: Server(path, "dashboard", "--review"),
            _PANEL,
            ".panel[data-ahead=all]",
            "/review?reviewer=panel",
        ),
        ("native buttons", NativeServer, _BUTTONS, ".shown", ""),
    ]
    lines, races = [], []
    for name, make, shown, ready, place in ways:
        corpus = papers(folder / name.split()[0], 400)
        reviewer = name.split()[0]
        server = make(corpus.path)
        os.environ["CATS_CORPUS"] = str(corpus.path)
        server.start()
        try:
            page = opened(browser, server.url + place, shown, ready)
            lines.append(row(name, paced(page, n)))
            races.append(f"{name}, 60 keys 30 ms apart: {raced(page, corpus, reviewer)}")
            page.context.close()
            with slowed(server.port, 0.2) as url:
                page = opened(browser, url + place, shown, ready)
                races.append(f"{name}, answers 200 ms late: {raced(page, corpus, reviewer)}")
                page.context.close()
        finally:
            server.kill()
    head = ["| way | decisions | median, ms | 95th percentile, ms |", "|---|---|---|---|"]
    return [*head, *lines, "", *races]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--decisions", type=int, default=200)
    options.add_argument("--kills", type=int, default=20)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        print(f"{datetime.now(UTC):%Y-%m-%d}, Chromium {browser.version}")
        print(*measured(browser, Path(folder), asked.decisions), sep="\n", flush=True)
        if asked.kills:
            print(killed(browser, papers(Path(folder) / "killed", 400), asked.kills))
        browser.close()


if __name__ == "__main__":
    main()
