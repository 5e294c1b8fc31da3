"""Real digits, some of whose labels were made wrong on purpose."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

NUM_CLASSES = 10


class Flipped(NamedTuple):
    """Digits: pixels uint8 ``(N, 8, 8)``, labels with mistakes, the true ones, and where they differ."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    is_wrong: npt.NDArray[np.bool_]


def flipped_digits(num_flipped: int, *, num_images: int = 1797, seed: int = 0) -> Flipped:
    """The first digits, with so many labels changed into another class, any other with the same probability."""
    digits, draw = load_digits(), np.random.default_rng(seed)
    true = digits.target[:num_images].astype(np.int64)
    rows = draw.choice(len(true), num_flipped, replace=False)
    labels = true.copy()
    labels[rows] = (true[rows] + draw.integers(1, NUM_CLASSES, num_flipped)) % NUM_CLASSES
    pixels = np.floor(digits.images[:num_images] * (255 / 16) + 0.5).astype(
        np.uint8
    )  # as the data set of that name has them
    return Flipped(pixels, labels, true, labels != true)
