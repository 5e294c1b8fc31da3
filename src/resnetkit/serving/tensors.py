"""Tensors of the Open Inference Protocol: in JSON, and as binary data behind it.

The protocol and its extension: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from resnetkit.serving.predict_requests import decode_base64
from resnetkit.serving.refusals import refuse

LENGTH_BYTES = 4  # before each element of BYTES
MAX_AXES = 8
BINARY = {"FP32": np.dtype("<f4"), "BOOL": np.dtype(np.bool_)}


@dataclass(frozen=True)
class InputTensor:
    """An input as it was sent.

    Attributes:
        shape: as it says itself.
        data: JSON values, or bytes.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Any


@dataclass(frozen=True)
class OutputTensor:
    """An output.

    Attributes:
        values: an array, or bytes of the elements of BYTES.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: npt.NDArray[np.float32] | npt.NDArray[np.bool_] | Sequence[bytes]

    def as_json(self) -> list[Any]:
        """The elements in a row, as JSON has them.

        Raises:
            Refused: for numbers that JSON has no form for.
        """
        if not isinstance(self.values, np.ndarray):
            return [value.decode(errors="replace") for value in self.values]
        if not np.isfinite(self.values).all():
            raise refuse(500, f"output '{self.name}' is not finite", fix="ask for it as binary data")
        elements: list[Any] = self.values.ravel().tolist()
        return elements

    def as_bytes(self) -> bytes:
        """The elements in a row, as binary data."""
        if isinstance(self.values, np.ndarray):
            return self.values.astype(BINARY[self.datatype]).tobytes()
        return b"".join(struct.pack("<I", len(value)) + value for value in self.values)


def read_input(tree: Any, binary: memoryview) -> tuple[InputTensor, memoryview]:
    """An input of a request's JSON, and what of the binary data is left behind it.

    Raises:
        Refused: for one that is not as the protocol says.
    """
    if not isinstance(tree, dict):
        raise refuse(400, "each of 'inputs' must be an object")
    name, datatype, shape = tree.get("name"), tree.get("datatype"), tree.get("shape")
    if not isinstance(name, str):
        raise refuse(400, "each of 'inputs' must have a 'name'")
    where = f"input '{name[:80]}'"
    if not isinstance(datatype, str):
        raise refuse(400, f"{where} must have a 'datatype'")
    if not _is_shape(shape):
        raise refuse(400, f"{where} must have a 'shape', a list of sizes")
    parameters = read_parameters(tree, where)
    size = parameters.get("binary_data_size")
    if size is None:
        if "data" not in tree:
            raise refuse(400, f"{where} must have 'data', or the parameter 'binary_data_size'")
        return InputTensor(name, datatype, tuple(shape), tree["data"]), binary
    if type(size) is not int or not 0 <= size <= len(binary):
        raise refuse(400, f"{where} has a wrong binary_data_size", why=f"{len(binary):,} bytes are left of the body")
    if "data" in tree:
        raise refuse(400, f"{where} has both 'data' and 'binary_data_size'", fix="leave one out")
    return InputTensor(name, datatype, tuple(shape), bytes(binary[:size])), binary[size:]


def read_parameters(tree: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The parameters of an object; those that nobody knows are the business of others.

    Raises:
        Refused: where they are none.
    """
    parameters = tree.get("parameters", {})
    if not isinstance(parameters, dict):
        raise refuse(400, f"{where} has 'parameters' that are no object")
    return parameters


def elements_of(tensor: InputTensor) -> list[bytes]:
    """The elements of a tensor of BYTES ``[N]``; in JSON, each is base64.

    Raises:
        Refused: where there are others than its shape says.
    """
    where, size = f"input '{tensor.name}'", math.prod(tensor.shape)
    if isinstance(tensor.data, bytes):
        elements = _cut(tensor.data, size, where)
    elif isinstance(tensor.data, list) and all(isinstance(text, str) for text in tensor.data):
        elements = [decode_base64(text, f"element {i} of {where}") for i, text in enumerate(tensor.data)]
    else:
        raise refuse(400, f"{where} must be a list of texts in base64, or binary data")
    if len(elements) != size:
        raise refuse(400, f"{where} has {len(elements)} elements, its shape {list(tensor.shape)} says {size}")
    return elements


def array_of(tensor: InputTensor) -> npt.NDArray[np.uint8]:
    """The values of a tensor of UINT8, in its shape.

    Raises:
        Refused: where there are others than its shape says, or some that are no whole numbers from 0 to 255.
    """
    where, size = f"input '{tensor.name}'", math.prod(tensor.shape)
    if isinstance(tensor.data, bytes):
        values = np.frombuffer(tensor.data, np.uint8)
    else:
        try:
            given = np.asarray(tensor.data)
        except (ValueError, OverflowError):
            given = np.empty(0, object)
        if given.dtype.kind not in "iu" or (given.size and not (given.min() >= 0 and given.max() <= 255)):
            raise refuse(400, f"{where} must be whole numbers from 0 to 255")
        values = given.astype(np.uint8)
    if values.size != size:
        raise refuse(400, f"{where} has {values.size:,} values, its shape {list(tensor.shape)} says {size:,}")
    return values.reshape(tensor.shape)


def write_outputs(head: dict[str, Any], outputs: Sequence[tuple[OutputTensor, bool]]) -> tuple[bytes, int | None]:
    """The body of a response, and how many bytes of it are JSON where binary data follows; else None.

    Args:
        outputs: in order, and whether each is to be binary.
    """
    told, data = [], []
    for tensor, is_binary in outputs:
        entry: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if is_binary:
            data.append(tensor.as_bytes())
            entry["parameters"] = {"binary_data_size": len(data[-1])}
        else:
            entry["data"] = tensor.as_json()
        told.append(entry)
    text = json.dumps({**head, "outputs": told}).encode()
    return (text + b"".join(data), len(text)) if data else (text, None)


def _is_shape(given: Any) -> TypeGuard[list[int]]:
    is_list = isinstance(given, list) and 0 < len(given) <= MAX_AXES
    return is_list and all(type(size) is int and 0 <= size < 1 << 31 for size in given)


def _cut(data: bytes, size: int, where: str) -> list[bytes]:
    elements: list[bytes] = []
    place = 0
    while place < len(data):
        if len(elements) == size:
            raise refuse(400, f"{where} has more than the {size} elements that its shape says")
        start = place + LENGTH_BYTES
        place = start + int.from_bytes(data[place:start], "little")
        if start > len(data) or place > len(data):
            raise refuse(400, f"{where} has binary data that end within an element")
        elements.append(data[start:place])
    return elements
