"""`cats init | status | doctor | trends | export | catalogue`, and options of all rooms."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from data.corpus import Corpus
    from data.other_tools import Reject

app = typer.Typer()
catalogue = typer.Typer(
    help="Datasets that are known, and names that are not.", no_args_is_help=True
)
app.add_typer(catalogue, name="catalogue")

CorpusDir = Annotated[
    Path, typer.Option("--corpus", "-C", help="Directory of the survey.", show_default="here")
]
# Without -C: the survey here if there is one.
MaybeCorpusDir = Annotated[
    Path | None,
    typer.Option("--corpus", "-C", help="Directory of the survey.", show_default="here, if any"),
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
    from rich.text import Text

    # Text, since rich takes words in square brackets of a str for its own marks.
    table = Table(title=Text(title) if title else None)
    for column in columns:
        table.add_column(Text(column))
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
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
    recover: Annotated[
        bool,
        typer.Option("--recover", help="First: make a damaged journal anew from what is readable."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count what the survey holds and what is left to do."""
    from data.corpus import Corpus
    from data.trends import survey_counts

    if recover:
        _recover(Corpus(corpus).path)

    with Corpus(corpus).connect() as db:
        if coverage:
            _print_coverage(db, as_json=as_json)
            return
        _print_counts(survey_counts(db), as_json=as_json)


@app.command()
def doctor(corpus: MaybeCorpusDir = None, as_json: AsJson = False) -> None:
    """Look over the installation and the survey: what is whole, missing or broken, and what to do.

    Exit code 3 where something is broken. Nothing is changed; no server is asked.
    """
    import dataclasses
    import os

    from data.doctor import examine

    checks = examine(os.environ, _survey_at(corpus))
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
    else:
        rows = [[c.what, c.state, c.found, c.advice] for c in checks]
        print_table(["what", "state", "found", "to do"], rows)
    broken = [check.what for check in checks if check.state == "bad"]
    if broken:
        raise InputError(f"broken: {', '.join(broken)}; the last column says what to do")


def _recover(survey: Path) -> None:
    from datetime import UTC, datetime

    from data.recovery import recover

    done = recover(survey / "journal.db", now=datetime.now(UTC))
    rows = ", ".join(f"{n} {table}" for table, n in done.rows.items() if n)
    say(f"kept {rows} ({done.from_bytes} decisions from the bytes alone)")
    say(f"the damaged journal is now {done.damaged}; what it had beyond that is lost")


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
    what: Annotated[
        str,
        typer.Argument(
            help="shares, concentration, transfers, growth, first, compare, findings or "
            "sensitivity."
        ),
    ] = "shares",
    corpus: CorpusDir = HERE,
    by: Annotated[
        str,
        typer.Option(help="year, venue, country, modality, organ, task or all."),
    ] = "year",
    role: Annotated[str, typer.Option(help="source, target or mention.")] = "source",
    of: Annotated[
        str,
        typer.Option(
            help="What is counted: dataset, images (natural or medical), naming (named, or implied "
            "by a model only) or unnamed (pretrained, and not said on what)."
        ),
    ] = "dataset",
    among: Annotated[str, typer.Option(help="all papers, or those that transfer.")] = "all",
    text: Annotated[
        str,
        typer.Option(help="Papers read as: separate, full text, abstract or together (mixed)."),
    ] = "separate",
    years: Annotated[
        str | None, typer.Option(help="Such as 2018-2024.", show_default="all")
    ] = None,
    venue: Annotated[list[str] | None, typer.Option(help="Only this venue; repeat.")] = None,
    country: Annotated[list[str] | None, typer.Option(help="Only this country; repeat.")] = None,
    modality: Annotated[list[str] | None, typer.Option(help="Only this modality; repeat.")] = None,
    organ: Annotated[list[str] | None, typer.Option(help="Only this organ; repeat.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; repeat.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Only papers with this dataset as target; repeat.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="For compare: what is otherwise, such as years=2012-2019; repeat."),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset; repeat for several.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many, most used first.")] = 8,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Claims below this score do not count.")
    ] = 0.5,
    presence: Annotated[
        str | None,
        typer.Option(
            help="named, cited, both or any.", show_default="named or implied in the text"
        ),
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            help="Gold labels (Parquet, CSV, JSONL) that correct the shares.",
            show_default="the survey's own",
        ),
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """What papers transfer from: shares, concentration, change, pairs; each with an interval."""
    from data.corpus import Corpus
    from data.cube import survey_cube
    from data.gold_sample import read_labels, survey_labels
    from data.questions import frame, otherwise, selection
    from data.trends import note, survey_citations

    _one_form(as_json, as_csv)
    words: dict[str, Any] = {
        "years": years,
        "venue": venue,
        "country": country,
        "modality": modality,
    }
    words |= {"organ": organ, "task": task, "targets": target, "text": text, "among": among}
    where = selection({**words, "min_score": min_score, "presence": presence})
    with Corpus(corpus).connect() as db:
        cube = survey_cube(db)
        labels = survey_labels(db) if gold is None else read_labels(gold)
        cited = f"; {survey_citations(db)}" if presence else ""
    found = frame(
        what,
        cube,
        by=by,
        role=role,
        of=of,
        where=where,
        other=otherwise(where, against) if against else None,
        datasets=tuple(dataset or ()),
        top=top,
        gold=labels,
    )
    if as_json:
        print_json(found.astype(object).where(found.notna(), None).to_dict(orient="records"))
    elif as_csv:
        found.to_csv(sys.stdout, index=False)
    elif what == "shares":
        _print_shares(found, title=f"share of papers {_WITNESS[presence].format(role)}, by {by}")
    else:
        shown = ["sentence", "how_sure"] if what == "findings" else list(found.columns)
        _print_frame(found[shown], title=what)
    say(note(cube, where, labels) + cited)


