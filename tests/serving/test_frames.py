"""Frames come through whole, in any pieces, and damage is told."""

import asyncio
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnetkit.serving.frames import MAX_HEAD_BYTES, DamagedFrame, Frame, pack, read_frame, receive_frame

FRAMES = st.lists(st.tuples(st.dictionaries(st.sampled_from("ab"), st.text()), st.lists(st.binary())), max_size=4)
MAX_BYTES = 10**6


def read(content: bytes, max_bytes: int = MAX_BYTES) -> Frame | None:
    return read_frame(io.BytesIO(content), max_bytes=max_bytes)


def receive_all(content: bytes) -> list[Frame]:
    async def receive() -> list[Frame]:
        stream, frames = asyncio.StreamReader(), []
        stream.feed_data(content)
        stream.feed_eof()
        while (frame := await receive_frame(stream, max_bytes=MAX_BYTES)) is not None:
            frames.append(frame)
        return frames

    return asyncio.run(receive())


@settings(max_examples=20)
@given(FRAMES)
def test_frames_are_read_as_they_were_sent(messages: list[tuple[dict[str, str], list[bytes]]]) -> None:
    content = b"".join(piece for head, blobs in messages for piece in pack(head, blobs))
    file, frames = io.BytesIO(content), []
    while (frame := read_frame(file, max_bytes=MAX_BYTES)) is not None:
        frames.append(frame)
    assert frames == [Frame(head, tuple(blobs)) for head, blobs in messages] == receive_all(content)


def test_a_frame_that_is_cut_anywhere_is_told() -> None:
    content = b"".join(pack({"kind": "files"}, [b"first", b"", b"second"]))
    for end in range(1, len(content)):
        with pytest.raises(DamagedFrame):
            read(content[:end])
        with pytest.raises(DamagedFrame):
            receive_all(content[:end])


def head(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("!I", MAX_HEAD_BYTES + 1) + b"{}",
        head(b"not JSON"),
        head(b"\xff\xfe"),
        head(b"[1]"),
        head(b"{}"),
        head(b'{"blobs": [-1]}'),
        head(b'{"blobs": [1.5]}'),
        head(b'{"blobs": [true]}'),
        head(b'{"blobs": 3}'),
        head(b'{"blobs": [99999999999]}'),
        head(b"[" * 100_000),
    ],
)
def test_what_is_no_frame_is_told_before_anything_is_allocated(content: bytes) -> None:
    with pytest.raises(DamagedFrame):
        read(content + bytes(100))


def test_blobs_are_bounded_together() -> None:
    content = b"".join(pack({}, [bytes(60), bytes(60)]))
    assert read(content, 120) is not None
    with pytest.raises(DamagedFrame, match="more than 119"):
        read(content, 119)
