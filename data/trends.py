"""Claims and works -> shares of papers, with intervals and corrected for errors. Pure.

Open `shares` first. The cube that it counts on is made by `data.cube`; the other questions are in
`data.concentration`, `transfers`, `growth`, `compare` and `findings`.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from data.catalogue import PSEUDO_IDS
from data.citations import dataset_papers
from data.claims import citing, claims
from data.corpus import N_MERGED, N_NO_ABSTRACT
from data.corrected import Corrected, Question, corrected
from data.counting import Items, counted, items, of_papers, of_text, only, sizes, tally, texts_of
from data.cube import BYS, Bools, By, Cube, Of, Selection, one_of
from data.gold_sample import Gold, read
from data.intervals import wilson_bounds
from data.records import Role

_ALL = Selection()


def shares(
    cube: Cube,
    *,
    by: By,
    role: Role = "source",
    of: Of = "dataset",
    where: Selection = _ALL,
    gold: pa.Table | None = None,
    datasets: tuple[str, ...] = (),
    top: int | None = None,
) -> pd.DataFrame:
    """The share of papers that use each dataset in a role, group by group.

    A paper with several countries, modalities, organs or tasks counts once in each; where nothing
    is known its group is 'unknown'. `by` 'all' makes one group, 'all'.

    Args:
        of: what is counted. 'dataset': each dataset; 'images': whether any dataset of the paper
            holds natural or medical images ('natural', 'medical'; 'unknown' is weights of unknown
            data; a paper may count in several); 'naming': whether the paper names a dataset
            ('named') or only a model implies it ('implied only'); 'unnamed': whether its weights
            are of unnamed origin (rule I3).
        where: which papers and claims; by default each kind of text by itself.
        gold: see `data.gold_sample.GOLD`; without it, or with too little of it, the corrected
            columns are None and `not_corrected` says why.
        datasets: only claims on these; all that any paper uses if empty.
        top: only so many, the most used first, those of unnamed origin left out; all if None.

    Returns: a frame with columns text ('full text', 'abstract' or 'together'), group, dataset, n
        (papers that use it), n_papers (papers in the group), share (n / n_papers), low, high
        (Wilson 95%); n_gold (gold papers in the group), corrected, corrected_low, corrected_high
        (`data.correction.stratified`, or `among_transfers`), rogan_gladen, rogan_gladen_low,
        rogan_gladen_high (second opinion), not_corrected; every group x dataset that any paper
        uses, the most used dataset first, then by text and group. Empty when there is no claim.

    Raises:
        InputError: a choice is none of those that are known.
    """
    one_of("by", by, BYS)
    asked = Question(by, role, of, where, datasets)
    found = items(cube, role, of, where, mask=counted(cube, where), datasets=datasets)
    return answers(cube, asked, found, _order(found, top), gold=gold)


def answers(
    cube: Cube, asked: Question, found: Items, names: tuple[str, ...], *, gold: pa.Table | None
) -> pd.DataFrame:
    """The frame of `shares` for these names, whether any paper uses them or not.

    Args:
        found: what the papers of the selection use.
    """
    where, groups = asked.where, cube.groups[asked.by]
    mask, found = counted(cube, where), only(found, names)
    texts = texts_of(where)
    parts = [of_text(cube, where, text, mask) for text in texts]
    n_papers = np.stack([sizes(groups, part) for part in parts])
    apart = [of_papers(found, part) for part in parts] if len(parts) > 1 else [found]
    n = np.stack([tally(groups, part) for part in apart])
    cells = np.argwhere(n_papers > 0)  # (text, group)
    at = (cells[:, 0], cells[:, 1])
    frame = pd.DataFrame(
        {
            "text": _each(texts, np.tile(at[0], len(names))),
            "group": _each(groups.names, np.tile(at[1], len(names))),
            "dataset": _each(names, np.repeat(np.arange(len(names)), len(cells))),
            "n": n[at].T.ravel(),
            "n_papers": np.tile(n_papers[at], len(names)),
        }
    )
    frame["share"] = frame["n"] / frame["n_papers"]
    frame["low"], frame["high"] = wilson_bounds(frame["n"], frame["n_papers"])
    return _with_corrected(frame, corrected(cube, read(cube, gold), asked, names, cells))


def _order(found: Items, top: int | None) -> tuple[str, ...]:
    """What any paper uses, the most used first; with `top`, no more, and nothing unnamed."""
    total = np.bincount(found.item, minlength=len(found.names))
    used = [i for i in np.flatnonzero(total) if top is None or found.names[i] not in PSEUDO_IDS]
    used.sort(key=lambda i: (-total[i], found.names[i]))
    return tuple(found.names[i] for i in used[:top])


def _each(names: Sequence[str], places: NDArray[np.int64]) -> pd.api.extensions.ExtensionArray:
    return pd.array(list(names), dtype="str").take(places)


def _with_corrected(frame: pd.DataFrame, told: Corrected) -> pd.DataFrame:
    main, second = told.main, told.second
    columns = {
        "n_gold": told.n_gold,
        "corrected": main.value,
        "corrected_low": main.low,
        "corrected_high": main.high,
        "rogan_gladen": second.value,
        "rogan_gladen_low": second.low,
        "rogan_gladen_high": second.high,
        "not_corrected": told.why_not,
    }
    return frame.assign(**{name: column.T.ravel() for name, column in columns.items()})


def note(cube: Cube, where: Selection = _ALL, gold: pa.Table | None = None) -> str:
    """A sentence on what a selection's numbers are counted among, for under a table or chart."""
    mask = counted(cube, where)
    full = int((mask & cube.full_text).sum())
    told = {
        "separate": "each kind by itself",
        "together": "mixed as asked for, though the latter under-report sources",
    }
    read_of = f"{full} with full text, {int(mask.sum()) - full} by title and abstract alone"
    how = f", {told[where.text]}" if where.text in told else ""
    papers = "papers with a source" if where.among == "transfer" else "annotated papers"
    by_gold = _by_gold(read(cube, gold), mask)
    return (
        f"n = {int(mask.sum())} {papers} in the survey ({read_of}{how}); claims with a score of "
        f"{where.min_score:g} or more; intervals are Wilson 95% and cover chance, not the "
        f"annotator's errors; {by_gold}"
    )


