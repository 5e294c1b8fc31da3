"""The layers a network is wired from: what PyTorch has none of, and a module for every step that is a layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.models import steps
from resnetkit.models.attention import make_attention
from resnetkit.models.sliding import same_padding
from resnetkit.models.spec import BatchNorm, GroupNorm
from resnetkit.models.steps import Layer, Step

STANDARDIZATION_EPS = 1e-8  # Big Transfer's
# The gradient of a strided 1×1 conv over fewer channels, in channels-last memory, writes past the end of its memory in
# torch 2.13, seen on a CPU with AVX2 and no AVX-512, which works on 8 channels at once: it crashes sooner or later.
FEWEST_STRIDED = 8


def build(layer: Layer) -> nn.Module:
    """The module of a layer.

    >>> build(steps.Conv(3, 64, 7, stride=2))
    Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)
    """
    match layer:
        case steps.Conv():
            return _build_conv(layer)
        case steps.Normalize():
            return _build_norm(layer)
        case steps.Relu():
            return nn.ReLU(inplace=layer.in_place)
        case steps.MaxPool():
            return nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.rounds_up)
        case steps.MeanPool(stride=1):
            return nn.Identity()
        case steps.MeanPool():
            return nn.AvgPool2d(layer.stride, ceil_mode=layer.rounds_up, count_include_pad=False)
        case steps.Blur():
            return Blur(layer.stride)
        case steps.Subsample():
            return Subsample(layer.stride)
        case steps.PadZeros():
            return nn.ZeroPad2d(layer.px)
        case steps.PadSame():
            return SamePad(layer.kernel_size, layer.stride, layer.value)
        case steps.PadChannels():
            return ZeroPad(layer.extra, num_before=layer.num_before)
        case steps.Dropout():
            return nn.Dropout(layer.rate)
        case steps.DropBranch():
            return StochasticDepth(layer.rate)
        case steps.Attend():
            return make_attention(layer.attention, layer.channels)
        case steps.Linear():
            return nn.Linear(layer.in_channels, layer.out_channels)
        case steps.ChannelConv() | steps.Sigmoid() | steps.GlobalPool() | steps.Scale() | steps.TimesGate():
            raise TypeError(f"{layer} is a piece of a module, or arithmetic: no layer by itself")
        case _:
            assert_never(layer)


def build_child(name: str, path: Iterable[Step]) -> nn.Module:
    """The module of a path's step ``name``, or of its steps ``name.0``, ``name.1`` …; an identity if it has none."""
    layers = {step.name: build(step.layer) for step in path if step.name.partition(".")[0] == name}
    if not layers:
        return nn.Identity()
    return layers[name] if name in layers else nn.Sequential(*layers.values())


def _build_conv(conv: steps.Conv) -> nn.Conv2d:
    is_of_few = strides_over_few(conv.kernel_size, conv.stride, conv.in_channels)
    needs_more = conv.pads_same or conv.standardizes or is_of_few
    make = FlexibleConv2d if needs_more else nn.Conv2d
    layer = make(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=0 if conv.pads_same else conv.kernel_size // 2,
        groups=conv.groups,
        bias=conv.bias,
    )
    if isinstance(layer, FlexibleConv2d):
        layer.pads_same, layer.standardizes = conv.pads_same, conv.standardizes
    return layer


def _build_norm(layer: steps.Normalize) -> nn.BatchNorm2d | nn.GroupNorm:
    match layer.norm:
        case BatchNorm(eps=eps, momentum=momentum):
            return nn.BatchNorm2d(layer.channels, eps=eps, momentum=momentum)
        case GroupNorm(groups=groups, eps=eps):
            return nn.GroupNorm(groups, layer.channels, eps=eps)
        case _:
            assert_never(layer.norm)


