"""Which source for a target? Popularity, measurements and scores side by side: open `recommend`.

`recommend` is pure: tables in, advice out, for the command line and the page alike; `advice` asks a
survey for the tables. How sources are ordered is in `recommend`; why so is in docs/experiments.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from data.catalogue import Catalogue, key, load, own_tables
from data.corpus import Corpus
from data.cube import patterns
from data.errors import InputError
from data.intervals import wilson
from data.trends import survey_claims
from experiments.meta_analysis import REFERENCE, against_reference, spread
from experiments.popularity import of_modality, popularity, with_words
from experiments.published import RANDOM, measured_elsewhere, measured_here, published
from experiments.ranking import Ranking
from experiments.source_size import n_images

Tier = Literal["better", "not told apart", "unclear", "worse"]
Sure = Literal["high", "medium", "low", "none"]
# Points of AUC from the best to the worst source below which the choice hardly matters: what an AUC
# on a few hundred test images is uncertain by.
HARDLY = 0.02
# A difference to ImageNet that is certain and still too small to count.
MARGIN = 0.01
FEWEST_TARGETS = 3
FEWEST_PAPERS = 20
_TIERS: tuple[Tier, ...] = get_args(Tier)
COLUMNS = (
    "source",
    "tier",
    "sure",
    "reason",
    "n_papers",
    "share",
    "share_low",
    "share_high",
    "published",
    "published_low",
    "published_high",
    "published_targets",
    "own",
    "own_low",
    "own_high",
    "own_targets",
    "score",
    "rank_low",
    "rank_high",
    "n_images",
    "access",
    "seconds",
    "co2_kg",
)


@dataclass(frozen=True, slots=True)
class Advice:
    """Sources to choose from, best first.

    Args:
        frame: a row a source, columns `COLUMNS`: `published` and `own` are differences of AUC to
            ImageNet in the same settings.
        verdict: what to do, in one sentence.
        notes: what the advice rests on and what it lacks, a sentence each.
    """

    frame: pd.DataFrame
    verdict: str
    notes: tuple[str, ...]


def recommend(
    papers: pd.DataFrame,
    elsewhere: pd.DataFrame,
    here: pd.DataFrame,
    *,
    modality: str,
    catalogue: Catalogue,
    rng: np.random.Generator,
    ranking: Ranking | None = None,
    costs: pd.DataFrame | None = None,
    top: int = 10,
) -> Advice:
    """Sources in the order in which to try them, each with its reason.

    What was measured comes first, beside ImageNet, which nearly every study has; what a dataset's
    own paper says of it is left out. Own runs on the
    modality decide, where two sources or more have them; else published results on it, where it has
    three targets or more; else published results on all modalities. A source is 'better' or 'worse'
    where its 95% interval leaves out zero and its mean is at least 0.01 away; 'not told apart'
    where it has an interval that is not so; else 'unclear'. Within these four: by the ranks on the
    user's images, if these tell any sources apart, then by papers, then by the mean difference:
    within noise it tells nothing, and use at least means that weights are around.

    Args:
        papers: columns dataset, n_papers, n_among, of `experiments.popularity.popularity`.
        elsewhere: published results, columns `experiments.published.MEASURED`.
        here: own runs, in the same columns.
        modality: as in `data.cube.patterns`.
        catalogue: sizes and access.
        rng: of bootstraps.
        ranking: of sources on the user's own images; None if there are none.
        costs: columns source, seconds, co2_kg: of a run here; None if there are none.
        top: how many of the most used sources are considered beside those measured.
    """
    elsewhere, n_own_papers = _by_others(elsewhere, catalogue)
    on_modality = elsewhere[elsewhere["modality"] == modality]
    is_enough = _n_compared(on_modality) >= FEWEST_TARGETS
    own = here[here["modality"] == modality]
    asked = _Asked(
        modality=modality,
        where=modality if is_enough else "all",
        decides="own" if own["source"].nunique() >= 2 else "published",
    )
    scope = on_modality if is_enough else elsewhere
    frame = _candidates(papers, scope, own, ranking, catalogue, top=top)
    frame = frame.merge(_usage(frame["source"], papers, catalogue), on="source")
    for kind, measured in (("published", scope), ("own", own)):
        told = _beside_reference(measured, rng)
        told["source"] = [_canonical(str(name), catalogue) for name in told["source"]]
        frame = frame.merge(told.rename(columns=_named(kind)), on="source", how="left")
    if ranking is not None:
        scored = ranking.frame[["source", "score", "rank_low", "rank_high"]]
        frame = frame.merge(scored, on="source", how="left")
    if costs is not None:
        frame = frame.merge(costs[["source", "seconds", "co2_kg"]], on="source", how="left")
    frame["n_images"] = [n_images(str(name), catalogue) for name in frame["source"]]
    frame["access"] = [_access(str(name), catalogue) for name in frame["source"]]
    frame = frame.reindex(columns=list(COLUMNS)).astype(object)
    frame = frame.where(frame.notna(), None)
    rows = frame.to_dict(orient="records")
    frame["tier"] = [_tier(row, asked) for row in rows]
    frame["sure"] = [_sure(row, asked) for row in rows]
    frame["reason"] = [_reason(row, asked, ranking) for row in rows]
    ordered = _ordered(frame, asked, ranking)
    return Advice(
        ordered,
        _verdict(ordered, own if asked.decides == "own" else scope, asked),
        tuple(_notes(papers, scope, own, ranking, asked, n_own_papers=n_own_papers)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the advice is for, and on what: `where` is the modality or 'all'."""

    modality: str
    where: str
    decides: Literal["own", "published"]

    @property
    def place(self) -> str:
        """The targets that decide, as words."""
        if self.decides == "own":
            return f"{self.modality} targets run here"
        return "targets of all modalities" if self.where == "all" else f"{self.where} targets"


