"""The steps that networks are made of, as plain data (no torch here).

A step with a name is a layer of the network; one without is arithmetic. Modules are built from these values; costs,
receptive fields, pictures and graphs are read off them, each by a ``match`` over :data:`Layer` that mypy holds closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from resnetkit.models.spec import EfficientChannelAttention, Norm, SomeAttention, SqueezeExcitation


@dataclass(frozen=True)
class Conv:
    """A 2-D conv that keeps the size at stride 1 and gives ``ceil(size / stride)`` otherwise.

    Attributes:
        pads_same: pads as :func:`~resnetkit.models.sliding.same_padding` says; else evenly.
        standardizes: brings each filter to mean 0 and variance 1 before use (arXiv:1903.10520).
    """

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    groups: int = 1
    bias: bool = False
    pads_same: bool = False
    standardizes: bool = False


@dataclass(frozen=True)
class ChannelConv:
    """A 1-D conv across neighbouring channels, one filter for all, without a bias."""

    kernel_size: int


@dataclass(frozen=True)
class Linear:
    """A linear layer with a bias."""

    in_channels: int
    out_channels: int


@dataclass(frozen=True)
class Normalize:
    """A normalisation with a scale and a shift per channel."""

    channels: int
    norm: Norm


@dataclass(frozen=True)
class Relu:
    """``max(x, 0)``; ``in_place`` where nothing else reads ``x``."""

    in_place: bool = True


@dataclass(frozen=True)
class Sigmoid:
    """``1 / (1 + exp(-x))``."""


@dataclass(frozen=True)
class MaxPool:
    """A max-pool; ``rounds_up``: windows may reach beyond the end (only where kernel and stride are one, unpadded)."""

    kernel_size: int
    stride: int
    padding: int = 0
    rounds_up: bool = False


@dataclass(frozen=True)
class MeanPool:
    """Means over squares of ``stride`` pixels; ``rounds_up``: those at the end may be of fewer."""

    stride: int
    rounds_up: bool = True


@dataclass(frozen=True)
class GlobalPool:
    """One number per channel."""

    kind: Literal["avg", "max"] = "avg"


@dataclass(frozen=True)
class Blur:
    """The 3×3 binomial filter, of which every ``stride``-th pixel is kept."""

    stride: int


@dataclass(frozen=True)
class Subsample:
    """Every ``stride``-th pixel."""

    stride: int


@dataclass(frozen=True)
class PadZeros:
    """``px`` zeros on every side."""

    px: int


@dataclass(frozen=True)
class PadSame:
    """``value`` around the map, as :func:`~resnetkit.models.sliding.same_padding` says for the next step's window."""

    kernel_size: int
    stride: int
    value: float


@dataclass(frozen=True)
class PadChannels:
    """``extra`` channels of zeros, ``num_before`` of them in front."""

    extra: int
    num_before: int = 0


@dataclass(frozen=True)
class Dropout:
    """Numbers dropped at random in training."""

    rate: float


@dataclass(frozen=True)
class DropBranch:
    """Whole branches dropped image by image in training (arXiv:1603.09382)."""

    rate: float


@dataclass(frozen=True)
class Scale:
    """Times a constant."""

    factor: float


@dataclass(frozen=True)
class TimesGate:
    """Times the gate ``g`` that the block's gate path makes; ``complement``: times ``1 - g``."""

    complement: bool = False


@dataclass(frozen=True)
class Attend:
    """The map times what ``steps`` make of it; a value per channel counts for all its pixels."""

    attention: SomeAttention
    channels: int

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps that make the gate, with the names of the layers in the attention's own module."""
        match self.attention:
            case SqueezeExcitation():
                hidden = self.attention.hidden_channels(self.channels)
                return (
                    Step("", GlobalPool()),
                    Step("fc1", Conv(self.channels, hidden, 1, bias=True)),
                    Step("", Relu()),
                    Step("fc2", Conv(hidden, self.channels, 1, bias=True)),
                    Step("", Sigmoid()),
                )
            case EfficientChannelAttention():
                conv = ChannelConv(self.attention.kernel_size(self.channels))
                return (Step("", GlobalPool()), Step("conv", conv), Step("", Sigmoid()))
            case _:
                assert_never(self.attention)


Arithmetic = Sigmoid | GlobalPool | Scale | TimesGate  # of these no network has a module
Layer = (
    Conv
    | ChannelConv
    | Linear
    | Normalize
    | Relu
    | MaxPool
    | MeanPool
    | Blur
    | Subsample
    | PadZeros
    | PadSame
    | PadChannels
    | Dropout
    | DropBranch
    | Attend
    | Arithmetic
)


@dataclass(frozen=True)
class Step:
    """One layer by its name in the network or block; without a name arithmetic, which has no module."""

    name: str
    layer: Layer

    @property
    def does_nothing(self) -> bool:
        """True where it hands on what it reads: steps that a projection has for other blocks."""
        match self.layer:
            case MeanPool(stride=1) | Subsample(stride=1) | PadChannels(extra=0):
                return True
            case _:
                return False


Steps = tuple[Step, ...]
