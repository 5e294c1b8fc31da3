"""The one entrance to data: a name, a folder, a list or images at hand, found and divided into splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from resnetkit.data.dataset_files import read_named
from resnetkit.data.datasets import DATASETS, NamedData
from resnetkit.data.division import Labelled, divided, share_to_test
from resnetkit.data.folds import file_keys, pixel_keys
from resnetkit.data.given import GivenData
from resnetkit.data.groups import about_groups, about_held_back, groups_at, groups_by, tell_groups
from resnetkit.data.prepared_images import FolderImages, PixelImages
from resnetkit.data.source import BadImagesError, DataSource, Listing
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import SPLITS, choose_some
from resnetkit.data.survey import survey
from resnetkit.data.tables import scan_tables
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.folders.image_folder import ImageFolder, scan
from resnetkit.folders.image_list import scan_list
from resnetkit.folders.layout_option import AUTO, UNSPLIT
from resnetkit.folders.listed import scan_listed
from resnetkit.folders.table_file import SUFFIXES as TABLES
from resnetkit.folders.table_file import is_table
from resnetkit.images.types import Shapes, empty_images
from resnetkit.terminal import listed, quoted


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
    require(
        "train" in source.listings,
        f"{source.name} has no images to train on, of which data.num_folds makes folds",
        why=f"its splits are {listed(source.listings)}",
        fix="leave data.num_folds out",
        code=Code.DATA,
    )
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
    rows = choose_some(
        train.identifiers, train.labels, seed=source.spec.split_seed, num_images=most, groups=train.groups
    )
    note = f"trains on {most:,} of {num_images:,} images (data.max_train_images)"
    return replace(source, listings={**source.listings, "train": train.select(rows)}, notes=(*source.notes, note))


def _open_named(spec: DataSpec, data: NamedData) -> DataSource:
    listings = {}
    for split, (pixels, labels) in read_named(data, spec.data_dir).items():
        identifiers = [f"{data.name}/{split}/{number}" for number in range(len(labels))]
        shares = {"val": spec.validation_fraction if split == "train" else 0.0}
        with_class = Labelled(identifiers, labels, data.class_names, partial(pixel_keys, pixels))
        for name, indices in divided(split, with_class, spec, shares).items():
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
    shares = {"val": spec.validation_fraction, "test": share_to_test(spec, spec.test_fraction)}
    labelled = Labelled(identifiers, given.labels, given.class_names, partial(given.content_keys, spec.limits), groups)
    parts = divided(UNSPLIT, labelled, spec, shares)
    listings = {
        name: Listing(
            [identifiers[row] for row in rows],
            given.labels[rows],
            partial(given.originals, rows, spec.limits),
            groups_at(groups, rows),
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
            "test": share_to_test(spec, spec.test_fraction if may_hold_test else 0.0) if is_train else 0.0,
        }
        groups = found.groups or (None if spec.group_by is None else groups_by(spec.group_by, found.paths))
        parts = {}
        labelled = Labelled(found.paths, labels, folder.class_names, partial(file_keys, root, found.paths), groups)
        for name, indices in divided(split, labelled, spec, shares).items():
            paths, own = [found.paths[index] for index in indices], groups_at(groups, indices)
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
