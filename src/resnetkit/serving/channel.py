"""A worker's end of the socket to the process that started it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from typing import Any

from resnetkit.serving.frames import Frame, pack, read_frame

MAX_REQUEST_BYTES = 2**34  # what a process of ours claims is bounded by its own settings; this is against damage


class Channel:
    """Frames to and from the process that started this one; sent by any thread, read by one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._file = connection, connection.makefile("rb")
        self._sending = threading.Lock()

    def read(self) -> Frame | None:
        """The next frame; None where the other process has ended, or wants this one to."""
        try:
            return read_frame(self._file, max_bytes=MAX_REQUEST_BYTES)
        except ConnectionError:
            return None

    def send(self, head: dict[str, Any], blobs: Sequence[bytes | memoryview] = ()) -> None:
        """Send a frame whole; nothing happens where nobody reads any more, which :meth:`read` tells."""
        content = b"".join(pack(head, blobs))
        with self._sending:
            try:
                self._connection.sendall(content)
            except OSError:
                return
