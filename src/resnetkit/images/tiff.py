"""TIFF files, which can hold almost anything: what Pillow would read as something else, and what it does not read."""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    EXTRASAMPLES,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    ImageFileDirectory_v2,
    TiffImageFile,
)

NEW_SUBFILE_TYPE, REDUCED_COPY = 254, 1
WHITE_IS_ZERO = 0
MOST_PARTS = 32_768  # strips or tiles; each takes Pillow a tenth of a millisecond
PARTS = (STRIPOFFSETS, STRIPBYTECOUNTS, TILEOFFSETS, TILEBYTECOUNTS)
MOST_FIELDS = 65_535
BIG_TIFF = 43
KINDS_OF_VALUES = {1: "integers", 2: "signed integers", 3: "floats", 5: "complex integers", 6: "complex floats"}


def tile_pixels(image: TiffImageFile) -> int:
    """The size of its tiles: one that is decoded takes its whole memory, however little of it the image shows."""
    width, height = (image.tag_v2.get(tag, 0) for tag in (TILEWIDTH, TILELENGTH))
    return int(width) * int(height)


def why_excessive(source: BinaryIO) -> str:
    """The reason not to open a file whose first page has more fields, strips or tiles than images need; else empty.

    Pillow makes Python objects of every strip and tile, which for a file of 40 MB takes minutes and gigabytes. Of a
    damaged file nothing is said here.
    """
    try:
        source.seek(0)
        head = source.read(16)
        order, is_big = "<" if head[:2] == b"II" else ">", BIG_TIFF in head[2:4]
        (at,) = struct.unpack(f"{order}Q" if is_big else f"{order}I", head[8:16] if is_big else head[4:8])
        source.seek(at)
        (num_fields,) = struct.unpack(f"{order}Q" if is_big else f"{order}H", source.read(8 if is_big else 2))
        if num_fields > MOST_FIELDS:
            return f"has a page of {num_fields:,} fields: no image needs as many"
        field = struct.Struct(f"{order}HHQ8x" if is_big else f"{order}HHI4x")
        fields = field.iter_unpack(source.read(num_fields * field.size))
        most = max((count for tag, _, count in fields if tag in PARTS), default=0)
    except (struct.error, ValueError, OverflowError, OSError):
        return ""
    return f"has {most:,} strips or tiles: no image needs as many" if most > MOST_PARTS else ""


def why_misread(image: TiffImageFile) -> str:
    """The reason why an image that Pillow opens would have other values than its file means; empty if it has them."""
    tags = image.tag_v2
    if int(tags.get(NEW_SUBFILE_TYPE, 0)) & REDUCED_COPY:
        return "begins with a smaller copy of its image, as cameras' raw images do: convert it to a TIFF of one page"
    is_signed = KINDS_OF_VALUES.get(_first(tags, SAMPLEFORMAT)) == "signed integers"
    if is_signed and image.mode not in ("I", "F"):  # which Pillow takes for unsigned
        return "has signed values of 8 bits: convert it to values from 0 to 255"
    if tags.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO and image.mode not in ("1", "L", "P"):  # Pillow forgets it
        return "has values of more than 8 bits of which 0 is white: invert it, so that 0 is black"
    if image.mode == "RGBA" and EXTRASAMPLES not in tags:  # it may be infrared as well
        return (
            "has four values for each pixel and does not say what the fourth is: store it as RGB, or set ExtraSamples"
        )
    return ""


def name_contents(source: BinaryIO) -> str:
    """Names what the first page of a TIFF holds, in words; empty where it does not say so.

    >>> import io, struct
    >>> tags = struct.pack("<HHIHxx", 258, 3, 1, 64) + struct.pack("<HHIHxx", 339, 3, 1, 3)
    >>> name_contents(io.BytesIO(struct.pack("<2sHIH", b"II", 42, 8, 2) + tags + bytes(4)))
    'floats of 64 bits, 1 for each pixel'
    """
    try:
        source.seek(0)
        head = source.read(8)
        tags = ImageFileDirectory_v2(head + source.read(8) if head[2] == 43 else head)
        source.seek(tags.next)
        tags.load(source)
        kind = KINDS_OF_VALUES[_first(tags, SAMPLEFORMAT)]
        return f"{kind} of {_first(tags, BITSPERSAMPLE)} bits, {int(tags.get(SAMPLESPERPIXEL, 1))} for each pixel"
    except Exception:  # damaged files have almost any error
        return ""


def _first(tags: ImageFileDirectory_v2, tag: int) -> int:
    values = tags.get(tag, 1)
    return int(values[0] if isinstance(values, tuple) else values)
