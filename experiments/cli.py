"""`cats experiments plan | run | report`; those that choose a source are in `choose_cli`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.cli import HERE, AsCsv, AsJson, CorpusDir, print_json, print_table, say
from data.errors import InputError, PartialError
from experiments import choose_cli

if TYPE_CHECKING:
    import pandas as pd

    from data.corpus import Corpus
    from experiments.grid import Grid

app = typer.Typer()
experiments = typer.Typer(help="Measure what sources are worth on a target.", no_args_is_help=True)
app.add_typer(experiments, name="experiments")
experiments.add_typer(choose_cli.commands)
app.add_typer(choose_cli.app)

Targets = Annotated[
    list[str] | None,
    typer.Option(
        help="medmnist:NAME, an .npz, a folder of classes or a .csv; ID= before it; repeat."
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        help="random, ImageNet, or [ID=]KIND:NAME with KIND random, timm, torchvision, hf, file, "
        "pretrain, simsiam or mae; @PX behind it for images of another size; repeat "
        "[random, ImageNet]."
    ),
]
Popular = Annotated[
    int | None,
    typer.Option(min=1, help="So many of the survey's most popular pairs [10 without --target]."),
]
Strategies = Annotated[
    list[str] | None, typer.Option(help="probe or fine-tune; repeat [probe, fine-tune].")
]
Seeds = Annotated[int, typer.Option(min=1, help="Seeds where one changes anything.")]
Fractions = Annotated[
    list[float] | None, typer.Option(help="Share of the training images; repeat [1].")
]
NImages = Annotated[
    list[int] | None, typer.Option("--images", min=2, help="Training images in all; repeat.")
]
PerClass = Annotated[
    list[int] | None, typer.Option(min=1, help="Training images of each class; repeat.")
]
Size = Annotated[int, typer.Option(min=28, max=512, help="Images are scaled to it, px.")]
Epochs = Annotated[int, typer.Option(min=1, help="Of a fine-tune, at most.")]
PretrainEpochs = Annotated[
    int | None, typer.Option(min=1, help="Of a pretraining, at most [as --epochs].")
]
Batch = Annotated[int, typer.Option(min=2, help="Images a step.")]
Rates = Annotated[
    list[float] | None,
    typer.Option("--learning-rate", help="Tried on validation; repeat [0.001, 0.0003]."),
]
Balanced = Annotated[bool, typer.Option("--balanced", help="Draw every class as often.")]
Patient = Annotated[
    str | None, typer.Option(help="Expression whose (group) in an image's path is the patient.")
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda [cuda where there is one].")]
Processes = Annotated[
    int | None, typer.Option(min=1, help="GPUs or processes that share a batch [all GPUs].")
]
AsPrecision = Annotated[
    str | None, typer.Option(help="float32, bfloat16 or float16 [mixed on a GPU].")
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Repeat to the bit; slower on a GPU.")
]
Country = Annotated[str, typer.Option(help="ISO alpha-3; whose electricity.")]


def _asking(act: Callable[[Grid, bool], None]) -> Callable[..., None]:
    """The command that does this with the grid asked for: its options, spelled once."""

    def command(
        corpus: CorpusDir = HERE,
        target: Targets = None,
        source: Sources = None,
        popular: Popular = None,
        strategy: Strategies = None,
        seeds: Seeds = 5,
        fraction: Fractions = None,
        images: NImages = None,
        per_class: PerClass = None,
        size: Size = 64,
        epochs: Epochs = 20,
        pretrain_epochs: PretrainEpochs = None,
        batch: Batch = 64,
        learning_rate: Rates = None,
        balanced: Balanced = False,
        patient: Patient = None,
        device: Device = None,
        processes: Processes = None,
        precision: AsPrecision = None,
        deterministic: Deterministic = False,
        country: Country = "USA",
        as_json: AsJson = False,
    ) -> None:
        act(_grid(locals()), as_json)

    command.__name__, command.__doc__ = act.__name__, act.__doc__
    return command


@experiments.command()
@_asking
def plan(grid: Grid, as_json: bool) -> None:
    """What a run would measure: popular pairs, what can be run here, time, energy, CO2."""
    rows = grid.plan()
    if as_json:
        print_json(rows)
        return
    columns = ["source", "target", "papers", "cells", "left", "hours", "kWh", "kg CO2e", "missing"]
    print_table(columns, [[_shown(row[name]) for name in columns] for row in rows])
    say("hours, kWh and kg are at most, from a speed measured now; fits may stop early")


@experiments.command()
@_asking
def run(grid: Grid, as_json: bool) -> None:
    """Probe and fine-tune sources on targets, into the survey's results; continues where it was."""
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from experiments.carbon import Meter
    from experiments.finetune import Cell
    from experiments.finetune import run as measure_all

    meter = Meter(grid.country)
    planned = grid.cells()
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring", total=len(planned))

        def progress(cell: Cell) -> None:
            bar.advance(task)
            say(
                f"{cell.strategy}: {cell.source.id} ({cell.source.model}) -> {cell.target.name}, "
                f"{cell.amount} of the training images, seed {cell.seed}: done"
            )

        outcome = measure_all(
            grid.corpus,
            planned,
            machine=grid.machine,
            meter=meter,
            clock=lambda: datetime.now(UTC),
            progress=progress,
        )
    n_there = len(planned) - outcome.measured - len(outcome.failures)
    say(f"{outcome.measured} cells measured, {n_there} were there")
    names = {cell.target.name for cell in planned}
    frame = _report(grid.corpus)
    _print(frame[frame["target"].isin(names)], as_json=as_json, as_csv=False)
    faults = grid.faults(outcome)
    if faults is not None:
        raise PartialError("some images or cells were left out; all others are done", path=faults)


