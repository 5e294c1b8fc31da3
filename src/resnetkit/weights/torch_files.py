"""Read what ``torch.save`` wrote, without executing anything of it."""

from __future__ import annotations

import argparse
import io
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import torch

from resnetkit.weights.limits import Unreadable
from resnetkit.weights.pickle_check import Rehearsal

LEGACY_PICKLES = 5  # a magic number, the protocol, the machine, the content, the storages' keys


class _NumpyType:
    """Stands in for ``numpy.dtype``, whose own way of being unpickled trusts the file."""

    def __init__(self, code: object = "", *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and fields: a scalar needs neither."""


def _numpy_scalar(kind: object, content: object = None) -> object:
    """The number in a pickled ``numpy`` scalar, as a plain one; None where it is another kind of scalar."""
    code = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i", "b1": "<?"}.get(str(getattr(kind, "code", "")))
    if isinstance(content, str):
        content = content.encode("latin1")
    if code is None or not isinstance(content, bytes) or len(content) != struct.calcsize(code):
        return None
    return struct.unpack(code, content)[0]


def _path_text(*parts: object) -> str:
    return "/".join(str(part) for part in parts)


# What training scripts keep beside the weights. Each is plain data here; no foreign class is made.
STAND_INS: list[tuple[Callable[..., object], str]] = [
    (argparse.Namespace, "argparse.Namespace"),
    (_NumpyType, "numpy.dtype"),
    *((_numpy_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *((_path_text, f"pathlib.{kind}") for kind in ("PosixPath", "WindowsPath", "PurePosixPath")),
    *((_path_text, f"pathlib._local.{kind}") for kind in ("PosixPath", "WindowsPath")),
]


def check_torch_archive(entries: list[zipfile.ZipInfo], file_bytes: int) -> None:
    """Refuse what ``torch.save`` never writes: compressed or overlapping records, and programs."""
    if any(re.search(r"(^|/)code/|/constants\.pkl$", entry.filename) for entry in entries):
        raise Unreadable("it is a TorchScript program, not a state dict", "save model.state_dict() of it")
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise Unreadable("two of its records have one name, which torch never writes")
    if not stored or sum(entry.file_size for entry in entries) > file_bytes:
        raise Unreadable("its records unpack to more than the file holds, which torch never writes")


def read_torch(path: Path) -> object:
    """Content of the file: tensors, plain values, and containers of them.

    Raises:
        Unreadable: for anything else; nothing in the file is run.
    """
    try:
        # Opened here, for torch reads a path that ends in .safetensors in another way.
        with torch.serialization.safe_globals([*STAND_INS]), open(path, "rb") as file:
            _rehearse(file, path.stat().st_size)
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refuse(str(error)) from None


def _rehearse(file: BinaryIO, file_bytes: int) -> None:
    """Refuse what would take memory or time that the file does not explain."""
    if torch.serialization._is_zipfile(file):  # as torch decides it: a pickle may also end like a zip
        # By torch's own reader, so that it is the record which torch reads afterwards.
        content = torch._C.PyTorchFileReader(file).get_record("data.pkl")
        Rehearsal(io.BytesIO(content), file_bytes).load()
    else:
        for _ in range(LEGACY_PICKLES):
            Rehearsal(file, file_bytes).load()
    file.seek(0)


def _refuse(message: str) -> Unreadable:
    """torch's own text advises to run the file; say instead what stands in the way."""
    found = re.search(r"(?:GLOBAL|global) ([\w.]+)", message)
    if not found:
        return Unreadable("it holds more than tensors, or is damaged; nothing in it was run")
    return Unreadable(
        f"it holds more than tensors and plain values ({found[1]}); nothing in it was run",
        "where it was made, save model.state_dict() alone",
    )
