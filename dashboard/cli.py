"""`cats dashboard | review | demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.cli import HERE, CorpusDir, say
from data.errors import InputError

app = typer.Typer()

Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port of the page.", show_default="8501 or the next free"),
]
Host = Annotated[str, typer.Option(help="Address to listen on; the default is this machine only.")]


@app.command()
def dashboard(
    corpus: CorpusDir = HERE,
    snapshot: Annotated[
        Path | None,
        typer.Option(help="Instead: a release, as `cats export` makes it, checked and read only."),
    ] = None,
    port: Port = None,
    host: Host = "127.0.0.1",
) -> None:
    """Show the survey in a browser; the page follows while mining or annotating goes on."""
    if snapshot is not None:
        from data.release import check

        say(f"{check(snapshot)}: every file is as it was released")
        corpus = snapshot
    _serve(corpus, port=port, host=host)


@app.command()
def review(
    reviewer: Annotated[str, typer.Option(help="Your name; it is stored with each decision.")],
    corpus: CorpusDir = HERE,
    port: Port = None,
    host: Host = "127.0.0.1",
) -> None:
    """Confirm or correct what the annotator found, one claim at a time."""
    _serve(corpus, port=port, host=host, reviewer=reviewer, page="review")


@app.command()
def demo(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where to make the survey [a new folder].")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Open the dashboard at the end.")
    ] = True,
    port: Port = None,
) -> None:
    """The whole job on the embedded sample: mine, annotate, print the trend, open the dashboard."""
    import tempfile

    from dashboard.demo import demo as run

    folder = directory or Path(tempfile.mkdtemp(prefix="cats-demo-"))
    run(folder)
    say(f"the sample's survey is in {folder}")
    if serve:
        _serve(folder, port=port, host="127.0.0.1")


def _serve(
    corpus: Path, *, port: int | None, host: str, reviewer: str | None = None, page: str = ""
) -> None:
    """Run streamlit until it is interrupted, and open the page where there is a screen."""
    import os
    import subprocess
    import sys
    import threading
    from importlib.util import find_spec

    from data.corpus import Corpus

    Corpus(corpus)
    if find_spec("streamlit") is None or find_spec("plotly") is None:
        raise InputError("the pages need more packages: pip install 'cats-toolkit[dashboard]'")
    port = _free_port(host, port)
    environment = os.environ | {"CATS_CORPUS": str(corpus.resolve())}
    if reviewer is not None:
        environment["CATS_REVIEWER"] = reviewer
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say(f"open {address}/{page} - Ctrl-C stops")
    options = {
        "server.headless": "true",
        "server.address": host,
        "server.port": str(port),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "theme.base": str(Path(__file__).parent / "theme.toml"),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    script = str(Path(__file__).parent / "app.py")
    command = [sys.executable, "-m", "streamlit", "run", script, *flags]
    threading.Thread(target=_open_browser, args=(address, page), daemon=True).start()
    try:
        done = subprocess.run(command, env=environment, check=False, stdout=sys.stderr)
    except KeyboardInterrupt:
        return  # the way to end it
    if done.returncode != 0:
        raise InputError(f"the page ended with exit code {done.returncode}; its reason is above")


def _free_port(host: str, asked: int | None) -> int:
    """The port asked for, else the first free one from 8501 on."""
    import socket

    wanted = [asked] if asked is not None else range(8501, 8601)
    for port in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, port))
            except OSError:
                continue
            return port
    raise InputError(f"no port free at {host} among {asked or '8501 to 8600'}; give --port")


def _open_browser(address: str, page: str) -> None:
    """Open the page once it answers, where there is a screen to open it on."""
    import os
    import sys
    import time
    import urllib.request
    import webbrowser

    # Without a screen webbrowser would start a text browser in this very terminal.
    is_screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY")
    if not is_screen and not os.environ.get("WAYLAND_DISPLAY"):
        return
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):  # noqa: S310
                break
        except OSError:
            time.sleep(0.2)
    webbrowser.open(f"{address}/{page}")
