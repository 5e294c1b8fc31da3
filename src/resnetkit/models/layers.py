"""The layers a network is wired from, made so that padding, normalisation and filters are values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.errors import require
from resnetkit.models.spec import BatchNorm, GroupNorm, Norm, Padding, Stem

STANDARDIZATION_EPS = 1e-8  # Big Transfer's


@dataclass(frozen=True)
class Layers:
    """Makes the layers whose kind is one choice for the whole network."""

    norm: Norm
    conv: Literal["plain", "weight_standardized"] = "plain"
    padding: Padding = "symmetric"

    def make_conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> nn.Conv2d:
        """A conv that keeps the size at stride 1 and gives ``ceil(size / stride)`` otherwise."""
        pads_same = self.padding == "same" and stride > 1 and kernel_size > 1
        make = nn.Conv2d if self.conv == "plain" and not pads_same else FlexibleConv2d
        layer = make(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=0 if pads_same else kernel_size // 2,
            groups=groups,
            bias=bias,
        )
        if isinstance(layer, FlexibleConv2d):
            layer.pads_same, layer.standardizes = pads_same, self.conv == "weight_standardized"
        return layer

    def make_norm(self, channels: int) -> nn.BatchNorm2d | nn.GroupNorm:
        """The normalisation of ``channels`` channels."""
        match self.norm:
            case BatchNorm(eps=eps, momentum=momentum):
                return nn.BatchNorm2d(channels, eps=eps, momentum=momentum)
            case GroupNorm(groups=groups, eps=eps):
                require(
                    channels % groups == 0,
                    f"norm.groups must divide the channels of every layer, got {groups} groups for {channels} channels",
                    fix="set norm.groups to a common divisor of the widths",
                )
                return nn.GroupNorm(groups, channels, eps=eps)
            case _:
                assert_never(self.norm)

    def make_stem_pool(self, stem: Stem, channels: int) -> nn.Module:
        """What halves the size after the stem's convs."""
        match stem.pool:
            case "none":
                return nn.Identity()
            case "max" | "zero_padded_max":
                return self._make_max_pool(zero_padded=stem.pool == "zero_padded_max")
            case "blurred_max":
                return nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), Blur(2))
            case "avg":
                return nn.AvgPool2d(2)
            case "conv":
                conv = self.make_conv(channels, channels, 3, stride=2)
                return nn.Sequential(conv, self.make_norm(channels), nn.ReLU(inplace=True))
            case _:
                assert_never(stem.pool)

    def _make_max_pool(self, *, zero_padded: bool) -> nn.Module:
        if self.padding == "same":
            return nn.Sequential(SamePad(3, 2, 0.0 if zero_padded else float("-inf")), nn.MaxPool2d(3, stride=2))
        if zero_padded:
            return nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, stride=2))
        return nn.MaxPool2d(3, stride=2, padding=1)


def pad_same(x: Tensor, kernel_size: int, stride: int, value: float = 0.0) -> Tensor:
    """TensorFlow's ``same`` padding: where it cannot be even, the end gets the extra pixel.

    >>> pad_same(torch.ones(1, 1, 4, 5), kernel_size=3, stride=2).shape
    torch.Size([1, 1, 5, 7])
    """
    amounts: list[int] = []
    for size in (x.shape[-1], x.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
        amounts += [total // 2, total - total // 2]
    return F.pad(x, amounts, value=value)


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
            variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
            weight = (weight - mean) * torch.rsqrt(variance + STANDARDIZATION_EPS)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


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
    """With one pixel more at both ends; on a GPU PyTorch's reflection padding adds gradients up in a random order."""
    last = x.shape[dim] - 1
    inner = min(1, last)  # one pixel has no neighbour to be mirrored at; repeating it gives what mirroring would
    return torch.cat([x.narrow(dim, inner, 1), x, x.narrow(dim, last - inner, 1)], dim)


class StochasticDepth(nn.Module):
    """In training, drop whole branches image by image and scale up the others (arXiv:1603.09382).

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
