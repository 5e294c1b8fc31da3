"""Small tampered files from a seed: what a damaged disk, a cut-off download or a hostile hand makes of good ones."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
HOSTILE_VALUES: tuple[Any, ...] = (
    *(10**9, -1, 0, 2**63, 10**30, 1e30, math.nan, math.inf, 0.5),
    *("many", "\x1b[2J", "", None, True, [], {}, [10**9] * 3, [1] * 2000, {"kind": "none of ours"}, DEEP),
)


def flip(content: bytes, random: Random) -> bytes:
    """One to eight bytes changed."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(changed))] ^= random.randint(1, 255)
    return bytes(changed)


def truncate(content: bytes, random: Random) -> bytes:
    """The beginning alone."""
    return content[: random.randrange(len(content))]


def splice(content: bytes, random: Random) -> bytes:
    """A piece of it copied over another place, or put in between."""
    start = random.randrange(len(content))
    piece, at = content[start : start + random.randint(1, 512)], random.randrange(len(content))
    return content[:at] + piece + content[at + random.choice((0, len(piece))) :]


def enlarge(content: bytes, random: Random) -> bytes:
    """Somewhere a number of four or eight bytes that is far too large."""
    kind, largest = random.choice((("<I", 2**32 - 1), ("<Q", 2**40), ("<Q", 2**63 - 1), ("<i", -1)))
    number = struct.pack(kind, largest)
    at = random.randrange(max(1, len(content) - len(number)))
    return content[:at] + number + content[at + len(number) :]


def tamper(content: bytes, random: Random) -> bytes:
    """Any of these."""
    return random.choice((flip, truncate, splice, enlarge))(content, random)


def substitute(values: Any, random: Random) -> Any:
    """JSON values in which one place holds what does not belong there, or is gone."""
    copy = json.loads(json.dumps(values))
    holder, key = random.choice(list(_places(copy)))
    if isinstance(holder, dict) and random.random() < 0.1:
        del holder[key]
    else:
        holder[key] = random.choice(HOSTILE_VALUES)
    return copy


def _places(values: Any) -> Iterator[tuple[Any, Any]]:
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        yield values, key
        yield from _places(value)
