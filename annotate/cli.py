"""`cats annotate | evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from data.cli import HERE, AsJson, CorpusDir, print_json, print_table, say
from data.errors import InputError, PartialError

if TYPE_CHECKING:
    from annotate.calibration import Calibration
    from annotate.evaluate import Evaluation, Score
    from annotate.report import Report
    from data.engines import Engine

app = typer.Typer()


@app.command()
def annotate(
    corpus: CorpusDir = HERE,
    texts: Annotated[
        Path | None,
        typer.Option(help='Annotate lines of {"id","title","abstract"} instead of a survey.'),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where --texts writes its lines.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes.", show_default="this one; with Dask one a core"),
    ] = None,
    engine: Annotated[
        Literal["local", "dask"], typer.Option(help="Processes of this machine, or Dask.")
    ] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="A running Dask scheduler, such as tcp://10.0.0.1:8786.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the datasets that papers use, and in which role; the same wherever it is run."""
    from data.engines import Engine

    if (texts is None) != (out is None):
        raise InputError("--texts and --out go together; give both or neither")
    where = Engine(engine, workers or (1 if engine == "local" else None), scheduler)
    if texts is None:
        done = _annotate_corpus(corpus, where)
    else:
        done = _annotate_texts(texts, out or HERE, where)
    if as_json:
        print_json(done)
    else:
        say(", ".join(f"{count} {what}" for what, count in done.items()))


def _annotate_corpus(corpus: Path, engine: Engine) -> dict[str, int]:
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from annotate.pipeline import Annotator
    from annotate.run import annotate_survey
    from data.catalogue import own_tables
    from data.corpus import Corpus

    survey = Corpus(corpus)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("annotating", total=None)
        n_works, n_uses = annotate_survey(
            survey,
            Annotator(extra=own_tables(survey.path)),
            clock=lambda: datetime.now(UTC),
            engine=engine,
            progress=lambda n: bar.advance(task, n),
        )
    return {"works annotated": n_works, "uses found": n_uses}


def _annotate_texts(texts: Path, out: Path, engine: Engine) -> dict[str, int]:
    from annotate.pipeline import Annotator
    from annotate.run import annotated
    from annotate.texts import as_line, papers_only, read_papers, write_lines

    rejects: list[dict[str, Any]] = []
    n_uses = 0
    annotator = Annotator()

    def lines() -> Any:
        nonlocal n_uses
        papers = papers_only(read_papers(texts, rejects=rejects))
        for annotation in annotated(papers, annotator, run="texts", engine=engine):
            n_uses += len(annotation.uses)
            yield as_line(annotation)

    n_papers = write_lines(out, lines())
    if rejects:
        path = out.with_name(out.name + ".rejects.jsonl")
        write_lines(path, rejects)
        raise PartialError(
            f"{n_papers} papers annotated, {len(rejects)} lines of {texts} set aside here with "
            "their reasons; correct them and run again",
            path=path,
        )
    return {"papers annotated": n_papers, "uses found": n_uses}


@app.command()
def evaluate(
    gold: Annotated[Path, typer.Option(help="Labelled papers, one JSON a line.")],
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            help='Lines of {"id","title","abstract"} for labels without text; repeat for several.'
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Labels by another person, to be measured in the annotator's place."),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Also what one would write instead: alias regex, general NER. Off by default: "
            "NER needs a package more, and seconds a hundred abstracts.",
        ),
    ] = False,
    errors: Annotated[
        Path | None,
        typer.Option(help="Write a page of all mistakes here (HTML). It quotes the papers."),
    ] = None,
    min_f1: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE=VALUE",
            help='Exit 5 below this F1, such as "all sources=0.8"; repeat for several.',
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Precision, recall, F1 and calibration against labels, with bootstrap intervals by paper."""
    from annotate.errors_page import write_errors_page
    from annotate.evaluate import check_gates, gates
    from annotate.report import annotator_report, people_report

    least = gates(min_f1 or [])
    if against and (baselines or texts):
        raise InputError("--against compares labels alone; leave --baselines and --texts out")
    report = (
        people_report(gold, against)
        if against
        else annotator_report(gold, texts=texts or (), baselines=baselines)
    )
    if as_json:
        print_json(report.as_json())
    else:
        _print_report(report)
    first = report.annotators[0]
    if report.left_out:
        _say_left_out(report.left_out, against)
    if errors:
        write_errors_page(
            errors,
            report.mistakes,
            annotator=first.annotator,
            gold=report.gold,
            n_papers=report.n_papers,
        )
        say(f"wrote {len(report.mistakes)} mistakes to {errors}; it quotes the papers")
    check_gates(first.scores, least)


def _say_left_out(ids: list[str], against: Path | None) -> None:
    shown = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
    why = "in one of the two files only" if against else "no text; give it with --texts"
    say(f"papers left out: {len(ids)} ({why}): {shown}")


def _print_report(report: Report) -> None:
    first = report.annotators[0]
    where = f"on {report.gold}, n = {report.n_papers} papers"
    print_table(
        ["measure", "by", "gold", "found", "right", "precision", "recall", "F1"],
        _score_rows(report.annotators),
        title=f"{first.annotator} {where}; 95% bootstrap intervals by paper",
    )
    if first.calibration:
        _print_calibration(first.calibration, where)
    if report.agreement:
        print_table(
            ["Cohen's kappa", "pairs", "same", "kappa"],
            [
                [one.of, one.n, one.n_same, _rate(one.kappa, one.kappa_interval)]
                for one in report.agreement
            ],
            title=f"agreement with {first.annotator} {where}",
        )


def _score_rows(annotators: list[Evaluation]) -> list[list[object]]:
    """Each measure with all annotators below each other; those that could not run at the end."""
    able = [one for one in annotators if one.scores]
    rows = [
        [score.measure if one is able[0] else "", one.annotator, *_figures(score)]
        for together in zip(*(one.scores for one in able), strict=True)
        for one, score in zip(able, together, strict=True)
    ]
    return rows + [["-", one.annotator, "", "", "", one.note] for one in annotators if one.note]


def _figures(score: Score) -> list[object]:
    return [
        score.n_gold,
        score.n_found,
        score.n_right,
        _rate(score.precision, score.precision_interval),
        _rate(score.recall, score.recall_interval),
        _rate(score.f1, score.f1_interval),
    ]


def _rate(rate: float | None, interval: tuple[float, float] | None) -> str:
    if rate is None or interval is None:
        return "-"
    return f"{rate:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _print_calibration(calibration: list[Calibration], where: str) -> None:
    print_table(
        ["uses found", "n", "right", "calibration error", "of it by chance", "Brier score"],
        [
            [
                one.of,
                one.n,
                one.n_right,
                _rate(one.ece, one.ece_interval),
                f"{one.ece_noise:.2f}",
                _rate(one.brier, one.brier_interval),
            ]
            for one in calibration
        ],
        title=f"scores as probabilities, {where}",
    )
    print_table(
        ["uses found", "scores", "n", "mean score", "share right"],
        [
            [
                one.of if place == 0 else "",
                f"{bin.low:.2f}-{bin.high:.2f}",
                bin.n,
                f"{bin.mean_score:.2f}",
                _rate(bin.share, bin.interval),
            ]
            for one in calibration
            for place, bin in enumerate(one.bins)
        ],
        title=f"reliability, {where}; Wilson 95% intervals",
    )
