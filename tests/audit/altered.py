"""Small folders of pictures that look like photographs, with known copies among them."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

CLASSES = ("cat", "dog")


def picture(number: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A picture of soft patches in all colours, another one for each number."""
    draw = np.random.default_rng(number)
    patches = Image.fromarray(draw.integers(0, 256, (7, 9, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = draw.normal(0, 6, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(patches) + grain, 0, 255).astype(np.uint8))


def write_photos(folder: Path, *, train: int = 24, val: int = 12) -> Path:
    """Two classes with a split each for training and validation, no picture twice."""
    for split, start, count in (("train", 0, train), ("val", 1000, val)):
        for number in range(start, start + count):
            save(picture(number), folder / split / CLASSES[number % 2] / f"{number}.png")
    return folder


def save(image: Image.Image, path: Path, **options: object) -> Path:
    """Write an image, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


ALTERATIONS = {
    "smaller": lambda image: image.resize((image.width * 7 // 10, image.height * 7 // 10)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "grey": lambda image: ImageOps.grayscale(image),
    "mirrored": ImageOps.mirror,
    "turned by 90°": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "turned by 270°": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned by 180°": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "upside down": ImageOps.flip,
}
