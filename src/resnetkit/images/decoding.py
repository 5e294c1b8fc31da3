"""From the bytes of a file to a grey or RGB image, or a plain reason why not.

What an image file means is decided here once: EXIF orientation is honoured, transparency is laid on white,
16-bit grey is scaled (never clipped) to 8 bits by the value that is white, and colour profiles are ignored. Which
library decodes makes no difference to the pixels, nor to the reasons.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile

from resnetkit.images.digests import has_colour, image_digest
from resnetkit.images.heif import open_heif
from resnetkit.images.image_files import Format, format_of, name_unknown
from resnetkit.images.image_inputs import Decodable
from resnetkit.images.image_rows import read_row, row_of
from resnetkit.images.jpeg import decode_directly, scale_for
from resnetkit.images.spec import WHITE_16BIT, Limits, Preprocessing
from resnetkit.images.types import UInt8Images

MODES = {1: "L", 3: "RGB"}
NUM_AXES = {1: 2, 3: 3}
ORIENTATION_TAG = 0x0112
DEEP_COLOUR = re.compile(r"(RGB|RGBA|RGBX|LA);16[BLN]")  # Pillow's names for how values are stored
SIGNATURE_BYTES = 4096
DARK_UPPER_HALF = 16  # 12 bits or fewer stored in 16
OVER_LIMIT = "more than the limit of"
LACKS_READER = "image, and reading those needs"
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_bomb_check = threading.Lock()
# Pillow decodes an opened image when its pixels are first asked for, which no two threads may do at once.
_opened_elsewhere = threading.Lock()


class UnreadableImage(Exception):  # noqa: N818 - it names a state of the file
    """An image that cannot be used; the text completes the sentence "this file …"."""


class Header(NamedTuple):
    """Size and colours that an image's header tells, as seen after the EXIF orientation."""

    width: int
    height: int
    is_grey: bool
    has_16_bits: bool = False


def read_content(path: str | os.PathLike[str], limits: Limits) -> bytes:
    """The bytes of an image file.

    Raises:
        UnreadableImage: if it is missing, empty, not a file, or larger than ``limits.max_file_bytes``.
    """
    with _opened_file(path, limits) as file:
        try:
            return file.read()
        except OSError as error:
            raise _not_opened(error) from error


def _opened_file(path: str | os.PathLike[str], limits: Limits) -> BinaryIO:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage("is not a file")
        _check_file_size(status.st_size, limits)
        return open(path, "rb")
    except FileNotFoundError:
        raise UnreadableImage("does not exist") from None
    except (OSError, ValueError) as error:
        row = row_of(path) if isinstance(error, NotADirectoryError) else None
        if row is None:
            raise _not_opened(error) from error
        return _opened_row(row, limits)


def _opened_row(row: tuple[str, int], limits: Limits) -> BinaryIO:
    """An image file that a row of a table holds."""
    try:
        content = read_row(*row)
    except (OSError, ValueError) as error:
        raise _not_opened(error) from error
    if content is None:
        raise UnreadableImage("has no bytes in its table, only a path at most (save_to_disk writes them)")
    _check_file_size(len(content), limits)
    return BytesIO(content)


def _not_opened(error: OSError | ValueError) -> UnreadableImage:
    return UnreadableImage(f"cannot be opened ({getattr(error, 'strerror', None) or error})")


@contextlib.contextmanager
def _header_read(source: Decodable, limits: Limits) -> Iterator[Image.Image]:
    """The image with no more read than its header."""
    if isinstance(source, Image.Image):
        with _opened_elsewhere:
            yield source
        return
    with contextlib.ExitStack() as stack:
        content = source if isinstance(source, bytes) else stack.enter_context(_opened_file(source, limits))
        yield stack.enter_context(_opened(content, limits))


def read_header(source: Decodable, limits: Limits) -> Header:
    """Size and kind of an image without decoding its pixels, nor reading all of its file.

    Raises:
        UnreadableImage: as :func:`decode`, for what a header can tell.
    """
    with _header_read(source, limits) as image:
        width, height = image.size
        if _orientation(image) >= 5:
            width, height = height, width
        return Header(width, height, _is_grey(image), _has_sixteen_bits(image))


