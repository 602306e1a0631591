import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import NOW, survey, use, work
from PIL import Image
from typer.testing import CliRunner

from data.catalogue import load
from data.claims import claims
from data.errors import InputError
from data.records import Decision, Result, Use, Work, to_table
from experiments.cli import app
from experiments.popularity import of_modality, popularity, popularity_and_performance
from experiments.published import MEASURED, OWN
from experiments.ranking import SourceFeatures, rank
from experiments.recommend import Advice, advice, asked_works, costs, modality_of, recommend
from experiments.source_size import n_images

CATALOGUE = load()
NAMES = ["ImageNet", "CheXpert", "MURA", "COCO", "Places", "DTD", "STL-10", "EyePACS", "MRNet"]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def measured(
    *rows: tuple[str, str, float], study: str = "arXiv:2101.00001", **fields: Any
) -> pd.DataFrame:
    plain = {"modality": "x-ray", "model": "m", "strategy": "full fine-tune", "relative_to": None}
    plain |= {"variance": np.nan, "study": study}
    made = [{"source": s, "target": t, "value": v} | plain | fields for s, t, v in rows]
    return pd.DataFrame(made, columns=list(MEASURED))


def on_targets(n: int = 6, **sources: float) -> pd.DataFrame:
    """Values of sources that differ by target in the same way; ImageNet has 0.8."""
    drawn = np.random.default_rng(0)
    parts = []
    for target in range(n):
        easy = 0.02 * target
        parts += [("ImageNet", f"t{target}", 0.7 + easy)]
        parts += [
            (name, f"t{target}", 0.7 + easy + gap + 0.004 * drawn.normal())
            for name, gap in sources.items()
        ]
    return measured(*parts)


def papers(**counts: int) -> pd.DataFrame:
    rows = [(name, n, 100) for name, n in sorted(counts.items(), key=lambda pair: -pair[1])]
    return pd.DataFrame(rows, columns=["dataset", "n_papers", "n_among"])


def told(elsewhere: pd.DataFrame, used: pd.DataFrame, **options: Any) -> Advice:
    plain = {"modality": "x-ray", "catalogue": CATALOGUE, "rng": rng()}
    here = options.pop("here", measured())
    return recommend(used, elsewhere, here, **(plain | options))


# How sources are ordered


def test_measured_differences_make_four_groups_in_their_order() -> None:
    found = told(
        on_targets(CheXpert=0.05, MURA=0.0, COCO=-0.05), papers(Places=90, ImageNet=50, COCO=9)
    )
    assert list(found.frame["source"]) == ["CheXpert", "ImageNet", "MURA", "Places", "COCO"]
    assert list(found.frame["tier"]) == [
        "better", "not told apart", "not told apart", "unclear", "worse",
    ]  # fmt: skip
    assert list(found.frame["sure"]) == ["high", "high", "high", "none", "high"]
    assert found.verdict == "CheXpert: better than ImageNet on x-ray targets"
    best = found.frame.iloc[0]
    assert best["published"] == pytest.approx(0.05, abs=0.01)
    assert best["published_low"] > 0
    assert "to ImageNet on 6 published targets (x-ray)" in best["reason"]
    assert "used by no paper here" in best["reason"]
    assert best["access"] == "Stanford research use agreement"
    assert "not measured; used by 90 paper(s) (90% [83%, 94%])" in found.frame.iloc[3]["reason"]


def test_within_noise_the_advice_says_that_it_hardly_matters() -> None:
    close = told(on_targets(CheXpert=0.003, MURA=0.0, COCO=-0.003), papers(MURA=3))
    assert close.verdict.startswith("it hardly matters: in 6 comparisons on x-ray targets")
    assert set(close.frame["tier"]) == {"not told apart"}
    wide = told(on_targets(CheXpert=0.003, COCO=-0.06, MURA=-0.05), papers(MURA=3))
    assert wide.verdict == (
        "ImageNet or CheXpert: not told apart on x-ray targets; between these it hardly matters"
    )


def test_nothing_measured_is_said_and_use_alone_orders() -> None:
    found = told(measured(), papers(COCO=3, ImageNet=9))
    assert list(found.frame["source"]) == ["ImageNet", "COCO"]
    assert "nothing was measured" in found.verdict
    assert "use does not tell performance" in found.verdict


