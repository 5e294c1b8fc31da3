"""Small weight files made by hand that would take minutes or gigabytes of whoever reads them as they ask."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import torch
from safetensors.torch import save

COUNT = 100_000
LIST = b"](" + b"".join(b"J" + struct.pack("<i", i) for i in range(COUNT)) + b"e"
TUPLE = b"(" + b"K\x01" * COUNT + b"t"
NUMBERS = b"}(" + b"".join(b"J" + struct.pack("<i", i) + b"K\x01" for i in range(COUNT)) + b"u"


def text(value: str) -> bytes:
    """A text in a pickle."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


FIELDS = b"}(" + b"".join(text(f"k{i}") + b"K\x01" for i in range(COUNT)) + b"u"


def repeated(name: bytes, value: bytes, step: bytes, times: int = 10 * COUNT // 4) -> bytes:
    """A pickle that does the same again and again with a class, memo 0, and one large value, memo 1."""
    return b"\x80\x02c" + name + b"\nq\x00" + value + b"q\x01](" + step * times + b"e."


CALL, BUILD = b"h\x00h\x01\x85R", b"h\x00)\x81h\x01b"
PICKLES = {
    "sizes": repeated(b"torch\nSize", TUPLE, CALL),
    "sets": repeated(b"builtins\nset", LIST, CALL),
    "counts": repeated(b"collections\nCounter", NUMBERS, CALL),
    "encodings": repeated(b"_codecs\nencode", text("a" * 10 * COUNT), CALL),
    "paths": repeated(b"pathlib\nPosixPath", text("a" * 10 * COUNT), b"h\x00h\x01h\x01\x86R"),
    "namespaces": repeated(b"argparse\nNamespace", FIELDS, BUILD),
    "ordered": repeated(b"collections\nOrderedDict", FIELDS, b"h\x00)Rh\x01b"),
    "classes": b"\x80\x02(" + b"cargparse\nNamespace\n" * 20 * COUNT + b"t.",
    "memo": b"\x80\x02" + text("a") + b"r" + struct.pack("<I", 2**31 - 1) + b".",
    "deep": b"\x80\x02" + b"]" * COUNT + b"a" * (COUNT - 1) + b".",
}


def torch_zip(content: bytes) -> bytes:
    """What ``torch.save`` writes around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def legacy(content: bytes) -> bytes:
    """What older versions wrote around it."""
    before = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {})]
    return b"".join([*before, content, pickle.dumps([], 2)])


def pickle_with_a_zip_behind() -> bytes:
    """Keys that are endless to hash, in a pickle; its end is that of a harmless zip, which some readers look at."""
    buffer = io.BytesIO()
    buffer.write(legacy(b"\x80\x02}K\x01" + b"q\x00h\x00\x86" * 60 + b"K\x01s."))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": 1}, 2))
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def zip_of_two_directories() -> bytes:
    """A zip whose end says another place for its directory than the one right before it, where Python looks."""
    content = torch_zip(b"\x80\x02}.")
    start, size = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06") - content.index(b"PK\x01\x02")
    directory = content[start : start + size]
    return content[: start + size] + directory + content[start + size :]


def zip_of_many() -> bytes:
    """A zip of more entries than any weight file has."""
    entry = torch_zip(b"\x80\x02}.")
    start, end = entry.index(b"PK\x01\x02"), entry.index(b"PK\x05\x06")
    directory = entry[start:end] * 300_000
    return entry[:start] + directory + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), start, 0)


EMPTIES = "[" + ",".join(["{}"] * 8_000_000) + "]"


def safetensors(head: str) -> bytes:
    """A file of a head alone."""
    return struct.pack("<Q", len(head)) + head.encode()


def keras(weights: bytes, config: str) -> bytes:
    """A ``.keras`` file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
    return buffer.getvalue()


def hdf5(fill: Callable[[h5py.File], object]) -> bytes:
    """An HDF5 file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest") as file:
        fill(file)
    return buffer.getvalue()


def _zeros(file: h5py.File, gigabytes: int = 1, links: int = 1) -> None:
    shape = (gigabytes * 250_000_000,)
    chunks = (2_500_000,)
    data = file.create_dataset("layers/conv2d/vars/0", shape=shape, dtype="f4", chunks=chunks, compression="gzip")
    data[:10] = 1
    for i in range(1, links):
        file[f"layers/conv2d/vars/{i}"] = data


def _one_layer_many_times(file: h5py.File) -> None:
    file.create_group("a").attrs["weight_names"] = []
    for i in range(10):
        file.attrs.create(f"layer_names{i}", data=[b"a"] * 60_000)


def _circle(file: h5py.File) -> None:
    file["layers/conv2d/vars"] = file.create_group("layers")
    file["layers/outside"] = h5py.ExternalLink("/etc/passwd", "/")


def bombs() -> Iterator[tuple[str, bytes]]:
    """Names and contents; every one is to be refused."""
    for name, content in PICKLES.items():
        yield f"{name}.pt", torch_zip(content)
    yield "sizes.legacy.pt", legacy(PICKLES["sizes"])
    yield "behind.pt", pickle_with_a_zip_behind()
    yield "directories.pt", zip_of_two_directories()
    yield "entries.pt", zip_of_many()
    yield "dots.safetensors", save({"a." * COUNT + name: torch.zeros(4, 4, 3, 3) for name in "vw"})
    yield "empty.safetensors", save({"conv1.weight": torch.zeros(10**9, 0), "fc.weight": torch.zeros(10**9, 0)})
    yield "deep.safetensors", safetensors('{"a":' + "[" * COUNT + "]" * COUNT + "}")
    yield "values.safetensors", safetensors(json.dumps({"__metadata__": {"resnetkit": EMPTIES}}))
    one = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    yield "tensors.safetensors", safetensors(json.dumps({str(i): one for i in range(3 * COUNT)}))
    yield "kind.safetensors", safetensors('{"a":{"dtype":"F1","shape":[9],"data_offsets":[0,0]}}')
    yield "json.keras", keras(hdf5(lambda file: file.create_group("layers")), '{"x":' + EMPTIES + "}")
    yield "space.h5", hdf5(lambda file: _zeros(file, gigabytes=1000))
    yield "zeros.h5", hdf5(_zeros)
    yield "links.h5", hdf5(lambda file: _zeros(file, links=1000))
    yield "circle.h5", hdf5(_circle)
    yield "layers.h5", hdf5(_one_layer_many_times)


def write_bombs(folder: Path) -> None:
    """Each as a file of its name."""
    for name, content in bombs():
        (folder / f"bomb-{name}").write_bytes(content)
