"""Weight files: what is read, what is refused, and that nothing in a file is executed."""

from __future__ import annotations

import argparse
import codecs
import io
import json
import os
import pickle
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import BASIC, STEM_3X3, ResNetSpec
from resnetkit.weights import read_weights

SMALL = ResNetSpec(BASIC, (1, 1), (4, 6), (1, 2), stem=replace(STEM_3X3, widths=(4,)), num_classes=5)


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    torch.manual_seed(7)
    return ResNet(SMALL).state_dict()


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def refused(path: Path, match: str = "cannot be read as weights") -> ResnetkitError:
    with pytest.raises(ResnetkitError, match=match) as raised:
        read_weights(path)
    assert raised.value.code is Code.WEIGHTS
    assert str(path) in raised.value.what
    return raised.value


# --- reading ---


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.pth", "a.th", "a.bin", "a.ckpt", "no_suffix", "a.npz"])
@pytest.mark.parametrize("kind", ["safetensors", "torch", "legacy torch", "npz", "packed npz"])
def test_the_content_says_what_a_file_is(tmp_path: Path, tensors: dict[str, Tensor], name: str, kind: str) -> None:
    path = tmp_path / name
    arrays = {key: tensor.numpy() for key, tensor in tensors.items()}
    match kind:
        case "safetensors":
            save_file(tensors, path)
        case "torch":
            torch.save(tensors, path)
        case "legacy torch":
            torch.save(tensors, path, _use_new_zipfile_serialization=False)
        case _:
            write = np.savez if kind == "npz" else np.savez_compressed
            with open(path, "wb") as file:
                write(file, **arrays)
    read = read_weights(path)
    assert_equal(read.tensors, tensors)
    assert read.format == kind.split()[-1]
    assert read.path == path
    assert read.notes == ()
    assert_equal(read_weights(str(path)).tensors, tensors)


def test_a_header_whose_length_begins_like_a_pickle_is_none(tmp_path: Path) -> None:
    """Lengths are multiples of 8, so this is one file in 32."""
    path = tmp_path / "a.safetensors"
    for padding in range(0, 256, 8):
        save_file({"a": torch.ones(2)}, path, metadata={"a": "x" * padding})
        found = read_weights(path)
        assert (found.format, found.tensors["a"].tolist()) == ("safetensors", [1.0, 1.0])
        if path.read_bytes()[0] == 0x80:
            return
    raise AssertionError("no length began with 0x80")


def test_metadata_of_safetensors(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, tmp_path / "a.safetensors", metadata={"format": "pt", "made by": "hand"})
    assert read_weights(tmp_path / "a.safetensors").metadata == {"format": "pt", "made by": "hand"}


