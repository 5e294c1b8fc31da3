"""Way from an image to a network's input, as plain data (no torch here)."""

from __future__ import annotations

import math
from typing import Literal

from resnetkit.config import frozen
from resnetkit.errors import require

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


Fit = Literal["crop", "squeeze", "pad"]


WHITE_16BIT = 0xFFFF  # the largest value there is


# A JPEG shrunk while it is decoded keeps sides of at least this many times the size it is then resized to.
REDUCED_RATIO = 2


SMALL_PX = 64  # larger images are treated as photographs, of which the centre is cut out


MAX_SIZE_PX = 8_192  # of images that a network is given: one of them takes 200 MB of bytes, its maps far more


@frozen
class GreyRange:
    """The values of grey images of more than 8 bits that become 0 and 255.

    Attributes:
        white_16bit: of integers, what becomes 255; 0 stays 0.
        floats: what becomes 0, and 255.
    """

    white_16bit: int = WHITE_16BIT
    floats: tuple[float, float] = (0.0, 1.0)


@frozen
class Preprocessing:
    """The way from a decoded image to the network's input; part of every classifier.

    The image is converted to ``channels`` (1: grey, 3: RGB), made a square of ``image_size_px`` as ``fit`` says, and
    each channel mapped to ``(value / 255 - mean) / std``.

    Attributes:
        resize_px: with ``fit="crop"``, what the shorter side is resized to; with any, the side of the squares that
            training images are kept as, from which its random crops are cut.
        channel_order: ``bgr`` hands the network blue first, as Caffe's descendants expect; ``mean`` and ``std``
            stand in the network's order.
        average_mirrored: the answer is the mean of the probabilities for the image and for its mirror image; more
            accurate for a network that was trained with flips, at twice the cost.
        jpeg_scaling: ``reduced`` lets the JPEG decoder halve the sides, once to three times, as long as both stay at
            least twice ``resize_px``; large photographs are then read in a fraction of the time, with slightly
            different pixels. ``full`` decodes every pixel.
        fit: how an image that is no square becomes one. ``crop``: the centre is cut out, and what lies around it is
            never seen; ``squeeze``: both sides are resized to ``image_size_px``, which changes shapes; ``pad``: the
            longer side is, and the rest is filled with the mean colour (``mean``, 0 to the network).
        white_16bit: the value of 16-bit images that becomes 255, e.g. 1,023 where cameras or scanners stored 10 bits in
            16; an image with a larger one is refused. Other images have nothing to do with it.
        float_range: the values of float images that become 0 (black) and 255; an image with values beyond is refused.
            Other images have nothing to do with it.
    """

    image_size_px: int
    resize_px: int
    channels: int = 3
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: Interpolation = "bilinear"
    channel_order: Literal["rgb", "bgr"] = "rgb"
    average_mirrored: bool = False
    jpeg_scaling: Literal["full", "reduced"] = "full"
    fit: Fit = "crop"
    white_16bit: int = WHITE_16BIT
    float_range: tuple[float, float] = (0.0, 1.0)

    @property
    def grey_range(self) -> GreyRange:
        """Black and white of grey images of more than 8 bits."""
        return GreyRange(self.white_16bit, self.float_range)

    @property
    def fill(self) -> tuple[int, ...]:
        """The colour that ``fit="pad"`` fills with, one value in 0 … 255 for each channel of the image (red first)."""
        values = tuple(min(255, max(0, round(255 * value))) for value in self.mean)
        return values if self.channel_order == "rgb" else values[::-1]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, S, S)`` of an image as the network is given it."""
        return (self.channels, self.image_size_px, self.image_size_px)

    @property
    def least_decoded_px(self) -> int:
        """The shortest that a side of a JPEG may become while it is decoded; 0: it is decoded whole."""
        return REDUCED_RATIO * self.resize_px if self.jpeg_scaling == "reduced" else 0

    def __post_init__(self) -> None:
        require(self.image_size_px >= 1, f"image_size_px must be at least 1, got {self.image_size_px}")
        require(self.resize_px <= MAX_SIZE_PX, f"resize_px must be at most {MAX_SIZE_PX:,}, got {self.resize_px:.6g}")
        require(
            self.resize_px >= self.image_size_px,
            f"resize_px must be at least image_size_px ({self.image_size_px}), got {self.resize_px}",
        )
        for name, values in (("mean", self.mean), ("std", self.std)):
            require(
                len(values) == self.channels,
                f"preprocessing.{name} must have one value per channel ({self.channels}), got {len(values)}",
            )
        require(all(value > 0 for value in self.std), f"std must be positive, got {self.std}")
        require(
            1 <= self.white_16bit <= WHITE_16BIT,
            f"preprocessing.white_16bit must be from 1 to {WHITE_16BIT}, got {self.white_16bit}",
        )
        low, high = self.float_range
        require(
            low < high and math.isfinite(high - low),
            f"preprocessing.float_range must be two finite values, the smaller first, got {[low, high]}",
        )
        require(
            self.channel_order == "rgb" or self.channels == 3,
            f"preprocessing.channel_order 'bgr' needs 3 channels, got {self.channels}",
        )


@frozen
class Limits:
    """Files beyond these are refused before they are decoded (decompression bombs); part of every classifier."""

    max_pixels: int = 64_000_000
    max_file_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_file_bytes"):
            require(getattr(self, name) >= 1, f"limits.{name} must be at least 1, got {getattr(self, name)}")


def with_margin(image_size_px: int) -> int:
    """Size that images are resized to before a square of ``image_size_px`` is cut out: for photographs 8/7 of it.

    >>> with_margin(224), with_margin(32)
    (256, 32)
    """
    return round(image_size_px * 8 / 7) if image_size_px > SMALL_PX else image_size_px
