"""Black and white in grey images of more than 8 bits: said where there are some, refused where unknown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resnetkit.errors import Code, require
from resnetkit.images.spec import Preprocessing

if TYPE_CHECKING:
    from resnetkit.images.types import FloatValues, SixteenBit

DARK_SHARE = 16  # of white: less than four of eight bits are left
BYTE = 255


def say_ranges(preprocessing: Preprocessing, deep: SixteenBit | None, floats: FloatValues | None) -> list[str]:
    """Sentences on which values are black and white.

    Raises:
        ResnetkitError: if float images go beyond them.
    """
    said = []
    if deep is not None and preprocessing.white_16bit == deep.white:
        said.append(f"16-bit images use values up to {deep.white:,}: scaled by that")
    if floats is not None:
        low, high = preprocessing.float_range
        require(
            low <= floats.low and floats.high <= high,
            f"float images have values from {floats.low:.6g} to {floats.high:.6g}, beyond black and white, which are "
            f"{low:g} and {high:g}",
            code=Code.DATA,
            why="floats do not tell by themselves which value is black and which is white",
            fix=f"say it, for images to come as well: --set 'preprocessing.float_range={_around(floats)}'",
        )
        said.append(f"float images: {low:g} is black, {high:g} is white (preprocessing.float_range)")
    return said


def nearly_black(preprocessing: Preprocessing, deep: SixteenBit | None, floats: FloatValues | None) -> list[str]:
    """Sentences where few bright images leave little to all the others."""
    found = []
    white = preprocessing.white_16bit
    if deep is not None and deep.typical * DARK_SHARE < white:
        found.append(
            f"half of the 16-bit images stay below {deep.typical + 1:,} of {white:,}, so they are nearly black "
            "(preprocessing.white_16bit says which value is white)"
        )
    low, high = preprocessing.float_range
    if floats is not None and (floats.typical - low) * DARK_SHARE < high - low:
        found.append(
            f"half of the float images stay below {floats.typical:.3g}, where {high:g} is white, so they are nearly "
            "black (preprocessing.float_range says which values are black and white)"
        )
    return found


def _around(floats: FloatValues) -> str:
    """A range that holds these values: that of bytes where it does, else rounded outwards to two digits."""
    if floats.low >= 0 and floats.high <= BYTE:
        return f"[0,{BYTE}]"
    size = 10.0 ** (math.floor(math.log10(max(abs(floats.low), abs(floats.high)))) - 1)
    return f"[{math.floor(floats.low / size) * size:g},{math.ceil(floats.high / size) * size:g}]"
