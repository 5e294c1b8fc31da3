"""Formats that networks are computed in."""

from __future__ import annotations

from typing import Literal

# What convs and matrix products are computed in; a softmax is float32 either way.
Precision = Literal["fp32", "bf16"]
# Of a network that is only used: int8 are whole numbers that stand for ranges, found on some images.
UsePrecision = Literal[Precision, "int8"]