def _named(kind: str) -> dict[str, str]:
    return {
        "difference": kind,
        "low": f"{kind}_low",
        "high": f"{kind}_high",
        "n_targets": f"{kind}_targets",
    }


def _by_others(elsewhere: pd.DataFrame, catalogue: Catalogue) -> tuple[pd.DataFrame, int]:
    """The results but those that a dataset's own paper has of it, and how many these are."""
    is_own = [row.study in _papers(str(row.source), catalogue) for row in elsewhere.itertuples()]
    return elsewhere[~np.array(is_own, dtype=bool)], sum(is_own)


def _papers(name: str, catalogue: Catalogue) -> tuple[str, ...]:
    dataset = catalogue.datasets.get(catalogue.resolve(name) or "")
    return dataset.papers if dataset else ()


def _n_compared(measured: pd.DataFrame) -> int:
    """Targets on which at least two sources were compared."""
    return int((measured.groupby("target")["source"].nunique() >= 2).sum())


def _beside_reference(measured: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every source beside ImageNet in the same settings, and ImageNet itself, with difference 0.

    Returns: columns source, difference, low, high, n_targets; no rows without ImageNet.
    """
    columns = ["source", "difference", "low", "high", "n_targets"]
    n = measured.loc[measured["source"] == REFERENCE, "target"].nunique()
    if not n:
        return pd.DataFrame(columns=columns)
    itself = pd.DataFrame([(REFERENCE, 0.0, None, None, n)], columns=columns, dtype=object)
    beside = against_reference(measured, rng=rng).loc[:, columns].astype(object)
    return pd.concat([itself, beside], ignore_index=True)


def _candidates(
    papers: pd.DataFrame,
    scope: pd.DataFrame,
    own: pd.DataFrame,
    ranking: Ranking | None,
    catalogue: Catalogue,
    *,
    top: int,
) -> pd.DataFrame:
    """Sources that were measured, score on the images, or are among the most used."""
    used = [str(name) for name in papers["dataset"].head(top)]
    measured = [str(name) for frame in (scope, own) for name in frame["source"]]
    scored = [] if ranking is None else [str(name) for name in ranking.frame["source"]]
    names = [_canonical(name, catalogue) for name in (*used, *measured, *scored)]
    return pd.DataFrame({"source": list(dict.fromkeys(names))})


def _canonical(name: str, catalogue: Catalogue) -> str:
    """The catalogue's id where it has just this dataset; a part of one keeps its own name."""
    found = catalogue.resolve(name)
    return found if found is not None and key(found) == key(name) else name


def _usage(names: pd.Series, papers: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Papers that use each source; none of random weights, which are no dataset."""
    used = papers.set_index("dataset")["n_papers"].to_dict()
    n_among = int(papers["n_among"].max()) if len(papers) else 0
    rows = []
    for name in names:
        n = int(used.get(name, used.get(catalogue.resolve(name), 0)))
        low, high = wilson(n, n_among)
        share = n / n_among if n_among else None
        rows.append((name, n, share, low, high) if name != RANDOM else (name, *[None] * 4))
    columns = ["source", "n_papers", "share", "share_low", "share_high"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _access(name: str, catalogue: Catalogue) -> str:
    if name == RANDOM:
        return "no source data"
    dataset = catalogue.datasets.get(catalogue.resolve(name) or "")
    return dataset.access if dataset else ""


_Row = Mapping[Any, Any]


def _tier(row: _Row, asked: _Asked) -> Tier:
    mean, low, high = (row[f"{asked.decides}{end}"] for end in ("", "_low", "_high"))
    if row["source"] == REFERENCE and mean is not None:
        return "not told apart"
    if low is None:
        return "unclear"
    if high < 0 and mean <= -MARGIN:
        return "worse"
    return "better" if low > 0 and mean >= MARGIN else "not told apart"


def _sure(row: _Row, asked: _Asked) -> Sure:
    """By the targets that decide: how many, and whether they are of this modality."""
    n = row[f"{asked.decides}_targets"] or 0
    if not n:
        return "none"
    if n < FEWEST_TARGETS:
        return "low"
    return "high" if asked.where != "all" and n >= 5 else "medium"


def _reason(row: _Row, asked: _Asked, ranking: Ranking | None) -> str:
    parts = [
        _measured_words(row, kind, asked) for kind in ("own", "published") if row[f"{kind}_targets"]
    ]
    if not parts:
        parts = ["not measured"]
    if row["rank_low"] is not None and ranking is not None:
        parts.append(
            f"rank {row['rank_low']:.0f}-{row['rank_high']:.0f} of {len(ranking.frame)} on "
            f"your images by {ranking.score}"
        )
    if row["n_papers"]:
        parts.append(
            f"used by {row['n_papers']} paper(s) ({row['share']:.0%} "
            f"[{row['share_low']:.0%}, {row['share_high']:.0%}])"
        )
    elif row["source"] != RANDOM:
        parts.append("used by no paper here")
    return "; ".join(parts)


def _measured_words(row: _Row, kind: str, asked: _Asked) -> str:
    n = row[f"{kind}_targets"]
    if kind == "own":
        where = f"{n} {asked.modality} target(s) run here"
    else:
        where = f"{n} published targets" + ("" if asked.where == "all" else f" ({asked.where})")
    if row["source"] == REFERENCE:
        return f"what others are compared with, on {where}"
    low, high = row[f"{kind}_low"], row[f"{kind}_high"]
    interval = "no interval" if low is None else f"[{low:+.3f}, {high:+.3f}]"
    return f"AUC {row[kind]:+.3f} {interval} to {REFERENCE} on {where}"


def _ordered(frame: pd.DataFrame, asked: _Asked, ranking: Ranking | None) -> pd.DataFrame:
    tells = ranking is not None and ranking.verdict != "abstains"
    by_images = frame["rank_low"] if tells else pd.Series(0, index=frame.index)
    keys = pd.DataFrame(
        {
            "tier": [_TIERS.index(tier) for tier in frame["tier"]],
            "images": pd.to_numeric(by_images).fillna(np.inf),
            "papers": -pd.to_numeric(frame["n_papers"]).fillna(0),
            "measured": -pd.to_numeric(frame[asked.decides]).fillna(-np.inf),
            "name": frame["source"],
        }
    )
    order = keys.sort_values(list(keys.columns)).index
    return frame.loc[order].reset_index(drop=True)


def _verdict(frame: pd.DataFrame, deciding: pd.DataFrame, asked: _Asked) -> str:
    def names(tier: Tier) -> list[str]:
        of_tier = frame[(frame["tier"] == tier) & (frame["source"] != RANDOM)]
        return [str(name) for name in of_tier["source"]]

    if deciding.empty or REFERENCE not in set(deciding["source"]):
        return (
            f"nothing was measured on {asked.place}: the order is by use alone, and use does not "
            "tell performance"
        )
    gaps = spread(deciding)["spread"]
    if len(gaps) >= FEWEST_TARGETS and gaps.median() < HARDLY:
        return (
            f"it hardly matters: in {len(gaps)} comparisons on {asked.place} the best and the "
            f"worst source are {gaps.median():.3f} AUC apart (median); choose by access and cost"
        )
    if names("better"):
        return f"{_listed(names('better'))}: better than {REFERENCE} on {asked.place}"
    others = [name for name in names("not told apart") if name != REFERENCE]
    if others:
        return (
            f"{REFERENCE} or {_listed(others)}: not told apart on {asked.place}; between these "
            "it hardly matters"
        )
    return f"{REFERENCE}: no source was found to be better, or as good, on {asked.place}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def _notes(
    papers: pd.DataFrame,
    scope: pd.DataFrame,
    own: pd.DataFrame,
    ranking: Ranking | None,
    asked: _Asked,
    *,
    n_own_papers: int,
) -> list[str]:
    n_among = int(papers["n_among"].max()) if len(papers) else 0
    notes = [
        f"use: {n_among} papers of the survey",
        f"published: {scope['study'].nunique()} studies, {scope['target'].nunique()} targets"
        + (
            f", of all modalities, since fewer than {FEWEST_TARGETS} of {asked.modality} compare "
            "sources"
            if asked.where == "all"
            else f" of {asked.modality}"
        ),
        f"own runs on {asked.modality}: {own['source'].nunique()} sources, "
        f"{own['target'].nunique()} targets" + (" (they decide)" if asked.decides == "own" else ""),
    ]
    if n_own_papers:
        notes.append(f"left out: {n_own_papers} figures from the paper that presents the source")
    if ranking is not None:
        notes.append(
            f"your images: {ranking.why}. Such scores agree only partly with performance: "
            "see docs/experiments.md"
        )
    return notes


# A survey's tables


def modality_of(name: str) -> str:
    """The modality meant by any spelling ("xray", "X-ray").

    Raises:
        InputError: there is none.
    """
    modalities = patterns("modality")
    known = {key(modality): modality for modality in modalities}
    if key(name) not in known:
        raise InputError(f"--modality {name!r} is not one of {', '.join(modalities)}")
    return known[key(name)]


def asked_works(
    works: pa.Table, *, modality: str, task: str | None, organ: str | None
) -> tuple[pa.Table, str]:
    """The papers on a modality, and on a task and organ where these leave enough of them.

    Args:
        works: columns id, title, abstract.
        task: one of `data.cube.patterns("task")`.
        organ: a word of title or abstract, in any case.

    Returns: the works, and in words which they are. Filters that leave fewer than 20 papers are
        given up, organ first, then task, then modality.

    Raises:
        InputError: the task is not known.
    """
    tasks = patterns("task")
    if task is not None and task not in tasks:
        raise InputError(f"--task {task!r} is not one of {', '.join(tasks)}")
    words = {"task": tasks.get(task or ""), "organ": re.escape(organ) if organ else None}
    told = {"task": task, "organ": organ}
    of_kind = of_modality(works, modality)
    for kept in (("task", "organ"), ("task",), ()):
        asked = [name for name in kept if words[name]]
        chosen = of_kind
        for name in asked:
            chosen = with_words(chosen, str(words[name]))
        if chosen.num_rows >= FEWEST_PAPERS:
            return chosen, " ".join([modality, *[str(told[name]) for name in asked]])
    return works, f"all modalities, since fewer than {FEWEST_PAPERS} papers are on {modality}"


def advice(
    corpus: Corpus,
    *,
    modality: str,
    task: str | None = None,
    organ: str | None = None,
    ranking: Ranking | None = None,
    seed: int = 0,
    top: int = 10,
) -> Advice:
    """`recommend` by what a survey holds, and by the published results.

    Args:
        modality: in any spelling.
        seed: of bootstraps.

    Raises:
        InputError: a modality or task that is not known.
    """
    wanted = modality_of(modality)
    catalogue, elsewhere, here = survey_measured(corpus)
    with corpus.connect() as db:
        found, works = survey_claims(db)
        results = db.sql("SELECT * FROM results").to_arrow_table()
    chosen, told = asked_works(works, modality=wanted, task=task, organ=organ)
    given = recommend(
        popularity(found, chosen),
        elsewhere,
        here,
        modality=wanted,
        catalogue=catalogue,
        rng=np.random.default_rng(seed),
        ranking=ranking,
        costs=costs(results),
        top=top,
    )
    return replace(given, notes=(f"papers counted: {told}", *given.notes))


def survey_measured(corpus: Corpus) -> tuple[Catalogue, pd.DataFrame, pd.DataFrame]:
    """The catalogue with the survey's own datasets, published results, and own runs."""
    catalogue = load(extra=own_tables(corpus.path))
    results = corpus.table("SELECT * FROM results")
    elsewhere = measured_elsewhere(published(catalogue=catalogue))
    return catalogue, elsewhere, measured_here(results, catalogue=catalogue)


def costs(results: pa.Table) -> pd.DataFrame:
    """What one run of a source took here on average: columns source, seconds, co2_kg."""
    rows = results.to_pandas()
    rows = rows[(rows["origin"] == "run") & (rows["metric"] == "auc")]
    return pd.DataFrame(rows.groupby("source", as_index=False)[["seconds", "co2_kg"]].mean())
