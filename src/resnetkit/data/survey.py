"""Survey of images: what their headers tell before all of them are decoded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from resnetkit.images.decoding import Header, UnreadableImage, brightest_value, read_header
from resnetkit.images.image_inputs import Decodable, name_of
from resnetkit.images.spec import Limits
from resnetkit.images.types import BadImage, Indices, Shapes, SixteenBit

SAMPLED = 64
MEASURED = 256  # 16-bit images whose values are looked at


@dataclass(frozen=True)
class Survey:
    """Findings from headers.

    Attributes:
        num_looked_at: how many headers were read: all, unless a sample of them settled that there is colour.
        sixteen_bit: 16-bit grey images, spread over all that were found; at most ``MEASURED``.
        bad_images: those of the sample whose header cannot be read.
    """

    num_looked_at: int
    num_in_colour: int
    shapes: Shapes | None
    sixteen_bit: tuple[Decodable, ...] = ()
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


def survey(
    root: str | os.PathLike[str] | None, images: Sequence[Decodable], limits: Limits, *, num_workers: int
) -> Survey:
    """Read the headers of a sample, and of all images where the sample has a grey one; unreadable ones are left for the
    full check.

    Args:
        root: the folder that paths of images start from; None: they are whole, or the images are no files.
    """

    def place(index: int) -> Decodable:
        image = images[index]
        return f"{root}/{image}" if root is not None and isinstance(image, str) else image

    def look_at(indices: Sequence[int]) -> dict[int, Header | str]:
        return dict(zip(indices, _headers(map(place, indices), limits, num_workers), strict=True))

    found = look_at(_spread(len(images), SAMPLED).tolist())
    if not all(isinstance(header, Header) and not header.is_grey for header in found.values()):
        found |= look_at([index for index in range(len(images)) if index not in found])
    headers = {index: header for index, header in sorted(found.items()) if isinstance(header, Header)}
    sixteen_bit = [index for index, header in headers.items() if header.has_16_bits]
    return Survey(
        num_looked_at=len(headers),
        num_in_colour=sum(not header.is_grey for header in headers.values()),
        shapes=Shapes.of([(header.width, header.height) for header in headers.values()]) if headers else None,
        sixteen_bit=tuple(place(sixteen_bit[i]) for i in _spread(len(sixteen_bit), MEASURED)),
        bad_images=tuple(
            BadImage(name_of(index, place(index)), reason) for index, reason in found.items() if isinstance(reason, str)
        ),
    )


def measure_sixteen_bit(images: Sequence[Decodable], limits: Limits, *, num_workers: int) -> SixteenBit | None:
    """The range that 16-bit grey images use; None where none of them can be read.

    Cameras and scanners store 10, 12 or 14 bits in 16, so the value that is white is taken for the largest that such a
    number of bits can hold.
    """

    def look(image: Decodable) -> int | None:
        try:
            return brightest_value(image, limits)
        except UnreadableImage:  # told by the full check
            return None

    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        brightest = [value for value in pool.map(look, images) if value is not None and value >= 0]
    if not brightest:
        return None
    return SixteenBit(white=(1 << max(8, max(brightest).bit_length())) - 1, typical=int(np.median(brightest)))


def _spread(num_all: int, most: int) -> Indices:
    """At most so many positions, spread evenly over all."""
    return np.unique(np.linspace(0, num_all - 1, min(most, num_all)).astype(np.int64))


def _headers(images: Iterable[Decodable], limits: Limits, num_workers: int) -> Iterator[Header | str]:
    """The header of each image, or why it cannot be read."""

    def look(image: Decodable) -> Header | str:
        try:
            return read_header(image, limits)
        except UnreadableImage as error:
            return str(error)

    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        yield from pool.map(look, images)
