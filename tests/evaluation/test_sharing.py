"""Images answered in shares: the rows of one process, whoever answers which."""

import numpy as np
import pytest

from resnetkit.classifier.prediction import Predictor
from resnetkit.data.prepared_images import Examined
from resnetkit.data.types import SomeImages
from resnetkit.evaluation.sharing import (
    BATCH_SIZE,
    AnsweredImages,
    answer_originals,
    given_answers,
    joined,
    own_share,
)
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import Indices, UInt8Images, UnreadableImage

NUM_IMAGES = 3 * BATCH_SIZE + 7


class Numbered:
    """Images whose pixels are their numbers; every hundredth cannot be read."""

    def __init__(self, numbers: Indices) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, indices: Indices) -> UInt8Images:
        raise AssertionError

    def examine(self, index: int) -> Examined:
        number = int(self.numbers[index])
        if number % 100 == 99:
            raise UnreadableImage(f"is number {number}")
        return Examined(np.full((1, 2, 2), number % 256, np.uint8), number.to_bytes(32, "little"), number + 1, 1.5)

    def select(self, indices: Indices) -> "Numbered":
        return Numbered(self.numbers[indices])


class Counting:
    """Logits that tell an image from others, and how many came together."""

    name = "counting"

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def logits(self, pixels: UInt8Images) -> np.ndarray:
        self.sizes.append(len(pixels))
        value = pixels[:, 0, 0, 0].astype(np.float32) / 100
        return np.stack([value, -value], 1)[:, None]


def predictor() -> Predictor:
    return Predictor(Counting(), Preprocessing(2, 2, channels=1, mean=(0.5,), std=(0.5,)), ("a", "b"))


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 5])
def test_shares_together_are_all_images_in_whole_batches(num_ranks: int) -> None:
    shares = [own_share(NUM_IMAGES, rank, num_ranks) for rank in range(num_ranks)]
    assert np.concatenate(shares).tolist() == list(range(NUM_IMAGES))
    assert all(not len(share) or share[0] % BATCH_SIZE == 0 for share in shares)


@pytest.mark.parametrize("num_ranks", [2, 3])
def test_joined_shares_are_what_one_process_finds(num_ranks: int) -> None:
    originals = Numbered(np.arange(NUM_IMAGES))
    whole = answer_originals(predictor(), originals, num_workers=2)
    parts = [
        answer_originals(predictor(), originals.select(own_share(NUM_IMAGES, rank, num_ranks)), num_workers=2)
        for rank in range(num_ranks)
    ]
    (images, one), (others, other) = joined(parts).as_loaded(), whole.as_loaded()
    for name in ("probabilities", "familiarity"):
        np.testing.assert_array_equal(getattr(given_answers(images), name), getattr(given_answers(others), name))
    assert one.reasons == other.reasons == {i: f"is number {i}" for i in range(99, NUM_IMAGES, 100)}
    assert one.sha256 == other.sha256
    np.testing.assert_array_equal(one.digests, other.digests)
    np.testing.assert_array_equal(one.readable, other.readable)
    assert other.digests.tolist() == [i + 1 for i in range(NUM_IMAGES) if i % 100 != 99]


def test_readable_images_are_computed_in_whole_batches() -> None:
    asked = predictor()
    answer_originals(asked, Numbered(np.arange(NUM_IMAGES)), num_workers=2)
    assert isinstance(asked.engine, Counting)
    assert asked.engine.sizes == [BATCH_SIZE, BATCH_SIZE, BATCH_SIZE]


def test_answers_are_found_behind_a_choice_of_images() -> None:
    probabilities, familiarities = np.eye(4, dtype=np.float32), np.arange(4, dtype=np.float32)
    answered = AnsweredImages(probabilities, familiarities)
    found = given_answers(SomeImages(SomeImages(answered, np.array([3, 1, 0])), np.array([1, 2])))
    assert found is not None
    np.testing.assert_array_equal(found.probabilities, probabilities[[1, 0]])
    assert found.familiarity.tolist() == [1, 0]
