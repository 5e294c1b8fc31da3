"""Splits: whatever is chosen of one keeps what belongs to each image."""

import numpy as np

from resnetkit.data.types import Split
from resnetkit.images.types import ArrayImages


def test_chosen_images_keep_all_that_is_known_of_them() -> None:
    numbers = np.arange(6)
    pixels = numbers.astype(np.uint8)[:, None, None, None]  # each image shows its own number
    names, ratios = [f"{number}.png" for number in numbers], numbers.astype(np.float32)
    whole = Split("val", ArrayImages(pixels), numbers * 10, names, ratios, numbers.astype(np.uint64) * 100)
    chosen = whole.select(np.array([4, 1, 5])).select(np.array([2, 0]))  # of what was chosen, too
    assert (chosen.name, len(chosen), len(chosen.images)) == ("val", 2, 2)
    assert chosen.images.read(np.array([1, 0, 1])).ravel().tolist() == [4, 5, 4]
    assert chosen.labels.tolist() == [50, 40]
    assert list(chosen.identifiers) == ["5.png", "4.png"]
    assert chosen.aspect_ratios.tolist() == [5, 4]
    assert (chosen.digests.dtype, chosen.digests.tolist()) == (np.uint64, [500, 400])
