import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import NOW, survey
from shapes import CPU, QUICK, arrays, shapes_target, tiny_source, written

from data.corpus import Corpus
from data.errors import InputError
from data.records import Result, from_table
from experiments import finetune
from experiments.carbon import Meter
from experiments.finetune import (
    ALL,
    Amount,
    Cell,
    Outcome,
    cells,
    drawn,
    few,
    is_done,
    predictions,
    predictions_path,
    run,
)
from experiments.pretrain import Pretraining
from experiments.sources import SOURCES
from experiments.targets import Split, Target, read


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return shapes_target(tmp_path_factory.mktemp("t"))


@pytest.fixture(scope="module")
def meter() -> Meter:
    return Meter("NLD")


def planned(target: Target, source: Any = None, **options: Any) -> list[Cell]:
    plain: dict[str, Any] = {"seeds": 2, "size_px": 16, "recipe": QUICK}
    return list(cells([(source or tiny_source(), target)], **(plain | options)))


def ran(corpus: Corpus, asked: list[Cell], meter: Meter) -> Outcome:
    return run(corpus, asked, machine=CPU, meter=meter, clock=lambda: NOW)


def rows(corpus: Corpus) -> list[Result]:
    return list(from_table(Result, corpus.table("SELECT * FROM results")))


def test_a_run_measures_only_what_is_missing(tmp_path: Path, shapes: Target, meter: Meter) -> None:
    corpus, asked = survey(tmp_path), planned(shapes)
    assert ran(corpus, asked[:1], meter).measured == 1
    assert ran(corpus, asked, meter).measured == 3
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").iterdir()}
    assert ran(corpus, asked, meter) == Outcome(0, [])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    found = rows(corpus)
    assert {row.seed for row in found} == {0, 1}
    assert {row.strategy for row in found} == {"linear probe", "full fine-tune", "features"}
    assert len(predictions(corpus)) == 4


def test_a_cell_tells_quality_cost_and_how_the_cost_is_known(
    tmp_path: Path, shapes: Target, meter: Meter
) -> None:
    corpus = survey(tmp_path)
    recipe = replace(QUICK, epochs=4, learning_rates=(3e-3, 1e-9))
    asked = planned(shapes, strategies=["full fine-tune"], seeds=1, recipe=recipe)
    ran(corpus, asked, meter)
    found = {row.metric: row for row in rows(corpus)}
    auc = found["auc"]
    assert found["auc_low"].value <= auc.value <= found["auc_high"].value
    assert {"balanced_accuracy", "brier", "calibration_error", "val_auc"} <= found.keys()
    assert found["learning_rate"].value in recipe.learning_rates
    assert (auc.n_train, auc.n_test, auc.fraction, auc.model) == (80, 60, 1, "tiny@16px")
    assert auc.seconds is not None and auc.seconds > 0
    assert auc.energy_method is not None and auc.energy_method.startswith("codecarbon")
    assert auc.watts is not None and auc.g_per_kwh is not None
    assert auc.energy_kwh == pytest.approx(auc.watts * auc.seconds / 3.6e6)
    assert auc.co2_kg == pytest.approx((auc.energy_kwh or 0) * auc.g_per_kwh / 1000)


def test_a_country_that_is_not_known_is_told() -> None:
    with pytest.raises(InputError, match="'ATLANTIS' is not one of"):
        Meter("ATLANTIS")


_KILLED = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)  # as in the tests: with another number sums end in another last digit
sys.path[:0] = {paths!r}
import torch
from builders import NOW
from shapes import CPU, QUICK, tiny_source
torch.set_num_threads(1)  # as the tests: sums by two threads differ in their last bits
from data.corpus import Corpus
from experiments.carbon import Meter
from experiments.finetune import cells, run
from experiments.targets import read
asked = cells([(tiny_source(), read(Path({target!r})))], seeds=4, size_px=16, recipe=QUICK)
print("ready", flush=True)
run(Corpus(Path({survey!r})), list(asked), machine=CPU, meter=Meter("NLD"), clock=lambda: NOW,
    progress=lambda cell: print(cell.name, flush=True))