def brightest_value(source: Decodable, limits: Limits) -> int:
    """The largest value of a 16-bit grey image.

    Raises:
        UnreadableImage: with the reason.
    """
    with _header_read(source, limits) as image, _damage_told():
        image.load()
        values = np.asarray(image)
        return int(values.max(initial=0, where=values != image.info.get("transparency", -1)))


def decode(
    source: str | os.PathLike[str] | bytes,
    limits: Limits,
    channels: int,
    least_px: int = 0,
    white: int = WHITE_16BIT,
) -> Image.Image:
    """The image in a file (or its bytes), upright, in mode ``L`` (``channels=1``) or ``RGB`` (``channels=3``).

    Of an animation, the first frame, and of several pages the first. Both limits are checked before any pixel is
    decoded. With ``least_px``, a JPEG is shrunk while it is decoded, by the largest of 2, 4, 8 that leaves both sides
    at least that long. ``white`` is the value of 16-bit grey images that becomes 255.

    Raises:
        UnreadableImage: with the reason.
    """
    upright = _upright(_content(source, limits), limits, least_px).image
    with _damage_told():
        return convert(Image.fromarray(upright) if isinstance(upright, np.ndarray) else upright, channels, white)


class Decoded(NamedTuple):
    """An image as a classifier asks for it, and whether it had colours that this leaves out."""

    image: Image.Image
    loses_colour: bool


def decode_for_use(source: Decodable, limits: Limits, wanted: Preprocessing) -> Decoded:
    """Decode as :func:`decode`, as ``wanted`` says; also an image that Pillow has opened.

    Raises:
        UnreadableImage: with the reason.
    """
    return _as_wanted(_upright_of(source, limits, wanted.least_decoded_px), wanted)


def decode_to_show(source: Decodable, limits: Limits, wanted: Preprocessing) -> tuple[Decoded, UInt8Images]:
    """Decode as :func:`decode_for_use`, and for people: upright, in its own size and colours, uint8 ``(H, W, 3)``.

    Raises:
        UnreadableImage: with the reason.
    """
    if not isinstance(source, Image.Image):
        source = _content(source, limits)
    upright = _upright_of(source, limits, wanted.least_decoded_px)
    whole = upright if upright.is_whole else _upright_of(source, limits, 0)
    return _as_wanted(upright, wanted), _pixels(whole.image, 3, wanted.white_16bit)


def _as_wanted(upright: _Upright, wanted: Preprocessing) -> Decoded:
    with _damage_told():
        image = Image.fromarray(upright.image) if isinstance(upright.image, np.ndarray) else upright.image
        converted = convert(image, wanted.channels, wanted.white_16bit)
        loses_colour = wanted.channels == 1 and not _is_grey(image) and has_colour(np.asarray(convert(image, 3)))
        return Decoded(converted, loses_colour)


def decode_pixels(
    source: str | os.PathLike[str] | bytes,
    limits: Limits,
    channels: int,
    least_px: int = 0,
    white: int = WHITE_16BIT,
) -> UInt8Images:
    """Decode to pixels, as :func:`decode`, uint8 ``(H, W)`` or ``(H, W, 3)``, which Pillow need not copy twice then."""
    return _pixels(_upright(_content(source, limits), limits, least_px).image, channels, white)


def decode_and_know(
    source: bytes | Image.Image, limits: Limits, channels: int, least_px: int = 0, white: int = WHITE_16BIT
) -> tuple[UInt8Images, int]:
    """:func:`decode_pixels` of a file's bytes, and the :func:`~resnetkit.images.digests.image_digest` of the image.

    An image that Pillow has opened is taken too.

    The digest is that of the whole image with all its values, so a JPEG that ``least_px`` shrinks is decoded twice.
    """
    upright = _upright_of(source, limits, least_px)
    whole = upright if upright.is_whole else _upright_of(source, limits, 0)
    with _damage_told():
        values = _original_values(whole.image)
    if whole is upright and _fits(values, channels):
        return values, image_digest(values)
    return _pixels(upright.image, channels, white), image_digest(values)


