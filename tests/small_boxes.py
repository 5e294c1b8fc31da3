"""HEIF and AVIF files made by hand: boxes around what is coded, of which only the headers are there."""

import struct


def box(kind: bytes, *body: bytes) -> bytes:
    content = b"".join(body)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full_box(kind: bytes, version: int, *body: bytes) -> bytes:
    return box(kind, bytes((version, 0, 0, 0)), *body)


def pictures(*items: tuple[bytes, bytes]) -> bytes:
    """A file of items, each with its kind and its bytes, which are in two places."""
    kinds = [full_box(b"infe", 2, struct.pack(">HH4s", i + 1, 0, kind), b"\0") for i, (kind, _) in enumerate(items)]
    listed = full_box(b"iinf", 0, struct.pack(">H", len(items)), *kinds)
    rows, at = [], 8
    for number, (_, data) in enumerate(items):
        half = len(data) // 2
        rows.append(struct.pack(">HHHIIII", number + 1, 0, 2, at, half, at + half, len(data) - half))
        at += len(data)
    places = full_box(b"iloc", 0, b"\x44\0", struct.pack(">H", len(items)), *rows)
    return box(b"mdat", *(data for _, data in items)) + full_box(b"meta", 0, listed, places)


def bits(*numbers: tuple[int, int]) -> bytes:
    """Numbers of so many bits each, one after the other; zeros fill the last byte."""
    text = "".join(f"{value:0{width}b}" for value, width in numbers)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def unit(kind: int, body: bytes, *, has_length: bool = True) -> bytes:
    """A unit of AV1."""
    length = bytes((len(body),)) if has_length else b""
    return bytes((kind << 3 | has_length << 1,)) + length + body


def av1_film(width: int, height: int, *, frame_says: bool, has_times: bool = False) -> bytes:
    """A sequence header that leaves the size to its frames, for which it has 12 bits, and the beginning of a frame.

    Args:
        frame_says: the frame has a size of its own.
        has_times: with all that says when frames are shown.
    """
    times = [(0, 1)]
    if has_times:  # irregular, each frame's in 7 bits
        times = [(1, 1), (1, 32), (25, 32), (0, 1), (1, 1), (9, 5), (1, 32), (4, 5), (6, 5)]
    levels = [(0, 1), (0, 5), (0, 12), (8, 5), (1, 1), *([(1, 1), (0, 21)] if has_times else [])]
    size = [(11, 4), (11, 4), (width - 1, 12), (height - 1, 12)]
    tools = [(1, 1), (5, 4), (2, 3), (0, 3), (0, 4), (1, 1), (0, 2), (1, 1), (1, 1), (6, 3)]
    sequence = bits((0, 3), (0, 2), *times, *levels, *size, *tools)
    frame = bits((0, 1), (0, 2), (1, 1), *([(3, 7)] if has_times else []), (0, 1), (1, 1), (0, 1), (77, 10),
                 (int(frame_says), 1), (0, 20))  # fmt: skip
    return unit(2, b"") + unit(1, sequence) + unit(6, frame, has_length=False)


def exponential(value: int) -> tuple[int, int]:
    """A number in Exp-Golomb code."""
    return value + 1, 2 * (value + 1).bit_length() - 1


def hevc_parameter_set(width: int, height: int) -> bytes:
    """A parameter set of HEVC of three layers of time, in 4:4:4."""
    profile = [(0, 88), (93, 8)]
    layers = [(1, 1), (1, 1), (0, 1), (1, 1), (0, 12), (0, 88), (90, 8), (90, 8)]
    said = [(0, 4), (2, 3), (1, 1), *profile, *layers, exponential(0), exponential(3), (0, 1)]
    raw = bits(*said, exponential(width), exponential(height), (0, 9))
    return b"\x42\x01" + raw.replace(b"\0\0\0", b"\0\0\3\0")
