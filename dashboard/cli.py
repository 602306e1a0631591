"""`cats dashboard | review | demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.cli import HERE, CorpusDir, say
from data.errors import InputError

app = typer.Typer()

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")]
Host = Annotated[str, typer.Option(help="Address to listen on; the default is this machine only.")]


@app.command()
def dashboard(corpus: CorpusDir = HERE, port: Port = 8501, host: Host = "127.0.0.1") -> None:
    """Show the survey in a browser; the page follows while mining or annotating goes on."""
    _serve(corpus, port=port, host=host)


@app.command()
def review(
    reviewer: Annotated[str, typer.Option(help="Your name; it is stored with each decision.")],
    corpus: CorpusDir = HERE,
    port: Port = 8501,
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
    port: Port = 8501,
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
    corpus: Path, *, port: int, host: str, reviewer: str | None = None, page: str = ""
) -> None:
    """Run streamlit until it is interrupted."""
    import os
    import subprocess
    import sys
    from importlib.util import find_spec

    from data.corpus import Corpus

    Corpus(corpus)
    if find_spec("streamlit") is None or find_spec("plotly") is None:
        raise InputError("the pages need more packages: pip install 'cats-toolkit[dashboard]'")
    environment = os.environ | {"CATS_CORPUS": str(corpus.resolve())}
    if reviewer is not None:
        environment["CATS_REVIEWER"] = reviewer
    shown = f"[{host}]" if ":" in host else host
    say(f"open http://{shown}:{port}/{page} - Ctrl-C stops")
    options = {
        "server.headless": "true",
        "server.address": host,
        "server.port": str(port),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    script = str(Path(__file__).parent / "app.py")
    command = [sys.executable, "-m", "streamlit", "run", script, *flags]
    try:
        done = subprocess.run(command, env=environment, check=False, stdout=sys.stderr)
    except KeyboardInterrupt:
        return  # the way to end it
    if done.returncode != 0:
        raise InputError(
            f"the page ended with exit code {done.returncode}; is port {port} taken? "
            "Give another with --port"
        )
