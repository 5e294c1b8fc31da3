"""Matrices as cells: counts of a confusion matrix, and coloured cells for numbers of any kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from resnetkit.pages.charts import slanted_px, svg
from resnetkit.pages.raster import ColourScale, colour, png_url
from resnetkit.pages.svg import box, text, words_px

MAX_NAME_LENGTH = 16
# Up to this opacity of a cell its count stays legible (contrast 4.5 : 1), light on dark and dark on light.
MAX_OPACITY = 0.52
SIDE_PX = 360
NAME_ROW_PX = 14
# Names are at least as far apart as their lines are high, those that rise by 45 degrees by more.
LINE_PX, SLANTED_PX = 12, 17
BAR_PX = 16
Range = Literal["linear", "log", "signed"]


def heat_map(matrix: Sequence[Sequence[int]], row_names: Sequence[str], column_names: Sequence[str]) -> Markup:
    """Counts of images as coloured cells, rows true classes, columns predicted ones.

    A cell is as strong as the cube root of its share of the row, so that rare mistakes show. Cells whose row
    and column have the same name (right answers) are of another colour than the rest.
    """
    size = max(26, min(44, 620 // len(column_names)))  # cells shrink with their number, but still hold three digits
    rows, columns = [_short(name) for name in row_names], [_short(name) for name in column_names]
    longest = max(columns, key=len)
    # A name that fits over its column stands upright, else it rises to the right, out of the last column too.
    turn, anchor = (0, "middle") if words_px(longest) < size else (-45, "start")
    rise, overhang = (14, 0) if turn == 0 else (slanted_px(longest), slanted_px(columns[-1]))
    left, top = round(32 + max(map(words_px, rows))), 30 + rise
    width, height = left + size * len(columns), top + size * len(rows)
    parts = [
        text((left + width) / 2, 12, "predicted", anchor="middle"),
        text(12, (top + height) / 2, "true", anchor="middle", turn=-90),
    ]
    parts += [text(left + size * (j + 0.5), top - 8, name, anchor=anchor, turn=turn) for j, name in enumerate(columns)]
    parts += [text(left - 8, top + size * (i + 0.5) + 4, name, anchor="end") for i, name in enumerate(rows)]
    for i, (row, row_name) in enumerate(zip(matrix, row_names, strict=True)):
        for j, (count, column_name) in enumerate(zip(row, column_names, strict=True)):
            title = f"true {row_name}, predicted {column_name}: {count:,} of {sum(row):,} images"
            kind = "right" if row_name == column_name else "wrong"
            parts.append(_cell(left + size * j, top + size * i, size, kind, count, sum(row), title))
    return svg(width + overhang, height, f"Confusion matrix, {len(rows)} by {len(columns)} classes", parts, kind="heat")


def cell_map(
    values: npt.NDArray[np.floating],
    row_names: Sequence[str],
    column_names: Sequence[str],
    title: str,
    form: Callable[[float], str] = "{:.3g}".format,
    *,
    spread: Range = "linear",
    limits: tuple[float, float] | None = None,
) -> Markup:
    """Numbers ``(R, C)`` as coloured cells, with a bar that tells their values; NaN is grey.

    Args:
        row_names, column_names: as many as there are cells, or fewer: then spread evenly, as the ticks of an axis.
        spread: ``linear`` from the least to the greatest, ``log`` (of positive values), or ``signed`` with white at 0.
        limits: the least and the greatest value to have colours of their own; left out: those of ``values``.
    """
    shares, low, high = _shares(values, spread, limits)
    scale: ColourScale = "diverging" if spread == "signed" else "sequential"
    num_rows, num_columns = values.shape
    cell = max(SIDE_PX / max(num_rows, num_columns), 3.0)
    left = round(12 + max(map(words_px, row_names), default=0))
    upright = max(map(words_px, column_names), default=0) * len(column_names) < cell * num_columns
    sunk = NAME_ROW_PX if upright else slanted_px(max(column_names, key=len)) + 6
    width_px, height_px = cell * num_columns, cell * num_rows
    parts = [text(0, 14, title, "heading"), _image(shares, scale, left, 26, width_px, height_px)]
    for name, y in _apart(row_names, _middles(len(row_names), num_rows, cell), LINE_PX):
        parts.append(text(left - 6, 26 + y + 4, name, anchor="end"))
    for name, x in _apart(column_names, _middles(len(column_names), num_columns, cell), 0 if upright else SLANTED_PX):
        anchor, turn = ("middle", 0) if upright else ("end", -45)
        parts.append(text(left + x, 26 + height_px + 14, name, anchor=anchor, turn=turn))
    bar = np.linspace(1, 0, 64)[:, None]
    bar_left = left + width_px + 16
    parts.append(_image(bar, scale, bar_left, 26, BAR_PX, height_px))
    parts += [text(bar_left + BAR_PX + 6, 26 + 8, form(high)), text(bar_left + BAR_PX + 6, 26 + height_px, form(low))]
    width = bar_left + BAR_PX + 12 + max(words_px(form(high)), words_px(form(low)))
    label = f"{title}: {num_rows} by {num_columns} values from {form(low)} to {form(high)}"
    return svg(round(width), round(26 + height_px + 6 + sunk), label, parts, kind="cells")


def _shares(
    values: npt.NDArray[np.floating], spread: Range, limits: tuple[float, float] | None
) -> tuple[npt.NDArray[np.float64], float, float]:
    """Place of each value between the least, 0, and the greatest, 1; and these two."""
    numbers = values.astype(np.float64)
    if spread == "log":
        numbers = np.where(numbers > 0, numbers, np.nan)
    known = numbers[np.isfinite(numbers)] if np.isfinite(numbers).any() else np.ones(1)
    low, high = (float(known.min()), float(known.max())) if limits is None else limits
    if spread == "signed":
        high = max(abs(low), abs(high))
        low = -high
    if spread == "log":
        shares = (np.log(numbers) - math.log(low)) / (math.log(high / low) or 1.0)
    else:
        shares = (numbers - low) / ((high - low) or 1.0)
    return shares, low, high


def _middles(num_names: int, num_cells: int, cell: float) -> list[float]:
    """Places of names: each at its cell, or, of fewer, from the first cell to the last."""
    if num_names in (1, num_cells):
        return [(i + 0.5) * cell for i in range(num_names)]
    return [cell * (0.5 + i * (num_cells - 1) / (num_names - 1)) for i in range(num_names)]


def _apart(names: Sequence[str], places: Sequence[float], least_px: float) -> list[tuple[str, float]]:
    """As many of the names, evenly chosen, as have room."""
    step = places[1] - places[0] if len(places) > 1 else math.inf
    every = max(1, math.ceil(least_px / step))
    return list(zip(names, places, strict=True))[::every]


def _image(
    shares: npt.NDArray[np.float64], scale: ColourScale, x: float, y: float, width: float, height: float
) -> Markup:
    """Coloured cells as one image: thousands of rectangles would make a page slow."""
    image = Markup(
        '<image x="{:g}" y="{:g}" width="{:g}" height="{:g}" preserveAspectRatio="none" '
        'style="image-rendering:pixelated" href="{}"/>'
    )
    return image.format(x, y, width, height, png_url(colour(shares, scale)))


def _cell(x: float, y: float, size: float, kind: str, count: int, total: int, title: str) -> Markup:
    opacity = MAX_OPACITY * math.cbrt(count / total) if count else 0.0
    mark = box(x + 1, y + 1, size - 2, size - 2, kind, radius=3, opacity=opacity)
    if count:
        mark += text(x + size / 2, y + size / 2 + 4, str(count), "count", "middle")
    return Markup("<g><title>{}</title>{}</g>").format(title, mark)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"
