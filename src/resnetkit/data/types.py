"""The images of a split, and all splits of a data set, ready for use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from resnetkit.data.groups import groups_at
from resnetkit.images.digests import Digests
from resnetkit.images.types import BadImage, Images, Indices, UInt8Images


@dataclass(frozen=True)
class SomeImages:
    """Some of the images of others, by their rows."""

    images: Images
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        return self.images.read(self.rows[indices])


@dataclass(frozen=True)
class Split:
    """The images of one purpose (train, val or test) with their labels.

    Attributes:
        name: ``train``, ``val`` or ``test``.
        images: ``(C, S, S)``, as the network sees them; or whole, to be cropped at random, see
            :func:`resnetkit.images.preprocessing.prepare_for_training`.
        labels: int64 ``(N,)``, positions in the data's class names.
        identifiers: one per image: its path, or ``name/split/number`` in a named data set.
        aspect_ratios: float32 ``(N,)``, width / height of each original image, which crops of images prepared with
            ``fit="crop"`` restore.
        digests: uint64 ``(N,)``, the :func:`~resnetkit.images.digests.image_digest` of each original image.
        is_whole: whether the images are whole.
        bad: by position, images that turned out to be unreadable; only of those that are checked when they are first
            read, see :class:`~resnetkit.data.unchecked_images.UncheckedImages`.
        groups: the group of each image, of which all show one object; None: none are known.
    """

    name: str
    images: Images
    labels: Indices
    identifiers: Sequence[str]
    aspect_ratios: npt.NDArray[np.float32]
    digests: Digests
    is_whole: bool = True
    bad: dict[int, BadImage] = field(default_factory=dict)
    groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def squeezed(self) -> npt.NDArray[np.float32]:
        """Width / height that was lost in keeping the images as squares, float32 ``(N,)``, which crops restore."""
        return self.aspect_ratios if self.is_whole else np.ones_like(self.aspect_ratios)

    def readable(self, rows: Indices) -> Indices:
        """Those of some rows that were read that could be."""
        return rows[[row not in self.bad for row in rows.tolist()]] if self.bad else rows

    def without_bad(self) -> Split:
        """Only the images that have not turned out to be unreadable."""
        return self.select(self.readable(np.arange(len(self)))) if self.bad else self

    def select(self, rows: Indices) -> Split:
        """Only the images at these rows."""
        return Split(
            self.name,
            SomeImages(self.images, rows),
            self.labels[rows],
            [self.identifiers[row] for row in rows],
            self.aspect_ratios[rows],
            self.digests[rows],
            is_whole=self.is_whole,
            groups=groups_at(self.groups, rows),
        )


@dataclass(frozen=True)
class DataAudit:
    """Counts of what is wrong with images, as far as their pixels and labels tell it.

    What only looks the same is no part of it: ``resnetkit audit`` looks for that too.

    Attributes:
        num_leaks: images whose pixels are in an earlier split too; train comes first, then val, then test.
        num_conflicts: pictures that are under several classes, in whichever split.
        num_duplicates: images that repeat another one of their split and class.
        class_sizes: by split, the number of images of each class, in the order of the class names.
    """

    num_leaks: int
    num_conflicts: int
    num_duplicates: int
    class_sizes: dict[str, tuple[int, ...]]

    @property
    def is_trustworthy(self) -> bool:
        """Tell whether scores and labels can be trusted, as far as this goes."""
        return not self.num_leaks and not self.num_conflicts


@dataclass(frozen=True)
class LoadedData:
    """Splits ready for use.

    Attributes:
        splits: by name, only those that were asked for and exist.
        fingerprint: SHA-256 over identifiers, labels and stored contents of all loaded splits; over no contents where
            not ``is_checked``.
        bad_images: files that were left out because they cannot be read.
        is_checked: whether every image has been decoded; else that happens when it is first read.
        warnings: sentences the user should read, e.g. about the same image in two splits.
        audit: counts of what digests and labels tell; None where not ``is_checked``.
    """

    class_names: tuple[str, ...]
    splits: dict[str, Split]
    fingerprint: str
    bad_images: tuple[BadImage, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    is_checked: bool = True
    audit: DataAudit | None = None

    def bad_images_so_far(self) -> tuple[BadImage, ...]:
        """``bad_images`` and those that have turned out to be bad since."""
        return (*self.bad_images, *(bad for split in self.splits.values() for bad in tuple(split.bad.values())))
