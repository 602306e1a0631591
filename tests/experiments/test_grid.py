import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import survey, use, work
from shapes import CPU, QUICK, Greedy, arrays, no_norm, shapes_target, tiny, tiny_source, written
from typer.testing import CliRunner

from data.corpus import Corpus
from data.errors import InputError, PartialError
from experiments.carbon import Meter
from experiments.cli import app
from experiments.finetune import ALL, Amount, cells
from experiments.grid import Grid, amounts, strategies
from experiments.machine import Machine
from experiments.networks import Network
from experiments.plan import Speed, expected, speed
from experiments.popular import popular, resolved
from experiments.pretrain import Method, Pretraining
from experiments.sources import SOURCES


def papers(path: Path) -> Corpus:
    """Two papers transfer from ImageNet to PneumoniaMNIST, one from CheXpert to a private set."""
    works = [work(f"W{i}") for i in range(1, 5)]
    uses = [
        use("W1", "ImageNet", "source"),
        use("W1", "PneumoniaMNIST", "target"),
        use("W2", "ImageNet", "source"),
        use("W2", "PneumoniaMNIST", "target"),
        use("W2", "BreastMNIST", "mention"),
        use("W3", "CheXpert", "source"),
        use("W3", "INbreast", "target"),
        use("W4", "ImageNet", "source"),
        use("W4", "ImageNet", "target"),
        use("W4", "PneumoniaMNIST", "target", score=0.2),
    ]
    return survey(path, works, uses)


def grid(corpus: Corpus, **fields: Any) -> Grid:
    plain: dict[str, Any] = {
        "target_specs": (),
        "source_specs": (),
        "popular": None,
        "strategies": strategies([]),
        "amounts": (ALL,),
        "seeds": 2,
        "size_px": 16,
        "recipe": QUICK,
        "pretraining": QUICK,
        "patient": None,
        "machine": CPU,
        "country": "NLD",
        "say": lambda said: None,
    }
    return Grid(corpus=corpus, **(plain | fields))


def test_the_most_popular_pairs_come_first(tmp_path: Path) -> None:
    with papers(tmp_path).connect() as db:
        rows = popular(db, top=10).to_pylist()
    assert [(row["source"], row["target"], row["n_papers"]) for row in rows] == [
        ("ImageNet", "PneumoniaMNIST", 2),
        ("CheXpert", "INbreast", 1),
    ]


def test_a_pair_says_what_it_lacks() -> None:
    sources, targets = {"ImageNet": "ImageNet"}, {"INbreast": "x.npz"}
    ready = resolved("ImageNet", "PneumoniaMNIST", 2, sources=sources, targets=targets)
    assert (ready.target_spec, ready.why_not) == ("medmnist:pneumoniamnist", "")
    assert resolved("BloodMNIST", "INbreast", 1, sources=sources, targets=targets).source_spec == (
        "pretrain:medmnist:bloodmnist"
    )
    lacking = resolved("CheXpert", "VinDr", 1, sources=sources, targets=targets)
    assert "--source 'CheXpert=file:" in lacking.why_not
    assert "--target 'VinDr=PATH'" in lacking.why_not


def test_a_plan_counts_what_is_left_and_what_cannot_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "ImageNet", tiny_source(id="ImageNet", kind="fixed"))
    corpus = papers(tmp_path / "s")
    path = written(tmp_path / "x.npz")
    asked = grid(
        corpus, target_specs=(f"PneumoniaMNIST={path}",), source_specs=("ImageNet",), popular=5
    )
    rows = {(row["source"], row["target"]): row for row in asked.plan() if row["papers"]}
    ready = rows["ImageNet", "PneumoniaMNIST"]
    assert (ready["papers"], ready["cells"], ready["left"], ready["missing"]) == (2, 3, 3, "")
    assert 0 < ready["hours"] < 1
    assert 0 < ready["kg CO2e"] < ready["kWh"]
    lacking = rows["CheXpert", "INbreast"]
    assert (lacking["cells"], lacking["hours"]) == (0, 0)
    assert "no images" in lacking["missing"]
    assert {cell.target.name for cell in asked.cells()} == {"PneumoniaMNIST"}


def test_a_survey_without_a_pair_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pair can be run here .*name --target"):
        grid(survey(tmp_path)).cells()


def test_a_source_may_have_a_size_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path / "x.npz")
    asked = grid(
        survey(tmp_path / "s"),
        target_specs=(str(path),),
        source_specs=("random:resnet10-small", "ImageNet@48"),
        seeds=1,
    )
    assert {(cell.source.id, cell.size_px) for cell in asked.cells()} == {
        ("random", 16),
        ("ImageNet", 48),
    }
    with pytest.raises(InputError, match="'ImageNet@9': 32 to 512 px"):
        grid(
            survey(tmp_path / "t"), target_specs=(str(path),), source_specs=("ImageNet@9",)
        ).cells()


def test_the_time_that_is_expected_by_hand(tmp_path: Path) -> None:
    target = shapes_target(tmp_path)
    fast = Speed(train=100, pretrain=50, infer=1000, probe_s=0.01, watts=36.0, g_per_kwh=500.0)
    asked = list(cells([(tiny_source(), target)], seeds=1, size_px=16, recipe=QUICK))
    found = expected(asked, lambda cell: fast)
    # Two epochs of 80 and 40 images and 60 for the test; features of 180 images, a probe of 80.
    assert found.seconds == pytest.approx(2 * (0.8 + 0.04) + 0.06 + 0.18 + 0.8)
    assert found.energy_kwh == pytest.approx(found.seconds * 36 / 3.6e6)
    assert found.co2_kg == pytest.approx(found.energy_kwh * 0.5)
    twice = expected([*asked, *asked], lambda cell: fast)
    assert twice.seconds == pytest.approx(2 * found.seconds - 0.18)  # features are kept
    unknown = Speed(train=100, pretrain=50, infer=1000, probe_s=0.01, watts=None, g_per_kwh=None)
    assert expected(asked, lambda cell: unknown).co2_kg is None


