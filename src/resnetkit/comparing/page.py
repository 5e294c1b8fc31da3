"""Page of a comparison of runs: the verdict first, then differences, classes, and images that only one gets right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from resnetkit.comparing.anything import Comparison
from resnetkit.comparing.compared_answers import AnsweredOnce, PairComparison, in_points, p_words
from resnetkit.pages.axes import Axis
from resnetkit.pages.charts import svg
from resnetkit.pages.raster import UInt8Pixels, as_picture, photo_image
from resnetkit.pages.templates import fill_template

MOST_PICTURES = 24  # of each side
THUMBNAIL_PX = 160


@dataclass(frozen=True)
class Difference:
    """A row of differences: words for people, and a bar about 0, both empty where there is no interval."""

    title: str
    value: str
    interval: str
    bar: Markup | str
    meaning: str


@dataclass(frozen=True)
class Gallery:
    """Images that one side alone answers rightly; of ``num_images``, those that are shown."""

    name: str
    num_images: int
    shown: Sequence[AnsweredOnce]


def comparison_page(compared: Comparison, pictures: Mapping[int, UInt8Pixels] | None = None, missing: str = "") -> str:
    """The page as HTML text, self-contained.

    Args:
        pictures: of images by their rows, uint8 ``(C, H, W)``; others are shown by name.
        missing: why some have none.
    """
    answers = compared.answers
    pair = answers.pairs[0] if answers is not None and len(answers.pairs) == 1 else None
    return fill_template(
        "comparing/compared.html.jinja",
        {"picture": _picture, "points": in_points, "p_words": p_words, "recall_bar": _recall_bar},
        compared=compared,
        pair=pair,
        differences=[] if pair is None else _differences(pair),
        galleries=[] if pair is None else [_gallery(pair, place) for place in (0, 1)],
        pictures=pictures or {},
        made=_made(compared),
        missing=missing,
    )


def _made(compared: Comparison) -> list[tuple[str, str, str]]:
    """Differences of the networks, and values of the recipes that differ."""
    networks = () if compared.networks is None else compared.networks.differences
    values = () if compared.runs is None else compared.runs.recipe
    told = [(one.name, one.a, one.b) for one in networks]
    return told + [(one.field, one.a or "–", one.b or "–") for one in values]


def _differences(pair: PairComparison) -> list[Difference]:
    top1, log_loss = pair.top1, pair.log_loss
    far = "How far stated probabilities are from how often they are right: less is better."
    return [
        _difference("Top-1, points", (top1.value, top1.low, top1.high), 100, 2, "Right answers: more is better."),
        _difference(
            "Log loss, nats",
            (log_loss.value, log_loss.low, log_loss.high),
            1,
            4,
            "Surprise at the true class: less is better.",
        ),
        Difference("Calibration error, points", _signed(100 * pair.calibration_error, 2), "–", "", far),
    ]


def _difference(
    title: str, numbers: tuple[float, float, float], factor: float, decimals: int, meaning: str
) -> Difference:
    words = [_signed(factor * number, decimals) for number in numbers]
    bar = _bar_about_zero(*numbers, max(*map(abs, numbers), 1e-9), f"{title}: {words[0]}, {words[1]} to {words[2]}")
    return Difference(title, words[0], f"{words[1]} to {words[2]}", bar, meaning)


def _signed(number: float, decimals: int) -> str:
    return f"{number:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _recall_bar(low: float, value: float, high: float) -> Markup:
    words = [in_points(share) for share in (value, low, high)]
    return _bar_about_zero(value, low, high, 1.0, f"{words[0]} points, between {words[1]} and {words[2]}")


def _bar_about_zero(value: float, low: float, high: float, most: float, label: str) -> Markup:
    """A dot on a bar over its interval, from ``-most`` to ``most``, with a stroke at 0 in the middle."""
    axis = Axis(-most, most, (), 6, 134)
    pattern = (
        '<path class="track" d="M4,8H136M70,2V14"/><path class="bar" d="M{},8H{}"/><circle cx="{}" cy="8" r="3.5"/>'
    )
    mark = Markup(pattern).format(axis.place(low), axis.place(high), axis.place(value))
    return svg(140, 16, label, [mark], kind="interval")


def _gallery(pair: PairComparison, place: int) -> Gallery:
    own = [one for one in pair.only_one if one.right == place]
    return Gallery((pair.a, pair.b)[place], len(own), own[:MOST_PICTURES])


def _picture(pixels: UInt8Pixels, alt: str) -> Markup:
    return photo_image(as_picture(pixels), alt, longest_px=THUMBNAIL_PX)
