"""Pixels on pages: colours for numbers, and images that a page holds in itself."""

from __future__ import annotations

import base64
import io
from typing import Any, Literal

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


def as_picture(pixels: UInt8Pixels) -> UInt8Pixels:
    """Return the pixels ``(H, W)`` or ``(H, W, 3)`` of an image uint8 ``(C, H, W)``, as a picture file has them.

    Of other than one or three channels, the first is shown.
    """
    return pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]


def shrunk(pixels: UInt8Pixels, longest_px: int) -> UInt8Pixels:
    """Return uint8 pixels ``(H, W)`` or ``(H, W, 3)`` whose longer side has at most so many."""
    if max(pixels.shape[:2]) <= longest_px:
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((longest_px, longest_px))
    return np.asarray(image)


def png_bytes(pixels: UInt8Pixels) -> bytes:
    """Return uint8 pixels ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` as a PNG, the same for the same pixels."""
    require(pixels.dtype == np.uint8 and pixels.size > 0, f"pixels must be uint8, got {pixels.dtype} {pixels.shape}")
    return _file(pixels, format="PNG")


def jpeg_bytes(pixels: UInt8Pixels) -> bytes:
    """Return uint8 pixels ``(H, W)`` or ``(H, W, 3)`` as a JPEG: of a photograph, a tenth of a PNG's bytes."""
    return _file(pixels, format="JPEG", quality=88, subsampling=0)


def photo_bytes(pixels: UInt8Pixels) -> bytes:
    """Return uint8 pixels ``(H, W)`` or ``(H, W, 3)`` as a JPEG; of a small image, whose pixels are seen, as a PNG."""
    return png_bytes(pixels) if _is_small(pixels) else jpeg_bytes(pixels)


def png_url(pixels: UInt8Pixels) -> str:
    """Return pixels as a ``data:`` URL of :func:`png_bytes`."""
    return f"data:image/png;base64,{_as_text(png_bytes(pixels))}"


def jpeg_url(pixels: UInt8Pixels) -> str:
    """Return pixels as a ``data:`` URL of :func:`jpeg_bytes`."""
    return f"data:image/jpeg;base64,{_as_text(jpeg_bytes(pixels))}"


def png_image(pixels: UInt8Pixels, alt: str) -> Markup:
    """Return an ``<img>`` that holds its own PNG; small images keep their square pixels when enlarged.

    Args:
        pixels: uint8 ``(H, W)`` or ``(H, W, 3)``.
        alt: what a screen reader says of it.
    """
    return _image(png_url(pixels), alt, is_small=_is_small(pixels))


def photo_image(pixels: UInt8Pixels, alt: str, *, longest_px: int | None = None, css: str = "") -> Markup:
    """Return an ``<img>`` that holds its own file: of a small image the exact pixels, which stay squares, else a JPEG.

    Args:
        pixels, alt: as for :func:`png_image`.
        longest_px: larger images are shrunk so that their longer side has this many pixels.
        css: a class of its own.
    """
    is_small = _is_small(pixels)
    shown = pixels if longest_px is None else shrunk(pixels, longest_px)
    return _image(png_url(shown) if is_small else jpeg_url(shown), alt, is_small=is_small, css=css)


def small_picture(pixels: UInt8Pixels, longest_px: int) -> str:
    """Return uint8 pixels ``(H, W)`` or ``(H, W, 3)`` as what follows :data:`SMALL_PREFIX` in a ``data:`` URL.

    It takes about a kilobyte; the longer side has at most ``longest_px``.
    """
    small = shrunk(pixels, longest_px)
    return _as_text(_file(small, format=SMALL_FORMAT, quality=70, lossless=max(small.shape[:2]) < EXACT_BELOW_PX))


def _is_small(pixels: UInt8Pixels) -> bool:
    longest: int = max(pixels.shape[:2])
    return longest < PIXELATED_BELOW_PX


def _image(url: str, alt: str, *, is_small: bool, css: str = "") -> Markup:
    kind = f"{css} {'pixelated' if is_small else 'smooth'}".strip()
    return Markup('<img class="{}" alt="{}" src="{}">').format(kind, alt, url)


def _file(pixels: UInt8Pixels, **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, **options)
    return content.getvalue()


def _as_text(content: bytes) -> str:
    return base64.b64encode(content).decode()
