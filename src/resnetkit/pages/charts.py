"""Charts as hand-made SVG for an HTML page: no scripts, no fonts, no requests.

Marks carry classes, not colours: the page's style sheet has light and dark ones for them. A chart tells its
content in its ``aria-label``; each mark tells its value in a ``<title>``, which browsers show on hover.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from markupsafe import Markup

from resnetkit.pages.axes import Axis, x_axis, y_axis, y_grid
from resnetkit.pages.formatting import percent_digits, plain_percent
from resnetkit.pages.marks import NUM_COLOURS, colour_class, shape_mark
from resnetkit.pages.svg import box, text, words_px

Point = tuple[float, float]
Form = Callable[[float], str]

# Charts are drawn as wide as a phone or a third of a desktop page, so their text stays as large as the page's.
WIDTH, HEIGHT = 340, 230
# Those of many blocks or bars are as wide as a page.
WIDE = 720
LEFT, RIGHT_MARGIN, TOP, BOTTOM = 48, 8, 32, 190
# More dots than this would hide their line.
MAX_DOTS = 40
MAX_MARKS = 12  # of a shape, on one line
LEGEND_ROW_PX = 18
MAX_NAME_LENGTH = 20


@dataclass(frozen=True)
class Series:
    """One line: ``ys`` over ``xs``; None or a value that is not finite leaves a gap.

    Attributes:
        name: as the legend has it; of lines without one the legend is silent.
        lows, highs: a band about the line, as an interval; empty: none.
        colour: number of its colour, from 0; None: that of its place. Lines of one number belong together; those that
            have a colour in common because there are not enough have marks of their own.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()
    colour: int | None = None
    is_dashed: bool = False

    def segments(self) -> list[list[Point]]:
        """Runs of points without a gap between them."""
        return _runs([(x, math.nan if y is None else y) for x, y in zip(self.xs, self.ys, strict=True)])

    def points(self) -> list[Point]:
        """The points that can be drawn."""
        return [point for segment in self.segments() for point in segment]

    def bands(self) -> list[tuple[list[Point], list[Point]]]:
        """Lower and upper edge of each piece of the band."""
        rows = (
            [
                (x, low, high)
                for x, low, high in zip(self.xs, self.lows, self.highs, strict=True)
                if low is not None and high is not None
            ]
            if self.lows
            else []
        )
        pieces = groupby(rows, lambda row: math.isfinite(row[1]) and math.isfinite(row[2]))
        known = [list(piece) for is_known, piece in pieces if is_known]
        return [([(x, low) for x, low, _ in piece], [(x, high) for x, _, high in piece]) for piece in known]


