"""Uses and decisions -> claims: this paper used this dataset in this role. Pure.

What a paper cites is a second witness of a claim. It makes none of its own: who cites a dataset's
paper need not use the dataset, so such pairs are apart, in `citing`.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from data.records import Claim, schema

# What people say of a claim, once each person: the last word of a reviewer on a proposal counts, an
# undone or skipped one never does. Repeats measure a reviewer and decide nothing. Who has closed a
# gold paper says no to every claim on it that he did not add. An adjudicator is a voter of his own.
_VOTES = """
proposed AS (
    SELECT work_id, dataset, role, max(score) AS score, count(*) AS uses,
           bool_or(NOT implied) AS named, bool_or(implied) AS implied
    FROM uses GROUP BY ALL
), standing AS (
    SELECT *, queue IS NOT DISTINCT FROM 'adjudicate' AS adjudicates FROM decisions
    WHERE verdict IN ('accept', 'reject', 'edit', 'add', 'done')
      AND queue IS DISTINCT FROM 'recheck'
      AND uid NOT IN (SELECT undoes FROM decisions WHERE verdict = 'undo' AND undoes IS NOT NULL)
), latest AS (
    SELECT * FROM standing WHERE verdict <> 'done' QUALIFY row_number() OVER (
        PARTITION BY work_id, reviewer, adjudicates,
            coalesce(proposed_dataset, dataset), coalesce(proposed_role, role)
        ORDER BY "at" DESC, uid DESC) = 1
), said AS (
    SELECT work_id, proposed_dataset AS dataset, proposed_role AS role, reviewer, adjudicates,
           verdict = 'accept' AS yes, uid, "at"
    FROM latest WHERE proposed_dataset IS NOT NULL AND verdict IN ('accept', 'reject', 'edit')
      AND (queue IS DISTINCT FROM 'new-name' OR verdict = 'accept')
    UNION ALL
    SELECT work_id, dataset, role, reviewer, adjudicates, TRUE, uid, "at"
    FROM latest WHERE verdict IN ('add', 'edit')
), closed AS (
    SELECT work_id, reviewer, arg_max(uid, "at") AS uid, max("at") AS "at"
    FROM standing WHERE verdict = 'done' AND queue = 'gold' GROUP BY ALL
), at_stake AS (
    SELECT work_id, dataset, role FROM proposed
    UNION SELECT work_id, dataset, role FROM said WHERE yes
), silent AS (
    SELECT work_id, dataset, role, reviewer, FALSE AS adjudicates, FALSE AS yes,
           closed.uid, closed."at"
    FROM closed JOIN at_stake USING (work_id)
    ANTI JOIN said USING (work_id, dataset, role, reviewer)
), votes AS (
    SELECT * FROM (SELECT * FROM said UNION ALL SELECT * FROM silent) QUALIFY row_number() OVER (
        PARTITION BY work_id, dataset, role, reviewer, adjudicates ORDER BY "at" DESC, uid DESC) = 1
)"""
_CLAIMS = """
ruled AS (
    SELECT work_id, dataset, role,
           CASE WHEN bool_or(adjudicates) THEN arg_max(yes, "at") FILTER (adjudicates)
                WHEN count(*) FILTER (yes) <> count(*) FILTER (NOT yes)
                THEN count(*) FILTER (yes) > count(*) FILTER (NOT yes) END AS yes
    FROM votes GROUP BY ALL
)
SELECT work_id, dataset, role,
       CASE WHEN yes THEN 1.0 WHEN NOT yes THEN 0.0 ELSE coalesce(score, 0.0) END AS score,
       coalesce(uses, 0) AS uses, coalesce(named, FALSE) AS named,
       coalesce(implied, FALSE) AS implied, cited,
       CASE WHEN ruled.work_id IS NULL THEN 'machine' WHEN yes IS NULL THEN 'disputed'
            WHEN NOT yes THEN 'rejected' WHEN uses > 0 THEN 'accepted' ELSE 'added' END AS state,
       CASE WHEN coalesce(named, FALSE) AND cited THEN 'both'
            WHEN coalesce(named, FALSE) THEN 'named' WHEN cited THEN 'cited' END AS presence
