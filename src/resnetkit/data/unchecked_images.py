"""Images of a folder that are decoded and checked when they are first read: for data too large to decode first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from resnetkit.data.prepared_images import FolderImages, stacked
from resnetkit.images.digests import NOT_MET, Digests
from resnetkit.images.types import BadImage, Indices, UInt8Images, UnreadableImage, empty_images


@dataclass(frozen=True)
class UncheckedImages:
    """Images that are decoded at every read, and examined at the first one.

    Attributes:
        refuse: called with what cannot be read; where it returns, that image is left out of what is read.
        digests, aspect_ratios: as of :class:`~resnetkit.data.types.Split`; filled when an image is first read.
        bad: by position, the files that turned out to be unreadable.
    """

    originals: FolderImages
    shape: tuple[int, int, int]
    refuse: Callable[[BadImage], None]
    digests: Digests
    aspect_ratios: npt.NDArray[np.float32]
    bad: dict[int, BadImage] = field(default_factory=dict)

    @classmethod
    def of(
        cls, originals: FolderImages, shape: tuple[int, int, int], refuse: Callable[[BadImage], None]
    ) -> UncheckedImages:
        """Images of which none has been read yet, to be of this shape (C, H, W)."""
        num_images = len(originals)
        return cls(originals, shape, refuse, np.full(num_images, NOT_MET), np.ones(num_images, np.float32))

    def __len__(self) -> int:
        return len(self.originals)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices`` that can be read, uint8 ``(n, C, H, W)``; ``bad`` has the others."""
        rows = [row for index in indices.tolist() if (row := self._read_one(index)) is not None]
        return stacked(rows) if rows else empty_images(0, self.shape)

    def leave_out(self, index: int, reason: str) -> BadImage:
        """Do not read an image from now on: it is known to be unreadable."""
        self.bad[index] = BadImage(self.originals.full_path(index), reason)
        return self.bad[index]

    def _read_one(self, index: int) -> UInt8Images | None:
        if index in self.bad:
            return None
        if self.digests[index] != NOT_MET:
            again: UInt8Images = self.originals.read(np.array([index]))[0]
            return again
        try:
            found = self.originals.examine(index)
        except UnreadableImage as error:
            self.refuse(BadImage(self.originals.full_path(index), str(error)))
            self.leave_out(index, str(error))
            return None
        self.digests[index], self.aspect_ratios[index] = found.digest, found.aspect_ratio
        return found.pixels
