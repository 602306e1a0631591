"""A survey as one immutable release: a survey that opens like any other, and all tables, figures
and descriptions that a reader without this program needs.

Open `release` first. Nothing in it is anybody's text but titles, and the words that name a dataset.
The release has an id over its content; `check` tells whether a file was changed, lost or added.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256 as _sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from data.account import account, methods
from data.bibliography import bibtex
from data.concentration import concentration
from data.corpus import PROTOCOL, SNAPSHOT, Corpus, write_whole
from data.coverage import coverage
from data.cube import BYS, Cube, Selection, survey_cube
from data.descriptors import (
    About,
    Field,
    Table,
    citation_cff,
    croissant,
    data_package,
    sha256,
)
from data.dictionary import COUNTED, RECORDS, dictionary, type_name
from data.drawing import bars_svg, lines_svg
from data.errors import InputError
from data.flow import flow_svg
from data.gold_sample import survey_labels
from data.protocol import load
from data.publish import publish
from data.records import schema
from data.sample import LABEL
from data.topics import survey_topics
from data.transfers import transfers
from data.trends import leading, note, shares, survey_claims

if TYPE_CHECKING:
    import duckdb

SUMS = "SHA256SUMS"
LICENCE = "CC-BY-4.0"
_TABLES = "tables"
_LINES, _BARS = 6, 15
_ROWS = {
    "works": "a paper",
    "uses": "a place where a paper names a dataset in a role",
    "claims": "a paper, a dataset and a role, after what people decided",
    "decisions": "what a person said of a proposed use",
    "results": "a measured transfer result",
    "topics": "a paper: what it is about, and what was read of it",
    "shares": "a group of papers and a source: the share that uses it",
    "transfers": "a source and a target that the same papers use",
    "concentration": "a measure of how much papers rely on few sources",
}
_README = """# {title}

A release of a literature survey on which datasets papers transfer from, made with CATS {version}
on {day}. {works:,} papers, {uses:,} uses of datasets.{sample}

Id: `{id}` (SHA-256 over its tables). Licence of the data: {licence}. Cite it by `CITATION.cff`.

- `tables/`: all tables as CSV and Parquet; `dictionary.csv` says what each column holds;
  `datapackage.json` (Frictionless) and `croissant.json` say it to programs.
- `figures/`: shares with 95% intervals; `prisma/`: the PRISMA 2020 flow, its numbers, a methods
  paragraph; `papers.bib`: the included papers.
- `cats dashboard --snapshot .` shows exactly these data, without a network and without writing.
- `SHA256SUMS`: `sha256sum -c SHA256SUMS` tells whether a file was changed.

