"""Random changes to a whole training batch at once.

Where and how is drawn per image by :func:`~resnetkit.data.randomness.uniform`; the pixels are moved by a few tensor
operations on any device. A change whose rate is 0 costs nothing. Training runs what stands in the tables at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.data.randomness import Purpose, uniform, uniform_each
from resnetkit.data.spec import Augmentation
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import Indices
from resnetkit.machine.device import to_device

Draws = npt.NDArray[np.float64]


def crop_and_flip(
    images: Tensor,
    aspect_ratios: npt.NDArray[np.float32],
    augmentation: Augmentation,
    preprocessing: Preprocessing,
    seed: int,
    epoch: int,
    indices: Indices,
) -> Tensor:
    """Cut the network's input out of whole images: uint8 ``(N, C, T, T)`` to uint8 ``(N, C, S, S)``.

    Where the network is to see images as they were, cropped, the crops are; else they are of the square that the whole
    image was made.
    """
    image_size_px, is_cropped = preprocessing.image_size_px, preprocessing.fit == "crop"
    if not is_cropped:
        aspect_ratios = np.ones_like(aspect_ratios)
    drawn = uniform_each(seed, epoch, indices, (Purpose.FLIP, Purpose.CROP), 2 if augmentation.crop_area is None else 4)
    flip, draws = drawn[:, 0, 0] < augmentation.flip_rate, drawn[:, 1]
    if augmentation.crop_area is not None:
        return resized_crop(images, _crop_boxes(augmentation, aspect_ratios, draws), flip, image_size_px)
    if images.shape[-1] != image_size_px or (aspect_ratios != 1).any():
        side = image_size_px / images.shape[-1] if is_cropped else 1.0
        images = resized_crop(images, _center_boxes(aspect_ratios, side), flip, image_size_px)
        flip = np.zeros_like(flip)
    if augmentation.pad_px:
        return _pad_and_crop(images, augmentation.pad_px, draws, flip)
    return _mirror(images.clone(), flip) if flip.any() else images


def _pad_and_crop(images: Tensor, pad_px: int, draws: Draws, flip: npt.NDArray[np.bool_]) -> Tensor:
    """Each image, mirrored where ``flip``, shifted by up to ``pad_px`` pixels; what moves in is 0
    (arXiv:1512.03385, Section 4.2)."""
    size = images.shape[-1]
    windows = F.pad(images, (pad_px,) * 4).unfold(2, size, 1).unfold(3, size, 1)
    rows, columns = (draws[:, :2] * (2 * pad_px + 1)).astype(np.int64).T
    columns = np.where(flip, 2 * pad_px - columns, columns)  # mirrored afterwards, in memory that is new anyway
    move = _take_rows if images.device.type == "cpu" else _take_pixels
    return _mirror(move(windows, rows, columns), flip)


def _take_rows(windows: Tensor, rows: Indices, columns: Indices) -> Tensor:
    """One window of each image, on a CPU: NumPy copies whole rows of it, torch pixel by pixel."""
    return torch.from_numpy(windows.numpy()[np.arange(len(windows)), :, rows, columns])


def _take_pixels(windows: Tensor, rows: Indices, columns: Indices) -> Tensor:
    """One window of each image, on a device."""
    number, row, column = (to_device(where, windows.device) for where in (np.arange(len(windows)), rows, columns))
    return windows[number, :, row, column]


def _mirror(images: Tensor, flip: npt.NDArray[np.bool_]) -> Tensor:
    """The same images, those where ``flip`` mirrored left-right in place."""
    if images.device.type == "cpu":
        pixels = images.numpy()
        pixels[flip] = torch.from_numpy(pixels[flip]).flip(3).numpy()
        return images
    return torch.where(_column(flip, images), images.flip(3), images)


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


def _center_boxes(aspect_ratios: npt.NDArray[np.float32], side: float) -> Draws:
    """The evaluation crop as boxes: the central square whose side is this share of the image's shorter side."""
    width, height = side * np.minimum(1 / aspect_ratios, 1), side * np.minimum(aspect_ratios, 1)
    half = np.full_like(width, 0.5)
    return np.stack([half, half, width, height], axis=1).astype(np.float64)


