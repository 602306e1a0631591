"""Which works are a dataset's own paper: what a reference list is compared with.

Open `dataset_papers` first. Ids come from the catalogue, from works of the survey itself, known
by their DOI or arXiv id, and from `dataset_papers.csv`, where `cats catalogue resolve` keeps what
it looked up.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import methodcaller
from pathlib import Path

import duckdb
import pyarrow as pa

from data.catalogue import Catalogue, Dataset, load, own_tables
from data.corpus import write_whole
from data.errors import InputError

COLUMNS = ("paper", "openalex", "looked_up")
_PAPERS = pa.schema([("dataset", pa.string()), ("work_id", pa.string())])


def looked_up_path(survey: Path) -> Path:
    """Where a survey keeps which OpenAlex id each dataset paper has."""
    return survey / "dataset_papers.csv"


def doi_of(citation: str) -> str | None:
    """The DOI of a citation of the catalogue, lower-case; None for an address.

    arXiv registers a DOI for each of its papers.

    >>> doi_of("arXiv:1409.0575"), doi_of("https://example.org/data")
    ('10.48550/arxiv.1409.0575', None)
    """
    kind, _, name = citation.partition(":")
    if kind == "arXiv":
        return f"10.48550/arxiv.{name}".lower()
    return name.lower() if kind == "doi" else None


def read_looked_up(path: Path) -> dict[str, tuple[str, str]]:
    """DOI -> (OpenAlex id or "" if OpenAlex does not know it, when it was asked); {} if absent.

    Raises:
        InputError: the file is not such a table.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise InputError(
                    f"columns {reader.fieldnames}, expected {','.join(COLUMNS)}; move the file "
                    "away and run `cats catalogue resolve` again",
                    path=path,
                    line=1,
                )
            return {row["paper"]: (row["openalex"], row["looked_up"]) for row in reader}
    except (csv.Error, UnicodeDecodeError) as e:
        raise InputError(f"is not CSV in UTF-8 ({e}); correct it or move it away", path=path) from e


def write_looked_up(path: Path, found: Mapping[str, tuple[str, str]]) -> None:
    """Write what `read_looked_up` reads, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([paper, *row] for paper, row in found.items())
    write_whole(path, methodcaller("write", text.getvalue().encode()))


def works_by_doi(works: pa.Table, dois: Iterable[str]) -> dict[str, str]:
    """DOI -> id, for the works of a survey that go by one of these DOIs.

    A preprint's arXiv id counts as the DOI that arXiv gives it.

    Args:
        works: columns id, doi, links.
    """
    with duckdb.connect() as db:
        db.register("works", works)
        db.register("wanted", pa.table({"doi": pa.array(sorted(set(dois)), pa.string())}))
        rows = db.sql(
            """WITH named AS (
                SELECT id, doi FROM works
                UNION ALL SELECT id, CASE WHEN link LIKE 'doi:%' THEN link[5:]
                    WHEN link LIKE 'arxiv:%' THEN '10.48550/' || replace(link, ':', '.') END
                FROM (SELECT id, unnest(links) AS link FROM works)
            ) SELECT doi, min(id) FROM named SEMI JOIN wanted USING (doi) GROUP BY doi"""
        )
        return dict(rows.fetchall())


def papers_of(catalogue: Catalogue, ids: Mapping[str, str]) -> pa.Table:
    """Columns dataset, work_id: each work that presents a dataset.

    One work may present several datasets; a dataset without a known work has no row.

    Args:
        ids: DOI -> OpenAlex id.
    """
    pairs = {
        (dataset.id, work_id)
        for dataset in catalogue.datasets.values()
        for work_id in _works_of(dataset, ids)
    }
    rows = [{"dataset": dataset, "work_id": work_id} for dataset, work_id in sorted(pairs)]
    return pa.Table.from_pylist(rows, schema=_PAPERS)


def _works_of(dataset: Dataset, ids: Mapping[str, str]) -> set[str]:
    dois = [doi for citation in dataset.papers if (doi := doi_of(citation))]
    return {*dataset.openalex, *(ids[doi] for doi in dois if ids.get(doi))}


def dataset_papers(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """`papers_of` a survey: its catalogue, its own works, and what was looked up.

    Args:
        db: a connection from `Corpus.connect`.

    Raises:
        InputError: a table of the survey has faults.
    """
    survey, catalogue = survey_path(db), survey_catalogue(db)
    asked = read_looked_up(looked_up_path(survey))
    ids = {doi: work_id for doi, (work_id, _) in asked.items() if work_id}
    works = db.sql("SELECT id, doi, links FROM works").to_arrow_table()
    # Where both have an id for a DOI, both count: OpenAlex may hold a paper twice.
    own = works_by_doi(works, dois_of(catalogue))
    tables = [papers_of(catalogue, ids), papers_of(catalogue, own)]
    return pa.concat_tables(tables).group_by(_PAPERS.names).aggregate([])


def survey_catalogue(db: duckdb.DuckDBPyConnection) -> Catalogue:
    """The packaged catalogue and the survey's own datasets.

    Args:
        db: a connection from `Corpus.connect`.

    Raises:
        InputError: a table of the survey has faults.
    """
    extra = own_tables(survey_path(db))
    return _loaded(extra, tuple(path.stat().st_mtime_ns for path in extra))


def survey_path(db: duckdb.DuckDBPyConnection) -> Path:
    """The directory of the survey that a connection reads."""
    return Path(str(db.sql("SELECT path FROM survey").fetchall()[0][0]))


@lru_cache(maxsize=4)
def _loaded(extra: tuple[Path, ...], changed: tuple[int, ...]) -> Catalogue:
    # A review asks for its claims after each key press, and loading takes a tenth of a second.
    return load(extra=extra)


def dois_of(catalogue: Catalogue) -> list[str]:
    """The DOIs of all dataset papers, each once, in the catalogue's order."""
    citations = [citation for each in catalogue.datasets.values() for citation in each.papers]
    return list(dict.fromkeys(doi for citation in citations if (doi := doi_of(citation))))
