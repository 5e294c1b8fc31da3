"""Grey values of more than 8 bits, and what becomes of them: scaled by a range that is stated, never by their own.

An image that goes beyond the range is refused, not clipped: its values mean something else than those of the others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from resnetkit.images.spec import WHITE_16BIT, GreyRange
from resnetkit.images.types import UnreadableImage


def is_float(image: Image.Image) -> bool:
    """Tell whether an image has grey values that are floats."""
    return image.mode == "F"


def has_sixteen_bits(image: Image.Image) -> bool:
    """Tell whether an image has grey values that are integers of more than 8 bits."""
    return image.mode == "I" or image.mode.startswith("I;16")


def eight_bit(image: Image.Image, grey: GreyRange) -> Image.Image:
    """Grey values of more than 8 bits, scaled so that what is black becomes 0 and what is white 255.

    Raises:
        UnreadableImage: for values beyond.
    """
    if is_float(image):
        low, high = grey.floats
        values = float_values(image).astype(np.float64)
        if values.size and not low <= values.min() <= values.max() <= high:
            raise UnreadableImage(
                f"has float values from {values.min():.6g} to {values.max():.6g}, beyond black and white, which are "
                f"{low:g} and {high:g} here (preprocessing.float_range)"
            )
        return Image.fromarray(np.rint((values - low) * (255 / (high - low))).astype(np.uint8))
    white = grey.white_16bit
    return Image.fromarray(((sixteen_bit_values(image, white) * 255 + white // 2) // white).astype(np.uint8))


def float_values(image: Image.Image) -> npt.NDArray[np.float32]:
    """The values of a float image, float32 ``(H, W)``.

    Raises:
        UnreadableImage: if some are not finite.
    """
    values = np.asarray(image)
    num_bad = values.size - np.count_nonzero(np.isfinite(values))
    if num_bad:
        raise UnreadableImage(f"has {num_bad:,} values that are not finite (NaN or infinite), of {values.size:,}")
    return values


def sixteen_bit_values(image: Image.Image, white: int) -> npt.NDArray[np.int64]:
    """The values of a 16-bit grey image, int64 ``(H, W)``; a transparent one becomes ``white``.

    Raises:
        UnreadableImage: for values beyond 16 bits, or ``white``.
    """
    values = np.asarray(image).astype(np.int64)
    if values.size and not 0 <= values.min() <= values.max() <= WHITE_16BIT:
        raise UnreadableImage(
            f"has grey values from {values.min()} to {values.max()}, beyond 16 bits: store them as floats, whose range "
            "preprocessing.float_range says"
        )
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        values[values == transparent] = white
    if values.size and values.max() > white:
        raise UnreadableImage(
            f"has 16-bit values up to {values.max():,}, brighter than white is here: {white:,} "
            "(preprocessing.white_16bit)"
        )
    return values