@experiments.command("report")
def report_(
    corpus: CorpusDir = HERE,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Instead: differences between sources, Holm-corrected.")
    ] = False,
    cost: Annotated[
        bool, typer.Option("--cost", help="Instead: seconds, energy and CO2 by step.")
    ] = False,
    svg: Annotated[Path | None, typer.Option(help="Also draw the AUCs into this file.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """What was measured: mean AUC over seeds, interval, calibration, gain on scratch, cost."""
    from data.corpus import Corpus

    survey = Corpus(corpus)
    if cost:
        _print_cost(survey, as_json=as_json, as_csv=as_csv)
        return
    if pairs:
        from experiments.compare import paired
        from experiments.finetune import predictions

        _print_frame(paired(predictions(survey)), as_json=as_json, as_csv=as_csv)
        return
    frame = _report(survey)
    if svg is not None:
        from data.corpus import write_whole
        from experiments.figure import forest

        if frame.empty:
            raise InputError("nothing is measured yet; `cats experiments run` first")
        write_whole(svg, lambda file: file.write(forest(frame).encode()))
        say(f"drawn: {svg}")
    _print(frame, as_json=as_json, as_csv=as_csv)


def _need_extra() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("sklearn") is None:
        raise InputError("experiments need more packages: pip install 'cats-toolkit[experiments]'")


def _grid(options: dict[str, Any]) -> Grid:
    """The grid that a command's options ask for."""
    _need_extra()
    from data.corpus import Corpus
    from experiments.grid import Grid, amounts, strategies
    from experiments.machine import machine
    from experiments.training import Recipe

    plain = Recipe()
    recipe = Recipe(
        epochs=options["epochs"],
        batch=options["batch"],
        learning_rates=tuple(options["learning_rate"] or plain.learning_rates),
        balanced=options["balanced"],
    )
    return Grid(
        corpus=Corpus(options["corpus"]),
        target_specs=tuple(options["target"] or ()),
        source_specs=tuple(options["source"] or ()),
        popular=options["popular"],
        strategies=strategies(options["strategy"] or ()),
        amounts=amounts(options["fraction"], options["images"], options["per_class"]),
        seeds=options["seeds"],
        size_px=options["size"],
        recipe=recipe,
        pretraining=Recipe(epochs=options["pretrain_epochs"] or options["epochs"]),
        patient=options["patient"],
        machine=machine(
            options["device"],
            processes=options["processes"],
            precision=options["precision"],
            deterministic=options["deterministic"],
        ),
        country=options["country"],
        say=say,
    )


def _report(survey: Corpus) -> pd.DataFrame:
    from experiments.compare import seed_means
    from experiments.finetune import predictions
    from experiments.report import report

    return report(survey.table("SELECT * FROM results"), seed_means(predictions(survey)))


def _print(frame: pd.DataFrame, *, as_json: bool, as_csv: bool) -> None:
    if as_json or as_csv:
        _print_frame(frame, as_json=as_json, as_csv=as_csv)
        return
    columns = ["target", "strategy", "n train", "source", "model", "AUC", "95%", "sd (seeds)"]
    columns += ["- random", "bal. acc.", "ECE", "s"]
    rows = [
        [
            row["target"],
            row["strategy"],
            row["n_train"],
            row["source"],
            row["model"],
            f"{row['auc']:.3f}",
            f"[{row['low']:.3f}, {row['high']:.3f}]",
            f"{row['sd']:.3f} ({row['seeds']})" if row["seeds"] > 1 else "- (1)",
            f"{row['minus_random']:+.3f}" if not math.isnan(row["minus_random"]) else "-",
            f"{row['balanced_accuracy']:.3f}",
            f"{row['calibration_error']:.3f}",
            f"{row['seconds']:.0f}",
        ]
        for row in frame.to_dict(orient="records")
    ]
    print_table(columns, rows)
    say(
        "95%: bootstrap over test images and seeds of the mean; sd: over seeds (weights, head, "
        "order, training subset); - random: less the same network from scratch"
    )


def _print_frame(frame: pd.DataFrame, *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json(frame.astype(object).where(frame.notna(), None).to_dict(orient="records"))
    elif as_csv:
        frame.to_csv(sys.stdout, index=False)
    else:
        rows = frame.itertuples(index=False)
        print_table(list(frame.columns), [[_shown(value) for value in row] for row in rows])


def _print_cost(survey: Corpus, *, as_json: bool, as_csv: bool) -> None:
    from experiments.report import spent

    found = spent(survey.table("SELECT * FROM results"))
    if as_json:
        steps = found.by_step.astype(object).where(found.by_step.notna(), None)
        print_json(
            {
                "steps": steps.to_dict(orient="records"),
                "methods": found.methods,
                "avoided_kg": found.avoided_kg,
                "avoided_s": found.avoided_s,
            }
        )
        return
    _print_frame(found.by_step, as_json=False, as_csv=as_csv)
    for method in found.methods:
        say(f"energy by {method}")
    if found.avoided_kg is not None:
        say(
            f"ranking by features in place of fine-tuning would have avoided {found.avoided_s:.0f} "
            f"s and {1000 * found.avoided_kg:.3g} g CO2e"
        )


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
