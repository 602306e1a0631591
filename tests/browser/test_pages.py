"""The pages in a real browser, served by the real command."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import survey, use, work

from data.corpus import Corpus

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
_CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not _CHROMIUM.exists(), reason="no /usr/bin/chromium: install chromium"),
]
TEXT = "We pre-train on ImageNet and test on BraTS."
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    works = [work(f"W{n}", title=f"Paper {n}", abstract=TEXT, year=2020 + n) for n in range(4)]
    uses = [
        made
        for n in range(4)
        for made in (
            use(f"W{n}", start=16, end=24, evidence=TEXT),
            use(f"W{n}", "BraTS", "target", start=37, end=42, evidence=TEXT),
        )
    ]
    return survey(tmp_path_factory.mktemp("survey") / "s", works, uses)


@pytest.fixture(scope="module")
def url(corpus: Corpus) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cats", "review", "--reviewer", "ann", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "-C", str(corpus.path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                break
        except OSError:
            time.sleep(0.1)
    yield address
    os.killpg(server.pid, signal.SIGINT)
    server.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=str(_CHROMIUM), args=_FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: object) -> Iterator[object]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})  # type: ignore[attr-defined]
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    page.close()


def opened(tab: object, address: str, heading: str) -> object:
    tab.goto(address)  # type: ignore[attr-defined]
    tab.get_by_role("heading", name=heading).wait_for()  # type: ignore[attr-defined]
    return tab


def pressed(tab: object, key: str, then: str) -> None:
    """Press a key once the page rests: Streamlit's buttons lose presses while a script runs."""
    tab.locator('[data-test-script-state="notRunning"]').wait_for()  # type: ignore[attr-defined]
    tab.keyboard.press(key)  # type: ignore[attr-defined]
    tab.get_by_text(then).wait_for()  # type: ignore[attr-defined]


def test_a_key_decides_saves_and_moves_on(tab: object, url: str, corpus: Corpus) -> None:
    page = opened(tab, f"{url}/review", "Review")
    page.locator("mark").first.wait_for()  # type: ignore[attr-defined]
    pressed(page, "a", "1 decided, 7 to go")
    pressed(page, "x", "2 decided, 6 to go")
    pressed(page, "u", "1 decided, 7 to go")
    with corpus.journal() as journal:
        assert [d.verdict for d in journal.decisions()] == ["accept", "reject", "undo"]