_WITNESS = {
    None: "with a dataset as {}",
    "named": "that name a dataset as {}",
    "both": "that name a dataset as {} and cite its paper",
    "cited": "that cite a dataset's paper, in whatever role",
    "any": "with a dataset as {}, or that cite its paper in whatever role",
}


def _one_form(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other; give one")


@app.command()
def export(
    directory: Annotated[
        Path | None,
        typer.Argument(help="Absent or empty folder for a release: tables, figures, checksums."),
    ] = None,
    prisma: Annotated[
        Path | None,
        typer.Option(help="Folder for prisma.svg and .json, coverage.csv, methods.txt."),
    ] = None,
    without_text: Annotated[
        Path | None,
        typer.Option(help="Empty folder for a copy of the survey without anybody's text."),
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(help="File for what people decided: .jsonl, .csv, .parquet, .json."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="Of --decisions: jsonl, csv, parquet, label-studio, doccano, pdf-annotator.",
            show_default="by the ending",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="SPDX id of the licence that a release states for its data.")
    ] = "CC-BY-4.0",
    corpus: CorpusDir = HERE,
) -> None:
    """Release the survey as one immutable snapshot; or its account, a copy, or its decisions."""
    from data.corpus import Corpus
    from data.publish import publish

    if not any((directory, prisma, without_text, decisions)):
        raise InputError(
            "nothing to write; give a FOLDER for a release, --prisma FOLDER, --without-text FOLDER "
            "or --decisions FILE"
        )
    survey = Corpus(corpus)
    if directory is not None:
        _release(survey, directory, licence=licence)
    if decisions is not None:
        _export_decisions(survey, decisions, format)
    if prisma is not None:
        _export_account(survey, prisma)
    if without_text is not None:
        given = publish(survey, without_text)
        say(f"wrote {given.works} works and {given.uses} uses without text to {without_text}")


def _export_decisions(survey: Corpus, path: Path, format: str | None) -> None:
    from data.exchange import export_decisions

    done = export_decisions(survey, path, format=format)
    say(f"wrote {done.n} decisions to {path}")
    if done.n_left_out:
        say(f"{done.n_left_out} left out: they have no place in a text, which this format needs")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `cats export --decisions` writes.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="jsonl, csv, parquet, label-studio, doccano, pdf-annotator.",
            show_default="by ending and content",
        ),
    ] = None,
    reviewer: Annotated[str | None, typer.Option(help="Who gave labels that name nobody.")] = None,
    corpus: CorpusDir = HERE,
) -> None:
    """Take decisions of people from a file; what the survey has already is left as it is."""
    from datetime import UTC, datetime

    from data.corpus import Corpus
    from data.exchange import import_decisions

    survey = Corpus(corpus)
    done = import_decisions(survey, file, format=format, reviewer=reviewer, now=datetime.now(UTC))
    say(f"{done.n_new} decisions are new, {done.n_known} were there already")
    if done.rejects:
        _set_aside(survey, file, done.rejects)


def _set_aside(survey: Corpus, file: Path, rejects: Sequence[Reject]) -> None:
    import dataclasses

    from data.corpus import write_whole
    from data.errors import PartialError

    folder = survey.path / "rejects"
    folder.mkdir(exist_ok=True)
    path = folder / f"{file.name}.rejects.jsonl"
    lines = (
        json.dumps(dataclasses.asdict(each), ensure_ascii=False, default=str) + "\n"
        for each in rejects
    )
    write_whole(path, lambda out: out.writelines(line.encode() for line in lines))
    raise PartialError(
        f"{len(rejects)} rows of {file} are set aside here with their reasons; correct them and "
        "import again: nothing is taken twice",
        path=path,
    )


