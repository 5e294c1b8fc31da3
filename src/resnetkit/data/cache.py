"""Decoded images of a folder kept on the disk, so that another run over the same files need not decode them.

What is kept is only trusted for a file that is as it was: the same size and time of change, else the same SHA-256.
The time is that of any change (ctime), which no program can set; that of the content (mtime) is whatever unpacked it.
Rows that are damaged, and files that changed, are decoded again; then the cache is written anew as a whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from resnetkit.config import to_dict
from resnetkit.data.cache_folder import cache_folder, has_room, remove_unused
from resnetkit.data.cache_format import TABLE, DamagedFile, Packed, PackedImages, checksum, open_packed, packing
from resnetkit.data.prepared_images import (
    Examination,
    Examined,
    FolderImages,
    Originals,
    compact,
    examine_all,
    load_images,
)
from resnetkit.data.spec import DataSpec
from resnetkit.folders.table_file import is_table
from resnetkit.images.image_rows import state_of
from resnetkit.images.types import ArrayImages, Images, UnreadableImage, empty_images

FORMAT = 5
FILE_NAME = re.compile(r"\.?(train|val|test)-[0-9a-f]{24}\.packed(\.[0-9a-f]{16})?")
WORTHWHILE_BYTES = 64 * 2**20  # less is decoded in about a second
# A file that changed within this time before it was read may have changed again without its time telling.
CLOCK_STEP_NS = 2 * 10**9
# In place of the SHA-256 of a file that failed for another reason than its content: it is tried again in every run.
UNREAD = bytes(32)

Shape = tuple[int, int, int]


def cache_file(spec: DataSpec, split: str, originals: Originals, shape: Shape) -> Path | None:
    """The file that keeps the images of a split, prepared as they are to be; None if none is to."""
    folder = cache_folder(spec, "images")
    if folder is None or not isinstance(originals, FolderImages):
        return None
    wanted = originals.preprocessing
    decisive = [FORMAT, os.path.realpath(originals.root), split, originals.prepare.__name__, shape, wanted.resize_px]
    decisive += [wanted.interpolation, wanted.jpeg_scaling, wanted.fit]
    decisive += [to_dict(each) for each in (wanted.grey_range, originals.limits)]
    decisive += [wanted.fill] if wanted.fit == "pad" else []
    # Lists in one folder name images of their own, and each has its cache.
    decisive += [os.path.basename(spec.source)] if is_table(spec.source) else []
    decisive += [version(name) for name in ("resnetkit", "pillow", "torch")]
    key = hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:24]
    file, num_bytes = folder / f"{split}-{key}.packed", len(originals) * math.prod(shape)
    if spec.cache != "auto" or file.exists():
        return file
    return file if num_bytes >= WORTHWHILE_BYTES and has_room(folder, num_bytes) else None


def load_cached(
    file: Path | None,
    originals: Originals,
    shape: Shape,
    *,
    keep: bool,
    num_workers: int,
    on_done: Callable[[int], None],
) -> tuple[Images, Examination, list[str]]:
    """The readable images, in memory if they are to be kept there; what was found; sentences for the user.

    Without a file, and where it cannot be written, they are loaded as :func:`load_images` does.
    """
    if file is None or not isinstance(originals, FolderImages):
        return *load_images(
            originals, originals.examine, shape, keep=keep, num_workers=num_workers, on_done=on_done
        ), []
    known, notes = _Known(originals), []
    try:
        known.packed = open_packed(file)
        if known.packed.pixels.shape[1:] != shape:
            raise DamagedFile("holds images of another size")
    except FileNotFoundError:
        pass
    except (DamagedFile, OSError) as error:
        known.packed = None
        notes.append(f"the cache {file} {error}; it is written anew")
    recalled = known.recall_all(shape, keep=keep, num_workers=num_workers)
    if recalled is not None:
        os.utime(file)  # for remove_unused
        on_done(len(originals))
        return *recalled, notes
    try:
        images, examined = _pack(file, known, shape, keep=keep, num_workers=num_workers, on_done=on_done)
        remove_unused(file.parent, FILE_NAME)
    except OSError as error:
        notes.append(f"the decoded images cannot be kept in {file.parent}: {error.strerror or error}")
        images, examined = load_images(
            originals, known.examine, shape, keep=keep, num_workers=num_workers, on_done=on_done
        )
    if known.packed is not None:
        notes += known.notes(file)
    return images, examined, notes


def _pack(
    file: Path, known: _Known, shape: Shape, *, keep: bool, num_workers: int, on_done: Callable[[int], None]
) -> tuple[Images, Examination]:
    """Write the cache, with what is known and decoding what is not."""
    originals, started_ns = known.originals, time.time_ns()
    table = np.zeros(len(originals), TABLE)

    def examine(index: int) -> Examined:
        table["size"][index], table["ctime_ns"][index] = state_of(originals.full_path(index))
        found = known.examine(index)
        table["crc32"][index] = checksum(found.pixels)
        return found

    with packing(file, len(originals), shape, in_memory=keep) as new:
        examined = examine_all(len(originals), examine, new.pixels, num_workers=num_workers, on_done=on_done)
        rows = examined.readable
        table["sha256"][rows] = np.array(examined.sha256, "V32")
        table["digest"][rows] = examined.digests
        table["aspect_ratio"][rows] = examined.aspect_ratios
        for index in examined.reasons:
            table["sha256"][index] = known.sha256.get(index, UNREAD)
            new.pixels[index] = 0  # not whatever was in memory
        reasons = {originals.paths[index]: reason for index, reason in examined.reasons.items()}
        new.finish(originals.paths, table, {"reasons": reasons, "started_ns": started_ns})
        pixels = new.pixels
    if keep:
        return ArrayImages(compact(pixels, rows)), examined
    pixels.flags.writeable = False
    return PackedImages(pixels, rows), examined


class _Unknown(Exception):  # noqa: N818 - a question without an answer
    """The cache does not know an image as it is now."""


class _Known:
    """Knowledge that a cache, if there is one, has of the files of a folder as they are now."""

    def __init__(self, originals: FolderImages) -> None:
        self.originals = originals
        self.packed: Packed | None = None
        self.sha256: dict[int, bytes] = {}  # of files whose content cannot be used
        self._rows: dict[str, int] = {}
        self._changed: set[int] = set()
        self._damaged: set[int] = set()

    def recall_all(self, shape: Shape, *, keep: bool, num_workers: int) -> tuple[Images, Examination] | None:
        """All images, if the cache knows every one of them."""
        packed, num_images = self.packed, len(self.originals)
        if packed is None:
            return None
        self._rows = {name: row for row, name in enumerate(packed.names)}
        pixels = empty_images(num_images, shape) if keep else None
        try:
            examined = examine_all(num_images, self.recall, pixels, num_workers=num_workers, on_done=lambda _: None)
        except _Unknown:
            return None
        if pixels is not None:
            return ArrayImages(compact(pixels, examined.readable)), examined
        rows = np.array([self._rows[self.originals.paths[index]] for index in examined.readable], np.int64)
        return PackedImages(packed.pixels, rows), examined

    def recall(self, index: int) -> Examined:
        """One image from the cache. Raises :class:`_Unknown`, and :class:`UnreadableImage` as decoding it would."""
        packed, row = self.packed, self._rows.get(self.originals.paths[index])
        if packed is None or row is None:
            raise _Unknown
        entry = packed.table[row]
        sha256 = entry["sha256"].tobytes()
        state = state_of(self.originals.full_path(index))
        settled = state[1] < packed.extra["started_ns"] - CLOCK_STEP_NS
        if sha256 == UNREAD or not settled or state != (entry["size"], entry["ctime_ns"]):
            content = self.originals.content(index)
            if hashlib.sha256(content).digest() != sha256:
                raise _Unknown
        reason = packed.extra["reasons"].get(self.originals.paths[index])
        if reason is not None:
            self.sha256[index] = sha256
            raise UnreadableImage(reason)
        if not packed.is_sound(row):
            self._damaged.add(index)
            raise _Unknown
        return Examined(packed.pixels[row], sha256, int(entry["digest"]), float(entry["aspect_ratio"]))

    def examine(self, index: int) -> Examined:
        """One image, from the cache or else from its file. Raises :class:`UnreadableImage`."""
        try:
            return self.recall(index)
        except _Unknown:
            self._changed.add(index)
        content = self.originals.content(index)
        try:
            return self.originals.examine_content(content)
        except UnreadableImage as error:
            if not isinstance(error.__cause__, MemoryError):  # of which there may be more another time
                self.sha256[index] = hashlib.sha256(content).digest()
            raise

    def notes(self, file: Path) -> list[str]:
        """Sentences on why the cache had to be written anew."""
        num_damaged, num_new = len(self._damaged), len(self._changed - self._damaged)
        found = [f"{num_damaged:,} images in the cache {file} were damaged, and decoded again"] if num_damaged else []
        found += (
            [f"{num_new:,} images are not in the cache {file} as they are now, and were decoded"] if num_new else []
        )
        return found
