"""What papers are about, and whether more than title and abstract of them was read.

Open `survey_topics` first. Modality, organ and task are told by words of the title and of the
abstract. Reading them is the dearest part of counting a survey, so each part of works is read
once, and what its texts told is kept (`data.kept`).
"""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data import kept
from data.citations import survey_path
from data.corpus import TOLD_PART, TOPICS, Topic, newest
from data.records import Work, schema

_FACTS = Path(__file__).parent / "facts"
_TABLES = {"modality": "modalities", "organ": "organs", "task": "tasks"}
_NAME = "topics.parquet"
_MADE_BY = b"made by"
_TEXTS = ("title", "abstract")
# A work's topics are bits of a number: of its title, and of its abstract, null if it has none.
_BITS = [f"{by}_{text}" for by in TOPICS for text in _TEXTS]
_KEPT = pa.schema(
    [
        pa.field("filename", pa.string()),  # with size and time of change of the part
        *(schema(Work).field(name) for name in ("id", "fetched_at")),
        *(pa.field(name, pa.int64()) for name in _BITS),
    ]
)


@cache
def patterns(by: Topic) -> dict[str, str]:
    """Group -> regular expression (RE2, any case, whole words) over title or abstract.

    Args:
        by: its table is `facts/modalities.csv`, `organs.csv` or `tasks.csv`.
    """
    with (_FACTS / f"{_TABLES[by]}.csv").open(encoding="utf-8", newline="") as file:
        return {row[by]: row["pattern"] for row in csv.DictReader(file)}


def _bits(by: Topic, text: str) -> str:
    tests = " + ".join(
        f"CASE WHEN regexp_matches({text}, '\\b(?:{pattern})\\b', 'i') THEN {1 << i} ELSE 0 END"
        for i, pattern in enumerate(patterns(by).values())
    )
    return f"CASE WHEN {text} IS NOT NULL THEN CAST({tests} AS BIGINT) END"


def _words() -> str:
    """The columns `_BITS` of rows that have a title and an abstract."""
    return ", ".join(f"{_bits(by, text)} AS {by}_{text}" for by in TOPICS for text in _TEXTS)


def topics_of(db: duckdb.DuckDBPyConnection, works: str) -> pa.Table:
    """What the words of papers tell: columns work_id, modality, organ, task (lists of names).

    Args:
        works: a view with columns id, title, abstract, a row a paper.
    """
    return _named(db.sql(f"SELECT id, {_words()} FROM {works}").to_arrow_table())


def _named(rows: pa.Table) -> pa.Table:
    """Lists of names for bits."""
    columns = {"work_id": rows["id"]}
    for by in TOPICS:
        title, abstract = (
            pc.fill_null(rows[f"{by}_{text}"], 0).to_numpy(zero_copy_only=False) for text in _TEXTS
        )
        sets, places = np.unique(title | abstract, return_inverse=True)
        names = [
            [name for bit, name in enumerate(patterns(by)) if held >> bit & 1]
            for held in sets.tolist()
        ]
        columns[by] = pa.array(names, pa.list_(pa.string())).take(pa.array(places))
    return pa.table(columns)


def survey_topics(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """What a survey's annotated papers are about by the words of title and abstract, and whether
    more of them was read; the survey's own word where it came without texts.

    Args:
        db: a connection from `Corpus.connect`.

    Returns: columns as `data.corpus.TOLD`, by work.
    """
    db.register("texts_told", _texts_told(db))
    carried = [f"{by}_abstract" for by in TOPICS]
    db.register("words_told", _named(db.sql(newest("texts_told", *carried)).to_arrow_table()))
    full = """SELECT work_id FROM passages WHERE section NOT IN ('title', 'abstract')
        UNION SELECT work_id FROM told WHERE full_text"""
    columns = ", ".join(f"coalesce(told.{by}, words_told.{by}) AS {by}" for by in TOPICS)
    found = db.sql(
        f"SELECT included.id AS work_id, included.id IN ({full}) AS full_text, {columns} "
        "FROM included SEMI JOIN annotated ON included.id = annotated.work_id "
        "LEFT JOIN words_told ON words_told.work_id = included.id "
        "LEFT JOIN told ON told.work_id = included.id ORDER BY 1"
    ).to_arrow_table()
    db.unregister("texts_told")
    db.unregister("words_told")
    return found


def _texts_told(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """What each text of each work tells, columns as `_KEPT`; only parts not known yet are read."""
    survey = survey_path(db)
    if (survey / TOLD_PART).is_file():  # it came without texts, so that there is little to read
        return _read(db, "all_works ANTI JOIN told ON told.work_id = id")
    now = time.time_ns()
    names = [name for (name,) in db.sql("SELECT DISTINCT filename FROM all_works").fetchall()]
    states = {name: Path(name).stat() for name in names}
    keys = {
        name: f"{Path(name).name} {state.st_size} {state.st_mtime_ns}"
        for name, state in states.items()
    }
    known = _known(survey, keys.values())
    held = set(pc.unique(known["filename"]).to_pylist())
    new = [name for name in names if keys[name] not in held]
    if not new:
        return known
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in new)
    found = _read(db, f"all_works WHERE filename IN ({listed})")
    place = pc.index_in(found["filename"], value_set=pa.array(names))
    by_key = pa.array([keys[name] for name in names]).take(place)
    told = pa.concat_tables([known, found.set_column(0, _KEPT.field(0), by_key)])
    settled = [keys[name] for name in names if kept.is_old(states[name].st_mtime_ns, now)]
    _keep(survey, told.filter(pc.is_in(told["filename"], value_set=pa.array(settled, pa.string()))))
    return told


def _read(db: duckdb.DuckDBPyConnection, works: str) -> pa.Table:
    names = ", ".join(_KEPT.names[:3])
    return db.sql(f"SELECT {names}, {_words()} FROM {works}").to_arrow_table().cast(_KEPT)


def _known(survey: Path, keys: Iterable[str]) -> pa.Table:
    """The rows that are kept of these parts; none where what is kept cannot be read."""
    try:
        file = pq.ParquetFile(survey / kept.FOLDER / _NAME, page_checksum_verification=True)
        if file.schema_arrow.metadata.get(_MADE_BY) == _made_by():
            rows = file.read().cast(_KEPT)
            return rows.filter(pc.is_in(rows["filename"], value_set=pa.array(list(keys))))
    except (OSError, pa.ArrowInvalid):
        pass  # absent, or damaged: its texts are read again
    return _KEPT.empty_table()


def _keep(survey: Path, rows: pa.Table) -> None:
    rows = rows.replace_schema_metadata({_MADE_BY: _made_by()})
    kept.keep(
        survey,
        _NAME,
        lambda file: pq.write_table(rows, file, compression="zstd", write_page_checksum=True),
    )


@cache
def _made_by() -> bytes:
    """A hash of the question that texts are asked: it changes with any word of the tables."""
    return hashlib.sha256(_words().encode()).hexdigest().encode()
