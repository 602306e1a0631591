"""`cats recommend` and `cats experiments rank | popularity | published`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from data.cli import HERE, AsCsv, AsJson, CorpusDir, print_json, print_table, say
from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from experiments.ranking import Ranking

app = typer.Typer()
commands = typer.Typer()

Seed = Annotated[int, typer.Option(help="Of resampling.")]


@commands.command()
def rank(
    features: Annotated[
        Path, typer.Argument(help="Features: a folder of .npz, one a source, or one .npz.")
    ],
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", "-C", help="Survey whose papers are the popularity baseline."),
    ] = None,
    score: Annotated[str, typer.Option(help="What orders the sources.")] = "knn",
    target: Annotated[
        str | None, typer.Option(help="Which, where the folder has features of several.")
    ] = None,
    images: Annotated[int, typer.Option(min=8, help="Most images used, class by class.")] = 1000,
    resamples: Annotated[int, typer.Option(min=20, help="Halves of the images drawn.")] = 100,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Order sources for a target without fine-tuning; abstains where noise could have made it."""
    _need("scipy", "sklearn")
    from data.catalogue import load, own_tables
    from experiments.ranking import rank as ranked
    from experiments.ranking import read_features
    from experiments.source_size import n_images

    given = read_features(features, target=target)
    catalogue = load(extra=() if corpus is None else own_tables(corpus))
    sizes = {name: n_images(name, catalogue) for name in given}
    ranking = ranked(
        given,
        score=score,
        seed=seed,
        resamples=resamples,
        most_images=images,
        n_papers=None if corpus is None else _papers(corpus),
        n_images={name: size for name, size in sizes.items() if size is not None},
    )
    _print_ranking(ranking, as_json=as_json)


