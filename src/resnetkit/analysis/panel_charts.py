"""Panels of figures as charts; those of two networks in one chart where they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, assert_never

import numpy as np
from markupsafe import Markup

from resnetkit.analysis.figure import Bars, Figure, Lines, Matrix, Panel, Picture, Pictures
from resnetkit.pages import charts
from resnetkit.pages.charts import WIDE, WIDTH, Series, bar_chart, line_chart
from resnetkit.pages.matrices import cell_map
from resnetkit.pages.raster import png_image

MANY = 16
"""More values than this are drawn as wide as the page."""

T = TypeVar("T", bound=Panel)


@dataclass(frozen=True)
class Drawn(Generic[T]):
    """A panel to draw; ``network`` is empty where it is of the only one."""

    network: str
    colour: int
    panel: T


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


def draw_panels(figures: Mapping[str, Figure]) -> list[Chart]:
    """Draw the panels of a figure of one network or two, given by their names; those of one title stand together.

    Each of two networks keeps its colour also where it alone has something to draw.
    """
    colours = {name: number for number, name in enumerate(figures)}
    titles = dict.fromkeys(panel.title for figure in figures.values() for panel in figure.panels)
    charts = []
    for title in titles:
        panels = [
            Drawn(name if len(figures) > 1 else "", colours[name], panel)
            for name, figure in figures.items()
            for panel in figure.panels
            if panel.title == title
        ]
        charts += _draw(panels)
    return charts


def _draw(panels: Sequence[Drawn[Panel]]) -> list[Chart]:
    """Charts of panels that show the same of different networks."""
    match panels[0].panel:
        case Lines():
            return [_lines(_of(Lines, panels))]
        case Bars():
            return [_bars(_of(Bars, panels))]
        case Matrix():
            return _matrices(_of(Matrix, panels))
        case Pictures():
            return [_pictures(one) for one in _each_once(_of(Pictures, panels))]
        case _:
            assert_never(panels[0].panel)


def _of(kind: type[T], panels: Sequence[Drawn[Panel]]) -> list[Drawn[T]]:
    return [Drawn(one.network, one.colour, one.panel) for one in panels if isinstance(one.panel, kind)]


def _each_once(panels: list[Drawn[Pictures]]) -> list[Drawn[Pictures]]:
    """Pictures that are the same of two networks, as the image that both are given, once and without a name."""
    first, *others = panels
    return [replace(first, network="")] if others and all(one.panel == first.panel for one in others) else panels


def _title(panels: Sequence[Drawn[T]]) -> str:
    """Title of a chart, with the network's name where it is of one of two."""
    title, network = panels[0].panel.title, panels[0].network
    return f"{title}, {network}" if network and len(panels) == 1 else title


def _lines(panels: list[Drawn[Lines]]) -> Chart:
    """One chart; of two networks each has a colour, and a second line dashed; of more lines, each of these has one."""
    few = all(len(one.panel.lines) <= 2 for one in panels)
    series = []
    for one in panels:
        for place, line in enumerate(one.panel.lines):
            alone = one.network if len(one.panel.lines) == 1 else f"{one.network}: {line.name}"
            colour, dash = (one.colour, place) if few else (place, one.colour)
            own = (alone, colour, dash > 0) if one.network else (line.name, place, False)
            series.append(Series(own[0], line.x, line.y, line.low, line.high, own[1], own[2]))
    first = panels[0].panel
    width = WIDE if max(len(one.xs) for one in series) > MANY and first.x_names else WIDTH
    drawn = line_chart(series, first.x_title, first.y_title, x_names=first.x_names, is_log=first.is_log, width=width)
    return Chart(_title(panels), drawn, f"band: {first.band}" if first.band else "", width == WIDE)


def _bars(panels: list[Drawn[Bars]]) -> Chart:
    """Bars of one network; of two, lines over the bars' numbers, with what they are compared with dashed."""
    first = panels[0].panel
    width = WIDE if max(len(one.panel.bars) for one in panels) > MANY else WIDTH
    if len(panels) == 1:
        bars = [charts.Bar(bar.name, bar.value, bar.low, bar.high, panels[0].colour) for bar in first.bars]
        reference = None if first.reference is None else (first.reference_name, first.reference)
        drawn = bar_chart(bars, first.value_title, reference=reference, width=width)
        return Chart(_title(panels), drawn, is_wide=width == WIDE)
    series = []
    for one in panels:
        bars_of = one.panel.bars
        xs = [float(i) for i in range(1, len(bars_of) + 1)]
        lows, highs = ([getattr(bar, end) for bar in bars_of] for end in ("low", "high"))
        series.append(Series(one.network, xs, [bar.value for bar in bars_of], lows, highs, one.colour))
        if one.panel.reference is not None:
            level = [one.panel.reference] * 2
            series.append(Series("", [xs[0], xs[-1]], level, colour=one.colour, is_dashed=True))
    names = [bar.name for bar in max((one.panel.bars for one in panels), key=len)]
    drawn = line_chart(series, "in order", first.value_title, x_names=names, width=width)
    dashed = f"dashed: {first.reference_name}" if first.reference is not None else ""
    return Chart(_title(panels), drawn, dashed, width == WIDE)


def _matrices(panels: list[Drawn[Matrix]]) -> list[Chart]:
    """A chart for each network, all with one scale."""
    limits = min(one.panel.low for one in panels), max(one.panel.high for one in panels)
    return [
        Chart(
            _title([one]),
            cell_map(
                np.array(one.panel.values, np.float64),
                one.panel.rows,
                one.panel.columns,
                one.panel.value_title,
                spread=one.panel.spread,
                limits=limits,
            ),
        )
        for one in panels
    ]


def _pictures(one: Drawn[Pictures]) -> Chart:
    images = Markup("").join(_picture(picture) for picture in one.panel.pictures)
    return Chart(_title([one]), Markup('<div class="pictures">{}</div>').format(images), is_wide=True)


def _picture(picture: Picture) -> Markup:
    pixels = np.array(picture.pixels, np.uint8)
    image = png_image(pixels[..., 0] if pixels.shape[2] == 1 else pixels, picture.name)
    is_scaled = (picture.low, picture.high) != (0.0, 255.0)
    scale = f"{picture.low:.3g} to {picture.high:.3g}" if is_scaled else ""
    return Markup("<figure>{}<figcaption>{} <span>{}</span></figcaption></figure>").format(image, picture.name, scale)
