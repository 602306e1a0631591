"""What a report opens and ends with: title, question, papers; limits, citing, making it again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

from dashboard.report.asked import Asked
from dashboard.report.document import (
    Html,
    Section,
    code,
    described,
    element,
    emphasised,
    figure,
    joined,
    listed,
    paragraph,
    section,
    table,
)
from dashboard.report.tables import count, rows_of
from dashboard.source import Source
from dashboard.texts import CANNOT_TELL, HOW_FIGURES_COME_ABOUT
from data.account import methods
from data.bibliography import bibtex
from data.counting import values_of
from data.cube import UNKNOWN, By
from data.flow import flow_svg
from data.records import Work
from data.sample import LABEL

_GROUPS = 12  # venues or countries named at most


def head(survey: Asked) -> Html:
    """Title, and what a reader asks first: what, when, by what, by whom."""
    drawn = survey.drawn
    gold = ""
    if drawn is not None and drawn.n_read:
        who = ", ".join(drawn.readers)
        gold = f"{drawn.n_read:,} papers of a random sample, each by two reviewers ({who}), blind"
    n_papers = survey.cube.n_papers
    return joined(
        (
            element("h1", survey.protocol.title),
            paragraph(
                "Which datasets do these papers transfer from? A survey of "
                f"{n_papers:,} papers, with intervals.",
                css="subtitle",
            ),
            paragraph(f"{LABEL}.", css="sample") if survey.is_sample else "",
            described(
                (
                    ("State of the survey", survey.state.isoformat()),
                    ("Snapshot", survey.snapshot),
                    ("Read by the annotator", ", ".join(survey.account.annotators)),
                    ("Read by reviewers", gold),
                    ("Protocol", survey.protocol.hash),
                    ("Made with", f"CATS {survey.version}"),
                )
            ),
        )
    )


def question_and_papers(survey: Asked) -> Section:
    """What was asked, how many papers were found, left out and read, and where they are from."""
    search = survey.protocol.search
    paragraphs = methods(
        survey.account,
        survey.protocol,
        version=survey.version,
        now=datetime.combine(survey.state, time(), UTC),
    )
    rows = (
        ("Topics", ", ".join(f"{topic.name} ({topic.id})" for topic in search.topics)),
        ("Text query", search.text),
        ("Years", f"{search.first_year}–{search.last_year}"),
        ("Types", ", ".join(search.types)),
        ("Languages", ", ".join(search.languages)),
        ("Papers that cite", ", ".join(f"{s.name} ({s.cites})" for s in survey.protocol.seeds)),
    )
    drawing = flow_svg(survey.account, title=survey.protocol.title)
    return section(
        "papers",
        "Question and papers",
        described(rows),
        paragraph(paragraphs.strip()),
        figure(drawing, "PRISMA 2020 flow (doi:10.1136/bmj.n71).", css="flow"),
        _flow_table(survey),
        *_groups(survey),
        element("h3", "How figures come about"),
        listed(map(emphasised, HOW_FIGURES_COME_ABOUT), ordered=True),
    )


def _flow_table(survey: Asked) -> Html:
    found = survey.account
    steps = [
        *((f"Identified: {name}", n) for name, n in found.identified.items()),
        *((f"Identified: {name}", n) for name, n in found.lists.items()),
        ("Duplicates removed", found.duplicates),
        ("Works screened", found.screened),
        *((f"Excluded: {reason}", n) for reason, n in found.excluded.items()),
        ("Versions merged into another work", found.versions),
        ("Reports sought for retrieval", found.sought),
        *((f"Not retrieved: {reason}", n) for reason, n in found.not_retrieved.items()),
        ("Works included", found.included),
        ("of these with full text", found.full_text),
        ("of these read by the annotator", found.annotated),
    ]
    rows = [[name, count(n)] for name, n in steps]
    return table(["step", "works"], rows, "The flow as numbers.")


def _groups(survey: Asked) -> Iterator[Html]:
    """Papers a year, and by venue and country where they are known."""
    each: tuple[By, ...] = ("year", "venue", "country")
    for by in each:
        frame = values_of(survey.cube, by)
        if set(frame["group"]) <= {UNKNOWN}:
            continue
        rows = [[str(r["group"]), count(r["n_papers"])] for r in rows_of(frame)]
        rest = rows[_GROUPS:] if by != "year" else []
        shown = rows[: len(rows) - len(rest)]
        more = f"{len(rest):,} more have fewer." if rest else ""
        several = "A paper counts in each of its countries." if by == "country" else ""
        yield table([by, "papers"], shown, f"Annotated papers by {by}.", more, several)


def limits(survey: Asked) -> Section:
    """What the survey cannot tell."""
    found = survey.account
    by_abstract = found.annotated - found.full_text
    read = {
        "abstract": "This report counts papers read by title and abstract alone",
        "full text": "This report counts papers read in full",
        "together": "This report mixes papers read in full and by abstract alone",
    }[survey.where.text]
    return section(
        "limits",
        "What this cannot tell",
        paragraph(
            f"{read}: {by_abstract:,} of {found.annotated:,} annotated papers were read by title "
            f"and abstract alone, {found.full_text:,} in full. Abstracts seldom say from what a "
            "network was pretrained, so that their shares are lower bounds.",
        ),
        listed(map(emphasised, CANNOT_TELL)),
    )


def citing_and_making(survey: Asked, *, protocol: str) -> Section:
    """How to cite the survey, and the commands that make it again.

    Args:
        protocol: the text of `protocol.toml`.
    """
    title = survey.protocol.title
    state = f"state of {survey.state.isoformat()}, protocol {survey.protocol.hash}"
    source = Source(
        survey=title,
        state=f"snapshot {survey.snapshot}" if survey.snapshot else state,
        choice="",
        drawn=survey.state,
        version=survey.version,
    )
    entry = Work(
        id=f"cats-{survey.snapshot.removeprefix('cats-') or survey.protocol.hash}",
        title=title,
        year=survey.state.year,
        venue=f"Report of a literature survey, {source.state}, made with CATS {survey.version}",
        fetched_at=datetime.combine(survey.state, time(), UTC),
    )
    return section(
        "cite",
        "How to cite, and how to make it again",
        paragraph(source.citation("Report")),
        element("pre", bibtex([entry]).strip()),
        paragraph(
            "The included papers as BibTeX, all tables and figures as files, and checksums: ",
            code("cats export FOLDER"),
            "(the papers are in ",
            code("papers.bib"),
            ").",
        ),
        paragraph("With the protocol below as ", code("survey/protocol.toml"), ":"),
        element("pre", "\n".join(_commands(survey))),
        element("h3", "protocol.toml"),
        element("pre", protocol.strip()),
    )


def _commands(survey: Asked) -> Iterator[str]:
    found = survey.account.identified
    files = [name.removeprefix("file ") for name in found if name.startswith("file ")]
    lists = [name.removeprefix("list ") for name in survey.account.lists]
    if len(files) < len(found):
        yield "cats mine -C survey"
    yield from (f"cats mine -C survey --from {name}" for name in (*files, *lists))
    if survey.account.sought:
        yield "cats fulltext -C survey"
    yield "cats annotate -C survey"
    if survey.drawn is not None:
        first, *later = survey.drawn.draws
        yield f"cats review -C survey --draw {first} --seed {survey.drawn.seed}"
        yield from (f"cats review -C survey --draw {n}" for n in later)
    if survey.account.codebooks:
        yield "cats import decisions.jsonl -C survey   # of cats export --decisions decisions.jsonl"
    yield "cats report report.html -C survey"
