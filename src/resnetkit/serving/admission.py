"""Bounds what is accepted and not yet answered, in requests and bytes; what is beyond is refused at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from resnetkit.serving.served import Overloaded

MAX_RETRY_SECONDS = 30
MEMORY = 0.9  # share that earlier requests keep in the mean


class Admission:
    """Counts requests; of one event loop.

    Args:
        max_bytes: of all together; a request that has more by itself is taken where there is no other.
    """

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self._num_requests = self._num_bytes = 0
        self._seconds = 0.0  # between two requests that leave, on average
        self._left = time.monotonic()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def num_requests(self) -> int:
        """Number of requests that are in."""
        return self._num_requests

    @contextmanager
    def taken(self, num_bytes: int) -> Iterator[None]:
        """Take a request for the duration of the block.

        Raises:
            Overloaded: where it would be too much.
        """
        if self._num_requests >= self._max_requests:
            raise Overloaded(f"{self._num_requests:,} requests are waiting already", self._retry_seconds())
        if self._num_requests and self._num_bytes + num_bytes > self._max_bytes:
            raise Overloaded(f"requests of {self._num_bytes:,} bytes are waiting already", self._retry_seconds())
        self._num_requests, self._num_bytes = self._num_requests + 1, self._num_bytes + num_bytes
        self._idle.clear()
        try:
            yield
        finally:
            self._num_requests, self._num_bytes = self._num_requests - 1, self._num_bytes - num_bytes
            now = time.monotonic()
            self._seconds = MEMORY * self._seconds + (1 - MEMORY) * (now - self._left)
            self._left = now
            if not self._num_requests:
                self._idle.set()

    async def empty(self) -> None:
        """Wait until no request is in."""
        await self._idle.wait()

    def _retry_seconds(self) -> int:
        """Seconds in which about half of what waits will have left, at the pace of the last ones."""
        return min(MAX_RETRY_SECONDS, max(1, math.ceil(self._seconds * self._num_requests / 2)))
