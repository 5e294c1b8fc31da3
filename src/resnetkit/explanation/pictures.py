"""Heat maps as pictures, over the image that they explain.

The image is grey beneath a map, so that every colour is the map's, and its contrast is lowered, so that the colours
are legible on bright and dark images alike. What the network never saw is darker, in all pictures of an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from resnetkit.explanation.explanation import Explanation, HeatMap, lay_on_image
from resnetkit.explanation.methods import METHODS
from resnetkit.explanation.words import above_nothing, iter_notes, tell_method, tell_place
from resnetkit.images.types import UInt8Images
from resnetkit.pages.raster import PIXELATED_BELOW_PX, ColourScale, colour

LONGEST_PX = 640
"""Larger images are drawn so large."""

SHORT_PX = 320
"""Smaller images are enlarged to this, or those that are shown as square pixels, by a whole factor, to no more."""

LONGEST_SIDE_RATIO = 4
"""Of images whose longer side is more than so many times the other, the middle is drawn."""

UNSEEN_LIGHT = 0.35
"""Share of its light that is left to what the network never saw."""

EDGE = 150  # grey of the line around it
GREY_FROM, GREY_TO = 20, 160
STRONGEST = 0.8  # opacity of the strongest colour: the image can still be made out
# The darkest third of the colours would be taken for the image's own shadows.
HEAT_FROM = 0.35
# One colour for each sign, of which the opacity tells the size: paler ones near 0 would shine on dark images.
SIGN_AT = 0.4
# Sums of squares of few pixels stand out so far that nothing else would be seen: the highest share has one colour.
TOP_SHARE = 0.01
LUMINANCE = np.array([0.299, 0.587, 0.114])

Reals = npt.NDArray[np.float64]


def as_drawn(explanation: Explanation, *, shortest_px: int = SHORT_PX, longest_px: int = LONGEST_PX) -> Explanation:
    """The explanation at the size that it is drawn in: large images are shrunk, tiny ones enlarged as square pixels.

    Of a very long image the middle is drawn, where all that the network saw is.

    Args:
        shortest_px, longest_px: least and most that the longer side is to have.
    """
    image, window = explanation.image, explanation.window
    assert image is not None
    assert window is not None
    top, left = _ends(image)
    image = image[top : len(image) - top, left : image.shape[1] - left]
    window = replace(window, left=window.left - left, top=window.top - top)
    longest = max(image.shape[:2])
    if longest >= PIXELATED_BELOW_PX:
        scale = min(max(longest, shortest_px), longest_px) / longest
        return resized(replace(explanation, image=image, window=window), scale)
    factor = max(1, shortest_px // longest)
    drawn = image.repeat(factor, 0).repeat(factor, 1)
    return replace(explanation, image=drawn, window=window.of_image_resized(factor, factor))


def resized(explanation: Explanation, scale: float) -> Explanation:
    """The explanation of the image in another size, smoothly."""
    image, window = explanation.image, explanation.window
    assert image is not None
    assert window is not None
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    drawn = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    return replace(explanation, image=drawn, window=window.of_image_resized(size[0] / width, size[1] / height))


def _ends(image: UInt8Images) -> tuple[int, int]:
    """The numbers of rows and columns left out at either end of an image, so that it can be shown."""
    longest = LONGEST_SIDE_RATIO * min(image.shape[:2])
    top, left = (max(0, side - longest) // 2 for side in image.shape[:2])
    return top, left


def draw_seen(explanation: Explanation) -> UInt8Images:
    """The image, uint8 ``(H, W, 3)``, with what the network never saw shaded."""
    assert explanation.image is not None
    return _rounded(_shaded(explanation.image.astype(np.float64), _is_seen(explanation)))


def draw_map(explanation: Explanation, heat: HeatMap, *, full: float | None = None) -> UInt8Images:
    """A map over the image, uint8 ``(H, W, 3)``.

    Args:
        full: the value that the strongest colour stands for; None: :func:`strongest` of the map. Maps that are to be
            compared are given one.
    """
    assert explanation.image is not None
    shares, is_seen = _shares(explanation, heat, strongest(heat) if full is None else full)
    grey = GREY_FROM + (explanation.image @ LUMINANCE)[..., None] * ((GREY_TO - GREY_FROM) / 255)
    opacity = STRONGEST * _opacity(shares)
    mixed = grey * (1 - opacity) + _colours(shares, is_signed=METHODS[heat.method].is_signed) * opacity
    return _rounded(_shaded(mixed, is_seen))


def draw_overlay(explanation: Explanation, heat: HeatMap) -> UInt8Images:
    """A map alone, to be laid over the image, uint8 ``(H, W, 4)``: colours and their opacity, the stronger the denser;
    nothing where the network never looked.
    """
    shares, _ = _shares(explanation, heat, strongest(heat))
    colours = _colours(shares, is_signed=METHODS[heat.method].is_signed)
    return _rounded(np.concatenate([colours, 255 * _opacity(shares)], axis=2))


def _shares(explanation: Explanation, heat: HeatMap, full: float) -> tuple[Reals, npt.NDArray[np.bool_]]:
    """The values of a map over the image as shares of the strongest, in [-1, 1], and what the network saw."""
    laid = explanation.on_image(replace(heat, values=above_nothing(heat))).astype(np.float64)
    is_seen = np.isfinite(laid)
    return np.clip(np.where(is_seen, laid, 0) / full, -1, 1) if full > 0 else np.zeros(laid.shape), is_seen


def _opacity(shares: Reals) -> Reals:
    """Opacity of shares ``(…)``, ``(…, 1)``."""
    opacity: Reals = np.abs(shares)[..., None] ** 0.7
    return opacity


class Panel(NamedTuple):
    """A picture of an image, uint8 ``(h, w, 3)``, with what is to be said of the map that it shows.

    Attributes:
        place: where in it the map has its strongest values.
        notes: what else there is to be said of it.
    """

    title: str
    place: str
    pixels: UInt8Images
    notes: tuple[str, ...] = ()


def iter_panels(
    explanation: Explanation, *, shortest_px: int = SHORT_PX, longest_px: int = LONGEST_PX
) -> Iterator[Panel]:
    """Yield the pictures of a readable image: what the network saw of it, and each of its maps.

    Args:
        shortest_px, longest_px: as for :func:`as_drawn`.
    """
    drawn = as_drawn(explanation, shortest_px=shortest_px, longest_px=longest_px)
    assert explanation.image is not None
    notes = ("the ends of this long image are not shown",) if _ends(explanation.image) != (0, 0) else ()
    yield Panel("What the network saw", "", draw_seen(drawn), notes)
    for heat in explanation.maps:
        yield Panel(tell_method(heat), tell_place(heat), draw_map(drawn, heat), tuple(iter_notes(heat)))


def strongest(heat: HeatMap) -> float:
    """The value whose colour is the strongest: 99 of 100 are not further from 0; 0 where all are."""
    values = above_nothing(heat)
    sizes = np.abs(values[np.isfinite(values)])
    if not sizes.size:
        return 0.0
    most = float(np.quantile(sizes, 1 - TOP_SHARE))
    return most if most > 0 else float(sizes.max())


def draw_scale(*, is_signed: bool, length_px: int = 120) -> UInt8Images:
    """The colours of a map from the least to the strongest, uint8 ``(1, length_px, 3)``, on the grey of an image."""
    shares = np.linspace(-1 if is_signed else 0, 1, length_px)[None]
    opacity = STRONGEST * _opacity(shares)
    return _rounded((GREY_FROM + GREY_TO) / 2 * (1 - opacity) + _colours(shares, is_signed=is_signed) * opacity)


def _colours(shares: Reals, *, is_signed: bool) -> Reals:
    scale: ColourScale = "diverging" if is_signed else "heat"
    places = 0.5 + SIGN_AT * np.sign(shares) if is_signed else HEAT_FROM + (0.95 - HEAT_FROM) * np.clip(shares, 0, 1)
    return colour(places, scale).astype(np.float64)


def _is_seen(explanation: Explanation) -> npt.NDArray[np.bool_]:
    assert explanation.image is not None
    assert explanation.window is not None
    return np.isfinite(lay_on_image(np.zeros((1, 1), np.float32), explanation.window, *explanation.image.shape[:2]))


def _shaded(pixels: Reals, is_seen: npt.NDArray[np.bool_]) -> Reals:
    """Darken what was not seen, and draw a line around what was, for images that are black there anyway."""
    shaded = np.where(is_seen[..., None], pixels, pixels * UNSEEN_LIGHT)
    rows, columns = np.any(is_seen, axis=1, keepdims=True), np.any(is_seen, axis=0, keepdims=True)
    above, left = _beside(rows[:, 0])[:, None], _beside(columns[0])[None]
    shaded[(above & (columns | left)) | ((rows | above) & left)] = EDGE
    return shaded


def _beside(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mark the places next to those inside."""
    padded = np.pad(inside, 1)
    return (padded[:-2] | padded[2:]) & ~inside


def _rounded(pixels: Reals) -> UInt8Images:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
