"""The pages as `cats` serves them: a server to kill and start again, and a slow way to it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Server:
    """`cats ARGUMENTS` on a survey, at one address however often it is started."""

    def __init__(self, survey: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        place = ["--port", str(self.port), "-C", str(survey)]
        self._command = [sys.executable, "-m", "cats", *arguments, *place]

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(f"no page at {self.url}")

    def end(self, how: int = signal.SIGINT) -> None:
        os.killpg(self._process.pid, how)
        self._process.wait()

    def kill(self) -> None:
        self.end(signal.SIGKILL)


@contextmanager
def serving(survey: Path, *arguments: str) -> Iterator[Server]:
    server = Server(survey, *arguments)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def slowed(port: int, delay_s: float) -> Iterator[str]:
    """An address of the server at `port` whose answers come `delay_s` late."""
    listener = socket.create_server(("127.0.0.1", 0))

    def read(one: socket.socket, late: Queue[tuple[float, bytes]]) -> None:
        chunk = b"first"
        while chunk:
            try:
                chunk = one.recv(65536)
            except OSError:
                chunk = b""  # the other end has gone
            late.put((time.monotonic(), chunk))

    def write(other: socket.socket, late: Queue[tuple[float, bytes]], wait_s: float) -> None:
        while True:
            came, chunk = late.get()
            time.sleep(max(0.0, came + wait_s - time.monotonic()))
            if not chunk:
                return other.close()
            with contextlib.suppress(OSError):  # it has gone; what follows is read and dropped
                other.sendall(chunk)

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # the listener is closed
            far = socket.create_connection(("127.0.0.1", port))
            for one, other, wait_s in ((near, far, 0.0), (far, near, delay_s)):
                late: Queue[tuple[float, bytes]] = Queue()
                threading.Thread(target=read, args=(one, late), daemon=True).start()
                threading.Thread(target=write, args=(other, late, wait_s), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
