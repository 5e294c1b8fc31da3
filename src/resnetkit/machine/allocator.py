"""Set up how this process asks the system for memory."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

# glibc's names for what mallopt sets, from its malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = -1  # as a size, the largest there is
# Blocks of the heap may be so large, in bytes: as much as layers give for a batch, or the most that glibc < 2.35 takes.
LARGEST_BLOCKS = (2**30, 2**25)


def keep_freed_memory() -> None:
    """Keep freed memory with this process from now on, for its next allocations.

    The layers of a network free and allocate megabytes many times a step. glibc hands blocks of that size back to the
    system, which gives them out again page by page, filled with zeros: up to a third of the time (benchmarks/notes.md).

    Nothing happens where the C library is another, or where the environment sets the allocator up (``MALLOC_...``).
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None or any(name.startswith("MALLOC_") for name in os.environ):
        return
    if any(mallopt(M_MMAP_THRESHOLD, size) for size in LARGEST_BLOCKS):
        mallopt(M_TRIM_THRESHOLD, NEVER)


def give_back_freed_memory() -> None:
    """Hand back to the system what is kept unused, as after work whose like does not come again."""
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    return function
