"""Real loopback servers; what lies beyond this machine is told by name resolution alone."""

import contextlib
import gzip
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import miner.hosts
from data.errors import InputError, NetworkError
from data.settings import Settings
from miner.hosts import Hosts, _refuse_address
from miner.transport import AbsentError, retry_after

Serve = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def server(answer: Serve) -> Iterator[str]:
    """A host on this machine that answers as told."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def send(handler: Any, status: int = 200, body: bytes = b"text", **headers: str) -> None:
    handler.send_response(status)
    plain = {"Content-Length": str(len(body)), "Content-Type": "text/plain; charset=utf-8"}
    for name, value in (plain | {k.replace("_", "-"): v for k, v in headers.items()}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def hosts(url: str, waits: list[float] | None = None, **options: Any) -> Hosts:
    settings = Settings(
        europepmc_url=url, tries=options.pop("tries", 3), read_timeout_s=2, connect_timeout_s=2
    )
    sleep = (lambda s: None) if waits is None else waits.append
    return Hosts(settings, sleep=sleep, rng=random.Random(1), **options)


def test_a_document_comes_with_its_kind_and_place() -> None:
    with server(send) as url, hosts(url) as asked:
        got = asked.get(f"{url}/a")
    assert (got.body, got.content_type, got.url) == (b"text", "text/plain", f"{url}/a")


def test_packing_is_undone() -> None:
    packed = gzip.compress(b"text" * 100)
    with server(lambda h: send(h, body=packed, Content_Encoding="gzip")) as url, hosts(url) as h:
        assert h.get(url).body == b"text" * 100


def test_a_packed_bomb_is_refused_before_it_opens() -> None:
    asked: list[str] = []

    def bomb(handler: Any) -> None:
        asked.append(handler.path)
        send(handler, body=gzip.compress(b"\0" * 20_000_000), Content_Encoding="gzip")

    with (
        server(bomb) as url,
        hosts(url, size_cap=1_000_000) as h,
        pytest.raises(InputError, match="more than 1 MB"),
    ):
        h.get(url)
    assert len(asked) == 1


def test_an_endless_body_is_left_at_the_cap() -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with (
        server(endless) as url,
        hosts(url, size_cap=500_000) as h,
        pytest.raises(InputError, match=r"more than 0\.5 MB"),
    ):
        h.get(url)


def test_a_body_that_drips_is_left_in_time() -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.02)

    started = time.monotonic()
    with (
        server(drip) as url,
        hosts(url, longest_s=0.2) as h,
        pytest.raises(NetworkError, match="not whole after"),
    ):
        h.get(url)
    assert time.monotonic() - started < 2


def test_every_fault_that_passes_is_tried_again() -> None:
    waits: list[float] = []
    n_asked = 0

    def flaky(handler: Any) -> None:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 1:
            send(handler, 429, Retry_After="7")
        elif n_asked == 2:
            send(handler, 503)
        elif n_asked == 3:
            handler.close_connection = True
        elif n_asked == 4:
            send(handler, body=b"half", Content_Length="100")
            handler.close_connection = True
        else:
            send(handler)

    with server(flaky) as url, hosts(url, waits, tries=6) as h:
        assert h.get(url).body == b"text"
    assert waits[0] == 7.0
    assert len(waits) == 4


def test_a_long_wait_is_told_and_not_slept_through() -> None:
    waits: list[float] = []
    with (
        server(lambda h: send(h, 503, Retry_After="7200")) as url,
        hosts(url, waits) as h,
        pytest.raises(NetworkError, match=r"come back in 2\.0 h"),
    ):
        h.get(url)
    assert waits == []


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_absent(status: int) -> None:
    with (
        server(lambda h: send(h, status)) as url,
        hosts(url) as h,
        pytest.raises(AbsentError),
    ):
        h.get(url)


def test_what_is_refused_is_not_asked_again() -> None:
    waits: list[float] = []
    with (
        server(lambda h: send(h, 403)) as url,
        hosts(url, waits) as h,
        pytest.raises(InputError, match="HTTP 403"),
    ):
        h.get(url)
    assert waits == []


def test_redirects_on_the_same_host_are_followed_and_come_to_an_end() -> None:
    def onward(handler: Any) -> None:
        number = int(handler.path.strip("/"))
        if number == 5:
            send(handler)
        else:
            send(handler, 302, Location=f"/{number + 1}")

    with server(onward) as url, hosts(url) as h:
        assert h.get(f"{url}/0").url == f"{url}/5"
        with pytest.raises(InputError, match="more than 5 redirects"):
            h.get(f"{url}/-1")


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://0.0.0.0/",
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://user:word@127.0.0.1/",
        "http://[broken",
        "http://127.0.0.1:99999/",
    ],
)
def test_no_redirect_leads_into_a_private_network(target: str) -> None:
    with (
        server(lambda h: send(h, 302, Location=target)) as url,
        hosts(url) as h,
        pytest.raises(InputError, match="not asked"),
    ):
        h.get(url)


def test_a_redirect_does_not_reach_a_server_that_the_settings_name() -> None:
    reached: list[str] = []
    with (
        server(lambda h: reached.append(h.path)) as inner,
        server(lambda h: send(h, 302, Location=f"{inner}/x")) as outer,
        Hosts(Settings(europepmc_url=outer, arxiv_url=inner, tries=1)) as h,
        pytest.raises(InputError, match="not asked"),
    ):
        h.get(outer)
    assert reached == []


def test_an_unnamed_local_server_is_never_asked() -> None:
    reached: list[str] = []
    with (
        server(lambda h: reached.append(h.path)) as url,
        hosts("http://127.0.0.1:9") as h,
        pytest.raises(InputError, match="no public address"),
    ):
        h.get(url)
    assert reached == []


def test_a_name_that_changes_its_address_is_caught_at_the_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached: list[str] = []
    real, answers = socket.getaddrinfo, ["8.8.8.8", "127.0.0.1"]

    def rebinding(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        address = answers.pop(0) if host == "rebind.example" else host
        return real(address, port, *args, **options)

    with server(lambda h: reached.append(h.path)) as url, hosts("http://127.0.0.1:9") as h:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with pytest.raises(InputError, match=r"127\.0\.0\.1, no public address"):
            h.get(url.replace("127.0.0.1", "rebind.example"))
    assert answers == []
    assert reached == []


def test_headers_stay_with_the_host_they_were_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def note(handler: Any) -> None:
        seen.append(handler.headers.get("Authorization"))
        send(handler)

    monkeypatch.setattr(miner.hosts, "_refuse_address", lambda *args, **options: None)
    with (
        server(note) as other,
        server(lambda h: send(h, 302, Location=f"{other}/x")) as url,
        hosts(url) as h,
    ):
        h.get(other, headers={"Authorization": "Bearer sesame"})
        h.get(url, headers={"Authorization": "Bearer sesame"})
    assert seen == ["Bearer sesame", None]


def test_no_error_quotes_a_query_or_a_password() -> None:
    with server(lambda h: send(h, 403)) as url, hosts(url) as h:
        with pytest.raises(InputError) as refused:
            h.get(f"{url}/a?api_key=sesame")
        assert "sesame" not in str(refused.value)
        with pytest.raises(InputError) as refused:
            h.get("http://me:sesame@127.0.0.1/")
        assert "sesame" not in str(refused.value)


def test_each_site_has_its_pace() -> None:
    waits: list[float] = []
    with hosts("http://127.0.0.1:9", waits) as h:
        for _ in range(3):
            for host in (
                "arxiv.org",
                "export.arxiv.org",
                "www.ebi.ac.uk",
                "a.example",
                "127.0.0.1",
            ):
                h._pace((host, 9 if host == "127.0.0.1" else 443), f"https://{host}/").wait()
    # arXiv's two servers share one request in 3 s; the local stand-in waits for nothing.
    assert sorted(round(wait, 1) for wait in waits) == pytest.approx(
        [0.1, 0.2, 1.0, 2.0, 3.0, 6.0, 9.0, 12.0, 15.0], abs=0.2
    )


def test_being_too_fast_never_speeds_up() -> None:
    from miner.pace import Pace

    pace = Pace(1 / 3)
    pace.too_fast()
    assert pace._rate is not None
    assert pace._rate <= 1 / 3


def test_a_document_of_openalex_counts_where_the_server_is_silent() -> None:
    with server(send) as url:
        settings = Settings(content_url=url, tries=1)
        with Hosts(settings, budget=0.02) as h:
            h.get(f"{url}/works/W1.pdf")
            h.get(f"{url}/works/W2.pdf")
            with pytest.raises(NetworkError, match="budget"):
                h.get(f"{url}/works/W3.pdf")
            assert h.content_pace.spent == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("224.0.0.1", False),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::8.8.8.8", True),
    ],
)
def test_which_addresses_are_public(address: str, is_public: bool) -> None:
    if is_public:
        _refuse_address(address, ("a.example", 80), is_named=False)
        return
    for is_named in (True, False):
        with pytest.raises(InputError):
            _refuse_address(address, ("a.example", 80), is_named=is_named)


def test_retry_after_may_be_a_date() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert retry_after({"Retry-After": "Tue, 24 Nov 2026 12:00:09 GMT"}, now=now) == 9
    assert retry_after({"Retry-After": "soon"}, now=now) is None
    assert retry_after({}, now=now) is None


def test_settings_name_the_servers() -> None:
    from data.settings import settings

    named = settings({"CATS_ARXIV_URL": "http://127.0.0.1:1/", "CATS_CONTENT_URL": " "})
    assert (named.arxiv_url, named.arxiv_api_url) == ("http://127.0.0.1:1",) * 2
    assert named.content_url == "https://content.openalex.org"
    for wrong in ("ftp://a.example", "http://a.example:x", "a.example"):
        with pytest.raises(InputError, match="CATS_EUROPEPMC_URL"):
            settings({"CATS_EUROPEPMC_URL": wrong})
