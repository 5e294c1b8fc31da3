"""Images that anyone can make again, to compare answers on."""

from __future__ import annotations

import numpy as np

from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import UInt8Images

NUM_CHECK_IMAGES = 8


def check_images(preprocessing: Preprocessing) -> UInt8Images:
    """Make images to compare answers on, uint8 ``(NUM_CHECK_IMAGES, C, S, S)``: ramps, blobs, an edge, waves, noise."""
    size, channels = preprocessing.image_size_px, preprocessing.channels
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:size, 0:size] / max(1, size - 1)
    tint = random.uniform(0.3, 1, (NUM_CHECK_IMAGES, channels, 1, 1))
    blobs = sum(
        height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / width**2)
        for y, x, width, height in random.uniform(0.1, 1, (6, 4))
    )
    shades = [
        columns,
        rows[::-1],
        (rows + columns) / 2,
        blobs / np.max(blobs),
        (columns > rows).astype(float),
        0.5 + 0.5 * np.sin(20 * rows) * np.cos(14 * columns),
    ]
    shaded = tint[:6] * np.stack(shades)[:, None] * 255
    noise = random.integers(0, 256, (1, channels, size, size))
    faint = 128 + random.integers(-20, 21, (1, channels, size, size))
    return np.concatenate([shaded, noise, faint]).round().clip(0, 255).astype(np.uint8)
