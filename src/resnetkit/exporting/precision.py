"""Precisions that an exported model can compute in."""

from __future__ import annotations

from typing import Literal

ExportPrecision = Literal["fp32", "bf16", "int8"]