class _Upright(NamedTuple):
    """An image as it came, decoded and turned upright; whether it still has its size."""

    image: Image.Image | UInt8Images
    is_whole: bool = True


def _upright_of(source: Decodable, limits: Limits, least_px: int) -> _Upright:
    """Decode what may be opened already."""
    if isinstance(source, Image.Image):
        with _opened_elsewhere:
            return _Upright(_developed(source))
    return _upright(_content(source, limits), limits, least_px)


def _upright(content: bytes, limits: Limits, least_px: int) -> _Upright:
    with _opened(content, limits) as image:
        if image.format != "JPEG" or 0 in image.size:
            return _Upright(_developed(image))
        scale = scale_for(*image.size, least_px)
        pixels = decode_directly(content, image.mode, image.size, scale)
        if pixels is None:
            if scale > 1:
                image.draft(None, (least_px, least_px))
            return _Upright(_developed(image), scale == 1)
        orientation = _orientation(image)
        if orientation == 1:
            return _Upright(pixels, scale == 1)
        return _Upright(_turned_upright(Image.fromarray(pixels), orientation), scale == 1)


def _content(source: str | os.PathLike[str] | bytes, limits: Limits) -> bytes:
    return source if isinstance(source, bytes) else read_content(source, limits)


def _fits(values: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], channels: int) -> TypeGuard[UInt8Images]:
    return values.dtype == np.uint8 and values.ndim == NUM_AXES[channels]


def _pixels(upright: Image.Image | UInt8Images, channels: int, white: int) -> UInt8Images:
    if isinstance(upright, np.ndarray):
        if _fits(upright, channels):
            return upright
        upright = Image.fromarray(upright)
    with _damage_told():
        return np.array(convert(upright, channels, white))


def _original_values(upright: Image.Image | UInt8Images) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """The values of an image before it is made to fit a network: grey in 8 or 16 bits, else RGB."""
    if isinstance(upright, np.ndarray):
        return upright
    if _has_sixteen_bits(upright):
        return _sixteen_bit_values(upright).astype(np.uint16)
    return np.array(convert(upright, 1 if upright.mode in ("1", "L") else 3))


