"""Scores against scikit-learn on random data, and by hand where scikit-learn has another convention."""

import json
import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.metrics import (
    Accuracy,
    Scores,
    confused_pairs,
    expected_calibration_error,
    log_loss,
    score,
    wilson_interval,
)

Answers = tuple[np.ndarray, np.ndarray]  # probabilities (N, K), labels (N,)


def names(num_classes: int) -> list[str]:
    return [f"class {i}" for i in range(num_classes)]


@pytest.fixture
def random_answers() -> Answers:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 8, 500)
    logits = rng.normal(size=(500, 8)) + 2 * np.eye(8)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels


def test_agrees_with_scikit_learn(random_answers: Answers) -> None:
    probabilities, labels = random_answers
    scores = score(probabilities, labels, names(8))
    predicted = probabilities.argmax(axis=1)
    assert scores.top1.value == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    assert scores.top5.value == pytest.approx(sklearn.metrics.top_k_accuracy_score(labels, probabilities, k=5))
    assert scores.log_loss == pytest.approx(sklearn.metrics.log_loss(labels, probabilities))
    assert scores.macro_f1 == pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro"))
    np.testing.assert_array_equal(scores.confusion_matrix, sklearn.metrics.confusion_matrix(labels, predicted))
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(labels, predicted)
    np.testing.assert_allclose([c.precision for c in scores.classes], precision)
    np.testing.assert_allclose([c.recall for c in scores.classes], recall)
    np.testing.assert_allclose([c.f1 for c in scores.classes], f1)
    assert [c.num_images for c in scores.classes] == support.tolist()


def test_scores_survive_json(random_answers: Answers) -> None:
    scores = score(*random_answers, names(8))
    assert from_dict(Scores, json.loads(json.dumps(to_dict(scores)))) == scores


def test_float32_probabilities_are_fine(random_answers: Answers) -> None:
    probabilities, labels = random_answers
    single = score(probabilities.astype(np.float32), labels, names(8))
    double = score(probabilities, labels, names(8))
    assert single.confusion == double.confusion
    assert single.log_loss == pytest.approx(double.log_loss, rel=1e-5)


def test_undefined_is_none_and_not_zero() -> None:
    # Class 1 exists but is never predicted, class 2 neither exists nor is predicted.
    scores = score(np.array([[1.0, 0, 0], [1.0, 0, 0]]), np.array([0, 1]), names(3))
    never_predicted, absent = scores.classes[1:]
    assert (never_predicted.precision, never_predicted.recall, never_predicted.f1) == (None, 0.0, 0.0)
    assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
    assert (absent.recall_low, absent.recall_high) == (0.0, 1.0)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0) / 2)


def test_a_constant_answer_earns_only_the_first_classes() -> None:
    labels = np.arange(10)
    scores = score(np.full((10, 10), 0.1), labels, names(10))
    assert scores.top1.correct == 1
    assert scores.top5.correct == 5
    assert scores.confusion_matrix[:, 0].tolist() == [1] * 10, "top-1 and confusion matrix break ties alike"


@pytest.mark.parametrize(("num_classes", "has_top5"), [(2, False), (5, False), (6, True)])
def test_top5_only_where_it_says_something(num_classes: int, has_top5: bool) -> None:
    scores = score(np.eye(num_classes), np.arange(num_classes), names(num_classes))
    assert (scores.top5 is not None) == has_top5


def test_perfect_answers() -> None:
    scores = score(np.eye(3), np.arange(3), names(3))
    assert (scores.top1.value, scores.macro_f1, scores.log_loss, scores.expected_calibration_error) == (1, 1, 0, 0)
    assert math.copysign(1, scores.log_loss) == 1, "prints as 0, not -0"


def test_log_loss_of_an_impossible_answer_is_finite() -> None:
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-math.log(1e-12))


def test_calibration_error_by_hand() -> None:
    # Two bins: (0, 0.5] holds one right answer at 0.5; (0.5, 1] holds 0.8 right and 0.6 wrong.
    error = expected_calibration_error(np.array([0.5, 0.8, 0.6]), np.array([True, True, False]), num_bins=2)
    assert error == pytest.approx(1 / 3 * abs(1 - 0.5) + 2 / 3 * abs(0.5 - 0.7))


def test_calibration_error_with_one_bin_is_confidence_minus_accuracy(random_answers: Answers) -> None:
    probabilities, labels = random_answers
    stated, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    gap = stated.mean() - is_right.mean()
    assert expected_calibration_error(stated, is_right, num_bins=1) == pytest.approx(abs(gap))
    assert expected_calibration_error(stated, is_right) >= abs(gap) - 1e-12, "finer bins only find more"


