"""Images in their original form, staged at every read, and the one pass that checks them all.

Kept in memory or read anew each time, an image has the same pixels, because both come from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from resnetkit.data.decoding import UnreadableImage, convert, decode, read_content
from resnetkit.data.preprocessing import array_to_image
from resnetkit.data.source import Indices, UInt8Images
from resnetkit.data.spec import Limits, Preprocessing
from resnetkit.errors import Code, ResnetkitError

CHUNK_IMAGES = 32

Stage = Callable[[Image.Image, Preprocessing], UInt8Images]


class Examined(NamedTuple):
    """One image, the SHA-256 of the bytes it came from, and its original width / height."""

    pixels: UInt8Images
    digest: bytes
    aspect_ratio: float


class Originals(Protocol):
    """Images that are staged when they are read."""

    def __len__(self) -> int: ...

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        ...

    def examine(self, index: int) -> Examined:
        """One image with what is known about its original. Raises :class:`UnreadableImage`."""
        ...

    def select(self, indices: Indices) -> Self:
        """Only the images at ``indices``."""
        ...


@dataclass(frozen=True)
class FolderImages:
    """Image files, decoded anew at every read: for data beyond the memory allowed.

    Holds nothing but names and settings, so that it travels cheaply to worker processes.
    """

    root: str
    paths: Sequence[str]
    limits: Limits
    stage: Stage
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``.

        Raises:
            ResnetkitError: if a file that passed the check cannot be read any more.
        """
        return np.stack([self._read_again(int(index)) for index in indices])

    def examine(self, index: int) -> Examined:
        """One image with the hash of its file. Raises :class:`UnreadableImage`."""
        content = read_content(self._full_path(index), self.limits)
        image = decode(content, self.limits, self.preprocessing.channels)
        pixels = self.stage(image, self.preprocessing)
        return Examined(pixels, hashlib.sha256(content).digest(), image.width / image.height)

    def select(self, indices: Indices) -> FolderImages:
        """Only the images at ``indices``."""
        return replace(self, paths=[self.paths[index] for index in indices])

    def _full_path(self, index: int) -> str:
        return f"{self.root}/{self.paths[index]}"

    def _read_again(self, index: int) -> UInt8Images:
        try:
            image = decode(self._full_path(index), self.limits, self.preprocessing.channels)
        except UnreadableImage as error:
            raise ResnetkitError(
                Code.DATA,
                f"{self._full_path(index)} {error}",
                why="it could be read when the data were checked, so it has changed since",
                fix="leave the image folder alone while it is in use",
            ) from error
        return self.stage(image, self.preprocessing)


@dataclass(frozen=True)
class NamedImages:
    """Some images of a named data set: its whole array ``(N, C, H, W)`` and the positions of those meant."""

    pixels: UInt8Images
    positions: Indices
    stage: Stage
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        return np.stack([self._staged(self.pixels[position]) for position in self.positions[indices]])

    def examine(self, index: int) -> Examined:
        """One image with the hash of its original pixels."""
        original = self.pixels[self.positions[index]]
        digest = hashlib.sha256(original.tobytes()).digest()
        return Examined(self._staged(original), digest, original.shape[2] / original.shape[1])

    def select(self, indices: Indices) -> NamedImages:
        """Only the images at ``indices``."""
        return replace(self, positions=self.positions[indices])

    def _staged(self, original: UInt8Images) -> UInt8Images:
        wanted = self.preprocessing
        size = wanted.image_size_px
        if size == wanted.resize_px and original.shape == (wanted.channels, size, size):
            return original  # what staging would give, without a detour through Pillow
        return self.stage(convert(array_to_image(original), wanted.channels), wanted)


class Examination(NamedTuple):
    """What a look at every image found.

    Attributes:
        pixels: the readable images, ``(number readable, C, H, W)``; None if they were not to be kept.
        readable: their positions.
        digests: SHA-256 of each readable image's original bytes.
        aspect_ratios: their original width / height.
        reasons: by position, why an image cannot be read.
    """

    pixels: UInt8Images | None
    readable: Indices
    digests: list[bytes]
    aspect_ratios: npt.NDArray[np.float32]
    reasons: dict[int, str]


def examine_all(
    originals: Originals, shape: tuple[int, int, int], *, keep: bool, num_workers: int, on_done: Callable[[int], None]
) -> Examination:
    """Decode every image once; keep the pixels, of ``shape`` (C, H, W), in one array if asked.

    Works in threads: Pillow and hashlib release the interpreter while they decode, resize and hash, and threads
    write straight into the array.
    """
    pixels = np.empty((len(originals), *shape), dtype=np.uint8) if keep else None
    digests = [b""] * len(originals)
    aspect_ratios = np.zeros(len(originals), dtype=np.float32)
    reasons: dict[int, str] = {}

    def examine_chunk(start: int) -> int:
        indices = range(start, min(start + CHUNK_IMAGES, len(originals)))
        for index in indices:
            try:
                image, digests[index], aspect_ratios[index] = originals.examine(index)
            except UnreadableImage as error:
                reasons[index] = str(error)
                continue
            if pixels is not None:
                pixels[index] = image
        return len(indices)

    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        for num_done in pool.map(examine_chunk, range(0, len(originals), CHUNK_IMAGES)):
            on_done(num_done)
    readable = np.array([index for index in range(len(originals)) if index not in reasons], dtype=np.int64)
    kept = pixels if pixels is None else _compacted(pixels, readable)
    return Examination(
        kept, readable, [digests[index] for index in readable], aspect_ratios[readable], dict(sorted(reasons.items()))
    )


def _compacted(pixels: UInt8Images, readable: Indices) -> UInt8Images:
    """The readable images moved together in place, because a copy could double the memory needed."""
    if len(readable) < len(pixels):
        for position, index in enumerate(readable):
            pixels[position] = pixels[index]
    return pixels[: len(readable)]
