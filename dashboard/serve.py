"""The pages' server: Streamlit, which has loaded what they count and draw with before it answers.

`cats dashboard` starts it by `python -m dashboard.serve run app.py`. Streamlit alone would load
these with the first page, while somebody waits for it.
"""

from __future__ import annotations

import plotly.graph_objects as go
from streamlit.web.cli import main

import annotate.reviewers  # noqa: F401
import data.compare
import data.summary  # noqa: F401

if __name__ == "__main__":
    go.Figure([go.Scatter(), go.Bar()])  # Plotly loads its parts when they are first used
    main(prog_name="streamlit")