"""


def test_a_run_that_is_killed_goes_on_without_loss_or_doubles(tmp_path: Path, meter: Meter) -> None:
    corpus = survey(tmp_path / "s")
    target = shapes_target(tmp_path)
    root = Path(__file__).resolve().parents[2]
    script = _KILLED.format(
        paths=[str(root), str(root / "tests")],
        target=str(tmp_path / "shapes.npz"),
        survey=str(tmp_path / "s"),
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(3):  # it is ready, and two cells are done
        child.stdout.readline()
    time.sleep(0.03)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    asked = planned(target, seeds=4)
    n_done = sum(is_done(corpus, cell) for cell in asked)
    assert 2 <= n_done < len(asked)
    assert ran(corpus, asked, meter) == Outcome(len(asked) - n_done, [])
    undisturbed = survey(tmp_path / "u")
    ran(undisturbed, asked, meter)
    measures = ("auc", "auc_low", "balanced_accuracy", "brier", "learning_rate")

    def told(corpus: Corpus) -> list[tuple[Any, ...]]:
        return sorted(
            (row.strategy, row.seed, row.metric, row.value)
            for row in rows(corpus)
            if row.metric in measures
        )

    assert told(corpus) == told(undisturbed)


def test_a_cell_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, shapes: Target, meter: Meter
) -> None:
    corpus = survey(tmp_path)
    hopeless = replace(QUICK, learning_rates=(1e30,))
    outcome = ran(corpus, planned(shapes, recipe=hopeless), meter)
    assert outcome.measured == 2
    assert [failure.cell.strategy for failure in outcome.failures] == ["full fine-tune"] * 2
    assert "not a number" in outcome.failures[0].reason
    too_many = planned(shapes, amounts=[Amount(41, "per class")], seeds=1)
    failures = ran(corpus, too_many, meter).failures
    assert len(failures) == 2
    assert "a class has 40" in failures[0].reason


def test_a_source_that_has_seen_the_test_images_is_not_measured(
    tmp_path: Path, shapes: Target, meter: Meter
) -> None:
    made = arrays(seed=1)
    made["train_images"][:7] = shapes.test.images[:7]
    pretraining = Pretraining(
        images=read(written(tmp_path / "s.npz", **made)),
        architecture="resnet10-small",
        method="supervised",
        size_px=16,
        recipe=QUICK,
    )
    seen = tiny_source(id="Toy", kind="fixed", pretraining=pretraining)
    outcome = ran(survey(tmp_path / "c"), planned(shapes, seen), meter)
    assert outcome.measured == 0
    assert "7 validation or test images of shapes are among" in outcome.failures[0].reason


def test_a_seed_that_changes_nothing_is_run_once(shapes: Target) -> None:
    def count(source: Any, strategy: Any, amount: Amount) -> int:
        return len(planned(shapes, source, strategies=[strategy], amounts=[amount], seeds=3))

    fixed, random = SOURCES["ImageNet"], SOURCES["random"]
    assert count(fixed, "linear probe", ALL) == 1
    assert count(fixed, "linear probe", Amount(0.5)) == 3
    assert count(random, "linear probe", ALL) == 3
    assert count(fixed, "full fine-tune", ALL) == 3


def test_a_cell_is_another_with_anything_that_shapes_it(shapes: Target, tmp_path: Path) -> None:
    (cell,) = planned(shapes, strategies=["full fine-tune"], seeds=1)
    others = [
        replace(cell, seed=1),
        replace(cell, size_px=32),
        replace(cell, strategy="linear probe"),
        replace(cell, amount=Amount(0.5)),
        replace(cell, amount=Amount(5, "per class")),
        replace(cell, recipe=replace(QUICK, epochs=9)),
        replace(cell, source=tiny_source(checksum=lambda: "other")),
        replace(cell, target=shapes_target(tmp_path, seed=1)),
    ]
    assert len({other.name for other in (cell, *others)}) == 9
    # What has no part in a probe does not change its name.
    probe = replace(cell, strategy="linear probe")
    assert replace(probe, recipe=replace(QUICK, epochs=9)).name == probe.name


def test_an_amount_keeps_every_class() -> None:
    split = Split(np.zeros((100, 2, 2), np.uint8), np.array([0] * 97 + [1] * 3))

    def counts(amount: Amount) -> list[int]:
        return list(np.bincount(split.labels[drawn(split, amount, np.random.default_rng(0))]))

    assert counts(Amount(0.1)) == [10, 1]
    assert counts(Amount(50, "images")) == [48, 2]
    assert counts(Amount(3, "per class")) == [3, 3]
    assert counts(ALL) == [97, 3]
    several = Split(split.images, np.stack([split.labels, 1 - split.labels], axis=1))
    assert len(drawn(several, Amount(20, "images"), np.random.default_rng(0))) == 20


def test_who_has_few_images_validates_on_few(shapes: Target) -> None:
    (cell,) = planned(shapes, strategies=["linear probe"], seeds=1, amounts=[Amount(10, "images")])
    assert len(few(shapes.val, cell)) == 10
    assert len(few(shapes.val, replace(cell, amount=ALL))) == 40
    assert len(few(shapes.val, replace(cell, amount=Amount(0.9)))) == 40


def test_a_damaged_file_of_predictions_is_told(
    tmp_path: Path, shapes: Target, meter: Meter
) -> None:
    corpus = survey(tmp_path)
    asked = planned(shapes, strategies=["linear probe"], seeds=1)
    ran(corpus, asked, meter)
    predictions_path(corpus, asked[0].name).write_bytes(b"PK half")
    with pytest.raises(InputError, match="run the cell again"):
        predictions(corpus)


def test_of_two_recipes_the_newest_predictions_count(
    tmp_path: Path, shapes: Target, meter: Meter
) -> None:
    corpus = survey(tmp_path)
    longer = replace(QUICK, epochs=3)
    for recipe, now in ((longer, NOW.replace(day=2)), (QUICK, NOW)):
        asked = planned(shapes, strategies=["full fine-tune"], seeds=1, recipe=recipe)
        run(corpus, asked, machine=CPU, meter=meter, clock=lambda now=now: now)  # type: ignore[misc]
    (found,) = predictions(corpus)
    assert found.about["at"] == NOW.replace(day=2).isoformat()


def test_real_images_are_told_apart_better_than_by_chance(
    tmp_path: Path, shared: Path, meter: Meter
) -> None:
    target = read(shared / "images" / "pneumoniamnist.npz")
    asked = planned(
        target,
        SOURCES["ImageNet"],
        strategies=["linear probe"],
        amounts=[Amount(100, "images")],
        seeds=1,
        size_px=32,
    )
    small = replace(target, train=_every(8, target.train), test=_every(3, target.test))
    corpus = survey(tmp_path)
    ran(corpus, [replace(asked[0], target=small)], meter)
    assert next(row.value for row in rows(corpus) if row.metric == "auc_low") > 0.6


def _every(step: int, split: Split) -> Split:
    return Split(split.images[::step], split.labels[::step])


def test_probabilities_that_are_no_numbers_are_told(
    tmp_path: Path, shapes: Target, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*arguments: Any) -> Any:
        return np.full((60, 2), np.nan), 1.0

    monkeypatch.setattr(finetune, "probe", nothing)
    (failure,) = ran(
        survey(tmp_path), planned(shapes, strategies=["linear probe"], seeds=1), meter
    ).failures
    assert "no numbers" in failure.reason