FROM proposed FULL JOIN ruled USING (work_id, dataset, role)
LEFT JOIN witnessed USING (work_id, dataset)
ORDER BY work_id, dataset, role
"""

# Only works that have references, and datasets whose paper is known, can tell.
_CITING = """
citing AS (
    SELECT DISTINCT id AS work_id, dataset
    FROM (SELECT id, unnest("references") AS work_id FROM works) JOIN papers USING (work_id)
)"""
_WITNESSED = """
asked AS (
    SELECT DISTINCT work_id, dataset FROM (
        SELECT work_id, dataset FROM uses UNION ALL SELECT work_id, dataset FROM decisions
        UNION ALL SELECT work_id, proposed_dataset FROM decisions)
    WHERE work_id IN (SELECT id FROM works WHERE len("references") > 0)
      AND dataset IN (SELECT dataset FROM papers)
), witnessed AS (
    SELECT asked.*, citing.dataset IS NOT NULL AS cited
    FROM asked LEFT JOIN citing USING (work_id, dataset)
)"""


_IDS = pa.list_(pa.string())
_NO_WORKS = pa.table({"id": pa.array([], pa.string()), "references": pa.array([], _IDS)})
_NO_PAPERS = pa.table({name: pa.array([], pa.string()) for name in ("dataset", "work_id")})


def claims(
    uses: pa.Table,
    decisions: pa.Table,
    *,
    works: pa.Table | None = None,
    papers: pa.Table | None = None,
) -> pa.Table:
    """The claims that follow from uses and from what people decided on them.

    Decisions override the annotator: accepted and added claims have score 1, rejected ones score
    0 and stay in the table with their state. An edit rejects what was proposed and accepts what
    the person put in its place. Where people differ, an adjudicator's word counts, else that of
    most of them; else the claim is 'disputed' and the annotator stands: its score, or 0 where it
    found nothing.

    `cited` says whether the work's references hold the dataset's paper; it is null where the work
    has no references or no paper of the dataset is known. `presence` is 'named', 'cited' or
    'both'; null where neither holds.

    Args:
        uses: `Use` rows, one annotation run a work.
        decisions: `Decision` rows, any order.
        works: columns id and references; no work has references if None.
        papers: columns dataset and work_id, see `data.citations`; none is known if None.

    Returns: `Claim` rows, by work, dataset and role.
    """
    with duckdb.connect() as db:
        db.register("uses", uses)
        db.register("decisions", decisions)
        db.register("works", _NO_WORKS if works is None else works)
        db.register("papers", _NO_PAPERS if papers is None else papers)
        found = db.sql(f"WITH {_CITING}, {_WITNESSED}, {_VOTES}, {_CLAIMS}").to_arrow_table()
        return found.select(schema(Claim).names).cast(schema(Claim))


def votes(uses: pa.Table, decisions: pa.Table) -> pa.Table:
    """What each person says of each claim, as `claims` counts it.

    Args:
        uses: `Use` rows, one annotation run a work.
        decisions: `Decision` rows, any order.

    Returns: columns work_id, dataset, role, reviewer, adjudicates, yes, uid (the decision that
        says so) and at, by work, dataset, role and reviewer.
    """
    with duckdb.connect() as db:
        db.register("uses", uses)
        db.register("decisions", decisions)
        return db.sql(
            f"WITH {_VOTES} SELECT * FROM votes "
            "ORDER BY work_id, dataset, role, reviewer, adjudicates"
        ).to_arrow_table()


def citing(works: pa.Table, papers: pa.Table) -> pa.Table:
    """The works that cite a dataset's paper, whether or not there is a claim on that dataset.

    Such a pair alone is no use: one may cite a dataset's paper and not use the dataset.

    Args:
        works: columns id and references.
        papers: columns dataset and work_id, see `data.citations`.

    Returns: columns work_id and dataset, in their order.
    """
    with duckdb.connect() as db:
        db.register("works", works)
        db.register("papers", papers)
        pairs = f"WITH {_CITING} SELECT work_id, dataset FROM citing ORDER BY work_id, dataset"
        return db.sql(pairs).to_arrow_table()