@commands.command()
def popularity(
    corpus: CorpusDir = HERE,
    modality: Annotated[
        list[str] | None, typer.Option(help="Only these beside all; repeat for several.")
    ] = None,
    permutations: Annotated[int, typer.Option(min=0, help="For p values; 0: none.")] = 2000,
    seed: Seed = 0,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Does popularity predict performance? Weighted tau of papers and AUC, by modality."""
    _need("scipy")
    import numpy as np

    from data.corpus import Corpus
    from data.trends import survey_claims
    from experiments.popularity import popularity_and_performance
    from experiments.recommend import modality_of, survey_measured

    survey = Corpus(corpus)
    wanted = [modality_of(name) for name in modality or []]
    catalogue, elsewhere, here = survey_measured(survey)
    with survey.connect() as db:
        found, works = survey_claims(db)
    frames = [
        popularity_and_performance(
            found,
            works,
            measured,
            catalogue=catalogue,
            rng=np.random.default_rng(seed),
            modalities=wanted,
            permutations=permutations,
        )
        for measured in (here, elsewhere)
        if len(measured)
    ]
    _print_popularity(frames, works.num_rows, as_json=as_json, as_csv=as_csv)


@commands.command()
def published(
    corpus: CorpusDir = HERE,
    modality: Annotated[
        str | None, typer.Option(help="Only its targets.", show_default="all")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Sources beside ImageNet, over targets: the survey's own runs, and published results."""
    _need("scipy")
    import numpy as np

    from data.corpus import Corpus
    from experiments.meta_analysis import against_reference, spread, standing
    from experiments.recommend import modality_of, survey_measured

    _, elsewhere, here = survey_measured(Corpus(corpus))
    made: dict[str, dict[str, pd.DataFrame]] = {}
    for name, measured in (("own runs", here), ("published", elsewhere)):
        asked = (
            measured
            if modality is None
            else (measured[measured["modality"] == modality_of(modality)])
        )
        made[name] = {
            "beside ImageNet": against_reference(asked, rng=np.random.default_rng(seed)),
            "rivals beaten": standing(asked, rng=np.random.default_rng(seed)),
            "best less worst": spread(asked),
        }
    if as_json:
        print_json({name: {k: _records(v) for k, v in part.items()} for name, part in made.items()})
        return
    for name, part in made.items():
        for title, frame in part.items():
            if frame.empty:
                say(f"{name}, {title}: nothing to compare")
                continue
            print_table(list(frame.columns), _cells(frame), title=f"{name}: {title}")
    say(
        "differences are of AUC in the same study, target, model and strategy; low and high: 95% "
        "bootstrap over targets; tau2, i2, p_q: DerSimonian-Laird, where variances are known; "
        "own runs and published results are not pooled"
    )


@app.command()
def recommend(
    modality: Annotated[str, typer.Option(help="Of your target, such as xray, ct, histology.")],
    corpus: CorpusDir = HERE,
    task: Annotated[str, typer.Option(help="classification, segmentation or detection.")] = (
        "classification"
    ),
    organ: Annotated[
        str | None, typer.Option(help="Only papers that speak of it, such as chest.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Your labelled images (an .npz, a folder of classes, a .csv), or features of them "
            "as `experiments rank` takes."
        ),
    ] = None,
    score: Annotated[str, typer.Option(help="What orders sources on your images.")] = "knn",
    size: Annotated[int, typer.Option(min=28, max=512, help="Images are scaled to it, px.")] = 64,
    top: Annotated[int, typer.Option(min=1, help="Rows, and most used sources considered.")] = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Which source to transfer from: use, measurements, scores, access, each with its reason."""
    _need("scipy")
    from data.corpus import Corpus
    from experiments.recommend import advice

    survey = Corpus(corpus)
    ranking = None if images is None else _ranking_of(images, score=score, size_px=size, seed=seed)
    told = advice(
        survey, modality=modality, task=task, organ=organ, ranking=ranking, seed=seed, top=top
    )
    if as_json:
        print_json({"verdict": told.verdict, "notes": told.notes, "sources": _records(told.frame)})
        return
    say(told.verdict)
    rows = [
        [
            place,
            row["source"],
            row["tier"],
            row["sure"],
            row["reason"],
            None if row["n_images"] is None else f"{row['n_images']:,.0f}",
            row["access"],
            None if row["co2_kg"] is None else f"{1000 * row['co2_kg']:.2g}",
        ]
        for place, row in enumerate(_records(told.frame.head(top)), start=1)
    ]
    columns = ["", "source", "beside ImageNet", "sure", "why", "images", "access", "g CO2e a run"]
    print_table(columns, rows)
    for note in told.notes:
        say(note)


def _ranking_of(path: Path, *, score: str, size_px: int, seed: int) -> Ranking | None:
    """None where the images cannot be looked at here, which is told."""
    from importlib.util import find_spec

    from experiments.ranking import holds_features, rank, read_features

    if holds_features(path):
        return rank(read_features(path), score=score, seed=seed)
    if find_spec("torch") is None or find_spec("sklearn") is None:
        say(
            f"{path} is not looked at: features need torch and scikit-learn, pip install "
            "'cats-toolkit[experiments]'"
        )
        return None
    from experiments.own_images import features_of

    return rank(features_of(path, size_px=size_px, seed=seed, say=say), score=score, seed=seed)


def _papers(corpus: Path) -> dict[str, int]:
    from data.corpus import Corpus
    from data.trends import survey_claims
    from experiments.popularity import popularity as popularity_of

    with Corpus(corpus).connect() as db:
        frame = popularity_of(*survey_claims(db))
    return dict(zip(frame["dataset"], frame["n_papers"].map(int), strict=True))


def _print_ranking(ranking: Ranking, *, as_json: bool) -> None:
    from experiments.ranking import by_baselines

    orders = by_baselines(ranking)
    if as_json:
        print_json(
            {
                "score": ranking.score,
                "verdict": ranking.verdict,
                "why": ranking.why,
                "best": ranking.best,
                "baselines": orders,
                "sources": _records(ranking.frame),
            }
        )
        return
    say(ranking.why)
    rows = [
        [
            row["source"],
            f"{row['score']:.4f} [{row['low']:.4f}, {row['high']:.4f}]",
            f"{row['rank_low']}-{row['rank_high']}",
            f"{row['knn']:.3f}",
            row["n_papers"],
            None if row["n_images"] is None else f"{row['n_images']:,.0f}",
        ]
        for row in _records(ranking.frame)
    ]
    columns = ["source", f"{ranking.score} [95%]", "rank (95% at once)", "knn", "papers", "images"]
    print_table(columns, rows)
    for name, order in orders.items():
        say(f"by {name} alone: {', '.join(order)}")
    say(
        "intervals are of the images (halves of them drawn again), not of how well the score "
        "foretells fine-tuning: see docs/experiments.md"
    )


def _print_popularity(
    frames: list[pd.DataFrame], n_works: int, *, as_json: bool, as_csv: bool
) -> None:
    import pandas as pd

    frame = pd.concat(frames, ignore_index=True)
    if as_json:
        print_json(_records(frame))
        return
    if as_csv:
        frame.to_csv(sys.stdout, index=False)
        return
    told = frame[frame["why"] == ""]
    rows = [
        [
            *(row[name] for name in ("study", "model", "strategy", "modality", "foretold_by")),
            f"{row['tau']:+.2f}",
            None if row["low"] is None else f"[{row['low']:+.2f}, {row['high']:+.2f}]",
            *(None if row[name] is None else f"{row[name]:.3f}" for name in ("p", "p_holm")),
            row["n_targets"],
            row["n_sources"],
        ]
        for row in _records(told)
    ]
    columns = ["study", "model", "strategy", "modality", "by", "tau", "95%", "p", "Holm"]
    print_table([*columns, "targets", "sources"], rows)
    if len(told) < len(frame):
        say(
            f"undetermined: {len(frame) - len(told)} more, with fewer than 8 sources on every "
            "target; --json and --csv list them"
        )
    say(
        f"popularity: papers of {n_works} that use the source; tau: weighted Kendall, mean over "
        "targets with 8 sources or more; 95%: bootstrap over targets, if 5 or more; p: sources "
        "exchanged; Holm over all rows of own runs, and over all of published ones"
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None for what is missing."""
    plain = frame.astype(object)
    return cast(list[dict[str, Any]], plain.where(plain.notna(), None).to_dict(orient="records"))


def _cells(frame: pd.DataFrame) -> list[list[Any]]:
    return [
        [f"{cell:.3f}" if isinstance(cell, float) else cell for cell in row.values()]
        for row in _records(frame)
    ]


def _need(*packages: str) -> None:
    from importlib.util import find_spec

    if any(find_spec(package) is None for package in packages):
        raise InputError("this needs more packages: pip install 'cats-toolkit[experiments]'")
