"""Images that a program holds or lists, with their classes: data that have no folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from resnetkit.data.folds import file_keys, pixel_keys
from resnetkit.data.prepared_images import Examined, Originals, PixelImages, Prepare, stacked
from resnetkit.data.spec import DataSpec
from resnetkit.data.survey import Survey, survey
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.decoding import decode_and_know
from resnetkit.images.image_inputs import Decodable, name_of
from resnetkit.images.opening import damage_told, header_read, load, read_content
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import Indices, Shapes, UInt8Images, UnreadableImage

GIVEN = "given-images"  # what they are called where data have a name
NO_TEST = DataSpec(GIVEN, test_fraction=0.0)


@dataclass(frozen=True)
class GivenData:
    """Images with their classes.

    Attributes:
        images: of :func:`resnetkit.images.image_inputs.take_images`: pixels uint8 ``(N, H, W)`` or ``(N, H, W, 3)``, or
            a list of files, their bytes, and images of Pillow's.
        labels: int64 ``(N,)``, positions in ``class_names``.
        spec: how they are divided; no images are held back for a test unless it says so.
    """

    images: UInt8Images | list[Decodable]
    labels: Indices
    class_names: tuple[str, ...]
    spec: DataSpec = NO_TEST

    def __post_init__(self) -> None:
        require(
            len(self.images) == len(self.labels),
            f"{len(self.images):,} images were given, and {len(self.labels):,} labels",
            code=Code.DATA,
        )
        require(len(self.images) > 0, "no images were given", code=Code.DATA)
        twice = {name for name in self.class_names if self.class_names.count(name) > 1}
        require(not twice, f"several classes are called {sorted(twice)}", code=Code.DATA)

    @property
    def identifiers(self) -> list[str]:
        """Name of each image: its path, or its position."""
        return [name_of(number, image) for number, image in enumerate(self.images)]

    def content_keys(self, limits: Limits) -> list[Hashable]:
        """A key for each image, alike for the same bytes of a file or the same pixels; unreadable ones stand alone."""
        if isinstance(self.images, np.ndarray):
            return pixel_keys(self.images)
        return [_content_key(number, image, limits) for number, image in enumerate(self.images)]

    def survey(self, limits: Limits, *, num_workers: int) -> Survey:
        """Survey the images, which in an array are all of one kind."""
        if not isinstance(self.images, np.ndarray):
            return survey(None, self.images, limits, num_workers=num_workers)
        height, width = self.images.shape[1:3]
        num_in_colour = len(self.images) if self.images.ndim == 4 else 0
        return Survey(len(self.images), num_in_colour, Shapes.of([(width, height)]))

    def originals(self, rows: Indices, limits: Limits, prepare: Prepare, preprocessing: Preprocessing) -> Originals:
        """The images at some rows, to be prepared as they are read."""
        if isinstance(self.images, np.ndarray):
            pixels = self.images
            channels_first = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
            return PixelImages(channels_first, prepare, preprocessing, rows)
        return ListedImages([self.images[row] for row in rows], limits, prepare, preprocessing)


@dataclass(frozen=True)
class ListedImages:
    """Files, their bytes, and images of Pillow's, decoded anew at every read."""

    images: Sequence[Decodable]
    limits: Limits
    prepare: Prepare
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``.

        Raises:
            ResnetkitError: if one that passed the check cannot be read any more.
        """
        return stacked([self._read_again(int(index)) for index in indices])

    def examine(self, index: int) -> Examined:
        """One image with the hash of its file, or of its pixels. Raises :class:`UnreadableImage`."""
        image, wanted = self.images[index], self.preprocessing
        source = image if isinstance(image, bytes | Image.Image) else read_content(image, self.limits)
        pixels, digest = decode_and_know(
            source, self.limits, wanted.channels, wanted.least_decoded_px, wanted.grey_range
        )
        content = _content_of(source) if isinstance(source, Image.Image) else source
        height, width = pixels.shape[:2]
        return Examined(self.prepare(pixels, wanted), hashlib.sha256(content).digest(), digest, width / height)

    def select(self, indices: Indices) -> ListedImages:
        """Only the images at ``indices``."""
        return replace(self, images=[self.images[index] for index in indices])

    def _read_again(self, index: int) -> UInt8Images:
        try:
            return self.examine(index).pixels
        except UnreadableImage as error:
            raise ResnetkitError(
                Code.DATA,
                f"image {name_of(index, self.images[index])} {error}",
                why="it could be read when the data were checked, so it has changed since",
                fix="leave the images alone while they are in use",
            ) from error


def _content_key(number: int, image: Decodable, limits: Limits) -> Hashable:
    if isinstance(image, str | os.PathLike):
        return file_keys(Path(), [os.fspath(image)])[0]
    if isinstance(image, bytes):
        return hashlib.blake2b(image).digest()
    try:
        with header_read(image, limits) as opened, damage_told():
            load(opened)
            return hashlib.blake2b(_content_of(opened)).digest()
    except UnreadableImage:
        return name_of(number, image)


def _content_of(image: Image.Image) -> bytes:
    """All that tells the pixels of an image apart from others'."""
    return f"{image.mode} {image.size} ".encode() + image.tobytes()
