"""How this process asks the system for memory."""

from __future__ import annotations

import ctypes
import os
import sys

# glibc's names for what mallopt sets, from its malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = 2**31 - 1
# Blocks of the heap may be so large, in bytes: as much as layers give for a batch, or the most that glibc < 2.35 takes.
LARGEST_BLOCKS = (2**30, 2**25)


def keep_freed_memory() -> None:
    """From now on, freed memory stays with this process, for its next allocations.

    The layers of a network free and allocate megabytes many times a step. glibc hands blocks of that size back to the
    system, which gives them out again page by page, filled with zeros: up to a third of the time (benchmarks/notes.md).

    Nothing happens where the C library is another, or where the environment sets the allocator up (``MALLOC_...``).
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and any(mallopt(M_MMAP_THRESHOLD, size) for size in LARGEST_BLOCKS):
        mallopt(M_TRIM_THRESHOLD, NEVER)
