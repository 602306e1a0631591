"""How far reviewers agree with each other and with themselves, and how long a decision takes."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import page, survey
from dashboard.panel.seat import to_disputes
from data.kept import stamp


def _rate(row: dict[Hashable, Any], name: str) -> str:
    return page.rate(row[name], *(row[f"{name}_interval"] or (math.nan, math.nan)))


path = survey.directory()
told = survey.reviewers(path, stamp(path))

st.title("Agreement")
if n_disputes := survey.n_disputes(path, stamp(path)):
    to_disputes(f"In dispute, to be settled: {n_disputes}")
frame = pd.DataFrame(told["agreement"])
if frame.empty:
    st.info("No paper has been read by two people yet: `cats review` with a second name.")
else:
    first = frame.iloc[0]
    columns = st.columns(3)
    columns[0].metric("of one opinion", f"{first['share']:.0%}", help="raw agreement")
    for column, name in zip(columns[1:], ("kappa", "alpha"), strict=True):
        interval = first[f"{name}_interval"]
        told_of = "not defined" if interval is None else f"{first[name]:.2f}"
        bounds = "" if interval is None else f"95%: {interval[0]:.2f} to {interval[1]:.2f}"
        column.metric(name, told_of, help=bounds or None)
        column.caption(bounds)
    st.caption(
        f"{first['of']}: {first['n']} units in {first['n_papers']} papers that two people or more "
        "spoke of. kappa is Cohen's (Light's mean for more than two people), alpha is "
        "Krippendorff's; intervals are 95% by bootstrap over papers. Where one answer is rare, "
        "kappa and alpha are low even if people hardly ever differ: read them beside the share."
    )
    st.table(
        pd.DataFrame(
            {
                "of": row["of"],
                "units": row["n"],
                "papers": row["n_papers"],
                "same": f"{row['share']:.1%}",
                "Cohen's kappa": _rate(row, "kappa"),
                "Krippendorff's alpha": _rate(row, "alpha"),
            }
            for row in frame.to_dict("records")
        ).set_index("of")
    )
    st.download_button("Download as CSV", frame.to_csv(index=False), file_name="cats-agreement.csv")
for pair in told["confusion"]:
    st.subheader(f"{pair['first']} (rows) and {pair['second']} (columns)")
    st.dataframe(pd.DataFrame(pair["table"], pair["categories"], pair["categories"]))
if told["repeats"]:
    st.subheader("The same again, unannounced")
    st.dataframe(pd.DataFrame(told["repeats"]), hide_index=True)
if told["pace"]:
    st.subheader("Seconds a decision")
    pace = pd.DataFrame(told["pace"]).rename(columns={"n": "decisions", "median_s": "median, s"})
    st.dataframe(pace, hide_index=True)
