"""From a decoded image to prepared pixels (uint8), the first step of preprocessing; no torch here.

The second, on whole batches, is :mod:`resnetkit.images.normalization`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, assert_never

import numpy as np
from PIL import Image

from resnetkit.images.spec import Fit, Preprocessing
from resnetkit.images.types import UInt8Images

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
LONGEST_SIDE_RATIO = 8


@dataclass(frozen=True)
class Window:
    """The part of an image that is in the square a network is given, in the image's pixels.

    It reaches beyond the image where the square is padded.
    """

    left: float
    top: float
    width: float
    height: float

    def of_image_resized(self, across: float, down: float) -> Window:
        """Return the same window in the image with its width and height multiplied."""
        return Window(self.left * across, self.top * down, self.width * across, self.height * down)


class _Placing(NamedTuple):
    """The way of an image into a square.

    Attributes:
        part: of the image that is resized: left, top, right, bottom.
        size: width and height that it is resized to.
        left, top: where the square then lies in it; negative where the square is larger and padded.
    """

    part: tuple[int, int, int, int]
    size: tuple[int, int]
    left: int
    top: int


def prepare_for_evaluation(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    """Cut out what the network sees of an image, uint8 ``(C, S, S)`` with S = ``image_size_px``.

    With ``fit="crop"``, the shorter side is resized to ``resize_px`` (antialiased, the longer side rounded), then the
    centre is cut out; with the others, all of the image is in the square. :func:`find_window` tells where that is.

    >>> prepare_for_evaluation(Image.new("L", (64, 48)), Preprocessing(28, 32, 1, (0.5,), (0.5,))).shape
    (1, 28, 28)
    """
    placing = _place_for_evaluation(*image.size, preprocessing)
    return _to_array(_square(image, placing, preprocessing.image_size_px, preprocessing), preprocessing)


def find_window(width: int, height: int, preprocessing: Preprocessing) -> Window:
    """Find what :func:`prepare_for_evaluation` cuts out of an image of that size.

    >>> find_window(96, 32, Preprocessing(24, 24, fit="crop")), find_window(96, 32, Preprocessing(24, 24, fit="pad"))
    (Window(left=32.0, top=0.0, width=32.0, height=32.0), Window(left=0.0, top=-32.0, width=96.0, height=96.0))
    """
    (left, top, right, bottom), size, *corner = _place_for_evaluation(width, height, preprocessing)
    across, down = (right - left) / size[0], (bottom - top) / size[1]
    side = preprocessing.image_size_px
    return Window(left + corner[0] * across, top + corner[1] * down, side * across, side * down)


def prepare_for_training(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    """The whole image in a square, uint8 ``(C, T, T)`` with T = ``resize_px``: padded, or else squeezed.

    With ``fit="crop"``, random crops undo the squeeze, because the original width / height is kept in
    ``Split.aspect_ratios``.
    """
    side = preprocessing.resize_px
    placing = _place_whole(*image.size, side, preprocessing.fit)
    return _to_array(_square(image, placing, side, preprocessing), preprocessing)


def inner_size(width: int, height: int, side: int, fit: Fit) -> tuple[int, int]:
    """Width and height that a whole image takes up in a square of ``side``.

    >>> inner_size(96, 32, 24, "pad"), inner_size(96, 32, 24, "squeeze")
    ((24, 8), (24, 24))
    """
    if fit != "pad":
        return side, side
    scale = side / max(width, height)
    return max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5))


def _place_for_evaluation(width: int, height: int, preprocessing: Preprocessing) -> _Placing:
    match preprocessing.fit:
        case "crop":
            return _place_centre(width, height, preprocessing)
        case "squeeze" | "pad":
            return _place_whole(width, height, preprocessing.image_size_px, preprocessing.fit)
        case _:
            assert_never(preprocessing.fit)


def _place_whole(width: int, height: int, side: int, fit: Fit) -> _Placing:
    """All of an image in a square."""
    size = inner_size(width, height, side, fit)
    return _Placing((0, 0, width, height), size, -((side - size[0]) // 2), -((side - size[1]) // 2))


def _place_centre(width: int, height: int, preprocessing: Preprocessing) -> _Placing:
    """The centre of an image.

    A very long image goes without the ends that this never sees: a 1 × 10,000,000 strip, with its shorter side
    enlarged, would not fit in any memory.
    """
    longest = LONGEST_SIDE_RATIO * min(width, height)
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    part = (left, top, min(width, left + longest), min(height, top + longest))
    sides = part[2] - left, part[3] - top
    scale = preprocessing.resize_px / min(sides)
    across, down = (max(preprocessing.resize_px, int(side * scale + 0.5)) for side in sides)
    size = preprocessing.image_size_px
    return _Placing(part, (across, down), (across - size) // 2, (down - size) // 2)


def _square(image: Image.Image, placing: _Placing, side: int, preprocessing: Preprocessing) -> Image.Image:
    """Make the square, of the colour ``fill`` where the image does not reach."""
    part, size, left, top = placing
    if part != (0, 0, *image.size):
        image = image.crop(part)
    resized = image.resize(size, FILTERS[preprocessing.interpolation])
    if size == (side, side):
        return resized
    if side <= min(size):
        return resized.crop((left, top, left + side, top + side))
    fill = preprocessing.fill
    square = Image.new(image.mode, (side, side), fill if preprocessing.channels > 1 else fill[0])
    square.paste(resized, (-left, -top))
    return square


def array_to_image(pixels: UInt8Images) -> Image.Image:
    """The image of uint8 ``(C, H, W)`` pixels, grey or RGB."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _to_array(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    values = np.asarray(image)
    pixels = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    assert len(pixels) == preprocessing.channels, f"a {image.mode} image for {preprocessing.channels} channels"
    return pixels.copy(order="C")
