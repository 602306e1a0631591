"""Which works have an abstract, by year and by publisher, and where it was filled from."""

from __future__ import annotations

import duckdb
import pandas as pd

from data.corpus import CANDIDATES
from data.cube import UNKNOWN
from data.intervals import wilson

COLUMNS = ("by", "group", "n", "with_abstract", "share", "low", "high", "filled", "filled_from")
_COVERAGE = f"""
WITH candidates AS ({CANDIDATES}), origin AS (
    SELECT work_id, min(origin) AS origin FROM sought
    WHERE what = 'abstract' AND found = 1 GROUP BY 1
), grouped AS (
    SELECT unnest(['year', 'publisher']) AS "by",
        unnest([coalesce(CAST(year AS VARCHAR), '{UNKNOWN}'), coalesce(publisher, '{UNKNOWN}')])
            AS "group", abstract IS NOT NULL AS has_abstract, origin
    FROM candidates LEFT JOIN origin ON id = work_id
), named AS (
    SELECT "by", "group", origin || ': ' || count(*) AS filled FROM grouped
    WHERE origin IS NOT NULL AND has_abstract GROUP BY "by", "group", origin
)
SELECT "by", "group", count(*) AS n, count(*) FILTER (has_abstract) AS with_abstract,
    count(*) FILTER (has_abstract AND origin IS NOT NULL) AS filled,
    coalesce((SELECT string_agg(filled, ', ' ORDER BY filled) FROM named
        WHERE named."by" = grouped."by" AND named."group" = grouped."group"), '') AS filled_from
FROM grouped GROUP BY "by", "group"
ORDER BY "by" DESC, CASE WHEN "by" = 'year' THEN "group" END, n DESC, "group"
"""


def coverage(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The share of works with an abstract, by year and by publisher.

    Counted are the works that have all that the protocol asks for but, perhaps, an abstract.

    Args:
        db: a connection from `Corpus.connect`.

    Returns: a frame with columns by ('year' or 'publisher'), group, n, with_abstract, share, low,
        high (Wilson 95%), filled (abstracts that came from elsewhere than OpenAlex), filled_from;
        years in their order, then publishers by their number of works.
    """
    frame = db.execute(_COVERAGE).fetch_df()
    bounds = [wilson(k, n) for k, n in zip(frame["with_abstract"], frame["n"], strict=True)]
    frame["share"] = frame["with_abstract"] / frame["n"]
    frame["low"] = [low for low, _ in bounds]
    frame["high"] = [high for _, high in bounds]
    return frame.loc[:, list(COLUMNS)]
