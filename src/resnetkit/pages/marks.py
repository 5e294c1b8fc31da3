"""Marks that tell the lines of a chart apart: colours and, where there are more lines than colours, shapes on them."""

from __future__ import annotations

from markupsafe import Markup

NUM_COLOURS = 8
# By how often the colours are used up: what lies on a line, about its point.
SHAPES = ("", "m-4,-4h8v8h-8z", "m0,-5l5,5l-5,5l-5,-5z", "m0,-5l5,9h-10z", "m-4,-4l8,8m-8,0l8,-8")


def colour_class(number: int) -> str:
    """The class that gives the line of a number, from 0, its colour."""
    return f"series-{number % NUM_COLOURS}"


def shape_mark(number: int, x: float, y: float) -> Markup:
    """The mark of that line about a point; nothing for those that their colours tell apart."""
    shape = SHAPES[number // NUM_COLOURS % len(SHAPES)]
    return (
        Markup('<path class="mark {}" d="M{},{}{}"/>').format(colour_class(number), x, y, shape)
        if shape
        else Markup("")
    )