@dataclass(frozen=True)
class Bar:
    """A bar from 0 to ``value``, with an interval where ``low`` and ``high`` are given; None: nothing was measured."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    colour: int = 0


def line_chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    y_format: Form = "{:.3g}".format,
    *,
    x_names: Sequence[str] = (),
    is_log: bool = False,
    width: int = WIDTH,
) -> Markup:
    """Lines over numbers, with ticks and a legend.

    A series keeps the colour of its place in ``series`` even when another has nothing to draw.

    Args:
        x_names: what the numbers 1, 2, … stand for, as layers; dots tell it.
        is_log: equal factors are equally high; only positive values are drawn then.
        width: in pixels, :data:`WIDTH` or :data:`WIDE`.
    """
    if is_log:
        series = [_positive(one) for one in series]
    drawn = [(place if one.colour is None else one.colour, one) for place, one in enumerate(series) if one.points()]
    points = [point for _, one in drawn for point in one.points()]
    heading = text(0, 14, y_label, "heading")
    if not points:
        empty = text(width / 2, HEIGHT / 2, "no values", anchor="middle")
        return svg(width, HEIGHT, f"{y_label}: no values", [heading, empty], kind=_kind(width))
    edges = [point[1] for _, one in drawn for band in one.bands() for edge in band for point in edge]
    right = width - RIGHT_MARGIN

    def place(x: float) -> str:
        return x_names[int(x) - 1] if x_names and 1 <= x <= len(x_names) else f"{x_label} {x:g}"

    horizontal = horizontal_axis(series, width)
    vertical = y_axis([*(y for _, y in points), *edges], BOTTOM, TOP, is_log=is_log)
    named = [(colour, one) for colour, one in drawn if one.name] if len(series) > 1 else []
    legend, below_px = _legend(named, y_label, width)
    parts = [heading, *legend, *y_grid(vertical, LEFT, right, y_format), *_x_ticks(horizontal, x_label, right)]
    parts += [_band(colour, band, horizontal, vertical) for colour, one in drawn for band in one.bands()]
    for colour, one in drawn:
        parts += _line(colour, one, horizontal, vertical)
        parts += _dots(colour, one, horizontal, vertical, lambda x, y: f"{place(x)}: {y_format(y)}")
        parts += _marks(colour, one, horizontal, vertical)
    ends = (
        f"{one.name} from {y_format(one.points()[0][1])} to {y_format(one.points()[-1][1])}"
        for _, one in drawn
        if one.name
    )
    return svg(width, HEIGHT + below_px, f"{y_label} by {x_label}: {', '.join(ends)}", parts, kind=_kind(width))


def horizontal_axis(series: Sequence[Series], width: int = WIDTH) -> Axis:
    """The axis below a chart of these lines, at least one of which has a point: where on it a number is."""
    return x_axis([x for one in series for x, _ in one.points()], LEFT + 4, width - RIGHT_MARGIN - 4)


def bar_chart(
    bars: Sequence[Bar],
    y_label: str,
    y_format: Form = "{:.3g}".format,
    *,
    reference: tuple[str, float] | None = None,
    width: int = WIDTH,
) -> Markup:
    """Bars from 0 side by side; names that do not fit under them rise to the left, and of many only some are written.

    Args:
        reference: name and value of a line across all of them, as what is had without any change.
    """
    values = [value for bar in bars for value in (bar.value, bar.low, bar.high) if value is not None]
    values = [value for value in values if math.isfinite(value)]
    heading = text(0, 14, y_label, "heading")
    if not values:
        empty = text(width / 2, HEIGHT / 2, "no values", anchor="middle")
        return svg(width, HEIGHT, f"{y_label}: no values", [heading, empty], kind=_kind(width, "bars"))
    right = width - RIGHT_MARGIN
    vertical = y_axis([0.0, *values, *([reference[1]] if reference else [])], BOTTOM, TOP)
    step = (right - LEFT) / len(bars)
    names = [_shortened(bar.name) for bar in bars]
    stands = max(map(words_px, names)) < step - 4
    every = 1 if stands else max(1, math.ceil(14 / step))
    sunk = 0 if stands else slanted_px(max(names, key=len))
    parts = [heading, *y_grid(vertical, LEFT, right, y_format)]
    for i, (bar, name) in enumerate(zip(bars, names, strict=True)):
        middle = LEFT + step * (i + 0.5)
        parts += _bar(bar, middle, step, vertical, y_format)
        if i % every == 0:
            anchor, turn = ("middle", 0) if stands else ("end", -45)
            parts.append(text(middle + (0 if stands else 4), BOTTOM + 16, name, anchor=anchor, turn=turn))
    if reference is not None:
        y = vertical.place(reference[1])
        parts.append(Markup('<path class="reference" d="M{},{}H{}"/>').format(LEFT, y, right))
        words = f"{reference[0]} {y_format(reference[1])}"
        sample = Markup('<path class="reference" d="M{:.1f},10h18"/>')
        parts += [sample.format(right - words_px(words) - 24), text(right, 14, words, anchor="end")]
    told = ", ".join(f"{bar.name} {y_format(bar.value)}" for bar in bars[:MAX_DOTS] if bar.value is not None)
    return svg(width, BOTTOM + 26 + sunk, f"{y_label}: {told}", parts, kind=_kind(width, "bars"))


def interval_bar(value: float, low: float, high: float) -> Markup:
    """A dot at ``value`` and a bar over its interval ``[low, high]``, on a scale from 0 to 1."""
    axis = Axis(0.0, 1.0, (), 4, 116)
    mark = Markup('<path class="track" d="M4,8H116"/><path class="bar" d="M{},8H{}"/><circle cx="{}" cy="8" r="3.5"/>')
    label = f"{plain_percent(value, 1)}, between {percent_digits(low, 1)} and {plain_percent(high, 1)}"
    return svg(120, 16, label, [mark.format(axis.place(low), axis.place(high), axis.place(value))], kind="interval")


def share_bar(value: float) -> Markup:
    """A bar as long as its share of the whole, from 0 to 1."""
    bar = Markup('<path class="track" d="M2,8H118"/><path class="whole" d="M2,8H{}"/>')
    return svg(120, 16, plain_percent(value, 1), [bar.format(Axis(0.0, 1.0, (), 2, 118).place(value))], kind="interval")


def slanted_px(word: str) -> int:
    """The height, and the width, of a word that rises by 45 degrees."""
    return round(words_px(word) * math.sqrt(0.5))


def svg(width: float, height: float, label: str, parts: Sequence[Markup], kind: str = "lines") -> Markup:
    """A chart of these parts; ``label`` is what a screen reader says of it."""
    head = Markup('<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">')
    return head.format(kind, label, width, height, width, height) + Markup("").join(parts) + Markup("</svg>")


def _kind(width: int, kind: str = "lines") -> str:
    return f"{kind} wide" if width > WIDTH else kind


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    runs = groupby(points, lambda point: math.isfinite(point[1]))
    return [list(run) for is_known, run in runs if is_known]


def _positive(series: Series) -> Series:
    """The series with gaps where no logarithm is, and with its band kept above 0."""

    def kept(values: Sequence[float | None]) -> list[float | None]:
        return [value if value is not None and value > 0 else None for value in values]

    return replace(series, ys=kept(series.ys), lows=kept(series.lows), highs=kept(series.highs))


def _x_ticks(axis: Axis, label: str, right_px: float) -> list[Markup]:
    return [
        *(text(axis.place(tick), BOTTOM + 17, f"{tick:g}", anchor="middle") for tick in axis.ticks),
        text((LEFT + right_px) / 2, BOTTOM + 35, label, anchor="middle"),
    ]


def _legend(named: Sequence[tuple[int, Series]], heading: str, width: int) -> tuple[list[Markup], int]:
    """Names with a piece of their line, right-aligned in the heading's row or, where they do not fit, in rows below the
    chart; and how many pixels these rows take."""
    if not named:
        return [], 0
    widths = [words_px(one.name) + 40 for _, one in named]
    if words_px(heading) + sum(widths) <= width:
        left = width - RIGHT_MARGIN + 16 - sum(widths)
        return _legend_row(named, widths, left, 10), 0
    rows: list[list[int]] = [[]]
    for i, one in enumerate(widths):
        if rows[-1] and sum(widths[j] for j in rows[-1]) + one > width:
            rows.append([])
        rows[-1].append(i)
    parts: list[Markup] = []
    for number, row in enumerate(rows):
        y = HEIGHT + 12 + number * LEGEND_ROW_PX
        parts += _legend_row([named[i] for i in row], [widths[i] for i in row], 0, y)
    return parts, len(rows) * LEGEND_ROW_PX + 12


def _legend_row(named: Sequence[tuple[int, Series]], widths: Sequence[float], left: float, y: float) -> list[Markup]:
    sample = Markup('<path class="{}" d="M{:.1f},{}h18"/>')
    parts = []
    for (colour, one), width in zip(named, widths, strict=True):
        parts += [sample.format(_style(colour, one), left, y), shape_mark(colour, left + 9, y)]
        parts.append(text(left + 24, y + 4, one.name))
        left += width
    return parts


def _style(colour: int, series: Series) -> str:
    return colour_class(colour) + (" dashed" if series.is_dashed else "")


def _band(colour: int, edges: tuple[list[Point], list[Point]], x: Axis, y: Axis) -> Markup:
    lower, upper = edges
    outline = "L".join(f"{x.place(at)},{y.place(value)}" for at, value in [*lower, *reversed(upper)])
    return Markup('<path class="band band-{}" d="M{}Z"/>').format(colour % NUM_COLOURS, outline)


def _line(colour: int, series: Series, x: Axis, y: Axis) -> list[Markup]:
    path = Markup('<path class="{}" d="M{}"/>')
    return [
        path.format(_style(colour, series), "L".join(f"{x.place(at)},{y.place(value)}" for at, value in segment))
        for segment in series.segments()
    ]


def _dots(colour: int, series: Series, x: Axis, y: Axis, tell: Callable[[float, float], str]) -> list[Markup]:
    """A dot at every point, or, where they would crowd, only at points that have no neighbour to draw a line to."""
    dot = Markup('<circle class="{}" cx="{}" cy="{}" r="2.5"><title>{}{}</title></circle>')
    is_sparse = len(series.points()) <= MAX_DOTS
    name = f"{series.name}, " if series.name else ""
    return [
        dot.format(colour_class(colour), x.place(at), y.place(value), name, tell(at, value))
        for segment in series.segments()
        if is_sparse or len(segment) == 1
        for at, value in segment
    ]


def _marks(colour: int, series: Series, x: Axis, y: Axis) -> list[Markup]:
    points = series.points()
    some = points[:: math.ceil(len(points) / MAX_MARKS)]
    return [shape_mark(colour, x.place(at), y.place(value)) for at, value in some]


def _bar(bar: Bar, middle: float, step: float, axis: Axis, form: Form) -> list[Markup]:
    if bar.value is None or not math.isfinite(bar.value):
        return [text(middle, BOTTOM - 4, "–", anchor="middle")]
    ends = sorted((axis.place(0.0), axis.place(bar.value)))
    breadth = max(1.0, min(36.0, step * 0.7))
    has_interval = bar.low is not None and bar.high is not None and math.isfinite(bar.low) and math.isfinite(bar.high)
    interval = f" ({form(bar.low or 0)} to {form(bar.high or 0)})" if has_interval else ""
    mark = box(middle - breadth / 2, ends[0], breadth, ends[1] - ends[0], colour_class(bar.colour), radius=1)
    parts = [Markup("<g><title>{}: {}{}</title>{}</g>").format(bar.name, form(bar.value), interval, mark)]
    if has_interval:
        low, high = axis.place(bar.low or 0), axis.place(bar.high or 0)
        parts.append(Markup('<path class="whisker" d="M{:.1f},{}V{}"/>').format(middle, low, high))
    return parts


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"
