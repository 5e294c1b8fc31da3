"""The worst mistakes: wrong, sorted, of images that were never trained on, and with their own pixels."""

from dataclasses import replace

import numpy as np
import pytest

from resnetkit.data.types import Split
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.mistakes import worst_mistakes
from resnetkit.images.types import ArrayImages

SIZE, NAMES = 60, ("cat", "dog", "fish")


@pytest.fixture
def answers() -> Answers:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1, 1], SIZE).astype(np.float32)
    identifiers = tuple(f"{number}.png" for number in range(SIZE))
    digests, labels = np.arange(SIZE, dtype=np.uint64), rng.integers(0, 3, SIZE)
    return Answers("test", NAMES, identifiers, digests, labels, np.zeros(SIZE, np.bool_), probabilities)


@pytest.fixture
def split(answers: Answers) -> Split:
    pixels = np.arange(SIZE, dtype=np.uint8)[:, None, None, None]  # each shows its own number
    ratios = np.ones(SIZE, np.float32)
    return Split("test", ArrayImages(pixels), answers.labels, answers.identifiers, ratios, answers.digests)


def test_mistakes_are_the_surest_wrong_answers_with_their_pixels(answers: Answers, split: Split) -> None:
    wrong = answers.probabilities.argmax(1) != answers.labels
    mistakes = worst_mistakes(answers, split, limit=7)
    assert [mistake.probability for mistake in mistakes] == sorted(answers.probabilities.max(1)[wrong].tolist())[:-8:-1]
    for mistake in mistakes:
        (row,) = np.flatnonzero(np.array(answers.identifiers) == mistake.identifier)
        label = answers.labels[row]
        assert (mistake.true_name, mistake.pixels.item()) == (NAMES[label], row)
        assert mistake.predicted_name == NAMES[answers.probabilities[row].argmax()] != mistake.true_name
        assert mistake.true_probability == answers.probabilities[row, label]
    assert len(worst_mistakes(answers, split, limit=SIZE)) == wrong.sum()


def test_images_that_were_trained_on_are_no_mistakes_of_the_score(answers: Answers, split: Split) -> None:
    worst, *_ = worst_mistakes(answers, split)
    marked = replace(answers, trained_on=np.array(answers.identifiers) == worst.identifier)
    assert worst not in worst_mistakes(marked, split, limit=SIZE)
    assert len(worst_mistakes(marked, split, limit=SIZE)) == len(worst_mistakes(answers, split, limit=SIZE)) - 1
    assert worst_mistakes(replace(answers, trained_on=np.ones(SIZE, np.bool_)), split) == []
