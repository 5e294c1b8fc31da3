"""Images read in turn, as arrays: which ones, in which order, and read ahead where they are not in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np

from resnetkit.images.types import ArrayImages, Images, Indices, UInt8Images

Item = TypeVar("Item")
Made = TypeVar("Made")

READERS = 2
BATCHES_AHEAD = 2  # that are ready beyond those being read, because files differ in size


def evaluation_order(num_images: int, batch_size: int) -> list[Indices]:
    """Every image once, in order."""
    return [np.arange(start, min(start + batch_size, num_images)) for start in range(0, num_images, batch_size)]


def read_in_turn(images: Images, batches: Sequence[Indices], *, num_workers: int = READERS) -> Iterator[UInt8Images]:
    """Yield the images at the indices of each batch, uint8 ``(n, C, H, W)``; threads read ahead what is not in memory.

    Threads, because whatever takes time here (decoding, resizing, copying, waiting for the disk) leaves the
    interpreter to others; so nothing is sent from process to process, and the first batch comes at once.
    """
    if isinstance(images, ArrayImages) or num_workers == 0:
        yield from map(images.read, batches)
        return
    yield from in_turn(images.read, batches, num_threads=num_workers, num_begun=num_workers + BATCHES_AHEAD)


def in_turn(make: Callable[[Item], Made], items: Iterable[Item], *, num_threads: int, num_begun: int) -> Iterator[Made]:
    """Yield what is made of each item, in order; threads work ahead, and so many are begun and not given out yet.

    On the way out, also after an error, what has not begun is dropped.
    """
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="read")
    try:
        waiting: deque[Future[Made]] = deque()
        todo = iter(items)
        while True:
            for item in islice(todo, num_begun - len(waiting)):
                waiting.append(pool.submit(make, item))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
