"""Where two people differ: what each said beside the evidence, and a third decision."""

from __future__ import annotations

from dashboard import survey
from dashboard.panel.seat import work_through

work_through(survey.directory(), "adjudicate", heading="Adjudicate")
