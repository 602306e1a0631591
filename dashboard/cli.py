"""`cats dashboard | review | report | demo`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from data.cli import HERE, AsJson, CorpusDir, say
from data.errors import InputError

app = typer.Typer()

Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port of the page.", show_default="8501 or the next free"),
]
Host = Annotated[str, typer.Option(help="Address to listen on; the default is this machine only.")]


UserHeader = Annotated[
    str | None,
    typer.Option(help="Header in which a reverse proxy names who signed in; needs --proxy."),
]
Proxy = Annotated[
    str | None,
    typer.Option(help="Addresses or networks of that proxy, by commas; others are not believed."),
]


@app.command()
def dashboard(
    corpus: CorpusDir = HERE,
    snapshot: Annotated[
        Path | None,
        typer.Option(help="Instead: a release, as `cats export` makes it, checked and read only."),
    ] = None,
    port: Port = None,
    host: Host = "127.0.0.1",
    with_review: Annotated[
        bool, typer.Option("--review", help="With the pages on which people decide.")
    ] = False,
    user_header: UserHeader = None,
    proxy: Proxy = None,
) -> None:
    """Show the survey in a browser; the page follows while mining or annotating goes on."""
    if (user_header is None) != (proxy is None):
        raise InputError("--user-header and --proxy go together; give both or neither")
    if snapshot is not None and with_review:
        raise InputError("a release is read only: --review goes with -C, not with --snapshot")
    if user_header is not None and not with_review:
        raise InputError("--user-header is for the pages of --review; give that too")
    told = {"CATS_REVIEW": "1"} if with_review else {}
    if user_header is not None and proxy is not None:
        from dashboard.identity import HEADER, PROXY, proxies

        told |= {HEADER: user_header, PROXY: proxy}
        proxies(told)
    if snapshot is not None:
        from data.release import check

        say(f"{check(snapshot)}: every file is as it was released")
        corpus = snapshot
    _serve(corpus, port=port, host=host, told=told)


@app.command()
def review(
    reviewer: Annotated[
        str | None, typer.Option(help="Your name; it is stored with each decision.")
    ] = None,
    queue: Annotated[
        str,
        typer.Option(help="gold, uncertain, disagree, new-name, paper, adjudicate or recheck."),
    ] = "uncertain",
    paper: Annotated[
        str | None, typer.Option(help="This work first, also one you closed; with --text only it.")
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="In this terminal instead of a browser.")
    ] = False,
    draw: Annotated[
        int | None, typer.Option(min=1, help="Instead: draw so many gold papers in all.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of --draw.", show_default="0")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="With --draw: from all papers annotated by now.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Instead: what waits, and how much more gold.")
    ] = False,
    dataset: Annotated[str, typer.Option(help="Of --status: the trend's dataset.")] = "ImageNet",
    role: Annotated[str, typer.Option(help="Of --status: source, target, mention.")] = "source",
    year: Annotated[int | None, typer.Option(help="Of --status.", show_default="all")] = None,
    width: Annotated[
        float, typer.Option(min=0.1, help="Of --status: points that its interval may have.")
    ] = 10.0,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Instead: how far reviewers agree.")
    ] = False,
    corpus: CorpusDir = HERE,
    port: Port = None,
    host: Host = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Confirm or correct what the annotator found; draw gold papers; see how far reviewers are."""
    from annotate import cli as annotator

    if draw is not None:
        annotator.draw_gold(corpus, draw, seed=seed, again=again, as_json=as_json)
    elif agreement:
        annotator.print_agreement(corpus, as_json=as_json)
    elif status:
        trend = {"dataset": dataset, "role": role, "year": year, "width": width}
        annotator.print_review_status(corpus, reviewer or "", trend, as_json=as_json)
    elif reviewer is None or not reviewer.strip():
        raise InputError("who reviews? give --reviewer NAME; it is stored with each decision")
    elif text:
        annotator.review_here(corpus, reviewer.strip(), queue, paper=paper)
    else:
        annotator.check_queue(queue)
        told = {"CATS_REVIEW": "1", "CATS_REVIEWER": reviewer}
        page = "adjudicate" if queue == "adjudicate" else f"review?queue={queue}"
        if paper is not None:
            page = f"review?queue={'gold' if queue == 'gold' else 'paper'}&paper={quote(paper)}"
        _serve(corpus, port=port, host=host, told=told, page=page)


@app.command()
def report(
    file: Annotated[
        Path, typer.Argument(help="FILE.html, or FILE.pdf where there is a Chromium to print it.")
    ],
    text: Annotated[
        str | None,
        typer.Option(
            help="Count papers read as: full text, abstract or together (mixed).",
            show_default="the kind that most papers have",
        ),
    ] = None,
    corpus: CorpusDir = HERE,
) -> None:
    """Write the survey as one document to publish beside a paper: figures, tables, how sure."""
    from importlib.metadata import version
    from typing import cast

    from dashboard.report.asked import READ_AS
    from dashboard.report.write import write
    from data.corpus import Corpus
    from data.cube import ReadAs, one_of

    if text is not None:
        one_of("text", text, READ_AS)
    write(Corpus(corpus), file, text=cast("ReadAs | None", text), version=version("cats-toolkit"))
    say(f"wrote {file}")


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
        _serve(folder, port=port, host="127.0.0.1", told={"CATS_REVIEW": "1"})


# What the pages are told by the environment; what a shell has set is not for them.
_TOLD = ("CATS_REVIEW", "CATS_REVIEWER", "CATS_USER_HEADER", "CATS_PROXY")


def _serve(
    corpus: Path, *, port: int | None, host: str, told: Mapping[str, str], page: str = ""
) -> None:
    """Run streamlit until it is interrupted, and open the page where there is a screen.

    Args:
        told: variables of the environment, of those in `_TOLD`.
    """
    import os
    import signal
    import subprocess
    import sys
    import threading
    from importlib.util import find_spec

    from dashboard.identity import BELIEVED_PEERS
    from data.corpus import Corpus

    Corpus(corpus)
    if find_spec("streamlit") is None or find_spec("plotly") is None:
        raise InputError("the pages need more packages: pip install 'cats-toolkit[dashboard]'")
    port = _free_port(host, port)
    environment = {name: value for name, value in os.environ.items() if name not in _TOLD}
    environment |= {"CATS_CORPUS": str(corpus.resolve()), BELIEVED_PEERS: "", **told}
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
    command = [sys.executable, "-P", "-m", "dashboard.serve", "run", script, *flags]
    threading.Thread(target=_open_browser, args=(address, page), daemon=True).start()
    # A service manager ends us by SIGTERM; the page's server must go with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
