"""A report as a file: HTML, or PDF by a Chromium of this machine. Open `write` first."""

from __future__ import annotations

from pathlib import Path

from dashboard.report import certainty, papers, sources
from dashboard.report.asked import Asked, asked
from dashboard.report.chromium import printed
from dashboard.report.document import page
from data.corpus import PROTOCOL, Corpus, write_whole
from data.cube import ReadAs
from data.errors import InputError

_SECTIONS = (
    certainty.what_it_says,
    papers.question_and_papers,
    sources.sources_used,
    sources.how_it_changed,
    sources.medical_or_natural,
    sources.named_or_implied,
    sources.concentration_of_sources,
    sources.source_to_target,
    sources.reporting_quality,
    certainty.how_sure,
    papers.limits,
)


def write(corpus: Corpus, path: Path, *, text: ReadAs | None = None, version: str) -> None:
    """Write the report of a survey, whole or not at all; the same survey gives the same HTML.

    Args:
        path: its ending says what it becomes: .html or .pdf.
        text: which papers are counted; None: of the kind of text that the most were read by.
        version: of cats.

    Raises:
        InputError: the ending is another, its directory does not exist, no paper is annotated, or
            there is no Chromium to print a PDF.
    """
    kind = path.suffix.lower()
    if kind not in (".html", ".pdf"):
        raise InputError("a report is written as .html or .pdf; choose one of them", path=path)
    if not path.parent.is_dir():
        raise InputError("its directory does not exist; make it first", path=path)
    survey = asked(corpus, text=text, version=version)
    content = html(survey, protocol=(corpus.path / PROTOCOL).read_text(encoding="utf-8")).encode()
    body = content if kind == ".html" else printed(content, day=survey.state)
    write_whole(path, lambda file: file.write(body))


def html(survey: Asked, *, protocol: str) -> str:
    """The report as one file of HTML that loads nothing."""
    parts = [each(survey) for each in _SECTIONS]
    parts.append(papers.citing_and_making(survey, protocol=protocol))
    return page(survey.protocol.title, papers.head(survey), parts)
