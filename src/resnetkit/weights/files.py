"""Weight files of every origin as named tensors. What a file is, its first bytes say, not its name."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, assert_never

import torch
from torch import Tensor

from resnetkit import foreign_json
from resnetkit.errors import Code, ResnetkitError
from resnetkit.weights import keras_files
from resnetkit.weights.array_files import read_npz, read_safetensors
from resnetkit.weights.limits import MAX_BYTES, Unreadable, check_size, refusal
from resnetkit.weights.torch_files import check_torch_archive, read_torch
from resnetkit.weights.unwrapping import unwrap
from resnetkit.weights.weight_file import Kind, WeightFile
from resnetkit.weights.zip_check import check_directory

FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")  # how the Hugging Face hub names them
CONFIG_KEYS = ("architectures", "architecture", "pretrained_cfg")  # of a model's config.json: transformers', timm's

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"
LFS_POINTER = b"version https://git-lfs"


def read_weights(path: str | Path, *, entry: str | None = None) -> WeightFile:
    """The tensors of a weight file, or of a folder as the Hugging Face hub keeps it; nothing in it is executed.

    Args:
        entry: which of several networks a checkpoint holds: the name of an entry or what its tensors' names begin
            with; None: the averaged weights if there are any.

    Raises:
        ResnetkitError: for a missing, damaged, unsafe or unknown file, or an unknown entry.
    """
    file = _find_file(Path(path))
    try:
        return _read(file, entry)
    except ResnetkitError:
        raise
    except Unreadable as refused:
        raise refusal(file, refused.why, refused.fix) from None
    except Exception as error:  # a damaged file makes its parser raise almost anything
        if isinstance(error, OSError) and error.errno is not None:  # HDF5's own errors have no number
            raise refusal(file, str(error)) from None
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise refusal(file, f"it is damaged, or no weight file ({reason})") from None


def _find_file(path: Path) -> Path:
    if path.is_dir():
        for name in FOLDER_FILES:
            if (path / name).is_file():
                return path / name
        raise ResnetkitError(
            Code.WEIGHTS, f"no weight file in {path}", fix=f"give a file, or a folder with {' or '.join(FOLDER_FILES)}"
        )
    if not path.is_file():
        raise ResnetkitError(Code.WEIGHTS, f"no weight file at {path}")
    return path


def _read(path: Path, entry: str | None) -> WeightFile:
    file_bytes = path.stat().st_size
    if file_bytes > MAX_BYTES:
        raise Unreadable(f"it has {file_bytes:,} bytes; {MAX_BYTES:,} are the most that is read")
    kind = _recognise(path, file_bytes)
    metadata: dict[str, Any] = {}
    content: object
    match kind:
        case "torch":
            content = read_torch(path)
        case "safetensors":
            content, stored = read_safetensors(path)
            metadata = dict(stored)
        case "npz":
            with zipfile.ZipFile(path) as archive:
                content = read_npz(archive, file_bytes)
        case "keras":
            with zipfile.ZipFile(path) as archive:
                content, metadata = keras_files.read_keras_archive(archive, file_bytes)
        case "hdf5":
            keras_files.rehearse(path, "", file_bytes)
            content, metadata = keras_files.read_hdf5(path, file_bytes)
        case _:
            assert_never(kind)
    unwrapped = unwrap(content, entry)
    metadata |= unwrapped.metadata
    tensors, converted = _as_numbers(unwrapped.tensors, file_bytes)
    config = _read_config(path.parent / "config.json")
    if config is not None:
        metadata["config"] = config
    return WeightFile(path, kind, tensors, metadata, (*unwrapped.notes, *converted), unwrapped.choices)


def _recognise(path: Path, file_bytes: int) -> Kind:
    with open(path, "rb") as file:
        start = file.read(16)
        if start.startswith(ZIP_MAGIC):
            check_directory(file, file_bytes)
    if start.startswith(ZIP_MAGIC):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if keras_files.CONFIG in names and keras_files.WEIGHTS in names:
            return "keras"
        if names and all(name.endswith(".npy") for name in names):
            return "npz"
        check_torch_archive(entries, file_bytes)
        return "torch"
    if start.startswith(HDF5_MAGIC):
        return "hdf5"
    # Before pickles: the length of a header may begin with any byte, and no file is as long as a pickle would state.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= file_bytes - 8:
        return "safetensors"
    if start.startswith(b"\x80"):  # a pickle, as torch wrote before 1.6
        return "torch"
    if start.lstrip().startswith(b"<"):
        raise Unreadable("it is a web page, perhaps of a login or a firewall", "download it again")
    if start.startswith(LFS_POINTER):
        raise Unreadable("it is a pointer of Git LFS to the file", "git lfs pull, or download the file itself")
    raise Unreadable("it begins like no kind of weight file")


def _as_numbers(tensors: dict[str, Tensor], file_bytes: int) -> tuple[dict[str, Tensor], list[str]]:
    """Dense tensors on the CPU, the short floating point types widened."""
    result, widened, num_bytes = {}, set(), 0
    for name, tensor in tensors.items():
        num_bytes += tensor.numel() * max(4, tensor.element_size())  # each may be a view of the same numbers
        check_size(num_bytes, 2 * file_bytes)
        if tensor.device.type != "cpu" or tensor.layout is not torch.strided or tensor.is_quantized:
            raise Unreadable(
                f"its tensor '{name}' is not a plain one", "save the weights dense, unquantised, from the CPU"
            )
        if tensor.is_complex() or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise Unreadable(f"its tensor '{name}' claims more numbers than the file holds, or complex ones")
        if not tensor.numel():
            raise Unreadable(f"its tensor '{name}' holds no numbers")
        plain = tensor.detach()
        if tensor.is_floating_point() and tensor.element_size() < 4:
            widened.add(str(tensor.dtype).removeprefix("torch."))
            plain = plain.float()
        result[name] = plain
    return result, [f"read {', '.join(sorted(widened))} as float32"] if widened else []


def _read_config(path: Path) -> dict[str, Any] | None:
    """A ``config.json`` beside the weights, where it describes a model as transformers or timm do."""
    try:
        if path.stat().st_size > foreign_json.MAX_BYTES:
            return None
        config = foreign_json.parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) and any(key in config for key in CONFIG_KEYS) else None