def _release(survey: Corpus, directory: Path, *, licence: str) -> None:
    from datetime import UTC, datetime
    from importlib.metadata import version

    from data.release import release

    done = release(
        survey, directory, now=datetime.now(UTC), version=version("cats-toolkit"), licence=licence
    )
    say(
        f"released {done.works} works and {done.uses} uses in {done.files} files to {directory}; "
        f"its id is {done.id}"
    )


def _export_account(survey: Corpus, prisma: Path) -> None:
    from datetime import UTC, datetime
    from importlib.metadata import version
    from operator import methodcaller

    from data.account import account, methods
    from data.corpus import PROTOCOL, write_whole
    from data.coverage import coverage
    from data.flow import flow_svg
    from data.protocol import load

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
    """Groups down, datasets across; a cell is share % [low-high], corrected where gold allows."""
    for text, told in frame.groupby("text", sort=False):
        datasets = list(told["dataset"].unique())
        rows = []
        for group, part in told.groupby("group", sort=True):
            cells = {row["dataset"]: _cell(row) for row in part.to_dict(orient="records")}
            n_papers = part["n_papers"].iloc[0]
            rows.append([group, n_papers, *(cells.get(name, "") for name in datasets)])
        columns = ["group", "n papers", *(f"{name} %" for name in datasets)]
        print_table(columns, rows, title=f"{title}; {text}")


def _cell(row: Mapping[Any, Any]) -> str:
    raw = _percent(row, "share", "low", "high")
    if math.isnan(row["corrected"]):
        return raw
    return f"{raw}, corrected {_percent(row, 'corrected', 'corrected_low', 'corrected_high')}"


def _percent(row: Mapping[Any, Any], *names: str) -> str:
    return "{:.1f} [{:.1f}-{:.1f}]".format(*(100 * row[name] for name in names))


def _print_frame(frame: pd.DataFrame, *, title: str) -> None:
    """A frame, numbers to three places and with their intervals; columns without a value left out.

    A lower bound stands after its value, in every frame, and before the upper one.
    """
    shown = frame.dropna(axis="columns", how="all")
    names = [str(name) for name in shown.columns]
    lows = [place for place, name in enumerate(names) if name.split("_")[-1] == "low"]
    rows = []
    for row in shown.itertuples(index=False):
        cells = [_plain(cell) for cell in row]
        for low in lows:
            if cells[low - 1] != "":
                cells[low - 1] = f"{cells[low - 1]} [{cells[low]}, {cells[low + 1]}]"
        rows.append(
            [cell for place, cell in enumerate(cells) if not {place, place - 1} & set(lows)]
        )
    kept = [name for place, name in enumerate(names) if not {place, place - 1} & set(lows)]
    print_table(kept, rows, title=title)


def _plain(cell: object) -> object:
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.3f}"
    return cell


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, as_csv: bool) -> None:
    """Print rows of the same columns as JSON, CSV or a table; several values of a cell by `;`."""
    import csv

    _one_form(as_json, as_csv)
    if as_json:
        print_json(list(rows))
        return
    columns = list(rows[0]) if rows else []
    plain = [
        [";".join(cell) if isinstance(cell, tuple) else cell for cell in row.values()]
        for row in rows
    ]
    if as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([columns, *plain])
    elif rows:
        print_table(columns, plain)


def _survey_at(corpus: Path | None) -> Path | None:
    """The survey's directory that was named, else the one here; None if there is none here."""
    from data.corpus import PROTOCOL, Corpus

    if corpus is not None:
        return Corpus(corpus).path
    return HERE if (HERE / PROTOCOL).is_file() else None


def _own_tables(corpus: Path | None) -> tuple[Path, ...]:
    from data.catalogue import own_tables

    survey = _survey_at(corpus)
    return () if survey is None else own_tables(survey)


