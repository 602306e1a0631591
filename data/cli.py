"""`cats init | status | trends | export`, and the options that the commands of all rooms share."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

app = typer.Typer()

CorpusDir = Annotated[
    Path, typer.Option("--corpus", "-C", help="Directory of the survey.", show_default="here")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
HERE = Path()
_MOST_GROUPS = 25  # publishers shown on a terminal


def say(message: str) -> None:
    """Progress and log go to stderr; stdout is for data."""
    print(message, file=sys.stderr)  # noqa: T201


def print_json(value: object) -> None:
    """Print one JSON document to stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))  # noqa: T201


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "") -> None:
    """Print rows to stdout, as wide as they need where stdout is not a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title or None)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


def _print_counts(counts: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        print_table(["what", "count"], list(counts.items()))


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to make the survey.")],
) -> None:
    """Make a survey with a commented protocol to edit."""
    from data.corpus import PROTOCOL, Corpus

    template = Path(__file__).parent / "facts" / "protocol.toml"
    Corpus.create(directory, protocol=template.read_text(encoding="utf-8"))
    say(f"made {directory / PROTOCOL}: edit it, then `cats mine -C {directory}`")


@app.command()
def status(
    corpus: CorpusDir = HERE,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Instead: abstracts by year and by publisher.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count what the survey holds and what is left to do."""
    from data.corpus import Corpus
    from data.trends import survey_counts

    with Corpus(corpus).connect() as db:
        if coverage:
            _print_coverage(db, as_json=as_json)
            return
        _print_counts(survey_counts(db), as_json=as_json)


def _print_coverage(db: duckdb.DuckDBPyConnection, *, as_json: bool) -> None:
    from data.coverage import coverage

    frame = coverage(db)
    if as_json:
        print_json(frame.to_dict(orient="records"))
        return
    for by, part in frame.groupby("by", sort=False):
        rows = (
            part.head(_MOST_GROUPS).to_dict(orient="records")
            if by == "publisher"
            else (part.to_dict(orient="records"))
        )
        cells = [
            [
                *(row[name] for name in ("group", "n", "with_abstract")),
                "{:.1f} [{:.1f}-{:.1f}]".format(*(100 * row[k] for k in ("share", "low", "high"))),
                row["filled_from"],
            ]
            for row in rows
        ]
        columns = [str(by), "n works", "with abstract", "% [Wilson 95%]", "filled from"]
        print_table(columns, cells, title=f"abstracts by {by}")
        if len(part) > len(rows):
            say(
                f"{len(part) - len(rows)} more publishers: --json, or coverage.csv of `cats export`"
            )


@app.command()
def trends(
    corpus: CorpusDir = HERE,
    by: Annotated[str, typer.Option(help="year, venue, modality or country.")] = "year",
    role: Annotated[str, typer.Option(help="source, target or mention.")] = "source",
    among: Annotated[str, typer.Option(help="all papers, or those that transfer.")] = "all",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset; repeat for several.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many datasets, most used first.")] = 8,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Share of papers that use each dataset, with n and a Wilson 95% interval."""
    from data.corpus import Corpus
    from data.trends import leading, survey_shares

    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other; give one")
    with Corpus(corpus).connect() as db:
        frame, note = survey_shares(db, by=by, role=role, among=among)
    wanted = dataset or leading(frame, top)
    frame = frame[frame["dataset"].isin(wanted)]
    if as_json:
        print_json(frame.to_dict(orient="records"))
    elif as_csv:
        frame.to_csv(sys.stdout, index=False)
    else:
        _print_shares(frame, title=f"share of papers with a dataset as {role}, by {by}")
    say(note)


@app.command()
def export(
    prisma: Annotated[
        Path, typer.Option(help="Folder for prisma.svg and .json, coverage.csv, methods.txt.")
    ],
    corpus: CorpusDir = HERE,
) -> None:
    """Write the account of the survey: PRISMA 2020 flow, coverage of abstracts, methods text."""
    from datetime import UTC, datetime
    from importlib.metadata import version
    from operator import methodcaller

    from data.account import account, methods
    from data.corpus import PROTOCOL, Corpus, write_whole
    from data.coverage import coverage
    from data.flow import flow_svg
    from data.protocol import load

    survey = Corpus(corpus)
    protocol = load(survey.path / PROTOCOL)
    with survey.connect() as db:
        found, covered = account(db), coverage(db)
    now = datetime.now(UTC)
    texts = {
        "prisma.svg": flow_svg(found, title=protocol.title),
        "prisma.json": json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n",
        "coverage.csv": covered.to_csv(index=False),
        "methods.txt": methods(found, protocol, version=version("cats-toolkit"), now=now),
    }
    prisma.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(prisma / name, methodcaller("write", text.encode()))
    say(f"wrote {', '.join(texts)} to {prisma}")


def _print_shares(frame: pd.DataFrame, *, title: str) -> None:
    """Groups down, datasets across; a cell is share % [low-high] of n."""
    datasets = list(frame["dataset"].unique())
    rows = []
    for group, part in frame.groupby("group", sort=True):
        cells = {
            row["dataset"]: "{share:.1f} [{low:.1f}-{high:.1f}]".format(
                **{name: 100 * row[name] for name in ("share", "low", "high")}
            )
            for row in part.to_dict(orient="records")
        }
        rows.append([group, part["n_papers"].iloc[0], *(cells.get(name, "") for name in datasets)])
    print_table(["group", "n papers", *(f"{name} %" for name in datasets)], rows, title=title)
