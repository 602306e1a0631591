"""`cats annotate | evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from data.cli import HERE, AsJson, CorpusDir, print_json, print_table, say
from data.errors import InputError, PartialError

if TYPE_CHECKING:
    from annotate.calibration import Calibration
    from annotate.evaluate import Evaluation, Score
    from annotate.report import Report
    from annotate.review import Shown
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
    learn: Annotated[
        bool,
        typer.Option("--learn", help="Instead: fit scores and roles to decisions, gold left out."),
    ] = False,
    weights: Annotated[
        Literal["learned", "packaged"] | None,
        typer.Option("--use", help="From now on read with what was learned, or as packaged."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the datasets that papers use, and in which role; the same wherever it is run."""
    from data.engines import Engine

    if learn:
        _learn(corpus, as_json=as_json)
        return
    if weights is not None:
        _use(corpus, weights)

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


def _learn(corpus: Path, *, as_json: bool) -> None:
    from annotate.learning import learn
    from data.corpus import Corpus

    found = learn(Corpus(corpus))
    if as_json:
        print_json(found.as_json())
    else:
        print_table(
            ["held out", "now", "learned", "change, 95%"],
            [
                [f"F1 {each.role}", *_both(each.before, each.after), _span(each.interval)]
                for each in found.f1
            ]
            + [
                [
                    "calibration error",
                    *(_rate(*each) for each in (found.ece_before, found.ece_after)),
                    "",
                ]
            ],
            title=f"{found.n_papers} papers, {found.n_findings} findings that people decided on",
        )
    say(
        f"the weights are in {found.weights}; nothing reads with them until `cats annotate --use "
        "learned`"
    )


def _both(*values: float | None) -> list[str]:
    return ["-" if value is None else f"{value:.3f}" for value in values]


def _span(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"[{interval[0]:+.3f}, {interval[1]:+.3f}]"


def _use(corpus: Path, weights: str) -> None:
    from annotate.learning import use_learned, use_packaged
    from data.corpus import Corpus

    survey = Corpus(corpus).path
    if weights == "learned":
        say(f"this survey is read with {use_learned(survey)} from now on")
    else:
        use_packaged(survey)
        say("this survey is read with the packaged weights from now on")


def _annotate_corpus(corpus: Path, engine: Engine) -> dict[str, int]:
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from annotate.learned import survey_weights
    from annotate.pipeline import Annotator
    from annotate.run import annotate_survey
    from data.catalogue import own_tables
    from data.corpus import Corpus
    from data.topics import survey_topics

    survey = Corpus(corpus)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("annotating", total=None)
        n_works, n_uses = annotate_survey(
            survey,
            Annotator(extra=own_tables(survey.path), weights=survey_weights(survey.path)),
            clock=lambda: datetime.now(UTC),
            engine=engine,
            progress=lambda n: bar.advance(task, n),
        )
    # Modality, organ and task of what was just read: else the first page would look for them.
    with survey.connect() as db:
        survey_topics(db)
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


# --- what `cats review` does besides the page -------------------------------------------------


def check_queue(name: str) -> None:
    """Nothing, if there is a queue of that name.

    Raises:
        InputError: there is none.
    """
    from data.records import QUEUES

    if name not in QUEUES:
        raise InputError(f"--queue {name!r} is not one of {', '.join(QUEUES)}")


def review_here(corpus: Path, reviewer: str, name: str, *, paper: str | None) -> None:
    """Review in this terminal; a paper is shown with everything in it, a gold one blind."""
    from annotate.terminal import review
    from data.corpus import Corpus

    check_queue(name)
    shown = cast("Shown", "paper" if paper and name != "gold" else name)
    n = review(Corpus(corpus), reviewer=reviewer, name=shown, work_id=paper)
    say(f"{n} events stored")


def draw_gold(corpus: Path, n: int, *, seed: int | None, again: bool, as_json: bool) -> None:
    """Draw gold papers and say from how many."""
    import dataclasses
    from datetime import UTC, datetime

    from annotate.sampling import draw
    from data.corpus import Corpus

    drawn = draw(Corpus(corpus), n=n, seed=seed, again=again, now=datetime.now(UTC))
    if as_json:
        print_json(dataclasses.asdict(drawn))
    say(
        f"{drawn.n} gold papers of {drawn.n_frame}, from {drawn.n_strata} strata, seed "
        f"{drawn.seed}; two people read each: `cats review --reviewer NAME --queue gold`"
    )


def print_review_status(
    corpus: Path, reviewer: str, trend: Mapping[str, Any], *, as_json: bool
) -> None:
    """What waits in each queue, and how many gold readings a trend needs yet."""
    from annotate.sampling import review_status
    from data.corpus import Corpus

    found = review_status(Corpus(corpus), reviewer=reviewer, **trend)
    if as_json:
        print_json(found)
        return
    print_table(
        ["queue", "done by you", "waiting"],
        [[name, own["done"], own["waiting"]] for name, own in found["queues"].items()],
    )
    print_table(
        ["gold papers", "count"],
        [["drawn", found["gold_drawn"]], ["read by two people", found["gold_read"]]],
    )
    needed = found["needed"]
    if needed is None:
        say("no gold sample is drawn yet; `cats review --draw N` draws one")
        return
    what = f"{needed['dataset']} as {needed['role']}, {needed['year'] or 'all years'}"
    share = "not known yet"
    if needed["share"] is not None:
        share = "{:.1f}% [{:.1f}, {:.1f}]".format(
            *(100 * needed[part] for part in ("share", "low", "high"))
        )
    say(
        f"{what}: {share} by gold alone; {needed['n_papers']} more papers, "
        f"{needed['n_decisions']} readings, until the interval is below {needed['wanted']:g} points"
    )


def print_agreement(corpus: Path, *, as_json: bool) -> None:
    """How far reviewers agree with each other and with themselves, and how long they take."""
    from annotate.reviewers import survey_reviewers
    from data.corpus import Corpus

    with Corpus(corpus).connect() as db:
        found = survey_reviewers(db)
    if as_json:
        print_json(found.as_json())
        return
    print_table(
        ["of", "units", "papers", "pairs", "same %", "Cohen's kappa", "Krippendorff's alpha"],
        [
            [
                each.of,
                each.n,
                each.n_papers,
                each.n_pairs,
                f"{100 * each.share:.1f}",
                _rate(each.kappa, each.kappa_interval),
                _rate(each.alpha, each.alpha_interval),
            ]
            for each in found.agreement
        ],
        title="agreement of reviewers; 95% bootstrap intervals by paper",
    )
    for table in found.confusion:
        print_table(
            [f"{table.first} \\ {table.second}", *table.categories],
            [[name, *row] for name, row in zip(table.categories, table.table, strict=True)],
        )
    print_table(
        ["reviewer", "repeats", "same", "Wilson 95%"],
        [[r.reviewer, r.n, r.n_same, _rate(r.n_same / r.n, r.interval)] for r in found.repeats],
        title="agreement with oneself",
    )
    print_table(
        ["reviewer", "queue", "decisions", "median s"],
        [[p.reviewer, p.queue, p.n, f"{p.median_s:.1f}"] for p in found.pace],
    )
