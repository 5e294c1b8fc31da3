"""The images that a network is analysed on: few enough to wait for, chosen the same way each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from resnetkit.images.normalization import normalize
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import Indices, UInt8Images

BATCH_SIZE = 125
UNKNOWN = -1


@dataclass(frozen=True)
class Sample:
    """Prepared images with their labels.

    Attributes:
        pixels: uint8 ``(N, C, S, S)``.
        labels: int64 ``(N,)``, positions among the network's classes; :data:`UNKNOWN` where they are of others.
        num_trained_on: how many of them the weights were trained on, as far as is known.
    """

    pixels: UInt8Images
    labels: Indices
    preprocessing: Preprocessing
    num_trained_on: int = 0

    @property
    def is_labelled(self) -> bool:
        """True where answers can be judged."""
        return bool((self.labels != UNKNOWN).all())

    def __len__(self) -> int:
        return len(self.labels)

    def some(self, num_images: int) -> Sample:
        """So many of the images, evenly spaced; all where there are no more."""
        if num_images >= len(self):
            return self
        rows = np.linspace(0, len(self) - 1, num_images).round().astype(np.int64)
        return replace(self, pixels=self.pixels[rows], labels=self.labels[rows], num_trained_on=0)

    def batches(self, device: torch.device, batch_size: int = BATCH_SIZE) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the network's inputs, float32 ``(n, C, S, S)``, and labels, int64 ``(n,)``, in order."""
        for start in range(0, len(self), batch_size):
            pixels = np.ascontiguousarray(self.pixels[start : start + batch_size])
            labels = torch.from_numpy(self.labels[start : start + batch_size])
            yield normalize(torch.from_numpy(pixels).to(device), self.preprocessing), labels.to(device)
