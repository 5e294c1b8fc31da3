"""From prepared pixels to the network's input: the second step of preprocessing, on whole batches."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from resnetkit.images.spec import Preprocessing


def normalize(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """``(value / 255 - mean) / std`` per channel: uint8 ``(N, C, H, W)`` to float32 in channels-last memory."""
    if preprocessing.channel_order == "bgr":
        images = images.flip(1)
    num_images, channels, height, width = images.shape
    # Whole rows at once: three values at a time, as broadcasting over channels would go, take four times as long.
    rows = images.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).reshape(-1, width * channels)
    scale, shift = _of_row(tuple(preprocessing.mean), tuple(preprocessing.std), width, images.device)
    scaled = rows.to(torch.float32, copy=True).mul_(scale).sub_(shift)
    return scaled.view(num_images, height, width, channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=16)
def _of_row(mean: tuple[float, ...], std: tuple[float, ...], width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scale and shift of one row of pixels, each ``(W * C,)``: a value becomes ``value * scale - shift``."""
    with torch.inference_mode(False):  # they outlive the call that asks first
        means, stds = torch.tensor(mean), torch.tensor(std)
        return (1 / (255 * stds)).repeat(width).to(device), (means / stds).repeat(width).to(device)
