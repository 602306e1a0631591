"""Learning without labels: SimSiam (`Siamese`) and masked autoencoding (`Masked`).

Each is a network with what it needs while it learns, and gives every image a loss of its own; what
it draws at random comes of torch's global generator, which `training` sets anew for each epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from data.errors import InputError
from experiments.networks import Network

_PROJECTED = 512  # width of SimSiam's projections; its predictor has a quarter
_GRID = 8  # patches a side; SparK has 7 at 224 px
_HIDDEN = 0.6  # of the patches, as SparK and FCMAE have it; He et al.: 0.75
_DECODER = 128  # channels of the decoder
_FLAT = 1e-3  # added to a patch's variance: four grey levels squared, so that the noise of a
# background that is black all over is not blown up to the size of what is seen elsewhere


class Siamese(nn.Module):
    """Gives two views of an image the same features.

    Source: Chen & He 2021, arXiv:2011.10566, algorithm 1; with AdamW in place of SGD, and views
    without blur, which small images do not bear.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        width, inner = _PROJECTED, _PROJECTED // 4
        self.projector = nn.Sequential(
            nn.Linear(network.n_features, width, bias=False),
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

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The symmetric loss, between -1 and 1. *Shape:* (n, 3, h, w) -> (n,)."""
        projections = [self.projector(self.network(view(images))) for _ in range(2)]
        predictions = [self.predictor(made) for made in projections]
        alike = [
            functional.cosine_similarity(prediction, projection.detach(), dim=1)
            for prediction, projection in zip(predictions, projections[::-1], strict=True)
        ]
        return -torch.stack(alike).mean(dim=0)


def view(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
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


class Masked(nn.Module):
    """Paints the hidden patches of an image from those that are seen.

    Hidden pixels are 0 from the start, and batch norms count visible places alone and leave the
    others 0, so that no statistic tells where, or how much, is hidden. A token stands for hidden
    places of the last feature maps; a light decoder paints all pixels from there, and the loss is
    the squared error of the hidden ones, each patch brought to mean 0 and variance 1.

    Source: He et al. 2022, arXiv:2111.06377, for the task and its loss; for convolutional networks
    as SparK (Tian et al. 2023, arXiv:2301.03580: norms over visible places) and FCMAE (Woo et al.
    2023, arXiv:2301.00808: a light decoder on the last maps alone). What differs: patches are an
    eighth of the side and need not be the network's stride, so that a place of the maps counts as
    visible where any pixel under it is; convolutions are computed at hidden places too, and
    thrown away by the norm behind them; the decoder is two 3 x 3 convolutions with batch norm.

    Args:
        network: ends in feature maps.
        size_px: side of the images.

    Raises:
        InputError: the network gives features without a place.
    """

    def __init__(self, network: Network, size_px: int) -> None:
        super().__init__()
        self.network = network
        network.eval()
        with torch.inference_mode():
            maps = network.body(torch.zeros(1, 3, size_px, size_px))
        if maps.ndim != 4:
            raise InputError(
                "mae: needs a network that ends in feature maps, and this one gives features "
                f"{tuple(maps.shape[1:])}; take one of our own, or simsiam:"
            )
        stride = math.ceil(size_px / maps.shape[-1])
        self.narrow = nn.Conv2d(maps.shape[1], _DECODER, 1)
        self.token = nn.Parameter(torch.zeros(1, _DECODER, 1, 1))
        self.decoder = nn.Sequential(
            *_convolved(_DECODER),
            *_convolved(_DECODER),
            nn.Conv2d(_DECODER, 3 * stride**2, 1),
            nn.PixelShuffle(stride),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The loss of each image's hidden pixels. *Shape:* (n, 3, s, s) -> (n,)."""
        hidden = hidden_patches(len(images)).to(images.device)
        return self.errors(images, hidden)

    def errors(self, images: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """The same for patches that are chosen. *Shape:* hidden bool (n, 1, grid, grid)."""
        side = images.shape[-1]
        seen = functional.interpolate((~hidden).float(), size=side)
        with visible_only(self.network.body, seen):
            maps = self.narrow(self.network.body(images * seen))
        maps = torch.where(_visible(seen, maps.shape[-1]), maps, self.token.to(maps.dtype))
        painted = self.decoder(maps)[..., :side, :side]
        error = (painted - _patchwise(images)).square().mean(dim=1, keepdim=True)
        missing = 1 - seen
        losses: torch.Tensor = (error * missing).sum(dim=(1, 2, 3)) / missing.sum(dim=(1, 2, 3))
        return losses


def _convolved(width: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
    return conv, nn.BatchNorm2d(width), nn.ReLU()


def hidden_patches(n: int) -> torch.Tensor:
    """Which patches of n images are hidden, as many of each image. *Shape:* (n, 1, grid, grid)."""
    ranks = torch.rand(n, _GRID**2).argsort(dim=1).argsort(dim=1)
    return (ranks < round(_HIDDEN * _GRID**2)).view(n, 1, _GRID, _GRID)


def _patchwise(images: torch.Tensor) -> torch.Tensor:
    """Images with each patch brought to mean 0 and variance 1. *Shape:* as `images`."""

    def mean(values: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(
            functional.adaptive_avg_pool2d(values, _GRID), size=images.shape[-1]
        )

    away = images - mean(images)
    return away / (mean(away.square()) + _FLAT).sqrt()


def _visible(seen: torch.Tensor, side: int) -> torch.Tensor:
    """Where maps of that side have a visible pixel under them. *Shape:* bool (n, 1, side, side)."""
    return functional.adaptive_max_pool2d(seen, side) > 0


@contextmanager
def visible_only(body: nn.Module, seen: torch.Tensor) -> Iterator[None]:
    """Inside, batch norms of `body` count visible places alone, and leave the others 0.

    Max pooling, which would carry values over the border, leaves them 0 too.

    Args:
        seen: 1 where a pixel is visible, else 0. *Shape:* (n, 1, s, s)
    """
    shapes: dict[nn.Module, torch.Size] = {}

    @cache
    def places(side: int) -> torch.Tensor:
        return _visible(seen, side).flatten().nonzero()[:, 0]

    def gathered(layer: nn.Module, given: tuple[torch.Tensor]) -> torch.Tensor:
        (maps,) = given
        shapes[layer] = maps.shape
        rows = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
        return rows.index_select(0, places(maps.shape[-1]))[:, :, None, None]

    def scattered(layer: nn.Module, given: object, made: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = shapes[layer]
        rows = made.new_zeros(n * height * width, channels)
        rows = rows.index_copy(0, places(width), made[:, :, 0, 0])
        return rows.view(n, height, width, channels).permute(0, 3, 1, 2)

    def blanked(layer: nn.Module, given: object, made: torch.Tensor) -> torch.Tensor:
        return made * _visible(seen, made.shape[-1])

    handles = []
    for layer in body.modules():
        if isinstance(layer, _BatchNorm):
            handles.append(layer.register_forward_pre_hook(gathered))
            handles.append(layer.register_forward_hook(scattered))
        elif isinstance(layer, nn.MaxPool2d):
            handles.append(layer.register_forward_hook(blanked))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def own_loss(losses: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean loss of images that a network without labels gives by itself."""
    return losses.mean()
