"""What a chart was drawn from: survey, snapshot, choice of papers, date; how to cite it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The origin of a figure.

    Args:
        survey: the survey's title.
        state: the snapshot's id, or what tells this state of a survey that still grows.
        choice: the filters in words; "" for all papers.
        drawn: today.
        version: of cats.
    """

    survey: str
    state: str
    choice: str
    drawn: date
    version: str

    def citation(self, title: str) -> str:
        """A line that lets a reader draw the same figure again."""
        choice = f" ({self.choice})" if self.choice else ""
        return (
            f"{title}{choice}. From: {self.survey}, {self.state}. "
            f"Drawn {self.drawn.isoformat()} with CATS {self.version}."
        )

    def file_name(self, title: str) -> str:
        """A name for its file, without ending."""
        words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-")
        return f"cats-{words}-{self.drawn.isoformat()}"
