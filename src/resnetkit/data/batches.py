"""From a split to batches: which images, in which order, for which rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from resnetkit.data.randomness import permutation
from resnetkit.data.source import ArrayImages, Indices, Split


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


def read_batches(split: Split, batches: list[Indices], *, num_workers: int = 0) -> Iterator[Batch]:
    """The batches of a split, one after the other; images that are not in memory are read ahead by workers."""
    if isinstance(split.images, ArrayImages) or num_workers == 0:
        images = (torch.from_numpy(split.images.read(indices)) for indices in batches)
        for pixels, indices in zip(images, batches, strict=True):
            yield Batch(pixels, torch.from_numpy(split.labels[indices]), indices)
        return
    # forkserver: a fork of a process with running threads can hang.
    loader: DataLoader[Tensor] = DataLoader(
        _BatchReader(split, batches),  # type: ignore[arg-type]
        batch_size=None,
        num_workers=num_workers,
        multiprocessing_context="forkserver",
        prefetch_factor=4,
    )
    for pixels, indices in zip(loader, batches, strict=True):
        yield Batch(pixels, torch.from_numpy(split.labels[indices]), indices)


class _BatchReader:
    """A map from batch number to its pixels, as a loader's workers want it."""

    def __init__(self, split: Split, batches: list[Indices]) -> None:
        self.images, self.batches = split.images, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Tensor:
        return torch.from_numpy(self.images.read(self.batches[number]))
