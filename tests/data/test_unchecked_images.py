"""Images that are checked when they are first read: the same pixels, and bad ones met when their turn comes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cats_and_dogs import BROKEN, NUM_IMAGES, broken, write_images

from resnetkit.data import source as data_source
from resnetkit.data.batches import read_batches
from resnetkit.data.loading import open_data
from resnetkit.data.source import BadImagesError, DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import Split
from resnetkit.images.spec import Preprocessing

WANTED = Preprocessing(image_size_px=8, resize_px=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_images(tmp_path / "photos")


def source(folder: Path, **fields: object) -> DataSource:
    return open_data(replace(DataSpec(str(folder), test_fraction=0.25, cache="off"), **fields))


def read_all(split: Split) -> tuple[np.ndarray, list[int]]:
    """The pixels and the positions of what can be read."""
    batches = list(read_batches(split, np.array_split(np.arange(len(split)), 4)))
    return np.concatenate([batch.images.numpy() for batch in batches]), [i for b in batches for i in b.indices.tolist()]


def test_they_are_the_images_that_checking_first_gives(folder: Path) -> None:
    names = ("train", "val", "test")
    first, later = (source(folder).load(names, WANTED, lazily=lazily) for lazily in (False, True))
    assert (first.is_checked, later.is_checked) == (True, False)
    for name in names:
        checked, unchecked = first.splits[name], later.splits[name]
        assert not unchecked.digests.any(), "nothing is read before it is needed"
        for _ in range(2):  # examined, then only decoded
            pixels, rows = read_all(unchecked)
            np.testing.assert_array_equal(pixels, checked.images.read(np.arange(len(checked))))
            assert rows == list(range(len(checked)))
        np.testing.assert_array_equal(unchecked.digests, checked.digests)
        np.testing.assert_array_equal(unchecked.aspect_ratios, checked.aspect_ratios)
        assert list(unchecked.identifiers) == list(checked.identifiers)


def test_a_bad_image_stops_when_it_is_met(folder: Path) -> None:
    data = source(broken(folder), validation_fraction=0, test_fraction=0)
    split = data.load(["train"], WANTED, lazily=True).splits["train"]
    others = np.delete(np.arange(NUM_IMAGES), list(split.identifiers).index(BROKEN))
    assert len(split.images.read(others)) == NUM_IMAGES - 1
    with pytest.raises(BadImagesError) as raised:
        read_all(split)
    assert [bad.path for bad in raised.value.bad_images] == [f"{folder}/{BROKEN}"]


def test_a_bad_image_that_is_skipped_is_missing_in_its_batch_and_named(folder: Path) -> None:
    data = source(broken(folder), validation_fraction=0, test_fraction=0, on_bad_image="skip")
    loaded = data.load(["train"], WANTED, lazily=True)
    split = loaded.splits["train"]
    row = list(split.identifiers).index(BROKEN)
    for _ in range(2):
        pixels, rows = read_all(split)
        assert rows == np.delete(np.arange(NUM_IMAGES), row).tolist()
        assert len(pixels) == NUM_IMAGES - 1
    (bad,) = loaded.bad_images_so_far()
    assert bad.path == f"{folder}/{BROKEN}"
    assert len(split.without_bad()) == NUM_IMAGES - 1
    assert split.images.read(np.array([row])).shape == (0, 3, 10, 10)


def test_how_long_checking_first_takes_is_said_of_many_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = source(folder)
    assert data.time_to_check(WANTED) is None
    monkeypatch.setattr(data_source, "MANY_IMAGES", NUM_IMAGES)
    seconds = data.time_to_check(WANTED)
    assert seconds is not None
    assert seconds > 0
    cached = source(folder, cache=str(folder.parent / "cache"))
    cached.load(["train", "val", "test"], WANTED)
    assert cached.time_to_check(WANTED) is None


def test_named_data_say_that_it_has_no_effect() -> None:
    assert open_data(DataSpec("digits", check="lazy")).warnings == (
        "data.check has no effect: digits is no image folder",
    )
