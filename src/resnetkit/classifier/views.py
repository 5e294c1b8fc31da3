"""The views of an image that a network is shown, in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from resnetkit.images.normalization import normalize
from resnetkit.images.spec import Preprocessing
from resnetkit.machine.device import exact_float32


def view_logits(network: Callable[[Tensor], Tensor], pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return the float32 logits ``(N, V, K)`` of the views of preprocessed images, uint8 ``(N, C, S, S)``.

    V is 1, or 2 where the preprocessing averages over the mirror image too.
    """
    with exact_float32(pixels.device):
        return torch.stack([network(view).float() for view in iter_views(pixels, preprocessing)], dim=1)


def iter_views(pixels: Tensor, preprocessing: Preprocessing) -> Iterator[Tensor]:
    """The views of preprocessed images, each normalised, float32 ``(N, C, S, S)``."""
    images = normalize(pixels, preprocessing)
    yield images
    if preprocessing.average_mirrored:
        yield images.flip(3)
