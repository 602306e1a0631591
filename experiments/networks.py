"""Networks that turn images into features. Open `network` first.

A network's `forward` gives pooled features; what it told its source's classes apart with, if it
still has that, is `source_head`. A target gets a head of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from data.errors import InputError
from experiments.pixels import Normalisation, batches, normalised

_CALIBRATION = (8, 128)  # batches and images of each


class Network(nn.Module):
    """Images (n, 3, h, w) -> features (n, `n_features`).

    Args:
        body: gives feature maps (n, d, h, w), or features (n, d).
        n_features: d.
        source_head: features to the source's classes; None if it has none.
    """

    def __init__(
        self, body: nn.Module, n_features: int, source_head: nn.Linear | None = None
    ) -> None:
        super().__init__()
        self.body = body
        self.n_features = n_features
        self.source_head = source_head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pooled features. *Shape:* (n, 3, h, w) -> (n, d)."""
        made: torch.Tensor = self.body(images)
        return made.mean(dim=(2, 3)) if made.ndim == 4 else made


class ResNet(nn.Module):
    """A residual network up to its last feature maps, its weights named as torchvision names them.

    So weights of torchvision, timm and RadImageNet fit. Source: He et al. 2016, arXiv:1512.03385.

    Args:
        depths: blocks of each stage.
        width: channels of the first stage; each further one has twice as many.
        is_deep: bottleneck blocks (1x1, 3x3, 1x1), which end in four times as many channels.
        is_small: for images below about 100 px: a 3x3 stem that keeps the size, without pooling.
    """

    def __init__(
        self, depths: tuple[int, ...], *, width: int = 64, is_deep: bool, is_small: bool
    ) -> None:
        super().__init__()
        if is_small:
            self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.Identity() if is_small else nn.MaxPool2d(3, stride=2, padding=1)
        block = _Bottleneck if is_deep else _Basic
        channels = width
        for number, depth in enumerate(depths):
            inner = width * 2**number
            blocks: list[nn.Module] = []
            for place in range(depth):
                blocks.append(block(channels, inner, 2 if number and not place else 1))
                channels = inner * block.expansion
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.n_features = channels
        self._stages = len(depths)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The last feature maps. *Shape:* (n, 3, h, w) -> (n, d, h', w')."""
        maps: torch.Tensor = self.pool(torch.relu(self.bn1(self.conv1(images))))
        for number in range(self._stages):
            maps = self.get_submodule(f"layer{number + 1}")(maps)
        return maps


class _Block(nn.Module):
    """What both kinds of block share: the way around."""

    expansion = 1

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__()
        outer = inner * self.expansion
        self.downsample: nn.Module | None = None
        if stride > 1 or channels != outer:
            around = nn.Conv2d(channels, outer, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(around, nn.BatchNorm2d(outer))

    def _around(self, maps: torch.Tensor) -> torch.Tensor:
        return maps if self.downsample is None else self.downsample(maps)


class _Basic(_Block):
    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__(channels, inner, stride)
        self.conv1 = nn.Conv2d(channels, inner, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.bn1(self.conv1(maps)))
        return torch.relu(self.bn2(self.conv2(inner)) + self._around(maps))


class _Bottleneck(_Block):
    expansion = 4

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__(channels, inner, stride)
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, inner * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(inner * 4)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.bn1(self.conv1(maps)))
        inner = torch.relu(self.bn2(self.conv2(inner)))
        return torch.relu(self.bn3(self.conv3(inner)) + self._around(maps))


def _resnet(
    *depths: int, width: int = 64, is_deep: bool = False, is_small: bool = False
) -> Network:
    body = ResNet(depths, width=width, is_deep=is_deep, is_small=is_small)
    return Network(body, body.n_features)


class _Lite(nn.Module):
    """efficientnet-lite up to its last feature maps."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.whole.extract_features(images)
        return maps


def _lite0() -> Network:
    from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_name("efficientnet-lite0")
    head, whole._fc = whole._fc, torch.nn.Identity()
    return Network(_Lite(whole), head.in_features, head)


# Own networks, by name: one line adds one.
ARCHITECTURES: dict[str, Callable[[], Network]] = {
    "efficientnet-lite0": _lite0,
    "resnet10-small": lambda: _resnet(1, 1, 1, 1, width=32, is_small=True),  # 1.2 M weights
    "resnet18-small": lambda: _resnet(2, 2, 2, 2, is_small=True),  # MedMNIST's at 28 px
    "resnet18": lambda: _resnet(2, 2, 2, 2),
    "resnet34": lambda: _resnet(3, 4, 6, 3),
    "resnet50": lambda: _resnet(3, 4, 6, 3, is_deep=True),
}


def network(architecture: str, *, seed: int = 0) -> Network:
    """An untrained network, its weights drawn from the seed; `timm:NAME` for any of timm's.

    Raises:
        InputError: there is no such network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if architecture.startswith("timm:"):
            return timm_network(architecture.removeprefix("timm:"), pretrained=False)
        if architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise InputError(f"network {architecture!r} is not one of {known}, nor timm:NAME")
        return ARCHITECTURES[architecture]()


def library(name: str, purpose: str) -> Any:
    """An optional library.

    Raises:
        InputError: it is not installed, or does not load beside this torch.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as e:
        raise InputError(f"{purpose} needs {e.name}: pip install {name}") from e
    except (ImportError, RuntimeError, OSError) as e:
        raise InputError(
            f"{name} does not load beside torch {torch.__version__} ({e}); "
            "install the build that belongs to it, see https://pytorch.org/get-started"
        ) from e


def timm_network(name: str, *, pretrained: bool) -> Network:
    """One of timm's networks, or `hf-hub:OWNER/NAME` of the Hugging Face hub.

    Raises:
        InputError: timm is missing or does not load, or knows no such network.
    """
    timm = library("timm", f"source timm:{name}")
    try:
        body = timm.create_model(name, pretrained=pretrained)
    except (RuntimeError, ValueError, KeyError, OSError) as e:
        raise InputError(f"timm cannot make {name!r} ({e}); `timm.list_models()` has all") from e
    head = body.get_classifier()
    body.reset_classifier(0)
    return Network(body, body.num_features, head if isinstance(head, nn.Linear) else None)


def calibrate(made: Network, pixels: torch.Tensor, how: Normalisation, place: torch.device) -> None:
    """Set running statistics of all batch norms to averages over batches of images.

    With the untouched ones the activations of random weights shrink layer by layer, and all
    features become equal.

    Args:
        made: on `place`.
        pixels: of which the first thousand count. *Shape:* uint8 (n, 1 or 3, h, w)
    """
    made.eval()  # in training mode whole blocks drop out at random
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # cumulative average
            layer.train()
    n_batches, size = _CALIBRATION
    chosen = pixels[: n_batches * size]
    with torch.no_grad():
        for piece in batches(len(chosen), size):
            made(normalised(chosen[piece], how, place))
    made.eval()
