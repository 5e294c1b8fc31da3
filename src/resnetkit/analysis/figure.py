"""Figures as data: what a measurement found, ready to be drawn, printed or sent as JSON (no torch here)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from resnetkit.config import frozen
from resnetkit.errors import require


@frozen
class Line:
    """Values along an axis; ``low`` and ``high`` bound each of them where they are not empty."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.x, self.y, self.low or self.y, self.high or self.y)}
        require(len(lengths) == 1, f"a line needs as many values as places, got {sorted(lengths)}")


@frozen
class Lines:
    """Lines over one axis.

    Attributes:
        x_names: what stands at x = 1, 2, … where these are things and not numbers, as layers are.
        is_log: whether the values are to be seen on a logarithmic scale.
        band: what ``low`` and ``high`` are; empty where no line has them.
    """

    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    x_names: tuple[str, ...] = ()
    is_log: bool = False
    band: str = ""
    kind: Literal["lines"] = "lines"


@frozen
class Bar:
    """A value with a name; ``low`` and ``high`` bound it where they are known."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@frozen
class Bars:
    """Values side by side, in order.

    Attributes:
        reference: a value to compare all others with, as the accuracy of the whole network; None for none.
        reference_name: what that is.
    """

    title: str
    value_title: str
    bars: tuple[Bar, ...]
    reference: float | None = None
    reference_name: str = ""
    kind: Literal["bars"] = "bars"


@frozen
class Matrix:
    """A value for each pair of a row and a column.

    Attributes:
        rows, columns: as many names as there are values, or fewer: then the ticks of an axis, spread evenly.
        values: None where there is no number.
        low, high: ends of the scale; beyond them, colours are those of its ends.
        spread: how values are spread over the scale; ``signed`` has its middle at 0.
    """

    title: str
    value_title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    low: float
    high: float
    spread: Literal["linear", "log", "signed"] = "linear"
    kind: Literal["matrix"] = "matrix"


Pixels = tuple[tuple[tuple[int, ...], ...], ...]


@frozen
class Picture:
    """A small picture.

    Attributes:
        pixels: 0 to 255, by row, column and channel; one channel for a value, three for red, green and blue.
        low, high: what 0 and 255 stand for.
    """

    name: str
    pixels: Pixels
    low: float = 0.0
    high: float = 255.0


@frozen
class Pictures:
    """Small pictures side by side."""

    title: str
    pictures: tuple[Picture, ...]
    kind: Literal["pictures"] = "pictures"


Panel = Annotated[Lines | Bars | Matrix | Pictures, Field(discriminator="kind")]


@frozen
class Figure:
    """A measurement of a network.

    Attributes:
        name: by which it is asked for.
        source: the paper, with the figure or table, that it follows.
        expected: what it should look like, in a sentence or two.
        seen: what is seen here, in a sentence computed from the values.
        panels: the values.
        numbers: the few numbers that say most, by name, for who compares figures.
        notes: how it was measured, where that is not as in the source.
    """

    name: str
    title: str
    source: str
    expected: str
    seen: str
    panels: tuple[Panel, ...]
    numbers: dict[str, float]
    notes: tuple[str, ...] = ()
