"""Claims and works -> shares of papers with their intervals. Pure."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import Literal, cast, get_args

import duckdb
import pandas as pd
import pyarrow as pa

from data.catalogue import PSEUDO_IDS
from data.citations import dataset_papers
from data.claims import citing, claims
from data.cube import By, Cube, Of, Selection
from data.corpus import N_MERGED, N_NO_ABSTRACT
from data.errors import InputError
from data.records import ROLES, Role

By = Literal["year", "venue", "modality", "country"]
Among = Literal["all", "transfer"]
Counted = Literal["named", "cited", "both", "any"]
BYS: tuple[By, ...] = get_args(By)

_MODALITIES = Path(__file__).parent / "facts" / "modalities.csv"
UNKNOWN = "unknown"


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share; (0, 1) for n = 0.

    Source: Wilson (1927), doi:10.1080/01621459.1927.10502953, without continuity correction.

    >>> [round(bound, 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    # At the ends the bound is exact, and rounding must not step over it.
    low = 0.0 if successes == 0 else (centre - half) / scale
    return low, 1.0 if successes == n else (centre + half) / scale


@cache
def modality_patterns() -> dict[str, str]:
    """Modality -> regular expression (RE2, any case) over title and abstract."""
    with _MODALITIES.open(encoding="utf-8", newline="") as file:
        return {row["modality"]: row["pattern"] for row in csv.DictReader(file)}


def _groups_sql(by: By) -> str:
    """A query for (work_id, grp): the groups that each work counts in."""
    if by == "year":
        return "SELECT id AS work_id, CAST(year AS VARCHAR) AS grp FROM works"
    if by == "venue":
        return "SELECT id AS work_id, venue AS grp FROM works"
    if by == "country":
        return (
            "SELECT id AS work_id, unnest(CASE WHEN len(countries) > 0 "
            "THEN list_distinct(countries) ELSE [NULL] END) AS grp FROM works"
        )
    # concat_ws skips what is missing.
    text = "concat_ws(' ', title, abstract)"
    tests = [
        f"SELECT id AS work_id, '{name}' AS grp FROM works "
        f"WHERE regexp_matches({text}, '\\b(?:{pattern})\\b', 'i')"
        for name, pattern in modality_patterns().items()
    ]
    found = " UNION ALL ".join(tests)
    return (
        f"WITH found AS ({found}) SELECT * FROM found UNION ALL "
        "SELECT id, NULL FROM works ANTI JOIN found ON works.id = found.work_id"
    )


def groups(works: pa.Table, by: By) -> pa.Table:
    """Which group or groups each work counts in: columns work_id, group.

    A work with several countries or modalities counts once in each; where nothing is known the
    group is 'unknown'.
    """
    with duckdb.connect() as db:
        db.register("works", works)
        return db.sql(
            f"SELECT work_id, coalesce(grp, '{UNKNOWN}') AS \"group\" FROM ({_groups_sql(by)})"
        ).to_arrow_table()


_SHARES = """
WITH standing AS (
    SELECT * FROM claims WHERE state <> 'rejected' AND score >= $min_score
), counted AS (
    SELECT id AS work_id FROM works
    WHERE ($among = 'all' OR id IN (SELECT work_id FROM standing WHERE role = 'source'))
      AND ($presence NOT IN ('cited', 'both') OR len("references") > 0)
), member AS (
    SELECT DISTINCT work_id, "group" FROM groups SEMI JOIN counted USING (work_id)
), sizes AS (
    SELECT "group", count(*) AS n_papers FROM member GROUP BY 1
), users AS (
    SELECT DISTINCT work_id, dataset FROM (
        SELECT work_id, dataset FROM standing WHERE role = $role AND (
            $presence IN ('', 'any') OR presence = 'both' OR presence = $presence)
          AND $presence <> 'cited'
        UNION ALL SELECT work_id, dataset FROM citing WHERE $presence IN ('cited', 'any')
    ) SEMI JOIN counted USING (work_id)
), named AS (
    SELECT dataset, count(*) AS total FROM users GROUP BY 1
), n AS (
    SELECT "group", dataset, count(*) AS n FROM member JOIN users USING (work_id) GROUP BY 1, 2
)
SELECT sizes."group", named.dataset, coalesce(n.n, 0) AS n, n_papers, total
FROM sizes CROSS JOIN named LEFT JOIN n USING ("group", dataset)
ORDER BY total DESC, dataset, sizes."group"
"""


_NONE_CITED = pa.table({name: pa.array([], pa.string()) for name in ("work_id", "dataset")})


def shares(
    cube: Cube,
    *,
    by: By,
    role: Role = "source",
    of: Of = "dataset",
    where: Selection = Selection(),
    gold: pa.Table | None = None,
    datasets: tuple[str, ...] = (),
) -> pd.DataFrame:
    """The share of papers that use each dataset in a role, group by group.

    A paper with several countries, modalities, organs or tasks counts once in each; where nothing
    is known its group is 'unknown'. `by` 'all' makes one group, 'all'.

    Args:
        of: what is counted. 'dataset': each dataset; 'images': whether any dataset of the paper
            holds natural or medical images ('natural', 'medical'; 'unknown' is weights of unknown
            data; a paper may count in several); 'naming': whether the paper names a dataset
            ('named') or only a model implies it ('implied only').
        where: which papers and claims; by default each kind of text by itself.
        gold: see `data.correction.GOLD`; without it, or with too little of it, the corrected
            columns are None and `not_corrected` says why.
        datasets: only these; all that any paper uses if empty.

    Returns: a frame with columns text ('full text', 'abstract' or 'together'), group, dataset, n
        (papers that use it), n_papers (papers in the group), share (n / n_papers), low, high
        (Wilson 95%); n_gold (gold papers in the group), corrected, corrected_low, corrected_high
        (`data.correction.stratified`), rogan_gladen, rogan_gladen_low, rogan_gladen_high (second
        opinion), not_corrected; every group x dataset that any paper uses, the most used dataset
        first. Empty when there is no such claim.

    Raises:
        InputError: a choice is none of those that are known.
    """
    raise NotImplementedError


def note(cube: Cube, where: Selection = Selection(), gold: pa.Table | None = None) -> str:
    """A sentence on what a selection's numbers are counted among, for under a table or chart."""
    raise NotImplementedError


