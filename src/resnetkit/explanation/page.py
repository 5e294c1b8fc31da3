"""One self-contained HTML page about all images that were explained, written while they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from markupsafe import Markup

from resnetkit.explanation.explanation import Explanation
from resnetkit.explanation.methods import METHODS, Method
from resnetkit.explanation.pictures import draw_scale, iter_panels
from resnetkit.explanation.words import SAYS, Share, iter_shares, tell_answer, tell_question
from resnetkit.images.types import UInt8Images
from resnetkit.pages.charts import share_bar
from resnetkit.pages.raster import jpeg_url, png_url
from resnetkit.pages.templates import stream_template

START = "<!doctype html>\n<!-- explained by resnetkit -->\n"
"""The first lines of every page."""


@dataclass(frozen=True)
class Heading:
    """The top of the page, and its end.

    Attributes:
        classifier: the name of what answered.
        methods: names of the methods that were asked for.
        command: repeats it.
    """

    classifier: str
    methods: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class Figure:
    """A picture of an image; ``place`` says where most of what speaks for the class lies."""

    title: str
    place: str
    picture: Markup
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One image on the page; ``reason`` says why there is nothing else of it."""

    source: str
    reason: str = ""
    note: str = ""
    answer: str = ""
    question: str = ""
    figures: tuple[Figure, ...] = ()
    shares: tuple[Share, ...] = ()


def render_page(heading: Heading, explanations: Iterable[Explanation]) -> Iterator[str]:
    """Yield the page piece by piece; no image is kept, however many there are. All names in it are escaped."""
    methods = [(METHODS[name], SAYS[name], _scale(METHODS[name])) for name in heading.methods]
    template = "explanation/explanations.html.jinja"
    sections = map(_section, explanations)
    page = stream_template(template, {"share_bar": share_bar}, heading=heading, methods=methods, sections=sections)
    return chain([START], page)


def _section(explanation: Explanation) -> Section:
    if explanation.status == "error":
        return Section(explanation.source, explanation.reason)
    question = tell_question(explanation)
    return Section(
        explanation.source,
        note=explanation.note,
        answer=tell_answer(explanation),
        question=question,
        figures=tuple(
            Figure(
                panel.title, panel.place, panel_image(panel.pixels, f"{panel.title}: {explanation.source}"), panel.notes
            )
            for panel in iter_panels(explanation)
        ),
        shares=tuple(iter_shares(explanation)),
    )


def panel_image(pixels: UInt8Images, alt: str) -> Markup:
    """An ``<img>`` of a panel, in its own size."""
    tag = Markup('<img alt="{}" src="{}" width="{}" height="{}">')
    return tag.format(alt, jpeg_url(pixels), pixels.shape[1], pixels.shape[0])


def _scale(method: Method) -> Markup:
    return Markup('<img alt="" src="{}">').format(png_url(draw_scale(is_signed=method.is_signed)))