def test_few_targets_of_a_modality_fall_back_on_all_and_say_so() -> None:
    few = on_targets(2, CheXpert=0.05)
    more = on_targets(6, CheXpert=-0.05).assign(modality="ct", study="arXiv:2101.00002")
    found = told(pd.concat([few, more]), papers())
    assert "targets of all modalities" in found.verdict
    assert any("fewer than 3 of x-ray compare" in note for note in found.notes)
    assert set(found.frame["sure"]) == {"medium"}


def test_own_runs_decide_where_there_are_some_and_are_not_pooled() -> None:
    own = measured(("ImageNet", "mine", 0.8), ("MURA", "mine", 0.9), study=OWN, variance=0.0001)
    found = told(on_targets(MURA=-0.05), papers(), here=own)
    row = found.frame.set_index("source").loc["MURA"]
    assert row["tier"] == "better"
    assert row["own"] == pytest.approx(0.1)
    assert row["published"] == pytest.approx(-0.05, abs=0.01)
    assert row["sure"] == "low"
    assert any("they decide" in note for note in found.notes)


def test_what_a_datasets_own_paper_says_of_it_is_left_out() -> None:
    boast = measured(
        ("RadImageNet", "t0", 0.3), ("RadImageNet", "t1", 0.3), ("RadImageNet", "t2", 0.3),
        relative_to="ImageNet", study="doi:10.1148/ryai.210315",
    )  # fmt: skip
    found = told(pd.concat([on_targets(RadImageNet=-0.05), boast]), papers())
    assert found.frame.set_index("source").loc["RadImageNet", "tier"] == "worse"
    assert "left out: 3 figures from the paper that presents the source" in found.notes


def test_scores_on_the_users_images_order_what_is_not_told_apart() -> None:
    labels = np.arange(80) % 2

    def features(strength: float, seed: int) -> SourceFeatures:
        rows = np.random.default_rng(seed).normal(size=(80, 4))
        rows[:, 0] += strength * labels
        return SourceFeatures(features=rows, labels=labels)

    evidence = on_targets(MURA=0.0, CheXpert=0.05)
    ranking = rank({"ImageNet": features(0.0, 0), "MURA": features(4.0, 1)}, score="knn")
    found = told(evidence, papers(ImageNet=90), ranking=ranking)
    assert list(found.frame["source"]) == ["CheXpert", "MURA", "ImageNet"]
    assert "rank 1-1 of 2 on your images by knn" in found.frame.iloc[1]["reason"]
    assert any("your images: MURA is told from all 1 others" in note for note in found.notes)
    even = rank({"ImageNet": features(1.0, 0), "MURA": features(1.0, 1)}, score="knn")
    abstained = told(evidence, papers(ImageNet=90), ranking=even)
    assert list(abstained.frame["source"]) == ["CheXpert", "ImageNet", "MURA"]


def test_random_weights_stand_in_the_table_and_not_in_the_verdict() -> None:
    found = told(on_targets(random=-0.2), papers())
    row = found.frame.set_index("source").loc["random"]
    assert (row["tier"], row["n_papers"], row["access"]) == ("worse", None, "no source data")
    assert "ImageNet: no source was found to be better" in found.verdict


def test_costs_are_means_of_a_run() -> None:
    plain = {"target": "t", "model": "m", "strategy": "linear probe", "fraction": 1.0}
    rows = [
        Result(
            source="ImageNet", seed=seed, metric="auc", value=0.9, n_train=1, n_test=1,
            seconds=10.0 + seed, co2_kg=0.001, origin="run", at=NOW, **plain,
        )
        for seed in (0, 2)
    ]  # fmt: skip
    frame = costs(to_table(Result, rows))
    assert frame.to_dict(orient="records") == [
        {"source": "ImageNet", "seconds": 11.0, "co2_kg": 0.001}
    ]
    found = told(measured(), papers(ImageNet=1), costs=frame)
    assert found.frame.iloc[0]["seconds"] == 11.0


# What papers use


def test_popularity_counts_standing_claims_of_the_papers_asked_for() -> None:
    uses = [
        use("W1"), use("W2"), use("W2", "CheXpert"), use("W3", "CheXpert", score=0.2),
        use("W1", "MURA", "target"), use("W1", "unspecified"), use("W9"),
    ]  # fmt: skip
    found = claims(to_table(Use, uses), to_table(Decision, []))
    works = to_table(Work, [work("W1"), work("W2"), work("W3")])
    assert popularity(found, works).to_dict(orient="records") == [
        {"dataset": "ImageNet", "n_papers": 2, "n_among": 3},
        {"dataset": "CheXpert", "n_papers": 1, "n_among": 3},
    ]


