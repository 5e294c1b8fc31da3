"""Notices that a file has been replaced: by its state, which is soon asked for, and then by its content."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

WATCH_SECONDS = 1.0  # between two looks


class FileState(NamedTuple):
    """All that changes with a file's content, but for what sets out to deceive."""

    size: int
    changed_ns: int
    inode: int


def look_at_file(path: Path) -> FileState | None:
    """The state of a file; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)


class WatchedFile:
    """A file that may be replaced while it is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = look_at_file(path)

    async def changed(self) -> None:
        """Wait until it is another one, and is not being written any more: twice the same, when it is looked at."""
        before = self._known
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            found = look_at_file(self.path)
            if found is not None and found != self._known and found == before:
                self._known = found
                return
            before = found
