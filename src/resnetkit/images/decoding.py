"""From the bytes of a file to a grey or RGB image, or a plain reason why not.

What an image file means is decided here once, and said in docs/images.md: EXIF orientation is honoured, transparency is
laid on white, grey of more than 8 bits is scaled (never clipped) by what is black and white, and colour profiles are
ignored. Which library decodes makes no difference to the pixels, nor to the reasons.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple, TypeGuard

import numpy as np
from PIL import Image, ImageCms

from resnetkit.images.digests import has_colour, image_digest
from resnetkit.images.grey_values import eight_bit, float_values, has_sixteen_bits, is_float, sixteen_bit_values
from resnetkit.images.image_inputs import Decodable
from resnetkit.images.jpeg import decode_directly, scale_for
from resnetkit.images.opening import JPEGS, damage_told, has_several, header_read, load, opened, read_content
from resnetkit.images.spec import WHITE_16BIT, GreyRange, Limits, Preprocessing
from resnetkit.images.types import UInt8Images, UnreadableImage, Values

WHOLE_RANGE = GreyRange()
COLOUR_LOST = "has colour, which the classifier does not see"
FIRST_READ = "holds several pages or frames, of which the first is read"
MODES = {1: "L", 3: "RGB"}
NUM_AXES = {1: 2, 3: 3}
ORIENTATION_TAG = 0x0112
DEEP_COLOUR = re.compile(r"(RGB|RGBA|RGBX|LA);16[BLN]")  # Pillow's names for how values are stored
DARK_UPPER_HALF = 16  # 12 bits or fewer stored in 16
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Header(NamedTuple):
    """All that an image's header tells, as seen after the EXIF orientation.

    Attributes:
        bits: of grey values, 8 or 16, or 32 where they are floats; colours have 8 when they are read.
        has_several: whether the file holds pages, pictures or frames behind the one that is read.
    """

    width: int
    height: int
    is_grey: bool
    bits: int = 8
    has_several: bool = False


def read_header(source: Decodable, limits: Limits) -> Header:
    """Size and kind of an image without decoding its pixels, nor reading all of its file.

    Raises:
        UnreadableImage: as :func:`decode`, for what a header can tell.
    """
    with header_read(source, limits) as image:
        width, height = image.size
        if orientation_of(image) >= 5:
            width, height = height, width
        bits = 32 if is_float(image) else 16 if has_sixteen_bits(image) else 8
        return Header(width, height, _is_grey(image), bits, has_several(image))


def extent_of_values(source: Decodable, limits: Limits) -> tuple[float, float]:
    """The smallest and the largest value of a grey image of more than 8 bits, but for what is transparent.

    Raises:
        UnreadableImage: with the reason.
    """
    with header_read(source, limits) as image, damage_told():
        load(image)
        if is_float(image):
            floats = float_values(image)
            return float(floats.min()), float(floats.max())
        values = np.asarray(image)
        seen = values != image.info.get("transparency", -1)
        return float(values.min(initial=0xFFFF, where=seen)), float(values.max(initial=0, where=seen))


def decode(
    source: str | os.PathLike[str] | bytes,
    limits: Limits,
    channels: int,
    least_px: int = 0,
    grey: GreyRange = WHOLE_RANGE,
) -> Image.Image:
    """The image in a file (or its bytes), upright, in mode ``L`` (``channels=1``) or ``RGB`` (``channels=3``).

    Of an animation, the first frame, and of several pages the first. Both limits are checked before any pixel is
    decoded. With ``least_px``, a JPEG is shrunk while it is decoded, by the largest of 2, 4, 8 that leaves both sides
    at least that long. ``grey`` says which values of grey images of more than 8 bits become 0 and 255.

    Raises:
        UnreadableImage: with the reason.
    """
    upright = _upright(_content(source, limits), limits, least_px).image
    with damage_told():
        return convert(Image.fromarray(upright) if isinstance(upright, np.ndarray) else upright, channels, grey)


class Decoded(NamedTuple):
    """An image as a classifier asks for it.

    Attributes:
        loses_colour: whether the image had colours, and the classifier sees none.
        is_first: whether the file holds further pages, pictures or frames.
    """

    image: Image.Image
    loses_colour: bool
    is_first: bool = False

    @property
    def note(self) -> str:
        """Says what of the file the classifier does not look at, in words; empty where nothing is lost."""
        return "; ".join([COLOUR_LOST] * self.loses_colour + [FIRST_READ] * self.is_first)


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
    return _as_wanted(upright, wanted), _pixels(whole.image, 3, wanted.grey_range)


def _as_wanted(upright: _Upright, wanted: Preprocessing) -> Decoded:
    with damage_told():
        image = Image.fromarray(upright.image) if isinstance(upright.image, np.ndarray) else upright.image
        converted = convert(image, wanted.channels, wanted.grey_range)
        loses_colour = wanted.channels == 1 and not _is_grey(image) and has_colour(np.asarray(convert(image, 3)))
        return Decoded(converted, loses_colour, upright.is_first)


def decode_pixels(
    source: str | os.PathLike[str] | bytes,
    limits: Limits,
    channels: int,
    least_px: int = 0,
    grey: GreyRange = WHOLE_RANGE,
) -> UInt8Images:
    """Decode to pixels, as :func:`decode`, uint8 ``(H, W)`` or ``(H, W, 3)``, which Pillow need not copy twice then."""
    return _pixels(_upright(_content(source, limits), limits, least_px).image, channels, grey)


def decode_and_know(
    source: bytes | Image.Image, limits: Limits, channels: int, least_px: int = 0, grey: GreyRange = WHOLE_RANGE
) -> tuple[UInt8Images, int]:
    """:func:`decode_pixels` of a file's bytes, and the :func:`~resnetkit.images.digests.image_digest` of the image.

    An image that Pillow has opened is taken too.

    The digest is that of the whole image with all its values, so a JPEG that ``least_px`` shrinks is decoded twice.
    """
    upright = _upright_of(source, limits, least_px)
    whole = upright if upright.is_whole else _upright_of(source, limits, 0)
    with damage_told():
        values = _original_values(whole.image)
    if whole is upright and _fits(values, channels):
        return values, image_digest(values)
    return _pixels(upright.image, channels, grey), image_digest(values)


class _Upright(NamedTuple):
    """An image as it came, decoded and turned upright; whether it still has its size, and is the first of several."""

    image: Image.Image | UInt8Images
    is_whole: bool = True
    is_first: bool = False


def _upright_of(source: Decodable, limits: Limits, least_px: int) -> _Upright:
    """Decode what may be opened already."""
    if isinstance(source, Image.Image):
        with header_read(source, limits) as image:
            return _Upright(_developed(image))
    return _upright(_content(source, limits), limits, least_px)


def _upright(content: bytes, limits: Limits, least_px: int) -> _Upright:
    with opened(content, limits) as image:
        if image.format not in JPEGS or 0 in image.size:
            is_first = has_several(image)
            return _Upright(_developed(image), is_first=is_first)
        scale = scale_for(*image.size, least_px)
        pixels = decode_directly(content, image.mode, image.size, scale)
        if pixels is None:
            if scale > 1:
                image.draft(None, (least_px, least_px))
            return _Upright(_developed(image), scale == 1)
        orientation = orientation_of(image)
        if orientation == 1:
            return _Upright(pixels, scale == 1)
        return _Upright(_turned_upright(Image.fromarray(pixels), orientation), scale == 1)


def _content(source: str | os.PathLike[str] | bytes, limits: Limits) -> bytes:
    return source if isinstance(source, bytes) else read_content(source, limits)


def _fits(values: Values, channels: int) -> TypeGuard[UInt8Images]:
    return values.dtype == np.uint8 and values.ndim == NUM_AXES[channels]


def _pixels(upright: Image.Image | UInt8Images, channels: int, grey: GreyRange) -> UInt8Images:
    if isinstance(upright, np.ndarray):
        if _fits(upright, channels):
            return upright
        upright = Image.fromarray(upright)
    with damage_told():
        return np.array(convert(upright, channels, grey))


def _original_values(upright: Image.Image | UInt8Images) -> Values:
    """The values of an image before it is made to fit a network: grey in 8 or 16 bits or floats, else RGB."""
    if isinstance(upright, np.ndarray):
        return upright
    if is_float(upright):
        return float_values(upright)
    if has_sixteen_bits(upright):
        return sixteen_bit_values(upright, WHITE_16BIT).astype(np.uint16)
    return np.array(convert(upright, 1 if upright.mode in ("1", "L") else 3))


def _developed(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise UnreadableImage("has no pixels")
    with damage_told():
        has_deep_colour = _has_deep_colour(image)
        load(image)
        if has_deep_colour:
            _check_deep_colour(image)
        return _turned_upright(image, orientation_of(image))


def convert(image: Image.Image, channels: int, grey: GreyRange = WHOLE_RANGE) -> Image.Image:
    """Any image in mode ``L`` (``channels=1``) or ``RGB`` (``channels=3``); transparency is laid on white.

    Raises:
        UnreadableImage: for grey values of more than 8 bits that go beyond ``grey``, or are not finite.
    """
    mode = MODES[channels]
    if is_float(image) or has_sixteen_bits(image):
        image = eight_bit(image, grey)
    elif image.mode == "LAB":
        image = _from_lab(image)
    elif image.has_transparency_data:
        image = _on_white(image)
    return image if image.mode == mode else image.convert(mode)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a missing, damaged or nonsensical one means upright, as every viewer takes it."""
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


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or is_float(image) or has_sixteen_bits(image)


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
