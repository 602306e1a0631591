"""`cats experiments run | report`; those that choose a source are in `choose_cli`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.cli import HERE, AsCsv, AsJson, CorpusDir, print_json, print_table, say
from data.errors import InputError
from experiments import choose_cli

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer()
experiments = typer.Typer(help="Measure what sources are worth on a target.", no_args_is_help=True)
app.add_typer(experiments, name="experiments")
experiments.add_typer(choose_cli.commands)
app.add_typer(choose_cli.app)


@experiments.command()
def run(
    target: Annotated[Path, typer.Option(help="Images in MedMNIST's .npz shape.")],
    corpus: CorpusDir = HERE,
    source: Annotated[
        list[str] | None, typer.Option(help="random or ImageNet; repeat for several [both].")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds where one changes anything.")] = 3,
    fraction: Annotated[
        list[float] | None, typer.Option(help="Share of the training images; repeat [1].")
    ] = None,
    size: Annotated[int, typer.Option(min=32, max=512, help="Images are scaled to it, px.")] = 64,
    country: Annotated[str, typer.Option(help="ISO alpha-3; whose electricity.")] = "USA",
    as_json: AsJson = False,
) -> None:
    """Probe sources on a target: AUC with interval, time and energy, into the survey's results."""
    _need_extra()
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from data.corpus import Corpus
    from experiments.finetune import Cell, cells
    from experiments.finetune import run as measure_all
    from experiments.sources import SOURCES
    from experiments.sources import source as source_of
    from experiments.targets import read

    survey = Corpus(corpus)
    fractions = fraction or [1.0]
    outside = [share for share in fractions if not 0 < share <= 1]
    if outside:
        raise InputError(f"--fraction {outside[0]:g} is not above 0 and at most 1")
    origins = [source_of(name) for name in source or list(SOURCES)]
    images = read(target)
    if images.n_leaked:
        say(
            f"{images.n_leaked} training or validation images of {target.name} occur in a later "
            "split too; they were left out"
        )
    planned = list(cells(origins, fractions=fractions, seeds=seeds, size_px=size))
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring", total=len(planned))

        def progress(cell: Cell) -> None:
            bar.advance(task)
            say(f"{cell.source.id}, fraction {cell.fraction:g}, seed {cell.seed}: done")

        n_measured = measure_all(
            survey,
            images,
            planned,
            country=country,
            clock=lambda: datetime.now(UTC),
            progress=progress,
        )
    say(f"{n_measured} cells measured, {len(planned) - n_measured} were there")
    _print(_report(survey.path, images.name), as_json=as_json, as_csv=False)


@experiments.command("report")
def report_(corpus: CorpusDir = HERE, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """What was measured: mean AUC over seeds, interval, difference to random weights, cost."""
    _print(_report(corpus, None), as_json=as_json, as_csv=as_csv)


def _need_extra() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("sklearn") is None:
        raise InputError("experiments need more packages: pip install 'cats-toolkit[experiments]'")


def _report(corpus: Path, target: str | None) -> pd.DataFrame:
    from data.corpus import Corpus
    from experiments.report import report

    frame = report(Corpus(corpus).table("SELECT * FROM results"))
    return frame if target is None else frame[frame["target"] == target]


def _print(frame: pd.DataFrame, *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json(frame.astype(object).where(frame.notna(), None).to_dict(orient="records"))
        return
    if as_csv:
        frame.to_csv(sys.stdout, index=False)
        return
    columns = ["target", "source", "model", "n train", "AUC", "95%", "sd (seeds)", "- random", "s"]
    rows = [
        [
            row["target"],
            row["source"],
            row["model"],
            row["n_train"],
            f"{row['auc']:.3f}",
            f"[{row['low']:.3f}, {row['high']:.3f}]",
            f"{row['sd']:.3f} ({row['seeds']})" if row["seeds"] > 1 else "- (1)",
            f"{row['minus_random']:+.3f}",
            f"{row['seconds']:.0f}",
        ]
        for row in frame.to_dict(orient="records")
    ]
    print_table(columns, rows)
    say("95%: bootstrap over test images; sd: over seeds (weights at random, training subset)")
