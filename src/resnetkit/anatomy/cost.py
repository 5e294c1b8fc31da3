"""Parameters and multiply-adds of a network by arithmetic on its spec: instant, for lists of many networks (no torch).

:mod:`~resnetkit.anatomy.table` counts the same in a network that is built; a test holds the two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from resnetkit.models.places import Place, iter_places
from resnetkit.models.spec import (
    Add,
    Block,
    DropoutAdd,
    EfficientChannelAttention,
    GatedAdd,
    NoAttention,
    NoSkip,
    Projection,
    ResNetSpec,
    ScaledAdd,
    SqueezeExcitation,
)


@dataclass(frozen=True)
class Cost:
    """Trainable numbers, and multiply-adds of convs and linear layers for one image."""

    parameters: int = 0
    multiply_adds: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)


@dataclass(frozen=True)
class _Map:
    """A square feature map."""

    channels: int
    size_px: int

    def conv(self, out_channels: int, kernel: int, stride: int = 1, *, groups: int = 1, bias: bool = False) -> Step:
        """A conv that reads it."""
        out = _Map(out_channels, -(-self.size_px // stride))
        weights = out_channels * (self.channels // groups) * kernel**2
        return out, Cost(weights + bias * out_channels, weights * out.size_px**2)

    def norm(self) -> Cost:
        """A scale and a shift per channel."""
        return Cost(2 * self.channels)


Step = tuple[_Map, Cost]


def count_cost(spec: ResNetSpec, image_size_px: int) -> Cost:
    """Cost of a network for square images.

    >>> from resnetkit.models.spec import BOTTLENECK
    >>> count_cost(ResNetSpec(BOTTLENECK, (3, 4, 6, 3)), 224)
    Cost(parameters=25557032, multiply_adds=4089184256)
    """
    x, cost = _stem(spec, _Map(spec.in_channels, image_size_px))
    for place in iter_places(spec):
        x, more = _block(place, x)
        cost += more
    tail = spec.block.order.preact if spec.tail is None else spec.tail
    if "bn" in tail:
        cost += x.norm()
    if spec.num_classes is not None:
        weights = x.channels * spec.num_classes
        cost += Cost(weights + spec.num_classes, weights)
    return cost


def _stem(spec: ResNetSpec, x: _Map) -> Step:
    stem, cost = spec.stem, Cost()
    has_norm = "bn" in (stem.steps if stem.steps is not None else {"bn"} - set(spec.block.order.preact))
    for i, (kernel, width) in enumerate(zip(stem.kernel_sizes, stem.widths, strict=True)):
        x, more = x.conv(width, kernel, stem.stride if i == 0 else 1, bias=stem.bias)
        is_last = i == len(stem.widths) - 1
        cost += more + (x.norm() if has_norm or not is_last else Cost())
    match stem.pool:
        case "conv":
            x, more = x.conv(x.channels, 3, 2)
            cost += more + x.norm()
        case "avg":
            x = _Map(x.channels, x.size_px // 2)
        case "max" | "zero_padded_max" | "blurred_max":
            x = _Map(x.channels, -(-x.size_px // 2))
        case "none":
            pass
        case _:
            assert_never(stem.pool)
    return x, cost


def _block(place: Place, x: _Map) -> Step:
    block, stride, out_channels = place.block, place.stride, place.out_channels
    num_convs = len(block.kernel_sizes)
    inner = place.width * block.group_width // 64 * block.groups
    channels = [*[inner] * (num_convs - 1), out_channels]
    branch, cost, convs = x, Cost(), 0
    for name in (name for part in block.order.layer_names(num_convs) for name in part):
        if name.startswith("bn"):
            cost += branch.norm()
        elif name.startswith("conv"):
            is_strided = convs == block.strided_conv
            if block.downsampling in ("blur", "avg") and convs == block.strided_conv + 1:
                branch = _Map(branch.channels, -(-branch.size_px // stride))
            kernel = block.kernel_sizes[convs]
            branch, more = branch.conv(
                channels[convs],
                kernel,
                stride if is_strided and block.downsampling == "stride" else 1,
                groups=block.groups if kernel > 1 else 1,
                bias=("last" if convs == num_convs - 1 else "inner") in block.conv_bias,
            )
            cost += more
            if block.downsampling == "max" and is_strided:
                branch = _Map(branch.channels, -(-branch.size_px // stride))
            convs += 1
    cost += _attention(block, out_channels) + _join(block, x, out_channels, stride)
    if place.projection is not None:
        cost += _projection(place.projection, x, out_channels, stride, bias="projection" in block.conv_bias)
    return branch, cost


def _attention(block: Block, channels: int) -> Cost:
    match block.attention:
        case SqueezeExcitation() as attention:
            hidden = attention.hidden_channels(channels)
            return Cost(2 * channels * hidden + channels + hidden, 2 * channels * hidden)
        case EfficientChannelAttention() as attention:
            size = attention.kernel_size(channels)
            return Cost(size, size * channels)
        case NoAttention():
            return Cost()
        case _:
            assert_never(block.attention)


def _join(block: Block, x: _Map, out_channels: int, stride: int) -> Cost:
    match block.join:
        case GatedAdd():
            return x.conv(out_channels, 1, stride, bias=True)[1]
        case Add() | ScaledAdd() | DropoutAdd() | NoSkip():
            return Cost()
        case _:
            assert_never(block.join)


def _projection(projection: Projection, x: _Map, out_channels: int, stride: int, *, bias: bool) -> Cost:
    cost = Cost()
    for step in projection.steps:
        match step:
            case "conv":
                x, more = x.conv(out_channels, 1, stride, bias=bias)
                cost, stride = cost + more, 1
            case "bn":
                cost += x.norm()
            case "avgpool" | "subsample":
                x, stride = _Map(x.channels, math.ceil(x.size_px / stride)), 1
            case "pad" | "pad_around":
                x = _Map(out_channels, x.size_px)
            case "act":
                pass
            case _:
                assert_never(step)
    return cost
