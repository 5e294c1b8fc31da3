"""Frames between two processes: a head of plain values with blobs behind it; nothing in them is executed.

A frame is the head's length in 4 bytes, the head as JSON, and the blobs, whose sizes stand in the head.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

LENGTH = struct.Struct("!I")
MAX_HEAD_BYTES = 2**24
SIZES = "blobs"


class DamagedFrame(Exception):  # noqa: N818 - a name for what was read
    """Bytes that are no frame, or one that ends too soon; what follows them cannot be read either."""


@dataclass(frozen=True)
class Frame:
    """A message.

    Attributes:
        head: JSON-ready.
    """

    head: dict[str, Any]
    blobs: tuple[bytes, ...] = ()


def pack(head: dict[str, Any], blobs: Sequence[bytes | memoryview] = ()) -> list[bytes | memoryview]:
    """The bytes of a frame, in pieces that are to be sent one after another.

    >>> pack({"kind": "ping"}, [b"blob"])
    [b'\\x00\\x00\\x00\\x1e{"kind": "ping", "blobs": [4]}', b'blob']
    """
    text = json.dumps({**head, SIZES: [memoryview(blob).nbytes for blob in blobs]}).encode()
    assert len(text) <= MAX_HEAD_BYTES, "what is large is a blob"
    return [LENGTH.pack(len(text)) + text, *blobs]


def read_frame(file: BinaryIO, *, max_bytes: int) -> Frame | None:
    """Read the next frame of a buffered binary file; None at its end.

    Args:
        max_bytes: of its blobs together.

    Raises:
        DamagedFrame: for anything else.
    """
    start = file.read(LENGTH.size)
    if not start:
        return None
    head, sizes = _parse(_whole(file.read(_head_size(start)), _head_size(start)), max_bytes)
    return Frame(head, tuple(_whole(file.read(size), size) for size in sizes))


async def receive_frame(stream: asyncio.StreamReader, *, max_bytes: int) -> Frame | None:
    """As :func:`read_frame`, of a stream."""
    try:
        start = await stream.readexactly(LENGTH.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise DamagedFrame("a frame ends in its length") from None
        return None
    try:
        head, sizes = _parse(await stream.readexactly(_head_size(start)), max_bytes)
        return Frame(head, tuple([await stream.readexactly(size) for size in sizes]))
    except asyncio.IncompleteReadError as error:
        raise DamagedFrame(f"a frame ends {(error.expected or 0) - len(error.partial):,} bytes too soon") from None


def _head_size(start: bytes) -> int:
    size: int = LENGTH.unpack(_whole(start, LENGTH.size))[0]
    if size > MAX_HEAD_BYTES:
        raise DamagedFrame(f"a frame's head claims {size:,} bytes")
    return size


def _parse(text: bytes, max_bytes: int) -> tuple[dict[str, Any], list[int]]:
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFrame(f"a frame's head is no JSON: {error}") from None
    sizes = head.pop(SIZES, None) if isinstance(head, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise DamagedFrame("a frame's head lacks the sizes of its blobs")
    if sum(sizes) > max_bytes:
        raise DamagedFrame(f"a frame's blobs claim {sum(sizes):,} bytes, more than {max_bytes:,}")
    return head, sizes


def _whole(part: bytes, size: int) -> bytes:
    if len(part) < size:
        raise DamagedFrame(f"a frame ends {size - len(part):,} bytes too soon")
    return part