@catalogue.command("list")
def list_(
    corpus: MaybeCorpusDir = None,
    domain: Annotated[str | None, typer.Option(help="Only this domain.")] = None,
    own: Annotated[bool, typer.Option("--own", help="Only the survey's own.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """All datasets of the catalogue, the survey's own among them."""
    from data.catalogue import load

    known = load(extra=_own_tables(corpus))
    rows = [
        {
            "id": dataset.id,
            "name": dataset.name,
            "domain": dataset.domain,
            "modality": dataset.modality,
            "year": dataset.year,
            "own": dataset.id in known.own,
        }
        for dataset in known.datasets.values()
        if domain in (None, dataset.domain) and (not own or dataset.id in known.own)
    ]
    print_rows(rows, as_json=as_json, as_csv=as_csv)
    say(f"{len(rows)} of {len(known.datasets)} datasets")


@catalogue.command()
def show(
    name: Annotated[str, typer.Argument(help="Any spelling of a dataset's name.")],
    corpus: MaybeCorpusDir = None,
    as_json: AsJson = False,
) -> None:
    """Everything the catalogue holds on a dataset, and the models trained on it."""
    import dataclasses
    from difflib import get_close_matches

    from data.catalogue import load

    known = load(extra=_own_tables(corpus))
    dataset = known.datasets.get(known.resolve(name) or "")
    if dataset is None:
        names = [name for each in known.datasets.values() for name in each.names]
        alike = ", ".join(repr(each) for each in get_close_matches(name, names, n=3))
        hint = f"did you mean {alike}?" if alike else "`cats catalogue list` shows all"
        raise InputError(f"no dataset is named {name!r}; {hint}")
    row = dataclasses.asdict(dataset)
    row["models"] = tuple(m.id for m in known.models.values() if dataset.id in m.datasets)
    row["own"] = dataset.id in known.own
    if as_json:
        print_json(row)
        return
    cells = {k: ";".join(cell) if isinstance(cell, tuple) else cell for k, cell in row.items()}
    print_table(["field", "value"], list(cells.items()))


@catalogue.command()
def candidates(
    corpus: CorpusDir = HERE,
    top: Annotated[int | None, typer.Option(min=1, help="How many.", show_default="all")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Names in the survey's papers that may be datasets and are not in the catalogue."""
    import dataclasses

    from data.catalogue import load
    from data.corpus import Corpus
    from data.unknown import survey_unknown_names

    survey = Corpus(corpus)
    known = load(extra=_own_tables(corpus))
    with survey.connect() as db:
        found = survey_unknown_names(db, known)
    rows = [dataclasses.asdict(name) for name in found[:top]]
    print_rows(rows, as_json=as_json, as_csv=as_csv)
    say(
        f"{len(found)} names; `cats catalogue add NAME` takes one into this survey's own table, "
        "and `cats annotate` then reads the papers again"
    )


@catalogue.command()
def add(
    name: Annotated[str, typer.Argument(help="The dataset's usual public name.")],
    corpus: CorpusDir = HERE,
    full_name: Annotated[
        str | None, typer.Option(help="The official name in full.", show_default="NAME")
    ] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another spelling; repeat.")] = None,
    domain: Annotated[str, typer.Option(help="Field of the images.")] = "multi-modal",
    modality: Annotated[str, typer.Option(help="How the images were made.")] = "mixed",
    organ: Annotated[str, typer.Option(help="What they show.")] = "",
    year: Annotated[int | None, typer.Option(help="Of publication.")] = None,
    paper: Annotated[
        list[str] | None, typer.Option(help="doi:10..., arXiv:... or https://...; repeat.")
    ] = None,
    openalex: Annotated[
        list[str] | None, typer.Option(help="OpenAlex id of its paper; repeat.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="NAME is a homonym; count it only near this word; repeat."),
    ] = None,
) -> None:
    """Take a dataset into the survey's own table, datasets.csv in its directory."""
    from data.catalogue import add as append
    from data.catalogue import own_table
    from data.corpus import Corpus

    path = own_table(Corpus(corpus).path)
    several = {"aliases": alias, "paper": paper, "openalex": openalex, "context": context}
    cells = {column: ";".join(values or ()) for column, values in several.items()}
    cells |= {"id": name, "name": full_name or name, "domain": domain, "modality": modality}
    cells |= {"organ": organ, "year": str(year or ""), "ambiguous": name if context else ""}
    dataset = append(path, cells)
    say(f"{dataset.id} is in {path}; `cats annotate` reads the papers again")


@catalogue.command()
def cited(
    corpus: CorpusDir = HERE,
    top: Annotated[int | None, typer.Option(min=1, help="How many.", show_default="all")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """How many papers name a dataset, cite its paper, or both: citations as a second witness."""
    from data.corpus import Corpus
    from data.trends import survey_presence

    with Corpus(corpus).connect() as db:
        rows = survey_presence(db).to_dict(orient="records")
    print_rows(
        [{str(k): v for k, v in row.items()} for row in rows[:top]], as_json=as_json, as_csv=as_csv
    )
    if not rows:
        say("no paper here names or cites a dataset whose own paper is known; see `resolve`")
