"""Parameters and multiply-adds of a network, counted over its plan: instant, for lists of many networks (no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import assert_never

from resnetkit.models.block_plan import walk_block
from resnetkit.models.plan import Part, plan_network
from resnetkit.models.sliding import Map, apply
from resnetkit.models.spec import ResNetSpec
from resnetkit.models.steps import (
    Attend,
    Blur,
    ChannelConv,
    Conv,
    DropBranch,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    Normalize,
    PadChannels,
    PadSame,
    PadZeros,
    Relu,
    Scale,
    Sigmoid,
    Steps,
    Subsample,
    TimesGate,
)


@dataclass(frozen=True)
class Cost:
    """Trainable numbers, and what convs and linear layers do for one image.

    Attributes:
        activations: numbers that convs and linear layers put out; those of the convs are the activations of
            arXiv:2003.13678.
        num_layers: how many convs and linear layers there are.
    """

    parameters: int = 0
    multiply_adds: int = 0
    activations: int = 0
    num_layers: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.activations + other.activations,
            self.num_layers + other.num_layers,
        )


def count_cost(spec: ResNetSpec, image_size_px: int) -> Cost:
    """Cost of a network for square images.

    >>> from resnetkit.models.spec import BOTTLENECK
    >>> cost = count_cost(ResNetSpec(BOTTLENECK, (3, 4, 6, 3)), 224)
    >>> cost.parameters, cost.multiply_adds
    (25557032, 4089184256)
    """
    x, total = Map(spec.in_channels, image_size_px), Cost()
    for part in plan_network(spec):
        x, cost = count_part(part, x)
        total += cost
    return total


def count_part(part: Part, x: Map) -> tuple[Map, Cost]:
    """Give the map that a part of a network makes of ``x``, and its cost."""
    total = Cost()

    def run(steps: Steps, x: Map, _gate: Map | None) -> Map:
        nonlocal total
        x, cost = _count_steps(steps, x)
        total += cost
        return x

    x = run(part.steps, x, None)
    for block in part.blocks:
        x = walk_block(block, x, run, add=lambda branch, skip: branch)
    return x, total


@cache
def _count_steps(steps: Steps, x: Map) -> tuple[Map, Cost]:
    total = Cost()
    for step in steps:
        total += cost_of(step.layer, x)
        x = apply(step.layer, x)
    return x, total


def cost_of(layer: Layer, x: Map) -> Cost:
    """Cost of one layer that reads ``x``.

    >>> cost_of(Conv(64, 128, 3, stride=2), Map(64, 56))
    Cost(parameters=73728, multiply_adds=57802752, activations=100352, num_layers=1)
    """
    match layer:
        case Conv():
            out = apply(layer, x)
            weights = layer.out_channels * (layer.in_channels // layer.groups) * layer.kernel_size**2
            bias = layer.out_channels if layer.bias else 0
            return Cost(weights + bias, weights * out.num_pixels, out.channels * out.num_pixels, 1)
        case Linear():
            weights = layer.in_channels * layer.out_channels
            return Cost(weights + layer.out_channels, weights, layer.out_channels, 1)
        case ChannelConv():
            return Cost(layer.kernel_size, layer.kernel_size * x.channels, x.channels, 1)
        case Normalize():
            return Cost(2 * layer.channels)
        case Attend():
            return _count_steps(layer.steps, x)[1]
        case Relu() | Sigmoid() | Scale() | TimesGate() | Dropout() | DropBranch():
            return Cost()
        case MaxPool() | MeanPool() | GlobalPool() | Blur() | Subsample() | PadZeros() | PadSame() | PadChannels():
            return Cost()
        case _:
            assert_never(layer)
