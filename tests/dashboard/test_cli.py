import socket

import pytest

from dashboard.cli import _free_port
from data.errors import InputError


def test_a_taken_port_gives_way_unless_it_was_asked_for() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"{port}.*--port"):
            _free_port("127.0.0.1", port)
    assert _free_port("127.0.0.1", port) == port
    assert 8501 <= _free_port("127.0.0.1", None) <= 8600
