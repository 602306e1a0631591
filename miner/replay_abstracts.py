"""A local Europe PMC and arXiv over a few papers, for tests: real HTTP, answers in their shapes.

What it does not know of their languages is refused, so that a typing error cannot pass here.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_TERM = re.compile(r'\(EXT_ID:(\d+) AND SRC:MED\)|PMCID:(PMC\d+)|DOI:"([^"\\]+)"')
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper as these services hold it; `summary` is arXiv's, `abstract` Europe PMC's."""

    title: str
    pmid: str | None = None
    pmcid: str | None = None
    doi: str | None = None
    arxiv: str | None = None
    abstract: str | None = None
    summary: str | None = None


@dataclass
class Services:
    """The papers that are served, and what was asked.

    Args:
        poison: a question with this text in it is refused.
        feed: what arXiv answers in place of an Atom feed, if given.
    """

    papers: Sequence[Paper]
    poison: str | None = None
    feed: bytes | None = None
    requests: list[str] = field(default_factory=list)


def _europepmc(papers: Sequence[Paper], question: str) -> bytes:
    terms = question.split(" OR ")
    found = []
    for term in terms:
        named = _TERM.fullmatch(term)
        if named is None:
            raise ValueError(term)
        pmid, pmcid, doi = named.groups()
        for paper in papers:
            is_it = pmid == paper.pmid if pmid else pmcid == paper.pmcid if pmcid else False
            if is_it or (doi and doi.lower() == (paper.doi or "").lower()):
                found.append(_result(paper))
    return json.dumps({"hitCount": len(found), "resultList": {"result": found}}).encode()


def _result(paper: Paper) -> dict[str, str]:
    fields = {
        "source": "MED",
        "title": f"{paper.title}.",
        "pmid": paper.pmid,
        "pmcid": paper.pmcid,
        "doi": paper.doi,
        "abstractText": paper.abstract,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _arxiv(papers: Sequence[Paper], ids: Sequence[str]) -> bytes:
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{paper.arxiv}v2</id><title>{escape(paper.title)}</title>"
        f"<summary>{escape(paper.summary or '')}</summary></entry>"
        for paper in papers
        if paper.arxiv in ids
    )
    return (
        f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'.encode()
    )


class _Handler(BaseHTTPRequestHandler):
    services: Services
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: else each answer waits 40 ms

    def do_GET(self) -> None:
        """Answer one request."""
        self.services.requests.append(self.path)
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            body = self._answer(parts.path, asked)
        except (ValueError, KeyError) as e:
            self._send(400, str(e).encode())
            return
        self._send(200 if body else 404, body)

    def _answer(self, path: str, asked: dict[str, str]) -> bytes:
        papers, poison = self.services.papers, self.services.poison
        if poison and any(poison in value for value in asked.values()):
            raise ValueError(poison)
        if path == "/search" and (asked["resultType"], asked["format"]) == ("core", "json"):
            return _europepmc(papers, asked["query"])
        if path == "/api/query":
            return self.services.feed or _arxiv(papers, asked["id_list"].split(","))
        return b""

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept, not printed."""


@contextmanager
def serve_abstracts(
    papers: Sequence[Paper], *, poison: str | None = None, feed: bytes | None = None
) -> Iterator[tuple[str, Services]]:
    """Serve papers as Europe PMC and arXiv on this machine while the context is open.

    Returns: the address to give as `CATS_EUROPEPMC_URL` and `CATS_ARXIV_URL`, and what is served.
    """
    services = Services(papers, poison, feed)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (_Handler,), {"services": services})
    )
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", services
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