def test_a_folder_of_the_hub(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    config = {"architecture": "resnet18", "num_classes": 5}
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused(tmp_path, "no weight file in")
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    assert read_weights(tmp_path).path.name == "pytorch_model.bin"
    save_file(tensors, tmp_path / "model.safetensors")
    file = read_weights(tmp_path)
    assert file.path == tmp_path / "model.safetensors"
    assert file.metadata == {"config": config}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ('{"architectures": ["ResNetForImageClassification"]}', True),
        ('{"pretrained_cfg": {}}', True),
        ('{"lr": 0.1}', False),
        ('["architecture"]', False),
        ("{", False),
        ("[" * 100_000, False),
    ],
)
def test_a_config_beside_a_file(tmp_path: Path, tensors: dict[str, Tensor], content: str, kept: bool) -> None:
    save_file(tensors, tmp_path / "a.safetensors")
    (tmp_path / "config.json").write_text(content)
    assert ("config" in read_weights(tmp_path / "a.safetensors").metadata) is kept


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_are_widened(tmp_path: Path, tensors: dict[str, Tensor], dtype: torch.dtype) -> None:
    short = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    torch.save(short, tmp_path / "a.pth")
    save_file(short, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        file = read_weights(tmp_path / name)
        assert_equal(file.tensors, {key: t.float() if t.is_floating_point() else t for key, t in short.items()})
        assert file.tensors["conv1.weight"].dtype is torch.float32
        assert file.tensors["bn1.num_batches_tracked"].dtype is torch.int64
        assert file.notes == (f"read {str(dtype).removeprefix('torch.')} as float32",)


def test_doubles_stay(tmp_path: Path) -> None:
    torch.save({"w": torch.tensor([0.1], dtype=torch.float64)}, tmp_path / "a.pth")
    assert read_weights(tmp_path / "a.pth").tensors["w"].item() == 0.1


def test_what_scripts_keep_beside_the_weights(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    content = {
        "state_dict": tensors,
        "args": argparse.Namespace(lr=0.1, data=PurePosixPath("/data/cifar"), gpus=[0, 1]),
        "best": np.float64(93.5),
        "seen": np.int64(7),
        "epoch": 3,
    }
    for zipped in (True, False):
        torch.save(content, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
        file = read_weights(tmp_path / "c.pth")
        assert file.metadata["args"]["lr"] == 0.1
        assert file.metadata["args"]["gpus"] == [0, 1]
        assert "cifar" in file.metadata["args"]["data"]
        assert (file.metadata["best"], file.metadata["seen"], file.metadata["epoch"]) == (93.5, 7, 3)


# --- refusing ---


class Trap:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "bare pickle", "beside good tensors", "npz"])
def test_a_hostile_pickle_is_refused_and_nothing_in_it_runs(
    tmp_path: Path, tensors: dict[str, Tensor], kind: str
) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "weights.pt"
    content = {**tensors, "trap": Trap(sprung)} if kind == "beside good tensors" else {"trap": Trap(sprung)}
    if kind == "bare pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    elif kind == "npz":
        with open(path, "wb") as file:
            np.savez(file, trap=np.array([Trap(sprung)], dtype=object))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    error = refused(path)
    assert not sprung.exists()
    assert "nothing in it was run" in error.why
    assert "weights_only" not in str(error), "torch's own message advises to run the file"
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists(), "the trap must be one that springs"


def test_a_whole_model_is_refused_by_its_name(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "model.pt")
    error = refused(tmp_path / "model.pt")
    assert "torch.nn.modules.linear.Linear" in error.why
    assert "state_dict()" in error.fix


@pytest.mark.filterwarnings("ignore")
def test_a_program_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "program.pt")
    assert "TorchScript" in refused(tmp_path / "program.pt").why


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy", "npz"])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, tensors: dict[str, Tensor], kind: str) -> None:
    path = tmp_path / "a"
    if kind == "safetensors":
        save_file(tensors, path)
    elif kind == "npz":
        with open(path, "wb") as file:
            np.savez(file, **{name: tensor.numpy() for name, tensor in tensors.items()})
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    for length in [0, 1, 7, 8, 9, *range(10, len(content), max(1, len(content) // 60)), len(content) - 1]:
        path.write_bytes(content[:length])
        refused(path)


def squeezed_torch(path: Path, tensors: dict[str, Tensor]) -> None:
    """A torch file whose records are packed: 400 MB of zeros in 400 KB."""
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(1000)}, buffer)
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in plain.infolist():
            content = plain.read(entry)
            packed.writestr(entry.filename, bytes(100 << 20) if entry.filename.endswith("data/0") else content)


def squeezed_npz(path: Path, tensors: dict[str, Tensor]) -> None:
    with open(path, "wb") as file:
        np.savez_compressed(file, w=np.zeros(30 << 20, "f4"))


def npz_with_a_lying_header(path: Path, tensors: dict[str, Tensor]) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("w.npy", header.getvalue() + bytes(16))


def npz_of_texts(path: Path, tensors: dict[str, Tensor]) -> None:
    with open(path, "wb") as file:
        np.savez(file, w=np.array(["a text"]))


def safetensors_beyond_the_end(path: Path, tensors: dict[str, Tensor]) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 30], "data_offsets": [0, 4 << 30]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))


def safetensors_of_another_shape(path: Path, tensors: dict[str, Tensor]) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 20], "data_offsets": [0, 64]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))


def safetensors_with_an_endless_header(path: Path, tensors: dict[str, Tensor]) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 62) + b'{"w"' + bytes(64))


def tensor_larger_than_its_storage(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"w": torch.zeros(1).expand(1 << 30, 1 << 10)}, path)


def sparse(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"w": torch.eye(3).to_sparse()}, path)


def quantized(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"w": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, path)


def without_numbers(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"w": torch.empty(3, device="meta")}, path)


def complex_numbers(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"w": torch.ones(3, dtype=torch.complex64)}, path)


def tar(path: Path, tensors: dict[str, Tensor]) -> None:
    with tarfile.open(path, "w") as file:
        file.addfile(tarfile.TarInfo("storages"))


