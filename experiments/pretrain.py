"""Pretraining here, on any target's images: supervised, or SimSiam without labels.

Weights are kept under a digest of the images and of all that shaped them, and made once.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn import functional

from data.corpus import write_whole
from experiments.machine import Machine, is_out_of_memory
from experiments.networks import Network, network
from experiments.pixels import HALF, normalised, scaled
from experiments.targets import Target
from experiments.training import (
    DivergedError,
    Job,
    Recipe,
    State,
    classifier,
    cosine,
    drawn,
    examples,
    fit,
    halved,
)

Method = Literal["supervised", "simsiam"]
METHODS: tuple[Method, ...] = get_args(Method)
_VERSION = 1  # of this code, where it changes what comes out
_PROJECTED = 512  # width of SimSiam's projections; its predictor has a quarter
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
        told = (self.images.sha256, self.architecture, self.method, self.size_px, _VERSION)
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

    Args:
        place: directory of the weights.
    """
    from safetensors.torch import save

    path = asked.path(place, seed)
    state = _kept(path)
    if state is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint = path.with_suffix(".checkpoint")
        state = _METHODS[asked.method](asked, seed, machine, checkpoint)
        content = save({name: value.contiguous() for name, value in state.items()})
        write_whole(path, lambda file: file.write(content))
    made = network(asked.architecture, seed=seed)
    head = state.get("source_head.weight")
    if head is not None:
        made.source_head = nn.Linear(head.shape[1], head.shape[0])
    made.load_state_dict(state, strict=head is not None)
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


def _supervised(asked: Pretraining, seed: int, machine: Machine, checkpoint: Path) -> State:
    """Weights after training on the labels; the head of the classes included."""
    images = asked.images
    job = Job(
        classifier=classifier(
            network(asked.architecture, seed=seed), len(images.classes), seed=seed
        ),
        train=examples(images.train, asked.size_px),
        val=examples(images.val, asked.size_px),
        normalisation=HALF,
        recipe=asked.recipe,
        learning_rate=asked.recipe.learning_rates[0],
        seed=seed,
        machine=machine,
        checkpoint=checkpoint,
    )
    return {
        name.replace("network.", "", 1) if name.startswith("network.") else f"source_{name}": value
        for name, value in fit(job).state.items()
    }


def _simsiam(asked: Pretraining, seed: int, machine: Machine, checkpoint: Path) -> State:
    """Weights that give two views of an image the same features, learned without labels.

    On one device. Source: Chen & He 2021, arXiv:2011.10566, algorithm 1; with AdamW in place of
    SGD, and views without blur, which small images do not bear.
    """
    place = machine.place()
    made = network(asked.architecture, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        siamese = _Siamese(made)
    siamese = siamese.to(place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    siamese.train()
    pixels, recipe = scaled(asked.images.train.images, asked.size_px), asked.recipe
    steps = max(1, len(pixels) // recipe.batch)
    optimiser = torch.optim.AdamW(
        siamese.parameters(), lr=recipe.learning_rates[0], weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: cosine(step, warmup=recipe.warmup_epochs * steps, total=recipe.epochs * steps),
    )
    generator = torch.Generator().manual_seed(seed)
    size = recipe.batch
    unlabelled = Recipe(batch=recipe.batch)
    for _ in range(recipe.epochs):
        order = drawn(torch.zeros(len(pixels), dtype=torch.int64), unlabelled, generator)
        for step in range(steps):
            chosen = order[step * recipe.batch :][: recipe.batch]
            while True:
                try:
                    loss = _siamese_step(siamese, pixels[chosen[:size]], machine, generator)
                    break
                except (RuntimeError, MemoryError) as e:
                    if not is_out_of_memory(e) or size <= 2:
                        raise
                    size = halved(size)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
        if not math.isfinite(float(loss)):
            raise DivergedError("the loss of SimSiam is not a number; give a smaller rate")
    return {f"body.{name}": value.detach().cpu() for name, value in made.body.state_dict().items()}


class _Siamese(nn.Module):
    """The network with a projector and a predictor."""

    def __init__(self, made: Network) -> None:
        super().__init__()
        self.network = made
        width, inner = _PROJECTED, _PROJECTED // 4
        self.projector = nn.Sequential(
            nn.Linear(made.n_features, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width, affine=False),
        )
        self.predictor = nn.Sequential(
            nn.Linear(width, inner, bias=False),
            nn.BatchNorm1d(inner),
            nn.ReLU(),
            nn.Linear(inner, width),
        )

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The symmetric loss, between -1 and 1."""
        projections = [self.projector(self.network(view)) for view in (one, other)]
        predictions = [self.predictor(made) for made in projections]
        alike = [
            functional.cosine_similarity(prediction, projection.detach(), dim=1).mean()
            for prediction, projection in zip(predictions, projections[::-1], strict=True)
        ]
        return -torch.stack(alike).mean()


def _siamese_step(
    siamese: _Siamese, pixels: torch.Tensor, machine: Machine, generator: torch.Generator
) -> torch.Tensor:
    images = normalised(pixels, HALF, machine.place())
    with machine.autocast():
        loss: torch.Tensor = siamese(view(images, generator), view(images, generator))
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def view(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Another look at each image: a part of 40 to 100% of its area, mirrored, brighter or darker.

    *Shape:* (n, 3, h, w), normalised, as `images`.
    """

    def drawn_between(low: float, high: float) -> torch.Tensor:
        return torch.rand(len(images), generator=generator) * (high - low) + low

    side = drawn_between(0.4, 1.0).sqrt()
    reach = 1 - side
    mirror = torch.where(drawn_between(0, 1) < 0.5, -1.0, 1.0)
    placed = torch.zeros(len(images), 2, 3)
    placed[:, 0, 0], placed[:, 1, 1] = side * mirror, side
    placed[:, 0, 2], placed[:, 1, 2] = reach * drawn_between(-1, 1), reach * drawn_between(-1, 1)
    grid = functional.affine_grid(placed, list(images.shape), align_corners=False)
    cut = functional.grid_sample(
        images, grid.to(images.device), padding_mode="border", align_corners=False
    )
    contrast = drawn_between(0.6, 1.4).view(-1, 1, 1, 1).to(images.device)
    brightness = drawn_between(-0.4, 0.4).view(-1, 1, 1, 1).to(images.device)
    made: torch.Tensor = (cut * contrast + brightness).contiguous(memory_format=torch.channels_last)
    return made


_METHODS: dict[Method, Callable[[Pretraining, int, Machine, Path], State]] = {
    "supervised": _supervised,
    "simsiam": _simsiam,
}