It holds no abstract and no sentence of a paper: a use has the words that name the dataset and the
place where they stand (`section`, `start`, `end`: characters of that section's text).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What was released: its id, and how much is in it."""

    id: str
    works: int
    uses: int
    files: int


def release(
    corpus: Corpus, out: Path, *, now: datetime, version: str, licence: str = LICENCE
) -> Release:
    """Write a release of the survey to the folder `out`, whole or not at all.

    Args:
        out: an absent or empty folder.
        now: goes into descriptions; the id does not hang on it.
        version: of cats.
        licence: SPDX id for the data.

    Raises:
        InputError: there is something in the folder, or the survey is a snapshot itself.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(
            "there is something here already, and a release is never overwritten; choose an "
            "absent or empty folder",
            path=out,
        )
    if corpus.is_snapshot:
        raise InputError("this is a release already; copy the folder as it is", path=corpus.path)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = out.with_name(f".partial-{secrets.token_hex(4)}-{out.name}")
    try:
        done = _write(corpus, made, now=now, version=version, licence=licence)
        if out.exists():
            out.rmdir()
        made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return done


def _write(corpus: Corpus, out: Path, *, now: datetime, version: str, licence: str) -> Release:
    given = publish(corpus, out)
    protocol = load(out / PROTOCOL)
    with corpus.connect() as db:
        cube = survey_cube(db)
        tables = list(_write_tables(db, cube, out))
        found, covered = account(db), coverage(db)
    _write_figures(cube, out / "figures", title=protocol.title, this_year=now.year)
    texts = {
        "prisma/prisma.svg": flow_svg(found, title=protocol.title),
        "prisma/prisma.json": json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n",
        "prisma/coverage.csv": covered.to_csv(index=False),
        "prisma/methods.txt": methods(found, protocol, version=version, now=now),
        "papers.bib": bibtex(corpus.included()),
        "dictionary.csv": dictionary().to_csv(index=False),
    }
    _write_texts(out, texts)
    about = About(
        id=_content_id(out),
        title=protocol.title,
        description=f"Which datasets {found.annotated:,} papers transfer from, to and mention: a "
        "literature survey with the place of each piece of evidence, decisions by people, and "
        "shares with their intervals.",
        version=f"{now:%Y.%m.%d}",
        licence=licence,
        created=now,
    )
    readme = _README.format(
        title=about.title,
        version=version,
        day=f"{now:%Y-%m-%d}",
        works=given.works,
        uses=given.uses,
        sample=f" {LABEL}." if LABEL in about.title else "",
        id=about.id,
        licence=licence,
    )
    described = {
        "README.md": readme,
        "CITATION.cff": citation_cff(about, tool_version=version),
        "datapackage.json": _json(data_package(about, tables, out)),
        "croissant.json": _json(croissant(about, tables, out)),
        SNAPSHOT: _json(
            {
                "id": about.id,
                "title": about.title,
                "version": about.version,
                "created": now.isoformat(),
                "cats": version,
                "licence": licence,
                "works": given.works,
                "uses": given.uses,
            }
        ),
    }
    _write_texts(out, described)
    sums = "".join(f"{sha256(out / name)}  {name}\n" for name in _files(out))
    _write_texts(out, {SUMS: sums})
    return Release(id=about.id, works=given.works, uses=given.uses, files=len(_files(out)))


def check(path: Path) -> str:
    """The id of a release, once every file in it is as it was released.

    Raises:
        InputError: it is no release, or a file was changed, lost or added; all are named.
    """
    try:
        told = json.loads((path / SNAPSHOT).read_text(encoding="utf-8"))
        lines = (path / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as e:
        raise InputError(
            f"not a released snapshot ({SNAPSHOT} or {SUMS} cannot be read); make one with "
            "`cats export FOLDER`, or open a survey with -C",
            path=path,
        ) from e
    released = dict(_sum_of(line, path, n) for n, line in enumerate(lines, 1))
    here = [name for name in _files(path) if name != SUMS]
    faults = [f"{name} is missing" for name in sorted(set(released) - set(here))]
    faults += [f"{name} was added" for name in here if name not in released]
    faults += [
        f"{name} was changed"
        for name in here
        if name in released and sha256(path / name) != released[name]
    ]
    if not faults and _content_id(path) != told.get("id"):
        faults = [f"its content is not that of {told.get('id')!r}"]
    if faults:
        more = f" and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise InputError(
            f"this is not the snapshot that was released: {'; '.join(faults[:10])}{more}; get it "
            "again from where it was published",
            path=path,
        )
    return str(told["id"])


def _sum_of(line: str, path: Path, number: int) -> tuple[str, str]:
    digest, gap, name = line.partition("  ")
    if len(digest) != 64 or not gap or not name:
        raise InputError("not a line of a checksum and a file", path=path / SUMS, line=number)
    return name, digest


def _files(folder: Path) -> list[str]:
    """All files below a folder but those of `SUMS`, as paths with slashes, sorted."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).as_posix() != SUMS
    )


def _content_id(folder: Path) -> str:
    """An id over what is said, whenever and by whatever version it was written."""
    names = [PROTOCOL, *(f"{_TABLES}/{path.name}" for path in (folder / _TABLES).glob("*.csv"))]
    digest = _sha256()
    for name in sorted(names):
        digest.update(f"{sha256(folder / name)}  {name}\n".encode())
    return f"cats-{digest.hexdigest()[:32]}"


