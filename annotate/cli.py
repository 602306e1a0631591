"""`cats annotate | evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from data.cli import HERE, AsJson, CorpusDir, print_json, print_table, say
from data.errors import InputError, PartialError

if TYPE_CHECKING:
    from annotate.evaluate import Score
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
    from data.corpus import Corpus

    survey = Corpus(corpus)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("annotating", total=None)
        n_works, n_uses = annotate_survey(
            survey,
            Annotator(),
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
    as_json: AsJson = False,
) -> None:
    """Precision, recall and F1 against labelled papers, with bootstrap 95% intervals by paper."""
    import dataclasses

    from annotate.evaluate import labels, scores
    from annotate.pipeline import Annotator
    from annotate.texts import as_line, read_papers
    from data.catalogue import load

    catalogue, annotator = load(), Annotator()
    papers = list(read_papers(gold))
    wanted = []
    for paper, _ in papers:
        try:
            wanted.append(labels(paper["uses"], catalogue))
        except (KeyError, TypeError, AttributeError) as e:
            raise InputError(
                'expected "uses": [{"dataset", "role", "implied"}], as in the codebook',
                path=gold,
                record=paper["id"],
            ) from e
    annotations = annotator.annotate(((p["id"], passages) for p, passages in papers), run="gold")
    found = [labels(as_line(annotation)["uses"], catalogue) for annotation in annotations]
    table = scores(wanted, found)
    if as_json:
        print_json([dataclasses.asdict(score) for score in table])
    else:
        title = f"{annotator.version} on {gold.name}, n = {len(papers)} papers"
        print_table(
            ["measure", "gold", "found", "right", "precision", "recall", "F1"],
            [_row(score) for score in table],
            title=title,
        )


def _row(score: Score) -> list[object]:
    rates = [
        (score.precision, score.precision_interval),
        (score.recall, score.recall_interval),
        (score.f1, score.f1_interval),
    ]
    cells = [
        "-"
        if rate is None or interval is None
        else f"{rate:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
        for rate, interval in rates
    ]
    return [score.measure, score.n_gold, score.n_found, score.n_right, *cells]
