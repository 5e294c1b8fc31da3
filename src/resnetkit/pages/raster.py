"""Pixels on pages: colours for numbers, and images that a page holds in itself."""

from __future__ import annotations

import base64
import io
from typing import Literal

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image, features

from resnetkit.errors import require

UInt8Pixels = npt.NDArray[np.uint8]
ColourScale = Literal["sequential", "heat", "diverging"]

# Even steps of lightness, told apart without red and green, and in print: viridis and inferno (CC0), and the pages' own
# two colours with white between them.
ANCHORS: dict[ColourScale, tuple[str, ...]] = {
    "sequential": (
        "440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725",
    ),
    "heat": ("000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4"),
    "diverging": ("1c5bb8", "7fa3d8", "f5f5f5", "e0a184", "b83a0e"),
}  # fmt: skip
# Images of fewer pixels are shown as the squares they are made of.
PIXELATED_BELOW_PX = 80
# For a picture of 32 pixels, half the bytes of a JPEG, most of which are its tables.
SMALL_FORMAT = "webp" if features.check("webp") else "jpeg"
SMALL_PREFIX = f"data:image/{SMALL_FORMAT};base64,"
# Below, pixels are looked at one by one, and exact ones take few bytes.
EXACT_BELOW_PX = 32


def colour(values: npt.NDArray[np.floating], scale: ColourScale = "sequential") -> UInt8Pixels:
    """Return the colours uint8 ``(…, 3)`` of numbers ``(…)`` in [0, 1]; beyond it, those of its ends; of NaN, grey.

    ``diverging`` has its white at 0.5, for numbers with a sign.

    >>> colour(np.array([0.0, 0.5, 1.0, np.nan]), "diverging").tolist()
    [[28, 91, 184], [245, 245, 245], [184, 58, 14], [128, 128, 128]]
    """
    anchors = np.array([tuple(bytes.fromhex(code)) for code in ANCHORS[scale]], np.float64)
    known = np.isfinite(values)
    places = np.clip(np.where(known, values, 0), 0, 1) * (len(anchors) - 1)
    grid = np.arange(len(anchors))
    channels = [np.interp(places, grid, anchors[:, channel]) for channel in range(3)]
    mixed = np.where(known[..., None], np.stack(channels, axis=-1), 128)
    return np.round(mixed).astype(np.uint8)


def png_url(pixels: UInt8Pixels) -> str:
    """Return uint8 pixels ``(H, W)`` or ``(H, W, 3)`` as a ``data:`` URL of a PNG, the same for the same pixels."""
    require(pixels.dtype == np.uint8 and pixels.size > 0, f"pixels must be uint8, got {pixels.dtype} {pixels.shape}")
    png = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(png, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def png_image(pixels: UInt8Pixels, alt: str, *, longest_px: int | None = None) -> Markup:
    """Return an ``<img>`` that holds its own PNG; small images keep their square pixels when enlarged.

    Args:
        pixels: uint8 ``(H, W)`` or ``(H, W, 3)``.
        alt: what a screen reader says of it.
        longest_px: larger images are shrunk so that their longer side has this many pixels.
    """
    kind = "pixelated" if max(pixels.shape[:2]) < PIXELATED_BELOW_PX else "smooth"
    if longest_px is not None and max(pixels.shape[:2]) > longest_px:
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image.thumbnail((longest_px, longest_px))
        pixels = np.asarray(image)
    return Markup('<img class="{}" alt="{}" src="{}">').format(kind, alt, png_url(pixels))


def photo_url(pixels: UInt8Pixels) -> str:
    """Return uint8 pixels ``(H, W)`` or ``(H, W, 3)`` as a ``data:`` URL of a JPEG, which for photographs takes a tenth
    of a PNG's bytes.
    """
    jpeg = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(jpeg, format="JPEG", quality=88, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"


def small_picture(pixels: UInt8Pixels, longest_px: int) -> str:
    """Return uint8 pixels ``(H, W)`` or ``(H, W, 3)`` as what follows :data:`SMALL_PREFIX` in a ``data:`` URL.

    It takes about a kilobyte; the longer side has at most ``longest_px``.
    """
    image, file = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    image.thumbnail((longest_px, longest_px))
    image.save(file, format=SMALL_FORMAT, quality=70, lossless=max(image.size) < EXACT_BELOW_PX)
    return base64.b64encode(file.getvalue()).decode()