def test_confused_pairs_are_the_mistakes_in_order(random_answers: Answers) -> None:
    scores = score(*random_answers, names(8))
    pairs = confused_pairs(scores)
    counts = [pair.num_images for pair in pairs]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == scores.top1.num_images - scores.top1.correct
    first = pairs[0]
    true, predicted = names(8).index(first.true_name), names(8).index(first.predicted_name)
    assert (
        scores.confusion_matrix[true, predicted]
        == first.num_images
        == np.max(scores.confusion_matrix * (1 - np.eye(8, dtype=int)))
    )
    assert first.rate == first.num_images / scores.confusion_matrix[true].sum()


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share_and_mirrors(successes_of_n: tuple[int, int]) -> None:
    successes, n = successes_of_n
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    mirrored_low, mirrored_high = wilson_interval(n - successes, n)
    assert (1 - mirrored_high, 1 - mirrored_low) == pytest.approx((low, high), abs=1e-9)
    wide_low, wide_high = wilson_interval(successes, n, confidence=0.99)
    assert wide_low <= low <= high <= wide_high


@given(st.integers(0, 50), st.integers(2, 100))
def test_wilson_interval_narrows_with_more_images(successes: int, factor: int) -> None:
    low, high = wilson_interval(successes, 50)
    more_low, more_high = wilson_interval(successes * factor, 50 * factor)
    assert more_high - more_low < high - low


def test_wilson_interval_solves_its_defining_equation() -> None:
    z = 1.959963984540054
    for bound in wilson_interval(81, 263):
        assert abs(81 / 263 - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / 263))


def test_wilson_interval_without_trials_knows_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_accuracy_reads_as_a_sentence() -> None:
    assert str(Accuracy.of(0, 3)) == "0.00 % (95 % interval 0.00 to 56.15, n = 3)"


@pytest.mark.parametrize(
    ("probabilities", "labels", "class_names", "says"),
    [
        (np.ones(3), np.zeros(3, int), ["a"], "shape (N, 1)"),
        (np.eye(2), np.zeros(2, int), ["a", "b", "c"], "one column per class name"),
        (np.eye(2), np.zeros(3, int), ["a", "b"], "labels must have shape (2,)"),
        (np.zeros((0, 2)), np.zeros(0, int), ["a", "b"], "no images"),
        (np.eye(2), np.zeros(2), ["a", "b"], "must be integers"),
        (np.eye(2), np.array([0, 2]), ["a", "b"], "must be in [0, 2)"),
        (np.eye(2), np.array([0, -1]), ["a", "b"], "must be in [0, 2)"),
        (np.eye(2), np.array([0, 1]), ["a", "a"], "must differ"),
        (np.array([[np.nan, 1.0]]), np.array([0]), ["a", "b"], "1 of 1 rows"),
        (np.array([[3.0, -2.0]]), np.array([0]), ["a", "b"], "softmax"),
        (np.array([[0.3, 0.3]]), np.array([0]), ["a", "b"], "sum to 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    probabilities: np.ndarray, labels: np.ndarray, class_names: list[str], says: str
) -> None:
    with pytest.raises(ResnetkitError) as error:
        score(probabilities, labels, class_names)
    assert says in str(error.value)


@pytest.mark.parametrize("arguments", [(3, 2), (-1, 2), (1, 2, 1.0)])
def test_wilson_interval_refuses_the_impossible(arguments: tuple[float, ...]) -> None:
    with pytest.raises(ResnetkitError):
        wilson_interval(*arguments)


def test_a_matrix_of_many_classes_is_kept_by_its_cells() -> None:
    """A thousand images of 3,000 classes fill a thousand cells at most, not nine million."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3000, 1000)
    scores = score(np.eye(3000)[random.integers(0, 3000, 1000)], labels, names(3000))
    assert len(json.dumps(to_dict(scores))) < 1_000_000
    assert from_dict(Scores, to_dict(scores)) == scores
    assert sum(cell.num_images for cell in scores.confusion) == scores.confusion_matrix.sum() == 1000


@pytest.mark.parametrize("num_classes", [2, 3])
def test_a_whole_matrix_of_an_earlier_version_is_read(num_classes: int) -> None:
    labels = np.array([0, 0, 1, 1, num_classes - 1])
    scores = score(np.eye(num_classes)[[0, 1, 1, 0, 1]], labels, names(num_classes))
    written = {**to_dict(scores), "confusion": scores.confusion_matrix.tolist()}
    assert from_dict(Scores, written) == scores