def leading(frame: pd.DataFrame, top: int) -> list[str]:
    """The `top` most used datasets of a `shares` frame, those that no text names left out.

    Weights of unnamed origin (rule I3) are in the frame under pseudo-ids; they are no dataset.
    """
    named = frame.loc[~frame["dataset"].isin(PSEUDO_IDS), "dataset"]
    return [str(dataset) for dataset in named.unique()[:top]]


def survey_claims(db: duckdb.DuckDBPyConnection) -> tuple[pa.Table, pa.Table]:
    """The claims of a survey and the works they are counted among.

    These works are in the survey, have been annotated, and carry the columns of `Work`.

    Args:
        db: a connection from `Corpus.connect`.
    """
    found, works, _ = _survey_claims(db)
    return found, works


def _survey_claims(db: duckdb.DuckDBPyConnection) -> tuple[pa.Table, pa.Table, pa.Table]:
    """As `survey_claims`, and the papers of datasets that the claims were compared with."""
    works = db.sql("SELECT * FROM included SEMI JOIN annotated ON included.id = annotated.work_id")
    annotated, papers = works.to_arrow_table(), dataset_papers(db)
    found = claims(
        db.sql("SELECT * FROM uses SEMI JOIN included ON id = work_id").to_arrow_table(),
        db.sql("SELECT * FROM decisions SEMI JOIN included ON id = work_id").to_arrow_table(),
        works=annotated,
        papers=papers,
    )
    return found, annotated, papers


def survey_shares(
    db: duckdb.DuckDBPyConnection,
    *,
    by: str,
    role: str = "source",
    among: str = "all",
    min_score: float = 0.5,
    presence: str | None = None,
) -> tuple[pd.DataFrame, str]:
    """`shares` over a survey, and a sentence on what they were counted among.

    Raises:
        InputError: `by`, `role`, `among` or `presence` is none of the values that `shares` knows.
    """
    for name, value, allowed in (
        ("by", by, BYS),
        ("role", role, ROLES),
        ("among", among, get_args(Among)),
        ("presence", presence, (None, *get_args(Counted))),
    ):
        if value not in allowed:
            raise InputError(f"--{name} {value!r} is not one of {', '.join(filter(None, allowed))}")
    found, works, papers = _survey_claims(db)
    cited = citing(works, papers)
    frame = shares(
        found,
        works,
        by=cast(By, by),
        role=cast(Role, role),
        among=cast(Among, among),
        min_score=min_score,
        presence=cast(Counted | None, presence),
        cited=cited,
    )
    full = _count(db, "SELECT count(DISTINCT work_id) FROM passages")
    people = _count(db, "SELECT count(*) FROM decisions")
    return frame, (
        f"n = {works.num_rows} annotated papers in the survey ({full} with full text, the rest by "
        f"title and abstract alone), {people} decisions by people; intervals are Wilson 95% and "
        "do not yet carry the annotator's errors"
        + (_note_on_citations(found, works, papers, cited) if presence else "")
    )