def other_zip(path: Path, tensors: dict[str, Tensor]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")


def empty_zip(path: Path, tensors: dict[str, Tensor]) -> None:
    with zipfile.ZipFile(path, "w"):
        pass


def words(path: Path, tensors: dict[str, Tensor]) -> None:
    path.write_text("hello, this is no header of anything")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("write", "why"),
    [
        (squeezed_torch, "unpack to more"),
        (squeezed_npz, "asks for"),
        (npz_with_a_lying_header, "claims another size"),
        (npz_of_texts, "not numbers"),
        (safetensors_beyond_the_end, "damaged"),
        (safetensors_of_another_shape, "damaged"),
        (safetensors_with_an_endless_header, "no kind"),
        (tensor_larger_than_its_storage, "claims more numbers"),
        (sparse, "not a plain one"),
        (quantized, "not a plain one"),
        (without_numbers, "not a plain one"),
        (complex_numbers, "complex"),
        (tar, "no kind"),
        (other_zip, "damaged"),
        (empty_zip, "no kind"),
        (words, "no kind"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_lies_is_refused(
    tmp_path: Path, tensors: dict[str, Tensor], write: Callable[[Path, dict[str, Tensor]], None], why: str
) -> None:
    path = tmp_path / "weights"
    write(path, tensors)
    assert why in refused(path).why


class Call:
    """Pickles as a call of some function with some arguments."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def doubled(pair: Callable[[object, object], object], levels: int = 60) -> object:
    """A value of two equal halves, each of two equal halves …: small in a pickle, endless to whoever walks it."""
    value: object = pair(1, 1)
    for _ in range(levels):
        value = pair(value, value)
    return value


def wide(width: int, levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value] * width
    return value


def with_counter(count: int) -> bytes:
    """A legacy file whose one storage claims so many numbers."""
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(77)}, buffer, _use_new_zipfile_serialization=False)
    content = buffer.getvalue()
    assert content.count(b"K\x4d") >= 1
    return content.replace(b"K\x4d", b"J" + struct.pack("<i", count))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "value",
    [
        Call(bytearray, 1 << 40),
        Call(torch.Tensor, 1 << 38),
        Call(PurePosixPath, doubled(lambda a, b: [a, b])),
        Call(codecs.encode, "a" * 1000, "idna"),
    ],
    ids=["bytes", "a tensor by its size", "a path of lists", "codec"],
)
def test_a_pickle_that_eats_time_or_memory_is_refused_at_once(tmp_path: Path, value: object, zipped: bool) -> None:
    file = tmp_path / "a.pt"
    torch.save({"state_dict": {"w": torch.ones(2)}, "x": value}, file, _use_new_zipfile_serialization=zipped)
    start = time.process_time()
    refused(file)
    assert time.process_time() - start < 5


def test_keys_that_are_endless_to_hash_are_refused(tmp_path: Path) -> None:
    magic, version, machine = (pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {}))
    endless = b"\x80\x02}K\x01" + b"q\x00h\x00\x86" * 60 + b"K\x01s."  # {((((1, 1), (1, 1)), …): 1}
    (tmp_path / "a.pt").write_bytes(magic + version + machine + endless + pickle.dumps([], 2))
    start = time.process_time()
    assert "keys that are neither texts nor numbers" in refused(tmp_path / "a.pt").why
    assert time.process_time() - start < 5


def test_a_list_that_repeats_itself_is_not_copied_out(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    start = time.process_time()
    torch.save({"state_dict": tensors, "history": wide(1000, 6), "deep": doubled(lambda a, b: [a, b])}, tmp_path / "a")
    assert_equal(read_weights(tmp_path / "a").tensors, tensors)
    assert time.process_time() - start < 5


def test_a_storage_that_claims_more_than_the_file_is_refused_before_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(with_counter(2**31 - 1))
    assert "claim more numbers" in refused(tmp_path / "a.pt").why


def test_views_of_the_same_numbers_are_counted_each(tmp_path: Path) -> None:
    half = torch.zeros(8 << 20, dtype=torch.float16)
    torch.save({f"layer{i}": half for i in range(1000)}, tmp_path / "a.pt")
    assert "asks for" in refused(tmp_path / "a.pt").why


def test_a_zip_with_two_records_of_one_name_is_refused(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"another")
    assert "one name" in refused(tmp_path / "a.pt").why


def test_a_numpy_scalar_that_lies_is_not_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"state_dict": tensors, "best": np.datetime64("2020-01-01"), "name": np.str_("x")}, tmp_path / "a.pth")
    assert "best" not in read_weights(tmp_path / "a.pth").metadata


def test_what_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "missing.pt", "no weight file at")
    refused(tmp_path, "no weight file in")
