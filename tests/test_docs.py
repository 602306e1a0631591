"""What the documents say is run: the tutorial word by word, the reference against the program."""

import importlib.util
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import free_port

_ROOT = Path(__file__).resolve().parents[1]
_DOCS = _ROOT / "docs"
_BLOCK = re.compile(r"^```sh( serve)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOST_S = 60


def blocks(name: str) -> list[tuple[str, bool]]:
    """The commands of a page's `sh` blocks, and whether each is a server."""
    text = (_DOCS / name).read_text(encoding="utf-8")
    return [(body, bool(serves)) for serves, body in _BLOCK.findall(text)]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`cats` on the path, and the sample served as every server that it may ask."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "cats").write_text(f'#!/bin/sh\nexec {sys.executable} -m cats "$@"\n')
    (commands / "cats").chmod(0o755)
    own = {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYTHONPATH": str(_ROOT),
        "BROWSER": "true",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "cats", "replay"],
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    try:
        yield os.environ | own | {f"CATS_{name}_URL": url for name in ("OPENALEX", "CONTENT")}
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def serves(command: str, environment: dict[str, str], folder: Path) -> None:
    """The command starts a page that answers, and ends with it: by Ctrl-C, or as a service does."""
    how = signal.SIGTERM if "review" in command else signal.SIGINT
    port = free_port()
    words = [*shlex.split(command), "--port", str(port)]
    page = subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + _MOST_S
        while True:
            assert page.poll() is None, command
            try:
                address = f"http://127.0.0.1:{port}/_stcore/health"
                with urllib.request.urlopen(address, timeout=1) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                assert time.monotonic() < end, command
                time.sleep(0.1)
        page.send_signal(how)
        page.wait(timeout=_MOST_S)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "the page's server is still there"
    finally:
        page.kill()
        page.wait()


def follow(page: str, environment: dict[str, str], folder: Path) -> None:
    """All commands of a page, in its order, in one folder."""
    folder.mkdir()
    for body, is_server in blocks(page):
        if is_server:
            serves(body.strip(), environment, folder)
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", body],
            cwd=folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"


def test_the_tutorial_runs_word_by_word(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "work"
    follow("tutorial.md", environment, folder)
    assert "ImageNet" in (folder / "trend.csv").read_text()
    assert (folder / "account" / "prisma.svg").is_file()
    assert "How sure this is" in (folder / "report.html").read_text()
    assert (folder / "given-away" / "protocol.toml").is_file()


def test_the_how_tos_run(tmp_path: Path, environment: dict[str, str]) -> None:
    follow("howto.md", environment, tmp_path / "work")
    assert "OurCT" in (tmp_path / "work" / "s" / "datasets.csv").read_text()


def test_the_reference_is_what_the_program_says() -> None:
    spec = importlib.util.spec_from_file_location("make_reference", _DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (_DOCS / "reference.md").read_text(encoding="utf-8")
    assert module.reference() == written, "run `python docs/make_reference.py`"


def test_every_page_is_in_the_menu() -> None:
    menu = (_ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in _DOCS.glob("*.md"):
        assert f": {page.name}\n" in menu, page.name
    for name in re.findall(r": (\w+\.md)$", menu, re.MULTILINE):
        assert (_DOCS / name).is_file(), name