@pytest.mark.parametrize(("method", "epoch_s"), [("supervised", 1.6 + 0.04), ("mae", 1.6)])
def test_a_pretraining_counts_once_a_seed_and_without_labels_has_no_validation(
    tmp_path: Path, method: Method, epoch_s: float
) -> None:
    target = shapes_target(tmp_path)
    pretraining = Pretraining(
        images=target,
        architecture="resnet10-small",
        method=method,
        size_px=16,
        recipe=replace(QUICK, epochs=3),
    )
    fast = Speed(train=100, pretrain=50, infer=1000, probe_s=0.01, watts=36.0, g_per_kwh=500.0)

    def seconds(*, is_made: bool) -> float:
        source = tiny_source(pretraining=pretraining, is_made=lambda seed: is_made)
        asked = cells([(source, target)], seeds=2, size_px=16, recipe=QUICK)
        return expected(asked, lambda cell: fast).seconds

    # Three epochs of 80 images, for each of two seeds.
    assert seconds(is_made=False) - seconds(is_made=True) == pytest.approx(2 * 3 * epoch_s)


def test_the_speed_of_a_network_is_measured(tmp_path: Path) -> None:
    found = speed(tiny, size_px=8, batch=8, machine=Machine(), meter=Meter("NLD"))
    assert min(found.train, found.infer, found.probe_s) > 0
    assert found.watts is not None
    assert found.pretrain == found.train  # on labels it is the same fit
    masked = speed(tiny, size_px=16, batch=8, machine=Machine(), meter=Meter("NLD"), method="mae")
    assert 0 < masked.pretrain != masked.train
    small = speed(
        lambda: Network(Greedy(no_norm().body, 4), 8),
        size_px=8,
        batch=8,
        machine=Machine(),
        meter=Meter("NLD"),
    )
    assert small.train > 0


def test_amounts_and_strategies_by_name() -> None:
    assert amounts(None, None, None) == (ALL,)
    assert amounts([0.5], [100], [5]) == (
        Amount(0.5),
        Amount(100, "images"),
        Amount(5, "per class"),
    )
    with pytest.raises(InputError, match=r"--fraction 1\.5"):
        amounts([1.5], None, None)
    assert strategies(["fine-tune"]) == ("full fine-tune",)
    with pytest.raises(InputError, match="'prob'"):
        strategies(["prob"])


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command in this process, with its own standard output and error."""

    def called(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["experiments", *arguments])

    monkeypatch.setitem(SOURCES, "ImageNet", tiny_source(id="ImageNet", kind="fixed"))
    return called


def test_the_commands_measure_report_and_draw(tmp_path: Path, command: Any) -> None:
    survey(tmp_path / "s")
    made = arrays()
    made["train_images"][0] = made["test_images"][0]
    images = written(tmp_path / "shapes.npz", **made)
    there = ["-C", str(tmp_path / "s")]
    asked = ["--target", str(images), "--source", "random:resnet10-small", "--source"]
    asked += ["ImageNet", "--size", "32", "--seeds", "1", "--epochs", "1", "--images", "16"]
    done = command("run", *asked, *there, "--json")
    assert done.exit_code == 0, done.exception
    rows = json.loads(done.stdout)
    assert {(row["source"], row["strategy"]) for row in rows} == {
        (source, strategy)
        for source in ("random", "ImageNet")
        for strategy in ("linear probe", "full fine-tune")
    }
    assert "1 training or validation images of shapes occur" in done.stderr
    again = command("run", *asked, *there)
    assert "0 cells measured, 4 were there" in again.stderr
    assert "ImageNet" in again.stdout
    drawn = command("report", *there, "--json", "--svg", str(tmp_path / "a.svg"))
    assert json.loads(drawn.stdout) == rows
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    pairs = json.loads(command("report", *there, "--pairs", "--json").stdout)
    assert {row["strategy"] for row in pairs} == {"linear probe", "full fine-tune"}
    cost = json.loads(command("report", *there, "--cost", "--json").stdout)
    assert cost["steps"][-1]["step"] == "total"
    assert cost["steps"][-1]["co2_kg"] > 0
    assert cost["methods"]
    assert "would have avoided" in command("report", *there, "--cost").stderr
    planned = json.loads(command("plan", *asked, *there, "--json").stdout)
    assert [(row["source"], row["left"]) for row in planned] == [("random", 0), ("ImageNet", 0)]
    refused = command("run", "--target", str(images), "--source", "Mars", *there)
    assert isinstance(refused.exception, InputError)


def test_what_was_left_out_is_listed_and_the_exit_code_is_four(
    tmp_path: Path, command: Any
) -> None:
    survey(tmp_path / "s")
    asked = ["--target", str(written(tmp_path / "shapes.npz")), "--strategy", "probe"]
    asked += ["--source", "random:resnet10-small", "--per-class", "99", "--seeds", "1"]
    done = command("run", *asked, "--size", "32", "-C", str(tmp_path / "s"))
    assert isinstance(done.exception, PartialError)
    listed = tmp_path / "s" / "rejects" / "experiments.csv"
    assert done.exception.path == listed
    with listed.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["target"] == "shapes"
    assert "a class has 40" in row["reason"]
