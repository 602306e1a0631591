import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate import pipeline
from annotate.implied import ready_made, speaks_of_transfer
from annotate.pipeline import READY_CUES, SCRATCH_CUES, STUDY_CUES, Annotation, Annotator
from annotate.roles import says_from_scratch
from annotate.sentences import sentence_starts
from annotate.texts import read_papers
from data.records import Passage
from data.sample import TRUTH, phrases

Uses = set[tuple[str, str, bool]]


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return Annotator()


def annotation(annotator: Annotator, abstract: str, title: str | None = None) -> Annotation:
    texts = [("title", title), ("abstract", abstract)]
    passages = [
        Passage(work_id="W1", section=section, order=0, text=text, origin="test")  # type: ignore[arg-type]
        for section, text in texts
        if text is not None
    ]
    (made,) = annotator.annotate([("W1", passages)], run="r")
    for use in made.uses:
        (passage,) = [p for p in passages if p.section == use.section]
        assert passage.text[use.start : use.end] == use.surface
        assert use.evidence in passage.text
    return made


@pytest.fixture(scope="module")
def uses(annotator: Annotator) -> Callable[..., Uses]:
    def read(abstract: str, title: str | None = None) -> Uses:
        made = annotation(annotator, abstract, title)
        return {(use.dataset, use.role, use.implied) for use in made.uses}

    return read


SOURCE = {("ImageNet", "source", False)}
TARGET = {("BraTS", "target", False)}
MENTION = {("ImageNet", "mention", False)}


@pytest.mark.parametrize(
    "text",
    [
        "We pre-train on ImageNet and fine-tune later.",
        "ImageNet-pretrained weights are used.",
        "Our encoder is initialised with weights from ImageNet.",
        "A ResNet-50 pretrained on the large ImageNet dataset is adapted.",
        "We transfer knowledge from ImageNet.",
        "When pretrained on the ImageNet dataset, our network converges faster.",
        "Finally, we pretrain transformers on large datasets, such as the ImageNet.",
        "We compare networks with and without ImageNet pre-training.",
        "Our features come from a frozen network trained on ImageNet.",
        "ImageNet serves as the source domain of our study.",
        "ImageNet-based transfer learning is applied.",
        "Using an off-the-shelf ImageNet classifier, we extract deep features.",
        "We compare models trained with ImageNet and no pretraining.",
        "All networks were pre-trained (ImageNet) and then fine-tuned.",
    ],
)
def test_sources(uses: Callable[..., Uses], text: str) -> None:
    assert uses(text) == SOURCE


@pytest.mark.parametrize(
    "text",
    [
        "We evaluate on BraTS 2020.",
        "Experiments on the BraTS dataset show a gain.",
        "Our method is fine-tuned on BraTS.",
        "On BraTS, we reach a Dice of 0.9.",
        "The BraTS test set is used.",
        "We train a U-Net on BraTS.",
        "The method outperforms existing methods on the BraTS dataset.",
        "The gain over previous models is large in BraTS.",
        "Evaluated on public datasets, including BraTS, it wins.",
        "Validation on an open source dataset, BraTS, shows a gain.",
    ],
)
def test_targets(uses: Callable[..., Uses], text: str) -> None:
    assert uses(text) == TARGET


