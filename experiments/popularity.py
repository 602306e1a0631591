"""Does popularity predict performance? Open `popularity_and_performance`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from data.catalogue import PSEUDO_IDS, Catalogue
from data.cube import patterns
from data.intervals import holm
from experiments.published import OWN, RANDOM
from experiments.rank_correlation import PERMUTATIONS, agreement
from experiments.source_size import n_images

EVERYTHING = "all"
Foretells = Literal["popularity", "size"]

_POPULARITY = """
WITH standing AS (
    SELECT DISTINCT work_id, dataset FROM claims
    WHERE role = 'source' AND state <> 'rejected' AND score >= $min_score
      AND work_id IN (SELECT work_id FROM counted)
)
SELECT dataset, count(*) AS n_papers, (SELECT count(*) FROM counted) AS n_among
FROM standing GROUP BY 1 ORDER BY 2 DESC, 1
"""


def popularity(found: pa.Table, works: pa.Table, *, min_score: float = 0.5) -> pd.DataFrame:
    """How many of these papers transfer from each dataset.

    Args:
        found: `Claim` rows; rejected ones do not count.
        works: `Work` rows of the papers that count.
        min_score: claims below it do not count.

    Returns: columns dataset, n_papers, n_among (papers that count); the most used first. Weights of
        unnamed origin are no dataset.
    """
    with duckdb.connect() as db:
        db.register("claims", found)
        db.register("counted", works.select(["id"]).rename_columns(["work_id"]))
        frame = db.execute(_POPULARITY, {"min_score": min_score}).fetch_df()
    return frame[~frame["dataset"].isin(PSEUDO_IDS)].reset_index(drop=True)


def of_modality(works: pa.Table, modality: str) -> pa.Table:
    """The works of a modality, as `data.cube.patterns` tells it."""
    return with_words(works, patterns("modality")[modality])


def with_words(works: pa.Table, pattern: str) -> pa.Table:
    """The works whose title or abstract has these whole words.

    Args:
        pattern: a regular expression (RE2), in any case.
    """
    with duckdb.connect() as db:
        db.register("works", works)
        return db.sql(
            "SELECT * FROM works WHERE regexp_matches(concat_ws(' ', title, abstract), $one, 'i')",
            params={"one": rf"\b(?:{pattern})\b"},
        ).to_arrow_table()


def popularity_and_performance(
    found: pa.Table,
    works: pa.Table,
    measured: pd.DataFrame,
    *,
    catalogue: Catalogue,
    rng: np.random.Generator,
    modalities: Sequence[str] = (),
    permutations: int = PERMUTATIONS,
) -> pd.DataFrame:
    """The weighted tau of a source's papers with its AUC, target by target.

    A source that no paper uses has popularity 0; random weights are no source here. Within a
    modality both the papers and the targets are of it. Beside it the same for the size of the
    source's dataset: a choice that asks neither papers nor experiments.

    Args:
        found: `Claim` rows.
        works: `Work` rows of the papers counted.
        measured: columns as `experiments.published.MEASURED`. Each study, own runs as one of them,
            is a row of its own: they are not pooled.
        catalogue: sizes, and which dataset a source's name means.
        rng: of bootstrap and permutations.
        modalities: asked for beside all of them; those of the targets if empty.
        permutations: for p.

    Returns: columns study, model, strategy, modality ('all' or one), foretold_by ('popularity' or
        'size'), tau, low, high (95% bootstrap over targets), p (two-sided, sources exchanged),
        p_holm (over all rows that have p), n_targets, n_sources (fewest-most), why (of one that is
        undetermined, else ""), as in `experiments.rank_correlation.Tau`.
    """
    asked = list(modalities) or sorted(measured["modality"].dropna().unique())
    plain = measured[measured["relative_to"].isna() & (measured["source"] != RANDOM)]
    rows = []
    for modality in (EVERYTHING, *asked):
        among = works if modality == EVERYTHING else of_modality(works, modality)
        chosen = plain if modality == EVERYTHING else plain[plain["modality"] == modality]
        used = popularity(found, among)
        papers = dict(zip(used["dataset"], used["n_papers"], strict=True))
        for (study, model, strategy), part in chosen.groupby(["study", "model", "strategy"]):
            for by, worth in _foretellings(papers, catalogue).items():
                tau = agreement(
                    _scores(part, worth),
                    part[["source", "target", "value"]],
                    rng=rng,
                    permutations=permutations,
                    one_score_a_source=True,
                )
                rows.append(
                    {
                        "study": study,
                        "model": model,
                        "strategy": strategy,
                        "modality": modality,
                        "foretold_by": by,
                        "tau": tau.tau,
                        "low": tau.low,
                        "high": tau.high,
                        "p": tau.p,
                        "p_holm": None,
                        "n_targets": tau.n_targets,
                        "n_sources": "{}-{}".format(*tau.n_sources) if tau.tau is not None else "",
                        "why": tau.why,
                    }
                )
    tested = [row for row in rows if row["p"] is not None]
    adjusted = holm([cast(float, row["p"]) for row in tested])
    for row, p_holm in zip(tested, adjusted.tolist(), strict=True):
        row["p_holm"] = p_holm
    columns = ["study", "model", "strategy", "modality", "foretold_by", "tau", "low", "high"]
    frame = pd.DataFrame(rows, columns=[*columns, "p", "p_holm", "n_targets", "n_sources", "why"])
    is_own = frame["study"] != OWN
    return (
        frame.assign(own=is_own)
        .sort_values(["own", "study", "model", "strategy"], kind="stable", ignore_index=True)
        .drop(columns="own")
    )


def _foretellings(
    papers: Mapping[str, int], catalogue: Catalogue
) -> dict[Foretells, Callable[[str], float | None]]:
    def n_papers(source: str) -> float:
        return float(papers.get(catalogue.resolve(source) or source, 0))

    def size(source: str) -> float | None:
        return n_images(source, catalogue)

    return {"popularity": n_papers, "size": size}


def _scores(part: pd.DataFrame, worth: Callable[[str], float | None]) -> pd.DataFrame:
    pairs = part[["source", "target"]].copy()
    pairs["value"] = [worth(str(source)) for source in pairs["source"]]
    pairs["value"] = pairs["value"].astype("float64")
    return pairs
