"""How many images a dataset has, read off what the catalogue states of its size."""

from __future__ import annotations

import re

from data.catalogue import Catalogue

_TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_NO_IMAGES = (
    "models?|scans?|participants?|patients?|subjects?|cases?|exams?|volumes?|cts?|mris?|videos?|"
    "clips?|hours?|h|cells?|nuclei|objects?|slides?|wsis?|masks?|texts?|pairs?|class|classes"
)
_NUMBER = re.compile(
    rf"(?<![\w.])(\d[\d,]*(?:\.\d+)?)\s?([kmb])?(?![\w.%])(?!\s*(?:{_NO_IMAGES})\b)", re.IGNORECASE
)


def n_images(source: str, catalogue: Catalogue) -> float | None:
    """The first number of images in the catalogue's words on a dataset's size.

    "1281167 train (1000 classes)" is 1,281,167 and "1.35M" is 1,350,000. What counts scans,
    patients or hours is passed over; None where nothing is left, or the catalogue lacks the name.
    """
    dataset = catalogue.datasets.get(catalogue.resolve(source) or "")
    number = _NUMBER.search(dataset.size) if dataset else None
    if number is None:
        return None
    return float(number[1].replace(",", "")) * _TIMES[(number[2] or "").lower()]
