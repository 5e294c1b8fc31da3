"""From a decoded image to staged pixels (uint8), the first step of preprocessing; no torch here.

The second, on whole batches, is :mod:`resnetkit.data.normalization`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from resnetkit.data.source import UInt8Images
from resnetkit.data.spec import Preprocessing

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
LONGEST_SIDE_RATIO = 8


def stage_for_evaluation(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    """The centre of an image, uint8 ``(C, S, S)`` with S = ``image_size_px``.

    The shorter side is resized to ``resize_px`` (antialiased, the longer side rounded), then the centre is cut out.

    >>> stage_for_evaluation(Image.new("L", (64, 48)), Preprocessing(28, 32, 1, (0.5,), (0.5,))).shape
    (1, 28, 28)
    """
    image = _without_far_ends(image)
    scale = preprocessing.resize_px / min(image.size)
    width, height = (max(preprocessing.resize_px, int(side * scale + 0.5)) for side in image.size)
    resized = image.resize((width, height), FILTERS[preprocessing.interpolation])
    size = preprocessing.image_size_px
    left, top = (width - size) // 2, (height - size) // 2
    return _to_array(resized.crop((left, top, left + size, top + size)), preprocessing)


def stage_for_training(image: Image.Image, preprocessing: Preprocessing) -> UInt8Images:
    """The whole image squeezed into a square, uint8 ``(C, T, T)`` with T = ``resize_px``.

    Random crops undo the squeeze, because the original width / height is kept in ``Split.aspect_ratios``.
    """
    side = preprocessing.resize_px
    return _to_array(image.resize((side, side), FILTERS[preprocessing.interpolation]), preprocessing)


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