@pytest.mark.parametrize(
    "text",
    [
        "Recent progress was driven by ImageNet.",
        "Unlike previous work, our method does not need ImageNet pre-training.",
        "Images are normalised by the ImageNet mean and standard deviation.",
        "Large datasets such as ImageNet exist for photographs.",
        "Smith et al. pre-trained their network on ImageNet.",
        "Instead of ImageNet weights we use a task-specific start.",
    ],
)
def test_mentions(uses: Callable[..., Uses], text: str) -> None:
    assert uses(text) == MENTION


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "We adapt from CAMELYON16 to BreaKHis without labels.",
            {("CAMELYON16", "source", False), ("BreaKHis", "target", False)},
        ),
        (
            "We pre-train on ImageNet, CheXpert and MIMIC-CXR and evaluate on BraTS.",
            {
                ("ImageNet", "source", False),
                ("CheXpert", "source", False),
                ("MIMIC-CXR", "source", False),
                ("BraTS", "target", False),
            },
        ),
        (
            "We fine-tune a pretrained ResNet-50 on BraTS.",
            {("ImageNet", "source", True), ("BraTS", "target", False)},
        ),
        (
            "SAM was trained on SA-1B. We adapt it to liver masks in LiTS.",
            {("SA-1B", "source", False), ("LiTS", "target", False)},
        ),
        (
            "A deep model is trained on CT images from LUNA16 and fine-tuned on LiTS.",
            {("LUNA16", "source", False), ("LiTS", "target", False)},
        ),
        (
            "We compare the pretrained networks VGG19 and ResNet-50 with one trained from scratch.",
            {("ImageNet", "source", True)},
        ),
        (
            "A pre-trained Inception-v3 model is retrained on the BreakHis dataset.",
            {("ImageNet", "source", True), ("BreaKHis", "target", False)},
        ),
        (
            "A pretrained VGG16 was trained on BreakHis.",
            {("ImageNet", "source", True), ("BreaKHis", "target", False)},
        ),
        ("We fine-tune a pretrained ResNet-50 on ImageNet.", {("ImageNet", "source", False)}),
        ("We use a pretrained ResNet-50 on ImageNet.", {("ImageNet", "source", False)}),
        (
            "SimCLR pre-training on CheXpert and fine-tuning on ChestX-ray14 outperformed ImageNet "
            "initialization.",
            {
                ("CheXpert", "source", False),
                ("ChestX-ray14", "target", False),
                ("ImageNet", "source", False),
            },
        ),
        (
            "ImageNet-trained CNNs were used as fixed feature extractors for mammograms of DDSM.",
            {("ImageNet", "source", False), ("DDSM", "target", False)},
        ),
        (
            "A U-Net with an encoder pre-trained on ImageNet was trained on Kvasir-SEG.",
            {("ImageNet", "source", False), ("Kvasir-SEG", "target", False)},
        ),
        (
            "Experiments with a ViT pretrained with DINOv2 show gains on CAMELYON16.",
            {("LVD-142M", "source", True), ("CAMELYON16", "target", False)},
        ),
        (
            "Weights from RadImageNet were used to initialize a DenseNet-121 for detection in the "
            "TBX11K dataset.",
            {("RadImageNet", "source", False), ("TBX11K", "target", False)},
        ),
        (
            "UNI, a foundation model, extracts features from TCGA-LUAD slides.",
            {("Mass-100K", "source", True), ("TCGA", "target", False)},
        ),
        (
            "Cross-domain transfer is studied: natural images (ImageNet) to radiographs (TBX11K).",
            {("ImageNet", "source", False), ("TBX11K", "target", False)},
        ),
        (
            "We used pre-trained models (VGG19, DenseNet201) for classification of tumors on the "
            "Br35H dataset.",
            {("ImageNet", "source", True), ("Br35H", "target", False)},
        ),
        (
            "For pretraining, we use CheXpert and PadChest; for evaluation, VinDr-CXR.",
            {
                ("CheXpert", "source", False),
                ("PadChest", "source", False),
                ("VinDr-CXR", "target", False),
            },
        ),
        (
            "We train networks from scratch on BraTS and compare them to ImageNet-pretrained ones.",
            {("BraTS", "target", False), ("ImageNet", "source", False)},
        ),
        (
            "Pre-training on TCGA improves results on BreaKHis.",
            {("TCGA", "source", False), ("BreaKHis", "target", False)},
        ),
        (
            "CheXpert is used for pre-training and evaluation; we also test on VinDr-CXR.",
            {("CheXpert", "source", False), ("VinDr-CXR", "target", False)},
        ),
    ],
)
def test_several_roles_in_one_sentence(uses: Callable[..., Uses], text: str, wanted: Uses) -> None:
    assert wanted <= uses(text)


IMPLIED = {("ImageNet", "source", True)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("We fine-tune a pre-trained ResNet-50.", IMPLIED),
        ("An existing pretrained VGG16 extracts features.", IMPLIED),
        ("Transfer learning with DenseNet-121 is applied.", IMPLIED),
        ("We train a ResNet-50 from scratch.", set()),
        ("A ResNet-50 is used.", set()),
        ("We pretrain a ResNet on unlabelled scans.", set()),
        ("We use a U-Net.", set()),
        ("We adapt SAM with adapters for segmentation.", {("SA-1B", "source", True)}),
        ("We benchmark BiomedCLIP.", {("PMC-15M", "source", True)}),
        ("We train an encoder using DINO on slides.", set()),
        ("We pretrain a vision transformer with DINOv2 on a million tiles.", set()),
        ("A segmentation loss inspired by SAM is used.", set()),
        ("We use the REMEDIS foundation model.", {("model:REMEDIS", "source", True)}),
    ],
)
def test_implied_sources(uses: Callable[..., Uses], text: str, wanted: Uses) -> None:
    assert uses(text) == wanted


