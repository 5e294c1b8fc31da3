"""What a file's name tells: an image that is read, an image or film that is not, or something beside the images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
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


def is_image(name: str) -> bool:
    """Whether a file of this name is read as an image."""
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
