"""HTML printed to PDF by a Chromium of this machine; no other package is needed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from datetime import date
from pathlib import Path

from data.errors import InputError

_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "msedge", "brave-browser"),
)
_APPLICATIONS = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
_FLAGS = (
    *("--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check"),
    # Nothing of the page loads anything; these keep the browser itself from the network.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--no-pdf-header-footer", "--generate-pdf-document-outline"),
    "--disable-dev-shm-usage",  # 64 MB in a container, too little for a long page
)
_TIMEOUT_S = 120
# Both are of the same length whenever it is printed, so that no offset in the file moves.
_DATES = re.compile(rb"/(CreationDate|ModDate) \(D:\d{14}")


def chromium() -> Path:
    """Where this machine has a Chromium.

    Raises:
        InputError: it has none.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    found = found or next((str(path) for path in _APPLICATIONS if path.is_file()), None)
    if found is None:
        raise InputError(
            "a PDF is printed by Chromium or Chrome, and none is on the path; install one (Debian: "
            "apt-get install chromium; macOS: brew install --cask chromium), or write .html and "
            "print that in any browser"
        )
    return Path(found)


def printed(content: bytes, *, day: date, timeout_s: float = _TIMEOUT_S) -> bytes:
    """A page of HTML as PDF.

    Args:
        content: the page, in UTF-8.
        day: that the file says it was made, so that it does not hang on today.
        timeout_s: after so long the browser is ended.

    Raises:
        InputError: there is no Chromium, or it fails or takes too long.
    """
    browser = chromium()
    with tempfile.TemporaryDirectory(prefix="cats-print-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "report.html").write_bytes(content)
        command = [str(browser), *_FLAGS, f"--user-data-dir={folder / 'profile'}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # as root it starts in no other way
        command += [f"--print-to-pdf={folder / 'report.pdf'}", (folder / "report.html").as_uri()]
        said = _run(command, browser, timeout_s)
        made = folder / "report.pdf"
        if not made.is_file() or not (body := made.read_bytes()).startswith(b"%PDF"):
            raise InputError(
                f"it printed no PDF (its last words: {said!r:.300}); write .html instead and "
                "print that in a browser",
                path=browser,
            )
    return _DATES.sub(rb"/\1 (D:" + f"{day:%Y%m%d}000000".encode(), body)


def _run(command: list[str], browser: Path, timeout_s: float) -> str:
    """Run a browser to its end, and end all of its processes if it takes too long."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as running:
        try:
            _, said = running.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as e:
            raise InputError(
                f"it did not print within {timeout_s:g} s; end other programs and try again, or "
                "write .html and print that in a browser",
                path=browser,
            ) from e
        finally:
            # Its own processes may outlive the one that was started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)
    return said[-300:].strip()
