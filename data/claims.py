"""Uses and decisions -> claims: this paper used this dataset in this role. Pure."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from data.records import Claim, schema

# Of several decisions on one proposal the latest counts, an undone or skipped one never does.
_CLAIMS = """
WITH standing AS (
    SELECT * FROM decisions
    WHERE verdict NOT IN ('skip', 'undo')
      AND uid NOT IN (SELECT undoes FROM decisions WHERE verdict = 'undo' AND undoes IS NOT NULL)
), latest AS (
    SELECT * FROM standing QUALIFY row_number() OVER (
        PARTITION BY work_id, coalesce(proposed_dataset, dataset), coalesce(proposed_role, role)
        ORDER BY "at" DESC, uid DESC) = 1
), verdicts AS (
    SELECT work_id, proposed_dataset AS dataset, proposed_role AS role,
           CASE verdict WHEN 'accept' THEN 'accepted' ELSE 'rejected' END AS state, "at"
    FROM latest WHERE proposed_dataset IS NOT NULL AND verdict IN ('accept', 'reject', 'edit')
    UNION ALL
    SELECT work_id, dataset, role, 'added', "at" FROM latest WHERE verdict IN ('add', 'edit')
), ruled AS (
    SELECT * FROM verdicts QUALIFY row_number() OVER (
        PARTITION BY work_id, dataset, role ORDER BY "at" DESC, state) = 1
), proposed AS (
    SELECT work_id, dataset, role, max(score) AS score, count(*) AS uses,
           bool_or(NOT implied) AS named, bool_or(implied) AS implied
    FROM uses GROUP BY ALL
)
SELECT work_id, dataset, role,
       CASE WHEN ruled.state IN ('accepted', 'added') THEN 1.0
            WHEN ruled.state = 'rejected' THEN 0.0 ELSE score END AS score,
       coalesce(uses, 0) AS uses, coalesce(named, FALSE) AS named,
       coalesce(implied, FALSE) AS implied, CAST(NULL AS BOOLEAN) AS cited,
       CASE WHEN ruled.state = 'added' AND uses > 0 THEN 'accepted'
            ELSE coalesce(ruled.state, 'machine') END AS state
FROM proposed FULL JOIN ruled USING (work_id, dataset, role)
ORDER BY work_id, dataset, role
"""


def claims(uses: pa.Table, decisions: pa.Table) -> pa.Table:
    """The claims that follow from uses and from what people decided on them.

    A decision overrides the annotator: accepted and added claims have score 1, rejected ones
    score 0 and stay in the table with their state. An edit rejects what was proposed and accepts
    what the person put in its place.

    Args:
        uses: `Use` rows, one annotation run a work.
        decisions: `Decision` rows, any order.

    Returns: `Claim` rows, by work, dataset and role.
    """
    with duckdb.connect() as db:
        db.register("uses", uses)
        db.register("decisions", decisions)
        return db.sql(_CLAIMS).to_arrow_table().cast(schema(Claim))
