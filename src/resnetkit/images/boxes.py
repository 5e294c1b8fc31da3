"""Boxes of HEIF and AVIF files (ISO/IEC 14496-12 and 23008-12), as far as they say how large decoded pictures are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from resnetkit.images.types import UnreadableImage

MOST_PARTS = 32_768  # of a file: boxes, pictures, units of pictures; each takes microseconds
HOLDING_BOXES = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0}
"""Boxes of boxes, and how many bytes come before these."""
ALL_THE_REST = 1 << 62  # a length that is not said


class Parts:
    """Counts the parts of a file."""

    def __init__(self) -> None:
        self._number = 0

    def count(self, number: int = 1) -> None:
        """Count some more.

        Raises:
            UnreadableImage: where these are more than images need.
        """
        self._number += number
        if self._number > MOST_PARTS:
            raise UnreadableImage(f"has more than {MOST_PARTS:,} parts: no image needs as many")


class Numbers:
    """Whole numbers read one after the other, big-endian; whatever is asked for behind the end raises ``EOFError``."""

    def __init__(self, content: memoryview) -> None:
        self._content, self._at = content, 0

    def take(self, num_bytes: int) -> int:
        """The next one."""
        return int.from_bytes(self.take_bytes(num_bytes), "big")

    def take_bytes(self, num_bytes: int) -> memoryview:
        """The next bytes."""
        found = self._content[self._at : self._at + num_bytes]
        if len(found) < num_bytes:
            raise EOFError
        self._at += num_bytes
        return found


class Said(NamedTuple):
    """A part of a file that says the size of pictures.

    Attributes:
        kind: of the box, or of the item.
        body: content of the box, or all bytes of the item.
    """

    kind: bytes
    body: memoryview


class _Box(NamedTuple):
    kind: bytes
    body: memoryview


def iter_said(content: memoryview, parts: Parts) -> Iterator[Said]:
    """Boxes and items that say how large pictures are, with the first frames of films.

    Raises:
        UnreadableImage: for a file of more parts, or of more bytes in them, than images need.
    """
    boxes = list(_boxes(content, parts))
    yield from (Said(box.kind, box.body) for box in boxes if box.kind in (b"ispe", b"hvcC", b"av1C"))
    yield from _items(content, boxes, parts)
    yield from _first_frames(content, boxes)


def _boxes(content: memoryview, parts: Parts) -> Iterator[_Box]:
    """All boxes, of whatever depth."""
    waiting = [content]
    while waiting:
        rest = waiting.pop()
        while len(rest) >= 8:
            size, kind = struct.unpack_from(">I4s", rest)
            head = 8
            if size == 1 and len(rest) >= 16:
                (size,), head = struct.unpack_from(">Q", rest, 8), 16
            size = size or len(rest)
            if size < head:
                break
            parts.count()
            box = _Box(kind, rest[head:size])
            yield box
            if kind in HOLDING_BOXES:
                waiting.append(box.body[HOLDING_BOXES[kind] :])
            rest = rest[size:]


def _items(content: memoryview, boxes: list[_Box], parts: Parts) -> Iterator[Said]:
    kinds: dict[int, bytes] = {}
    for box in boxes:
        if box.kind == b"iinf":
            kinds |= _item_kinds(box, parts)
    inside = next((box.body for box in boxes if box.kind == b"idat"), memoryview(b""))
    num_bytes = 0
    for box in boxes:
        for item, is_inside, places in _places(Numbers(box.body), parts) if box.kind == b"iloc" else ():
            whole = inside if is_inside else content
            found = [whole[at : at + length] for at, length in places]
            num_bytes += sum(map(len, found))
            if num_bytes > 2 * len(content):
                raise UnreadableImage("has pictures that overlap: no image needs that")
            yield Said(kinds.get(item, b""), found[0] if len(found) == 1 else memoryview(b"".join(found)))


def _item_kinds(box: _Box, parts: Parts) -> dict[int, bytes]:
    kinds = {}
    version = box.body[0] if box.body else 0
    for entry in _boxes(box.body[8 if version else 6 :], parts):
        words = Numbers(entry.body)
        try:
            item = words.take(4 if words.take(4) >> 24 >= 3 else 2)
            words.take(2)
            kinds[item] = bytes(words.take_bytes(4))
        except EOFError:
            continue
    return kinds


def _places(words: Numbers, parts: Parts) -> Iterator[tuple[int, bool, list[tuple[int, int]]]]:
    """Of each item its number, whether its bytes are in the box for items, and where: starts and lengths."""
    try:
        version, widths = words.take(4) >> 24, words.take(2)
        of_start, of_length, of_base, of_index = (widths >> shift & 15 for shift in (12, 8, 4, 0))
        of_number = 4 if version == 2 else 2
        for _ in range(words.take(of_number)):
            item = words.take(of_number)
            method = words.take(2) & 15 if version else 0
            words.take(2)
            base, places = words.take(of_base), []
            num_places = words.take(2)
            parts.count(1 + num_places)
            for _ in range(num_places):
                words.take(of_index if version else 0)
                start = base + words.take(of_start)
                places.append((start, words.take(of_length) or ALL_THE_REST))
            yield item, method == 1, places
    except EOFError:
        return


def _first_frames(content: memoryview, boxes: list[_Box]) -> Iterator[Said]:
    """The first frame of each film; of AV1, as no other film is read."""
    places = [box for box in boxes if box.kind in (b"stco", b"co64")]
    lengths = [box for box in boxes if box.kind == b"stsz"]
    for place, length in zip(places, lengths, strict=False):
        of_place, of_length = Numbers(place.body), Numbers(length.body)
        try:
            of_place.take(8)
            start = of_place.take(8 if place.kind == b"co64" else 4)
            of_length.take(4)
            same, _ = of_length.take(4), of_length.take(4)
            yield Said(b"av01", content[start : start + (same or of_length.take(4))])
        except EOFError:
            continue
