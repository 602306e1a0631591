import itertools
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.candidates import candidates_of, not_data
from annotate.chunks import chunks, tokens
from annotate.introduced import names_of
from annotate.matcher import Matcher, Name
from data.catalogue import load
from data.records import Candidate, Passage


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(load())


def passage(text: str, section: str = "abstract") -> Passage:
    return Passage(work_id="W1", section=section, order=0, text=text, origin="t")  # type: ignore[arg-type]


def found(text: str, matcher: Matcher) -> dict[str, str]:
    """Name -> why."""
    return {name.name: name.why for name in names_of(text, matcher.names(text))}


def candidates(
    matcher: Matcher, abstract: str, title: str | None = None
) -> dict[tuple[str, str], Candidate]:
    parts = [passage(title, "title")] if title else []
    parts.append(passage(abstract))
    texts = [(part, matcher.names(part.text)) for part in parts]
    made = candidates_of("W1", texts, run="r1", annotator="test@1")
    return {(candidate.name, candidate.role): candidate for candidate in made}


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("We evaluate on the FooBar dataset.", "FooBar", "named dataset"),
        ("We evaluate on the FooBar (x-ray) data set.", "FooBar", "named dataset"),
        ("Data come from the FooBar chest radiograph database.", "FooBar", "named dataset"),
        ("We took part in the FOOB 2023 challenge.", "FOOB 2023", "named dataset"),
        ("Samples of the FooBar cohort were kept.", "FooBar", "named dataset"),
        ("We use the Foobar dataset here.", "Foobar", "named dataset"),
        ("We publish a dataset called FooBar.", "FooBar", "dataset named"),
        ("On datasets such as FOOB we win.", "FOOB", "dataset named"),
        ("We report on a public dataset (FOOB) of hands.", "FOOB", "dataset named"),
        ("We built a new dataset, FooBar, of hands.", "FooBar", "dataset named"),
        ("Scores rise on the FOOB test set.", "FOOB", "test set"),
        ("Scores rise on the FOOB classification set.", "FOOB", "test set"),
        ("We introduce FooBar, a large dataset of hands.", "FooBar", "appositive"),
        ("Slides from the Human Finger Atlas were cut.", "Human Finger Atlas", "collection"),
        ("Images were collected from FooBar.", "FooBar", "collected from"),
        ("We keep a subset of the FooBar.", "FooBar", "collected from"),
        ("We test the publicly available FooBar.", "FooBar", "publicly available"),
        ("A FooBar-pretrained network is tuned.", "FooBar", "pretrained on"),
        ("Networks are run on FOOB 2019.", "FOOB 2019", "edition"),
        ("The model was trained on FooBar.", "FooBar", "evaluated on"),
        ("We report results for FOOB, too.", "FOOB", "evaluated on"),
        ("We use FOOB for training.", "FOOB", "evaluated on"),
        ("We tested ImageNet, FooBar and COCO.", "FooBar", "listed"),
        ("On three datasets, CUHK99, FooBar and Duke, we win.", "Duke", "listed"),
    ],
)
def test_words_around_a_name_introduce_a_dataset(
    matcher: Matcher, text: str, name: str, why: str
) -> None:
    assert found(text, matcher).get(name) == why


@pytest.mark.parametrize(
    "text",
    [
        "We evaluate on the CT dataset and the MRI-PET data set.",
        "We evaluate on the ImageNet dataset.",  # known
        "We use an OCT database, a Chinese dataset and a Private dataset.",
        "The Rwandan dataset is small.",
        "Our Training dataset is large.",
        "Experiments on datasets show gains.",
        "FooNet outperforms all models on five datasets.",
        "Training was run on NVIDIA V100 GPUs.",
        "The method is based on FooNet.",
        "We propose the FooNet model.",
        "We tested ResNet, FooNet and DenseNet.",
        "The AUC and Dice of the BiLSTM rose.",
        "On both cohorts, EBCL does well.",
        "Patients were collected from Leiden University Hospital.",
        "As in Verma et al. dataset shift is large.",
        "Optical Coherence Tomography (OCT) datasets are rare.",
    ],
)
def test_other_names_are_no_datasets(matcher: Matcher, text: str) -> None:
    assert found(text, matcher) == {}


def test_an_expansion_and_its_acronym_are_one_name(matcher: Matcher) -> None:
    text = "Scans of the Finger Motion Challenge (FMC) dataset were used."
    (name,) = names_of(text, matcher.names(text))
    assert name.name == "FMC"
    assert text[name.start : name.end] == "Finger Motion Challenge (FMC)"


def test_a_longer_name_than_the_known_one_is_its_own(matcher: Matcher) -> None:
    assert found("We test on the Kvasir-HAND dataset.", matcher) == {"Kvasir-HAND": "named dataset"}
    assert found("We test on the Kvasir-based dataset.", matcher) == {}


def test_capitals_of_a_headline_say_nothing(matcher: Matcher) -> None:
    title = "Learning From Every Hand Dataset: Better Networks With FooBar Dataset Images"
    assert [name.name for name in names_of(title, [], in_title=True)] == ["FooBar"]


