"""A small folder of images in two classes, for tests of what happens when one of them turns out to be broken."""

from pathlib import Path

import numpy as np
from PIL import Image

NUM_IMAGES, BROKEN = 24, "dog/05.png"


def write_images(folder: Path) -> Path:
    """Two classes of a dozen images in colour."""
    draw = np.random.default_rng(0)
    for number in range(NUM_IMAGES):
        path = folder / ("cat", "dog")[number % 2] / f"{number // 2:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (14, 12, 3), np.uint8)).save(path)
    return folder


def broken(folder: Path) -> Path:
    """The same folder, with one image that is broken behind its header."""
    path = folder / BROKEN
    path.write_bytes(path.read_bytes()[:-40])
    return folder
