"""Panels of figures as charts; those of two networks in one chart where they can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from markupsafe import Markup

from resnetkit.analysis.figure import Bars, Lines, Matrix, Panel, Picture, Pictures
from resnetkit.pages import charts
from resnetkit.pages.charts import WIDE, WIDTH, Series, bar_chart, line_chart
from resnetkit.pages.matrices import cell_map
from resnetkit.pages.raster import png_image

MANY = 16
"""More values than this are drawn as wide as the page."""

Named = tuple[str, Panel]
"""A network's name and a panel of it."""


@dataclass(frozen=True)
class Chart:
    """A drawn panel.

    Attributes:
        caption: what is to be known to read it; may be empty.
    """

    title: str
    drawn: Markup
    caption: str = ""
    is_wide: bool = False


def draw_panels(panels: Sequence[Named]) -> list[Chart]:
    """Draw the panels of one figure, of one network or two; those of one title stand together."""
    titles = list(dict.fromkeys(panel.title for _, panel in panels))
    return [chart for title in titles for chart in _draw([named for named in panels if named[1].title == title])]


def _draw(panels: list[Named]) -> list[Chart]:
    """Charts of panels that show the same of different networks."""
    first = panels[0][1]
    match first:
        case Lines():
            return [_lines([(name, panel) for name, panel in panels if isinstance(panel, Lines)])]
        case Bars():
            return [_bars([(name, panel) for name, panel in panels if isinstance(panel, Bars)])]
        case Matrix():
            return _matrices([(name, panel) for name, panel in panels if isinstance(panel, Matrix)])
        case Pictures():
            several = len(panels) > 1
            return [_pictures(name if several else "", panel) for name, panel in panels if isinstance(panel, Pictures)]
        case _:
            assert_never(first)


def _lines(panels: list[tuple[str, Lines]]) -> Chart:
    """One chart; of two networks each has a colour, and a second line dashed; of more lines, each of these has one."""
    several, few = len(panels) > 1, all(len(panel.lines) <= 2 for _, panel in panels)
    series = []
    for number, (name, panel) in enumerate(panels):
        for place, line in enumerate(panel.lines):
            alone = name if len(panel.lines) == 1 else f"{name}: {line.name}"
            colour, dash = (number, place) if few else (place, number)
            own = (alone, colour, dash > 0) if several else (line.name, place, False)
            series.append(Series(own[0], line.x, line.y, line.low, line.high, own[1], own[2]))
    first = panels[0][1]
    width = WIDE if max(len(one.xs) for one in series) > MANY and first.x_names else WIDTH
    drawn = line_chart(series, first.x_title, first.y_title, x_names=first.x_names, is_log=first.is_log, width=width)
    return Chart(first.title, drawn, f"band: {first.band}" if first.band else "", width == WIDE)


def _bars(panels: list[tuple[str, Bars]]) -> Chart:
    """Bars of one network; of several, lines over the bars' numbers, with what they are compared with dashed."""
    first = panels[0][1]
    width = WIDE if max(len(panel.bars) for _, panel in panels) > MANY else WIDTH
    if len(panels) == 1:
        bars = [charts.Bar(bar.name, bar.value, bar.low, bar.high) for bar in first.bars]
        reference = None if first.reference is None else (first.reference_name, first.reference)
        return Chart(
            first.title, bar_chart(bars, first.value_title, reference=reference, width=width), is_wide=width == WIDE
        )
    series = []
    for number, (name, panel) in enumerate(panels):
        xs = [float(i) for i in range(1, len(panel.bars) + 1)]
        lows, highs = ([getattr(bar, end) for bar in panel.bars] for end in ("low", "high"))
        series.append(Series(name, xs, [bar.value for bar in panel.bars], lows, highs, number))
        if panel.reference is not None:
            series.append(Series("", [xs[0], xs[-1]], [panel.reference] * 2, colour=number, is_dashed=True))
    names = [bar.name for bar in max((panel for _, panel in panels), key=lambda panel: len(panel.bars)).bars]
    drawn = line_chart(series, "in order", first.value_title, x_names=names, width=width)
    dashed = f"dashed: {first.reference_name}" if first.reference is not None else ""
    return Chart(first.title, drawn, dashed, width == WIDE)


def _matrices(panels: list[tuple[str, Matrix]]) -> list[Chart]:
    """A chart for each network, all with one scale."""
    limits = min(panel.low for _, panel in panels), max(panel.high for _, panel in panels)
    several = len(panels) > 1
    return [
        Chart(
            f"{panel.title}, {name}" if several else panel.title,
            cell_map(
                np.array(panel.values, np.float64),
                panel.rows,
                panel.columns,
                panel.value_title,
                spread=panel.spread,
                limits=limits,
            ),
        )
        for name, panel in panels
    ]


def _pictures(name: str, panel: Pictures) -> Chart:
    images = Markup("").join(_picture(picture) for picture in panel.pictures)
    title = f"{panel.title}, {name}" if name else panel.title
    return Chart(title, Markup('<div class="pictures">{}</div>').format(images), is_wide=True)


def _picture(picture: Picture) -> Markup:
    pixels = np.array(picture.pixels, np.uint8)
    image = png_image(pixels[..., 0] if pixels.shape[2] == 1 else pixels, picture.name)
    is_scaled = (picture.low, picture.high) != (0.0, 255.0)
    scale = f"{picture.low:.3g} to {picture.high:.3g}" if is_scaled else ""
    return Markup("<figure>{}<figcaption>{} <span>{}</span></figcaption></figure>").format(image, picture.name, scale)
