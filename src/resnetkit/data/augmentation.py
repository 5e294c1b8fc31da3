"""Random changes to a whole training batch at once.

Where and how is drawn per image by :func:`~resnetkit.data.randomness.uniform`; the pixels are moved by a few tensor
operations on any device. A change whose rate is 0 costs nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.data.randomness import Purpose, uniform
from resnetkit.data.source import Indices
from resnetkit.data.spec import Augmentation

Draws = npt.NDArray[np.float64]


def crop_and_flip(
    images: Tensor,
    aspect_ratios: npt.NDArray[np.float32],
    augmentation: Augmentation,
    image_size_px: int,
    seed: int,
    epoch: int,
    indices: Indices,
) -> Tensor:
    """Cut the network's input out of whole images: uint8 ``(N, C, T, T)`` to uint8 ``(N, C, S, S)``."""
    flip = uniform(seed, epoch, indices, Purpose.FLIP, 1)[:, 0] < augmentation.flip_rate
    draws = uniform(seed, epoch, indices, Purpose.CROP, 4)
    if augmentation.crop_area is not None:
        return resized_crop(images, _crop_boxes(augmentation, aspect_ratios, draws), flip, image_size_px)
    if images.shape[-1] != image_size_px or (aspect_ratios != 1).any():
        images = resized_crop(
            images, _center_boxes(aspect_ratios, images.shape[-1], image_size_px), flip, image_size_px
        )
    elif flip.any():
        images = torch.where(_column(flip, images), images.flip(3), images)
    return _pad_and_crop(images, augmentation.pad_px, draws) if augmentation.pad_px else images


def _pad_and_crop(images: Tensor, pad_px: int, draws: Draws) -> Tensor:
    """Shift each image by up to ``pad_px`` pixels; what moves in is 0 (arXiv:1512.03385, Section 4.2)."""
    size = images.shape[-1]
    windows = F.pad(images, (pad_px,) * 4).unfold(2, size, 1).unfold(3, size, 1)
    offsets = torch.from_numpy((draws[:, :2] * (2 * pad_px + 1)).astype(np.int64)).to(images.device)
    return windows[torch.arange(len(images), device=images.device), :, offsets[:, 0], offsets[:, 1]]


def _crop_boxes(augmentation: Augmentation, aspect_ratios: npt.NDArray[np.float32], draws: Draws) -> Draws:
    """Crops (arXiv:1409.4842) as (center x, center y, width, height) in shares of the image, ``(N, 4)``.

    A crop larger than the image is cut to it, so that one draw always gives one crop.
    """
    assert augmentation.crop_area is not None
    low, high = augmentation.crop_area
    area = low + (high - low) * draws[:, 0]
    narrow, wide = np.log(augmentation.crop_aspect)
    aspect = np.exp(narrow + (wide - narrow) * draws[:, 1])
    # Shares of a squeezed image: an undistorted crop of the photo is narrower there the wider the photo is.
    width = np.minimum(np.sqrt(area * aspect / aspect_ratios), 1)
    height = np.minimum(np.sqrt(area / aspect * aspect_ratios), 1)
    x = width / 2 + (1 - width) * draws[:, 2]
    y = height / 2 + (1 - height) * draws[:, 3]
    return np.stack([x, y, width, height], axis=1)


def _center_boxes(aspect_ratios: npt.NDArray[np.float32], whole_px: int, image_size_px: int) -> Draws:
    """The evaluation crop as boxes: the central square whose side is S / T of the image's shorter side."""
    side = image_size_px / whole_px
    width, height = side * np.minimum(1 / aspect_ratios, 1), side * np.minimum(aspect_ratios, 1)
    half = np.full_like(width, 0.5)
    return np.stack([half, half, width, height], axis=1).astype(np.float64)


def resized_crop(images: Tensor, boxes: Draws, flip: npt.NDArray[np.bool_], size_px: int) -> Tensor:
    """Boxes of each image resized (bilinear) to ``size_px`` squares, mirrored where ``flip``; uint8 to uint8."""
    x, y, width, height = (torch.from_numpy(column.astype(np.float32)) for column in boxes.T)
    affine = torch.zeros(len(boxes), 2, 3)
    affine[:, 0, 0], affine[:, 0, 2] = width * torch.where(torch.from_numpy(flip), -1.0, 1.0), 2 * x - 1
    affine[:, 1, 1], affine[:, 1, 2] = height, 2 * y - 1
    grid = F.affine_grid(
        affine.to(images.device), [len(images), images.shape[1], size_px, size_px], align_corners=False
    )
    pixels = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return pixels.round_().to(torch.uint8)


def change_colors(images: Tensor, augmentation: Augmentation, seed: int, epoch: int, indices: Indices) -> Tensor:
    """Brightness, then contrast around each image's mean: uint8 ``(N, C, H, W)`` to float in the same range."""
    if not (augmentation.brightness or augmentation.contrast):
        return images
    draws = 2 * uniform(seed, epoch, indices, Purpose.COLOR, 2) - 1
    images = images.float()
    images = images * _column(1 + augmentation.brightness * draws[:, 0], images)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * _column(1 + augmentation.contrast * draws[:, 1], images) + mean
    return images.clamp_(0, 255)


def erase(images: Tensor, augmentation: Augmentation, seed: int, epoch: int, indices: Indices) -> Tensor:
    """Paint a rectangle with 0, the mean colour after normalisation, over some images (arXiv:1708.04896)."""
    if not augmentation.erase_rate:
        return images
    draws = uniform(seed, epoch, indices, Purpose.ERASE, 5)
    low, high = augmentation.erase_area
    area = low + (high - low) * draws[:, 1]
    aspect = np.exp(np.log(0.3) + (np.log(1 / 0.3) - np.log(0.3)) * draws[:, 2])
    height = np.minimum(np.sqrt(area * aspect), 1) * images.shape[2]
    width = np.minimum(np.sqrt(area / aspect), 1) * images.shape[3]
    top, left = draws[:, 3] * (images.shape[2] - height), draws[:, 4] * (images.shape[3] - width)
    chosen = draws[:, 0] < augmentation.erase_rate
    rows = _inside(top, height, images.shape[2], images.device)[:, None, :, None]
    columns = _inside(left, width, images.shape[3], images.device)[:, None, None, :]
    return images.masked_fill(_column(chosen, images) & rows & columns, 0.0)


def _inside(start: Draws, length: Draws, size: int, device: torch.device) -> Tensor:
    """Which of ``size`` pixels lie in [start, start + length), bool ``(N, size)``."""
    first, last = np.round(start), np.round(start + length)
    pixels = np.arange(size)
    return torch.from_numpy((pixels >= first[:, None]) & (pixels < last[:, None])).to(device)


def _column(values: npt.NDArray[np.bool_] | Draws, images: Tensor) -> Tensor:
    """One value per image, shaped to spread over ``(N, C, H, W)``."""
    column = torch.from_numpy(values)[:, None, None, None]
    return column.to(images.device, None if column.dtype == torch.bool else images.dtype)
