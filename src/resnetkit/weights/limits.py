"""Limits of what a weight file may ask for: it is foreign, so its claims are checked before anything is allocated."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterable

from resnetkit.errors import Code, ResnetkitError

MAX_BYTES = 8 << 30  # the largest published residual network (BiT R152x4) has 3.8e9 bytes
MAX_EXTRA_BYTES = 512 << 20  # tensors may take this many more bytes than their file
MAX_GROWTH = 20  # tensors may take this many times the bytes of their file: trained weights hardly compress
SMALL_BYTES = 64 << 20  # below this a file may grow as it likes, e.g. one of zeros
MAX_TENSORS = 20_000  # ResNet-1202 has 7,000
MAX_NAME, MAX_PARTS = 1_000, 40  # characters of a tensor's name, and modules in it


class Unreadable(Exception):  # noqa: N818 - a state of the file, turned into our one error by the reader
    """The reason why a file cannot be read as weights; :func:`~resnetkit.weights.files.read_weights` names the file."""

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.why, self.fix = why, fix


def refusal(path: object, why: str, fix: str = "") -> ResnetkitError:
    """The one error for a file that cannot be read."""
    return ResnetkitError(
        Code.WEIGHTS,
        f"{path} cannot be read as weights",
        why=why,
        fix=fix or "give a .safetensors file, a torch state dict, an .npz or a Keras file",
    )


def check_size(num_bytes: int, file_bytes: int) -> None:
    """Refuse tensors of ``num_bytes`` in all that a file of ``file_bytes`` cannot honestly hold."""
    allowed = min(MAX_BYTES, file_bytes + MAX_EXTRA_BYTES, max(SMALL_BYTES, MAX_GROWTH * file_bytes))
    if num_bytes > allowed:
        raise Unreadable(
            f"it asks for {num_bytes:,} bytes of memory, which its {file_bytes:,} bytes do not explain",
            "give a file whose tensors are not compressed",
        )


def check_count(num_tensors: int) -> None:
    """Refuse more tensors than any network has."""
    if num_tensors > MAX_TENSORS:
        raise Unreadable(f"it holds {num_tensors:,} tensors; {MAX_TENSORS:,} are the most that are read")


def check_names(names: Collection[str]) -> None:
    """Refuse more tensors than any network has, and names that are too long to be one's path in a network."""
    check_count(len(names))
    for name in names:
        if len(name) > MAX_NAME or name.count(".") >= MAX_PARTS:
            raise Unreadable(f"a tensor's name in it has {len(name):,} characters and {name.count('.'):,} dots")


def check_archive(entries: Iterable[zipfile.ZipInfo], file_bytes: int) -> None:
    """Refuse a zip whose entries together unpack to far more than the file."""
    check_size(sum(entry.file_size for entry in entries), file_bytes)
