"""Prepare decoded pixels: whole for training, so that crops can be cut on the fly, or as a network sees them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from resnetkit.images.preprocessing import inner_size, prepare_for_evaluation, prepare_for_training
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import UInt8Images


def prepare_whole(pixels: UInt8Images, preprocessing: Preprocessing) -> UInt8Images:
    """An image ``(H, W)`` or ``(H, W, 3)`` as :func:`~resnetkit.images.preprocessing.prepare_for_training` prepares it,
    uint8 ``(C, T, T)``; several times as fast, and in channels-last memory.

    Bilinear pixels are Pillow's but for rounding: they differ by one grey level at most. The others are Pillow's.
    """
    if preprocessing.interpolation != "bilinear":
        return prepare_for_training(Image.fromarray(pixels), preprocessing)
    image = torch.from_numpy(pixels).view(1, *pixels.shape[:2], -1).permute(0, 3, 1, 2)
    side, (rows, columns) = preprocessing.resize_px, pixels.shape[:2]
    width, height = inner_size(columns, rows, side, preprocessing.fit)
    resized: UInt8Images = F.interpolate(image, (height, width), mode="bilinear", antialias=True)[0].numpy()
    if (width, height) == (side, side):
        return resized
    square = np.empty((side, side, len(resized)), np.uint8)
    square[:] = preprocessing.fill
    left, top = (side - width) // 2, (side - height) // 2
    square[top : top + height, left : left + width] = resized.transpose(1, 2, 0)
    return square.transpose(2, 0, 1)


def prepare_seen(pixels: UInt8Images, preprocessing: Preprocessing) -> UInt8Images:
    """An image ``(H, W)`` or ``(H, W, 3)`` as :func:`prepare_for_evaluation` prepares it."""
    return prepare_for_evaluation(Image.fromarray(pixels), preprocessing)
