"""Image files opened: recognised by their content, within the limits, their header read and no pixel decoded yet."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from resnetkit.images.coded_sizes import largest_coded
from resnetkit.images.heif import open_heif
from resnetkit.images.image_files import Format, format_of, name_unknown
from resnetkit.images.image_inputs import Decodable
from resnetkit.images.image_rows import read_row, row_of
from resnetkit.images.spec import Limits
from resnetkit.images.tiff import name_contents, tile_pixels, why_excessive, why_misread
from resnetkit.images.types import UnreadableImage

SIGNATURE_BYTES = 256  # which a file's buffer holds: it is read once
TEXT_BYTES = 4096  # of what is no image, which may begin with comments
OVER_LIMIT = "more than the limit of"
BOXED = ("AVIF", "HEIF")  # which may show less than they code
JPEGS = ("JPEG", "MPO")  # of several pictures in one JPEG, the first is the photograph
LACKS_READER = "image, and reading those needs"

_bomb_check = threading.Lock()
# Pillow decodes an opened image when its pixels are first asked for, which no two threads may do at once.
_opened_elsewhere = threading.Lock()


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


@contextlib.contextmanager
def header_read(source: Decodable, limits: Limits) -> Iterator[Image.Image]:
    """Give the image with no more read than its header; of one that Pillow has opened, nothing else is asked meanwhile.

    Raises:
        UnreadableImage: with the reason.
    """
    if isinstance(source, Image.Image):
        with _opened_elsewhere:
            if isinstance(source, ImageFile.ImageFile):  # of a file, of which only the header may have been read
                _check_header(source, limits)
            yield source
        return
    with contextlib.ExitStack() as stack:
        content = source if isinstance(source, bytes) else stack.enter_context(_opened_file(source, limits))
        yield stack.enter_context(opened(content, limits))


@contextlib.contextmanager
def opened(source: bytes | BinaryIO, limits: Limits) -> Iterator[Image.Image]:
    """Give the image of a file's bytes with its header read and its size within the limits.

    Raises:
        UnreadableImage: with the reason.
    """
    if isinstance(source, bytes):
        _check_file_size(len(source), limits)
        source = BytesIO(source)
    with damage_told():
        head = source.read(SIGNATURE_BYTES)
        kind = format_of(head)
        if kind is None:
            raise UnreadableImage(f"is {name_unknown(head + source.read(TEXT_BYTES))}")
        if kind.lacks:
            raise UnreadableImage(f"is a {kind.name} {LACKS_READER} {kind.lacks}")
        if kind.name == "TIFF" and (problem := why_excessive(source)):
            raise UnreadableImage(problem)
        source.seek(0)
        if kind.name in BOXED:  # whose readers take the whole content too
            content = source.read()
            _check_num_pixels(largest_coded(content), limits)
            source = BytesIO(content)
        image = _opened_as(kind, source)
    with image:
        _check_header(image, limits)
        yield image


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Turns whatever a decoder raises, which is almost anything for a damaged file, into :class:`UnreadableImage`."""
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage(_reason(error)) from error


def load(image: Image.Image) -> None:
    """Decode the pixels of an image that was opened within the limits."""
    limit = Image.MAX_IMAGE_PIXELS  # which is asked again for a TIFF
    if limit is not None and image.width * image.height > limit:
        with _without_pillows_limit():
            image.load()
    else:
        image.load()


def has_several(image: Image.Image) -> bool:
    """Tell whether a file holds pages, pictures or frames behind the one that is read; asked before it is decoded.

    What a JPEG holds besides is previews and depths, which nobody takes for an image of its own.
    """
    if image.format in JPEGS:
        return False
    with contextlib.suppress(Exception):  # it is the others that are damaged
        return bool(getattr(image, "is_animated", False))
    return False


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


def _opened_as(kind: Format, source: BinaryIO) -> Image.Image:
    try:
        if kind.name == "HEIF":
            return open_heif(source)
        with _without_pillows_limit():
            return Image.open(source, formats=(kind.name,))
    except (UnidentifiedImageError, SyntaxError):
        contents = name_contents(source) if kind.name == "TIFF" else ""
        raise UnreadableImage(
            f"is a TIFF of a kind that is not read: {contents}"
            if contents
            else f"is truncated, damaged or an unusual {kind.name}: its header cannot be read"
        ) from None


@contextlib.contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Pillow's own limit on pixels is a module variable; ours decides, and says so in our words."""
    with _bomb_check:
        pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = pillow_limit


def _check_file_size(size: int, limits: Limits) -> None:
    if size == 0:
        raise UnreadableImage("is empty (0 bytes)")
    if size > limits.max_file_bytes:
        raise UnreadableImage(f"has {size:,} bytes, {OVER_LIMIT} {limits.max_file_bytes:,} (--max-file-bytes)")


def _check_header(image: Image.Image, limits: Limits) -> None:
    num_pixels = image.width * image.height
    if isinstance(image, TiffImageFile):
        with damage_told():
            num_pixels = max(num_pixels, tile_pixels(image))
            problem = why_misread(image)
        if problem:
            raise UnreadableImage(problem)
    _check_num_pixels(num_pixels, limits)


def _check_num_pixels(num_pixels: int, limits: Limits) -> None:
    if num_pixels > limits.max_pixels:
        raise UnreadableImage(f"has {num_pixels:,} pixels, {OVER_LIMIT} {limits.max_pixels:,} (--max-pixels)")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "truncated" in text.lower():
        return "is truncated"
    if isinstance(error, MemoryError):
        return "does not fit in memory"
    return f"is damaged ({text or type(error).__name__})"
