"""A local Europe PMC, arXiv and OpenAlex content server over invented papers, with faults by name.

One address stands for all three: `/europepmc`, `/arxiv` and `/content` under it. What it serves is
made from the works it is given; nothing is anybody's text.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from data.errors import InputError
from data.records import Work
from miner.replay import Server

FAULTS: Mapping[str, str] = {
    "redirect": "documents are said to be at an address of a private network",
    "endless": "documents do not end",
    "entities": "documents declare entities that grow without bound",
    "external": "documents declare an entity in a file of this machine",
    "cut": "documents end half-way, as if they were whole",
    "429": "every second request is too fast: 429 with Retry-After 0",
    "down": "every answer is 503",
    "slow": "waits 0.1 s before every answer",
    "refused": "OpenAlex's content refuses the key",
}
_SLOW_S = 0.1
_POLL_S = 0.02
_BLOCK = b"x" * 65536

_BOMB = '<!DOCTYPE article [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
_EXTERNAL = '<!DOCTYPE article [<!ENTITY b SYSTEM "file:///etc/passwd">]>'


@dataclass
class Shelves:
    """What is served, and what was asked.

    Args:
        europepmc, arxiv, content: ids (PMC1, 2101.00001, W1) of works with a text there.
        pmcids: of works that Europe PMC finds by `EXT_ID:1` or `DOI:"10..."`.
        requests: (path, whether a key came with it).
    """

    europepmc: Mapping[str, Work]
    arxiv: Mapping[str, Work]
    content: Mapping[str, Work]
    pmcids: Mapping[str, str] = field(default_factory=dict)
    faults: frozenset[str] = frozenset()
    requests: list[tuple[str, bool]] = field(default_factory=list)


def jats(work: Work, *, declares: str = "") -> bytes:
    """An invented paper in JATS, with the work's title and abstract."""
    return f"""<?xml version="1.0"?>{declares}
<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>
<title-group><article-title>{escape(work.title or "")}</article-title></title-group>
<permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"/></permissions>
<abstract><p>{escape(work.abstract or "")}</p></abstract></article-meta></front>
<body><sec><title>1 Introduction</title><p>Text of {work.id}.{"&b;" * bool(declares)}</p></sec>
<sec><title>2 Methods</title><p>A ResNet-50 pretrained on ImageNet was fine-tuned.</p>
<fig><label>Figure 1</label><caption><p>Images of {work.id}.</p></caption></fig></sec></body>
<back><ref-list><ref><mixed-citation>Nobody. Nothing.</mixed-citation></ref></ref-list></back>
</article>""".encode()


def tei(work: Work) -> bytes:
    """The same in GROBID's TEI."""
    return f"""<?xml version="1.0"?><TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc>
<titleStmt><title level="a" type="main">{escape(work.title or "")}</title></titleStmt></fileDesc>
</teiHeader><text><body><div><head n="1">Introduction</head><p>Text of {work.id}.</p></div>
<div><head n="2">Methods</head><p>A ResNet-50 pretrained on ImageNet was fine-tuned.</p></div>
</body></text></TEI>""".encode()


def latexml(work: Work) -> bytes:
    """The same as a page of arXiv."""
    return f"""<!DOCTYPE html><html><body><a id="license-tr">License: CC BY 4.0</a>
<article class="ltx_document"><h1 class="ltx_title ltx_title_document">{escape(work.title or "")}
</h1><section class="ltx_section"><h2 class="ltx_title ltx_title_section">
<span class="ltx_tag ltx_tag_section">1 </span>Introduction</h2><div class="ltx_para">
<p class="ltx_p">Text of {work.id}.</p></div></section><section class="ltx_section">
<h2 class="ltx_title ltx_title_section">2 Methods</h2><div class="ltx_para">
<p class="ltx_p">A ResNet-50 pretrained on ImageNet was fine-tuned.</p></div></section>
</article></body></html>""".encode()


