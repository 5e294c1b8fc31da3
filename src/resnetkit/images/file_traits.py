"""Traits of an image file that its pixels no longer have: how it was stored."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image

from resnetkit.images.decoding import orientation_of
from resnetkit.images.grey_values import has_sixteen_bits, is_float
from resnetkit.images.opening import has_several, header_read
from resnetkit.images.spec import Limits

CAMERA_TAGS = (0x010F, 0x0110)  # make and model


class FileTraits(NamedTuple):
    """Traits of a file, before its image is decoded.

    Attributes:
        format: Pillow's name of it, as ``JPEG``.
        mode: Pillow's name of how a pixel is stored, as ``RGB``, ``P`` for palettes or ``RGBA``.
        width, height: before it is turned upright.
        orientation: that of EXIF, 1 to 8; 1 is upright.
        bits: of a grey value, 8, 16, or 32 for floats; colours have 8 when they are read.
        has_transparency: whether it has an alpha channel, or a transparent colour.
        camera: make and model as EXIF has them; empty where it says none.
        has_several: whether the file holds pages, pictures or frames behind the one that is read.
    """

    format: str
    mode: str
    width: int
    height: int
    num_bytes: int
    orientation: int
    bits: int
    has_transparency: bool
    camera: str
    has_several: bool


def read_traits(content: bytes, limits: Limits) -> FileTraits:
    """The traits of an image file by its bytes; its pixels are not decoded.

    Raises:
        UnreadableImage: with the reason.
    """
    with header_read(content, limits) as image:
        return FileTraits(
            format=image.format or "",
            mode=image.mode,
            width=image.width,
            height=image.height,
            num_bytes=len(content),
            orientation=orientation_of(image),
            bits=32 if is_float(image) else 16 if has_sixteen_bits(image) else 8,
            has_transparency=image.has_transparency_data,
            camera=camera_of(image),
            has_several=has_several(image),
        )


def camera_of(image: Image.Image) -> str:
    """The camera by EXIF's make and model; empty where it names none, or is damaged."""
    try:
        exif = Image.Image.getexif(image)  # the base class: see orientation_of
        return " ".join(str(exif[tag]).strip("\0 ") for tag in CAMERA_TAGS if tag in exif)
    except Exception:  # as many ways to be damaged as a file format has
        return ""
