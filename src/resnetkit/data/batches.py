"""From a split to batches: which images, in which order, for which rank."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from resnetkit.data.randomness import permutation
from resnetkit.data.types import Split
from resnetkit.images.types import ArrayImages, Indices, UInt8Images
from resnetkit.machine.device import free_on_gpu, to_device

READERS = 2
BATCHES_AHEAD = 2  # that are ready beyond those being read, because files differ in size


@dataclass(frozen=True)
class Batch:
    """Images uint8 ``(N, C, H, W)``, labels int64 ``(N,)``, and their positions in the split, int64 ``(N,)``."""

    images: Tensor
    labels: Tensor
    indices: Indices


@dataclass(frozen=True)
class Shard:
    """The part of every batch that one process works on: slice ``rank`` of ``num_ranks`` equal slices."""

    rank: int = 0
    num_ranks: int = 1

    def of(self, indices: Indices) -> Indices:
        """This process's slice of one batch."""
        size = len(indices) // self.num_ranks
        return indices[self.rank * size : (self.rank + 1) * size]


def training_order(seed: int, epoch: int, num_images: int, batch_size: int) -> list[Indices]:
    """The batches of one epoch, shuffled; what is left after the last full batch waits for another epoch."""
    order = permutation(seed, epoch, num_images)
    num_batches = num_images // batch_size
    return list(order[: num_batches * batch_size].reshape(num_batches, batch_size))


def evaluation_order(num_images: int, batch_size: int) -> list[Indices]:
    """Every image once, in order."""
    return [np.arange(start, min(start + batch_size, num_images)) for start in range(0, num_images, batch_size)]


def resident_pixels(split: Split, device: torch.device) -> Tensor | None:
    """The pixels of a split on a GPU, where they are in memory and take at most a quarter of what it has free."""
    if device.type != "cuda" or not isinstance(split.images, ArrayImages):
        return None
    return to_device(split.images.pixels, device) if split.images.pixels.nbytes <= free_on_gpu(device) // 4 else None


def read_batches(
    split: Split, batches: list[Indices], *, num_workers: int = READERS, resident: Tensor | None = None
) -> Iterator[Batch]:
    """The batches of a split, one after the other; images that are not in memory are read ahead by threads.

    Threads, because whatever takes time here (decoding, resizing, copying, waiting for the disk) leaves the
    interpreter to others; so nothing is sent from process to process, and the first batch comes at once.

    Args:
        resident: what :func:`resident_pixels` gave for the split; its batches' images are on that device.
    """
    labels = split.labels
    if resident is not None:
        for indices in batches:
            yield Batch(resident[to_device(indices, resident.device)], torch.from_numpy(labels[indices]), indices)
        return
    if isinstance(split.images, ArrayImages) or num_workers == 0:
        for indices in batches:
            yield Batch(torch.from_numpy(split.images.read(indices)), torch.from_numpy(labels[indices]), indices)
        return
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="read")
    try:
        waiting: deque[tuple[Indices, Future[UInt8Images]]] = deque()
        todo = iter(batches)
        while True:
            for indices in islice(todo, num_workers + BATCHES_AHEAD - len(waiting)):
                waiting.append((indices, pool.submit(split.images.read, indices)))
            if not waiting:
                return
            indices, pixels = waiting.popleft()
            yield Batch(torch.from_numpy(pixels.result()), torch.from_numpy(labels[indices]), indices)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
