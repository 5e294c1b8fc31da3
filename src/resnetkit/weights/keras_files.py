"""Keras' files: HDF5 of both generations, and the ``.keras`` archive around it.

Tensors are named ``layer/variable``, e.g. ``conv1_conv/kernel``, and keep the order of the model's layers: the
only trace of the graph in a file of weights alone.
"""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resnetkit.extras import import_extra
from resnetkit.foreign_json import MAX_BYTES, parse_json
from resnetkit.weights.limits import Unreadable, check_archive, check_count, check_size

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
CHECK = Path(__file__).with_name("hdf5_check.py")
CHECK_SECONDS, CHECK_BYTES_PER_SECOND = 3, 50_000_000
CHECK_BYTES = 3 << 29
MAX_DEPTH = 12  # of nested groups: models in models

# Keras 3 numbers a layer's variables; these are their names, where the layer has all of them.
VARIABLES = {
    "conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
CLASSES = {"Conv2D": "conv2d", "Dense": "dense", "BatchNormalization": "batch_normalization"}
NOT_LAYERS = {"optimizer", "metrics", "compile_metrics", "seed_generator"}
FILTERS = {1, 2, 3}  # HDF5's own deflate, shuffle, checksum; any other would load a plug-in from the disk


def import_h5py() -> Any:
    """The module ``h5py``.

    Raises:
        ResnetkitError: where it is not installed.
    """
    return import_extra("h5py", extra="keras", what="Keras files need h5py, which is not installed")


def read_keras_archive(archive: zipfile.ZipFile, file_bytes: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a ``.keras`` file, and its configuration."""
    entries = [archive.getinfo(CONFIG), archive.getinfo(WEIGHTS)]
    check_archive(entries, file_bytes)
    if entries[0].file_size > MAX_BYTES:
        raise Unreadable(f"its {CONFIG} has {entries[0].file_size:,} bytes")
    config = parse_json(archive.read(CONFIG))
    rehearse(Path(str(archive.filename)), WEIGHTS, file_bytes)
    weights = io.BytesIO(archive.read(WEIGHTS))
    tensors, _ = read_hdf5(weights, entries[1].file_size, _containers(config))
    return tensors, {"keras_config": config}


def rehearse(path: Path, member: str, file_bytes: int) -> None:
    """Have the file, or one in a zip, read by a process that can be stopped.

    Raises:
        Unreadable: where that process fails, or asks for more time or memory than the file explains.
    """
    import_h5py()
    seconds = CHECK_SECONDS + file_bytes // CHECK_BYTES_PER_SECOND
    limits = [str(CHECK_BYTES + 2 * file_bytes), str(seconds)]
    quiet = {"HDF5_PLUGIN_PATH": os.devnull, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(CHECK), str(path.absolute()), member, *limits],
            env={**os.environ, **quiet}, capture_output=True, timeout=3 * seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unreadable(f"it is damaged: reading it was given up after {3 * seconds} s") from None
    if done.returncode < 0:
        raise Unreadable("it is damaged: reading it takes more time or memory than its size explains")
    if done.returncode > 0:
        reason = ascii(done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200])[1:-1]
        raise Unreadable(f"it is damaged, or no weight file ({reason})")


def _containers(config: Any) -> dict[str, str]:
    """Names of the model's layers by what their groups are called: the class, numbered in the order of the layers."""
    names, counts = {}, dict.fromkeys(VARIABLES, 0)
    layers = config.get("config", {}).get("layers", ()) if isinstance(config, dict) else ()
    for layer in layers:
        kind = CLASSES.get(layer["class_name"])
        if kind:
            container = f"{kind}_{counts[kind]}" if counts[kind] else kind
            names[f"/layers/{container}"] = str(layer["config"]["name"])
            counts[kind] += 1
    return names


def read_hdf5(
    source: Path | io.BytesIO, file_bytes: int, layer_names: Mapping[str, str] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a Keras HDF5 file, and its configuration where it keeps one.

    Args:
        layer_names: by group, for files of the first Keras 3, which do not say them.

    Raises:
        Unreadable: for links to other files, data kept elsewhere, plug-ins, and sizes the file cannot hold.
    """
    h5py = import_h5py()
    with h5py.File(source, "r") as file:
        reader = _Reader(h5py, file_bytes, layer_names or {})
        metadata = reader.metadata(file)
        legacy = reader.child(file, "model_weights") if "model_weights" in file else file
        if {"layer_names", "layer_names0"} & set(legacy.attrs):
            named = reader.legacy_variables(legacy)
        else:
            named = reader.variables(file)
        tensors = {}
        for name, dataset in named:
            if name in tensors:
                raise Unreadable(f"two of its layers are called '{name.partition('/')[0]}'")
            tensors[name] = reader.tensor(name, dataset)
    return tensors, metadata


class _Reader:
    """Walks an HDF5 file along its own hard links only, and counts the bytes it is asked for."""

    def __init__(self, h5py: Any, file_bytes: int, layer_names: Mapping[str, str]) -> None:
        self.h5py, self.file_bytes, self.layer_names, self.num_bytes = h5py, file_bytes, layer_names, 0
        self.seen: set[int] = set()

    def metadata(self, file: Any) -> dict[str, Any]:
        config = file.attrs.get("model_config")
        if config is None:
            return {}
        text = config.decode() if isinstance(config, bytes) else str(config)
        return {"keras_config": parse_json(text)}

    def child(self, group: Any, name: str) -> Any:
        link = group.get(name, getlink=True)
        if link is None:
            raise Unreadable(f"it lists '{name}', which is not there")
        if type(link) is not self.h5py.HardLink:
            raise Unreadable(f"its entry '{name}' points elsewhere, which weights never do; it was not opened")
        return group[name]

    def legacy_variables(self, root: Any) -> Iterator[tuple[str, Any]]:
        """Keras 2's layout: names in attributes, in the order of the layers."""
        for layer in _texts(root.attrs, "layer_names"):
            group = self.child(root, layer)
            paths = _texts(group.attrs, "weight_names")
            for path in paths:
                dataset = group
                parts = path.split("/")
                for part in parts:
                    dataset = self.child(dataset, part)
                # More than a batch norm has: a model used as a layer, whose own layers the paths name.
                owner = parts[-2] if len(paths) > 4 and len(parts) > 1 else layer
                yield f"{owner}/{parts[-1].partition(':')[0]}", dataset

    def variables(self, group: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
        """Keras 3's layout: ``layers/conv2d_4/vars/0``, numbered per class in the order of the layers."""
        if depth > MAX_DEPTH:
            raise Unreadable("its groups are nested without end")
        address = self.h5py.h5o.get_info(group.id).addr
        if address in self.seen:
            raise Unreadable(f"its group '{group.name}' is listed twice")
        self.seen.add(address)
        for name in sorted(group, key=_by_number):
            if name in NOT_LAYERS:
                continue
            inside = self.child(group, name)
            if not isinstance(inside, self.h5py.Group):
                raise Unreadable(f"its entry '{name}' lies where Keras keeps none")
            if name == "vars":
                yield from self._layer(group.name, inside)
            else:
                yield from self.variables(inside, depth + 1)

    def _layer(self, path: str, group: Any) -> Iterator[tuple[str, Any]]:
        container = path.rpartition("/")[2]
        layer = group.attrs.get("name", self.layer_names.get(path, container))
        layer = layer.decode() if isinstance(layer, bytes) else str(layer)
        numbers = sorted(group, key=_by_number)
        names = VARIABLES.get(re.sub(r"_\d+$", "", container))
        if names is None:  # called by an attribute of the class it is part of, so only its whole path tells it apart
            layer = path.strip("/")
            names = _variables_of([self.child(group, number) for number in numbers])
        # A batch norm without scale or shift has fewer variables, and nothing says which.
        complete = len(numbers) == len(names) or "kernel" in names[: len(numbers)]
        for i, number in enumerate(numbers):
            yield f"{layer}/{names[i] if complete and i < len(names) else f'vars/{number}'}", self.child(group, number)

    def tensor(self, name: str, dataset: Any) -> Tensor:
        if not isinstance(dataset, self.h5py.Dataset) or not dataset.size:
            raise Unreadable(f"its entry '{name}' holds nothing")
        bfloat16 = str(dataset.attrs.get("dtype", "")) == "bfloat16" and dataset.dtype.itemsize == 2
        if dataset.dtype.kind not in "fiub" and not bfloat16:
            raise Unreadable(f"its entry '{name}' holds no numbers")
        settings = dataset.id.get_create_plist()
        if dataset.is_virtual or settings.get_external_count():
            raise Unreadable(f"the values of '{name}' lie in another file; it was not opened")
        filters = {settings.get_filter(i)[0] for i in range(settings.get_nfilters())}
        if filters - FILTERS:
            raise Unreadable(f"'{name}' is packed with the plug-in {min(filters - FILTERS)}; it was not loaded")
        # A chunk is unpacked whole, so one larger than its dataset counts too.
        self.num_bytes += max(dataset.size, math.prod(dataset.chunks or ())) * dataset.dtype.itemsize
        check_size(self.num_bytes, self.file_bytes)
        array: Any = np.array(dataset[()])
        if bfloat16:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def _variables_of(datasets: Sequence[Any]) -> tuple[str, ...]:
    """The variables' names by their number and shapes: those of a batch norm, a conv or a dense layer, or none."""
    ranks = tuple(len(getattr(dataset, "shape", ())) for dataset in datasets)
    if ranks == (1, 1, 1, 1):
        return VARIABLES["batch_normalization"]
    return VARIABLES["conv2d"] if ranks in ((4,), (4, 1), (2,), (2, 1)) else ()


def _texts(attributes: Any, name: str) -> list[str]:
    """A list of names; Keras splits a long one into ``name0``, ``name1`` …"""
    parts = [name] if name in attributes else []
    while f"{name}{len(parts)}" in attributes:
        parts.append(f"{name}{len(parts)}")
    found = [attributes[part] for part in parts]
    check_count(sum(map(len, found)))
    return [text.decode() if isinstance(text, bytes) else str(text) for texts in found for text in texts]


def _by_number(name: str) -> tuple[str, int]:
    """``conv2d`` before ``conv2d_1`` before ``conv2d_10``."""
    found = re.fullmatch(r"(.*?)_?(\d+)", name)
    return (found[1], int(found[2])) if found else (name, -1)
