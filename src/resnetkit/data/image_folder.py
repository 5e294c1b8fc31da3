"""Image folders: one folder per class, with or without train, val and test above them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from resnetkit.data.splitting import SPLITS
from resnetkit.errors import Code, ResnetkitError, require

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
UNSPLIT = "all"
LAYOUT = "put the images in FOLDER/train/CLASS/ (and FOLDER/val/CLASS/, FOLDER/test/CLASS/), or in FOLDER/CLASS/"


@dataclass
class Listing:
    """The image files of one split: paths relative to the root, with ``/``, and their class names.

    Attributes:
        empty_folders: those beside the class folders that hold no image.
    """

    paths: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    empty_folders: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ImageFolder:
    """What a scan found.

    Attributes:
        splits: ``train`` and those of ``val`` and ``test`` that exist, or only ``all`` for classes without a split.
        ignored_files: hidden files and folders, and files that are no images or lie outside a class folder.
        empty_folders: folders where classes are expected, but without an image; their names are no classes.
    """

    root: Path
    class_names: tuple[str, ...]
    splits: dict[str, Listing]
    ignored_files: int
    empty_folders: tuple[str, ...] = ()


def natural_key(name: str) -> tuple[object, ...]:
    """Sort key that reads numbers as numbers.

    >>> sorted(["img10", "img2", "Img1"], key=natural_key)
    ['Img1', 'img2', 'img10']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return (*(int(part) if position % 2 else part for position, part in enumerate(parts)), name)


def scan(root: Path) -> ImageFolder:
    """The images below ``root`` by split and class, without opening any of them.

    Raises:
        ResnetkitError: if there are fewer than two classes, if the splits do not have the same classes, or if there
            are class folders for validating or testing, but none for training.
    """
    require(root.is_dir(), f"there is no folder {root}", code=Code.DATA, fix="check the path")
    split_roots, ignored = _split_roots(root)
    splits = {}
    for name, folder in split_roots.items():
        splits[name], num_ignored = _scan_classes(root, folder)
        ignored += num_ignored
    first = splits[next(iter(splits))]
    class_names = tuple(sorted(set(first.classes), key=natural_key))
    _check_classes(root, next(iter(split_roots.values())), class_names, splits)
    empty_folders = tuple(path for listing in splits.values() for path in listing.empty_folders)
    return ImageFolder(root, class_names, splits, ignored, empty_folders)


def find_images(folder: Path) -> tuple[list[str], int]:
    """The images in and below a folder, sorted, and the number of hidden entries and of files that are no images."""
    found = list(_walk(str(folder), str(folder), frozenset()))
    paths = sorted(path for path in found if path is not None)
    return paths, len(found) - len(paths)


def _split_roots(root: Path) -> tuple[dict[str, Path], int]:
    """The folder of each split, and how many entries beside them are ignored."""
    named = sorted(entry.name for entry in _visible(root) if entry.name.lower() in SPLIT_FOLDERS and _is_folder(entry))
    # A class may be named "train" or "test" too: then it holds images, not class folders.
    divided = {SPLIT_FOLDERS[name.lower()]: name for name in named if any(map(_is_folder, _visible(root / name)))}
    if not divided:
        return {UNSPLIT: root}, 0
    require(
        "train" in divided,
        f"{root} has class folders in {' and '.join(divided.values())}, but no folder train that holds any",
        why="these names stand for parts of the data, each with the class folders in it",
        fix="name the folder of the training images train, or give one of these folders itself; a class of such a name "
        "must hold its images directly",
        code=Code.DATA,
    )
    found: dict[str, Path] = {}
    for name in named:
        split, folder = SPLIT_FOLDERS[name.lower()], root / name
        require(
            split not in found,
            f"two folders for {split}: {found.get(split)} and {folder}",
            code=Code.DATA,
            fix="keep one of them",
        )
        found[split] = folder
    ordered = {name: found[name] for name in SPLITS if name in found}
    return ordered, len(os.listdir(root)) - len(ordered)


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    return [entry for entry in _entries(folder) if not entry.name.startswith(".")]


def _scan_classes(root: Path, folder: Path) -> tuple[Listing, int]:
    """All images of the class folders in ``folder``, sorted by path, and the number of ignored entries."""
    listing, ignored = Listing(), 0
    prefix = "" if folder == root else f"{folder.name}/"
    above = frozenset({_identity(root), _identity(folder)})
    for entry in sorted(_entries(folder), key=lambda entry: natural_key(entry.name)):
        if entry.name.startswith(".") or not _is_folder(entry):
            ignored += 1
            continue
        found = list(_walk(entry.path, prefix + entry.name, above))
        paths = sorted(path for path in found if path is not None)
        ignored += len(found) - len(paths)
        listing.paths += paths
        listing.classes += [entry.name] * len(paths)
        listing.empty_folders += [] if paths else [prefix + entry.name]
    return listing, ignored


def _walk(folder: str, relative: str, above: frozenset[tuple[int, int]]) -> Iterator[str | None]:
    """Relative paths of the images in and below a folder; None for each entry that is ignored."""
    identity = _identity(folder)
    if identity in above:  # a link back to a folder that we are in
        return
    for entry in _entries(folder):
        path = f"{relative}/{entry.name}"
        if entry.name.startswith("."):
            yield None
        elif _is_folder(entry):
            yield from _walk(entry.path, path, above | {identity})
        else:
            yield path if entry.name.lower().endswith(EXTENSIONS) else None


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise ResnetkitError(
            Code.IO, f"cannot read the folder {folder}", why=error.strerror or "", fix="make it readable, or remove it"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one. Listing a folder told so already: no file is asked again."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: str | Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _check_classes(root: Path, where: Path, class_names: tuple[str, ...], splits: dict[str, Listing]) -> None:
    require(len(class_names) > 0, f"no images in class folders below {where}", code=Code.DATA, fix=LAYOUT)
    require(
        len(class_names) > 1,
        f"only one class, '{class_names[0]}', below {where}",
        why="a classifier needs at least two classes to tell apart",
        code=Code.DATA,
        fix=LAYOUT,
    )
    for name, listing in splits.items():
        extra = sorted(set(listing.classes) - set(class_names), key=natural_key)
        missing = sorted(set(class_names) - set(listing.classes), key=natural_key)
        if extra or missing:
            reasons = [f"train has no class {_quoted(extra)}"] if extra else []
            reasons += [f"{name} has no images of class {_quoted(missing)}"] if missing else []
            raise ResnetkitError(
                Code.DATA,
                f"the classes of {name} and train differ in {root}",
                why="; ".join(reasons),
                fix=f"rename, add or remove the class folders so that both have the same, or remove {name}",
            )


def _quoted(names: list[str], shown: int = 10) -> str:
    text = ", ".join(f"'{name}'" for name in names[:shown])
    return text if len(names) <= shown else f"{text} and {len(names) - shown} more"
