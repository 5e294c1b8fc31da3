"""A block as the papers write it: what it adds to what, ``H(x) = F(x) + x`` (no torch here)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import assert_never

from resnetkit.anatomy.wiring import BlockWiring, DrawnStep
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


def write_formula(block: BlockWiring) -> tuple[str, ...]:
    """Lines that define what a block makes of ``x``: its branch F, its sum H, its output y.

    A pre-activated input that the skip reads too is named ``a``, the gate of a gated addition ``g``. The notation is
    that of arXiv:1512.03385, Section 3.1, with the join of arXiv:1603.05027, Section 3.

    >>> from resnetkit.models.catalog import CATALOG
    >>> from resnetkit.anatomy.wiring import wire
    >>> for line in write_formula(wire(CATALOG["resnet18"].spec, 224).stages[0][0]):
    ...     print(line)
    F(x) = norm(conv(ReLU(norm(conv(x)))))
    H(x) = F(x) + x
    y = ReLU(H(x))
    """
    shares_preact = bool(block.preact) and block.skip_reads == "preact"
    read = "a" if shares_preact else "x"
    lines = [f"a = {_apply(block.preact, 'x')}"] if shares_preact else []
    before = () if shares_preact else block.preact
    own = tuple(step for step in block.branch if not isinstance(step.layer, Scale | TimesGate))
    lines.append(f"F({read}) = {_apply((*before, *own), read)}")
    if block.gate:
        lines.append(f"g = {_apply(block.gate, read)}")
    weighed = _apply(block.branch[len(own) :], f"F({read})")
    added = "" if block.kind == "plain" else f" + {_apply(block.skip, read)}"
    lines.append(f"H(x) = {weighed}{added}")
    return (*lines, f"y = {_apply(block.after_add, 'H(x)')}")


def _apply(steps: Iterable[DrawnStep], read: str) -> str:
    """Write steps around ``read``, the first of them innermost."""
    return reduce(lambda inner, step: _write(step.layer, inner), steps, read)


def _write(layer: Layer, inner: str) -> str:
    """Write one layer around ``inner``."""
    match layer:
        case Scale(factor=factor):
            return f"{factor:g}·{inner}"
        case TimesGate(complement=complement):
            return f"(1 − g)·{inner}" if complement else f"g·{inner}"
        case Conv() | ChannelConv():
            return f"conv({inner})"
        case Linear():
            return f"linear({inner})"
        case Normalize():
            return f"norm({inner})"
        case Relu():
            return f"ReLU({inner})"
        case Sigmoid():
            return f"sigmoid({inner})"
        case MaxPool():
            return f"max({inner})"
        case MeanPool() | GlobalPool():
            return f"mean({inner})"
        case Blur():
            return f"blur({inner})"
        case Subsample():
            return f"subsample({inner})"
        case PadChannels() | PadZeros() | PadSame():
            return f"pad({inner})"
        case Dropout() | DropBranch():
            return f"drop({inner})"
        case Attend():
            return f"attend({inner})"
        case _:
            assert_never(layer)
