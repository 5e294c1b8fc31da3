"""JSON that clients send: what parsing it takes is bounded before it is parsed."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from resnetkit.foreign_json import MAX_BYTES
from resnetkit.serving.refusals import refuse

SIGNS = (b"{", b"[", b":", b",")  # each value has one at least, but for the outermost


def read_object(body: bytes, *, max_values: int) -> dict[str, Any]:
    """The object that a body is.

    Raises:
        Refused: for no JSON, or any other, and for one that is too long or has too many values.
    """
    if len(body) > MAX_BYTES:
        raise refuse(413, f"the JSON has more than {MAX_BYTES:,} bytes", fix="send files or tensors as they are")
    if sum(map(body.count, SIGNS)) > max_values:
        raise refuse(413, f"the JSON has more than {max_values:,} values", fix="send files or tensors as they are")
    try:
        tree = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise refuse(400, "the body is no JSON", why=str(error)) from None
    if not isinstance(tree, dict):
        raise refuse(400, f"the body must be a JSON object, got {type(tree).__name__}")
    return tree


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
