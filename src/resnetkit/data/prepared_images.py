"""Images in their original form, prepared at every read, and the one pass that checks them all.

Kept in memory or read anew each time, an image has the same pixels, because both come from here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.decoding import convert, decode_and_know, decode_pixels
from resnetkit.images.digests import Digests, image_digest
from resnetkit.images.opening import read_content
from resnetkit.images.preprocessing import array_to_image
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import ArrayImages, Images, Indices, UInt8Images, UnreadableImage, empty_images

CHUNK_IMAGES = 32

# From the pixels of one image, (H, W) or (H, W, 3), to (C, H, W) of the wanted size.
Prepare = Callable[[UInt8Images, Preprocessing], UInt8Images]


class Examined(NamedTuple):
    """One image, prepared, and of its original: the SHA-256 of its bytes, the digest of its pixels, width / height."""

    pixels: UInt8Images
    sha256: bytes
    digest: int
    aspect_ratio: float


class Originals(Protocol):
    """Images that are prepared when they are read."""

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
    prepare: Prepare
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``.

        Raises:
            ResnetkitError: if a file that passed the check cannot be read any more.
        """
        return stacked([self._read_again(int(index)) for index in indices])

    def examine(self, index: int) -> Examined:
        """One image with the hash of its file. Raises :class:`UnreadableImage`."""
        return self.examine_content(self.content(index))

    def content(self, index: int) -> bytes:
        """The bytes of one file. Raises :class:`UnreadableImage`."""
        return read_content(self.full_path(index), self.limits)

    def examine_content(self, content: bytes) -> Examined:
        """Examine a file's bytes as :meth:`examine` does."""
        wanted = self.preprocessing
        decoded, digest = decode_and_know(
            content, self.limits, wanted.channels, wanted.least_decoded_px, wanted.grey_range
        )
        height, width = decoded.shape[:2]
        return Examined(self.prepare(decoded, wanted), hashlib.sha256(content).digest(), digest, width / height)

    def select(self, indices: Indices) -> FolderImages:
        """Only the images at ``indices``."""
        return replace(self, paths=[self.paths[index] for index in indices])

    def full_path(self, index: int) -> str:
        """Path of one file, from the root on."""
        return os.path.join(self.root, self.paths[index])

    def _read_again(self, index: int) -> UInt8Images:
        wanted = self.preprocessing
        try:
            pixels = decode_pixels(
                self.content(index), self.limits, wanted.channels, wanted.least_decoded_px, wanted.grey_range
            )
        except UnreadableImage as error:
            raise ResnetkitError(
                Code.DATA,
                f"{self.full_path(index)} {error}",
                why="it could be read when the data were checked, so it has changed since",
                fix="leave the image folder alone while it is in use",
            ) from error
        return self.prepare(pixels, wanted)


@dataclass(frozen=True)
class PixelImages:
    """Images whose pixels are in memory; to choose some of them copies none.

    Attributes:
        stored: uint8 ``(N, C, H, W)``.
        rows: int64 ``(n,)``, of those that are meant; None: all of them.
    """

    stored: UInt8Images
    prepare: Prepare
    preprocessing: Preprocessing
    rows: Indices | None = None

    def __len__(self) -> int:
        return len(self.stored) if self.rows is None else len(self.rows)

    @property
    def is_prepared(self) -> bool:
        """Tell whether preparing leaves the pixels as they are."""
        wanted = self.preprocessing
        size = wanted.image_size_px
        return size == wanted.resize_px and self.stored.shape[1:] == (wanted.channels, size, size)

    def as_array(self) -> UInt8Images:
        """The pixels as they are stored, uint8 ``(n, C, H, W)``; a copy where only some are meant."""
        return self.stored if self.rows is None else self._at(np.arange(len(self)))

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        originals = self._at(indices)
        return originals if self.is_prepared else stacked([self._prepared(original) for original in originals])

    def examine(self, index: int) -> Examined:
        """One image with the hash of its original pixels."""
        original = self.stored[index if self.rows is None else self.rows[index]]
        sha256 = hashlib.sha256(original.tobytes()).digest()
        digest = image_digest(original[0] if len(original) == 1 else original.transpose(1, 2, 0))
        prepared = original if self.is_prepared else self._prepared(original)
        return Examined(prepared, sha256, digest, original.shape[2] / original.shape[1])

    def select(self, indices: Indices) -> PixelImages:
        """Only the images at ``indices``."""
        return replace(self, rows=indices if self.rows is None else self.rows[indices])

    def _at(self, indices: Indices) -> UInt8Images:
        """Some images as they are stored, copied into channels-last memory."""
        chosen = indices if self.rows is None else self.rows[indices]
        # np.take would copy the whole array first where it lies otherwise, as tensors do, and colours turned round.
        copied = np.ascontiguousarray(self.stored.transpose(0, 2, 3, 1)[chosen])
        return copied.transpose(0, 3, 1, 2)

    def _prepared(self, original: UInt8Images) -> UInt8Images:
        wanted = self.preprocessing
        return self.prepare(np.array(convert(array_to_image(original), wanted.channels)), wanted)


