"""What weights remember of the images they have met."""

from dataclasses import replace

import numpy as np
import pytest

from resnetkit.config import from_dict, to_dict
from resnetkit.data.seen import SeenImages, contains, pack_digests, unpack_digests
from resnetkit.data.types import Split
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.types import ArrayImages

LARGEST = 2**64 - 1


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def splits(**digests: list[int]) -> dict[str, Split]:
    return {name: split(name, values) for name, values in digests.items()}


def split(name: str, values: list[int]) -> Split:
    num = len(values)
    images = ArrayImages(np.zeros((num, 1, 2, 2), np.uint8))
    return Split(name, images, np.zeros(num, np.int64), ["?"] * num, np.ones(num, np.float32), numbers(*values))


def test_digests_become_text_and_come_back_different_and_ascending() -> None:
    packed = pack_digests(numbers(LARGEST, 5, 2**63, 5, 0))
    assert unpack_digests(packed).tolist() == [0, 5, 2**63, LARGEST]
    assert unpack_digests(packed).dtype == np.uint64
    assert unpack_digests("").tolist() == []
    assert len(pack_digests(np.arange(3000, dtype=np.uint64))) == 32_000


def test_which_of_some_digests_are_among_others() -> None:
    known = numbers(3, 7, LARGEST)
    assert contains(known, numbers(7, 0, LARGEST, 8, 3)).tolist() == [True, False, True, False, True]
    assert contains(numbers(), numbers(7, 0)).tolist() == [False, False]
    assert contains(known, numbers()).tolist() == []


@pytest.mark.parametrize("text", ["AAAA", "!", "A", pack_digests(numbers(1)) * 2])
def test_damaged_text_is_refused_when_it_is_asked_for(text: str) -> None:
    with pytest.raises(ResnetkitError, match="is damaged") as raised:
        unpack_digests(text)
    assert raised.value.code is Code.WEIGHTS


def test_a_chain_of_trainings_keeps_knowing_all_it_was_trained_on() -> None:
    first = SeenImages().then(splits(train=[1, 2], val=[3], test=[4]), val_chose=True)
    second = first.then(splits(train=[3, 5], test=[2, 4, 6]), val_chose=True)
    third = second.then(splits(train=[7]), val_chose=True)
    asked = numbers(1, 2, 3, 4, 5, 6, 7, 8)
    assert first.trained_on(asked).nonzero()[0].tolist() == [0, 1]
    assert first.chose(asked).nonzero()[0].tolist() == [2]
    assert second.trained_on(asked).nonzero()[0].tolist() == [0, 1, 2, 4]
    assert not second.chose(asked).any(), "3 chose, and then was trained on"
    assert unpack_digests(second.test).tolist() == [2, 4, 6]
    assert third.trained_on(asked).nonzero()[0].tolist() == [0, 1, 2, 4, 6]
    assert third.is_complete


def test_what_was_not_known_at_the_start_is_not_known_later() -> None:
    first = SeenImages(is_complete=False).then(splits(train=[1]), val_chose=True)
    assert not first.then(splits(train=[2]), val_chose=True).is_complete


@pytest.mark.parametrize("val_chose", [True, False])
def test_images_that_only_watched_chose_nothing_in_this_training_nor_for_a_later_one(val_chose: bool) -> None:
    first = SeenImages().then(splits(train=[1], val=[2]), val_chose=val_chose)
    second = first.then(splits(train=[3], val=[4]), val_chose=True)
    assert first.chose(numbers(1, 2)).tolist() == [False, val_chose]
    assert second.chose(numbers(2, 4)).tolist() == [val_chose, True]
    assert unpack_digests(first.val).tolist() == [2], "which images they are stays known"


def test_they_are_json() -> None:
    seen = replace(SeenImages().then(splits(train=[1], val=[2], test=[LARGEST]), val_chose=False), is_complete=False)
    assert from_dict(SeenImages, to_dict(seen)) == seen
