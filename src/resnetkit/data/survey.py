"""Survey of images: what their headers tell before all of them are decoded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from resnetkit.images.decoding import extent_of_values, read_header
from resnetkit.images.image_files import may_hold_several
from resnetkit.images.image_inputs import Decodable, name_of
from resnetkit.images.spec import Limits
from resnetkit.images.types import BadImage, FloatValues, Indices, Shapes, SixteenBit, UnreadableImage

SAMPLED = 64
MOST_LOOKED_AT = 20_000  # of a folder with grey images and ones in colour: a second's work
TOGETHER = 256
# What is kept of a header: objects would take a hundred times the memory, and folders have millions of files.
HEADER = np.dtype(
    [("is_read", "?"), ("width", "<u4"), ("height", "<u4"), ("is_grey", "?"), ("bits", "u1"), ("has_several", "?")]
)
MEASURED = 256  # images of more than 8 bits whose values are looked at


@dataclass(frozen=True)
class Survey:
    """Findings from headers.

    Attributes:
        num_looked_at: how many headers were read, and can be: all, unless a sample settled that there is colour; then
            those too whose kind may hold several images, up to ``MOST_LOOKED_AT``.
        sixteen_bit, floats: grey images of 16 bits and of floats, spread over all such; at most ``MEASURED``.
        num_first: how many files hold further pages or frames behind the one that is read.
        bad_images: those of the sample whose header cannot be read.
    """

    num_looked_at: int
    num_in_colour: int
    shapes: Shapes | None
    sixteen_bit: tuple[Decodable, ...] = ()
    floats: tuple[Decodable, ...] = ()
    num_first: int = 0
    bad_images: tuple[BadImage, ...] = ()

    @property
    def channels(self) -> int:
        """1 if all images are grey, else 3: colour is never thrown away because it is rare."""
        return 3 if self.num_in_colour else 1

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence where some images have colour and others have none."""
        if self.num_in_colour in (0, self.num_looked_at):
            return ()
        verb = "image has" if self.num_in_colour == 1 else "images have"
        counted = f"{self.num_in_colour:,} of {self.num_looked_at:,} {verb} colour"
        return (f"3 channels: {counted}, so the grey ones are read as colour too",)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence where of some files not all images are read."""
        if not self.num_first:
            return ()
        some, each = ("1 file holds", "it") if self.num_first == 1 else (f"{self.num_first:,} files hold", "each")
        return (f"{some} several pages or frames: the first of {each} is read",)


def survey(
    root: str | os.PathLike[str] | None, images: Sequence[Decodable], limits: Limits, *, num_workers: int
) -> Survey:
    """Read the headers of a sample, of a larger one where that has a grey image, and of all images where none of those
    has colour, and of files that may hold several images; unreadable ones are left for the full check.

    Args:
        root: the folder that paths of images start from; None: they are whole, or the images are no files.
    """

    def place(index: int) -> Decodable:
        image = images[index]
        return os.path.join(root, image) if root is not None and isinstance(image, str) else image

    found, bad = np.zeros(len(images), HEADER), {}

    def look(indices: Indices) -> None:
        for index in indices.tolist():
            try:
                found[index] = (True, *read_header(place(index), limits))
            except UnreadableImage as error:
                bad[index] = str(error)

    def look_at_all(rest: Indices) -> None:
        with ThreadPoolExecutor(max(1, num_workers)) as pool:
            for _ in pool.map(look, np.array_split(rest, -(-len(rest) // TOGETHER) or 1)):
                pass

    looked_at = np.empty(0, np.int64)
    for most, is_settled in ((SAMPLED, np.all), (MOST_LOOKED_AT, np.any), (len(images), np.any)):
        rest = np.setdiff1d(spread(len(images), most), looked_at)
        look_at_all(rest)
        looked_at = np.union1d(looked_at, rest)
        if is_settled(found["is_read"][looked_at] & ~found["is_grey"][looked_at]):
            break
    several = [index for index, image in enumerate(images) if may_hold_several(name_of(index, image))]
    rest = np.setdiff1d(np.array(several, np.int64)[spread(len(several), MOST_LOOKED_AT)], looked_at)
    look_at_all(rest)
    headers = found[found["is_read"]]

    def of_bits(bits: int) -> tuple[Decodable, ...]:
        indices = np.flatnonzero(found["bits"] == bits)
        return tuple(place(index) for index in indices[spread(len(indices), MEASURED)].tolist())

    return Survey(
        num_looked_at=len(headers),
        num_in_colour=int((~headers["is_grey"]).sum()),
        shapes=Shapes.of(np.stack([headers["width"], headers["height"]], 1)) if len(headers) else None,
        sixteen_bit=of_bits(16),
        floats=of_bits(32),
        num_first=int(headers["has_several"].sum()),
        bad_images=tuple(BadImage(name_of(index, place(index)), reason) for index, reason in sorted(bad.items())),
    )


def measure_sixteen_bit(images: Sequence[Decodable], limits: Limits, *, num_workers: int) -> SixteenBit | None:
    """The range that 16-bit grey images use; None where none of them can be read.

    Cameras and scanners store 10, 12 or 14 bits in 16, so the value that is white is taken for the largest that such a
    number of bits can hold.
    """
    brightest = [high for _, high in _extents(images, limits, num_workers)]
    if not brightest:
        return None
    return SixteenBit(white=(1 << max(8, int(max(brightest)).bit_length())) - 1, typical=int(np.median(brightest)))


def measure_floats(images: Sequence[Decodable], limits: Limits, *, num_workers: int) -> FloatValues | None:
    """The values that float images have; None where none of them can be read."""
    found = _extents(images, limits, num_workers)
    if not found:
        return None
    lows, highs = zip(*found, strict=True)
    return FloatValues(min(lows), max(highs), float(np.median(highs)))


def _extents(images: Sequence[Decodable], limits: Limits, num_workers: int) -> list[tuple[float, float]]:
    """The smallest and largest value of each image that can be read."""

    def look(image: Decodable) -> tuple[float, float] | None:
        try:
            return extent_of_values(image, limits)
        except UnreadableImage:  # told by the full check
            return None

    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        return [extent for extent in pool.map(look, images) if extent is not None]


def spread(num_all: int, most: int) -> Indices:
    """At most so many positions, spread evenly over all."""
    return np.unique(np.linspace(0, num_all - 1, min(most, num_all)).astype(np.int64))
