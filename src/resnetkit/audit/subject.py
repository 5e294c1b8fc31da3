"""Subject of an audit: the images of all splits, looked at once, each decoded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from resnetkit.audit.copies import SAME_PIXELS, Copies, Copy, find_copies, group_copies
from resnetkit.audit.feature_copies import confirm_pairs, propose_pairs, shrink_all
from resnetkit.audit.features import Features, compute_features
from resnetkit.audit.label_judgement import Judgement
from resnetkit.audit.likeness import are_plain
from resnetkit.audit.registration import FITTED_PX, READ_PX
from resnetkit.data.folds import sets_of
from resnetkit.data.given import GivenData
from resnetkit.data.loading import open_data
from resnetkit.data.prepared_images import Examination, Examined, FolderImages, Originals, examine_all
from resnetkit.data.source import BadImagesError, DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.data.survey import measure_floats, measure_sixteen_bit
from resnetkit.data.types import Split
from resnetkit.images.digests import Digests
from resnetkit.images.file_traits import FileTraits, read_traits
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import BadImage, Indices, UInt8Images, empty_images
from resnetkit.pages.raster import shrunk
from resnetkit.sources.weights import Embedder
from resnetkit.terminal import progress_bar

THUMBNAIL_PX = 32
TRAIN = "train"
TOGETHER = 1024  # thumbnails that are worked on at once, so that what comes between takes little memory

# From data to the network that looks at their images; None: none does.
FindEmbedder = Callable[[DataSource], Embedder | None]


class LabelJudge(Protocol):
    """Judges labels by what a network makes of the images."""

    def judge(self, subject: Subject) -> Judgement:
        """Judge the label of each row."""
        ...

    def told(self, subject: Subject) -> str:
        """Sentences on how that was done, and on what it does not know."""
        ...


FindLabelJudge = Callable[[DataSource], LabelJudge]


@dataclass(frozen=True)
class Subject:
    """Readable images of all splits in one table; a row is an image.

    Attributes:
        split_names: those that there are of train, val and test, divided as ``train`` divides them.
        splits: int64 ``(N,)``, positions in ``split_names``; ascending.
        positions: int64 ``(N,)``, of each image among all files of its split, readable or not.
        labels: int64 ``(N,)``, positions in the class names.
        identifiers: as :class:`~resnetkit.data.types.Split` has them.
        digests: uint64 ``(N,)``, of the original pixels.
        aspect_ratios: float32 ``(N,)``, width / height.
        thumbnails: uint8 ``(N, 3, 32, 32)``, the whole image squeezed into a square.
        traits: of each image's file; None in data that are no files.
        bad_images: files that cannot be read.
        embedder: the network whose features are asked for; None: there is none.
        label_judge: judges the labels; None: nobody does.
    """

    source: DataSource
    preprocessing: Preprocessing
    split_names: tuple[str, ...]
    splits: Indices
    positions: Indices
    labels: Indices
    identifiers: tuple[str, ...]
    digests: Digests
    aspect_ratios: npt.NDArray[np.float32]
    thumbnails: UInt8Images
    traits: tuple[FileTraits, ...] | None
    bad_images: tuple[BadImage, ...] = ()
    embedder: Embedder | None = None
    label_judge: LabelJudge | None = None
    progress: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the data."""
        return self.source.class_names

    def split_of(self, row: int) -> str:
        """Name of the split that an image is in."""
        return self.split_names[int(self.splits[row])]

    def class_of(self, row: int) -> str:
        """Name of the class that an image is labelled with."""
        return self.class_names[int(self.labels[row])]

    def group_of(self, row: int) -> str:
        """Name of the group that an image is in; empty where there are none."""
        groups = self.source.listings[self.split_of(row)].groups
        return "" if groups is None else groups[int(self.positions[row])]

    def rows_of(self, split: str) -> Indices:
        """The rows of one split; none where there is no such split."""
        where = self.split_names.index(split) if split in self.split_names else -1
        return np.flatnonzero(self.splits == where)

    @cached_property
    def grey(self) -> UInt8Images:
        """The thumbnails in grey, uint8 ``(N, 32, 32)``, as Pillow weighs the colours."""
        grey = np.empty((len(self), THUMBNAIL_PX, THUMBNAIL_PX), np.uint8)
        for start in range(0, len(self), TOGETHER):
            some = self.thumbnails[start : start + TOGETHER].astype(np.uint32)
            weighed = some[:, 0] * 19595 + some[:, 1] * 38470 + some[:, 2] * 7471 + 0x8000
            grey[start : start + TOGETHER] = weighed >> 16
        return grey

    @cached_property
    def copies(self) -> Copies:
        """The images that hold the same picture, looked for when they are first asked for; by features too, if any."""
        with progress_bar("comparing images", len(self), wanted=self.progress) as on_done:
            found = find_copies(self.digests, self.grey, num_workers=self.source.spec.num_workers, on_done=on_done)
        return found if self.embedder is None else group_copies(len(self), [*found.pairs, *self._by_features(found)])

    @cached_property
    def is_plain(self) -> npt.NDArray[np.bool_]:
        """Mask of the images that show something on an empty background."""
        return are_plain(self.grey)

    @cached_property
    def is_laid_over(self) -> npt.NDArray[np.bool_]:
        """Mask of the images to lay over others: all but small drawings, whose outlines are all there is to see."""
        is_small = self.source.shapes.shorter_px < FITTED_PX
        return ~self.is_plain if is_small else np.ones(len(self), np.bool_)

    def _by_features(self, found: Copies) -> list[Copy]:
        """More copies, of which a part may be cut off."""
        again = [pair.second for pair in found.pairs if pair.note == SAME_PIXELS]  # of these one image is enough
        tried = np.setdiff1d(np.flatnonzero(self.is_laid_over), again)
        if len(tried) < 2:
            return []
        features = self.features
        with progress_bar("comparing features", len(tried), wanted=self.progress) as on_done:
            pairs = propose_pairs(features, found.groups, tried, on_done)
        rows, num_workers = np.unique(pairs).tolist(), self.source.spec.num_workers
        with progress_bar("reading what may be copies", len(rows), wanted=self.progress) as on_done:
            pictures = shrink_all(rows, self.reader(READ_PX), num_workers=num_workers, on_done=on_done)
        with progress_bar("laying them over one another", len(pairs), wanted=self.progress) as on_done:
            return confirm_pairs(pairs, pictures, self.is_plain, num_workers=num_workers, on_done=on_done)

    @cached_property
    def sets(self) -> Indices:
        """The set of each image, int64 ``(N,)``: copies of one picture, and images of one group, are in one."""
        groups = [self.group_of(row) or row for row in range(len(self))]
        return sets_of(len(self), (self.copies.groups.tolist(), groups))

    @cached_property
    def features(self) -> Features:
        """Features of all images by the embedder's network, float32 ``(N, F)``; computed when they are first asked for.

        Only where there is one may they be asked for.
        """
        assert self.embedder is not None
        parts = [split.images for split in self.as_splits(np.arange(len(self)), self.embedder.preprocessing)]
        return compute_features(self.embedder, parts, progress=self.progress)

    @cached_property
    def judgement(self) -> Judgement:
        """The labels, judged when they are first asked for; only a check that needs a judge may ask."""
        assert self.label_judge is not None
        return self.label_judge.judge(self)

    def as_splits(self, rows: Indices, preprocessing: Preprocessing) -> list[Split]:
        """The images at some rows, ascending, prepared as networks see them, by split; those that have any."""
        found = []
        for name in self.split_names:
            own = np.intersect1d(rows, self.rows_of(name))
            if len(own):
                images = self.source.listings[name].prepared(prepare_seen, preprocessing).select(self.positions[own])
                identifiers = [self.identifiers[row] for row in own.tolist()]
                known = (self.labels[own], identifiers, self.aspect_ratios[own], self.digests[own])
                found.append(Split(name, images, *known, is_whole=False))
        return found

    def picture(self, row: int, longest_px: int) -> UInt8Images:
        """One image to look at, decoded again, uint8 ``(H, W, 3)``, no larger than that."""
        return self.reader(longest_px)(row)

    def reader(self, longest_px: int) -> Callable[[int], UInt8Images]:
        """A function that gives :meth:`picture` of many rows, one by one."""
        square = replace(self.preprocessing, image_size_px=longest_px, resize_px=longest_px, jpeg_scaling="reduced")
        originals = {name: listing.prepared(_shrink, square) for name, listing in self.source.listings.items()}

        def read(row: int) -> UInt8Images:
            pixels: UInt8Images = originals[self.split_of(row)].read(self.positions[row : row + 1])[0]
            return pixels.transpose(1, 2, 0)

        return read


