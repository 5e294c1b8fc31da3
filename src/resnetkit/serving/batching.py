"""Batches that grow under load: what has come when the engine becomes free is computed together."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Batches(Generic[Item]):
    """A queue from which a batch is taken at once; used by several threads.

    Args:
        max_items: in a batch.
        max_wait_seconds: for which the first item waits for others, as long as some are known to be coming; alone, it
            does not wait.
    """

    def __init__(self, max_items: int, max_wait_seconds: float) -> None:
        self._max_items, self._max_wait_seconds = max_items, max_wait_seconds
        self._changed = Condition()
        self._items: deque[tuple[float, Item]] = deque()
        self._num_coming = 0
        self._closed = False

    def announce(self, number: int) -> None:
        """Tell that so many items are coming."""
        with self._changed:
            self._num_coming += number

    def add(self, item: Item) -> None:
        """Add one that was announced."""
        with self._changed:
            self._num_coming -= 1
            self._items.append((time.monotonic(), item))
            self._changed.notify_all()

    def forgo(self) -> None:
        """Tell that one which was announced does not come."""
        with self._changed:
            self._num_coming -= 1
            self._changed.notify_all()

    def take(self) -> list[Item]:
        """Wait for the next batch; empty after :meth:`close`, when none is left."""
        with self._changed:
            while not self._items:
                if self._closed:
                    return []
                self._changed.wait()
            ends = self._items[0][0] + self._max_wait_seconds
            while len(self._items) < self._max_items and self._num_coming and not self._closed:
                left = ends - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return [self._items.popleft()[1] for _ in range(min(self._max_items, len(self._items)))]

    def close(self) -> None:
        """Let those who wait for a batch go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