def _by_gold(sample: Gold, mask: Bools) -> str:
    """How many gold papers correct what is counted among these papers."""
    inside = mask[sample.paper]
    n = len(np.unique(sample.paper[inside]))
    if not n:
        return "no gold papers"
    n_open = len(np.unique(sample.paper[inside & (sample.part < 1)]))
    told = f"corrected values are by {n} gold papers"
    if not n_open:
        return told
    return f"{told}, {n_open} of them as each reader has it, since readers differ"


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


_TOLD_BY_CITATIONS = """
SELECT (SELECT count(*) FROM works WHERE len("references") > 0),
       (SELECT count(DISTINCT dataset) FROM papers),
       (SELECT count(*) FROM citing),
       (SELECT count(*) FROM citing ANTI JOIN (
            SELECT * FROM claims WHERE state <> 'rejected') AS standing USING (work_id, dataset))
"""


def survey_citations(db: duckdb.DuckDBPyConnection) -> str:
    """A sentence on what citations can tell in a survey, for beside shares with a presence.

    Args:
        db: a connection from `Corpus.connect`.
    """
    found, works, papers = _survey_claims(db)
    with duckdb.connect() as own:
        for name, table in (("claims", found), ("works", works), ("papers", papers)):
            own.register(name, table)
        own.register("citing", citing(works, papers))
        n_works, n_datasets, n_pairs, n_alone = own.sql(_TOLD_BY_CITATIONS).fetchall()[0]
    return (
        f"citations: {n_works} papers have references, the paper of {n_datasets} datasets is "
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
