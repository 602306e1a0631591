"""PDF -> paragraphs by section, its text taken in a child process with limits (`pdf_text.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from data.errors import InputError
from miner.document import Document
from miner.lines import of_pages

_CHILD = Path(__file__).with_name("pdf_text.py")
MEMORY = 1 << 30  # bytes of address space
CPU_S = 30  # a thousand pages take some five
WALL_S = 60.0


def read_pdf(
    body: bytes, *, memory: int = MEMORY, cpu_s: int = CPU_S, wall_s: float = WALL_S
) -> Document:
    """The paper in a PDF.

    Args:
        memory: bytes of address space that reading may take.
        cpu_s: seconds of computing, whole ones.
        wall_s: seconds by the clock.

    Raises:
        InputError: it cannot be read within these limits, holds no text, or pypdfium2 is missing.
    """
    # -I: neither the working directory nor PYTHONPATH may put other code before the library.
    command = [sys.executable, "-I", str(_CHILD), str(memory), str(cpu_s)]
    try:
        done = subprocess.run(
            command, input=body, capture_output=True, timeout=wall_s, check=False, env={}
        )
    except subprocess.TimeoutExpired as e:
        raise InputError(f"a PDF that is not read within {wall_s:g} s") from e
    if done.returncode != 0:
        raise InputError(_why(done))
    document = of_pages([_lines(page) for page in json.loads(done.stdout)])
    if not document.pieces:
        raise InputError("a PDF without text, such as a scan")
    return document


def _lines(page: str) -> list[str]:
    """A page's lines; PDFium joins the two of a broken word by U+0002 (seen in 5.3, 2026)."""
    return page.replace("\x02", "-\n").splitlines()


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    last = said[-1][:200] if said else ""
    if "pypdfium2 is missing" in last:
        return "PDF needs pypdfium2; pip install 'cats-toolkit[fulltext]'"
    if done.returncode < 0:
        return f"a PDF that ended its reader by signal {-done.returncode}, such as for its time"
    return f"a PDF that cannot be read ({last})"