def test_papers_are_chosen_by_modality_task_and_organ_while_enough_are_left() -> None:
    rows = [work(f"W{i}", title=f"Classification of chest radiographs {i}") for i in range(20)]
    rows += [work("W20", title="Segmentation of radiographs"), work("W21", title="Of mice")]
    works = to_table(Work, rows)
    assert of_modality(works, "x-ray").num_rows == 21

    def asked(**given: Any) -> tuple[int, str]:
        chosen, words = asked_works(works, modality="x-ray", **given)
        return chosen.num_rows, words

    assert asked(task="classification", organ="chest") == (20, "x-ray classification chest")
    assert asked(task="classification", organ="knee") == (20, "x-ray classification")
    assert asked(task="segmentation", organ=None) == (21, "x-ray")
    assert asked_works(works, modality="ct", task=None, organ=None)[0].num_rows == 22
    with pytest.raises(InputError, match="--task 'sorting' is not one of classification"):
        asked(task="sorting", organ=None)


def test_a_modality_is_known_by_any_spelling() -> None:
    assert modality_of("xray") == modality_of("X-Ray") == "x-ray"
    with pytest.raises(InputError, match="--modality 'smell' is not one of x-ray"):
        modality_of("smell")


@pytest.mark.parametrize(
    ("size", "n"),
    [
        ("1281167 train (1000 classes)", 1281167),
        ("1.35M", 1350000),
        ("~51,300 images", 51300),
        ("12 videos, 300 images", 300),
        ("917 exams", None),
        ("", None),
        ("10% of 5k", 5000),
    ],
)
def test_images_are_read_off_a_size_in_words(size: str, n: int | None) -> None:
    from dataclasses import replace

    known = replace(CATALOGUE.datasets["MURA"], size=size)
    catalogue = replace(CATALOGUE, datasets={"MURA": known})
    assert n_images("MURA", catalogue) == n
    assert n_images("Phobos", catalogue) is None


# Popularity and performance


def found_of(counts: dict[str, int]) -> tuple[Any, Any]:
    """Claims and works in which as many papers use each dataset, all on radiographs."""
    works = [work(f"W{i}", title="Radiographs") for i in range(max(counts.values()))]
    uses = [use(f"W{i}", name) for name, n in counts.items() for i in range(n)]
    return claims(to_table(Use, uses), to_table(Decision, [])), to_table(Work, works)


def grid(counts: dict[str, int], *, sign: int, n_targets: int = 5) -> pd.DataFrame:
    cells = [
        (name, f"t{t}", 0.5 + sign * 0.01 * n)
        for t in range(n_targets)
        for name, n in counts.items()
    ]
    return measured(*cells)


COUNTS = {name: 9 - i for i, name in enumerate(NAMES)}


