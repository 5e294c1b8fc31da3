"""Images that look the same, and those that do not."""

import imagehash
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from tests.audit.altered import ALTERATIONS, picture

from resnetkit.audit.likeness import ORIENTATIONS, are_plain, find_alike, hash_images, turn


def grey_of(*images: Image.Image) -> np.ndarray:
    return np.stack([np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)) for image in images])


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_altered_copy_is_found_and_nothing_else(name: str) -> None:
    images = [picture(number) for number in range(150)]
    (pair,) = find_alike(grey_of(*images, ALTERATIONS[name](images[70])), num_workers=2)
    assert (pair.first, pair.second) == (70, 150)
    assert pair.correlation > 0.95
    turned = {"upside down": "upside down and mirrored", "mirrored": "mirrored"}
    assert pair.orientation == turned.get(name, name if "turned" in name else "")


def test_turning_undoes_an_orientation() -> None:
    (one,) = grey_of(picture(3))
    for number, name in enumerate(ORIENTATIONS):
        (other,) = turn(one[None], number)
        (pair,) = find_alike(np.stack([one, other]))
        (back,) = turn(other[None], ORIENTATIONS.index(pair.orientation))
        assert np.array_equal(back, one), name


def test_hashes_are_those_of_imagehash() -> None:
    grey = grey_of(*(picture(number) for number in range(20)))
    hashes = hash_images(grey)
    for number in range(len(ORIENTATIONS)):
        for row, image in enumerate(turn(grey, number)):
            bits = np.unpackbits(hashes[row, number : number + 1].view(np.uint8)).reshape(8, 8)
            assert np.array_equal(bits, imagehash.phash(Image.fromarray(image)).hash)


def test_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnetkit.audit.likeness.ROWS", 4)
    monkeypatch.setattr("resnetkit.audit.likeness.COLUMNS", 7)
    monkeypatch.setattr("resnetkit.audit.likeness.TOGETHER", 2)
    images = [picture(number) for number in range(30)]
    found = find_alike(grey_of(*images, *(image.transpose(Image.Transpose.ROTATE_90) for image in images)))
    assert {(pair.first, pair.second) for pair in found} == {(number, number + 30) for number in range(30)}


def test_different_digits_are_not_taken_for_copies() -> None:
    images = (load_digits().images[:600] * 255 / 16).astype(np.uint8)
    grey = grey_of(*map(Image.fromarray, images))
    assert are_plain(grey).mean() > 0.99, "they stand on an empty background"
    assert not find_alike(grey)


def test_images_of_one_colour_are_like_none() -> None:
    flat = np.full((3, 32, 32), 128, np.uint8)
    flat[:, 3, 4] += np.array([0, 2, 3], np.uint8)
    assert not find_alike(flat)
