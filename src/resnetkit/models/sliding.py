"""Windows of layers that slide over square feature maps: sizes and paddings by arithmetic (no torch here)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from resnetkit.errors import Code, ResnetkitError
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
    Subsample,
    TimesGate,
)


@dataclass(frozen=True)
class Map:
    """A square feature map; of one pixel where it is pooled."""

    channels: int
    size_px: int

    @property
    def num_pixels(self) -> int:
        """Pixels of one channel."""
        return self.size_px**2


@dataclass(frozen=True)
class Slide:
    """A window that moves along one side of a map, with ``before`` and ``after`` pixels of padding at the ends."""

    kernel_size: int = 1
    stride: int = 1
    before: int = 0
    after: int = 0

    def count(self, size_px: int) -> int:
        """Count the windows that fit: the size of what comes out."""
        return (size_px + self.before + self.after - self.kernel_size) // self.stride + 1


def same_padding(size_px: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """TensorFlow's ``same`` padding, (before, after): where it cannot be even, the end gets the extra pixel.

    >>> same_padding(4, kernel_size=3, stride=2), same_padding(5, kernel_size=3, stride=2)
    ((0, 1), (1, 1))
    """
    total = max((-(-size_px // stride) - 1) * stride + kernel_size - size_px, 0)
    return total // 2, total - total // 2


def slide_of(layer: Layer, size_px: int) -> Slide:
    """The window of a layer over a map of that size; of one pixel for a layer that keeps pixels apart.

    >>> slide_of(Conv(3, 64, 7, stride=2), 224)
    Slide(kernel_size=7, stride=2, before=3, after=3)
    """
    match layer:
        case Conv(kernel_size=kernel, stride=stride):
            before, after = same_padding(size_px, kernel, stride) if layer.pads_same else (kernel // 2, kernel // 2)
            return Slide(kernel, stride, before, after)
        case MaxPool(kernel_size=kernel, stride=stride, padding=padding):
            return Slide(kernel, stride, padding, padding + (-size_px % stride if layer.rounds_up else 0))
        case MeanPool(stride=stride):
            return Slide(stride, stride, 0, -size_px % stride if layer.rounds_up else 0)
        case GlobalPool():
            return Slide(size_px, size_px)
        case Blur(stride=stride):
            return Slide(3, stride, 1, 1)
        case Subsample(stride=stride):
            return Slide(1, stride)
        case PadZeros(px=px):
            return Slide(1, 1, px, px)
        case PadSame(kernel_size=kernel, stride=stride):
            return Slide(1, 1, *same_padding(size_px, kernel, stride))
        case Normalize() | Relu() | Sigmoid() | Dropout() | DropBranch() | Scale() | TimesGate() | Attend():
            return Slide()
        case Linear() | ChannelConv() | PadChannels():
            return Slide()
        case _:
            assert_never(layer)


def apply(layer: Layer, x: Map) -> Map:
    """The map that a layer makes of ``x``.

    Raises:
        ResnetkitError: where not a single window fits into the map.
    """
    size_px = slide_of(layer, x.size_px).count(x.size_px)
    if size_px < 1:
        raise ResnetkitError(Code.USAGE, f"a map of {x.size_px}×{x.size_px} pixels is too small for {layer}")
    match layer:
        case Conv() | Linear():
            return Map(layer.out_channels, size_px)
        case PadChannels():
            return Map(x.channels + layer.extra, size_px)
        case _:
            return x if size_px == x.size_px else Map(x.channels, size_px)
