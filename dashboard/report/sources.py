"""What papers transfer from: sources, change, images, names, concentration, pairs, an audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from dashboard.report.asked import Asked, Silent
from dashboard.report.document import (
    Html,
    Section,
    element,
    figure,
    link,
    paragraph,
    section,
    table,
)
from dashboard.report.tables import (
    FEW,
    PALE,
    WILSON,
    as_found,
    chosen,
    command,
    count,
    counted_among,
    lines,
    nothing,
    rate,
    rows_of,
    shares_of,
    shares_table,
    transferring,
    years_table,
)
from data.catalogue import MODEL_PREFIX
from data.concentration import concentration
from data.cube import UNKNOWN, By, Selection
from data.drawing import bars_svg
from data.growth import growth
from data.intervals import wilson
from data.sample import LABEL
from data.transfers import transfers
from data.trends import leading

_SOURCES, _LINES, _PAIRS = 15, 6, 10
_LISTED = 300  # papers named at most
_BARS_READ = "Whiskers are 95% intervals; a diamond is the share corrected by gold papers."
_EFFECTIVE = "effective number (Shannon)"


def sources_used(survey: Asked) -> Section:
    """Which sources are used, the most used first."""
    frame = shares_of(survey, "all")
    names = leading(frame, _SOURCES)
    if not names:
        return section("sources", "Which sources are used", nothing("a named or implied source"))
    told = chosen(frame, names)
    models = f"{MODEL_PREFIX}NAME is a model whose training data are private or many."
    return section(
        "sources",
        "Which sources are used",
        figure(
            bars_svg(
                told, title="Most used sources, share of all papers", note=counted_among(survey)
            ),
            _BARS_READ,
        ),
        shares_table(
            told,
            "source",
            "Most used sources, of all papers.",
            models if any(name.startswith(MODEL_PREFIX) for name in names) else "",
            by=[command(survey, f"--by all --top {_SOURCES}")],
        ),
    )


def how_it_changed(survey: Asked) -> Section:
    """The leading sources by year, and the change of their odds a year."""
    frame = shares_of(survey, "year")
    names = leading(frame, _LINES)
    if not names:
        return section("change", "How that changed", nothing("a named or implied source"))
    told = chosen(frame, names)
    fitted = growth(survey.cube, where=survey.where, datasets=tuple(names))
    rows = [
        [
            row["dataset"],
            count(row["n"]),
            count(row["n_papers"]),
            f"{row['first_year']}–{row['last_year']}",
            row["not_fitted"]
            or rate(row, "odds_ratio", "odds_ratio_low", "odds_ratio_high", form=".2f", times=1),
        ]
        for row in rows_of(fitted.astype(object).where(fitted.notna(), None))
    ]
    columns = ["source", "papers", "of", "years", "odds ratio a year [95%]"]
    return section(
        "change",
        "How that changed",
        lines(survey, told, "Share of papers that use each source"),
        years_table(
            told,
            names,
            "Share of the year's papers that use each source.",
            by=[command(survey, f"--by year --top {_LINES}")],
        ),
        table(
            columns,
            rows,
            "Change of the odds that a paper uses a source, a year: above 1 it is used more each "
            "year. Quasi-binomial regression; not corrected for the annotator's errors.",
            command(survey, f"growth --top {_LINES}"),
        ),
    )


def medical_or_natural(survey: Asked) -> Section:
    """What images the sources hold, of all papers and of those with a source."""
    frame = shares_of(survey, "all", of="images")
    if frame.empty:
        return section("images", "Medical or natural images", nothing("a source"))
    where = transferring(survey)
    years = chosen(shares_of(survey, "year", of="images"), ("natural", "medical"))
    unknown = "Unknown are weights whose data the text does not tell; a paper may be in several."
    return section(
        "images",
        "Medical or natural images",
        lines(survey, years, "Share of papers whose source holds natural or medical images"),
        years_table(
            years,
            list(dict.fromkeys(years["dataset"])),
            "Share of the year's papers whose source holds such images.",
            by=[command(survey, "--by year --of images")],
        ),
        shares_table(
            frame,
            "images",
            "What images the sources hold, of all papers.",
            unknown,
            by=[command(survey, "--by all --of images")],
        ),
        shares_table(
            shares_of(survey, "all", of="images", where=where),
            "images",
            "The same, of papers with a source.",
            by=[command(survey, "--by all --of images --among transfer")],
        ),
    )


def named_or_implied(survey: Asked) -> Section:
    """Whether papers name their source, and which sources a model alone tells."""
    where = transferring(survey)
    frame = shares_of(survey, "all", of="naming", where=where)
    if frame.empty:
        return section("naming", "Named or implied", nothing("a source"))
    every = shares_of(survey, "all")
    names = leading(every, _SOURCES)
    told = shares_of(survey, "all", where=replace(survey.where, presence="named"))
    n_named = {row["dataset"]: int(row["n"]) for row in rows_of(told)}
    rows = [
        [row["dataset"], count(row["n"]), *_of(n_named.get(row["dataset"], 0), int(row["n"]))]
        for row in rows_of(chosen(every, names))
    ]
    return section(
        "naming",
        "Named or implied",
        paragraph(
            "A source is named where the text has the dataset's name, and implied where only a "
            "model's name tells it, as a pretrained ResNet-50 tells ImageNet."
        ),
        shares_table(
            frame,
            "the paper's sources are",
            "Papers with a source: whether they name one.",
            by=[command(survey, "--by all --of naming --among transfer")],
        ),
        table(
            ["source", "papers", "that name it", "% [95%]"],
            rows,
            "Of the papers that use a source, those that name it; a model alone tells the others.",
            WILSON,
            command(survey, f"--by all --top {_SOURCES} --presence named"),
        ),
    )


def _of(n: int, n_papers: int) -> tuple[str, str]:
    low, high = wilson(n, n_papers)
    row = {"share": n / n_papers, "low": low, "high": high}
    return count(n), as_found(row)


def concentration_of_sources(survey: Asked) -> Section:
    """How much papers rely on few sources, over all and by year."""
    frame = concentration(survey.cube, where=survey.where)
    if frame.empty:
        return section("concentration", "Concentration", nothing("a named or implied source"))
    rows = [
        [
            row["measure"],
            rate(row, "value", "low", "high", form=".1f", times=100) + " %"
            if row["measure"].startswith("share")
            else rate(row, "value", "low", "high", form=".2f", times=1),
        ]
        for row in rows_of(frame)
    ]
    first = rows_of(frame)[0]
    counts = (
        f"n = {count(first['n_papers'])} papers with {count(first['n_uses'])} uses of "
        f"{count(first['n_datasets'])} sources; weights of unnamed origin are left out."
    )
    by_year = concentration(survey.cube, by="year", where=survey.where)
    over = by_year[(by_year["measure"] == _EFFECTIVE) & (by_year["group"] != UNKNOWN)]
    few = [int(n) < FEW for n in over["n_papers"]]
    years = [
        [
            str(row["group"]),
            *(count(row[name]) for name in ("n_papers", "n_uses", "n_datasets")),
            rate(row, "value", "low", "high", times=1),
        ]
        for row in rows_of(over)
    ]
    boot = "Brackets are 95% bootstrap intervals by paper; not corrected for errors."
    return section(
        "concentration",
        "Concentration",
        paragraph(
            "The effective number of sources is how many equally used ones would be as varied as "
            "what is used: 1 if all papers use the same."
        ),
        table(
            ["measure", "value [95%]"],
            rows,
            f"Concentration of the uses of sources; {counts}",
            boot,
            command(survey, "concentration --by all"),
        ),
        table(
            ["year", "papers", "uses", "sources", "effective number [95%]"],
            years,
            "Effective number of sources by year.",
            boot,
            PALE if any(few) else "",
            command(survey, "concentration --by year"),
            few=few,
        ),
    )


def source_to_target(survey: Asked) -> Section:
    """Pairs of a source and a target of the same paper."""
    frame = transfers(survey.cube, where=survey.where, top=_PAIRS)
    if frame.empty:
        return section("pairs", "From source to target", nothing("both a source and a target"))
    named = frame.assign(dataset=frame["source"] + " → " + frame["target"])
    n_papers = count(frame["n_papers"].iloc[0])
    rows = [
        [row["source"], row["target"], count(row["n"]), count(row["n_papers"]), as_found(row)]
        for row in rows_of(frame)
    ]
    under = f"n = {n_papers} papers with a source and a target."
    return section(
        "pairs",
        "From source to target",
        paragraph(
            "A paper of two sources and two targets is in four pairs: which source went to which "
            "target is not known where there are several."
        ),
        figure(
            bars_svg(
                named,
                title="Most frequent pairs, share of papers with a source and a target",
                note=f"{under} {LABEL}." if survey.is_sample else under,
            ),
            "Whiskers are Wilson 95% intervals.",
        ),
        table(
            ["source", "target", "papers", "of", "share, % [95%]"],
            rows,
            "Most frequent pairs; a source that is unspecified is one of unnamed origin.",
            WILSON,
            "Not corrected for the annotator's errors.",
            command(survey, f"transfers --top {_PAIRS}"),
            left=2,
        ),
    )


def reporting_quality(survey: Asked) -> Section:
    """Papers that transfer and do not say from what: how many, by year, and which."""
    where = transferring(survey)
    heading = "What papers leave unsaid: an audit of reporting"
    of_all = _audit(survey, "all", where)
    if of_all.empty:
        return section("audit", heading, nothing("a source"))
    years = _audit(survey, "year", where)
    names = list(dict.fromkeys(of_all["dataset"]))
    return section(
        "audit",
        heading,
        paragraph(
            "Who reads that a network was pretrained must learn on what. Of the papers with a "
            "source, ",
            element("strong", "implied only"),
            "are those that name a model or its weights and no dataset; of them ",
            element("strong", "unnamed"),
            "are those whose words tell no dataset at all, such as “pretrained weights”. A paper "
            "that names another source besides may be unnamed too.",
        ),
        lines(survey, years, "Share of papers with a source that do not name it", where),
        years_table(
            years,
            names,
            "Of the year's papers with a source, those that do not name it.",
            by=[
                command(survey, "--by year --of naming --among transfer"),
                command(survey, "--by year --of unnamed --among transfer"),
            ],
        ),
        shares_table(
            of_all,
            "the source is",
            "Papers with a source that do not name it.",
            by=[
                command(survey, "--by all --of naming --among transfer"),
                command(survey, "--by all --of unnamed --among transfer"),
            ],
        ),
        _silent_papers(survey.silent),
    )


def _audit(survey: Asked, by: By, where: Selection) -> pd.DataFrame:
    """Papers whose source is implied only, and those in which it is unnamed."""
    naming = chosen(shares_of(survey, by, of="naming", where=where), ("implied only",))
    unnamed = shares_of(survey, by, of="unnamed", where=where)
    parts = [part for part in (naming, unnamed) if not part.empty]
    return pd.concat(parts, ignore_index=True) if parts else naming


def _silent_papers(silent: Sequence[Silent]) -> Html:
    rows = [
        [
            "" if paper.year is None else str(paper.year),
            link(paper.address, paper.title or "(untitled)"),
            paper.venue,
            "; ".join(paper.said) or "(a reviewer added it)",
            "; ".join(paper.read_as) or "not told",
        ]
        for paper in silent[:_LISTED]
    ]
    more = f"{len(silent) - _LISTED:,} older ones are not listed." if len(silent) > _LISTED else ""
    return table(
        ["year", "paper", "venue", "its words", "read as"],
        rows,
        f"The {len(silent):,} papers with a source that they do not name, newest first: the words "
        "that tell it, and the dataset that these imply.",
        "Only title and abstract may have been read; the paper's full text may say more.",
        more,
        left=5,
    )
