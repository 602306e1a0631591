"""How far the figures can be trusted: the annotator on gold papers, and findings by threshold."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, exhibit, filters, numbers, page, survey
from dashboard.texts import FINDINGS

_ABREAST = 2

_COLUMNS = {
    "role": "role",
    "n_papers": "gold papers",
    "n_true": "true",
    "n_found": "found",
    "n_right": "right",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}


here = page.opened(
    "Quality", "How good is the annotator, and do the findings hang on where the line is drawn?"
)
where = numbers.all_of(here.path, here.at)
source = numbers.source(here.path, here.at, filters.in_words(where))

st.header("On papers that people read", anchor=False)
told = numbers.quality_of(here.path, here.at)
if told is None:
    st.info(
        "People have not labelled a random sample of this survey yet, so that nothing here is "
        "corrected for the annotator's errors: `cats review` makes the gold set. Until then, "
        "docs/method.md says how good the annotator was on other papers.",
        icon=":material/rule:",
    )
else:
    rates, bins = told
    st.table(
        rates.assign(
            **{
                name: list(map(page.rate, rates[name], rates[f"{name}_low"], rates[f"{name}_high"]))
                for name in ("precision", "recall", "f1")
            }
        )
        .loc[:, list(_COLUMNS)]
        .rename(columns=_COLUMNS)
        .set_index("role")
    )
    st.caption("Intervals are 95% bootstrap by paper; papers are weighted by how they were drawn.")
    chart = charts.reliability(bins, title="Calibration of sources", sample=here.sample)
    exhibit.show(chart, key="calibration", source=source)
annotators = survey.account_of(here.path, here.at).annotators
st.markdown(f"Annotated by {filters.as_text(', '.join(annotators))}.")

st.header("Sensitivity", anchor=False)
st.markdown(
    "A claim counts if its score is at least 0.5. Were the line drawn elsewhere, the findings "
    "would be:"
)
frame = numbers.sensitivity(here.path, here.at, where)
for place, (name, rows) in enumerate(frame.groupby("name", sort=False)):
    if place % _ABREAST == 0:
        columns = st.columns(_ABREAST, gap="medium")
    label = FINDINGS[str(name)]
    with columns[place % _ABREAST]:
        if rows["value"].notna().sum() == 0:
            st.markdown(f"**{label}**: cannot be told from these papers at any threshold.")
            continue
        chart = charts.lines(
            rows.assign(name=label),
            title=label,
            x="min_score",
            x_title="least score of a claim that counts",
            y_title="effective number" if name == "concentration" else "share of papers",
            sample=here.sample,
            tickformat=".2f" if name == "concentration" else ".1~%",
            zero=name != "medical",
            height=280,
        )
        exhibit.show(chart, key=f"sensitivity-{place}", source=source)
