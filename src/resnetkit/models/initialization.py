"""Initial weights, as the spec says."""

from __future__ import annotations

import math
from typing import assert_never

import torch
from torch import Tensor, nn

from resnetkit.models.block import ResidualBlock
from resnetkit.models.spec import Distribution, FanInUniform, GlorotUniform, HeNormal, Initialization, Normal

# What photographs are taken to be like: how alike neighbouring pixels are, and the three colours of one; and the
# variance of noise, which keeps what hardly varies from being blown up.
NEIGHBOUR_CORRELATION = 0.95
CHANNEL_CORRELATION = 0.9
NOISE_VARIANCE = 0.01


def initialize(network: nn.Module, initialization: Initialization) -> None:
    """Draw all weights of a network afresh, from torch's global generator; of one on the device ``meta``, none.

    Such a network has shapes and no numbers. Drawing them would still take time: torch loads its compiler for it.
    """
    if next(network.parameters()).is_meta:
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            draw(module, initialization.conv)
        elif isinstance(module, nn.Linear):
            draw(module, initialization.head)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.Conv1d):  # a Conv1d is the small conv of ECA's gate
            module.reset_parameters()
    match initialization.stem:
        case "as_conv":
            pass
        case "cosine_pairs":
            _set_cosine_pairs(next(module for module in network.modules() if isinstance(module, nn.Conv2d)))
        case _:
            assert_never(initialization.stem)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            module.joiner.reset()
            if initialization.zero_last:
                last = [name for name in module.branch if name.startswith(("conv", "bn"))][-1]
                for parameter in getattr(module, last).parameters():
                    nn.init.zeros_(parameter)


def draw(layer: nn.Conv2d | nn.Linear, distribution: Distribution) -> None:
    """Draw one layer's weights and bias."""
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    match distribution:
        case HeNormal(fan=fan):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in" if fan == "in" else "fan_out", nonlinearity="relu")
        case Normal(std=std):
            nn.init.normal_(layer.weight, std=std)
        case GlorotUniform():
            nn.init.xavier_uniform_(layer.weight)
        case FanInUniform():
            bound = 1 / math.sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.weight, -bound, bound)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -bound, bound)
        case _:
            assert_never(distribution)


def whitening_cosines(channels: int, size: int) -> Tensor:
    """Products of cosines over channels, rows and columns (DCT-II), ``(C k k, C, k, k)``, those that vary most first.

    Each is as long as it takes to answer to photographs of unit variance with unit variance, about. That needs no
    photographs: where neighbours are correlated alike everywhere, cosines are nearly the principal components of
    patches, and their variances follow from the correlations.

    >>> mean, *_ = whitening_cosines(1, 3)
    >>> [round(weight, 3) for weight in mean.flatten().tolist()[:4]]
    [0.116, 0.116, 0.116, 0.116]
    """
    over_channels, over_pixels = _cosines(channels), _cosines(size)
    filters = torch.einsum("ac,bi,dj->abdcij", over_channels, over_pixels, over_pixels).flatten(0, 2)
    # Of pixels d apart the correlation is the d-th power of the neighbours'; of two channels always the same.
    distance = (torch.arange(size)[:, None] - torch.arange(size)).abs()
    of_pixels = NEIGHBOUR_CORRELATION**distance
    of_channels = torch.full((channels, channels), CHANNEL_CORRELATION).fill_diagonal_(1.0)
    of_patches = torch.kron(of_channels, torch.kron(of_pixels, of_pixels))
    variances = (filters.flatten(1) @ of_patches * filters.flatten(1)).sum(1)
    order = variances.argsort(descending=True, stable=True)
    scaled: Tensor = filters / (variances + NOISE_VARIANCE).sqrt()[:, None, None, None]
    return scaled[order]


def _cosines(size: int) -> Tensor:
    """The cosines that fit into ``size`` samples, one a row, each of length 1."""
    samples = torch.arange(size, dtype=torch.float64)
    waves = torch.cos(math.pi * (samples + 0.5) * samples[:, None] / size)
    unit: Tensor = waves / waves.norm(dim=1, keepdim=True)
    return unit.float()


def _set_cosine_pairs(conv: nn.Conv2d) -> None:
    """Set as many filters as there are room and cosines for to a cosine and its negative; the rest stays as drawn."""
    filters = whitening_cosines(conv.weight.shape[1], conv.weight.shape[2])[: conv.out_channels // 2]
    with torch.no_grad():
        conv.weight[: 2 * len(filters)] = torch.cat([filters, -filters])
