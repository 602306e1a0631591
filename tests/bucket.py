"""A folder as an S3 bucket on this machine, for reading: lists, heads, and ranges of objects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class _Handler(BaseHTTPRequestHandler):
    root: Path
    requests: list[tuple[str, str, str | None]]
    is_down: threading.Event
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: else each answer waits 40 ms

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        asked = self.headers.get("Range")
        self.requests.append((self.command, self.path, asked))
        assert "Authorization" not in self.headers, "credentials were sent"
        if self.is_down.is_set():
            self._send(403, b"<Error><Code>AccessDenied</Code></Error>", with_body=with_body)
            return
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        if "list-type" in query:
            self._send(200, self._list(query), with_body=with_body)
            return
        _, bucket, *key = unquote(parts.path).split("/")
        path = self.root.joinpath(*key)
        if bucket != "openalex" or not path.is_file():
            if bucket == "openalex" and not any(key):
                self._send(200, b"", with_body=with_body)
                return
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", with_body=with_body)
            return
        body = path.read_bytes()
        if asked is None:
            self._send(200, body, with_body=with_body)
            return
        first, last = asked.removeprefix("bytes=").split("-")
        stop = min(int(last) + 1 if last else len(body), len(body))
        span = f"bytes {first}-{stop - 1}/{len(body)}"
        self._send(206, body[int(first) : stop], with_body=with_body, span=span)

    def _list(self, query: dict[str, list[str]]) -> bytes:
        (prefix,) = query.get("prefix", [""])
        (delimiter,) = query.get("delimiter", [""])
        keys = sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file()
        )
        found, folders = [], dict[str, None]()
        for key in keys:
            if not key.startswith(prefix):
                continue
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if cut:
                folders[prefix + head + cut] = None
            else:
                size = (self.root / key).stat().st_size
                found.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>"
                    "<LastModified>2026-06-24T00:00:00.000Z</LastModified></Contents>"
                )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders
        )
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="{_NAMESPACE}"><Name>openalex</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found) + len(folders)}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{''.join(found)}{common}</ListBucketResult>"
        ).encode()

    def _send(self, status: int, body: bytes, *, with_body: bool, span: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Wed, 24 Jun 2026 00:00:00 GMT")
        if span is not None:
            self.send_header("Content-Range", span)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Bucket:
    """The bucket `openalex`, what was asked of it, and a way to shut everybody out."""

    def __init__(self, server: ThreadingHTTPServer, handler: type[_Handler]) -> None:
        self.requests, self.is_down = handler.requests, handler.is_down
        self._options = f"scheme=http&endpoint_override=127.0.0.1:{server.server_port}"

    def place(self, prefix: str) -> str:
        return f"s3://openalex/{prefix}?{self._options}"


@contextmanager
def bucket(root: Path) -> Iterator[Bucket]:
    fields = {"root": root, "requests": [], "is_down": threading.Event()}
    handler = type("Handler", (_Handler,), fields)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Bucket(server, handler)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