def test_a_named_source_silences_the_backbone(uses: Callable[..., Uses]) -> None:
    text = "We fine-tune a pretrained ResNet-50. All weights were pre-trained on CheXpert."
    assert uses(text) == {("CheXpert", "source", False)}


def test_the_norm_is_a_source_where_it_is_studied(uses: Callable[..., Uses]) -> None:
    norm = "ImageNet initialization remains largely the norm."
    assert uses(norm) == MENTION
    assert uses(f"{norm} We benchmark ten self-supervised models.") == SOURCE


def test_weights_of_unnamed_origin_have_a_name_of_their_own(uses: Callable[..., Uses]) -> None:
    assert uses("We fine-tune a pretrained model on scans.") == {("unspecified", "source", True)}
    assert uses("We adapt networks pretrained on natural images.") == {
        ("natural images (unspecified)", "source", True)
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("We train all networks from scratch.", True),
        ("Our network starts from randomly initialised weights.", True),
        ("Training from scratch requires many images.", False),
        ("Instead of training from scratch, we fine-tune.", False),
        ("Smith et al. trained from scratch.", False),
        ("We fine-tune.", False),
    ],
)
def test_from_scratch(annotator: Annotator, text: str, wanted: bool) -> None:
    assert annotation(annotator, text).from_scratch is wanted


def test_a_review_uses_nothing_itself(uses: Callable[..., Uses]) -> None:
    text = "Most of the papers fine-tune a pretrained ResNet-50; 80% used ImageNet."
    assert uses(text, "Transfer learning in radiology: a systematic review") == MENTION
    assert ("ImageNet", "source", False) in uses(
        "We pre-train on ImageNet.", "A survey of transfer, with experiments"
    )


def test_papers_come_back_in_order_also_empty_ones(annotator: Annotator) -> None:
    passage = Passage(work_id="b", section="title", order=0, text="BraTS", origin="t")
    papers: list[tuple[str, list[Passage]]] = [("a", []), ("b", [passage]), ("c", [])]
    found = list(annotator.annotate(papers, run="r"))
    assert [(a.work_id, len(a.uses)) for a in found] == [("a", 0), ("b", 1), ("c", 0)]


def test_a_use_says_who_found_it(annotator: Annotator) -> None:
    (use,) = annotation(annotator, "We evaluate on BraTS.").uses
    assert use.annotator == annotator.version
    assert use.annotator.startswith("cats@")
    assert 0 < use.score <= 1


def test_the_version_covers_all_modules_that_find_something(
    monkeypatch: pytest.MonkeyPatch, annotator: Annotator, tmp_path: Path
) -> None:
    code = "import sys, annotate.pipeline; print(*(m for m in sys.modules if 'annotate.' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {f"annotate.{path.stem}" for path in pipeline._RULES} == set(done.stdout.split())
    changed = tmp_path / "roles.py"
    changed.write_bytes(pipeline._RULES[0].read_bytes() + b"#")
    monkeypatch.setattr(pipeline, "_RULES", [changed, *pipeline._RULES[1:]])
    assert Annotator().version != annotator.version


_SENTENCES = [
    sentence.format_map(
        {
            "source": "ImageNet",
            "other": "COCO",
            "target": "BraTS",
            "model": "CLIP",
            "backbone": "ResNet-50",
            "images": "scans",
            "task": "triage",
            "Task": "Triage",
            "points": "1",
            "auc": "0.9",
            "n": "3",
        }
    )
    for group in (phrases.NAMED, phrases.IMPLIED, phrases.MENTION, phrases.TARGET, phrases.SCRATCH)
    for sentence in group
]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(_SENTENCES) | st.text("abc ImageNet-.;()\n\u2013", max_size=30)).map(
        " ".join
    )
)
def test_offsets_hold_in_any_text(annotator: Annotator, text: str) -> None:
    annotation(annotator, text)


