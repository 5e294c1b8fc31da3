"""Sizes of the pictures in HEIF and AVIF files as decoding makes them, whatever the files say that is shown.

A decoder makes room for the frame that is coded. The file may call it smaller, or show a part of it. So the coded
headers are read, of every picture in a file, before any is decoded: the sequence headers of AV1 (section 5.5 of its
specification) and the parameter sets of HEVC (ITU-T H.265, 7.3.2.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from resnetkit.images.boxes import Numbers, Parts, Said, iter_said

Size = tuple[int, int]

HEADER_BYTES = 1024  # of a unit; headers have a few dozen
SEQUENCE_HEADER, FRAME_HEADERS = 1, (3, 6, 7)  # AV1's kinds of units
PARAMETER_SET = 33  # HEVC's
SWITCH_FRAME = 3
EACH_FRAME_SAYS = 2


def largest_coded(content: bytes) -> int:
    """Pixels of the largest picture that could be decoded from a file's bytes; 0 where nothing in them is coded.

    Raises:
        UnreadableImage: for a file of more parts than images need.
    """
    parts = Parts()
    sizes = (size for said in iter_said(memoryview(content), parts) for size in _sizes(said, parts))
    return max((width * height for width, height in sizes), default=0)


def _sizes(said: Said, parts: Parts) -> Iterator[Size]:
    match said.kind:
        case b"ispe":
            yield from _numbers_at(said.body, 4, 4)
        case b"grid" | b"iovl":  # put together of tiles, or of pictures laid on each other
            is_wide = len(said.body) > 1 and said.body[1] & 1
            yield from _numbers_at(said.body, 4 if said.kind == b"grid" else 10, 4 if is_wide else 2)
        case b"hvcC":
            yield from _hevc_sizes(_parameter_sets(said.body, parts))
        case b"hvc1" | b"hev1":
            yield from _hevc_sizes(_hevc_units(said.body, parts))
        case b"av1C":
            yield from _av1_sizes(said.body[4:], parts)
        case b"av01":
            yield from _av1_sizes(said.body, parts)


def _numbers_at(body: memoryview, place: int, width: int) -> Iterator[Size]:
    if len(body) >= place + 2 * width:
        numbers = Numbers(body[place:])
        yield numbers.take(width), numbers.take(width)


class _Bits:
    """Bits read one after the other; zeros behind the end."""

    def __init__(self, content: bytes) -> None:
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def take(self, number: int) -> int:
        """The next ones as a number."""
        self._left -= number
        return 0 if self._left < 0 else self._value >> self._left & (1 << number) - 1

    def pass_where_set(self, number: int) -> bool:
        """The next one; where it is set, so many behind it are passed over."""
        is_set = bool(self.take(1))
        self.take(number if is_set else 0)
        return is_set

    def exponential(self) -> int:
        """The next ones as a number in Exp-Golomb code."""
        num_zeros = 0
        while self._left > 0 and num_zeros < 32 and not self.take(1):
            num_zeros += 1
        return (1 << num_zeros) - 1 + self.take(num_zeros)


# --- HEVC ---


def _hevc_units(body: memoryview, parts: Parts) -> Iterator[memoryview]:
    """The beginnings of units, each of which has its length before it."""
    while len(body) > 4:
        parts.count()
        length = int.from_bytes(body[:4], "big")
        yield body[4 : 4 + min(length, HEADER_BYTES)]
        body = body[4 + length :]


def _parameter_sets(body: memoryview, parts: Parts) -> Iterator[memoryview]:
    """The units in a box that says how a picture is coded."""
    numbers = Numbers(body)
    try:
        numbers.take(22)
        for _ in range(numbers.take(1)):
            numbers.take(1)
            for _ in range(numbers.take(2)):
                parts.count()
                yield numbers.take_bytes(numbers.take(2))
    except EOFError:
        return


def _hevc_sizes(units: Iterable[memoryview]) -> Iterator[Size]:
    for unit in units:
        if len(unit) > 2 and unit[0] >> 1 & 63 == PARAMETER_SET:
            yield _hevc_size(_Bits(bytes(unit[2:HEADER_BYTES]).replace(b"\0\0\3", b"\0\0")))


def _hevc_size(bits: _Bits) -> Size:
    bits.take(4)
    num_layers = bits.take(3)
    bits.take(1 + 88 + 8)  # profile and level
    said = [(bits.take(1), bits.take(1)) for _ in range(num_layers)]
    bits.take(2 * (8 - num_layers) if num_layers else 0)
    for has_profile, has_level in said:
        bits.take(88 * has_profile + 8 * has_level)
    bits.exponential()
    if bits.exponential() == 3:  # 4:4:4
        bits.take(1)
    return bits.exponential(), bits.exponential()


# --- AV1 ---


class _Sequence(NamedTuple):
    """A sequence header, as far as sizes of frames depend on it.

    Attributes:
        most: the largest size that a frame of its own size can say.
        is_reduced: that of one picture, which cannot say another size.
        num_time_bits, num_id_bits: of what comes before the size in a frame's header.
        screen_content, whole_vectors: 0, 1 or :data:`EACH_FRAME_SAYS`.
    """

    size: Size
    most: Size
    is_reduced: bool
    num_time_bits: int
    num_id_bits: int
    screen_content: int
    whole_vectors: int


def _av1_sizes(body: memoryview, parts: Parts) -> Iterator[Size]:
    sequence = None
    for kind, unit in _av1_units(body, parts):
        if kind == SEQUENCE_HEADER:
            sequence = _sequence(_Bits(bytes(unit)))
            yield sequence.size
        elif kind in FRAME_HEADERS and sequence is not None and _has_own_size(_Bits(bytes(unit)), sequence):
            yield sequence.most


def _av1_units(body: memoryview, parts: Parts) -> Iterator[tuple[int, memoryview]]:
    """Kinds of units, with their beginnings."""
    at = 0
    while at < len(body):
        parts.count()
        head, at = body[at], at + 1
        at += head >> 2 & 1  # an extension
        length = len(body)  # to the end
        if head >> 1 & 1:
            length, place = 0, 0
            while at < len(body) and place < 8:
                byte, at = body[at], at + 1
                length |= (byte & 127) << 7 * place
                place = place + 1 if byte & 128 else 8
        yield head >> 3 & 15, body[at : at + min(length, HEADER_BYTES)]
        at += length


def _sequence(bits: _Bits) -> _Sequence:
    bits.take(4)
    is_reduced = bool(bits.take(1))
    num_time_bits = 0 if is_reduced else _pass_times(bits)
    if is_reduced:
        bits.take(5)
    of_width, of_height = bits.take(4) + 1, bits.take(4) + 1
    size = (bits.take(of_width) + 1, bits.take(of_height) + 1)
    num_id_bits = 0 if is_reduced or not bits.take(1) else bits.take(4) + bits.take(3) + 3
    bits.take(3)
    screen_content = whole_vectors = EACH_FRAME_SAYS
    if not is_reduced:
        bits.take(4)
        bits.pass_where_set(2)
        screen_content = EACH_FRAME_SAYS if bits.take(1) else bits.take(1)
        whole_vectors = EACH_FRAME_SAYS if not screen_content or bits.take(1) else bits.take(1)
    most = (1 << of_width, 1 << of_height)
    return _Sequence(size, most, is_reduced, num_time_bits, num_id_bits, screen_content, whole_vectors)


def _pass_times(bits: _Bits) -> int:
    """Pass over when frames are shown, and at what levels; the number of bits for it in a frame's header."""
    num_delay_bits = num_time_bits = 0
    if bits.take(1):
        bits.take(64)
        is_regular = bits.take(1)
        if is_regular:
            bits.exponential()
        if bits.take(1):
            num_delay_bits = bits.take(5) + 1
            bits.take(32 + 5)
            num_of_each = bits.take(5) + 1
            num_time_bits = 0 if is_regular else num_of_each
    has_delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if num_delay_bits:
            bits.pass_where_set(2 * num_delay_bits + 1)
        if has_delays:
            bits.pass_where_set(4)
    return num_time_bits


def _has_own_size(bits: _Bits, sequence: _Sequence) -> bool:
    """Tell whether a frame says another size than its sequence header."""
    if sequence.is_reduced or bits.take(1):
        return False
    kind, is_shown = bits.take(2), bits.take(1)
    bits.take(sequence.num_time_bits if is_shown else 1)
    if kind != SWITCH_FRAME and not (kind == 0 and is_shown):
        bits.take(1)
    bits.take(1)
    screen_content = sequence.screen_content
    if screen_content == EACH_FRAME_SAYS:
        screen_content = bits.take(1)
    if screen_content and sequence.whole_vectors == EACH_FRAME_SAYS:
        bits.take(1)
    bits.take(sequence.num_id_bits)
    return kind == SWITCH_FRAME or bool(bits.take(1))
