"""Types that every kind of data has for the rest of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

UInt8Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]  # of an image as it was made
Indices = npt.NDArray[np.int64]

ALIKE_RATIO = 4 / 3  # shapes that vary by less look alike when they are squeezed into squares


class UnreadableImage(Exception):  # noqa: N818 - it names a state of the file
    """An image that cannot be used; the text completes the sentence "this file …"."""


def empty_images(num_images: int, shape: tuple[int, ...]) -> UInt8Images:
    """Room for images of ``shape`` (C, H, W): uint8 ``(N, C, H, W)``, the values of a pixel side by side in memory.

    That is torch's channels-last memory, which files are decoded to and networks compute on.
    """
    channels, height, width = shape
    return np.empty((num_images, height, width, channels), np.uint8).transpose(0, 3, 1, 2)


class Images(Protocol):
    """N images of one shape, read by index; the same index gives the same pixels, always."""

    def __len__(self) -> int: ...

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        ...


@dataclass(frozen=True)
class ArrayImages:
    """Images that fit in memory: one uint8 array ``(N, C, H, W)``."""

    pixels: UInt8Images

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        return self.pixels[indices]


@dataclass(frozen=True)
class Shapes:
    """Sizes of images, and how far from square they are.

    Attributes:
        shorter_px, longer_px: medians of their shorter and longer sides.
        middle_share: of an image's pixels, those in its middle square, on average; 1 for squares.
        are_alike: whether most have about the same width / height.
    """

    shorter_px: int
    longer_px: int
    middle_share: float = 1.0
    are_alike: bool = True

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]] | npt.NDArray[np.integer[Any]]) -> Shapes:
        """Summarize images of these widths and heights, ``(N, 2)``.

        >>> Shapes.of([(96, 32), (90, 30)])
        Shapes(shorter_px=31, longer_px=93, middle_share=0.333..., are_alike=True)
        """
        sides = np.array(sizes, np.float64)
        ratios = np.log(sides[:, 0] / sides[:, 1])
        sides.sort(axis=1)
        shorter, longer = np.median(sides, axis=0)
        are_alike = float(ratios.std()) < np.log(ALIKE_RATIO)
        return cls(int(shorter), int(longer), mean_middle_share(np.exp(ratios)), bool(are_alike))


@dataclass(frozen=True)
class SixteenBit:
    """The range that 16-bit grey images use.

    Attributes:
        white: the largest value they can have: that of as many bits as their values need.
        typical: the median of their largest values.
    """

    white: int
    typical: int


@dataclass(frozen=True)
class FloatValues:
    """The values that float images have.

    Attributes:
        low, high: the smallest and the largest.
        typical: the median of their largest values.
    """

    low: float
    high: float
    typical: float


def mean_middle_share(aspect_ratios: npt.NDArray[Any]) -> float:
    """Share of the pixels that lie in an image's middle square, averaged over images with these widths / heights."""
    return float(np.minimum(aspect_ratios, 1 / aspect_ratios).mean())


@dataclass(frozen=True)
class BadImage:
    """A file that cannot be used, and why."""

    path: str
    reason: str