def pad_same(x: Tensor, kernel_size: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad as :func:`~resnetkit.models.sliding.same_padding` says.

    >>> pad_same(torch.ones(1, 1, 4, 5), kernel_size=3, stride=2).shape
    torch.Size([1, 1, 5, 7])
    """
    height, width = (same_padding(size, kernel_size, stride) for size in x.shape[-2:])
    return F.pad(x, (*width, *height), value=value)


class SamePad(nn.Module):
    """:func:`pad_same` as a layer."""

    def __init__(self, kernel_size: int, stride: int, value: float) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.value = kernel_size, stride, value

    def forward(self, x: Tensor) -> Tensor:
        """Pad ``x`` ``(N, C, H, W)``."""
        return pad_same(x, self.kernel_size, self.stride, self.value)


class FlexibleConv2d(nn.Conv2d):
    """A conv with TensorFlow's ``same`` padding, weight standardisation or both; a conv itself, so its keys stay flat.

    One of kernel 1 that strides over few channels is given every ``stride``-th pixel instead: see
    :data:`FEWEST_STRIDED`.

    Attributes:
        pads_same: pad as :func:`pad_same` does.
        standardizes: bring each filter to mean 0 and variance 1 before use (arXiv:1903.10520).
    """

    pads_same = False
    standardizes = False

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` ``(N, C, H, W)``."""
        if self.pads_same:
            x = pad_same(x, self.kernel_size[0], self.stride[0])
        weight = self.weight
        if self.standardizes:
            weight = standardize(weight)
        stride = self.stride
        if strides_over_few(self.kernel_size[0], stride[0], self.in_channels):
            x, stride = x[:, :, :: stride[0], :: stride[1]], (1, 1)
        return F.conv2d(x, weight, self.bias, stride, self.padding, self.dilation, self.groups)


def strides_over_few(kernel_size: int, stride: int, in_channels: int) -> bool:
    """Tell whether a conv is one of those that :data:`FEWEST_STRIDED` is about."""
    return kernel_size == 1 < stride and in_channels < FEWEST_STRIDED


def standardize(weight: Tensor) -> Tensor:
    """Bring each filter of a conv to mean 0 and variance 1."""
    variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
    return (weight - mean) * torch.rsqrt(variance + STANDARDIZATION_EPS)


class ZeroPad(nn.Module):
    """Add channels of zeros (arXiv:1512.03385, option A), of which ``num_before`` come first."""

    def __init__(self, extra_channels: int, *, num_before: int = 0) -> None:
        super().__init__()
        self.extra_channels, self.num_before = extra_channels, num_before

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C + extra_channels, H, W)``."""
        return F.pad(x, (0, 0, 0, 0, self.num_before, self.extra_channels - self.num_before))


class Subsample(nn.Module):
    """Keep every ``stride``-th pixel: what a strided 1×1 conv reads, and a max-pool of kernel 1."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C, ceil(H / stride), ceil(W / stride))``."""
        return x[:, :, :: self.stride, :: self.stride]


class Blur(nn.Module):
    """Smooth with the 3×3 binomial filter, then keep every ``stride``-th pixel (arXiv:1904.11486)."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        binomial = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", binomial[:, None] * binomial, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C, ceil(H / stride), ceil(W / stride))``."""
        channels = x.shape[1]
        x = _mirrored(_mirrored(x, 2), 3)
        kernel = self.get_buffer("kernel").expand(channels, 1, 3, 3)
        return F.conv2d(x, kernel, stride=self.stride, groups=channels)


def _mirrored(x: Tensor, dim: int) -> Tensor:
    """Add one pixel at both ends; on a GPU PyTorch's reflection padding adds gradients up in a random order."""
    last = x.shape[dim] - 1
    inner = min(1, last)  # one pixel has no neighbour to be mirrored at; repeating it gives what mirroring would
    return torch.cat([x.narrow(dim, inner, 1), x, x.narrow(dim, last - inner, 1)], dim)


class StochasticDepth(nn.Module):
    """Drop whole branches image by image in training, and scale up the others (arXiv:1603.09382).

    The paper drops a branch for the whole batch and scales at test time instead; expected values are the same.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` with some images zeroed."""
        if not self.training:
            return x
        # Drawn in float32: bfloat16's draws are multiples of 1/256, and a rate of 0.01 would be 0.0117.
        kept = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.rate
        return x * kept / (1 - self.rate)
