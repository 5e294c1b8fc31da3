"""Which pixels of the image one pixel of a feature map depends on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import assert_never

from torch import nn

from resnetkit.models.attention import EfficientChannelGate, SqueezeExcite
from resnetkit.models.block import ResidualBlock
from resnetkit.models.layers import Blur, FlexibleConv2d, SamePad, StochasticDepth, Subsample, ZeroPad
from resnetkit.models.spec import Add, DropoutAdd, GatedAdd, NoSkip, ScaledAdd


@dataclass(frozen=True)
class Window:
    """What the pixels of a square feature map see: pixel ``i`` the image's ``i * jump + low`` to ``i * jump + high``.

    Attributes:
        map_px: side of the feature map.
        jump: distance in the image between what two neighbours see: the product of the strides so far.
        low, high: ends of what pixel 0 sees; they lie outside the image where padding is seen.
    """

    map_px: int
    jump: int = 1
    low: int = 0
    high: int = 0

    @property
    def size_px(self) -> int:
        """Side of the receptive field: the smallest square around everything a pixel sees.

        >>> Window(224).slide(kernel_size=7, stride=2, before=3, after=3).size_px
        7
        """
        return self.high - self.low + 1

    def slide(self, *, kernel_size: int, stride: int, before: int, after: int, ceil: bool = False) -> Window:
        """The window behind a kernel that slides over this map, padded by ``before`` and ``after`` pixels."""
        reach = self.map_px + before + after - kernel_size
        return Window(
            map_px=(-(-reach // stride) if ceil else reach // stride) + 1,
            jump=self.jump * stride,
            low=self.low - before * self.jump,
            high=self.high + (kernel_size - 1 - before) * self.jump,
        )

    def join(self, other: Window) -> Window:
        """The window of a sum of two maps."""
        assert (self.map_px, self.jump) == (other.map_px, other.jump), f"{self} and {other} cannot be added"
        return replace(self, low=min(self.low, other.low), high=max(self.high, other.high))


def see_through(window: Window, module: nn.Module) -> Window:
    """The window behind a module: a layer, a sequence of them, or a residual block along all its paths.

    Only layers that move information between neighbouring pixels count. What reads the whole map at once (the
    gates of channel attention, statistics of group or training-mode batch norm) does not.
    """
    match module:
        case ResidualBlock():
            return _see_through_block(window, module)
        case nn.Sequential():
            return reduce(see_through, module, window)
        case nn.Conv2d() | nn.MaxPool2d() | nn.AvgPool2d():
            kernel_size, stride, padding = (_side(v) for v in (module.kernel_size, module.stride, module.padding))
            before, after = padding, padding
            if isinstance(module, FlexibleConv2d) and module.pads_same:
                before, after = _same_padding(window.map_px, kernel_size, stride)
            ceil = not isinstance(module, nn.Conv2d) and module.ceil_mode
            return window.slide(kernel_size=kernel_size, stride=stride, before=before, after=after, ceil=ceil)
        case Blur():
            return window.slide(kernel_size=3, stride=module.stride, before=1, after=1)
        case Subsample():
            return window.slide(kernel_size=1, stride=module.stride, before=0, after=0)
        case nn.ZeroPad2d():
            before, after = module.padding[0], module.padding[1]
            return window.slide(kernel_size=1, stride=1, before=before, after=after)
        case SamePad():
            before, after = _same_padding(window.map_px, module.kernel_size, module.stride)
            return window.slide(kernel_size=1, stride=1, before=before, after=after)
        case nn.BatchNorm2d() | nn.GroupNorm() | nn.ReLU() | nn.Dropout() | StochasticDepth() | nn.Identity():
            return window
        case SqueezeExcite() | EfficientChannelGate() | ZeroPad():
            return window
        case _:
            raise NotImplementedError(f"what a layer of kind {type(module).__name__} sees is not known here")


def _see_through_block(window: Window, block: ResidualBlock) -> Window:
    def run(names: tuple[str, ...], start: Window) -> Window:
        return reduce(see_through, (block.get_submodule(name) for name in names), start)

    preact = run(block.preact, window)
    branch = run(block.branch, preact)
    fork = window if block.reads == "input" else preact
    skip = fork if block.downsample is None else see_through(fork, block.downsample)
    match block.block.join:
        case Add() | ScaledAdd() | DropoutAdd():
            joined = branch.join(skip)
        case GatedAdd():
            joined = branch.join(skip).join(see_through(fork, block.joiner.gate))
        case NoSkip():
            joined = branch
        case _:
            assert_never(block.block.join)
    return run(block.after_add, joined)


def _same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def _side(value: object) -> int:
    """Height or width of a kernel, stride or padding; all of ours are square."""
    side = value[0] if isinstance(value, tuple) else value
    assert isinstance(side, int)
    return side
