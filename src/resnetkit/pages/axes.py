"""Axes of charts: values laid out on pixels, with ticks at round ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from resnetkit.pages.svg import text


@dataclass(frozen=True)
class Axis:
    """The values ``[low, high]`` laid out from ``start_px`` to ``end_px``; ``is_log``: factors, not steps, are even."""

    low: float
    high: float
    ticks: tuple[float, ...]
    start_px: float
    end_px: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Position of a value, to a tenth of a pixel."""
        low, high, at = (math.log10(one) if self.is_log else one for one in (self.low, self.high, value))
        return round(self.start_px + (at - low) / (high - low) * (self.end_px - self.start_px), 1)


def nice_ticks(low: float, high: float, *, num_steps: int = 5, smallest_step: float = 0.0) -> tuple[float, ...]:
    """Values 1, 2 or 5 times a power of ten apart that just enclose ``low < high``, in at most ``num_steps`` + 2 steps.

    >>> nice_ticks(0.31, 0.97)
    (0.2, 0.4, 0.6, 0.8, 1.0)
    >>> nice_ticks(1, 3, smallest_step=1)
    (1.0, 2.0, 3.0)
    """
    raw = max((high - low) / num_steps, smallest_step)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    # The 1e-9 absorb rounding: 0.6 / 0.2 must count as 3 steps, not 2.999….
    step = magnitude * next(factor for factor in (1, 2, 5, 10) if factor * magnitude >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(float(f"{i * step:.12g}") for i in range(first, last + 1))


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten, or of 1, 2 and 5 times one where they are few, that just enclose ``0 < low < high``.

    >>> log_ticks(0.3, 7)
    (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    >>> log_ticks(3e-6, 4e3)
    (1e-06, 0.0001, 0.01, 1.0, 100.0, 10000.0)
    """
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if last - first > 3:
        stride = math.ceil((last - first) / 6)
        return tuple(float(f"1e{power}") for power in range(first, last + stride, stride))
    fine = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in (1, 2, 5)]
    start = max(i for i, tick in enumerate(fine) if tick <= low * (1 + 1e-9))
    end = min(i for i, tick in enumerate(fine) if tick >= high * (1 - 1e-9))
    return tuple(fine[start : end + 1])


def x_axis(values: Sequence[float], start_px: float, end_px: float) -> Axis:
    """The axis that just holds the values; steps and epochs, which are whole, get ticks at whole numbers."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1
    ticks = nice_ticks(low, high, smallest_step=1 if all(float(value).is_integer() for value in values) else 0)
    # A tick at an end may lie beyond it by rounding.
    room = (high - low) * 1e-9
    return Axis(low, high, tuple(tick for tick in ticks if low - room <= tick <= high + room), start_px, end_px)


def y_axis(values: Sequence[float], start_px: float, end_px: float, *, is_log: bool = False) -> Axis:
    """The axis from the tick below all values to the one above them; ``is_log`` is of positive values."""
    low, high = min(values), max(values)
    if math.isclose(low, high, rel_tol=1e-6):
        room = abs(low) / 2 or 1.0
        low, high = low - room, high + room
    ticks = log_ticks(low, high) if is_log else nice_ticks(low, high)
    return Axis(ticks[0], ticks[-1], ticks, start_px, end_px, is_log)


def y_grid(axis: Axis, left_px: float, right_px: float, form: Callable[[float], str]) -> list[Markup]:
    """Lines across a chart at the ticks of its upright axis, with their values."""
    rule = Markup('<path class="grid" d="M{},{}H{}"/>')
    heights = [axis.place(tick) for tick in axis.ticks]
    return [
        *(rule.format(left_px, y, right_px) for y in heights),
        *(text(left_px - 6, y + 4, form(tick), anchor="end") for y, tick in zip(heights, axis.ticks, strict=True)),
    ]
