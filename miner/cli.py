"""`cats plan | mine | abstracts | fulltext | topics | versions | catalogue resolve | replay`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from data.cli import HERE, AsCsv, AsJson, CorpusDir, catalogue, print_json, print_table, say
from data.errors import InputError, NetworkError, PartialError

if TYPE_CHECKING:
    from data.corpus import Corpus
    from miner.lists import Listed
    from miner.parts import Mined
    from miner.references import Kind

app = typer.Typer()

_Step = Literal["mine", "again", "update"]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        help="Slices fetched at once, or processes that read a snapshot.",
        show_default="8; for a snapshot one a core",
    ),
]


Snapshot = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="A copy of OpenAlex's bulk snapshot: a folder, or s3://openalex/data."
    ),
]
EngineName = Annotated[
    Literal["local", "dask"], typer.Option(help="Where a snapshot's parts are read.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", help="A running Dask scheduler, for --engine dask."),
]


@app.command()
def plan(
    corpus: CorpusDir = HERE,
    snapshot: Snapshot = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """What `cats mine` would fetch and cost, by year; one or two calls a question, no data."""
    if snapshot is not None:
        _plan_snapshot(corpus, snapshot, workers=workers, as_json=as_json)
        return
    import os

    from data.corpus import PROTOCOL, Corpus
    from data.protocol import load
    from data.settings import settings
    from miner.mine import WORKERS
    from miner.pace import usual_rate
    from miner.pages import Pages
    from miner.plan import plans

    protocol = load(Corpus(corpus).path / PROTOCOL)
    outside = settings(os.environ)
    has_key = outside.openalex_key is not None
    with Pages(outside) as pages:
        rate = usual_rate(outside.openalex_url, has_key=has_key)
        asked = plans(protocol, pages, has_key=has_key, workers=workers or WORKERS, rate=rate)
    if as_json:
        print_json([plan.as_row() for plan in asked])
        return
    print_table(
        ["query", "works", "slices", "calls", "US dollars", "days of free allowance", "minutes"],
        [
            [
                plan.query,
                plan.works,
                len(plan.slices),
                plan.calls,
                f"{plan.dollars:.4f}",
                plan.days,
                plan.minutes,
            ]
            for plan in asked
        ],
    )
    for plan in asked:
        if plan.topics_alone is not None:
            left_out = plan.topics_alone - plan.works
            say(f"the text leaves out {left_out} of the {plan.topics_alone} works of the topics")
    years = sorted({year for plan in asked for year in plan.by_year})
    print_table(
        ["year", *(plan.query for plan in asked)],
        [[year, *(plan.by_year.get(year, 0) for plan in asked)] for year in years],
    )


def _plan_snapshot(corpus: Path, snapshot: str, *, workers: int | None, as_json: bool) -> None:
    import dataclasses

    from data.corpus import PROTOCOL, Corpus
    from data.protocol import load
    from data.readers import cores
    from miner.snapshot import snapshot_plan

    protocol = load(Corpus(corpus).path / PROTOCOL)
    found = snapshot_plan(protocol, snapshot, workers=workers or cores())
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    print_table(
        ["parts", "GB", "records", "works", "records/s", "MB/s", "workers", "hours"],
        [
            [
                found.parts,
                f"{found.bytes / 1e9:.2f}",
                found.records,
                found.works,
                found.records_per_s,
                found.mb_per_s,
                found.workers,
                found.hours,
            ]
        ],
    )
    say("records, works and hours are judged by one part, read just now by one process")


@app.command()
def mine(
    corpus: CorpusDir = HERE,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Take works from this file instead: OpenAlex's JSON(L), or a reference list "
            "(RIS, BibTeX, CSV or TSV with DOIs, nbib), whose references are looked up; or .gz.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask a question anew that is answered already.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Bring what is new or changed since the last run.")
    ] = False,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Stop before more US dollars than this are spent.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Requests a second at most.", show_default="10, 30 with a key"),
    ] = None,
    snapshot: Snapshot = None,
    engine: EngineName = "local",
    scheduler: Scheduler = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the works that the protocol asks for; the same command continues a stopped run."""
    import dataclasses

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from data.corpus import Corpus
    from miner.references import kind_of

    survey = Corpus(corpus)
    limits = (budget, rate, workers)
    kind = None if source is None else kind_of(source)
    listed: Listed | None = None
    console = Console(stderr=True)
    columns = (
        TextColumn("mining"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]} {task.fields[money]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("mining", total=None, speed="", money="")

        def progress(works: int, expected: int | None, money: str = "") -> None:
            per_s = bar.tasks[0].speed
            speed = f"{per_s:,.0f} works/s" if per_s else ""
            bar.update(task, completed=works, total=expected, speed=speed, money=money)

        if snapshot is not None:
            _one_source(source=source, update=update)
            on = (engine, workers, scheduler)
            mined = _mine_snapshot(survey, snapshot, on=on, again=again, progress=progress)
        elif source is None:
            step: _Step = "update" if update else "again" if again else "mine"
            mined = _mine_server(survey, step=step, limits=limits, progress=progress)
        elif kind is None:
            mined = _mine_file(survey, source, progress=progress)
        else:
            listed = _mine_list(survey, source, kind, again=again, limits=limits, progress=progress)
            mined = listed.mined
    if as_json:
        print_json(dataclasses.asdict(mined))
    say(f"{mined.works} works, {mined.left_out} of them left out by the protocol")
    if mined.expected is not None and mined.expected != mined.works:
        say(f"the server counts {mined.expected} for the whole question")
    _renew(survey)
    _merge(survey)
    unresolved = 0 if listed is None or listed.taken_at else listed.unresolved
    if mined.rejects:
        unread = f"{mined.rejects} records could not be read; each is here with its reason"
        more = f" ({unresolved} more are unknown to OpenAlex: unresolved/)" if unresolved else ""
        raise PartialError(unread + more, path=survey.path / "rejects")
    if listed is not None and unresolved:
        raise PartialError(
            f"{unresolved} references are unknown to OpenAlex; they are kept under local ids, and "
            "each is here with its reason",
            path=listed.report,
        )


def _mine_server(
    survey: Corpus,
    *,
    step: _Step,
    limits: tuple[float | None, float | None, int | None],
    progress: Callable[[int, int | None, str], None],
) -> Mined:
    """Ask the server, within (budget in US dollars, requests a second, slices at once)."""
    import os
    from datetime import UTC, datetime

    from data.corpus import PROTOCOL
    from data.protocol import load
    from data.settings import settings
    from miner.mine import WORKERS, mine, run_settings
    from miner.pace import Pace, usual_rate
    from miner.pages import Pages
    from miner.parts import Mined
    from miner.update import update

    protocol, outside = load(survey.path / PROTOCOL), settings(os.environ)
    server = outside.openalex_url
    asked = run_settings(protocol, server)
    with survey.journal() as journal:
        ended = journal.ended_at("mine", settings=asked)
        is_open = journal.open_run("mine", settings=asked) is not None
    if step == "mine" and ended is not None and not is_open:
        say(
            f"this question was answered whole on {ended:%Y-%m-%d}; "
            "--update brings what is new, --again asks it anew"
        )
        return Mined()
    budget, rate, workers = limits
    has_key = outside.openalex_key is not None
    pace = Pace(rate or usual_rate(server, has_key=has_key), budget)

    def told(works: int, expected: int | None) -> None:
        left = "" if pace.left is None else f", ${pace.left:.4f} left today"
        progress(works, expected, f"${pace.spent:.4f} spent{left}")

    with Pages(outside, pace=pace) as pages:
        mined = (update if step == "update" else mine)(
            survey,
            protocol,
            pages,
            server=server,
            clock=lambda: datetime.now(UTC),
            progress=told,
            workers=workers or WORKERS,
        )
    say(f"${pace.spent:.4f} spent")
    return mined


def _mine_file(
    survey: Corpus, source: Path, *, progress: Callable[[int, int | None], None]
) -> Mined:
    from datetime import UTC, datetime

    from data.corpus import PROTOCOL
    from data.protocol import load
    from miner.files import mine_file

    return mine_file(
        survey,
        load(survey.path / PROTOCOL),
        source,
        clock=lambda: datetime.now(UTC),
        progress=progress,
    )


def _mine_list(
    survey: Corpus,
    source: Path,
    kind: Kind,
    *,
    again: bool,
    limits: tuple[float | None, float | None, int | None],
    progress: Callable[[int, int | None], None],
) -> Listed:
    """Look up the references of a list, within limits as in `_mine_server`."""
    import os
    from datetime import UTC, datetime

    from data.corpus import PROTOCOL
    from data.protocol import load
    from data.settings import settings
    from miner.lists import mine_list
    from miner.mine import WORKERS
    from miner.pace import Pace, usual_rate
    from miner.pages import Pages

    outside = settings(os.environ)
    budget, rate, workers = limits
    usual = usual_rate(outside.openalex_url, has_key=outside.openalex_key is not None)
    with Pages(outside, pace=Pace(rate or usual, budget)) as pages:
        listed = mine_list(
            survey,
            load(survey.path / PROTOCOL),
            source,
            kind,
            pages=pages,
            server=outside.openalex_url,
            clock=lambda: datetime.now(UTC),
            progress=progress,
            again=again,
            workers=workers or WORKERS,
        )
    if listed.taken_at is not None:
        say(
            f"this list was taken whole on {listed.taken_at:%Y-%m-%d}, {listed.unresolved} "
            "references unresolved; --again looks them up anew"
        )
    return listed


def _renew(survey: Corpus) -> None:
    """Keep abstracts that were filled, and say how many are still to be."""
    from datetime import UTC, datetime

    from data.corpus import PROTOCOL
    from data.protocol import load
    from miner.abstracts import renew, unasked

    renew(survey, load(survey.path / PROTOCOL), clock=lambda: datetime.now(UTC))
    n_missing = unasked(survey)
    if n_missing:
        say(f"{n_missing} works lack only an abstract; `cats abstracts` looks for them elsewhere")


@app.command()
def abstracts(
    corpus: CorpusDir = HERE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask each source for so many works at most.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask also for works that were not found before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill missing abstracts from Europe PMC and arXiv; the same command continues."""
    import os
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from data.corpus import PROTOCOL, Corpus
    from data.protocol import load
    from data.settings import settings
    from miner.abstracts import fill
    from miner.hosts import Hosts

    survey, outside = Corpus(corpus), settings(os.environ)
    console = Console(stderr=True)
    with (
        Hosts(outside) as hosts,
        Progress(console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("abstracts", total=None)
        filled = fill(
            survey,
            load(survey.path / PROTOCOL),
            hosts,
            outside,
            clock=lambda: datetime.now(UTC),
            progress=lambda works, expected: bar.update(task, completed=works, total=expected),
            limit=limit,
            again=again,
        )
    if as_json:
        print_json({"asked": filled.asked, "found": filled.found, "came_in": filled.came_in})
    found = ", ".join(f"{n} in {source}" for source, n in filled.found.items()) or "none"
    say(f"asked for {filled.asked} works; abstracts found: {found}")
    say(f"{filled.came_in} works came into the survey; `cats status --coverage` shows what lacks")
    _merge(survey)


def _one_source(*, source: Path | None, update: bool) -> None:
    if source is not None or update:
        raise InputError("--snapshot excludes --from and --update; give one")


def _mine_snapshot(
    survey: Corpus,
    place: str,
    *,
    on: tuple[Literal["local", "dask"], int | None, str | None],
    again: bool,
    progress: Callable[[int, int | None, str], None],
) -> Mined:
    """Read a snapshot on (engine, workers, scheduler)."""
    import time
    from datetime import UTC, datetime

    from data.corpus import PROTOCOL
    from data.engines import Engine
    from data.protocol import load
    from miner.snapshot import Progress, mine_snapshot

    began = time.perf_counter()

    def rate(at: Progress) -> str:
        mb_per_s = at.bytes / 1e6 / (time.perf_counter() - began)
        return f"{at.parts} of {at.of_parts} parts, {mb_per_s:,.1f} MB/s"

    at = mine_snapshot(
        survey,
        load(survey.path / PROTOCOL),
        place,
        clock=lambda: datetime.now(UTC),
        engine=Engine(*on),
        again=again,
        progress=lambda at: progress(at.records, at.expected, rate(at)),
    )
    if at.parts:
        say(f"{at.records:,} records looked through in {rate(at)}")
    elif not at.mined.rejects:
        say("all parts of this snapshot have been read; --again reads them anew")
    return at.mined


@app.command()
def topics(
    words: Annotated[str, typer.Argument(help="Words of the topic's name.")],
    as_json: AsJson = False,
) -> None:
    """OpenAlex's topics by name, as lines to pin in protocol.toml; one call at a search's price."""
    import os

    from data.settings import settings
    from miner.openalex import topics_named
    from miner.pages import Pages

    with Pages(settings(os.environ)) as pages:
        found = topics_named(words, pages.topics(words).results)
    if as_json:
        print_json([topic.model_dump() | {"works": works} for topic, works in found])
        return
    for topic, works in found:
        name = topic.name.replace('"', '\\"')
        print(f'    {{ id = "{topic.id}", name = "{name}" }},  # {works} works')  # noqa: T201
    if not found:
        say(f"no topic has {words!r} in its name or description; try fewer words")


@app.command()
def versions(
    corpus: CorpusDir = HERE,
    split: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="W1 W2", help="Hold these two works apart from now on."),
    ] = None,
    undo_split: Annotated[
        tuple[str, str] | None, typer.Option(metavar="W1 W2", help="Take a split back.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who splits, for the record.")] = None,
    note: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Merge preprint, proceedings and journal version of a paper; print what was merged and why."""
    from data.corpus import Corpus
    from miner.versions import merged

    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other; give one")
    survey = Corpus(corpus)
    if split or undo_split:
        _split(survey, split, undo_split, by=by, note=note)
    _merge(survey)
    with survey.connect() as db:
        rows = merged(db)
    if as_json:
        print_json(rows)
    elif as_csv:
        _print_csv(rows)
    else:
        print_table(
            ["version", "year", "venue", "merged into", "year", "venue", "title", "why"],
            [
                [
                    *(row[name] for name in ("work_id", "year", "venue", "into", "into_year")),
                    *(row[name] for name in ("into_venue", "into_title", "reason")),
                ]
                for row in rows
            ],
        )


def _split(
    survey: Corpus,
    split: tuple[str, str] | None,
    undo_split: tuple[str, str] | None,
    *,
    by: str | None,
    note: str | None,
) -> None:
    from datetime import UTC, datetime

    from miner.openalex import work_id
    from miner.versions import hold_apart

    if not (by and by.strip()):
        raise InputError("a split is kept with the name of who made it; give --by NAME")
    for pair, apart in ((split, True), (undo_split, False)):
        if pair is not None:
            one, other = map(work_id, pair)
            now = datetime.now(UTC)
            hold_apart(survey, one, other, by=by.strip(), note=note, apart=apart, now=now)
            say(f"{one} and {other} are {'split' if apart else 'no longer split'}")


def _merge(survey: Corpus) -> None:
    from datetime import UTC, datetime

    from miner.versions import merge_versions

    merges = merge_versions(survey, clock=lambda: datetime.now(UTC))
    papers = len({merge.into for merge in merges})
    say(f"{len(merges)} versions merged into {papers} papers")


def _print_csv(rows: list[dict[str, Any]]) -> None:
    import csv
    import sys

    from miner.versions import MERGED_COLUMNS

    writer = csv.DictWriter(sys.stdout, MERGED_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


@catalogue.command()
def resolve(
    corpus: CorpusDir = HERE,
    again: Annotated[
        bool, typer.Option("--again", help="Ask anew for papers that OpenAlex did not know.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Requests a second at most.", show_default="10, 30 with a key"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look up the OpenAlex ids of the datasets' own papers, for citations as a second witness."""
    import dataclasses
    import os
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from data.catalogue import load, own_tables
    from data.citations import dois_of, looked_up_path, works_by_doi
    from data.corpus import Corpus
    from data.settings import settings
    from miner.pace import Pace, usual_rate
    from miner.pages import Pages
    from miner.papers import resolve as look_up

    survey, outside = Corpus(corpus), settings(os.environ)
    dois = dois_of(load(extra=own_tables(survey.path)))
    held = works_by_doi(survey.table("SELECT id, doi, links FROM works"), dois)
    dois = [doi for doi in dois if doi not in held]
    has_key = outside.openalex_key is not None
    pace = Pace(rate or usual_rate(outside.openalex_url, has_key=has_key))
    console = Console(stderr=True)
    with (
        Progress(console=console, disable=not console.is_terminal) as bar,
        Pages(outside, pace=pace) as pages,
    ):
        task = bar.add_task("looking up", total=len(dois))
        done = look_up(
            looked_up_path(survey.path),
            dois,
            pages,
            clock=lambda: datetime.now(UTC),
            again=again,
            progress=lambda n: bar.advance(task, n),
        )
    if as_json:
        print_json(dataclasses.asdict(done) | {"in the survey": len(held)})
    say(
        f"{done.found} found, {done.unknown} not known to OpenAlex, {done.before} answered before, "
        f"{len(held)} are works of this survey"
    )


@app.command()
def fulltext(
    corpus: CorpusDir = HERE,
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="Take JATS, TEI, HTML, LaTeX, PDF and text from this folder."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="europepmc, arxiv, openalex or copy; repeat for several; all if none."),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(min=0, help="US dollars for OpenAlex's texts, $0.01 each; it needs a key."),
    ] = 0.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Works at most in this run.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask again where nothing was found before.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Works looked for at once.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Fetch the open full text of included works that have none; it stays on this machine."""
    from data.corpus import Corpus
    from miner.fulltext import ORIGINS, missing_extra

    lacking = missing_extra()
    if lacking is not None:
        raise InputError(f"full text needs {lacking}; pip install 'cats-toolkit[fulltext]'")
    unknown = [name for name in origin or [] if name not in ORIGINS]
    if unknown:
        raise InputError(f"origin {unknown[0]!r} is not one of {', '.join(ORIGINS)}")
    survey = Corpus(corpus)
    if folder is not None:
        _take_folder(survey, folder, as_json=as_json)
        return
    if "openalex" in (origin or []) and not budget:
        raise InputError("OpenAlex's texts cost $0.01 each; say with --budget how much it may be")
    wanted = [name for name in origin or ORIGINS if name != "openalex" or budget]
    _fetch_full_text(
        survey, wanted, budget=budget, limits=(limit, workers), again=again, as_json=as_json
    )


def _fetch_full_text(
    survey: Corpus,
    origins: list[str],
    *,
    budget: float,
    limits: tuple[int | None, int],
    again: bool,
    as_json: bool,
) -> None:
    """Ask the servers, within (works, works at once)."""
    import os
    from datetime import UTC, datetime

    from data.settings import settings
    from miner.fulltext import Fetched, by_origin, fetch_full_text
    from miner.hosts import Hosts

    outside, (limit, workers) = settings(os.environ), limits
    with _bar("full text") as told, Hosts(outside, budget=budget) as hosts:

        def progress(fetched: Fetched, total: int) -> None:
            told(fetched.works, total, f"{fetched.found.total()} found")

        fetched = fetch_full_text(
            survey,
            hosts,
            outside,
            clock=lambda: datetime.now(UTC),
            origins=origins,
            limit=limit,
            again=again,
            workers=workers,
            progress=progress,
        )
        spent = hosts.content_pace.spent
    if as_json:
        print_json(fetched.as_row() | {"spent_usd": round(spent, 4)})
    found = by_origin(fetched.found) or "none found"
    say(f"{fetched.works} works looked for: {found}; ${spent:.4f} spent")
    if fetched.unreached:
        raise NetworkError(
            f"{fetched.unreached} works could not be asked for now ({fetched.why}); the same "
            "command continues"
        )


def _take_folder(survey: Corpus, folder: Path, *, as_json: bool) -> None:
    import dataclasses
    from datetime import UTC, datetime

    from miner.papers_at_hand import take_folder

    with _bar("full text") as told:
        taken = take_folder(survey, folder, clock=lambda: datetime.now(UTC), progress=told)
    if as_json:
        print_json(dataclasses.asdict(taken))
    say(f"{taken.files} files: text of {taken.works} works taken, {taken.known} taken before")
    if taken.listed is not None:
        raise PartialError(
            f"{taken.rejects} files could not be matched or read; each is here with its reason",
            path=taken.listed,
        )


@contextmanager
def _bar(words: str) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal; what it yields is told done, total and a note."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(words, total=None, note="")

        def told(done: int, total: int, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield told


@app.command()
def replay(
    works: Annotated[
        Path | None,
        typer.Argument(
            help="Works in OpenAlex's JSON(L) shape, plain or .gz.",
            show_default="the embedded sample",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault by name; repeat for several.")
    ] = None,
) -> None:
    """Serve a works file as OpenAlex on this machine, until interrupted; prints its address."""
    import threading

    import msgspec

    from data.sample import WORKS
    from miner.files import read_records
    from miner.replay import StoredWork, serve

    records = [
        StoredWork(msgspec.json.encode(record))
        for _, record in read_records(works or WORKS)
        if isinstance(record, dict)
    ]
    with serve(records, port=port, faults=fault or []) as (url, _):
        print(url, flush=True)  # noqa: T201
        say(f"serving {len(records)} works; set CATS_OPENALEX_URL={url}; Ctrl-C stops")
        threading.Event().wait()
