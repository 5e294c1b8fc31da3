"""A zip's directory, checked before anything reads it.

Two readers can see two archives in one file, where its directory does not lie right before its end: Python's reader
looks there, torch's where the end says. What was checked by the one would then not be what the other reads.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from resnetkit.weights.limits import Unreadable

END, END_MAGIC = struct.Struct("<4s4H2IH"), b"PK\x05\x06"
LOCATOR, LOCATOR_MAGIC = struct.Struct("<4sIQI"), b"PK\x06\x07"
END64, END64_MAGIC = struct.Struct("<4sQ2H2I4Q"), b"PK\x06\x06"
MAX_DIRECTORY_BYTES = 16 << 20  # ResNet-1202 with its optimizer takes 2


def check_directory(file: BinaryIO, file_bytes: int) -> None:
    """Refuse a zip with a comment, with anything between or around its parts, or with far too many entries.

    Raises:
        Unreadable: for a zip that no library writes which weights come from.
    """
    longest = END64.size + LOCATOR.size + END.size
    file.seek(max(0, file_bytes - longest))
    tail = file.read(longest).rjust(longest, b"\0")
    magic, *_, size, start, comment_bytes = END.unpack(tail[-END.size :])
    ends_at = file_bytes - END.size
    is_right = magic == END_MAGIC and not comment_bytes
    if tail[END64.size :].startswith(LOCATOR_MAGIC):
        ends_at -= END64.size + LOCATOR.size
        magic, *_, size, start = END64.unpack(tail[: END64.size])
        is_right &= magic == END64_MAGIC and LOCATOR.unpack(tail[END64.size : -END.size])[2] == ends_at
    if not is_right or start + size != ends_at:
        raise Unreadable("its directory does not lie at its end, where every library writes it")
    if size > MAX_DIRECTORY_BYTES:
        raise Unreadable(f"its directory has {size:,} bytes; {MAX_DIRECTORY_BYTES:,} are the most that is read")
