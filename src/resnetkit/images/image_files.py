"""Kinds of files by their names: images that are read, images and films that are not, and what lies beside images."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath

from PIL import features


@dataclass(frozen=True)
class Format:
    """A kind of image file that is read.

    Attributes:
        name: Pillow's name of it.
        extensions: of the names of such files.
        signature: what such a file begins with, as a pattern.
        feature: what Pillow must have been built with to read it, if anything.
    """

    name: str
    extensions: tuple[str, ...]
    signature: bytes
    feature: str | None = None


KNOWN_FORMATS = (
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), rb"\xff\xd8\xff"),
    Format("PNG", (".png", ".apng"), rb"\x89PNG"),
    Format("WEBP", (".webp",), rb"RIFF", "webp"),
    Format("BMP", (".bmp",), rb"BM"),
    Format("GIF", (".gif",), rb"GIF8"),
    Format("TIFF", (".tif", ".tiff"), rb"II[*+]\0|MM\0[*+]"),
    Format("AVIF", (".avif",), rb".{4}ftypavi[fs]", "avif"),
    Format("PPM", (".pbm", ".pgm", ".ppm", ".pnm"), rb"P[1-6]\s"),
)
FORMATS = tuple(each for each in KNOWN_FORMATS if each.feature is None or features.check(each.feature))
EXTENSIONS = tuple(extension for each in FORMATS for extension in each.extensions)
# What lies beside images without being one: notes, tables, annotations, what systems leave behind.
SIDECARS = (
    ".txt .md .rst .pdf .json .jsonl .csv .tsv .xml .yaml .yml .html .log .ini .db .sqlite .lnk .url .xmp .aae .thm "
    ".py .ipynb .sh .mat .npy .npz .pkl .parquet .arrow .h5 .hdf5 .pt .pth .safetensors .onnx .bak .tmp .part "
    ".cache .lock .sha256 .md5 .zip .tar .gz .tgz .7z .rar"
)
SHOWN_EXTENSIONS = 5

_SIDECARS = frozenset(SIDECARS.split())


@dataclass
class LeftOut:
    """Files that are not read.

    Attributes:
        beside: hidden files and folders, and files that are known to be no images.
        unread: by extension, files that may well be images.
    """

    beside: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, name: str) -> None:
        """Count a file that is no image to us."""
        extension = PurePath(name).suffix.lower()
        if name.startswith(".") or extension in _SIDECARS:
            self.beside += 1
        else:
            self.unread[extension] += 1

    def add_all(self, others: LeftOut) -> None:
        """Count what another count holds."""
        self.beside += others.beside
        self.unread += others.unread

    def __len__(self) -> int:
        return self.beside + self.unread.total()


def format_of(content: bytes) -> Format | None:
    """The kind of a file that begins like this, if it is one that is read."""
    return next((each for each in FORMATS if re.match(each.signature, content, re.DOTALL)), None)


def is_image(name: str) -> bool:
    """Tell whether a file of this name is read as an image."""
    return name.lower().endswith(EXTENSIONS)


def count_unread(unread: Counter[str]) -> str:
    """Numbers of files by extension, in words.

    >>> count_unread(Counter({".heic": 30, ".mp4": 2, "": 1}))
    '30 .heic, 2 .mp4, 1 without an extension'
    """
    parts = [f"{count:,} {extension or 'without an extension'}" for extension, count in unread.most_common()]
    others = unread.total() - sum(count for _, count in unread.most_common(SHOWN_EXTENSIONS))
    return ", ".join(parts[:SHOWN_EXTENSIONS] + ([f"{others:,} others"] if others else []))


def tell_ignored(num_files: int) -> str:
    """A sentence about files that are ignored, and rightly so.

    >>> tell_ignored(1)
    '1 file is hidden, or known to be no image, and ignored'
    """
    return f"{num_files:,} file{' is' if num_files == 1 else 's are'} hidden, or known to be no image, and ignored"
