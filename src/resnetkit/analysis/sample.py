"""The images that a network is analysed on: few enough to wait for, chosen the same way each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from resnetkit.images.normalization import normalize
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import Indices, UInt8Images

BATCH_SIZE = 125


@dataclass(frozen=True)
class Sample:
    """Prepared images with their labels.

    Attributes:
        pixels: uint8 ``(N, C, S, S)``.
        labels: int64 ``(N,)``, positions among the network's classes.
        num_trained_on: how many of them the weights were trained on, as far as is known.
    """

    pixels: UInt8Images
    labels: Indices
    preprocessing: Preprocessing
    num_trained_on: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, device: torch.device, batch_size: int = BATCH_SIZE) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the network's inputs, float32 ``(n, C, S, S)``, and labels, int64 ``(n,)``, in order."""
        for start in range(0, len(self), batch_size):
            pixels = np.ascontiguousarray(self.pixels[start : start + batch_size])
            labels = torch.from_numpy(self.labels[start : start + batch_size])
            yield normalize(torch.from_numpy(pixels).to(device), self.preprocessing), labels.to(device)


def choose_rows(labels: Indices, num_images: int, *, seed: int = 0) -> Indices:
    """Choose some rows, ascending: of each class the same share, drawn at random; all where there are no more.

    >>> choose_rows(np.array([0, 0, 0, 0, 1, 1]), 3).tolist()
    [0, 2, 5]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    places = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        places[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(np.argsort(places, kind="stable")[:num_images])
