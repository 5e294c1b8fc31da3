"""Images that look the same, and those that do not."""

import imagehash
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from tests.audit.altered import ALTERED, picture

from resnetkit.audit.alterations import ALTERATIONS
from resnetkit.audit.likeness import are_plain, find_alike, hash_images, join_rows

PICTURES = [picture(number) for number in range(150)]


def grey_of(*images: Image.Image) -> np.ndarray:
    return np.stack([np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)) for image in images])


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_copy_is_found_and_nothing_else(name: str) -> None:
    change, told = ALTERED[name]
    for place in ([*PICTURES, change(PICTURES[70])], [change(PICTURES[70]), *PICTURES]):
        (pair,) = find_alike(grey_of(*place), num_workers=2)
        assert (pair.first, pair.second) in {(70, 150), (0, 71)}
        assert pair.correlation > 0.9
        assert pair.alteration == told


def test_an_orientation_undoes_what_it_tells() -> None:
    one = grey_of(PICTURES[3]).astype(np.float32)
    for alteration in (each for each in ALTERATIONS if each.goes_both_ways):
        other = alteration.apply(one)
        (pair,) = find_alike(np.concatenate([one, other]).astype(np.uint8))
        backs = [each.apply(other) for each in ALTERATIONS if each.note == pair.alteration]
        assert any(np.array_equal(back, one) for back in backs), alteration.note


def test_hashes_are_those_of_imagehash() -> None:
    grey = grey_of(*PICTURES[:20])
    hashes = hash_images(grey)
    for number, alteration in enumerate(each for each in ALTERATIONS if each.goes_both_ways):
        for row, image in enumerate(alteration.apply(grey)):
            bits = np.unpackbits(hashes[row, number : number + 1].view(np.uint8)).reshape(8, 8)
            assert np.array_equal(bits, imagehash.phash(Image.fromarray(image)).hash)


def test_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"ROWS": 4, "COLUMNS": 7, "TOGETHER": 2}.items():
        monkeypatch.setattr(f"resnetkit.audit.likeness.{name}", size)
    images = PICTURES[:30]
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


def test_many_that_look_the_same_are_connected_by_few_pairs() -> None:
    """As a fixed camera takes them: one scene and its noise, among other pictures."""
    scene, noise = grey_of(PICTURES[0])[0].astype(np.float32), np.random.default_rng(0).normal(0, 4, (200, 32, 32))
    alike = np.clip(scene + noise, 0, 255).astype(np.uint8)
    found = find_alike(np.concatenate([grey_of(*PICTURES[1:20]), alike]))
    assert len(found) < 10 * len(alike), "not all of 19,900 pairs"
    groups = join_rows(219, *np.array([(pair.first, pair.second) for pair in found]).T)
    assert len(set(groups[:19])) == 19
    assert len(set(groups[19:])) == 1


def test_of_few_that_look_the_same_all_pairs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnetkit.audit.likeness.TOGETHER", 2)
    scene, noise = grey_of(PICTURES[0])[0].astype(np.float32), np.random.default_rng(0).normal(0, 2, (8, 32, 32))
    assert len(find_alike(np.clip(scene + noise, 0, 255).astype(np.uint8))) == 8 * 7 / 2
