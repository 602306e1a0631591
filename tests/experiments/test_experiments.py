import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import NOW, survey
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from data.errors import InputError
from data.records import Result, from_table, to_table
from experiments.finetune import Cell, auc, auc_interval, cells, fraction_of, measure, probe, run
from experiments.report import report
from experiments.sources import SOURCES, features, normalised, source
from experiments.targets import Split, Target, read

Arrays = dict[str, Any]


def shapes(n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Grey images of squares (class 0) and crosses (class 1) at random places, with noise."""
    images = rng.integers(0, 60, (n, 28, 28), dtype=np.uint8)
    labels = np.arange(n) % 2
    for image, label in zip(images, labels, strict=True):
        x, y = rng.integers(2, 14, 2)
        if label:
            image[x + 5 : x + 7, y : y + 12] = image[x : x + 12, y + 5 : y + 7] = 220
        else:
            image[x : x + 8, y : y + 8] = 220
    return images, labels.reshape(-1, 1)


def arrays() -> Arrays:
    rng = np.random.default_rng(0)
    made: Arrays = {}
    for split, n in (("train", 80), ("val", 40), ("test", 60)):
        made[f"{split}_images"], made[f"{split}_labels"] = shapes(n, rng)
    return made


def written(path: Path, **changes: Any) -> Path:
    made = {name: array for name, array in (arrays() | changes).items() if array is not None}
    np.savez(path, **made)
    return path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return read(written(tmp_path_factory.mktemp("t") / "shapes.npz"))


def test_a_file_in_medmnist_shape_is_read(target: Target) -> None:
    assert (len(target.train.labels), len(target.val.labels), len(target.test.labels)) == (
        80,
        40,
        60,
    )
    assert target.train.labels.ndim == 1
    assert (target.n_leaked, len(target.sha256)) == (0, 12)


def test_leaks_are_taken_out_of_the_earlier_split_and_counted(tmp_path: Path) -> None:
    made = arrays()
    made["train_images"][:3] = made["test_images"][:3]
    made["val_images"][0] = made["test_images"][5]
    leaky = read(written(tmp_path / "l.npz", **made))
    assert leaky.n_leaked == 4
    assert (len(leaky.train.labels), len(leaky.val.labels), len(leaky.test.labels)) == (77, 39, 60)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"val_labels": None}, "no array 'val_labels'"),
        ({"train_images": np.zeros((80, 28, 28))}, "train_images is float64"),
        ({"train_images": np.zeros((80, 28), np.uint8)}, "train_images is uint8 of shape"),
        ({"train_labels": np.zeros((7, 1), int)}, "one whole number"),
        ({"train_labels": np.zeros((80, 3), int)}, "3 columns"),
        ({"train_labels": np.zeros((80, 1), int)}, "single class"),
        ({"test_labels": np.zeros((60, 1), int)}, "test_labels has classes"),
        ({"test_images": np.zeros((60, 32, 32), np.uint8)}, "differ in image shape"),
        (
            {"val_images": np.zeros((0, 28, 28), np.uint8), "val_labels": np.zeros((0, 1), int)},
            "no image",
        ),
        ({"val_labels": np.array([{}] * 40)}, "cannot be read"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, changes: Arrays, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(written(tmp_path / "w.npz", **changes))


def test_what_is_no_npz_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="fetch it again"):
        read(tmp_path / "x.npz")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.npz")


@given(hnp.arrays(st.sampled_from([np.uint8, np.int64, np.float32]), hnp.array_shapes(max_side=4)))
def test_any_array_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, array: Any) -> None:
    path = tmp_path_factory.mktemp("h") / "a.npz"
    try:
        read(written(path, train_images=array, train_labels=array))
    except InputError as e:
        assert "a.npz" in str(e)


def test_images_are_normalised_by_one_half() -> None:
    images = np.array([[[0, 255], [0, 255]]], np.uint8)
    tensor = normalised(source("ImageNet"), images, 2)
    assert tuple(tensor.shape) == (1, 3, 2, 2)
    assert tensor.min().item() == -1
    assert tensor.max().item() == 1


def test_random_features_differ_by_seed_and_image_and_repeat(target: Target) -> None:
    images = target.train.images[:16]
    random = source("random")
    one, again = (features(random, images, seed=1, size_px=32)[0] for _ in range(2))
    other = features(random, images, seed=2, size_px=32)[0]
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    # Without calibrated batch norm all images would have one and the same feature.
    assert (one.std(axis=0) / (np.abs(one).mean(axis=0) + 1e-9)).mean() > 0.1


def test_imagenet_weights_tell_shapes_apart(target: Target) -> None:
    cell = Cell(source=source("ImageNet"), fraction=1, seed=0, size_px=64)
    rows = {row.metric: row for row in measure(target, cell, country="USA", now=NOW)}
    assert rows["auc"].value > 0.9
    assert rows["auc_low"].value <= rows["auc"].value <= rows["auc_high"].value
    assert (rows["auc"].n_train, rows["auc"].n_test) == (80, 60)
    assert rows["auc"].seconds is not None
    assert rows["auc"].source == "ImageNet"


def test_auc_by_hand() -> None:
    labels = np.array([0, 0, 1, 1])
    scores = np.array([0.1, 0.6, 0.35, 0.8])
    assert auc(labels, np.stack([1 - scores, scores], axis=1)) == 0.75
    three = np.eye(3)[[0, 1, 2, 0]]
    assert auc(np.array([0, 1, 2, 0]), three) == 1.0


def test_the_interval_narrows_with_more_images() -> None:
    rng = np.random.default_rng(0)

    def width(n: int) -> float:
        labels = np.arange(n) % 2
        scores = labels + rng.normal(0, 1, n)
        low, high = auc_interval(labels, np.stack([-scores, scores], 1), np.random.default_rng(1))
        return high - low

    assert width(40) > 1.5 * width(400)


def test_the_penalty_is_chosen_on_validation() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    made = [(labels[:, None] + rng.normal(0, 1, (60, 5))).astype(np.float32) for _ in range(3)]
    scores = probe(made[0], labels, made[1], labels, made[2])
    assert scores.shape == (60, 2)
    assert np.allclose(scores.sum(axis=1), 1)


def test_a_fraction_keeps_every_class() -> None:
    split = Split(np.zeros((100, 2, 2), np.uint8), np.array([0] * 97 + [1] * 3))
    kept = fraction_of(split, 0.1, np.random.default_rng(0))
    assert sorted(np.bincount(kept.labels)) == [1, 10]


def test_a_seed_that_changes_nothing_is_run_once() -> None:
    planned = list(cells(list(SOURCES.values()), fractions=[1, 0.5], seeds=3, size_px=64))
    counts = {
        (name, fraction): sum(c.source.id == name and c.fraction == fraction for c in planned)
        for name in SOURCES
        for fraction in (1, 0.5)
    }
    assert counts == {
        ("random", 1): 3,
        ("random", 0.5): 3,
        ("ImageNet", 1): 1,
        ("ImageNet", 0.5): 3,
    }


def test_a_run_measures_only_what_is_missing(tmp_path: Path, target: Target) -> None:
    corpus = survey(tmp_path)
    planned = list(cells([source("ImageNet")], fractions=[0.5], seeds=2, size_px=32))
    options: dict[str, Any] = {"country": "USA", "clock": lambda: NOW}
    assert run(corpus, target, planned[:1], **options) == 1
    assert run(corpus, target, planned, **options) == 1
    assert run(corpus, target, planned, **options) == 0
    rows = list(from_table(Result, corpus.table("SELECT * FROM results")))
    assert sorted({row.seed for row in rows}) == [0, 1]
    assert len(rows) == 6


def row(source_id: str, seed: int, value: float, metric: str = "auc", **fields: Any) -> Result:
    plain = {"target": "t", "model": "m", "strategy": "linear probe", "fraction": 1.0}
    counts = {"n_train": 9, "n_test": 5, "seconds": 2.0, "origin": "run", "at": NOW}
    return Result(
        source=source_id, seed=seed, metric=metric, value=value, **(plain | counts | fields)
    )


def test_the_report_by_hand() -> None:
    rows = [
        row(name, seed, value + shift, metric)
        for name, seed, value in [("A", 0, 0.9), ("A", 1, 0.8), ("random", 0, 0.7)]
        for metric, shift in [("auc", 0.0), ("auc_low", -0.1), ("auc_high", 0.05)]
    ]
    frame = report(to_table(Result, [*rows, row("A", 0, 0.1, origin="paper")]))
    best, control = frame.to_dict(orient="records")
    assert (best["source"], control["source"]) == ("A", "random")
    assert best["auc"] == pytest.approx(0.85)
    assert best["sd"] == pytest.approx(0.0707, abs=1e-4)
    assert best["minus_random"] == pytest.approx(0.15)
    assert (best["low"], best["high"]) == pytest.approx((0.75, 0.9))
    assert (best["seeds"], best["seconds"]) == (2, 4.0)
    assert report(to_table(Result, [])).empty


def test_the_command_prints_and_keeps_results(tmp_path: Path) -> None:
    survey(tmp_path / "s")
    images = written(tmp_path / "shapes.npz")
    command = [sys.executable, "-m", "cats", "experiments"]
    options = ["-C", str(tmp_path / "s"), "--json"]
    asked = ["run", "--target", str(images), "--size", "32", "--seeds", "1", *options]
    done = subprocess.run([*command, *asked], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {found["source"] for found in rows} == {"random", "ImageNet"}
    reported = subprocess.run([*command, "report", *options], capture_output=True, check=True)
    assert json.loads(reported.stdout) == rows
    wrong = [
        *command,
        "run",
        "--target",
        str(images),
        "--source",
        "Mars",
        "-C",
        str(tmp_path / "s"),
    ]
    refused = subprocess.run(wrong, check=False, capture_output=True, text=True)
    assert refused.returncode == 3
    assert "'Mars'" in refused.stderr


def test_real_images_are_told_apart_better_than_by_chance(shared: Path) -> None:
    cell = Cell(source=source("ImageNet"), fraction=0.1, seed=0, size_px=32)
    rows = measure(read(shared / "images" / "pneumoniamnist.npz"), cell, country="USA", now=NOW)
    assert next(found.value for found in rows if found.metric == "auc_low") > 0.8
