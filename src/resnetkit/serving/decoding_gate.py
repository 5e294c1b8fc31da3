"""Bounds the memory of decoding: so many pixels at the same time, and a larger image alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class DecodingGate:
    """Lets images be decoded in the order in which they come, no more than ``max_pixels`` at a time."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._changed = Condition()
        self._num_inside = 0
        self._queue: deque[object] = deque()

    @contextmanager
    def passed(self, num_pixels: int) -> Iterator[None]:
        """Wait until there is room for an image, which has it within the block."""
        taken = min(num_pixels, self._max_pixels)
        with self._changed:
            turn = object()
            self._queue.append(turn)
            # In turn, or small images would keep a large one waiting for ever.
            self._changed.wait_for(lambda: self._queue[0] is turn and self._num_inside + taken <= self._max_pixels)
            self._queue.popleft()
            self._num_inside += taken
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._num_inside -= taken
                self._changed.notify_all()