@given(st.text(st.characters(), max_size=60) | st.text(max_size=200))
def test_any_text_can_be_annotated(annotator: Annotator, text: str) -> None:
    annotation(annotator, text, title=text[::-1])


_MB = 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "ImageNet " * (_MB // 36),
        "(((((" * (_MB // 5),
        "pre-trained on " * (_MB // 15),
        "x" * _MB,
        "a-b-c-" * (_MB // 6),
        "DRIVE, " * (_MB // 28),
        "We evaluate on " + ", ".join(["ImageNet", "BraTS", "CheXpert", "LiTS"] * 5000),
        "We evaluate on BraTS. " * 5000 + "It is so. " * 95_000,
        "(" * 100_000 + "ImageNet" + ")" * 100_000,
        "Image" + " " * _MB + "Net",
        "BraTS " + "1" * _MB,
        "pre-trained " + "a" * _MB,
    ],
    ids=lambda text: f"{text[:12]}...{len(text)}",
)
def test_long_and_odd_texts_come_to_an_end(annotator: Annotator, text: str) -> None:
    """How the time grows with the length is in tests/benchmarks/annotator.py."""
    annotation(annotator, text)


_CUE_PIECES = st.sampled_from(
    [
        *[
            "pre",
            "-",
            " ",
            "Pre-trained",
            "pretraining",
            "models",
            "\u017f",
            "\u0131",
            "\n",
            "\u2010",
        ],
        *["foundation", "Foundation models", "from scratch", "scratch-trained", "train", "learned"],
        *[
            "random",
            "ly",
            "initialised",
            "initiali",
            "zation",
            "weights",
            "network",
            "without",
            "any",
        ],
        *[
            "transfer",
            "learning",
            "fine",
            "tun",
            "self",
            "supervised",
            "the",
            "existing",
            "(",
            "we",
        ],
    ]
)


@settings(max_examples=400)
@given(st.lists(_CUE_PIECES, max_size=9).map("".join) | st.lists(_CUE_PIECES).map(" ".join))
def test_a_sentence_that_tells_something_has_a_cue(annotator: Annotator, sentence: str) -> None:
    _has_its_cues(annotator, sentence)


def test_real_sentences_that_tell_something_have_a_cue(annotator: Annotator, shared: Path) -> None:
    told = 0
    for name in ("pmlr_medical.jsonl", "cv_passages.jsonl"):
        for _, passages in read_papers(shared / "corpus" / name):
            for passage in passages:
                cuts = [*sentence_starts(passage.text), len(passage.text)]
                for start, end in itertools.pairwise(cuts):
                    told += _has_its_cues(annotator, passage.text[start:end])
    assert told > 500


def _has_its_cues(annotator: Annotator, sentence: str) -> bool:
    (scan,) = annotator._matcher.scan([sentence])
    cues = {cue for _, cue in scan.cues}
    if ready_made(sentence):
        assert cues & READY_CUES
    if speaks_of_transfer(sentence):
        assert cues & (READY_CUES | STUDY_CUES)
    if says_from_scratch(sentence):
        assert cues & SCRATCH_CUES
    return bool(cues)


def test_the_sample_is_read_as_it_was_meant(annotator: Annotator) -> None:
    """A guard against unnoticed change; the sample is invented and says nothing on quality."""
    import gzip
    from datetime import UTC, datetime

    from data.records import passages_of
    from data.sample import WORKS
    from miner.openalex import parse_work

    now = datetime(2026, 11, 1, tzinfo=UTC)
    with gzip.open(WORKS, "rt", encoding="utf-8") as lines:
        works = [parse_work(json.loads(line), fetched_at=now) for line in lines]
    english = {work.id for work in works if work.language == "en"}
    truth = [json.loads(line) for line in TRUTH.read_text(encoding="utf-8").splitlines()]
    wanted = {
        (said["id"], use["dataset"], use["role"])
        for said in truth
        for use in said["uses"]
        if said["id"] in english
    }
    papers = [(work.id, passages_of(work)) for work in works if work.id in english]
    found = {
        (made.work_id, use.dataset, use.role)
        for made in annotator.annotate(papers, run="r")
        for use in made.uses
    }
    assert len(wanted & found) / len(wanted) > 0.97
    assert len(wanted & found) / len(found) > 0.97
