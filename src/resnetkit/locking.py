"""Folders that one process at a time works in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resnetkit.errors import ResnetkitError
from resnetkit.files import io_errors


@contextmanager
def locked(folder: Path, *, if_taken: ResnetkitError | None = None) -> Iterator[None]:
    """Keep other processes that lock a folder out of it; the lock ends with the process, however it ends.

    Args:
        if_taken: what is raised where another process has it; None: wait for that one.
    """
    with io_errors(f"lock {folder}"):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with io_errors(f"lock {folder}"):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX if if_taken is None else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert if_taken is not None  # or it would have waited
                raise if_taken from None
        yield
    finally:
        os.close(descriptor)