def open_subject(
    spec: DataSpec,
    embedder: Embedder | FindEmbedder | None = None,
    find_judge: FindLabelJudge | None = None,
    *,
    given: GivenData | None = None,
    on_opened: Callable[[DataSource], None] = lambda source: None,
    progress: bool = False,
) -> Subject:
    """Open data and look at every image; unreadable ones are findings, and no errors.

    Args:
        on_opened: called with the data before any image is looked at, and may refuse them.

    Raises:
        ResnetkitError: where there is no such data, or none of it can be read.
    """
    source = open_data(spec, given=given)
    on_opened(source)
    judge = None if find_judge is None else find_judge(source)
    network = embedder(source) if callable(embedder) else embedder
    preprocessing = _to_look_at(source)
    looks = {}
    with progress_bar("looking at images", sum(source.split_sizes.values()), wanted=progress) as on_done:
        for name, listing in source.listings.items():
            looks[name] = _look_at(listing.prepared(_squeeze, preprocessing), spec.num_workers, on_done)
    examined = [look.examined for look in looks.values()]
    counts = [len(one.readable) for one in examined]
    names = tuple(source.listings)
    listings = [source.listings[name] for name in names]
    traits = [look.traits[row] for look in looks.values() for row in look.examined.readable]
    known = tuple(one for one in traits if one is not None)
    bad_images = tuple(
        BadImage(str(source.root / listing.identifiers[row]), reason)
        for listing, one in zip(listings, examined, strict=True)
        for row, reason in one.reasons.items()
    )
    if not sum(counts):
        raise BadImagesError(bad_images, len(bad_images))
    return Subject(
        source=source,
        preprocessing=preprocessing,
        split_names=names,
        splits=np.repeat(np.arange(len(names)), counts),
        positions=np.concatenate([one.readable for one in examined]),
        labels=np.concatenate([listing.labels[one.readable] for listing, one in zip(listings, examined, strict=True)]),
        identifiers=tuple(
            listing.identifiers[row]
            for listing, one in zip(listings, examined, strict=True)
            for row in one.readable.tolist()
        ),
        digests=np.concatenate([one.digests for one in examined]),
        aspect_ratios=np.concatenate([one.aspect_ratios for one in examined]),
        thumbnails=np.concatenate([look.thumbnails for look in looks.values()]),
        traits=known if len(known) == len(traits) else None,
        bad_images=bad_images,
        embedder=network,
        label_judge=judge,
        progress=progress,
    )


