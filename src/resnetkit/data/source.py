"""Data that were found and divided, and the way from there to images ready for use."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnetkit.data.cache import cache_file, load_cached
from resnetkit.data.fingerprint import (
    about_small_classes,
    audit_advice,
    audit_splits,
    fingerprint,
    warnings_about,
    what_is_cut_off,
    what_is_left_out,
)
from resnetkit.data.groups import groups_at
from resnetkit.data.prepared_images import Examination, FolderImages, Originals, Prepare, examine_all
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import SPLITS
from resnetkit.data.survey import SAMPLED, spread
from resnetkit.data.types import LoadedData, Split
from resnetkit.data.unchecked_images import UncheckedImages
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.images.image_files import tell_ignored
from resnetkit.images.image_inputs import Decodable
from resnetkit.images.opening import LACKS_READER, OVER_LIMIT
from resnetkit.images.prepared_pixels import prepare_seen, prepare_whole
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import BadImage, Images, Indices, Shapes
from resnetkit.terminal import progress_bar, quoted, shown

SHOWN_BAD_IMAGES = 20
SHOWN_CLASSES = 12
MANY_IMAGES = 20_000  # fewer are decoded in less time than it is worth to speak of
UNREAD = b"not read"


class BadImagesError(ResnetkitError):
    """Files that cannot be read among the images asked for; ``bad_images`` has them all."""

    def __init__(self, bad_images: Sequence[BadImage], num_images: int) -> None:
        self.bad_images, self.num_images = tuple(bad_images), num_images
        lines = [f"{bad.path} {bad.reason}" for bad in self.bad_images[:SHOWN_BAD_IMAGES]]
        num_more = len(self.bad_images) - len(lines)
        lines += [f"… and {num_more:,} more"] if num_more else []
        is_limited, lacks_reader = (
            any(text in bad.reason for bad in self.bad_images) for text in (OVER_LIMIT, LACKS_READER)
        )
        change = "raise the limit by the option in brackets, " if is_limited else ""
        change += "install what is missing by the command in brackets, " if lacks_reader else ""
        super().__init__(
            Code.DATA,
            f"{len(self.bad_images):,} of {num_images:,} image files cannot be used",
            why="\n    ".join(map(shown, lines)),
            fix=f"{change}repair or remove these files, or leave them out with --on-bad-image skip",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (BadImagesError, (self.bad_images, self.num_images))


# From the images of a split to those that are readable, and what was found.
Examine = Callable[[Originals], tuple[Images, Examination]]


@dataclass(frozen=True)
class Listing:
    """The images of one split before any of them is decoded; ``prepared`` says how they are to be read.

    Attributes:
        groups: the group of each image, which are to stay together in every division; None: none are asked for.
    """

    identifiers: Sequence[str]
    labels: Indices
    prepared: Callable[[Prepare, Preprocessing], Originals]
    groups: Sequence[str] | None = None

    def select(self, rows: Indices) -> Listing:
        """Only the images at these rows."""
        return Listing(
            [self.identifiers[row] for row in rows],
            self.labels[rows],
            lambda prepare, preprocessing: self.prepared(prepare, preprocessing).select(rows),
            groups_at(self.groups, rows),
        )


@dataclass(frozen=True)
class DataSource:
    """Data that were found and divided into splits, but not yet decoded.

    Attributes:
        name: of the data set, the folder or the list.
        channels: 1 for grey images, else 3.
        shapes: how large the images are; in an image folder, by a sample.
        listings: by split, those that there are of train, val and test.
        ignored_files: how many files of an image folder are hidden, or known to be no images.
        notes: how what was found was read.
        warnings: sentences the user should read about what was found.
        remarks: sentences on what was chosen because of how the images are.
        sixteen_bit, floats: grey images of 16 bits and of floats, of which the range is to be measured.
        root: the folder that identifiers start from.
    """

    spec: DataSpec
    name: str
    class_names: tuple[str, ...]
    channels: int
    shapes: Shapes
    listings: dict[str, Listing]
    ignored_files: int = 0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    sixteen_bit: tuple[Decodable, ...] = ()
    floats: tuple[Decodable, ...] = ()
    root: Path = Path()

    @property
    def split_sizes(self) -> dict[str, int]:
        """Number of images by split."""
        return {name: len(listing.labels) for name, listing in self.listings.items()}

    def told(self) -> tuple[str, ...]:
        """Sentences for the user: the classes with the number of images by split, and how they were found."""
        names = [_readable(name) for name in self.class_names[:SHOWN_CLASSES]]
        more = len(self.class_names) - len(names)
        names += [f"… and {more:,} more"] if more else []
        parts = [f"{name} {size:,}" for name, size in self.split_sizes.items()]
        # Images of one purpose only need no name for it: they may be there to be scored.
        sizes = ", ".join(parts) if len(parts) > 1 else f"{sum(self.split_sizes.values()):,} images"
        counted = "1 class" if len(self.class_names) == 1 else f"{len(self.class_names):,} classes"
        ignored = (tell_ignored(self.ignored_files),) if self.ignored_files else ()
        return (f"{counted}: {', '.join(names)} ({sizes})", *self.notes, *ignored)

    def load(
        self,
        names: Sequence[str],
        preprocessing: Preprocessing,
        *,
        trained: Sequence[str] = ("train",),
        whole: Sequence[str] = ("train",),
        lazily: bool = False,
        examine: Examine | None = None,
        progress: bool = False,
    ) -> LoadedData:
        """The splits of these names that exist, every image decoded and checked, or for ``lazily`` when first read.

        They are kept in memory if all of them together fit in ``max_memory_bytes``; else images are decoded again
        whenever they are read.

        Args:
            trained: splits that are trained on: none of their classes may be without images.
            whole: splits whose images are to be cropped at random; the others are prepared as networks see them.
            examine: examines a split's images in place of this process, which then decodes none.

        Raises:
            BadImagesError: if images cannot be read and ``on_bad_image`` is ``stop``; ``lazily``, reading them does.
            ResnetkitError: if leaving bad images out leaves a class of a split for training, or a split, without any.
        """
        for name in names:
            require(name in SPLITS, f"unknown split '{name}'", fix=did_you_mean(name, SPLITS))
        chosen = {name: self.listings[name] for name in SPLITS if name in names and name in self.listings}
        prepared = self._prepared(chosen, preprocessing, whole)
        sides = {name: preprocessing.resize_px if name in whole else preprocessing.image_size_px for name in chosen}
        shapes = {name: (preprocessing.channels, side, side) for name, side in sides.items()}
        if lazily and all(isinstance(originals, FolderImages) for originals in prepared.values()):
            return self._load_lazily(prepared, shapes, trained, whole)
        if examine is None:
            images, examined, notes = self._examine(prepared, shapes, progress)
        else:
            found = {name: examine(originals) for name, originals in prepared.items()}
            images = {name: readable for name, (readable, _) in found.items()}
            examined, notes = {name: findings for name, (_, findings) in found.items()}, ()
        bad_images = self._bad_images(examined)
        if bad_images and self.spec.on_bad_image == "stop":
            raise BadImagesError(bad_images, sum(map(len, prepared.values())))
        splits = {
            name: self._split(name, images[name], examined[name], is_trained=name in trained, is_whole=name in whole)
            for name in chosen
        }
        listed = {name: (listing.identifiers, listing.labels) for name, listing in chosen.items()}
        reasons = {name: examined[name].reasons for name in chosen}
        sha256 = {name: examined[name].sha256 for name in chosen}
        audit = audit_splits(self.class_names, splits)
        return LoadedData(
            class_names=self.class_names,
            splits=splits,
            fingerprint=fingerprint(self.class_names, splits, sha256),
            bad_images=bad_images,
            warnings=(
                self.warnings
                + notes
                + what_is_left_out(self.class_names, listed, reasons)
                + warnings_about(self.class_names, splits, trained=trained)
                + (() if audit.is_trustworthy else (audit_advice(self.spec.source),))
                + what_is_cut_off(preprocessing, splits)
            ),
            audit=audit,
        )

    def time_to_check(self, preprocessing: Preprocessing, whole: Sequence[str] = ("train",)) -> float | None:
        """Seconds that checking all images first will take, by a sample; None where they are few, or in the cache."""
        if sum(self.split_sizes.values()) < MANY_IMAGES:
            return None
        seconds = 0.0
        for name, originals in self._prepared(self.listings, preprocessing, whole).items():
            side = preprocessing.resize_px if name in whole else preprocessing.image_size_px
            file = cache_file(self.spec, name, originals, (preprocessing.channels, side, side))
            if not isinstance(originals, FolderImages) or (file is not None and file.exists()):
                continue
            sample, started = originals.select(spread(len(originals), SAMPLED)), time.monotonic()
            examine_all(len(sample), sample.examine, None, num_workers=self.spec.num_workers, on_done=lambda _: None)
            seconds += (time.monotonic() - started) / len(sample) * len(originals)
        return seconds or None

    def _prepared(
        self, listings: Mapping[str, Listing], preprocessing: Preprocessing, whole: Sequence[str]
    ) -> dict[str, Originals]:
        return {
            name: listing.prepared(prepare_whole if name in whole else prepare_seen, preprocessing)
            for name, listing in listings.items()
        }

    def _load_lazily(
        self,
        prepared: Mapping[str, Originals],
        shapes: Mapping[str, tuple[int, int, int]],
        trained: Sequence[str],
        whole: Sequence[str],
    ) -> LoadedData:
        num_images = sum(map(len, prepared.values()))

        def refuse(bad: BadImage) -> None:
            if self.spec.on_bad_image == "stop":
                raise BadImagesError([bad], num_images)

        splits = {}
        for name, originals in prepared.items():
            assert isinstance(originals, FolderImages)
            images, listing = UncheckedImages.of(originals, shapes[name], refuse), self.listings[name]
            known = (images.aspect_ratios, images.digests, name in whole, images.bad)
            splits[name] = Split(name, images, listing.labels, listing.identifiers, *known, listing.groups)
        # Of names and labels alone: who repairs a file that a run has stopped at may go on with it.
        unread = {name: [UNREAD] * len(split) for name, split in splits.items()}
        told = (
            "images are decoded and checked when they are first needed (data.check=lazy): until then nobody knows "
            "of unreadable ones, nor of images that are in two splits or classes"
        )
        return LoadedData(
            class_names=self.class_names,
            splits=splits,
            fingerprint=fingerprint(self.class_names, splits, unread),
            warnings=(*self.warnings, told, *about_small_classes(self.class_names, splits, trained)),
            is_checked=False,
        )

    def _examine(
        self, prepared: dict[str, Originals], shapes: dict[str, tuple[int, int, int]], progress: bool
    ) -> tuple[dict[str, Images], dict[str, Examination], tuple[str, ...]]:
        """Readable images and what was found, by split, and sentences about the cache."""
        num_bytes = sum(len(originals) * math.prod(shapes[name]) for name, originals in prepared.items())
        keep, num_workers = num_bytes <= self.spec.max_memory_bytes, self.spec.num_workers
        images: dict[str, Images] = {}
        examined: dict[str, Examination] = {}
        notes: list[str] = []
        with progress_bar("checking images", sum(map(len, prepared.values())), wanted=progress) as on_done:
            for name, originals in prepared.items():
                file = cache_file(self.spec, name, originals, shapes[name])
                images[name], examined[name], found = load_cached(
                    file, originals, shapes[name], keep=keep, num_workers=num_workers, on_done=on_done
                )
                notes += found
        return images, examined, tuple(notes)

    def _bad_images(self, examined: dict[str, Examination]) -> tuple[BadImage, ...]:
        return tuple(
            BadImage(str(self.root / self.listings[name].identifiers[index]), reason)
            for name, examination in examined.items()
            for index, reason in examination.reasons.items()
        )

    def _split(self, name: str, images: Images, examination: Examination, *, is_trained: bool, is_whole: bool) -> Split:
        listing, readable = self.listings[name], examination.readable
        labels = listing.labels[readable]
        # What is only scored may lack a class, but not all images.
        needed = np.setdiff1d(listing.labels, labels) if is_trained or not len(labels) else ()
        for label in needed:
            raise ResnetkitError(
                Code.DATA,
                f"no image of class '{self.class_names[label]}' in {name} can be read",
                fix="repair the files of this class, or remove the class",
            )
        identifiers = [listing.identifiers[index] for index in readable]
        return Split(
            name,
            images,
            labels,
            identifiers,
            examination.aspect_ratios,
            examination.digests,
            is_whole,
            groups=groups_at(listing.groups, readable),
        )


def _readable(name: str) -> str:
    """A class name in a list, in quotation marks where its ends would not be seen."""
    return quoted(name) if name != name.strip() or "," in name else shown(name)
