"""From a decoded image to prepared pixels (uint8), the first step of preprocessing; no torch here.

The second, on whole batches, is :mod:`resnetkit.images.normalization`.
"""

from __future__ import annotations

from typing import assert_never

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


def prepare_for_evaluation(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    """Cut out what the network sees of an image, uint8 ``(C, S, S)`` with S = ``image_size_px``.

    With ``fit="crop"``, the shorter side is resized to ``resize_px`` (antialiased, the longer side rounded), then the
    centre is cut out; with the others, all of the image is in the square.

    >>> prepare_for_evaluation(Image.new("L", (64, 48)), Preprocessing(28, 32, 1, (0.5,), (0.5,))).shape
    (1, 28, 28)
    """
    match preprocessing.fit:
        case "crop":
            return _to_array(_center(image, preprocessing), preprocessing)
        case "squeeze" | "pad":
            return _to_array(_whole(image, preprocessing.image_size_px, preprocessing), preprocessing)
        case _:
            assert_never(preprocessing.fit)


def prepare_for_training(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    """The whole image in a square, uint8 ``(C, T, T)`` with T = ``resize_px``: padded, or else squeezed.

    With ``fit="crop"``, random crops undo the squeeze, because the original width / height is kept in
    ``Split.aspect_ratios``.
    """
    return _to_array(_whole(image, preprocessing.resize_px, preprocessing), preprocessing)


def inner_size(width: int, height: int, side: int, fit: Fit) -> tuple[int, int]:
    """Width and height that a whole image takes up in a square of ``side``.

    >>> inner_size(96, 32, 24, "pad"), inner_size(96, 32, 24, "squeeze")
    ((24, 8), (24, 24))
    """
    if fit != "pad":
        return side, side
    scale = side / max(width, height)
    return max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5))


def _whole(image: Image.Image, side: int, preprocessing: Preprocessing) -> Image.Image:
    """All of an image in a square."""
    size = inner_size(*image.size, side, preprocessing.fit)
    resized = image.resize(size, FILTERS[preprocessing.interpolation])
    if size == (side, side):
        return resized
    square = Image.new(
        image.mode, (side, side), preprocessing.fill if preprocessing.channels > 1 else preprocessing.fill[0]
    )
    square.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def _center(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """The centre of an image."""
    image = _without_far_ends(image)
    scale = preprocessing.resize_px / min(image.size)
    width, height = (max(preprocessing.resize_px, int(side * scale + 0.5)) for side in image.size)
    resized = image.resize((width, height), FILTERS[preprocessing.interpolation])
    size = preprocessing.image_size_px
    left, top = (width - size) // 2, (height - size) // 2
    return resized.crop((left, top, left + size, top + size))


def array_to_image(pixels: UInt8Images) -> Image.Image:
    """The image of uint8 ``(C, H, W)`` pixels, grey or RGB."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _without_far_ends(image: Image.Image) -> Image.Image:
    """A very long image without the ends that the centre crop never sees: a 1 × 10,000,000 strip, with its
    shorter side enlarged, would not fit in any memory."""
    width, height = image.size
    longest = LONGEST_SIDE_RATIO * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, min(width, left + longest), min(height, top + longest)))


def _to_array(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    values = np.asarray(image)
    pixels = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    assert len(pixels) == preprocessing.channels, f"a {image.mode} image for {preprocessing.channels} channels"
    return pixels.copy(order="C")
