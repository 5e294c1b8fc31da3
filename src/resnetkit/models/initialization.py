"""Initial weights, as the spec says."""

from __future__ import annotations

import math

from torch import nn

from resnetkit.models.block import ResidualBlock
from resnetkit.models.spec import (
    Distribution,
    FanInUniform,
    GatedAdd,
    GlorotUniform,
    HeNormal,
    Initialization,
    Normal,
)


def initialize(network: nn.Module, initialization: Initialization) -> None:
    """Draw all weights of a network afresh, from torch's global generator."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            draw(module, initialization.conv)
        elif isinstance(module, nn.Linear):
            draw(module, initialization.head)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.Conv1d):  # a Conv1d is the small conv of ECA's gate
            module.reset_parameters()
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            if isinstance(module.block.join, GatedAdd):
                assert module.joiner.gate.bias is not None
                nn.init.constant_(module.joiner.gate.bias, module.block.join.gate_bias)
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
