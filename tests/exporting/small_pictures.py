"""One picture as files of many kinds, made so that a decoder that takes liberties is found out."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageCms

WIDTH, HEIGHT = 61, 47
RANDOM = np.random.default_rng(1)


def picture() -> Image.Image:
    """Smooth colours with noise, no two corners alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    smooth = np.stack([4 * x, 5 * y, 255 - 2 * x - 2 * y], axis=2)
    return Image.fromarray(np.clip(smooth + RANDOM.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8))


def swapped_profile() -> bytes:
    """An sRGB profile whose red and green are exchanged: who obeys it, shows other colours."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    tags = {
        tag: (at, size) for tag, at, size in (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count))
    }
    (red, size), (green, _) = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + size], profile[green : green + size] = profile[green : green + size], profile[red : red + size]
    return bytes(profile)


def saved(image: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def deep_png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits, grey ``(H, W)`` or RGB ``(H, W, 3)``."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = values.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, 0 if values.ndim == 2 else 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def readable() -> Mapping[str, bytes]:
    """Files that browsers and Pillow read alike."""
    image = picture()
    transparent = image.convert("RGBA")
    transparent.putalpha(Image.fromarray(RANDOM.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)))
    palette = image.quantize(32)
    return {
        "colours.png": saved(image, "PNG"),
        "transparent.png": saved(transparent, "PNG"),
        "transparent grey.png": saved(transparent.convert("LA"), "PNG"),
        "transparent palette.png": saved(palette, "PNG", transparency=5),
        "transparent.webp": saved(transparent, "WEBP", lossless=True, exact=True),
        "grey.png": saved(image.convert("L"), "PNG"),
        "bits.png": saved(image.convert("1"), "PNG"),
        "deep.png": deep_png(RANDOM.integers(0, 65536, (HEIGHT, WIDTH, 3))),
        "profile.png": saved(image, "PNG", icc_profile=swapped_profile()),
        "profile.jpg": saved(image, "JPEG", icc_profile=swapped_profile()),
        "grey.jpg": saved(image.convert("L"), "JPEG"),
        "cmyk.jpg": saved(image.convert("CMYK"), "JPEG"),
        "progressive.jpg": saved(image, "JPEG", progressive=True),
        "444.jpg": saved(image, "JPEG", subsampling=0),
        "422.jpg": saved(image, "JPEG", subsampling=1),
        "picture.gif": saved(palette, "GIF"),
        "picture.bmp": saved(image, "BMP"),
        "lossy.webp": saved(image, "WEBP"),
        **{f"turned {way}.jpg": saved(image, "JPEG", exif=turned(way)) for way in range(1, 9)},
        **{f"turned {way}.webp": saved(image, "WEBP", lossless=True, exif=turned(way)) for way in range(1, 9)},
        "turned.png": saved(image, "PNG", exif=turned(6)),
        "long.png": saved(image.resize((5000, 7)), "PNG"),
    }


def unreadable() -> Mapping[str, tuple[bytes, str]]:
    """Files that are refused, with the code of the reason."""
    image = picture()
    return {
        "empty.png": (b"", "empty"),
        "words.jpg": (b"these are words", "unreadable"),
        "cut off.png": (saved(image, "PNG")[:500], "unreadable"),
        "cut off.jpg": (saved(image, "JPEG")[:-2], "unreadable"),
        "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "unreadable"),
        "bomb.png": (saved(Image.new("1", (2000, 1001)), "PNG"), "manyPixels"),
        "bomb.jpg": (saved(Image.new("L", (2000, 1001)), "JPEG"), "manyPixels"),
        "bomb.webp": (saved(Image.new("RGB", (2000, 1001)), "WEBP"), "manyPixels"),
        "bomb.bmp": (saved(Image.new("1", (2000, 1001)), "BMP"), "manyPixels"),
        "large.png": (bytes(8 * 2**20 + 1), "largeFile"),
        "dark.png": (deep_png(RANDOM.integers(0, 4096, (9, 9, 3))), "darkDeepColour"),
    }
