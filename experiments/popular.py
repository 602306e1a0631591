"""The most popular source -> target pairs of a survey, and which of them can be run here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from data.trends import survey_claims
from experiments import medmnist

_PAIRS = """
WITH standing AS (SELECT * FROM claims WHERE state <> 'rejected' AND score >= $min_score)
SELECT s.dataset AS source, t.dataset AS target, count(DISTINCT work_id) AS n_papers
FROM standing AS s JOIN standing AS t USING (work_id)
WHERE s.role = 'source' AND t.role = 'target' AND s.dataset <> t.dataset
GROUP BY ALL ORDER BY n_papers DESC, source, target LIMIT $top
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Papers of the survey transfer from this source to this target.

    Args:
        n_papers: how many; 0 for a pair that was asked for by name alone.
        source_spec: how `experiments.sources.source` makes it; None if it cannot be made here.
        target_spec: the same for `experiments.registry.target`.
        why_not: what is missing; empty if it can be run.
    """

    source: str
    target: str
    n_papers: int
    source_spec: str | None
    target_spec: str | None
    why_not: str = ""


def popular(db: duckdb.DuckDBPyConnection, *, top: int, min_score: float = 0.5) -> pa.Table:
    """Pairs by the papers that have both claims: columns source, target, n_papers; most first.

    Args:
        db: a connection from `Corpus.connect`.
        top: how many pairs.
        min_score: claims below this score do not count.
    """
    found, _ = survey_claims(db)
    with duckdb.connect() as own:
        own.register("claims", found)
        values = {"min_score": min_score, "top": top}
        return own.sql(_PAIRS, params=values).to_arrow_table()


def resolved(
    source: str,
    target: str,
    n_papers: int,
    *,
    sources: Mapping[str, str],
    targets: Mapping[str, str],
) -> Pair:
    """The pair, with how its two sides come about here.

    A source is made by name, or else pretrained on its images, if they are at hand.

    Args:
        sources: catalogue id -> name of those that were given or are built in.
        targets: catalogue id -> name of those whose images were given.
    """
    known = dict(targets) | {
        edition.dataset: f"medmnist:{name}"
        for name, edition in medmnist.editions().items()
        if edition.size_px == medmnist.SMALLEST_PX and edition.dataset not in targets
    }
    source_spec = sources.get(source) or (f"pretrain:{known[source]}" if source in known else None)
    target_spec = known.get(target)
    missing = [
        *([] if source_spec else [f"no weights: --source '{source}=file:ARCHITECTURE:PATH'"]),
        *([] if target_spec else [f"no images: --target '{target}=PATH'"]),
    ]
    return Pair(source, target, n_papers, source_spec, target_spec, "; ".join(missing))
