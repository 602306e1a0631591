import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from shapes import CPU, QUICK, Greedy, GreedyInOne, job, no_norm, tiny, told_apart
from torch import nn

from data.errors import InputError
from experiments import training
from experiments.machine import Machine, is_out_of_memory, machine
from experiments.networks import Network
from experiments.pixels import HALF, IMAGENET, normalised, scaled
from experiments.training import (
    DivergedError,
    Examples,
    Recipe,
    augmentation,
    augmented,
    cosine,
    drawn,
    fit,
    predicted,
    probabilities,
    tuned,
)


def states_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_fit_learns_and_repeats_to_the_bit() -> None:
    one, again = fit(job(machine=Machine(deterministic=True))), fit(job())
    assert one.val_auc > 0.9
    assert states_equal(one.state, again.state)
    assert not states_equal(one.state, fit(job(seed=1)).state)


def test_a_fit_that_was_stopped_ends_where_an_undisturbed_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = fit(job())
    checkpoint = tmp_path / "c" / "fit.pt"
    epoch = training._Run.epoch

    def stopped(run: Any, number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt
        epoch(run, number)

    monkeypatch.setattr(training._Run, "epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(job(checkpoint=checkpoint, checkpoint_s=0))
    assert checkpoint.exists()
    numbers: list[int] = []

    def counted(run: Any, number: int) -> None:
        numbers.append(number)
        epoch(run, number)

    monkeypatch.setattr(training._Run, "epoch", counted)
    resumed = fit(job(checkpoint=checkpoint, checkpoint_s=0))
    assert numbers == [2, 3]
    assert states_equal(resumed.state, undisturbed.state)
    assert not checkpoint.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of it", b"\x80\x02}q\x00."])
def test_a_damaged_checkpoint_begins_anew(tmp_path: Path, content: bytes) -> None:
    checkpoint = tmp_path / "fit.pt"
    checkpoint.write_bytes(content)
    assert states_equal(fit(job(checkpoint=checkpoint)).state, fit(job()).state)


def test_running_statistics_follow_a_short_fit() -> None:
    slow = tiny()
    for layer in slow.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.01
    assert states_equal(fit(job(slow)).state, fit(job()).state)


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    network = no_norm()
    whole = fit(job(no_norm()))
    found = fit(job(Network(Greedy(network.body, 5), 8)))
    assert (whole.batch, found.batch) == (16, 4)
    # Without batch norm the pieces of a batch add up to the same step.
    for name, value in whole.state.items():
        other = found.state[name.replace("network.body.", "network.body.inner.")]
        assert torch.allclose(value, other, atol=1e-5), name


def test_not_even_one_image_is_told() -> None:
    with pytest.raises(InputError, match="smaller --batch or --size"):
        fit(job(Network(Greedy(no_norm().body, 0), 8)))
    with pytest.raises(InputError, match="with one image"):
        predicted(Greedy(no_norm().body, 0), told_apart(8).pixels, HALF, CPU)


def test_another_fault_of_a_network_is_not_taken_for_memory() -> None:
    class Faulty(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        predicted(Faulty(), told_apart(8).pixels, HALF, CPU)
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory: you tried"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


def test_prediction_out_of_memory_gives_the_same_in_smaller_batches() -> None:
    network = no_norm()
    pixels = told_apart(40).pixels
    whole = predicted(network, pixels, HALF, CPU)
    assert torch.allclose(predicted(Greedy(network, 7), pixels, HALF, CPU), whole, atol=1e-6)


def test_a_loss_that_is_no_number_is_told() -> None:
    with pytest.raises(DivergedError, match="learning rate 1e\\+30"):
        fit(job(learning_rate=1e30))


def test_a_rate_that_diverges_is_out_and_the_others_go_on() -> None:
    recipe = replace(QUICK, learning_rates=(1e30, 3e-3))
    found, rate = tuned(lambda rate: job(learning_rate=rate), recipe)
    assert rate == 3e-3
    assert found.val_auc > 0.5
    with pytest.raises(DivergedError):
        tuned(lambda rate: job(learning_rate=rate), replace(QUICK, learning_rates=(1e30,)))


def test_validation_alone_chooses_the_rate() -> None:
    recipe = replace(QUICK, learning_rates=(1e-9, 3e-3))
    _, rate = tuned(lambda rate: job(learning_rate=rate), recipe)
    assert rate == 3e-3
    # Where the labels of validation are turned round, the rate that learns nothing is better.
    val = told_apart(32)
    turned = Examples(val.pixels, 1 - val.labels)
    _, rate = tuned(lambda rate: job(learning_rate=rate, val=turned), recipe)
    assert rate == 1e-9


def test_it_stops_when_validation_no_longer_improves() -> None:
    recipe = replace(QUICK, epochs=30, patience=2)
    found = fit(job(recipe=recipe, learning_rate=1e-12))
    assert found.epochs < 30


def test_two_processes_share_a_network_that_had_a_head() -> None:
    headed = no_norm()
    headed.source_head = nn.Linear(8, 5)
    once = replace(QUICK, epochs=1)
    two = Machine(processes=2)
    with_head, without = (fit(job(each, recipe=once, machine=two)) for each in (headed, no_norm()))
    assert states_equal(with_head.state, without.state)


def test_two_processes_learn_as_one_does() -> None:
    once = replace(QUICK, epochs=1)  # of several, validation may choose another
    alone = fit(job(no_norm(), recipe=once))
    both = fit(job(no_norm(), recipe=once, machine=Machine(processes=2)))
    assert both.val_auc == pytest.approx(alone.val_auc, abs=0.02)
    for name, value in alone.state.items():
        # Sums are in another order, no more.
        assert torch.allclose(value, both.state[name], atol=1e-5), name


@pytest.mark.parametrize(("most", "spared"), [(3, 0), (4, 6)])
def test_out_of_memory_in_one_process_halves_the_batch_of_all(
    tmp_path: Path, most: int, spared: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fit(job(no_norm()))
    checkpoint = tmp_path / "fit.pt"
    greedy = Network(GreedyInOne(no_norm().body, most, spared), 8)
    two = Machine(processes=2)
    found = fit(job(greedy, machine=two, checkpoint=checkpoint, checkpoint_s=0))
    # Eight of the batch of sixteen are a process's share; what is full at three takes two.
    assert found.batch == (2 if most == 3 else 4)
    assert caplog.text.count("out of memory") == (2 if most == 3 else 1)
    for name, value in whole.state.items():
        other = found.state[name.replace("network.body.", "network.body.inner.")]
        assert torch.allclose(value, other, atol=1e-5), name
    assert not checkpoint.exists()


def test_not_even_one_image_in_one_of_two_processes_is_told() -> None:
    greedy = Network(GreedyInOne(no_norm().body, 0, 0), 8)
    once = replace(QUICK, epochs=1, batch=2)
    with pytest.raises(InputError, match="with 1 images at once on cpu; give a smaller --batch"):
        fit(job(greedy, recipe=once, machine=Machine(processes=2)))


def test_mixed_precision_learns_as_well() -> None:
    found = fit(job(machine=Machine(precision="bfloat16")))
    assert found.val_auc > 0.9
    assert all(value.dtype != torch.bfloat16 for value in found.state.values())


def test_a_fault_in_another_process_is_told_as_here() -> None:
    with pytest.raises(DivergedError, match="smaller --learning-rate"):
        fit(job(learning_rate=1e30, recipe=replace(QUICK, epochs=1), machine=Machine(processes=2)))
    with pytest.raises(InputError, match="fewer --processes"):
        fit(job(train=told_apart(1), machine=Machine(processes=2)))


def test_balanced_drawing_takes_each_class_as_often() -> None:
    labels = torch.tensor([0] * 950 + [1] * 50)
    generator = torch.Generator().manual_seed(0)
    order = drawn(labels, Recipe(balanced=True), generator)
    assert labels[order].float().mean().item() == pytest.approx(0.5, abs=0.05)
    plain = drawn(labels, Recipe(), generator)
    assert sorted(plain.tolist()) == list(range(1000))
    with pytest.raises(InputError, match="several labels"):
        drawn(torch.zeros(4, 2), Recipe(balanced=True), generator)


@given(st.integers(1, 6), st.integers(2, 9), st.integers(0, 2**31))
def test_an_image_that_is_moved_keeps_its_pixels(n: int, side: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 1, side, side), generator=generator, dtype=torch.uint8)
    down, right, mirrored = augmentation(n, pixels, Recipe(shift=0.3), generator)
    made = augmented(pixels, down, right, mirrored)
    for i in range(n):
        image = pixels[i].flip(2) if mirrored[i] else pixels[i]
        shift = int(right[i]) if not mirrored[i] else -int(right[i])
        rows = (torch.arange(side) - down[i]).clamp(0, side - 1)
        columns = (torch.arange(side) - shift).clamp(0, side - 1)
        assert torch.equal(made[i], image[:, rows][:, :, columns])


def test_the_cosine_by_hand() -> None:
    assert cosine(0, warmup=4, total=14) == pytest.approx(0.2)
    assert cosine(4, warmup=4, total=14) == 1
    assert cosine(9, warmup=4, total=14) == pytest.approx(0.5)
    assert cosine(14, warmup=4, total=14) == pytest.approx(0)


def test_several_labels_are_learned_each() -> None:
    examples = told_apart(64)
    both = torch.stack([examples.labels, 1 - examples.labels], dim=1).float()
    labelled = Examples(examples.pixels, both)
    found = fit(job(train=labelled, val=labelled, recipe=replace(QUICK, epochs=6)))
    assert found.val_auc > 0.9
    logits = torch.tensor([[0.0, 2.0]])
    assert probabilities(logits, is_multi_label=True)[0, 0] == 0.5
    assert probabilities(logits, is_multi_label=False).sum() == pytest.approx(1)


def test_pixels_are_scaled_once_and_normalised_by_channel() -> None:
    grey = np.array([[[0, 255], [0, 255]]], np.uint8)
    assert scaled(grey, 2).tolist() == [[[[0, 255], [0, 255]]]]
    made = normalised(scaled(grey, 2), HALF, torch.device("cpu"))
    assert tuple(made.shape) == (1, 3, 2, 2)
    assert (made.min().item(), made.max().item()) == (-1, 1)
    colour = normalised(scaled(grey, 2), IMAGENET, torch.device("cpu"))
    assert colour[0, :, 0, 0].tolist() == pytest.approx(
        [-mean / std for mean, std in zip(IMAGENET.mean, IMAGENET.std, strict=True)]
    )
    assert scaled(np.full((1, 4, 4, 3), 7, np.uint8), 2).unique().tolist() == [7]


def test_a_machine_that_is_not_there_is_told() -> None:
    assert machine("cpu").precision == "float32"
    with pytest.raises(InputError, match="'tpu'"):
        machine("tpu")
    with pytest.raises(InputError, match="float16 on GPUs only"):
        machine("cpu", precision="float16")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="0 are there"):
            machine("cuda")


def test_only_repeatable_algorithms_where_asked_for() -> None:
    with Machine(deterministic=True).exact():
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    assert math.isfinite(tiny()(torch.zeros(2, 3, 8, 8)).sum().item())
