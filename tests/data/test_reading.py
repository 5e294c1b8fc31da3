"""Images read in turn, as arrays; what threads read ahead is held in test_batches.py."""

from dataclasses import dataclass

import numpy as np
import pytest

from resnetkit.data.reading import evaluation_order, read_in_turn
from resnetkit.images.types import ArrayImages


@dataclass(frozen=True)
class Elsewhere:
    """Images that are not in memory, as far as anybody can tell."""

    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, indices: np.ndarray) -> np.ndarray:
        return self.pixels[indices]


@pytest.mark.parametrize(("num_images", "batch_size"), [(24, 8), (23, 8), (3, 8), (0, 8)])
def test_evaluation_shows_every_image_once_in_order(num_images: int, batch_size: int) -> None:
    batches = evaluation_order(num_images, batch_size)
    assert np.concatenate([*batches, np.arange(0)]).tolist() == list(range(num_images))
    assert all(1 <= len(batch) <= batch_size for batch in batches)


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_images_come_as_they_are_asked_for_from_memory_and_from_elsewhere(num_workers: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (23, 3, 4, 4), dtype=np.uint8)
    batches = [np.array([5, 2]), np.array([22]), np.arange(7)]
    for images in (ArrayImages(pixels), Elsewhere(pixels)):
        read = list(read_in_turn(images, batches, num_workers=num_workers))
        assert all(map(np.array_equal, read, (pixels[indices] for indices in batches)))
        assert len(read) == len(batches)
    assert list(read_in_turn(Elsewhere(pixels), [], num_workers=num_workers)) == []
