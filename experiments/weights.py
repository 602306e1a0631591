"""Weights from a file into a network: nothing in the file is run, and every shape is checked."""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
from pathlib import Path

import torch
from torch import nn

from data.errors import InputError
from experiments.networks import Network

State = dict[str, torch.Tensor]
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
_PREFIX = re.compile(r"^(?:module\.|model\.|backbone\.|encoder\.|body\.)+")
# RadImageNet's PyTorch files number the children of torchvision's ResNet (BMEII-AI/RadImageNet#14).
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_HEADS = ("fc", "classifier", "head", "_fc")
_SHOWN = 3


def sha256(path: Path) -> str:
    """The SHA-256 of a file, twelve digits.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as e:
        raise InputError(f"cannot be read ({e})", path=path) from e


def read(path: Path) -> State:
    """The tensors of a `.safetensors` file, or of one that `torch.save` wrote.

    Raises:
        InputError: it is neither, it is damaged, or it would run code on loading.
    """
    if not path.is_file():
        raise InputError("no such file of weights", path=path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    try:
        with warnings.catch_warnings():
            # It is read or refused below; that other protocols may be refused is not news.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as e:
        raise InputError(
            f"refused: it holds more than tensors, which loading would run ({_first_line(e)}); ask "
            "for a .safetensors file, or save its state_dict alone where you trust it",
            path=path,
        ) from e
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as e:
        raise InputError(
            f"cannot be read as weights ({_first_line(e)}); fetch it again", path=path
        ) from e
    for name in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict):
        raise InputError(f"holds a {type(content).__name__}, expected named tensors", path=path)
    state = {str(name): value for name, value in content.items() if torch.is_tensor(value)}
    if not state:
        raise InputError("holds no named tensor", path=path)
    return state


def _safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as e:
        raise InputError(f"cannot be read as safetensors ({e}); fetch it again", path=path) from e


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def load(network: Network, state: State, *, path: Path) -> Network:
    """The network with these weights, and the head of their classes where they have one.

    Wrappers (`module.`, `backbone.`, ...) and RadImageNet's numbers are taken off names.

    Raises:
        InputError: a weight is missing, left over, not a number, or of another shape.
    """
    head, rest = _head(plain(state))
    if isinstance(getattr(network.body, "whole", None), nn.Module):
        rest = {f"whole.{name.removeprefix('whole.')}": value for name, value in rest.items()}
    wanted = network.body.state_dict()
    # Counters of batches seen are absent from weights of old versions, and change nothing.
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = sorted(wanted.keys() - rest.keys() - optional)
    extra = sorted(rest.keys() - wanted.keys())
    wrong = [
        f"{name} is {tuple(rest[name].shape)}, expected {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & rest.keys())
        if wanted[name].shape != rest[name].shape
    ]
    faults = [
        *([f"lacks {_some(missing)}"] if missing else []),
        *([f"has {_some(extra)} left over"] if extra else []),
        *([_some(wrong)] if wrong else []),
    ]
    if faults:
        raise InputError(
            f"does not fit the network: {'; '.join(faults)}; name the architecture that the "
            "weights were made with",
            path=path,
        )
    infinite = [name for name, value in rest.items() if not torch.isfinite(value).all()]
    if infinite:
        raise InputError(f"{_some(infinite)} holds values that are no numbers", path=path)
    network.body.load_state_dict(rest, strict=False)
    if head is not None and head.in_features == network.n_features:
        network.source_head = head
    return network


def plain(state: State) -> State:
    """The tensors under torchvision's names."""
    made = {}
    for name, value in state.items():
        first, _, rest = _PREFIX.sub("", name).partition(".")
        made[f"{_CHILDREN.get(first, first)}.{rest}" if rest else first] = value
    return made


def _head(state: State) -> tuple[nn.Linear | None, State]:
    """The last layer, if there is one, and all the others."""
    rest = {name: value for name, value in state.items() if name.split(".")[0] not in _HEADS}
    for name in _HEADS:
        weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        if weight is not None and bias is not None and weight.ndim == 2:
            head = nn.Linear(weight.shape[1], weight.shape[0])
            head.load_state_dict({"weight": weight, "bias": bias})
            return head, rest
    return None, rest


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
