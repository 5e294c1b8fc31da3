"""``.npz`` and ``.safetensors``: named arrays and nothing else."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy
from safetensors import safe_open
from torch import Tensor

from resnetkit.foreign_json import check_safetensors_head
from resnetkit.weights.limits import Unreadable, check_archive, check_count

NUMBERS = "fiub"  # numpy's kinds of numbers: float, signed, unsigned, bool


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata; the format checks its own header against the file's size."""
    check_safetensors_head(path)
    with safe_open(path, framework="pt") as opened:
        check_count(len(opened.keys()))
        return {name: opened.get_tensor(name) for name in opened.keys()}, dict(opened.metadata() or {})  # noqa: SIM118


def read_npz(archive: zipfile.ZipFile, file_bytes: int) -> dict[str, Tensor]:
    """The arrays of an ``.npz`` file.

    Raises:
        Unreadable: for an array of objects (a pickle), or one whose header claims more than its entry holds.
    """
    entries = archive.infolist()
    check_count(len(entries))
    check_archive(entries, file_bytes)
    tensors = {}
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        with archive.open(entry) as file:
            tensors[name] = _read_array(file, entry.file_size, name)  # type: ignore[arg-type]
    return tensors


def _read_array(file: BinaryIO, num_bytes: int, name: str) -> Tensor:
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, column_major, dtype = read_header(file)
    if dtype.kind not in NUMBERS:
        kind = "objects (a pickle)" if dtype.hasobject else f"the type {dtype}"
        raise Unreadable(f"its array '{name}' holds {kind}, not numbers; nothing in it was run")
    if math.prod(shape) * dtype.itemsize != num_bytes - file.tell():
        raise Unreadable(f"the header of its array '{name}' claims another size than the array has")
    array = np.frombuffer(file.read(), dtype).reshape(shape, order="F" if column_major else "C")
    return torch.from_numpy(np.array(array, dtype.newbyteorder("="), order="C"))
