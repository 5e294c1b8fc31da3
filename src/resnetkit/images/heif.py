"""HEIF images, as cameras and telephones write them (HEIC), by pi-heif: libheif and libde265, without an encoder.

Opened directly and not through Pillow's register, which is that of the whole process.
"""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image


def open_heif(source: BinaryIO) -> Image.Image:
    """The primary image of a file, turned as the file says, its pixels not yet decoded.

    Raises:
        ImportError: if pi-heif is not installed.
        SyntaxError: if it is no such file, or damaged where it says what it holds.
    """
    from pi_heif import HeifImageFile

    image: Image.Image = HeifImageFile(source)
    return image
