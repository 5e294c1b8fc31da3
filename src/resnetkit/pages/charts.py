"""Charts as hand-made SVG for an HTML page: no scripts, no fonts, no requests.

Marks carry classes, not colours: the page's style sheet has light and dark ones for them. A chart tells its
content in its ``aria-label``; each mark tells its value in a ``<title>``, which browsers show on hover.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from resnetkit.pages.svg import box, text, words_px

Point = tuple[float, float]

# Line charts are drawn as wide as a phone or a third of a desktop page, so their text stays as large as the page's.
WIDTH, HEIGHT = 340, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 332, 32, 190
# More dots than this would hide their line.
MAX_DOTS = 40
MAX_NAME_LENGTH = 16
# Up to this opacity of a cell its count stays legible (contrast 4.5 : 1), light on dark and dark on light.
MAX_OPACITY = 0.52


@dataclass(frozen=True)
class Series:
    """One line: ``ys`` over ``xs`` (steps or epochs); None or a value that is not finite leaves a gap."""

    name: str
    xs: Sequence[int]
    ys: Sequence[float | None]

    def segments(self) -> list[list[Point]]:
        """Runs of points without a gap between them."""
        points = [(x, math.nan if y is None else y) for x, y in zip(self.xs, self.ys, strict=True)]
        runs = groupby(points, lambda point: math.isfinite(point[1]))
        return [list(run) for is_known, run in runs if is_known]

    def points(self) -> list[Point]:
        """The points that can be drawn."""
        return [point for segment in self.segments() for point in segment]


@dataclass(frozen=True)
class Axis:
    """The values ``[low, high]`` laid out from ``start_px`` to ``end_px``."""

    low: float
    high: float
    ticks: tuple[float, ...]
    start_px: float
    end_px: float

    def place(self, value: float) -> float:
        """Position of a value, to a tenth of a pixel."""
        return round(self.start_px + (value - self.low) / (self.high - self.low) * (self.end_px - self.start_px), 1)


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


def line_chart(
    series: Sequence[Series], x_label: str, y_label: str, y_format: Callable[[float], str] = "{:.3g}".format
) -> Markup:
    """Lines over steps or epochs (whole numbers), with ticks and a legend.

    A series keeps the style of its place in ``series`` (the first solid, the second dashed) even when another
    has nothing to draw.
    """
    drawn = [(number, one) for number, one in enumerate(series) if one.points()]
    points = [point for _, one in drawn for point in one.points()]
    heading = text(0, 14, y_label, "heading")
    if not points:
        return _svg(
            WIDTH, HEIGHT, f"{y_label}: no values", [heading, text(WIDTH / 2, HEIGHT / 2, "no values", anchor="middle")]
        )
    x_axis, y_axis = _x_axis([x for x, _ in points]), _y_axis([y for _, y in points])
    legend = _legend(drawn) if len(series) > 1 else []
    parts = [heading, *legend, *_grid(x_axis, y_axis, x_label, y_format)]
    for number, one in drawn:
        parts += _line(number, one, x_axis, y_axis)
        parts += _dots(number, one, x_axis, y_axis, lambda x, y: f"{x_label} {x:g}: {y_format(y)}")
    ends = (f"{one.name} from {y_format(one.points()[0][1])} to {y_format(one.points()[-1][1])}" for _, one in drawn)
    return _svg(WIDTH, HEIGHT, f"{y_label} by {x_label}: {', '.join(ends)}", parts)


def interval_bar(value: float, low: float, high: float) -> Markup:
    """A dot at ``value`` and a bar over its interval ``[low, high]``, on a scale from 0 to 1."""
    axis = Axis(0.0, 1.0, (), 4, 116)
    mark = Markup('<path class="track" d="M4,8H116"/><path class="bar" d="M{},8H{}"/><circle cx="{}" cy="8" r="3.5"/>')
    label = f"{100 * value:.1f} %, between {100 * low:.1f} and {100 * high:.1f} %"
    return _svg(120, 16, label, [mark.format(axis.place(low), axis.place(high), axis.place(value))], kind="interval")


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
    rise, overhang = (14, 0) if turn == 0 else (_slanted_px(longest), _slanted_px(columns[-1]))
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
    return _svg(
        width + overhang, height, f"Confusion matrix, {len(rows)} by {len(columns)} classes", parts, kind="heat"
    )


def _x_axis(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1
    ticks = nice_ticks(low, high, smallest_step=1)
    return Axis(low, high, tuple(tick for tick in ticks if low <= tick <= high), LEFT + 4, RIGHT - 4)


def _y_axis(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    if math.isclose(low, high, rel_tol=1e-6):
        room = abs(low) / 2 or 1.0
        low, high = low - room, high + room
    ticks = nice_ticks(low, high)
    return Axis(ticks[0], ticks[-1], ticks, BOTTOM, TOP)


def _grid(x_axis: Axis, y_axis: Axis, x_label: str, y_format: Callable[[float], str]) -> list[Markup]:
    line = Markup('<path class="grid" d="M{},{}H{}"/>')
    heights = [y_axis.place(tick) for tick in y_axis.ticks]
    return [
        *(line.format(LEFT, y, RIGHT) for y in heights),
        *(text(LEFT - 6, y + 4, y_format(tick), anchor="end") for y, tick in zip(heights, y_axis.ticks, strict=True)),
        *(text(x_axis.place(tick), BOTTOM + 17, f"{tick:g}", anchor="middle") for tick in x_axis.ticks),
        text((LEFT + RIGHT) / 2, BOTTOM + 35, x_label, anchor="middle"),
    ]


def _legend(drawn: Sequence[tuple[int, Series]]) -> list[Markup]:
    """Names with a piece of their line, right-aligned in the heading's row."""
    sample = Markup('<path class="series-{}" d="M{:.1f},10h18"/>')
    parts, right = [], float(RIGHT)
    for number, one in reversed(drawn):
        left = right - words_px(one.name)
        parts += [sample.format(number, left - 24), text(right, 14, one.name, anchor="end")]
        right = left - 40
    return parts


