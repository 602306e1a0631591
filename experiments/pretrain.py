"""Pretraining here, on any target's images: supervised, or without labels (`self_supervised`).

Weights are kept under a digest of the images and of all that shaped them, and made once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from data.corpus import write_whole
from experiments.machine import Machine
from experiments.networks import Network, calibrate, network
from experiments.pixels import HALF
from experiments.self_supervised import Masked, Siamese, own_loss
from experiments.targets import Target
from experiments.training import (
    DivergedError,
    Examples,
    Job,
    Recipe,
    State,
    classifier,
    examples,
    fit,
    label_loss,
)

Method = Literal["supervised", "simsiam", "mae"]
# Of this code, method by method, where it changes what comes out.
_VERSIONS: dict[Method, int] = {"supervised": 1, "simsiam": 2, "mae": 1}
# What learns without labels, made of a network and the side of its images.
_LEARNERS: dict[Method, Callable[[Network, int], nn.Module]] = {
    "simsiam": lambda made, size_px: Siamese(made),
    "mae": Masked,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """What is pretrained, and how; the first learning rate of the recipe is used."""

    images: Target
    architecture: str
    method: Method
    size_px: int
    recipe: Recipe

    def digest(self) -> str:
        """What tells its weights from others, twelve digits."""
        version = _VERSIONS[self.method]
        told = (self.images.sha256, self.architecture, self.method, self.size_px, version)
        return hashlib.sha256(repr((told, astuple(self.recipe))).encode()).hexdigest()[:12]

    def path(self, place: Path, seed: int) -> Path:
        """Where its weights are, once they are made."""
        return place / f"{self.images.name}-{self.digest()}-s{seed}.safetensors"


def pretrained(
    asked: Pretraining,
    seed: int,
    *,
    place: Path,
    machine: Machine,
) -> Network:
    """The network with its weights, read where they are, else trained now and kept.

    Training that was stopped goes on from its checkpoint.

    Args:
        place: directory of the weights.
    """
    from safetensors.torch import save

    path = asked.path(place, seed)
    state = _kept(path)
    if state is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        state = _trained(asked, seed, machine, path.with_suffix(".checkpoint"))
        content = save({name: value.contiguous() for name, value in state.items()})
        write_whole(path, lambda file: file.write(content))
    made = network(asked.architecture, seed=seed)
    head = state.get("source_head.weight")
    made.source_head = None if head is None else nn.Linear(head.shape[1], head.shape[0])
    made.load_state_dict(state)
    return made


def _kept(path: Path) -> State | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.exists():
        return None
    try:
        return load_file(path)
    except SafetensorError as e:
        _log.warning("%s is damaged (%s); it is made anew", path, e)
        return None


def _trained(asked: Pretraining, seed: int, machine: Machine, checkpoint: Path) -> State:
    """Weights of a `Network`; the head of the classes included where labels were learned."""
    images = asked.images
    job = pretraining_job(
        asked.method,
        network(asked.architecture, seed=seed),
        examples(images.train, asked.size_px),
        examples(images.val, asked.size_px),
        n_classes=len(images.classes),
        recipe=asked.recipe,
        seed=seed,
        machine=machine,
        checkpoint=checkpoint,
    )
    try:
        state = fit(job).state
    except DivergedError as e:
        raise DivergedError(
            f"pretraining on {images.name} ({asked.method}, seed {seed}): the loss is not a "
            "number; give --precision float32"
        ) from e
    if asked.method == "supervised":
        return {
            name.removeprefix("network.") if name.startswith("network.") else f"source_{name}": each
            for name, each in state.items()
        }
    made = Network(network(asked.architecture, seed=seed).body, 0)
    made.load_state_dict(
        {
            name.removeprefix("network."): each
            for name, each in state.items()
            if name.startswith("network.body.")
        }
    )
    if asked.method == "mae":
        # Its batch norms have seen parts of images only, as nobody will give them from now on.
        calibrate(made.to(machine.place()), job.train.pixels, HALF, machine.place())
    return {name: each.cpu() for name, each in made.state_dict().items()}


def pretraining_job(
    method: Method,
    made: Network,
    train: Examples,
    val: Examples,
    *,
    n_classes: int,
    recipe: Recipe,
    seed: int,
    machine: Machine,
    checkpoint: Path | None = None,
) -> Job:
    """The fit that pretrains a network; without labels the last epoch is kept.

    Raises:
        InputError: the method cannot train this network.
    """
    if method == "supervised":
        learner: nn.Module = classifier(made, n_classes, seed=seed)
    else:
        made.source_head = None  # as in a `Classifier`
        train = Examples(train.pixels, torch.zeros(len(train.pixels), dtype=torch.int64))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            learner = _LEARNERS[method](made, train.pixels.shape[-1])
    is_labelled = method == "supervised"
    return Job(
        classifier=learner,
        train=train,
        val=val if is_labelled else None,
        loss=label_loss if is_labelled else own_loss,
        normalisation=HALF,
        recipe=recipe,
        learning_rate=recipe.learning_rates[0],
        seed=seed,
        machine=machine,
        checkpoint=checkpoint,
    )