def resized_crop(images: Tensor, boxes: Draws, flip: npt.NDArray[np.bool_], size_px: int) -> Tensor:
    """Boxes of each image resized (bilinear) to ``size_px`` squares, mirrored where ``flip``; uint8 to uint8.

    The edges of a box are rounded to whole pixels, and what lies outside it has no influence.
    """
    edges = _whole_pixels(boxes, images.shape[-1])
    crop = _crop_one_by_one if images.device.type == "cpu" else _crop_at_once
    return crop(images, edges, flip, size_px)


def _whole_pixels(boxes: Draws, whole_px: int) -> Indices:
    """Left, top, right and bottom of boxes (center x, center y, width, height), ``(N, 4)``; at least one pixel."""
    center, half = boxes[:, :2], boxes[:, 2:] / 2
    first = np.clip(np.rint((center - half) * whole_px), 0, whole_px - 1)
    last = np.clip(np.rint((center + half) * whole_px), first + 1, whole_px)
    return np.concatenate([first, last], axis=1).astype(np.int64)


def _crop_one_by_one(images: Tensor, edges: Indices, flip: npt.NDArray[np.bool_], size_px: int) -> Tensor:
    """Crop on a CPU: bytes in channels-last memory have vector instructions of their own, in whole numbers."""
    layout = torch.channels_last
    images = images.contiguous(memory_format=layout)
    crops = torch.empty(*images.shape[:2], size_px, size_px, dtype=torch.uint8, memory_format=layout)
    for number, ((left, top, right, bottom), mirrored) in enumerate(zip(edges.tolist(), flip.tolist(), strict=True)):
        box = images[number : number + 1, :, top:bottom, left:right]
        crop = F.interpolate(box, (size_px, size_px), mode="bilinear")
        crops[number] = (crop.flip(3) if mirrored else crop)[0]
    return crops


def _crop_at_once(images: Tensor, edges: Indices, flip: npt.NDArray[np.bool_], size_px: int) -> Tensor:
    """Crop on a device, where one call for each image would cost more than its pixels."""
    centers = (np.arange(size_px) + 0.5) / size_px
    x, y = (
        np.clip(first[:, None] + centers * (last - first)[:, None] - 0.5, first[:, None], last[:, None] - 1)
        for first, last in (edges[:, ::2].T, edges[:, 1::2].T)
    )
    x[flip] = x[flip, ::-1]
    across, down = (to_device(((2 * at + 1) / images.shape[-1] - 1).astype(np.float32), images.device) for at in (x, y))
    grid = torch.stack([across[:, None, :].expand(-1, size_px, -1), down[:, :, None].expand(-1, -1, size_px)], dim=3)
    pixels = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return pixels.round_().to(torch.uint8)


def change_colors(images: Tensor, augmentation: Augmentation, seed: int, epoch: int, indices: Indices) -> Tensor:
    """Brightness, then contrast around each image's mean: uint8 ``(N, C, H, W)`` to float in the same range."""
    if not (augmentation.brightness or augmentation.contrast):
        return images
    draws = 2 * uniform(seed, epoch, indices, Purpose.COLOR, 2) - 1
    bright, contrast = 1 + augmentation.brightness * draws[:, 0], 1 + augmentation.contrast * draws[:, 1]
    changed = images.to(torch.float32, copy=True)
    # (b x - b m) c + b m = (b c) x + (b m - b c m): in place, because memory costs more than arithmetic here.
    shift = changed.mean((1, 2, 3), keepdim=True).mul_(_column(bright * (1 - contrast), changed))
    return changed.mul_(_column(bright * contrast, changed)).add_(shift).clamp_(0, 255)


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
    """Mark which of ``size`` pixels lie in [start, start + length), bool ``(N, size)``."""
    first, last = np.round(start), np.round(start + length)
    pixels = np.arange(size)
    return to_device((pixels >= first[:, None]) & (pixels < last[:, None]), device)


def _column(values: npt.NDArray[np.bool_] | Draws, images: Tensor) -> Tensor:
    """One value per image, shaped to spread over ``(N, C, H, W)``."""
    column = to_device(values, images.device)[:, None, None, None]
    return column if column.dtype == torch.bool else column.to(images.dtype)


# From images ``(N, C, S, S)``, the settings, seed, epoch and the images' indices to changed images of the same shape.
Change = Callable[[Tensor, Augmentation, int, int, Indices], Tensor]

# What every batch of training goes through once it is cropped, in this order: as pixels in [0, 255], uint8 or float32,
# and then as the network's input. An entry here is all that makes a change happen.
PIXEL_CHANGES: tuple[Change, ...] = (change_colors,)
INPUT_CHANGES: tuple[Change, ...] = (erase,)