class _Handler(BaseHTTPRequestHandler):
    shelves: Shelves
    counter: Iterator[int]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: else each answer waits 40 ms

    def do_GET(self) -> None:
        """Answer one request, after the faults had their say."""
        faults = self.shelves.faults
        self.shelves.requests.append((self.path, "Authorization" in self.headers))
        if "slow" in faults:
            threading.Event().wait(_SLOW_S)
        if "down" in faults or ("429" in faults and next(self.counter) % 2):
            self._send(503 if "down" in faults else 429, b"", {"Retry-After": "0"})
            return
        parts = urlsplit(self.path)
        host, _, rest = unquote(parts.path).lstrip("/").partition("/")
        if host == "europepmc" and rest == "search":
            self._send(200, self._search(dict(parse_qsl(parts.query)).get("query", "")))
        elif host == "content" and "refused" in faults:
            self._send(401, b'{"error": "Invalid API key"}')
        else:
            self._document(host, rest)

    def _search(self, query: str) -> bytes:
        said = query.removesuffix(" AND SRC:MED").partition(":")[2].strip('"')
        pmcid = self.shelves.pmcids.get(said)
        found = [{"id": said, "source": "MED", **({"pmcid": pmcid} if pmcid else {})}]
        return msgspec.json.encode({"hitCount": 1, "resultList": {"result": found}})

    def _document(self, host: str, rest: str) -> None:
        body = self._body(host, rest)
        if body is None:
            self._send(404, b"")
        elif "redirect" in self.shelves.faults:
            self._send(302, b"", {"Location": "http://10.0.0.1/"})
        elif "endless" in self.shelves.faults:
            self._endless(body)
        else:
            self._send(200, body[: len(body) // 2] if "cut" in self.shelves.faults else body)

    def _body(self, host: str, rest: str) -> bytes | None:
        shelves = self.shelves
        places: dict[str, tuple[Mapping[str, Work], str, Callable[[Work], bytes]]] = {
            "europepmc": (shelves.europepmc, rest.removesuffix("/fullTextXML"), self._jats),
            "arxiv": (shelves.arxiv, rest.removeprefix("html/"), latexml),
            "content": (
                shelves.content,
                rest.removeprefix("works/").removesuffix(".grobid-xml"),
                tei,
            ),
        }
        if host not in places:
            return None
        shelf, name, made = places[host]
        return made(shelf[name]) if name in shelf else None

    def _jats(self, work: Work) -> bytes:
        if "entities" in self.shelves.faults:
            return jats(work, declares=_BOMB)
        return jats(work, declares=_EXTERNAL if "external" in self.shelves.faults else "")

    def _endless(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(body)
            while True:
                self.wfile.write(_BLOCK)
        except OSError:
            return  # the client had enough

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept on the shelves, not printed."""


@contextmanager
def serve_full_text(
    works: Sequence[Work],
    *,
    without: Sequence[str] = (),
    pmcids: Mapping[str, str] | None = None,
    faults: Sequence[str] = (),
) -> Iterator[tuple[str, Shelves]]:
    """Serve the full texts of works on this machine while the context is open.

    Args:
        works: each is at Europe PMC by its PMCID, at arXiv by its arXiv id, at OpenAlex by its id.
        without: of `europepmc`, `arxiv` and `content`, those that have no text at all.
        pmcids: what Europe PMC's search finds, by PMID or DOI.
        faults: names out of `FAULTS`.

    Returns: the address, to which `/europepmc`, `/arxiv` and `/content` are added, and the shelves.

    Raises:
        InputError: a fault has no such name.
    """
    unknown = [fault for fault in faults if fault not in FAULTS]
    if unknown:
        raise InputError(f"fault {unknown[0]!r} is not one of {', '.join(FAULTS)}")

    def named(prefix: str) -> dict[str, Work]:
        links = ((link, work) for work in works for link in work.links)
        return {link.removeprefix(prefix): work for link, work in links if link.startswith(prefix)}

    shelves = Shelves(
        {} if "europepmc" in without else named("pmcid:"),
        {} if "arxiv" in without else named("arxiv:"),
        {} if "content" in without else {work.id: work for work in works},
        pmcids or {},
        frozenset(faults),
    )
    handler = type("Handler", (_Handler,), {"shelves": shelves, "counter": itertools.count(1)})
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", shelves
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