_TOLD_BY_CITATIONS = """
SELECT (SELECT count(*) FROM works WHERE len("references") > 0),
       (SELECT count(DISTINCT dataset) FROM papers),
       (SELECT count(*) FROM citing),
       (SELECT count(*) FROM citing ANTI JOIN (
            SELECT * FROM claims WHERE state <> 'rejected') AS standing USING (work_id, dataset))
"""


def _note_on_citations(found: pa.Table, works: pa.Table, papers: pa.Table, cited: pa.Table) -> str:
    with duckdb.connect() as db:
        for name, table in (("claims", found), ("works", works), ("papers", papers)):
            db.register(name, table)
        db.register("citing", cited)
        n_works, n_datasets, n_pairs, n_alone = db.sql(_TOLD_BY_CITATIONS).fetchall()[0]
    return (
        f"; citations: {n_works} papers have references, the paper of {n_datasets} datasets is "
        f"known, {n_pairs} pairs of paper and dataset are cited, {n_alone} of them cited only"
    )


_PRESENCE = """
WITH told AS (
    SELECT work_id, dataset, bool_or(coalesce(presence IN ('named', 'both'), FALSE)) AS named,
           bool_or(coalesce(cited, FALSE)) AS cited
    FROM claims WHERE state <> 'rejected' AND dataset IN (SELECT dataset FROM papers)
    GROUP BY ALL
    UNION ALL SELECT work_id, dataset, NULL, TRUE
    FROM citing ANTI JOIN claims USING (work_id, dataset)
)
SELECT dataset,
       count(*) FILTER (named AND NOT cited AND len("references") > 0) AS named,
       count(*) FILTER (named AND cited) AS "both",
       count(*) FILTER (NOT named AND cited) AS "implied and cited",
       count(*) FILTER (named IS NULL) AS "cited only",
       count(*) FILTER (named AND len("references") = 0) AS "named, without references"
FROM told JOIN works ON works.id = work_id GROUP BY dataset
ORDER BY count(*) DESC, dataset
"""


def survey_presence(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """How many papers name a dataset, cite its paper, or both, in any role.

    Args:
        db: a connection from `Corpus.connect`.

    Returns: columns dataset, named (and not cited), both, implied and cited (a model stands for
        it), cited only, and named, without references (which cannot tell); datasets whose paper is
        known, the most frequent first.
    """
    found, works, papers = _survey_claims(db)
    with duckdb.connect() as own:
        tables = {"claims": found, "works": works, "papers": papers}
        for name, table in (tables | {"citing": citing(works, papers)}).items():
            own.register(name, table)
        return own.execute(_PRESENCE).fetch_df()


def _count(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    # fetchall, since DuckDB 2 refuses the next query while rows of this one wait.
    return int(db.execute(sql).fetchall()[0][0])


def survey_counts(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many works a survey has found, left out by reason, annotated; uses and decisions."""
    counts = {
        "works": _count(db, "SELECT count(*) FROM works"),
        "in the survey": _count(db, "SELECT count(*) FROM included"),
    }
    reasons = db.sql(
        "SELECT reason, count(*) FROM screened WHERE included = 0 GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    counts |= {f"left out: {reason}": n for reason, n in reasons.fetchall()}
    return counts | {
        "without abstract, else fit": _count(db, N_NO_ABSTRACT),
        "versions merged": _count(db, N_MERGED),
        "annotated": _count(
            db, "SELECT count(*) FROM annotated SEMI JOIN included ON id = work_id"
        ),
        "uses": _count(db, "SELECT count(*) FROM uses"),
        "decisions": _count(db, "SELECT count(*) FROM decisions"),
        "results": _count(db, "SELECT count(*) FROM results"),
    }


def survey_papers_by_year(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Papers of a survey a year: columns year, n; years without a paper are absent."""
    return db.execute(
        "SELECT year, count(*) AS n FROM included WHERE year IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetch_df()
