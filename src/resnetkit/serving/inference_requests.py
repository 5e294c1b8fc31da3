"""Requests of the Open Inference Protocol: JSON, with binary data behind it where the client likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resnetkit.classifier.description import Description
from resnetkit.errors import did_you_mean
from resnetkit.serving.inference_tensors import INPUTS, Output, outputs_of
from resnetkit.serving.json_bodies import read_object
from resnetkit.serving.refusals import refuse
from resnetkit.serving.tensors import InputTensor, read_input, read_parameters

HEADER = "Inference-Header-Content-Length"
MAX_VALUES = 8_000_000  # in JSON, fifty prepared images of 224 px


@dataclass(frozen=True)
class InferenceRequest:
    """A request for tensors.

    Attributes:
        id: the client's, which it gets back; None where it gave none.
        outputs: names, and whether each is to be binary.
        deadline_seconds: None where the client named none.
    """

    id: str | None
    tensor: InputTensor
    outputs: tuple[tuple[str, bool], ...]
    deadline_seconds: float | None


def read_request(body: bytes, header: str | None, description: Description) -> InferenceRequest:
    """The request that a body holds.

    Args:
        header: of the request, which says how much of the body is JSON; None: all.

    Raises:
        Refused: for one that is not as the protocol says, or asks for what there is not.
    """
    length = len(body)
    if header is not None:
        length = int(header) if header.isascii() and header.isdecimal() and len(header) < 16 else -1
        if not 0 < length <= len(body):
            raise refuse(400, f"{HEADER} must be from 1 to the {len(body):,} bytes of the body")
    tree = read_object(body[:length], max_values=MAX_VALUES)
    given, id_ = tree.get("inputs"), tree.get("id")
    if not isinstance(given, list) or len(given) != 1:
        raise refuse(400, f"'inputs' must be a list of one tensor: {' or '.join(INPUTS)}")
    if not isinstance(id_, str | None):
        raise refuse(400, f"'id' must be a text, got {type(id_).__name__}")
    tensor, left = read_input(given[0], memoryview(body)[length:])
    if left:
        raise refuse(400, f"{len(left):,} bytes behind the JSON belong to no input")
    _check_input(tensor, description)
    parameters = read_parameters(tree, "the request")
    outputs = _read_outputs(tree, parameters, outputs_of(description))
    return InferenceRequest(id_, tensor, outputs, _read_timeout(parameters))


def _read_outputs(
    tree: Mapping[str, Any], parameters: Mapping[str, Any], outputs: Mapping[str, Output]
) -> tuple[tuple[str, bool], ...]:
    usual = _flag(parameters, "binary_data_output", False)
    asked = tree.get("outputs") or [{"name": name} for name in outputs]
    if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
        raise refuse(400, "'outputs' must be a list of objects")
    found: dict[str, bool] = {}
    for one in asked:
        name = one.get("name")
        if not isinstance(name, str) or name not in outputs:
            raise refuse(400, f"there is no output {str(name)[:80]!r}", fix=did_you_mean(str(name)[:80], outputs))
        own = read_parameters(one, f"output '{name}'")
        if own.get("classification"):
            raise refuse(400, "the extension for classification is not spoken here", fix="ask for output 'class'")
        found[name] = _flag(own, "binary_data", usual)
    return tuple(found.items())


def _flag(parameters: Mapping[str, Any], name: str, usual: bool) -> bool:
    value = parameters.get(name, usual)
    if not isinstance(value, bool):
        raise refuse(400, f"parameter '{name}' must be true or false")
    return value


def _read_timeout(parameters: Mapping[str, Any]) -> float | None:
    """The parameter ``timeout``, in microseconds as Triton has it, in seconds."""
    value = parameters.get("timeout")
    if value is None:
        return None
    if type(value) is not int or value <= 0:
        raise refuse(400, "parameter 'timeout' must be a number of microseconds, above 0")
    return min(value, 10**15) / 1e6


def _check_input(tensor: InputTensor, description: Description) -> None:
    if tensor.name not in INPUTS:
        raise refuse(400, f"there is no input '{tensor.name[:80]}'", fix=did_you_mean(tensor.name[:80], INPUTS))
    datatype, axes = INPUTS[tensor.name](description)
    is_shaped = len(tensor.shape) == len(axes) and all(
        size == wanted or wanted < 0 for size, wanted in zip(tensor.shape, axes, strict=True)
    )
    if tensor.datatype != datatype or not is_shaped:
        got = f"{tensor.datatype[:20]} {list(tensor.shape)}"
        raise refuse(400, f"input '{tensor.name}' must be {datatype} {axes}, got {got}", why="-1 is any number")
    if tensor.shape[0] == 0:
        raise refuse(400, f"input '{tensor.name}' has no image")
