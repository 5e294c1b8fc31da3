"""SIGINT and SIGTERM become a request that the training loop answers at the next step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 - a request that was granted, not an error
    """Training stopped on request, after writing a checkpoint."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class StopRequest:
    """Which signal asked to stop; 0: none."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __call__(self, signal_number: int, _frame: FrameType | None) -> None:
        """Note the signal, as a handler."""
        if self.signal_number:  # asked twice: the user does not want to wait for the checkpoint
            raise KeyboardInterrupt
        self.signal_number = signal_number


@contextmanager
def listen_for_stop(request: StopRequest) -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM only set the request. Outside the main thread nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
