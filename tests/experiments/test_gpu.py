"""The same on a GPU, where one is; elsewhere these are left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shapes import QUICK, job, no_norm, shapes_target, tiny_source

from experiments.features import extracted
from experiments.machine import Machine, machine
from experiments.networks import network
from experiments.pixels import HALF, normalised
from experiments.pretrain import Method, Pretraining, pretrained
from experiments.training import Examples, _placed, classifier, fit, predicted

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
GPU = Machine(device="cuda")


def test_a_fit_ends_where_the_processors_does() -> None:
    once = replace(QUICK, epochs=1)
    here, there = (fit(job(no_norm(), recipe=once, machine=of)) for of in (Machine(), GPU))
    for name, value in here.state.items():
        assert torch.allclose(value, there.state[name], atol=1e-3), name


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_it_learns_in_every_precision(precision: str) -> None:
    assert fit(job(machine=machine("cuda", precision=precision))).val_auc > 0.9


def test_repeatable_algorithms_repeat_to_the_bit() -> None:
    one, other = (fit(job(machine=replace(GPU, deterministic=True))) for _ in range(2))
    assert all(torch.equal(value, other.state[name]) for name, value in one.state.items())


def test_a_fit_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments import training

    exact = replace(GPU, deterministic=True)
    undisturbed = fit(job(machine=exact))
    epoch = training._Run.epoch

    def stopped(run: training._Run, number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt
        epoch(run, number)

    saved = {"machine": exact, "checkpoint": tmp_path / "fit.pt", "checkpoint_s": 0}
    monkeypatch.setattr(training._Run, "epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(job(**saved))
    monkeypatch.setattr(training._Run, "epoch", epoch)
    gone_on = fit(job(**saved))
    assert all(torch.equal(v, gone_on.state[name]) for name, v in undisturbed.state.items())


def test_a_batch_that_does_not_fit_is_halved() -> None:
    pixels = torch.randint(0, 256, (512, 3, 224, 224), dtype=torch.uint8)
    images = Examples(pixels, torch.arange(512) % 2)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(6 * 2**30 / total)
    try:
        found = fit(
            job(
                classifier=classifier(network("resnet50"), 2, seed=0),
                train=images,
                val=Examples(pixels[:8], images.labels[:8]),
                recipe=replace(QUICK, epochs=1, batch=512),
                machine=machine("cuda"),
            )
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    assert 8 <= found.batch < 512


def test_images_too_many_for_the_gpu_stay_here_and_give_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    placed = fit(job(no_norm(), machine=GPU))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda place: (0, 0))
    asked = job(no_norm(), machine=GPU)
    assert _placed(asked.train, GPU.place()).pixels.is_pinned()
    found = fit(asked)
    assert all(torch.allclose(v, found.state[name], atol=1e-5) for name, v in placed.state.items())


def test_features_are_the_processors(tmp_path: Path) -> None:
    target = shapes_target(tmp_path)
    here, there = (
        extracted(tiny_source(), target, seed=0, size_px=28, machine=of) for of in (Machine(), GPU)
    )
    assert np.allclose(here.train, there.train, atol=2e-2)
    assert np.corrcoef(here.test.ravel(), there.test.ravel())[0, 1] > 0.999


def test_pixels_are_made_ready_there() -> None:
    pixels = torch.randint(0, 256, (4, 1, 16, 16), dtype=torch.uint8)
    there = normalised(pixels, HALF, GPU.place())
    assert there.is_contiguous(memory_format=torch.channels_last)
    here = normalised(pixels, HALF, torch.device("cpu"))
    assert torch.allclose(there.cpu(), here, atol=1e-6)
    model = classifier(network("resnet10-small"), 2, seed=0).to(GPU.place())
    assert predicted(model, pixels, HALF, machine("cuda")).shape == (4, 2)


@pytest.mark.parametrize("method", ["simsiam", "mae"])
def test_a_pretraining_without_labels_repeats_to_the_bit(tmp_path: Path, method: Method) -> None:
    plan = Pretraining(
        images=shapes_target(tmp_path),
        architecture="resnet10-small",
        method=method,
        size_px=32,
        recipe=QUICK,
    )
    exact = machine("cuda", precision="bfloat16", processes=1, deterministic=True)
    one, other = (
        pretrained(plan, 0, place=tmp_path / name, machine=exact).state_dict() for name in "ab"
    )
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert all(torch.isfinite(value).all() for value in one.values())
