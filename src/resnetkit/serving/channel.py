"""A worker's end of the socket to the process that started it."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.serving.frames import Frame, pack, read_frame
from resnetkit.serving.messages import pack_failure

Result = TypeVar("Result")

LOOK_SECONDS = 0.2
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

    @contextmanager
    def end_with_parent(self) -> Iterator[None]:
        """For the duration of the block, in which nobody reads, end this process once the other one has ended."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._watch_parent, args=(is_over,), name="parent", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _watch_parent(self, is_over: threading.Event) -> None:
        watched = select.poll()
        watched.register(self._connection, 0)  # of its end it tells unasked
        while not is_over.wait(LOOK_SECONDS):
            if watched.poll(0):
                os._exit(0)


def work_for_parent(serve: Callable[[Channel, Frame], None]) -> None:
    """Do what the process that started this one orders, and end with it: no worker outlives its socket.

    Its number is the program's argument. Signals that are meant for all of a server's processes are left to that one,
    which has requests to answer.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    order = channel.read()
    if order is not None:
        serve(channel, order)
    # Threads of other projects' libraries may not end, and nobody waits for anything any more.
    os._exit(0)


def opened_or_told(channel: Channel, opener: Callable[[], Result]) -> Result | None:
    """Open something; None where it could not be, after telling the reason."""
    try:
        with channel.end_with_parent():
            return opener()
    except ResnetkitError as error:
        channel.send({"kind": "not opened", **pack_failure(error)})
    except Exception as error:  # whatever another project's code raises: the reason is worth more than a trace
        failure = ResnetkitError(Code.BUG, "the classifier could not be opened", why=summarize(error))
        channel.send({"kind": "not opened", **pack_failure(failure)})
    return None