def _line(number: int, series: Series, x_axis: Axis, y_axis: Axis) -> list[Markup]:
    path = Markup('<path class="series-{}" d="M{}"/>')
    return [
        path.format(number, "L".join(f"{x_axis.place(x)},{y_axis.place(y)}" for x, y in segment))
        for segment in series.segments()
    ]


def _dots(number: int, series: Series, x_axis: Axis, y_axis: Axis, tell: Callable[[float, float], str]) -> list[Markup]:
    """A dot at every point, or, where they would crowd, only at points that have no neighbour to draw a line to."""
    dot = Markup('<circle class="series-{}" cx="{}" cy="{}" r="2.5"><title>{}, {}</title></circle>')
    is_sparse = len(series.points()) <= MAX_DOTS
    return [
        dot.format(number, x_axis.place(x), y_axis.place(y), series.name, tell(x, y))
        for segment in series.segments()
        if is_sparse or len(segment) == 1
        for x, y in segment
    ]


def _cell(x: float, y: float, size: float, kind: str, count: int, total: int, title: str) -> Markup:
    opacity = MAX_OPACITY * math.cbrt(count / total) if count else 0.0
    mark = box(x + 1, y + 1, size - 2, size - 2, kind, radius=3, opacity=opacity)
    if count:
        mark += text(x + size / 2, y + size / 2 + 4, str(count), "count", "middle")
    return Markup("<g><title>{}</title>{}</g>").format(title, mark)


def _slanted_px(word: str) -> int:
    """The height, and the width, of a word that rises by 45 degrees."""
    return round(words_px(word) * math.sqrt(0.5))


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"


def _svg(width: float, height: float, label: str, parts: Sequence[Markup], kind: str = "lines") -> Markup:
    head = Markup('<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">')
    return head.format(kind, label, width, height, width, height) + Markup("").join(parts) + Markup("</svg>")
