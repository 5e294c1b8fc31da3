"""SIGTERM while something is written, answered as Ctrl-C is: nothing half-written stays."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def leave_nothing_when_terminated() -> Iterator[None]:
    """Within the block, SIGTERM unwinds this process as an exit does; one that comes meanwhile does not cut that short.

    Outside the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(signal_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal_number, signal.SIG_IGN)  # until the block has ended
    raise SystemExit(128 + signal_number)