def _write_tables(db: duckdb.DuckDBPyConnection, cube: Cube, out: Path) -> Iterator[Table]:
    """Write each table as CSV and Parquet, and tell what it is."""
    (out / _TABLES).mkdir()
    claims, _ = survey_claims(db)
    db.register("claims", claims)
    db.register("topics", survey_topics(db))
    asked = {
        "works": "SELECT * EXCLUDE (abstract) FROM included ORDER BY id",
        "uses": "SELECT * EXCLUDE (evidence, also) FROM uses SEMI JOIN included ON id = work_id "
        'ORDER BY work_id, section, "order", start, role, dataset',
        "claims": "SELECT * FROM claims",
        # A note is free text, in which a reviewer may have quoted the paper.
        "decisions": "SELECT * REPLACE (CAST(NULL AS VARCHAR) AS note) FROM decisions "
        'ORDER BY "at", uid',
        "results": "SELECT * FROM results ORDER BY ALL",
        "topics": "SELECT * FROM topics",
    }
    for name, sql in asked.items():
        yield _write_table(db, out, name, sql, _described(name))
    for name, frame in _counted(cube, survey_labels(db)).items():
        db.register("counted", pa.Table.from_pandas(frame, preserve_index=False))
        yield _write_table(db, out, name, "SELECT * FROM counted", COUNTED[name])


def _described(name: str) -> dict[str, str]:
    """Column -> what it holds, of a table of records."""
    if name in COUNTED:
        return dict(COUNTED[name])
    fields = schema(RECORDS[name])
    return {
        field.name: (field.metadata or {}).get(b"description", b"").decode() for field in fields
    }


def _write_table(
    db: duckdb.DuckDBPyConnection, out: Path, name: str, sql: str, described: Mapping[str, str]
) -> Table:
    kinds = db.sql(f"SELECT * FROM ({sql}) LIMIT 0").to_arrow_table().schema
    path = f"{_TABLES}/{name}.csv"
    cells = ", ".join(_cell(field) for field in kinds)
    db.execute(f"COPY (SELECT {cells} FROM ({sql})) TO '{_quoted(out / path)}' (HEADER)")
    parquet = _quoted((out / path).with_suffix(".parquet"))
    db.execute(f"COPY ({sql}) TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
    fields = tuple(
        Field(field.name, type_name(field.type), described.get(field.name, "")) for field in kinds
    )
    return Table(name, path, f"One row is {_ROWS[name]}.", fields)


def _cell(field: pa.Field) -> str:
    """How a column is written in CSV: lists by semicolons, times as ISO 8601 in UTC."""
    name = '"' + str(field.name).replace('"', '""') + '"'
    if pa.types.is_list(field.type):
        return f"array_to_string({name}, ';') AS {name}"
    if pa.types.is_timestamp(field.type):
        utc = f"CAST({name} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
        return f"strftime({utc}, '%Y-%m-%dT%H:%M:%SZ') AS {name}"
    return name


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _counted(cube: Cube, gold: pa.Table | None) -> dict[str, pd.DataFrame]:
    """The tables that are counted; corrected where people have read gold papers."""
    by = [shares(cube, by=by, gold=gold).assign(by=by) for by in BYS]
    columns = list(COUNTED["shares"])
    return {
        "shares": pd.concat(by, ignore_index=True).loc[:, columns],
        "transfers": transfers(cube),
        "concentration": concentration(cube, gold=gold),
    }


def _write_figures(cube: Cube, out: Path, *, title: str, this_year: int) -> None:
    sample = f" {LABEL}." if LABEL in title else ""
    for text in ("full text", "abstract"):
        where = Selection(text="full text" if text == "full text" else "abstract")
        frame = shares(cube, by="all", where=where)
        if frame.empty:
            continue
        told = note(cube, where).split(";")[0] + f".{sample}"
        lines = shares(cube, by="year", where=where)
        images = shares(cube, by="year", of="images", where=where)
        names = leading(lines, _LINES)
        kind = text.replace(" ", "-")
        drawn = {
            f"sources-by-year-{kind}.svg": lines_svg(
                lines[lines["dataset"].isin(names)],
                title="Share of papers that use each dataset as source",
                note=told,
                this_year=this_year,
            ),
            f"images-by-year-{kind}.svg": lines_svg(
                images[images["dataset"] != "unknown"],
                title="Share of papers whose source holds natural or medical images",
                note=told,
                this_year=this_year,
            ),
            f"most-used-sources-{kind}.svg": bars_svg(
                frame[frame["dataset"].isin(leading(frame, _BARS))],
                title="Most used sources, share of papers with Wilson 95% intervals",
                note=told,
            ),
        }
        _write_texts(out, drawn)


def _write_texts(out: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(out / name, _writer(text))


def _writer(text: str) -> Callable[[Any], object]:
    return lambda file: file.write(text.encode())


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
