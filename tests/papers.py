"""Invented papers for tests: works, and a PDF made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builders import work

from data.records import Work


def open_work(number: int, **fields: Any) -> Work:
    """A work with a PMCID and a title of its own."""
    plain: dict[str, Any] = {
        "title": f"Transfer learning of chest radiographs by network number {number}",
        "links": (f"pmcid:PMC{number}", f"arxiv:2101.{number:05d}"),
        "license": "cc-by-nc",
    }
    return work(f"W{number}", **(plain | fields))


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF with these lines on its pages, in Helvetica (ISO 32000-1, annex H.3)."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for lines in pages:
        shown = "".join(f"({_escaped(line)}) Tj T* " for line in lines)
        stream = f"BT /F1 10 Tf 12 TL 40 800 Td {shown}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        content = len(objects)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    body, places = b"%PDF-1.4\n", []
    for number, inner in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{inner}\nendobj\n".encode("latin-1")
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}"
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + (table + end).encode()


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
