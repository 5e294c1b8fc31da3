"""JSON in foreign files: what parsing it takes is bounded before it is parsed; no torch here.

A list of empty mappings takes three bytes each in a file, and seventy in memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_BYTES = 64 << 20  # digests of a million training images take a quarter
MAX_ITEMS = 400_000  # lists, mappings and their keys; a file of 20,000 tensors has a third


def parse_json(text: str | bytes) -> Any:
    """The values of a JSON text.

    Raises:
        ValueError: for no JSON, and for one that takes far more memory than any file here explains.
        RecursionError: for values nested too deep.
    """
    check_json(text)
    return json.loads(text)


def check_json(text: str | bytes) -> None:
    """Refuse a JSON text that is too long, or has too many values, by its brackets and colons alone.

    Raises:
        ValueError: saying which.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"its JSON has {len(text):,} bytes; {MAX_BYTES:,} are the most that is read")
    content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    num_items = sum(content.count(sign) for sign in (b"{", b"[", b":"))
    if num_items > MAX_ITEMS:
        raise ValueError(f"its JSON has {num_items:,} lists, mappings and keys; at most {MAX_ITEMS:,} are read")


def check_safetensors_head(path: Path) -> None:
    """Refuse a safetensors file by its head, which the format's own reader parses whole.

    Raises:
        ValueError: for a head that is too long or has too many values.
    """
    with open(path, "rb") as file:
        num_bytes = int.from_bytes(file.read(8), "little")
        if num_bytes <= path.stat().st_size - 8:  # or else its own reader refuses it
            check_json(file.read(min(num_bytes, MAX_BYTES + 1)))
