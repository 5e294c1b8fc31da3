"""SIGINT and SIGTERM become a request that the training loop answers at the next step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 - a request that was granted, not an error
    """Training stopped on request, after writing a checkpoint."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


@contextmanager
def stopping_as_others_do() -> Iterator[None]:
    """Within the block, a run that is asked to stop ends more than itself, as a program does that trains nothing.

    Whoever trains on the way to something else would take :class:`Interrupted` for a run that failed, and go on.
    """
    try:
        yield
    except Interrupted as stop:
        if stop.signal_number == signal.SIGINT:
            raise KeyboardInterrupt from stop
        raise SystemExit(128 + stop.signal_number) from stop


class StopRequest:
    """Signal that asked this process to stop, and the one that all processes have agreed to stop for; 0: none."""

    def __init__(self) -> None:
        self.asked = self.agreed = 0

    def __call__(self, signal_number: int, _frame: FrameType | None) -> None:
        """Note the signal, as a handler."""
        if self.asked:  # asked twice: the user does not want to wait for the checkpoint
            raise KeyboardInterrupt
        self.asked = signal_number

    def votes(self) -> list[float]:
        """1 for the signal that asked this process to stop, 0 for the others."""
        return [float(self.asked == number) for number in SIGNALS]

    def agree(self, votes: Sequence[float]) -> None:
        """Stop if the votes, summed over all processes, hold any.

        A process that stopped for a signal of its own, which the others have not had yet, would leave them waiting.
        """
        self.agreed = next((int(number) for number, vote in zip(SIGNALS, votes, strict=True) if vote), 0)


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
