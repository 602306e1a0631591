"""The main job on the embedded sample: mined over HTTP from a local server, then annotated."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from data.corpus import PROTOCOL, Corpus
from data.errors import CatsError
from data.sample import LABEL, WORKS
from miner.replay import serve

_TEMPLATE = Path(__file__).parent.parent / "data" / "facts" / "protocol.toml"


def demo(folder: Path) -> None:
    """Make the sample's survey in `folder` and run `mine`, `annotate` and `trends` on it.

    A survey that is there already is continued.

    Raises:
        CatsError: a step failed; its own message is on stderr.
    """
    if not (folder / PROTOCOL).exists():
        Corpus.create(folder, protocol=protocol_text())
    with gzip.open(WORKS, "rt", encoding="utf-8") as lines:
        works = [json.loads(line) for line in lines]
    with serve(works) as (url, _):
        _cats(folder, "mine", url=url)
    _cats(folder, "annotate")
    print(LABEL, flush=True)  # noqa: T201
    _cats(folder, "trends", "--by", "year", "--top", "5")


def protocol_text() -> str:
    """The packaged protocol under a title that says what it is asked of."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r'^title = ".*"$', f'title = "{LABEL}"', text, count=1, flags=re.MULTILINE)


def _cats(folder: Path, command: str, *options: str, url: str | None = None) -> None:
    """Run one command as its user would, in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "OPENALEX_API_KEY"}
    if url is not None:
        environment["CATS_OPENALEX_URL"] = url
    arguments: Sequence[str] = [command, "-C", str(folder), *options]
    print("$ cats", *arguments, file=sys.stderr, flush=True)  # noqa: T201
    done = subprocess.run([sys.executable, "-m", "cats", *arguments], env=environment, check=False)
    if done.returncode != 0:
        raise CatsError(f"`cats {command}` ended with exit code {done.returncode}; see above")
