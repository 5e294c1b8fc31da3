"""Kinds of files by their names: images that are read, images and films that are not, and what lies beside images."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
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
        package: what must be installed beside Pillow to read it, if anything.
        extra: the extra of this package that installs it.
        holds_several: whether such a file often holds several images.
    """

    name: str
    extensions: tuple[str, ...]
    signature: bytes
    feature: str | None = None
    package: str | None = None
    extra: str | None = None
    holds_several: bool = False

    @cached_property
    def lacks(self) -> str:
        """Names what is missing to read such files, and how to get it; empty where nothing is."""
        if self.package is not None and find_spec(self.package) is None:
            return f"{self.package}, which is not installed (pip install 'resnetkit[{self.extra}]')"
        if self.feature is not None and not features.check(self.feature):
            return f"a Pillow that was built with {self.feature} (pip install --force-reinstall pillow)"
        return ""


# Brands stand in the first box of a file, the one it is made for first. A HEIF file may name only the container.
_BRANDS = rb".{4}ftyp(?:.{4}){0,16}?"
FORMATS = (
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), rb"\xff\xd8\xff"),
    Format("PNG", (".png", ".apng"), rb"\x89PNG"),
    Format("WEBP", (".webp",), rb"RIFF.{4}WEBP", feature="webp", holds_several=True),
    Format("BMP", (".bmp",), rb"BM"),
    Format("GIF", (".gif",), rb"GIF8", holds_several=True),
    Format("TIFF", (".tif", ".tiff"), rb"(?:II[*+]\0|II\0\*|MM\0[*+]|MM\*\0)(?!.{4}CR)", holds_several=True),
    Format("AVIF", (".avif", ".avifs"), _BRANDS + rb"avi[fs]", feature="avif", holds_several=True),
    Format(
        "HEIF",
        (".heic", ".heif", ".hif"),
        _BRANDS + rb"(?:he[iv][cxms]|m[is]f1)",
        package="pi_heif",
        extra="heif",
        holds_several=True,
    ),
    Format(
        "JPEG2000",
        (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        feature="jpg_2000",
    ),
    Format("PPM", (".pbm", ".pgm", ".ppm", ".pnm", ".pfm"), rb"P[1-6f]\s"),
)
EXTENSIONS = tuple(extension for each in FORMATS for extension in each.extensions)
SEVERAL = tuple(extension for each in FORMATS if each.holds_several for extension in each.extensions)
# What is found under the names of images without being one that is read.
OTHERS = (
    ("a web page", rb"\s*(?i:<!doctype html|<html)"),
    ("an SVG drawing", rb"\s*(?:<[?!][^>]*>\s*){0,8}<svg"),
    ("a pointer of Git LFS ('git lfs pull' fetches the file itself)", rb"version https://git-lfs"),
    ("a PDF document", rb"%PDF"),
    ("a video", rb".{4}ftyp(?:isom|iso\d|mp4\d|avc1|qt  |M4V |3gp\d|MSNV|dash)|\x1aE\xdf\xa3|RIFF.{4}AVI "),
    ("a camera's raw image", rb"II\*\0.{4}CR|.{4}ftypcrx |FUJIFILMCCD-RAW"),
    ("a JPEG XL image", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("a Photoshop document", rb"8BPS"),
    ("a DICOM file", rb".{128}DICM"),
    ("an OpenEXR image", rb"v/1\x01"),
    ("a NumPy array", rb"\x93NUMPY"),
    ("an archive", rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!"),
)
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


def name_unknown(content: bytes) -> str:
    """Name what a file that begins like this is, where it is no image that is read.

    >>> name_unknown(b"<!DOCTYPE html><title>Not found")
    'a web page, and no image'
    """
    named = next((name for name, signature in OTHERS if re.match(signature, content, re.DOTALL)), None)
    if named is not None:
        return f"{named}, and no image"
    names = [each.name for each in FORMATS]
    return f"not a {', '.join(names[:-1])} or {names[-1]} image (its first bytes are {content[:8]!r})"


def is_image(name: str) -> bool:
    """Tell whether a file of this name is read as an image."""
    return name.lower().endswith(EXTENSIONS)


def may_hold_several(name: str) -> bool:
    """Tell whether files of such a name often hold several pages or frames."""
    return name.lower().endswith(SEVERAL)


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
