"""The layers a block is wired from, made so that padding and normalisation are values."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.models.spec import BatchNorm

Padding = Literal["symmetric", "same"]


def make_conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    padding: Padding = "symmetric",
) -> nn.Conv2d:
    """A conv that keeps the size at stride 1 and gives ``ceil(size / stride)`` otherwise."""
    if padding == "same" and stride > 1 and kernel_size > 1:
        return SamePadConv2d(in_channels, out_channels, kernel_size, stride=stride, groups=groups, bias=bias)
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=bias,
    )


def make_norm(norm: BatchNorm, channels: int) -> nn.BatchNorm2d:
    """The normalisation layer for ``channels``."""
    return nn.BatchNorm2d(channels, eps=norm.eps, momentum=norm.momentum)


def make_max_pool(padding: Padding, *, zero_padded: bool) -> nn.Module:
    """The stem's 3×3 max-pool of stride 2."""
    if padding == "same":
        return nn.Sequential(SamePad(3, 2, 0.0 if zero_padded else float("-inf")), nn.MaxPool2d(3, stride=2))
    if zero_padded:
        return nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, stride=2))
    return nn.MaxPool2d(3, stride=2, padding=1)


def pad_same(x: Tensor, kernel_size: int, stride: int, value: float = 0.0) -> Tensor:
    """TensorFlow's ``same`` padding: where it cannot be even, the end gets the extra pixel.

    >>> import torch
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


class SamePadConv2d(nn.Conv2d):
    """A strided conv with TensorFlow's ``same`` padding; a conv itself, so that its keys stay flat."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` ``(N, C, H, W)``."""
        return super().forward(pad_same(x, self.kernel_size[0], self.stride[0]))


class ZeroPad(nn.Module):
    """Append channels of zeros (arXiv:1512.03385, option A)."""

    def __init__(self, extra_channels: int) -> None:
        super().__init__()
        self.extra_channels = extra_channels

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C + extra_channels, H, W)``."""
        return F.pad(x, (0, 0, 0, 0, 0, self.extra_channels))


class Subsample(nn.Module):
    """Keep every ``stride``-th pixel: what a strided 1×1 conv reads, and a max-pool of kernel 1."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C, ceil(H / stride), ceil(W / stride))``."""
        return x[:, :, :: self.stride, :: self.stride]
