"""The one entrance to data: a name, a folder, a list or images at hand, their splits, and the images ready for use."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from resnetkit.data.cache import cache_file, load_cached
from resnetkit.data.dataset_files import read_named
from resnetkit.data.datasets import DATASETS, NamedData
from resnetkit.data.fingerprint import (
    about_small_classes,
    audit_advice,
    audit_splits,
    fingerprint,
    warnings_about,
    what_is_cut_off,
    what_is_left_out,
)
from resnetkit.data.folds import file_keys, folds_of, pixel_keys
from resnetkit.data.given import GivenData
from resnetkit.data.groups import about_groups, about_held_back, groups_by, split_groups, tell_groups
from resnetkit.data.prepared_images import Examination, FolderImages, Originals, PixelImages, Prepare, examine_all
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import SPLITS, choose_some, split_indices
from resnetkit.data.survey import SAMPLED, spread, survey
from resnetkit.data.tables import scan_tables
from resnetkit.data.types import LoadedData, Split
from resnetkit.data.unchecked_images import UncheckedImages
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.folders.image_folder import ImageFolder, scan
from resnetkit.folders.image_list import scan_list
from resnetkit.folders.layout_option import AUTO, UNSPLIT
from resnetkit.folders.listed import scan_listed
from resnetkit.folders.table_file import SUFFIXES as TABLES
from resnetkit.folders.table_file import is_table
from resnetkit.images.image_files import tell_ignored
from resnetkit.images.image_inputs import Decodable
from resnetkit.images.opening import LACKS_READER, OVER_LIMIT
from resnetkit.images.prepared_pixels import prepare_seen, prepare_whole
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import BadImage, Images, Indices, Shapes, empty_images
from resnetkit.terminal import listed, progress_bar, quoted, shown

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
            _some(self.groups, rows),
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
            splits[name] = Split(name, images, listing.labels, listing.identifiers, *known)
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
        return Split(name, images, labels, identifiers, examination.aspect_ratios, examination.digests, is_whole)


def open_data(spec: DataSpec, known: Sequence[str] = (), *, given: GivenData | None = None) -> DataSource:
    """Find the data that ``spec.source`` names and divide them into splits, without decoding images.

    The name of a data set comes first; write ``./mnist`` for a folder of that name. A file is a list of images.

    Args:
        given: images at hand, which are then the data; ``spec.source`` is what they are called.
        known: the classes of a classifier that is to be scored: any of them are enough, and none need be for training.

    Raises:
        ResnetkitError: if there is no such data set, folder or list, or if the data cannot be used as they are.
    """
    if spec.num_folds:
        return _with_some_to_train_on(_told_of_folds(_open_all(spec, known, given)))
    if spec.validation == "test":
        held_back = replace(spec, validation="held_back", validation_fraction=0.0)
        return _with_some_to_train_on(_validated_on_test(_open_all(held_back, known, given), spec))
    return _with_some_to_train_on(_open_all(spec, known, given))


def _open_all(spec: DataSpec, known: Sequence[str], given: GivenData | None) -> DataSource:
    if given is not None:
        return _open_given(spec, given)
    if spec.source in DATASETS:
        return _open_named(spec, DATASETS[spec.source])
    root = Path(spec.source).expanduser()
    if root.is_dir() or is_table(root):
        return _open_images(spec, root, known)
    raise ResnetkitError(
        Code.DATA,
        f"'{spec.source}' is neither a data set nor a folder, nor a list of images",
        why=f"it is a file, but no {', '.join(TABLES)}" if root.exists() else "there is no such file or folder",
        fix=f"check the path of the images, or {did_you_mean(spec.source, DATASETS)}",
    )


def _told_of_folds(source: DataSource) -> DataSource:
    """The same data, said how they are divided, and what has no effect."""
    spec, usual = source.spec, DataSpec("")
    note = f"fold {spec.fold + 1} of {spec.num_folds} is the test split; a test split of the data's own is left alone"
    idle = f"data.test_fraction={spec.test_fraction:g} has no effect: a fold is the test split (data.num_folds)"
    warnings = [] if spec.test_fraction == usual.test_fraction else [idle]
    there = {name: set(listing.labels.tolist()) for name, listing in source.listings.items()}
    lacking = [source.class_names[label] for label in sorted(there["train"] - there["test"])]
    if lacking:
        warnings += (
            f"fold {spec.fold + 1} has no image of class {listed(lacking)}: too few, or too many stay together",
        )
    return replace(source, notes=(*source.notes, note), warnings=(*source.warnings, *warnings))


def _validated_on_test(source: DataSource, spec: DataSpec) -> DataSource:
    """The same data with the test split as validation, said so."""
    listings = source.listings
    for name, is_there in (("val", False), ("test", True)):
        require(
            (name in listings) == is_there,
            f"data.validation=test, but {source.name} has {'no' if is_there else 'a'} split {name}",
            fix="leave data.validation out",
            code=Code.DATA,
        )
    warning = (
        "the test split is the validation split (data.validation=test): it is watched while training, so no score of "
        "this run is one of images that were kept apart"
    )
    listings = {"val" if name == "test" else name: listing for name, listing in listings.items()}
    return replace(source, spec=spec, listings=listings, warnings=(*source.warnings, warning))


def _with_some_to_train_on(source: DataSource) -> DataSource:
    """The same data with no more training images than were asked for, said so."""
    train, most = source.listings.get("train"), source.spec.max_train_images
    if train is None or most is None:
        return source
    num_images = len(train.labels)
    if most >= num_images:
        idle = f"data.max_train_images={most} has no effect: there are {num_images:,} training images"
        return replace(source, warnings=(*source.warnings, idle))
    num_classes = len(np.unique(train.labels))
    require(
        most >= num_classes,
        f"{most:,} training images are too few for {num_classes:,} classes, of which each needs one",
        fix=f"set data.max_train_images to {num_classes} or more",
        code=Code.DATA,
    )
    rows = choose_some(train.identifiers, train.labels, seed=source.spec.split_seed, num_images=most)
    note = f"trains on {most:,} of {num_images:,} images (data.max_train_images)"
    return replace(source, listings={**source.listings, "train": train.select(rows)}, notes=(*source.notes, note))


def _open_named(spec: DataSpec, data: NamedData) -> DataSource:
    listings = {}
    for split, (pixels, labels) in read_named(data, spec.data_dir).items():
        identifiers = [f"{data.name}/{split}/{number}" for number in range(len(labels))]
        shares = {"val": spec.validation_fraction if split == "train" else 0.0}
        with_class = Labelled(identifiers, labels, data.class_names, partial(pixel_keys, pixels))
        for name, indices in _divided(split, with_class, spec, shares).items():
            own = empty_images(len(indices), pixels.shape[1:])
            own[...] = pixels[indices]
            listings[name] = Listing(
                [identifiers[index] for index in indices], labels[indices], partial(PixelImages, own)
            )
    square = Shapes(data.image_size_px, data.image_size_px)
    of_folders = {
        "layout": spec.layout != AUTO,
        "label_column": spec.label_column is not None,
        "group_by": spec.group_by is not None,
        "check": spec.check != "first",
    }
    idle = [
        f"data.{field} has no effect: {data.name} is no image folder" for field, is_set in of_folders.items() if is_set
    ]
    return DataSource(
        spec, data.name, data.class_names, data.channels, square, _ordered(listings), warnings=tuple(idle)
    )


def _open_given(spec: DataSpec, given: GivenData) -> DataSource:
    found = given.survey(spec.limits, num_workers=spec.num_workers)
    if found.shapes is None:
        raise BadImagesError(found.bad_images, len(given.images))
    identifiers, usual = given.identifiers, DataSpec(spec.source)
    groups = None if spec.group_by is None else groups_by(spec.group_by, identifiers)
    shares = {"val": spec.validation_fraction, "test": _tested_share(spec, spec.test_fraction)}
    labelled = Labelled(identifiers, given.labels, given.class_names, lambda: identifiers, groups)
    parts = _divided(UNSPLIT, labelled, spec, shares)
    listings = {
        name: Listing(
            [identifiers[row] for row in rows],
            given.labels[rows],
            partial(given.originals, rows, spec.limits),
            _some(groups, rows),
        )
        for name, rows in parts.items()
    }
    of_groups, about_them = _about_groups(listings)
    told = (*_about_held_back(given.class_names, listings, shares), *about_them)
    idle = (
        name
        for name in ("data_dir", "layout", "label_column", "cache", "check")
        if getattr(spec, name) != getattr(usual, name)
    )
    return DataSource(
        spec,
        spec.source,
        given.class_names,
        found.channels,
        found.shapes,
        _ordered(listings),
        warnings=(*(f"data.{name} has no effect: the images are no folder" for name in idle), *told),
        notes=(*of_groups, *found.notes),
        remarks=found.remarks,
        sixteen_bit=found.sixteen_bit,
        floats=found.floats,
    )


def _open_images(spec: DataSpec, place: Path, known: Sequence[str]) -> DataSource:
    """Open the image files of a folder, or of a list."""
    folder = _find_images(spec, place, known)
    root = folder.root
    label_of = {name: label for label, name in enumerate(folder.class_names)}
    listings: dict[str, Listing] = {}
    warnings = list(folder.warnings)
    for split, found in folder.splits.items():
        labels = np.array([label_of[name] for name in found.classes], dtype=np.int64)
        is_train = split in (UNSPLIT, "train")
        may_hold_val = is_train and "val" not in folder.splits
        # Who gives test images without labels has kept none with labels apart.
        may_hold_test = split == UNSPLIT or (is_train and "test" in folder.unlabelled and "test" not in folder.splits)
        shares = {
            "val": spec.validation_fraction if may_hold_val else 0.0,
            "test": _tested_share(spec, spec.test_fraction if may_hold_test else 0.0) if is_train else 0.0,
        }
        groups = found.groups or (None if spec.group_by is None else groups_by(spec.group_by, found.paths))
        parts = {}
        labelled = Labelled(found.paths, labels, folder.class_names, partial(file_keys, root, found.paths), groups)
        for name, indices in _divided(split, labelled, spec, shares).items():
            paths, own = [found.paths[index] for index in indices], _some(groups, indices)
            parts[name] = Listing(paths, labels[indices], partial(FolderImages, str(root), paths, spec.limits), own)
        warnings += _about_held_back(folder.class_names, parts, shares)
        listings |= parts
    listings = _ordered(listings)
    taken = [name for name in folder.unlabelled if name in listings and name not in folder.splits]
    notes = [f"images for {name} are held back from train" for name in taken]
    of_groups, about_them = _about_groups(listings)
    paths = [path for found in folder.splits.values() for path in found.paths]
    known_by_headers = survey(root, paths, spec.limits, num_workers=spec.num_workers)
    if known_by_headers.shapes is None:
        raise BadImagesError(known_by_headers.bad_images, len(paths))
    return DataSource(
        spec,
        place.stem if is_table(place) else place.resolve().name,
        folder.class_names,
        known_by_headers.channels,
        known_by_headers.shapes,
        listings,
        folder.ignored_files,
        (*folder.notes, *of_groups, *notes, *known_by_headers.notes),
        (*warnings, *about_them),
        known_by_headers.remarks,
        known_by_headers.sixteen_bit,
        known_by_headers.floats,
        root,
    )


def _find_images(spec: DataSpec, place: Path, known: Sequence[str]) -> ImageFolder:
    """Image files and how they are labelled: by a list, by tables in a folder where those say it, or by folders."""
    column, group_by = spec.label_column, spec.group_by
    if is_table(place):
        return _without_effect(
            scan_list(place, known, column=column, group_by=group_by),
            [f"data.layout has no effect: {quoted(place.name)} is a list"] if spec.layout != AUTO else [],
        )
    if spec.layout == AUTO:
        tables = scan_tables(place, known, column, group_by) or scan_listed(place, known, column, group_by)
        if tables is not None:
            return tables
    idle = f"data.label_column has no effect: the folders of {place} are the classes, and no table"
    return _without_effect(scan(place, spec.layout, known), [idle] if column is not None else [])


def _without_effect(found: ImageFolder, idle: Sequence[str]) -> ImageFolder:
    """The same images, with warnings about what was set."""
    return replace(found, warnings=(*found.warnings, *idle))


def _readable(name: str) -> str:
    """A class name in a list, in quotation marks where its ends would not be seen."""
    return quoted(name) if name != name.strip() or "," in name else shown(name)


@dataclass(frozen=True)
class Labelled:
    """Images that were found under one name, with their classes.

    Attributes:
        contents: gives a key for each image, alike for the same content.
    """

    identifiers: Sequence[str]
    labels: Indices
    class_names: Sequence[str]
    contents: Callable[[], Sequence[Hashable]]
    groups: Sequence[str] | None = None


def _divided(split: str, images: Labelled, spec: DataSpec, shares: Mapping[str, float]) -> dict[str, Indices]:
    """Positions by split of images: all stay there, ``shares`` of them are held back, or a fold is the test split."""
    rows = np.arange(len(images.labels))
    if spec.num_folds and split == "test":
        return {}
    if spec.num_folds and split in (UNSPLIT, "train"):
        ways = [way for way in (images.groups, images.contents()) if way is not None]
        folds = folds_of(
            images.identifiers,
            images.labels,
            images.class_names,
            num_folds=spec.num_folds,
            seed=spec.split_seed,
            together=ways,
        )
        rest = rows[folds != spec.fold]
        shares = {name: share for name, share in shares.items() if name != "test"}
        parts = {name: rest[chosen] for name, chosen in _held_back("train", images, rest, spec, shares).items()}
        return {**parts, "test": rows[folds == spec.fold]}
    return _held_back(split, images, rows, spec, shares)


def _held_back(
    split: str, images: Labelled, rows: Indices, spec: DataSpec, shares: Mapping[str, float]
) -> dict[str, Indices]:
    """Positions by split within ``rows``: all stay where they were found, or ``shares`` of them are held back."""
    if not any(shares.values()):
        return {"train" if split == UNSPLIT else split: np.arange(len(rows))}
    fractions = {"validation_fraction": shares.get("val", 0.0), "test_fraction": shares.get("test", 0.0)}
    labels, groups = images.labels[rows], _some(images.groups, rows)
    if groups is None:
        identifiers = [images.identifiers[row] for row in rows]
        parts = split_indices(identifiers, labels, seed=spec.split_seed, **fractions)
    else:
        parts = split_groups(groups, labels, seed=spec.split_seed, **fractions)
    return {name: indices for name, indices in parts.items() if len(indices)}


def _tested_share(spec: DataSpec, usual: float) -> float:
    """The share of images that the test split is to have: a fold, where there are any."""
    return 1 / spec.num_folds if spec.num_folds else usual


def _some(groups: Sequence[str] | None, rows: Indices) -> Sequence[str] | None:
    """The groups of the images at some rows, where they have any."""
    return None if groups is None else [groups[row] for row in rows]


def _about_held_back(
    class_names: Sequence[str], parts: Mapping[str, Listing], shares: Mapping[str, float]
) -> tuple[str, ...]:
    """Sentences about what was held back of images in groups."""
    if any(part.groups is None for part in parts.values()):
        return ()
    return about_held_back(class_names, {name: part.labels for name, part in parts.items()}, shares)


def _about_groups(listings: Mapping[str, Listing]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and warnings about the groups of all splits, where there are any."""
    groups = {name: listing.groups for name, listing in listings.items() if listing.groups is not None}
    return ((tell_groups(groups),), about_groups(groups)) if groups else ((), ())


def _ordered(listings: dict[str, Listing]) -> dict[str, Listing]:
    return {name: listings[name] for name in SPLITS if name in listings}
