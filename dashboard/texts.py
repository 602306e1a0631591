"""What the pages and the report say alike: how figures come about, what they cannot tell.

Emphasis and commands are marked as in Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping

from data.findings import SINCE, Sure

HOW_FIGURES_COME_ABOUT = (
    "Names of datasets and pretrained models are found in the text, by a catalogue.",
    "Rules read each one's role from its sentence: *source*, *target* or *mention*. "
    '"A pretrained ResNet" implies ImageNet.',
    "A small classifier gives each reading a calibrated score; people may confirm or correct it.",
    "A paper counts once a dataset and role. Shares have Wilson 95% intervals; where people have "
    "labelled a random sample, a corrected estimate stands beside the raw one.",
    "Papers read by title and abstract alone are counted apart from those read in full.",
)

CANNOT_TELL = (
    "**What papers do not say.** Counted is what is written. A paper that starts from ImageNet and "
    "does not say so is counted as one without a source; abstracts say less than full texts, so "
    "that the two are never mixed unless you ask for it.",
    "**Whether a choice was good.** That many use a source is no evidence that it works; `cats "
    "recommend` and the page *Choose a source* say what was measured.",
    "**Errors of the annotator.** The intervals cover chance. Only where people have labelled a "
    "random sample are figures corrected for errors.",
    "**Datasets that the catalogue lacks** count nowhere; `cats catalogue candidates` lists names "
    "that may be some.",
    "**Papers outside the question.** The survey holds what its protocol asked for.",
)

HOW_SURE: Mapping[Sure, str] = {
    "corrected": "corrected by gold papers",
    "uncorrected": "as the annotator found it",
    "undetermined": "cannot be told from these papers",
}

FINDINGS = {
    "most used": "The most used source",
    "medical": f"Change of medical sources since {SINCE}",
    "implied": "Implied sources",
    "concentration": "Concentration",
    "unnamed": "Unnamed weights",
}
