"""Small folders of pictures that look like photographs, with known copies among them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

CLASSES = ("cat", "dog")

Change = Callable[[Image.Image], Image.Image]


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


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    """Cuts off these shares of the sides."""
    return lambda image: image.crop(
        (
            round(left * image.width),
            round(top * image.height),
            round((1 - right) * image.width),
            round((1 - bottom) * image.height),
        )
    )


# What was done to an image, and what is told of it.
ALTERED: dict[str, tuple[Change, str]] = {
    "smaller": (lambda image: image.resize((image.width * 7 // 10, image.height * 7 // 10)), ""),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), ""),
    "grey": (ImageOps.grayscale, ""),
    "mirrored": (ImageOps.mirror, "mirrored"),
    "upside down": (ImageOps.flip, "mirrored and turned upside down"),
    "turned to the right": (lambda image: image.transpose(Image.Transpose.ROTATE_270), "turned by a quarter"),
    "turned to the left": (lambda image: image.transpose(Image.Transpose.ROTATE_90), "turned by a quarter"),
    "turned around": (lambda image: image.transpose(Image.Transpose.ROTATE_180), "turned upside down"),
    "cropped on all sides": (cropped(0.06, 0.06, 0.06, 0.06), "cropped"),
    "cropped on one side": (cropped(0, 0.05, 0, 0), "cropped"),
    "cropped at a corner": (cropped(0, 0.05, 0.05, 0), "cropped"),
}
