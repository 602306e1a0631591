"""What a reviewer's words stand for, as the terminal and the page take them."""

import pytest
from spoken import NAMED

from annotate.naming import UNNAMED, choices, named
from data.catalogue import PSEUDO_IDS, load

KNOWN = load()


@pytest.mark.parametrize(("words", "expected"), NAMED.items())
def test_words_stand_for_what_they_name(words: str, expected: list[tuple[str, str | None]]) -> None:
    assert [(choice.dataset, choice.role) for choice in named(KNOWN, words)] == expected


def test_a_name_of_a_dataset_and_of_a_model_stands_for_both_the_dataset_first() -> None:
    first, *others = named(KNOWN, "CoCa")
    assert first.role is None
    assert {other.about for other in others} == {"training set of CoCa"}


def test_a_model_whose_training_set_is_unknown_stands_for_itself() -> None:
    (choice,) = named(KNOWN, "MedImageInsight")
    assert choice.dataset == "model:MedImageInsight"
    assert choice.about == "unknown training set of MedImageInsight"


def test_every_name_of_the_catalogue_is_offered() -> None:
    offered = {name for choice in choices(KNOWN) for name in choice.names}
    assert {name for each in KNOWN.datasets.values() for name in each.names} <= offered
    assert {each.id for each in KNOWN.models.values() if each.sources} <= offered
    assert [choice.dataset for choice in choices(KNOWN) if choice.about == UNNAMED] == [*PSEUDO_IDS]
