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
from experiments import training
from experiments.features import extracted
from experiments.machine import Machine
from experiments.metrics import auc
from experiments.networks import ARCHITECTURES, Network, ResNet, calibrate, network
from experiments.pixels import HALF, normalised
from experiments.pretrain import Method, Pretraining, pretrained, pretraining_job
from experiments.probe import probe
from experiments.self_supervised import Masked, hidden_patches, view, visible_only
from experiments.sources import Source
from experiments.targets import Split, Target
from experiments.training import DivergedError, Recipe, examples, fit


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


def toy() -> Network:
    """A network of three stages, so that a place of its maps sees most of an image."""
    body = ResNet((1, 1, 1), width=16, is_deep=False, is_small=True)
    return Network(body, body.n_features)


def without_noise(split: Split) -> Split:
    return Split(np.where(split.images > 100, split.images, 0).astype(np.uint8), split.labels)


def told_by(made: Network, images: Target) -> float:
    """Mean test AUC of probes on sixteen labelled images, four times."""
    origin = Source(
        id="x", model="x", kind="pretrained here", normalisation=HALF, load=lambda seed: made,
        checksum=lambda: "x",
    )  # fmt: skip
    found = extracted(origin, images, seed=0, size_px=16, machine=CPU)
    few = [slice(start, start + 16) for start in range(0, 64, 16)]
    return float(
        np.mean(
            [
                auc(
                    found.test_labels,
                    probe(
                        found.train[rows],
                        found.train_labels[rows],
                        found.val,
                        found.val_labels,
                        found.test,
                    )[0],
                )
                for rows in few
            ]
        )
    )


def test_masked_autoencoding_learns_to_paint_and_features_that_tell_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ARCHITECTURES, "toy", toy)
    found = shapes_target(tmp_path)
    many, labels = shapes(400, np.random.default_rng(9))
    images = replace(
        found,
        train=without_noise(Split(many, labels[:, 0])),
        val=without_noise(found.val),
        test=without_noise(found.test),
    )
    recipe = Recipe(epochs=6, batch=32, learning_rates=(3e-3,))
    train = examples(images.train, 16)
    job = pretraining_job(
        "mae", network("toy"), train, train, n_classes=2, recipe=recipe, seed=0, machine=CPU
    )
    pixels = normalised(train.pixels[:64], HALF, torch.device("cpu"))

    def loss() -> float:
        torch.manual_seed(0)
        with torch.inference_mode():
            return float(job.classifier.eval()(pixels).mean())

    before = loss()
    fit(job)
    assert loss() < 0.7 * before
    plan = asked(images, "mae", architecture="toy", recipe=recipe)
    made, random = pretrained(plan, 0, place=tmp_path, machine=CPU), network("toy")
    calibrate(random, train.pixels, HALF, torch.device("cpu"))
    assert told_by(made, images) > told_by(random, images) + 0.05


@pytest.mark.usefixtures("_small")
def test_two_processes_pretrain_together(tmp_path: Path) -> None:
    images = shapes_target(tmp_path)
    plan = asked(images, "mae", recipe=replace(QUICK, epochs=1))
    two = Machine(processes=2)
    one, again = (
        pretrained(plan, 0, place=tmp_path / name, machine=two).state_dict() for name in "ab"
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["body.conv1.weight"], tiny().body.state_dict()["conv1.weight"])


@pytest.mark.usefixtures("_small")
def test_a_pretraining_that_diverges_is_told(tmp_path: Path) -> None:
    recipe = replace(QUICK, learning_rates=(1e30,))
    plan = asked(shapes_target(tmp_path), "mae", recipe=recipe)
    with pytest.raises(DivergedError, match=r"pretraining on shapes \(mae, seed 0\)"):
        pretrained(plan, 0, place=tmp_path, machine=CPU)


# Going on after a kill


_LONG = replace(QUICK, epochs=40, patience=99)
_KILLED = """
import sys
from functools import partial
from pathlib import Path
import torch
torch.set_num_threads(1)  # as in the tests
sys.path[:0] = {paths!r}
from shapes import CPU, QUICK, tiny
from dataclasses import replace
from experiments import pretrain
from experiments.networks import ARCHITECTURES
from experiments.targets import read
ARCHITECTURES["resnet10-small"] = tiny
pretrain.Job = partial(pretrain.Job, checkpoint_s=0)
asked = pretrain.Pretraining(
    images=read(Path({target!r})), architecture="resnet10-small", method={method!r}, size_px=16,
    recipe=replace(QUICK, epochs=40, patience=99),
)
pretrain.pretrained(asked, 3, place=Path({place!r}), machine=CPU)
"""


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("method", ["supervised", "simsiam", "mae"])
def test_a_pretraining_that_is_killed_goes_on_to_the_bit(
    tmp_path: Path, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = asked(shapes_target(tmp_path), method, recipe=_LONG)
    path = plan.path(tmp_path / "killed", 3)
    checkpoint = path.with_suffix(".checkpoint")
    root = Path(__file__).resolve().parents[2]
    script = _KILLED.format(
        paths=[str(root), str(root / "tests")],
        target=str(tmp_path / "shapes.npz"),
        method=method,
        place=str(path.parent),
    )
    child = subprocess.Popen([sys.executable, "-c", script])
    while not checkpoint.exists() and child.poll() is None:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert checkpoint.exists()
    assert not path.exists()
    begun: list[int] = []
    resume = training._Run.resume
    monkeypatch.setattr(training._Run, "resume", lambda run: begun.append(resume(run)) or begun[-1])
    for place in ("killed", "undisturbed"):
        pretrained(plan, 3, place=tmp_path / place, machine=CPU)
    assert 0 < begun[0] < 40
    assert begun[1] == 0
    one, other = (load_file(plan.path(tmp_path / name, 3)) for name in ("killed", "undisturbed"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not checkpoint.exists()
