"""A folder and what is in it, read once: image files, folders, and counts of what is neither."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.folders.names import one_form
from resnetkit.images.image_files import LeftOut, is_image

MOST_LEVELS = 100


@dataclass
class Folder:
    """A folder in a tree; hidden ones are only counted.

    Attributes:
        path: relative to the root of the tree, with ``/``; empty for the root itself.
        name: the last part of its path; the root's own name for the root.
        images: the paths of the image files directly in it.
        folders: those directly in it, in natural order.
        left_out: the files directly in it that are not read.
    """

    path: str
    name: str
    images: list[str] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)

    @cached_property
    def num_images(self) -> int:
        """Number of images in and below it."""
        return len(self.images) + sum(folder.num_images for folder in self.folders)

    @cached_property
    def filled(self) -> list[Folder]:
        """The folders directly in it that hold images, at any depth."""
        return [folder for folder in self.folders if folder.num_images]

    def walk(self) -> Iterator[Folder]:
        """This folder and all below it."""
        yield self
        for folder in self.folders:
            yield from folder.walk()

    def all_images(self) -> list[str]:
        """The paths of the images in and below it, sorted."""
        return sorted(path for folder in self.walk() for path in folder.images)

    def all_left_out(self) -> LeftOut:
        """Files in and below it that are not read."""
        total = LeftOut()
        for folder in self.walk():
            total.add_all(folder.left_out)
        return total

    def find(self, path: str) -> Folder | None:
        """The folder at a path relative to this one; ``.`` is this one itself."""
        found: Folder | None = self
        for part in [part for part in path.split("/") if part not in ("", ".")]:
            here = found.folders if found else []
            found = next((folder for folder in here if one_form(folder.name) == one_form(part)), None)
        return found


def read_tree(root: Path) -> Folder:
    """Everything below a folder, without opening a file; links are followed, but not back to a folder above.

    Raises:
        ResnetkitError: for a folder that cannot be read, or lies more than 100 levels deep.
    """
    return _read(str(root), Folder("", root.resolve().name), frozenset())


def natural_key(name: str) -> tuple[object, ...]:
    """Sort key that reads numbers as numbers.

    >>> sorted(["img10", "img2", "Img1"], key=natural_key)
    ['Img1', 'img2', 'img10']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return (*(int(part) if position % 2 else part for position, part in enumerate(parts)), name)


def _read(place: str, folder: Folder, above: frozenset[tuple[int, int]]) -> Folder:
    identity = _identity(place)
    if identity in above:  # a link back to a folder that we are in
        return folder
    require(
        len(above) < MOST_LEVELS,
        f"folders lie more than {MOST_LEVELS} levels deep: {folder.path[:80]}…",
        fix="move these images up",
        code=Code.DATA,
    )
    prefix = f"{folder.path}/" if folder.path else ""
    for entry in _entries(place):
        path = prefix + entry.name
        if entry.name.startswith("."):
            folder.left_out.beside += 1
        elif _is_folder(entry):
            folder.folders.append(_read(entry.path, Folder(path, entry.name), above | {identity}))
        elif is_image(entry.name):
            folder.images.append(path)
        else:
            folder.left_out.add(entry.name)
    folder.folders.sort(key=lambda each: natural_key(each.name))
    return folder


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """List what is in a folder."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise ResnetkitError(
            Code.IO, f"cannot read the folder {folder}", why=error.strerror or "", fix="make it readable, or remove it"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or a link to one. Listing a folder told so already: no file is asked again."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