def stacked(rows: Sequence[UInt8Images]) -> UInt8Images:
    """Images ``(C, H, W)`` as one array ``(n, C, H, W)`` in channels-last memory."""
    images = empty_images(len(rows), rows[0].shape)
    for image, row in zip(images, rows, strict=True):
        image[...] = row
    return images


class Examination(NamedTuple):
    """Findings of a look at every image.

    Attributes:
        readable: positions of the readable images.
        sha256: of each readable image's original bytes.
        digests: of its original pixels.
        aspect_ratios: their original width / height.
        reasons: by position, why an image cannot be read.
    """

    readable: Indices
    sha256: list[bytes]
    digests: Digests
    aspect_ratios: npt.NDArray[np.float32]
    reasons: dict[int, str]


def examine_all(
    num_images: int,
    examine: Callable[[int], Examined],
    pixels: UInt8Images | None,
    *,
    num_workers: int,
    on_done: Callable[[int], None],
) -> Examination:
    """Look at every image once; its pixels go to their place in ``pixels`` ``(N, C, H, W)``, if there is one.

    Works in threads: the decoders, resizing and hashing leave the interpreter to others, and threads write straight
    into the array.
    """
    sha256 = [b""] * num_images
    digests = np.zeros(num_images, dtype=np.uint64)
    aspect_ratios = np.zeros(num_images, dtype=np.float32)
    reasons: dict[int, str] = {}

    def examine_chunk(start: int) -> int:
        indices = range(start, min(start + CHUNK_IMAGES, num_images))
        for index in indices:
            try:
                image, sha256[index], digests[index], aspect_ratios[index] = examine(index)
            except UnreadableImage as error:
                reasons[index] = str(error)
                continue
            if pixels is not None:
                pixels[index] = image
        return len(indices)

    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        for num_done in pool.map(examine_chunk, range(0, num_images, CHUNK_IMAGES)):
            on_done(num_done)
    readable = np.array([index for index in range(num_images) if index not in reasons], dtype=np.int64)
    return Examination(
        readable=readable,
        sha256=[sha256[index] for index in readable],
        digests=digests[readable],
        aspect_ratios=aspect_ratios[readable],
        reasons=dict(sorted(reasons.items())),
    )


def load_images(
    originals: Originals,
    examine: Callable[[int], Examined],
    shape: tuple[int, int, int],
    *,
    keep: bool,
    num_workers: int,
    on_done: Callable[[int], None],
) -> tuple[Images, Examination]:
    """The readable images of ``shape`` (C, H, W), in memory if they are to be kept, and what was found."""
    if isinstance(originals, PixelImages) and originals.is_prepared:  # they are there already, and all readable
        examined = examine_all(len(originals), examine, None, num_workers=num_workers, on_done=on_done)
        return ArrayImages(originals.as_array()), examined
    pixels = empty_images(len(originals), shape) if keep else None
    examined = examine_all(len(originals), examine, pixels, num_workers=num_workers, on_done=on_done)
    if pixels is not None:
        return ArrayImages(compact(pixels, examined.readable)), examined
    all_readable = len(examined.readable) == len(originals)
    return originals if all_readable else originals.select(examined.readable), examined


def compact(pixels: UInt8Images, readable: Indices) -> UInt8Images:
    """The readable images moved together in place, because a copy could double the memory needed."""
    if len(readable) < len(pixels):
        for position, index in enumerate(readable):
            pixels[position] = pixels[index]
    return pixels[: len(readable)]
