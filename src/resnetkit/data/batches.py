"""From a split to batches: which images, in which order, for which rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from resnetkit.data.randomness import permutation
from resnetkit.data.reading import READERS, read_in_turn
from resnetkit.data.types import Split
from resnetkit.images.types import ArrayImages, Indices
from resnetkit.machine.device import free_on_gpu, to_device


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


def resident_pixels(split: Split, device: torch.device) -> Tensor | None:
    """The pixels of a split on a GPU, where they are in memory and take at most a quarter of what it has free."""
    if device.type != "cuda" or not isinstance(split.images, ArrayImages):
        return None
    return to_device(split.images.pixels, device) if split.images.pixels.nbytes <= free_on_gpu(device) // 4 else None


def read_batches(
    split: Split, batches: list[Indices], *, num_workers: int = READERS, resident: Tensor | None = None
) -> Iterator[Batch]:
    """The batches of a split, one after the other; images that are not in memory are read ahead by threads.

    A batch lacks the images that turned out to be unreadable.

    Args:
        resident: what :func:`resident_pixels` gave for the split; its batches' images are on that device.
    """
    if resident is not None:
        pixels: Iterator[Tensor] = (resident[to_device(indices, resident.device)] for indices in batches)
    else:
        pixels = map(torch.from_numpy, read_in_turn(split.images, batches, num_workers=num_workers))
    for asked, images in zip(batches, pixels, strict=True):
        indices = split.readable(asked)
        yield Batch(images, torch.from_numpy(split.labels[indices]), indices)