def _developed(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise UnreadableImage("has no pixels")
    with _damage_told():
        has_deep_colour = _has_deep_colour(image)
        image.load()
        if has_deep_colour:
            _check_deep_colour(image)
        return _turned_upright(image, _orientation(image))


@contextlib.contextmanager
def _damage_told() -> Iterator[None]:
    """Turns whatever a decoder raises, which is almost anything for a damaged file, into :class:`UnreadableImage`."""
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage(_reason(error)) from error


def convert(image: Image.Image, channels: int, white: int = WHITE_16BIT) -> Image.Image:
    """Any image in mode ``L`` (``channels=1``) or ``RGB`` (``channels=3``); transparency is laid on white.

    Raises:
        UnreadableImage: if the values have no known range (float pixels, integers below 0 or beyond 16 bits), or go
            beyond ``white``.
    """
    mode = MODES[channels]
    if image.mode == "F":
        raise UnreadableImage("has float pixels, whose range is not known")
    if _has_sixteen_bits(image):
        image = _eight_bit(image, white)
    elif image.mode == "LAB":
        image = _from_lab(image)
    elif image.has_transparency_data:
        image = _on_white(image)
    return image if image.mode == mode else image.convert(mode)


def _check_file_size(size: int, limits: Limits) -> None:
    if size == 0:
        raise UnreadableImage("is empty (0 bytes)")
    if size > limits.max_file_bytes:
        raise UnreadableImage(f"has {size:,} bytes, {OVER_LIMIT} {limits.max_file_bytes:,} (--max-file-bytes)")


@contextlib.contextmanager
def _opened(source: bytes | BinaryIO, limits: Limits) -> Iterator[Image.Image]:
    """The image with its header read and its size within the limits."""
    if isinstance(source, bytes):
        _check_file_size(len(source), limits)
        source = BytesIO(source)
    with _damage_told():
        head = source.read(SIGNATURE_BYTES)
        source.seek(0)
        kind = format_of(head)
        if kind is None:
            raise UnreadableImage(f"is {name_unknown(head)}")
        if kind.lacks:
            raise UnreadableImage(f"is a {kind.name} {LACKS_READER} {kind.lacks}")
        image = _opened_as(kind, source)
    with image:
        num_pixels = max(image.width * image.height, _tile_pixels(image))
        if num_pixels > limits.max_pixels:
            raise UnreadableImage(f"has {num_pixels:,} pixels, {OVER_LIMIT} {limits.max_pixels:,} (--max-pixels)")
        yield image


def _opened_as(kind: Format, source: BinaryIO) -> Image.Image:
    try:
        if kind.name == "HEIF":
            return open_heif(source)
        # Pillow's own limit is a module variable; ours decides, and says so in our words.
        with _bomb_check:
            pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                return Image.open(source, formats=(kind.name,))
            finally:
                Image.MAX_IMAGE_PIXELS = pillow_limit
    except (UnidentifiedImageError, SyntaxError):
        raise UnreadableImage(f"is truncated, damaged or an unusual {kind.name}: its header cannot be read") from None


def _tile_pixels(image: Image.Image) -> int:
    """The size of a TIFF's tiles: one that is decoded takes its whole memory, however little of it the image shows."""
    if not isinstance(image, TiffImageFile):
        return 0
    width, height = (image.tag_v2.get(tag, 0) for tag in (TILEWIDTH, TILELENGTH))
    return int(width) * int(height)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "truncated" in text.lower():
        return "is truncated"
    if isinstance(error, MemoryError):
        return "does not fit in memory"
    return f"is damaged ({text or type(error).__name__})"


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; a missing, damaged or nonsensical one means upright, as every viewer takes it."""
    if image.format == "TIFF":  # which Pillow turns by itself, its size too
        return 1
    try:
        # The base class, because PNG's own getexif decodes all pixels to look for a late EXIF chunk.
        orientation = int(Image.Image.getexif(image).get(ORIENTATION_TAG, 1))
    except Exception:  # EXIF is a small file format of its own, with as many ways to be damaged
        return 1
    return orientation if orientation in TRANSPOSE else 1


def _turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    upright = TRANSPOSE.get(orientation)
    return image if upright is None else image.transpose(upright)


def _has_sixteen_bits(image: Image.Image) -> bool:
    return image.mode == "I" or image.mode.startswith("I;16")


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La", "F") or _has_sixteen_bits(image)


def _eight_bit(image: Image.Image, white: int) -> Image.Image:
    """16-bit grey scaled so that ``white`` becomes 255."""
    return Image.fromarray(((_sixteen_bit_values(image, white) * 255 + white // 2) // white).astype(np.uint8))


def _sixteen_bit_values(image: Image.Image, white: int = WHITE_16BIT) -> npt.NDArray[np.int64]:
    """The values of a 16-bit grey image; a transparent one becomes ``white``."""
    values = np.asarray(image).astype(np.int64)
    if values.size and not 0 <= values.min() <= values.max() <= WHITE_16BIT:
        raise UnreadableImage(f"has grey values from {values.min()} to {values.max()}, beyond 16 bits")
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        values[values == transparent] = white
    if values.size and values.max() > white:
        raise UnreadableImage(
            f"has 16-bit values up to {values.max():,}, brighter than white is here: {white:,} "
            "(preprocessing.white_16bit)"
        )
    return values


def _has_deep_colour(image: Image.Image) -> bool:
    """Tell whether Pillow will keep only the upper half of this image's 16-bit values; asked before it is decoded."""
    return any(DEEP_COLOUR.search(str(tile[3])) for tile in getattr(image, "tile", ()))


def _check_deep_colour(image: Image.Image) -> None:
    """Refuse an image of which the upper half of the values is next to nothing: it would be black."""
    colours = [band for name, band in zip(image.getbands(), image.split(), strict=True) if name != "A"]
    brightest = max(int(np.asarray(band).max(initial=0)) for band in colours)
    if brightest < DARK_UPPER_HALF:
        raise UnreadableImage(
            f"has colours of 16 bits whose values stay below {256 * (brightest + 1):,} of 65,536 and would be read as "
            "black: store it with 8 bits, or scaled to 16"
        )


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # it is None only for in-place conversion
    return converted


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
