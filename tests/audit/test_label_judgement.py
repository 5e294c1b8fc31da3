"""Labels judged by heads that were fitted to the labels of other images."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.audit.flipped import NUM_CLASSES, Flipped, flipped_digits

from resnetkit.audit.label_judgement import LEAST_OTHERS, Judgement, judge_labels


def features_of(digits: Flipped) -> np.ndarray:
    return digits.images.reshape(len(digits.images), -1).astype(np.float32)


def numbers(count: int) -> np.ndarray:
    return np.arange(1, count + 1)


def judge(digits: Flipped) -> Judgement:
    return judge_labels(features_of(digits), digits.labels, numbers(len(digits.labels)), NUM_CLASSES)


@pytest.fixture(scope="module")
def digits() -> Flipped:
    return flipped_digits(90)


@pytest.fixture(scope="module")
def judgement(digits: Flipped) -> Judgement:
    return judge(digits)


def test_wrong_labels_come_first(digits: Flipped, judgement: Judgement) -> None:
    assert digits.is_wrong[judgement.ranked[:90]].mean() > 0.85
    assert roc_auc_score(digits.is_wrong, -judgement.given) > 0.99


def test_what_is_called_wrong_mostly_is(digits: Flipped, judgement: Judgement) -> None:
    assert 45 <= judgement.num_wrong <= 100
    assert judgement.is_suspect.sum() == judgement.num_wrong
    assert digits.is_wrong[judgement.is_suspect].mean() > 0.9


def test_the_true_class_is_suggested(digits: Flipped, judgement: Judgement) -> None:
    assert (judgement.suggested[digits.is_wrong] == digits.true[digits.is_wrong]).mean() > 0.9
    assert (judgement.suggested != digits.labels).all()


def test_right_labels_are_hardly_doubted() -> None:
    clean = flipped_digits(0)
    assert judge(clean).is_suspect.mean() < 0.01


def test_images_of_the_same_pixels_do_not_confirm_each_other() -> None:
    """Three copies of each image, with labels that mean nothing: who knows the other two knows the label."""
    draw, copies = np.random.default_rng(0), np.repeat(np.arange(60), 3)
    features, labels = draw.normal(size=(60, 500)).astype(np.float32)[copies], draw.integers(0, 3, 60)[copies]
    apart = judge_labels(features, labels, numbers(60)[copies], 3)
    mixed = judge_labels(features, labels, numbers(180), 3)
    assert apart.given.mean() < 0.45
    assert mixed.given.mean() > 0.6


def test_a_class_of_few_images_is_not_judged() -> None:
    digits = flipped_digits(0)
    rows = np.concatenate([np.flatnonzero(digits.true != 7), np.flatnonzero(digits.true == 7)[:LEAST_OTHERS]])
    judgement = judge_labels(features_of(digits)[rows], digits.true[rows], numbers(len(rows)), NUM_CLASSES)
    is_seven = digits.true[rows] == 7
    assert not judgement.is_judged[is_seven].any()
    assert judgement.is_judged[~is_seven].all()
    assert not judgement.is_suspect[is_seven].any()
    assert not np.isin(judgement.ranked, np.flatnonzero(is_seven)).any()


@pytest.mark.parametrize("labels", [[0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5, 6, 7], []])
def test_nothing_is_judged_where_there_is_nothing_to_compare(labels: list[int]) -> None:
    given = np.array(labels, np.int64)
    judgement = judge_labels(np.ones((len(given), 3), np.float32), given, numbers(len(given)), 8)
    assert not judgement.is_judged.any()
    assert not judgement.is_suspect.any()
    assert len(judgement.ranked) == 0


def test_a_class_that_heads_are_rarely_sure_of_needs_less() -> None:
    """Class 1 is given 0.4 on average where it is right; so 0.45 is confident of it, although 0.55 speaks for class 0.
    Class 0 is given 0.9 where it is right, so 0.55 is not."""
    probabilities = np.array([[0.9, 0.1]] * 8 + [[0.6, 0.4]] * 8 + [[0.55, 0.45]])
    labels = np.array([0] * 8 + [1] * 8 + [0])
    judgement = Judgement(labels, probabilities, np.ones(len(labels), np.bool_))
    assert judgement.confident.tolist() == [0] * 8 + [1] * 9
    assert judgement.num_wrong == 1
