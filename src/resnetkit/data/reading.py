"""Images read in turn, as arrays: which ones, in which order, and read ahead where they are not in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np

from resnetkit.images.types import ArrayImages, Images, Indices, UInt8Images

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
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="read")
    try:
        waiting: deque[Future[UInt8Images]] = deque()
        todo = iter(batches)
        while True:
            for indices in islice(todo, num_workers + BATCHES_AHEAD - len(waiting)):
                waiting.append(pool.submit(images.read, indices))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
