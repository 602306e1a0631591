"""A survey as columns of papers and claims, so that a choice of papers is counted in milliseconds.

Open `cube` (or `survey_cube`) first, then `Selection`: which papers and which claims count. All
numbers of `data.trends`, `concentration`, `transfers`, `growth`, `compare` and `findings` are
counted on a `Cube`. It is made once a survey; it never changes, and can be shared by threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import duckdb
import pandas as pd
import pyarrow as pa

from data.catalogue import Catalogue
from data.records import Role

By = Literal["all", "year", "venue", "country", "modality", "organ", "task"]
Among = Literal["all", "transfer"]
Counted = Literal["named", "cited", "both", "any"]
Text = Literal["separate", "full text", "abstract", "together"]
Of = Literal["dataset", "images", "naming"]
BYS: tuple[By, ...] = get_args(By)
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which papers, and which claims on them, are counted. Hashable: a key of a cache, or a URL.

    Args:
        years: first and last year of publication, both counted; None: all, unknown years too.
        venue, country, modality, organ, task: papers in any of these groups; empty: all papers.
        targets: papers that have one of these datasets as target; empty: all papers.
        text: what was read of the papers. Papers read by title and abstract alone under-report
            sources, so that they are never mixed with others unless asked for: 'separate' counts
            each kind by itself, 'full text' or 'abstract' one kind alone, 'together' mixes them.
        among: 'all' papers, or only those with at least one source ('transfer').
        min_score: claims below this score do not count.
        presence: which witness counts. None: the text, by the dataset's name or a model's; 'named':
            its name alone; 'both': its name, and its paper is cited; 'cited': its paper is cited,
            whatever the text says and in no role; 'any': the text or the citation. For 'cited' and
            'both' the papers are those that have references.
    """

    years: tuple[int, int] | None = None
    venue: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    organ: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    text: Text = "separate"
    among: Among = "all"
    min_score: float = 0.5
    presence: Counted | None = None


@dataclass(frozen=True, slots=True)
class Cube:
    """What `cube` makes. Its arrays are an inner matter; ask by the functions below."""


def cube(
    found: pa.Table,
    works: pa.Table,
    *,
    predicted: pa.Table | None = None,
    full_texts: Iterable[str] = (),
    citing: pa.Table | None = None,
    catalogue: Catalogue | None = None,
) -> Cube:
    """The cube of these papers and the claims on them.

    Args:
        found: `Claim` rows. Rejected ones do not count.
        works: `Work` rows of the papers that were annotated: the denominator.
        predicted: columns work_id, dataset, role, score: what the annotator alone said, before
            people decided; what `found` says if None. Corrections compare it with gold labels.
        full_texts: ids of the works of which more than title and abstract was read.
        citing: columns work_id, dataset, as `data.claims.citing` gives them; none if None.
        catalogue: tells natural from medical images; the packaged one if None.
    """
    raise NotImplementedError


def survey_cube(db: duckdb.DuckDBPyConnection) -> Cube:
    """The cube of a survey's annotated papers. Dear (a second at 100,000 papers): keep it.

    Args:
        db: a connection from `Corpus.connect`.
    """
    raise NotImplementedError


def values_of(cube: Cube, by: By) -> pd.DataFrame:
    """The groups of the survey's papers: what a filter may offer.

    Returns: columns group, n_papers; years in their order, else the largest group first; papers of
        an unknown group are in 'unknown'.
    """
    raise NotImplementedError


def datasets_of(cube: Cube, role: Role | None = None) -> pd.DataFrame:
    """The datasets that papers use in a role (any if None), the most used first.

    Those of unnamed origin (rule I3) are not among them.

    Returns: columns dataset, images ('natural', 'medical' or 'unknown'), n (papers).
    """
    raise NotImplementedError


def works_of(
    cube: Cube,
    where: Selection,
    *,
    by: By = "all",
    group: str | None = None,
    dataset: str | None = None,
    role: Role | None = "source",
) -> list[str]:
    """The ids of the papers behind a number, newest first: those that `shares` counts as n.

    Args:
        by, group: only papers of this group; all if `group` is None.
        dataset: only papers that use it in `role`; without a dataset, all papers of the selection.
    """
    raise NotImplementedError
