"""What a release says of itself to programs: Frictionless Data Package, Croissant, CITATION.cff.

Sources: specs.frictionlessdata.io (Data Package 1), docs.mlcommons.org/croissant (format 1.0),
citation-file-format.github.io (1.2.0).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_TYPES = {"list": "string"}  # a list is one cell, its values apart by semicolons
_CROISSANT_TYPES = {
    "integer": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "datetime": "sc:DateTime",
}
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a CSV table: its name, its type as a data package names it, what it holds."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV table of a release.

    Args:
        name: unique, lower-case.
        path: below the release's folder, with slashes.
        description: a row is what.
        fields: its columns, in their order.
    """

    name: str
    path: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What all three descriptors say of a release.

    Args:
        id: of the release.
        version: of the release, as the person who makes it names it.
        licence: SPDX id of the data.
    """

    id: str
    title: str
    description: str
    version: str
    licence: str
    created: datetime


def sha256(path: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_package(about: About, tables: Iterable[Table], folder: Path) -> dict[str, Any]:
    """The Frictionless descriptor of the tables below `folder`."""
    return {
        "profile": "tabular-data-package",
        "name": re.sub(r"[^a-z0-9._-]+", "-", about.title.lower()).strip("-") or "survey",
        "id": about.id,
        "title": about.title,
        "description": about.description,
        "version": about.version,
        "created": f"{about.created:%Y-%m-%dT%H:%M:%SZ}",
        "licenses": [{"name": about.licence, "path": _spdx(about.licence)}],
        "resources": [_resource(table, folder) for table in tables],
    }


def _resource(table: Table, folder: Path) -> dict[str, Any]:
    path = folder / table.path
    return {
        "profile": "tabular-data-resource",
        "name": table.name,
        "path": table.path,
        "description": table.description,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": path.stat().st_size,
        "hash": f"sha256:{sha256(path)}",
        "schema": {
            "fields": [
                {
                    "name": field.name,
                    "type": _TYPES.get(field.type, field.type),
                    "description": field.description,
                }
                for field in table.fields
            ],
            "missingValues": [""],
        },
    }


def croissant(about: About, tables: Iterable[Table], folder: Path) -> dict[str, Any]:
    """The Croissant descriptor of the tables below `folder`."""
    listed = list(tables)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.title,
        "description": about.description,
        "identifier": about.id,
        "version": about.version,
        "datePublished": f"{about.created:%Y-%m-%d}",
        "license": _spdx(about.licence),
        "url": f"urn:{about.id}",
        "citeAs": f"{about.title}, {about.id}",
        "isLiveDataset": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": table.name,
                "name": table.path,
                "contentUrl": table.path,
                "encodingFormat": "text/csv",
                "sha256": sha256(folder / table.path),
            }
            for table in listed
        ],
        "recordSet": [_record_set(table) for table in listed],
    }


def _record_set(table: Table) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": f"{table.name}-rows",
        "name": f"{table.name}-rows",
        "description": table.description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table.name}-rows/{field.name}",
                "name": f"{table.name}-rows/{field.name}",
                "description": field.description,
                "dataType": _CROISSANT_TYPES.get(field.type, "sc:Text"),
                "source": {
                    "fileObject": {"@id": table.name},
                    "extract": {"column": field.name},
                },
            }
            for field in table.fields
        ],
    }


def citation_cff(about: About, *, tool_version: str) -> str:
    """CITATION.cff of a release; strings are JSON's, which YAML reads."""
    lines = [
        ("cff-version", "1.2.0"),
        ("message", "If you use these data, please cite them as below."),
        ("type", "dataset"),
        ("title", about.title),
        ("version", about.version),
        ("license", about.licence),
        ("abstract", about.description),
    ]
    text = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in lines)
    return (
        f"{text}date-released: {about.created:%Y-%m-%d}\n"
        'authors:\n  - name: "The makers of this survey"\n'
        f'identifiers:\n  - type: other\n    value: "{about.id}"\n'
        '    description: "SHA-256 over the content of the release"\n'
        f'references:\n  - type: software\n    title: "CATS toolkit"\n'
        f'    version: "{tool_version}"\n    authors:\n      - name: "The CATS authors"\n'
    )


def _spdx(licence: str) -> str:
    return f"https://spdx.org/licenses/{licence}.html"
