"""TIFF files made by hand: kinds that Pillow does not write."""

import struct

import numpy as np

LONG = 4
KINDS = {"u": 1, "i": 2, "f": 3}
TAGS = {"subfile": 254, "width": 256, "height": 257, "bits": 258, "compression": 259, "photometric": 262}
TAGS |= {"offset": 273, "samples": 277, "bytes": 279, "extra": 338, "kind": 339}


def page(values: np.ndarray, at: int, *, following: int = 0, **changes: int) -> bytes:
    """A page that begins ``at``: its directory, then its values ``(H, W)`` or ``(H, W, C)`` as they are."""
    height, width, channels = (*values.shape, 1)[:3]
    said = {"subfile": 0, "width": width, "height": height, "bits": 8 * values.itemsize, "compression": 1}
    said |= {"photometric": 1, "offset": 0, "samples": channels, "bytes": values.nbytes}
    said |= {"kind": KINDS[values.dtype.kind], **changes}
    said["offset"] = at + 2 + 12 * len(said) + 4
    entries = b"".join(struct.pack("<HHII", TAGS[name], LONG, 1, value) for name, value in said.items())
    return struct.pack("<H", len(said)) + entries + struct.pack("<I", following) + values.tobytes()


def tiff(values: np.ndarray, **changes: int) -> bytes:
    """A file of one page."""
    return struct.pack("<2sHI", b"II", 42, 8) + page(values, 8, **changes)
