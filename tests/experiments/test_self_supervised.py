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
import torch
from safetensors.torch import load_file
from shapes import CPU, QUICK, shapes, shapes_target, tiny
from torch import nn

from data.errors import InputError
from experiments import pretrain, training
from experiments.features import extracted
from experiments.machine import Machine
from experiments.metrics import auc
from experiments.networks import ARCHITECTURES, Network, ResNet, network
from experiments.pixels import HALF
from experiments.pretrain import Method, Pretraining, pretrained, pretraining_job
from experiments.probe import probe
from experiments.self_supervised import Masked, hidden_patches, view, visible_only
from experiments.sources import Source
from experiments.targets import Split, Target, read
from experiments.training import Examples, Recipe, fit


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is quick to pretrain."""
    monkeypatch.setitem(ARCHITECTURES, "resnet10-small", tiny)


def asked(images: Target, method: Method, **fields: Any) -> Pretraining:
    plain = {"architecture": "resnet10-small", "size_px": 16, "recipe": QUICK}
    return Pretraining(images=images, method=method, **(plain | fields))


def test_two_views_of_an_image_differ_and_keep_its_shape() -> None:
    images = torch.rand(4, 3, 12, 12)
    generator = torch.Generator().manual_seed(0)
    one, other = view(images, generator), view(images, generator)
    assert one.shape == images.shape
    assert not torch.allclose(one, other)


# Masked autoencoding


def with_pooling() -> Network:
    """As the larger networks begin: a 7 x 7 stem and max pooling."""
    body = ResNet((1, 1), width=8, is_deep=False, is_small=False)
    return Network(body, body.n_features)


@pytest.mark.parametrize("made", [tiny, with_pooling])
@pytest.mark.parametrize("size_px", [32, 36])  # a multiple of the patches a side, and none
def test_hidden_pixels_do_not_reach_the_encoder(made: Any, size_px: int) -> None:
    masked = Masked(made(), size_px).train()
    seen_by: list[torch.Tensor] = []
    masked.narrow.register_forward_hook(lambda layer, given, out: seen_by.append(given[0]))
    hidden = hidden_patches(2)
    where = nn.functional.interpolate(hidden.float(), size=size_px)
    images = torch.randn(2, 3, size_px, size_px)
    one = masked.errors(images, hidden)
    other = masked.errors(images + 9 * where * torch.randn_like(images), hidden)
    assert torch.equal(*seen_by)
    assert not torch.allclose(one, other)  # they are what is to be painted
    masked.errors(images + 9 * (1 - where) * torch.randn_like(images), hidden)
    assert not torch.allclose(seen_by[0], seen_by[2])


def test_batch_norm_counts_what_is_visible_and_leaves_the_rest_empty() -> None:
    body = nn.Sequential(nn.BatchNorm2d(3), nn.MaxPool2d(3, stride=2, padding=1)).train()
    plain = nn.BatchNorm2d(3).train()
    seen = torch.zeros(4, 1, 8, 8)
    seen[..., :4] = 1
    images = torch.randn(4, 3, 8, 8) + 5
    normed: list[torch.Tensor] = []
    with visible_only(body, seen):
        body[0].register_forward_hook(lambda layer, given, out: normed.append(out))
        pooled = body(images * seen)
    assert torch.allclose(normed[0][..., :4], plain(images[..., :4]), atol=1e-5)
    assert not normed[0][..., 4:].any()
    assert pooled[..., :2].all()
    assert not pooled[..., 2:].any()
    assert torch.allclose(body[0].running_mean, plain.running_mean)
    assert torch.allclose(body[0].running_var, plain.running_var)
    # Outside, it is an ordinary network again.
    body(images)
    assert normed[1][..., 4:].any()


def test_as_many_patches_of_each_image_are_hidden_and_others_each_time() -> None:
    hidden = hidden_patches(5)
    assert hidden.sum(dim=(1, 2, 3)).tolist() == [38] * 5  # 0.6 of 64
    assert not torch.equal(hidden, hidden_patches(5))


def test_the_loss_by_hand() -> None:
    masked = Masked(tiny(), 16)
    masked.decoder = nn.Sequential(nn.Conv2d(128, 3, 1), nn.Upsample(scale_factor=2))
    for weight in masked.decoder.parameters():
        nn.init.zeros_(weight)
    hidden = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    hidden[0, 0, 0, 0] = True
    images = torch.zeros(1, 3, 16, 16)
    images[0, :, :2, 0] = 2.0  # the hidden patch is half 0, half 2: mean 1, variance 1
    # Against nothing painted, the error is that variance but for what is added to it.
    assert masked.errors(images, hidden).item() == pytest.approx(1 / 1.001)


def test_a_network_without_maps_is_told() -> None:
    class Pooled(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3))

    with pytest.raises(InputError, match=r"mae: needs a network that ends in feature maps.*\(3,\)"):
        Masked(Network(Pooled(), 3), 16)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_network_of_our_own_can_be_masked(name: str) -> None:
    masked = Masked(network(name), 64).train()
    losses = masked(torch.randn(2, 3, 64, 64))
    losses.mean().backward()
    assert losses.shape == (2,)
    # Only what tells the source's classes apart has no part in it.
    unmoved = [name for name, weight in masked.named_parameters() if weight.grad is None]
    assert all(name.startswith("network.source_head") for name in unmoved)


def many_shapes(tmp_path: Path, n: int = 400) -> Target:
    """More of the images of `shapes`, of which few are labelled in the tests below."""
    found = shapes_target(tmp_path)
    images, labels = shapes(n, np.random.default_rng(9))
    return replace(found, train=Split(images, labels[:, 0]))


def told_by(made: Network, images: Target) -> float:
    """Test AUC of a probe on twenty labelled images."""
    origin = Source(
        id="x", model="x", kind="pretrained here", normalisation=HALF, load=lambda seed: made,
        checksum=lambda: "x",
    )  # fmt: skip
    few = replace(images, train=Split(images.train.images[:20], images.train.labels[:20]))
    found = extracted(origin, few, seed=0, size_px=28, machine=CPU)
    scores, _ = probe(
        found.train, found.train_labels, found.val, found.val_labels, found.test
    )
    return auc(found.test_labels, scores)


@pytest.mark.usefixtures("_small")
def test_masked_autoencoding_learns_to_paint_and_features_that_tell_more(tmp_path: Path) -> None:
    images = many_shapes(tmp_path)
    recipe = Recipe(epochs=12, batch=32, learning_rates=(3e-3,))
    plan = asked(images, "mae", size_px=28, recipe=recipe)
    train = training.examples(images.train, 28)
    losses: dict[int, float] = {}
    for epochs in (1, 12):
        job = pretraining_job(
            "mae", tiny(), train, train, n_classes=2, recipe=replace(recipe, epochs=epochs),
            seed=0, machine=CPU,
        )  # fmt: skip
        fit(job)
        learned = job.classifier.eval()
        torch.manual_seed(0)
        with torch.inference_mode():
            pixels = training.normalised(train.pixels[:64], HALF, torch.device("cpu"))
            losses[epochs] = learned(pixels).mean().item()
    assert losses[12] < 0.9 * losses[1]
    made = pretrained(plan, 0, place=tmp_path, machine=CPU)
    random = tiny()
    from experiments.networks import calibrate

    calibrate(random, train.pixels, HALF, torch.device("cpu"))
    print(losses, told_by(made, images), told_by(random, images))
    assert told_by(made, images) > told_by(random, images) + 0.05