def test_a_paper_tells_what_is_no_dataset() -> None:
    text = (
        "We propose FooNet for optical hand tomography (OHT). A hand pose dataset (HPD) is new. "
        "GooNet outperforms it."
    )
    wanted = frozenset(("FooNet", "OHT", "HPD", "GooNet", "Other"))
    assert not_data([text], wanted) == {"FooNet", "OHT", "GooNet"}
    assert not_data(["FooNet: Better Hands"], wanted) == {"FooNet"}
    assert not_data(["FooNet: A Dataset of Hands"], wanted) == frozenset()


def test_what_the_paper_proposes_is_no_candidate(matcher: Matcher) -> None:
    text = "We test on FooNet. We propose FooNet, which is fast. The HandNet dataset is used."
    assert {name for name, _ in candidates(matcher, text)} == {"HandNet"}


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("We pretrain a ResNet on the FooBar dataset and fine-tune it on BraTS.", "source"),
        ("We fine-tune an ImageNet-pretrained network on the FooBar dataset.", "target"),
        ("Previous works have used datasets such as FooBar.", "mention"),
        ("We transfer from FooBar and CheXpert to BraTS, a dataset of brains.", "source"),
    ],
)
def test_roles_are_read_as_for_known_names(matcher: Matcher, text: str, role: str) -> None:
    assert ("FooBar", role) in candidates(matcher, text)


def test_a_candidate_says_where_it_stands(matcher: Matcher) -> None:
    text = "First. We evaluate on the FooBar dataset. FooBar dataset again."
    ((place, candidate),) = candidates(matcher, text).items()
    assert place == ("FooBar", "target")
    assert text[candidate.start : candidate.end] == candidate.surface == "FooBar"
    assert candidate.evidence == "We evaluate on the FooBar dataset."
    assert (candidate.work_id, candidate.run, candidate.section) == ("W1", "r1", "abstract")
    assert candidate.why == "named dataset"
    assert 0 < candidate.score < 0.9


def test_in_a_review_all_are_mentions(matcher: Matcher) -> None:
    text = "We evaluate on the FooBar dataset."
    assert set(candidates(matcher, text, title="Hands: a systematic review")) == {
        ("FooBar", "mention")
    }


def test_a_mention_gives_way_to_a_use(matcher: Matcher) -> None:
    text = "Others have used datasets such as FooBar. We evaluate on the FooBar dataset."
    assert set(candidates(matcher, text)) == {("FooBar", "target")}


_WORDS = "FooBar FOOB Duke the dataset datasets such as on from ( ) , . and [1] ImageNet ResNet of"
_PIECES = st.sampled_from([*_WORDS.split(), "trained", "Kvasir-", "Atlas", ":", "-", "2019"])


@given(st.lists(_PIECES, max_size=40).map(" ".join) | st.text(max_size=200))
def test_any_text_gives_names_that_stand_in_it(text: str) -> None:
    known = [Name(place, place + 8, "dataset", "ImageNet") for place in _places(text, "ImageNet")]
    made = candidates_of("W1", [(passage(text), known)], run="r", annotator="a")
    for candidate in made:
        assert text[candidate.start : candidate.end] == candidate.surface
        assert candidate.name.split()[-1] in candidate.surface
        assert candidate.evidence in text
        assert 0 < candidate.score <= 1
    assert len({(c.name, c.role) for c in made}) == len(made)


def _places(text: str, word: str) -> list[int]:
    return [place for place in range(len(text)) if text.startswith(word, place)]


@given(st.text(max_size=200))
def test_chunks_do_not_overlap(text: str) -> None:
    made = chunks(tokens(text, [], 0, len(text)))
    assert all(a.last < b.first for a, b in itertools.pairwise(made))


@pytest.mark.parametrize(
    "unit",
    [
        *("A-A-", "Aa ", "AB and ", "(AB ", "dataset, ", "A, ", "FooBar, ", "on FooBar ", "[", " "),
        *("a b c (ABC) ", "Foo of the ", "datasets such as A1B2 and ", "the FooBar (x) ", "X1"),
    ],
)
def test_time_is_linear_in_the_text(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        started = time.perf_counter()
        candidates_of("W1", [(passage(text), [])], run="r", annotator="a")
        return time.perf_counter() - started

    # Eight times the text in no more than 16 times the time: quadratic would take 64.
    assert seconds(16_000) < 16 * seconds(2_000) + 0.5


def test_hidden_datasets_of_the_labels_are_found_again(shared: Any) -> None:
    """A floor under the figures of docs/method.md, on the half that the rules were not read on."""
    from benchmarks.candidates import held_out  # type: ignore[import-not-found]

    report = held_out(shared / "gold", half=1)
    assert report.precision > 0.75
    assert report.recall > 0.45
    assert json.loads(json.dumps(report.missed)) == report.missed


@pytest.mark.parametrize(
    "text",
    [
        "We study two chest X-ray datasets, CheXpert (CXP) and MIMIC-CXR (MMC).",
        "We train on the CheXpert dataset (CXP).",
        "A U-Net trained on the BraTS 2024 GoATZ dataset is explained.",
        "Extra data from the ImageNet Fallen11 dataset improved this.",
        "Models pretrained on the (v)sFooNet dataset converge faster.",
    ],
)
def test_other_names_and_editions_of_a_known_dataset_are_no_candidates(
    text: str, matcher: Matcher
) -> None:
    assert candidates(matcher, text) == {}
