"""JPEG pixels straight from libjpeg-turbo, where it is proved that they are the ones Pillow gives.

Pillow decodes with libjpeg-turbo too, but feeds it in pieces and unpacks row by row. simplejpeg, if it is installed,
hands over the whole file at once. Both ask for the slow exact DCT and smooth chroma, so the pixels are the same; a
file of a kind for which that is not certain, and every file with something wrong in it, is left to Pillow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, features

from resnetkit.images.types import UInt8Images

SCALES = (8, 4, 2)  # what libjpeg can divide the sides by while it decodes
COLOR_SPACES = {"L": "GRAY", "RGB": "RGB"}
HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive; arithmetic coding depends on how it was built
NOT_FRAMES = (0xC4, 0xC8, 0xCC)

Decoder = Callable[[bytes, str, tuple[int, int]], UInt8Images]


def scale_for(width: int, height: int, least_px: int) -> int:
    """The largest of 1, 2, 4, 8 by which both sides can be divided and are still at least ``least_px``; 1 for 0.

    >>> scale_for(4000, 3000, 512), scale_for(1000, 2000, 512), scale_for(4000, 3000, 0)
    (4, 1, 1)
    """
    return next((scale for scale in SCALES if least_px and min(width, height) // scale >= least_px), 1)


def decode_directly(content: bytes, mode: str, size: tuple[int, int], scale: int) -> UInt8Images | None:
    """The pixels Pillow would give for a file it opened with this mode and size; None if it must be asked itself.

    Uint8 ``(H, W)`` for mode ``L``, ``(H, W, 3)`` for ``RGB``, with the sides divided by ``scale`` and rounded up.
    """
    decoder = _proved_decoder()
    if decoder is None or mode not in COLOR_SPACES or _frame(content) != size:
        return None
    return _attempt(decoder, content, mode, size, scale)


def _attempt(decoder: Decoder, content: bytes, mode: str, size: tuple[int, int], scale: int) -> UInt8Images | None:
    width, height = (-(-side // scale) for side in size)
    try:
        pixels = decoder(content, COLOR_SPACES[mode], (width, height))
    except Exception:  # whatever is wrong with the file, it is Pillow's to say
        return None
    return pixels if pixels.shape[:2] == (height, width) else None


def _frame(content: bytes) -> tuple[int, int] | None:
    """Width and height in the first frame header, if the frame is Huffman-coded with 8 bits."""
    position = 2
    while content[position : position + 1] == b"\xff":
        marker = content[position + 1 : position + 2]
        if marker == b"\xff":  # a fill byte
            position += 1
            continue
        if not marker or not 0xC0 <= marker[0] <= 0xFE or 0xD0 <= marker[0] <= 0xDA:
            return None  # image data, or a marker without a length, before any frame
        if marker[0] <= 0xCF and marker[0] not in NOT_FRAMES:
            header = content[position + 4 : position + 9]
            if marker[0] not in HUFFMAN_FRAMES or len(header) < 5 or header[0] != 8:
                return None
            return int.from_bytes(header[3:5], "big"), int.from_bytes(header[1:3], "big")
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return None


@functools.cache
def _proved_decoder() -> Decoder | None:
    """simplejpeg, if it is installed and gives Pillow's pixels for a few files of every common kind."""
    # Another libjpeg may sample chroma in its own way, where a few files might not show it.
    if not features.check_feature("libjpeg_turbo"):
        return None
    try:
        import simplejpeg
    except ImportError:
        return None

    def decoder(content: bytes, color_space: str, size: tuple[int, int]) -> UInt8Images:
        pixels: UInt8Images = simplejpeg.decode_jpeg(
            content, color_space, min_width=size[0], min_height=size[1], strict=True
        )
        return pixels.squeeze(2) if color_space == "GRAY" else pixels

    return decoder if all(_agrees(decoder, image, **options) for image, options in _probes()) else None


def _probes() -> list[tuple[Image.Image, dict[str, object]]]:
    """Small images of noise with the options to save them: odd sides, all samplings of chroma, progressive, grey."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8))
    kinds: list[dict[str, object]] = [{"subsampling": way} for way in ("4:4:4", "4:2:2", "4:2:0")]
    kinds.append({"subsampling": "4:2:0", "progressive": True})
    return [*((noise, kind) for kind in kinds), (noise.convert("L"), {})]


def _agrees(decoder: Decoder, image: Image.Image, **options: object) -> bool:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=90, **options)
    for scale in (1, *SCALES):
        with Image.open(buffer, formats=("JPEG",)) as opened:
            size = opened.size
            opened.draft(None, (size[0] // scale, size[1] // scale))
            expected = np.asarray(opened)
        found = _attempt(decoder, buffer.getvalue(), image.mode, size, scale)
        if found is None or not np.array_equal(found, expected):
            return False
    return True