@dataclass(frozen=True)
class _Look:
    examined: Examination
    thumbnails: UInt8Images
    traits: list[FileTraits | None]


def _look_at(originals: Originals, num_workers: int, on_done: Callable[[int], None]) -> _Look:
    """Decode every image of a split once, for all that is asked of it."""
    thumbnails = empty_images(len(originals), (3, THUMBNAIL_PX, THUMBNAIL_PX))
    traits: list[FileTraits | None] = [None] * len(originals)

    def examine(index: int) -> Examined:
        if not isinstance(originals, FolderImages):
            return originals.examine(index)
        content = originals.content(index)
        traits[index] = read_traits(content, originals.limits)
        return originals.examine_content(content)

    examined = examine_all(len(originals), examine, thumbnails, num_workers=num_workers, on_done=on_done)
    return _Look(examined, thumbnails[examined.readable], traits)


def _to_look_at(source: DataSource) -> Preprocessing:
    """The way of images to thumbnails: whole and in colour, grey ones of more than 8 bits by the range they use."""
    limits, num_workers = source.spec.limits, source.spec.num_workers
    plain = Preprocessing(THUMBNAIL_PX, THUMBNAIL_PX, fit="squeeze")
    deep = measure_sixteen_bit(source.sixteen_bit, limits, num_workers=num_workers)
    floats = measure_floats(source.floats, limits, num_workers=num_workers)
    if deep is not None:
        plain = replace(plain, white_16bit=deep.white)
    if floats is not None and floats.low < floats.high:
        plain = replace(plain, float_range=(floats.low, floats.high))
    return plain


def _squeeze(pixels: UInt8Images, wanted: Preprocessing) -> UInt8Images:
    """The whole image in a square, uint8 ``(3, S, S)``."""
    side = wanted.image_size_px
    small = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small).transpose(2, 0, 1)


def _shrink(pixels: UInt8Images, wanted: Preprocessing) -> UInt8Images:
    """The whole image in its own shape, its longer side no longer than that of the square, uint8 ``(3, h, w)``."""
    return shrunk(pixels, wanted.image_size_px).transpose(2, 0, 1)
