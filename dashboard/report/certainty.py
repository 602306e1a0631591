"""The findings in sentences, and how sure they are: gold sample, reviewers, thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from dashboard.report.asked import Asked, GoldSample
from dashboard.report.document import (
    Html,
    Section,
    code,
    element,
    joined,
    listed,
    paragraph,
    section,
    table,
    text,
)
from dashboard.report.tables import WILSON, Row, as_found, command, count, rate, rows_of
from dashboard.texts import FINDINGS, HOW_SURE
from data.findings import Finding, findings, sensitivity
from data.quality import quality, reliability

_AGREED = ("role of a dataset", "role of a dataset, gold (blind)")


def what_it_says(survey: Asked) -> Section:
    """The findings in sentences, and as found and corrected side by side."""
    told = findings(survey.cube, where=survey.where, gold=survey.gold)
    said = [joined((found.sentence, " ", _mark(found))) for found in told]
    rows = [
        [
            FINDINGS[found.name] + (f": {found.dataset}" if found.dataset else ""),
            _value(found, "value", "low", "high"),
            _value(found, "corrected", "corrected_low", "corrected_high"),
            count(found.n) + (" uses" if found.name == "concentration" else ""),
            count(found.n_papers),
        ]
        for found in told
    ]
    columns = ["finding", "as found [95%]", "corrected [95%]", "n", "of papers"]
    return section(
        "findings",
        "What the survey says",
        listed(said, ordered=True, css="findings"),
        *_covered(told),
        table(columns, rows, "The findings as numbers.", command(survey, "findings")),
    )


def _covered(told: Sequence[Finding]) -> Iterator[Html]:
    """What the intervals cover, once for all findings of which the same is true."""
    for how in dict.fromkeys(found.how_sure for found in told):
        kinds = dict.fromkeys(HOW_SURE[found.sure] for found in told if found.how_sure == how)
        yield paragraph(f"{'; '.join(kinds).capitalize()}: {how}", css="soft")


def _mark(found: Finding) -> Html:
    return Html(f'<span class="mark {found.sure}">{text(HOW_SURE[found.sure])}</span>')


def _value(found: Finding | Row, *names: str) -> str:
    row = found if isinstance(found, dict) else {n: getattr(found, n) for n in (*names, "name")}
    if row["name"] == "concentration":
        return rate(row, *names, times=1)
    told = rate(row, *names, form="+.1f" if row["name"] == "medical" else ".1f")
    unit = "\u00a0points" if row["name"] == "medical" else "%"
    value, space, interval = told.partition(" ")
    return f"{value}{unit}{space}{interval}" if space else told


def how_sure(survey: Asked) -> Section:
    """The gold sample, the annotator and the reviewers beside it, and other thresholds."""
    return section(
        "sure",
        "How sure this is",
        element("h3", "Papers that reviewers read"),
        *_gold(survey, survey.drawn),
        element("h3", "The findings at other thresholds"),
        _thresholds(survey),
    )


def _gold(survey: Asked, drawn: GoldSample | None) -> Iterator[Html]:
    if drawn is None or survey.gold is None:
        yield paragraph(
            "No two reviewers have read papers of a random sample of this survey yet: nothing here "
            "is corrected for the annotator's errors, and the intervals cover chance alone."
        )
        return
    yield paragraph(
        f"{drawn.draws[-1]:,} of {drawn.n_frame:,} papers were drawn at random from "
        f"{drawn.n_strata} strata (years, venue, how sure the annotator is; seed {drawn.seed}). "
        f"{drawn.n_read:,} of them were read whole and blind by two reviewers "
        f"({', '.join(drawn.readers)}). An adjudicator decided {drawn.n_ruled:,} claims; on "
        f"{drawn.n_disputed:,} papers the readers still differ, and these are left out of what "
        "follows. Only these papers correct shares; they are weighted by their strata."
    )
    yield _annotator(survey)
    yield _calibration(survey)
    yield from _agreement(survey)


def _annotator(survey: Asked) -> Html:
    assert survey.gold is not None
    rows = [
        [
            row["role"],
            *(count(row[name]) for name in ("n_papers", "n_true", "n_found", "n_right")),
            *(
                rate(row, name, f"{name}_low", f"{name}_high", form=".2f", times=1)
                for name in ("precision", "recall", "f1")
            ),
        ]
        for row in rows_of(quality(survey.cube, survey.gold))
    ]
    columns = ["role", "papers", "true", "found", "right", "precision", "recall", "F1"]
    return table(
        columns,
        rows,
        "The annotator beside the gold papers, by (paper, dataset, role). Counts are of the "
        "sample; rates are weighted to the survey, with 95% bootstrap intervals by paper.",
    )


def _calibration(survey: Asked) -> Html:
    assert survey.gold is not None
    rows = [
        [f"{row['mean_score']:.2f}", count(row["n"]), count(row["n_right"]), as_found(row)]
        for row in rows_of(reliability(survey.cube, survey.gold))
    ]
    return table(
        ["mean score", "claims", "right", "right, % [95%]"],
        rows,
        "Calibration: how often source claims of a score are right on gold papers.",
        WILSON,
        left=0,
    )


def _agreement(survey: Asked) -> Iterator[Html]:
    told = [
        each
        for each in survey.reviewers.agreement
        if each.of in _AGREED or each.of.endswith(" or not")
    ]
    if not told:
        return
    rows = [
        [
            each.of,
            count(each.n),
            count(each.n_papers),
            f"{100 * each.share:.1f}",
            _of_one(each.kappa, each.kappa_interval),
            _of_one(each.alpha, each.alpha_interval),
        ]
        for each in told
    ]
    columns = ["of", "units", "papers", "same, %", "Cohen's kappa", "Krippendorff's alpha"]
    yield table(
        columns,
        rows,
        "How far reviewers agree, before any adjudication; 95% bootstrap intervals by paper. "
        "What neither found cannot be listed, so that nobody agrees on an absence.",
        joined(("By ", code("cats review --agreement"), ".")),
    )
    for pair in survey.reviewers.confusion:
        cells = zip(pair.categories, pair.table, strict=True)
        yield table(
            [f"{pair.first} \\ {pair.second}", *pair.categories],
            [[name, *map(count, row)] for name, row in cells],
            f"What {pair.first} (rows) and {pair.second} (columns) said of the same paper and "
            "dataset.",
        )


def _of_one(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None or interval is None:
        return "–"
    # Zero once more, or what rounds to nothing from below would be "-0.00".
    told, low, high = (round(each, 2) + 0.0 for each in (value, *interval))
    return f"{told:.2f} [{low:.2f}, {high:.2f}]"


def _thresholds(survey: Asked) -> Html:
    frame = sensitivity(survey.cube, where=survey.where, gold=survey.gold)
    scores = list(dict.fromkeys(frame["min_score"]))
    rows = []
    for name, part in frame.groupby("name", sort=False):
        told = {row["min_score"]: row for row in rows_of(part)}
        rows.append([FINDINGS[str(name)], *(_best(told[score]) for score in scores)])
    return table(
        ["finding", *(f"score {score:g}" for score in scores)],
        rows,
        "Each finding, were the line drawn at another score (elsewhere in this report: 0.5); "
        "corrected where gold papers allow, with 95% intervals. A dash: undetermined.",
        command(survey, "sensitivity"),
    )


def _best(row: Row) -> Html:
    names = ("corrected", "corrected_low", "corrected_high")
    is_corrected = row["corrected"] is not None and not pd.isna(row["corrected"])
    told = _value(row, *(names if is_corrected else ("value", "low", "high")))
    value, _, rest = told.partition(" ")
    dataset = row["dataset"] if isinstance(row["dataset"], str) else None
    lines = [dataset, value, rest] if dataset else [value, rest]
    return joined([line for line in lines if line], Html("<br>"))
