"""A file of many images of one shape, mapped into memory, with a table of the files they came from.

The pixels come first, uint8 ``(N, H, W, C)``; then the table, the names and a description as JSON; at the end the
length of that description and a mark. So a file that was cut short has no mark, and one that was changed does not
match its checksums.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from resnetkit.files import sync_file
from resnetkit.images.types import Indices, UInt8Images, empty_images

MARK = b"rkpacked"
END = struct.Struct("<Q8s")
# One row for each image: the state of its file when it was read, that file's SHA-256, the digest of the original's
# pixels, and the CRC-32 of the pixels that are kept.
TABLE = np.dtype(
    [
        ("size", "<i8"),
        ("ctime_ns", "<i8"),
        ("sha256", "V32"),
        ("digest", "<u8"),
        ("aspect_ratio", "<f4"),
        ("crc32", "<u4"),
    ]
)

Table = npt.NDArray[np.void]


class DamagedFile(Exception):  # noqa: N818 - it names a state of the file
    """A packed file that cannot be used; the text completes the sentence "the file …"."""


@dataclass(frozen=True)
class Packed:
    """A packed file, open for reading.

    Attributes:
        pixels: uint8 ``(N, C, H, W)``, in channels-last memory; read from the disk where they are looked at.
        extra: what else the writer wanted to keep, JSON-ready.
    """

    pixels: UInt8Images
    names: Sequence[str]
    table: Table
    extra: dict[str, Any]

    def is_sound(self, row: int) -> bool:
        """Tell whether the pixels of one image are those that were written."""
        return checksum(self.pixels[row]) == int(self.table["crc32"][row])


@dataclass(frozen=True)
class PackedImages:
    """Some images of a packed file, by their rows."""

    pixels: UInt8Images
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        return self.pixels[self.rows[indices]]


def checksum(pixels: UInt8Images) -> int:
    """CRC-32 of one image ``(C, H, W)``."""
    return zlib.crc32(np.ascontiguousarray(pixels.transpose(1, 2, 0)).data)


def open_packed(path: Path) -> Packed:
    """A packed file, its table and names checked; the pixels are checked by :meth:`Packed.is_sound`.

    Raises:
        DamagedFile: saying why it cannot be used.
        OSError: if it cannot be opened.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END.size))
        end = file.read(END.size)
        if len(end) < END.size or END.unpack(end)[1] != MARK:
            raise DamagedFile("is cut short or of another kind")
        length = END.unpack(end)[0]
        start = size - END.size - length
        if start < 0:
            raise DamagedFile("has a damaged description")
        try:
            file.seek(start)
            description = json.loads(file.read(length))
            shape = tuple(int(side) for side in description["shape"])
            num_bytes = math.prod(shape)
            file.seek(num_bytes)
            index = file.read(start - num_bytes)
            if hashlib.sha256(index).hexdigest() != description["index_sha256"]:
                raise DamagedFile("has a damaged table")
            table = np.frombuffer(index, TABLE, count=shape[0])
            names = index[table.nbytes :].decode("utf-8", "surrogateescape").split("\0")
            if len(names) != shape[0]:
                raise DamagedFile("has a damaged table")
            pixels = np.memmap(file, np.uint8, "r", shape=shape)
            return Packed(np.asarray(pixels).transpose(0, 3, 1, 2), names, table, dict(description["extra"]))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise DamagedFile(f"has a damaged description ({error})") from error


@dataclass(frozen=True)
class Packing:
    """A packed file that is being written, under another name.

    Attributes:
        pixels: uint8 ``(N, C, H, W)`` to be filled, mapped to the file or in memory.
    """

    path: Path
    temporary: Path
    file: BinaryIO
    pixels: UInt8Images
    in_memory: bool

    def finish(self, names: Sequence[str], table: Table, extra: dict[str, Any]) -> None:
        """Write the rest, force it to the disk and put the file in its place.

        Raises:
            OSError: if that fails; then nothing is left of it.
        """
        stored = self.pixels.transpose(0, 2, 3, 1)
        if self.in_memory:
            self.file.write(stored.data)
        self.file.seek(stored.nbytes)
        index = table.tobytes() + "\0".join(names).encode("utf-8", "surrogateescape")
        checked = {"shape": stored.shape, "index_sha256": hashlib.sha256(index).hexdigest(), "extra": extra}
        description = json.dumps(checked).encode()
        self.file.write(index + description + END.pack(len(description), MARK))
        self.file.flush()
        os.fsync(self.file.fileno())  # what was written through the map is in it
        os.replace(self.temporary, self.path)
        sync_file(self.path.parent)


@contextmanager
def packing(path: Path, num_images: int, shape: tuple[int, int, int], *, in_memory: bool) -> Iterator[Packing]:
    """A packed file of images of ``shape`` (C, H, W) to fill and finish; left unfinished, it is removed.

    Raises:
        OSError: if it cannot be written, at once when the disk has no room for all of it.
    """
    channels, height, width = shape
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "x+b") as file:
            _allocate(file.fileno(), num_images * math.prod(shape))
            if in_memory:
                pixels = empty_images(num_images, shape)
            else:
                mapped = np.memmap(file, np.uint8, "r+", shape=(num_images, height, width, channels))
                pixels = np.asarray(mapped).transpose(0, 3, 1, 2)
            yield Packing(path, temporary, file, pixels, in_memory)
    finally:
        temporary.unlink(missing_ok=True)  # finished, it has its own name by now


def _allocate(descriptor: int, num_bytes: int) -> None:
    """Give a file all its room at once: on a full disk, writing to a map of it would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, num_bytes)
    else:
        os.truncate(descriptor, num_bytes)
