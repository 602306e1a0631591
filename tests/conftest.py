"""No test reaches the network: sockets connect to this machine only."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong; and a failure must come again when it is looked into.
settings.register_profile("cats", deadline=None, derandomize=True, database=None)
settings.load_profile("cats")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            pytest.fail(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.delenv("OPENALEX_API_KEY", raising=False)
    for server in ("OPENALEX", "CONTENT", "EUROPEPMC", "ARXIV"):
        monkeypatch.delenv(f"CATS_{server}_URL", raising=False)


@pytest.fixture
def shared() -> Path:
    """Real papers and labels beside the repository, where there are any."""
    if not _SHARED.is_dir():
        pytest.skip(f"no real papers at {_SHARED}")
    return _SHARED