def answer(evidence: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return popularity_and_performance(
        *found_of(COUNTS), evidence, catalogue=CATALOGUE, rng=rng(), permutations=50, **options
    )


def test_popularity_that_tells_performance_is_found_and_so_is_its_opposite() -> None:
    for sign in (1, -1):
        frame = answer(grid(COUNTS, sign=sign))
        row = frame[(frame["modality"] == "all") & (frame["foretold_by"] == "popularity")].iloc[0]
        assert row["tau"] == pytest.approx(sign)
        assert row["p"] == pytest.approx(1 / 51)
        assert row["p_holm"] >= row["p"]
        assert (row["n_targets"], row["n_sources"]) == (5, "9-9")
        assert (row["low"], row["high"]) == pytest.approx((sign, sign))


def test_a_modality_is_asked_by_its_own_papers_and_targets() -> None:
    evidence = pd.concat([grid(COUNTS, sign=1), grid(COUNTS, sign=-1).assign(modality="ct")])
    evidence.loc[evidence["modality"] == "ct", "target"] += " ct"
    frame = answer(evidence)
    frame = frame[frame["foretold_by"] == "popularity"].set_index("modality")
    assert frame.loc["all", "tau"] == pytest.approx(0)
    assert frame.loc["x-ray", "tau"] == pytest.approx(1)
    # No paper here is on CT: nothing varies.
    assert "differ" in frame.loc["ct", "why"]
    only = answer(evidence, modalities=["x-ray"])
    assert set(only["modality"]) == {"all", "x-ray"}


def test_fewer_than_eight_sources_are_undetermined_and_random_is_none() -> None:
    few = {name: COUNTS[name] for name in NAMES[:7]}
    evidence = grid(few | {"random": 1}, sign=1)
    frame = answer(evidence)
    assert frame["tau"].isna().all()
    assert "at most 7 share a target" in frame["why"].iloc[0]


def test_studies_are_not_pooled_and_own_runs_come_first() -> None:
    other = grid(COUNTS, sign=-1).assign(study=OWN)
    frame = answer(pd.concat([grid(COUNTS, sign=1), other]))
    frame = frame[(frame["modality"] == "all") & (frame["foretold_by"] == "popularity")]
    assert list(frame["study"]) == [OWN, "arXiv:2101.00001"]
    assert list(frame["tau"]) == pytest.approx([-1, 1])


# A survey, and the commands


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of 24 papers on radiographs, most of which use ImageNet, with a run of its own."""
    path = tmp_path_factory.mktemp("s") / "survey"
    works = [work(f"W{i}", title=f"Classification of radiographs {i}") for i in range(24)]
    uses = [use(f"W{i}") for i in range(16)] + [use(f"W{i}", "CheXpert") for i in range(6)]
    corpus = survey(path, works, uses)
    plain = {"target": "pneumoniamnist", "model": "m", "strategy": "linear probe"}
    rows = [
        Result(
            source=source, seed=0, metric=metric, value=value + shift, fraction=1.0, n_train=9,
            n_test=9, seconds=2.0, co2_kg=0.002, origin="run", at=NOW, **plain,
        )
        for source, value in (("ImageNet", 0.9), ("random", 0.7))
        for metric, shift in (("auc", 0.0), ("auc_low", -0.02), ("auc_high", 0.02))
    ]  # fmt: skip
    corpus.append(Result, rows, name="probe")
    rng_ = np.random.default_rng(0)
    (path / "features").mkdir()
    labels = np.arange(60) % 2
    for name, strength in (("ImageNet", 3.0), ("CheXpert", 0.0)):
        made = rng_.normal(size=(60, 4)) + strength * labels[:, None]
        np.savez(path / "features" / f"{name}.npz", features=made, labels=labels)
    return path


def test_advice_of_a_survey_rests_on_its_papers_and_runs(place: Path) -> None:
    from data.corpus import Corpus

    found = advice(Corpus(place), modality="xray", task="classification")
    row = found.frame.set_index("source").loc["ImageNet"]
    assert (row["n_papers"], row["share"]) == (16, pytest.approx(16 / 24))
    assert found.frame.set_index("source").loc["random", "tier"] == "worse"
    assert found.notes[0] == "papers counted: x-ray classification"


def cats(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cats", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_recommend_command(place: Path) -> None:
    options = ["-C", str(place), "--modality", "xray", "--images", str(place / "features")]
    done = cats("recommend", *options, "--score", "knn", "--json")
    assert done.returncode == 0, done.stderr
    answer_ = json.loads(done.stdout)
    assert {"verdict", "notes", "sources"} == set(answer_)
    first = {row["source"]: row for row in answer_["sources"]}["ImageNet"]
    assert (first["rank_low"], first["n_papers"]) == (1, 16)
    shown = cats("recommend", "-C", str(place), "--modality", "xray", "--top", "3")
    assert "ImageNet" in shown.stdout
    assert "not told apart" in shown.stdout
    assert "papers counted: x-ray classification" in shown.stderr
    wrong = cats("recommend", "-C", str(place), "--modality", "smell")
    assert wrong.returncode == 3


def written(folder: Path, *, n: int = 20, classes: tuple[str, ...] = ("dark", "light")) -> Path:
    """`n` noisy images of each class, one of them unreadable, in folders and in a table."""
    noise = np.random.default_rng(0)
    rows = ["path,label"]
    for shade, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            pixels = noise.integers(0, 60, (12, 12, 3)) + 120 * shade
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
            rows.append(f"{name}/{number}.png,{name}")
    (folder / classes[0] / "0.png").write_bytes(b"no image")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder


@pytest.mark.parametrize("kind", ["folder", "table.csv"])
def test_images_of_ones_own_are_looked_at(place: Path, tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "mine")
    before = sorted(place.rglob("*"))
    options = ["-C", str(place), "--modality", "xray", "--size", "32", "--json"]
    done = cats("recommend", *options, "--images", str(path if kind == "folder" else path / kind))
    assert done.returncode == 0, done.stderr
    answer_ = json.loads(done.stdout)
    rows = {row["source"]: row for row in answer_["sources"]}
    assert rows["ImageNet"]["score"] > 0.7  # dark images are told from light ones
    for name in ("ImageNet", "random"):
        assert "of 2 on your images by knn" in rows[name]["reason"]
    assert any("your images:" in note for note in answer_["notes"])
    assert "dark/0.png: UnidentifiedImageError" in done.stderr
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("n", "classes", "said"),
    [
        (4, ("a", "b"), "has 7 patients or images; 10 are needed to draw splits"),
        (6, ("a", "b"), "has at most 6 images of a class; 10 are needed to draw splits"),
        (20, ("a",), "has a single class, a; nothing to tell apart"),
    ],
)
def test_images_that_cannot_tell_sources_apart_are_told(
    place: Path, tmp_path: Path, n: int, classes: tuple[str, ...], said: str
) -> None:
    path = written(tmp_path / "mine", n=n, classes=classes)
    options = ["-C", str(place), "--modality", "xray", "--images"]
    for given in (path, path / "table.csv"):
        done = CliRunner().invoke(app, ["recommend", *options, str(given)])
        assert isinstance(done.exception, InputError)
        assert said in str(done.exception)
    gone = CliRunner().invoke(app, ["recommend", *options, str(path / "nowhere")])
    assert "nowhere" in str(gone.exception)


def test_a_class_of_too_few_training_images_is_told(place: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "mine", n=9)
    header, *rows = (path / "table.csv").read_text().splitlines()
    splits = ["train", "val", "test"] * 6
    told_ = [f"{row},{split}" for row, split in zip(rows, splits, strict=True)]
    (path / "table.csv").write_text("\n".join([f"{header},split", *told_]))
    options = ["-C", str(place), "--modality", "xray", "--size", "32", "--images"]
    done = CliRunner().invoke(app, ["recommend", *options, str(path / "table.csv")])
    assert isinstance(done.exception, InputError)
    assert "class 0 has 2 image(s)" in str(done.exception)
    assert "needs 4 of each" in str(done.exception)


def test_the_rank_command(place: Path) -> None:
    arguments = ["experiments", "rank", str(place / "features"), "--score", "knn"]
    done = cats(*arguments, "-C", str(place), "--json")
    assert done.returncode == 0, done.stderr
    answer_ = json.loads(done.stdout)
    assert (answer_["verdict"], answer_["best"]) == ("one", ["ImageNet"])
    assert answer_["baselines"]["popularity"] == ["ImageNet", "CheXpert"]
    assert answer_["baselines"]["dataset size"] == ["ImageNet", "CheXpert"]
    shown = cats(*arguments)
    assert "ImageNet is told from all 1 others" in shown.stderr
    assert "1-1" in shown.stdout
    refused = cats("experiments", "rank", str(place / "nowhere"))
    assert refused.returncode == 3
    assert "nowhere" in refused.stderr


def test_the_popularity_and_published_commands(place: Path) -> None:
    asked = ["experiments", "popularity", "-C", str(place), "--permutations", "20"]
    done = cats(*asked, "--modality", "xray", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    told_ = [row for row in rows if row["tau"] is not None and row["foretold_by"] == "popularity"]
    assert {row["study"] for row in told_} == {"arXiv:2412.20172"}
    assert all("share a target" in row["why"] for row in rows if row["study"] == "run")
    assert "undetermined" in cats(*asked, "--modality", "xray").stderr
    header = cats(*asked, "--modality", "xray", "--csv").stdout.splitlines()[0]
    assert header.startswith("study,model,strategy,modality,foretold_by,tau")
    published = cats("experiments", "published", "-C", str(place), "--modality", "ct", "--json")
    answer_ = json.loads(published.stdout)
    assert answer_["own runs"]["beside ImageNet"] == []
    assert {row["source"] for row in answer_["published"]["rivals beaten"]} > {"RadImageNet"}
    shown = cats("experiments", "published", "-C", str(place))
    assert "published: beside ImageNet" in shown.stdout
    assert "own runs: beside ImageNet" in shown.stdout
