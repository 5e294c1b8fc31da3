"""Calibration errors against answers whose calibration is known, and against the textbook formula, bin by bin."""

import numpy as np
import pytest

from resnetkit.evaluation.calibration import measure_calibration
from resnetkit.evaluation.metrics import log_loss, score


def stated(num_images: int, seed: int = 0) -> np.ndarray:
    """Probabilities ``(N, 2)``, the first class the more probable one."""
    confidence = np.random.default_rng(seed).uniform(0.5, 1, num_images)
    return np.stack([confidence, 1 - confidence], axis=1)


def rightly(probabilities: np.ndarray, share: np.ndarray, seed: int = 1) -> np.ndarray:
    """Labels ``(N,)`` with which the first class is the true one with this probability."""
    return (np.random.default_rng(seed).random(len(probabilities)) >= share).astype(np.int64)


def test_both_errors_are_the_mean_gap_over_their_bins() -> None:
    probabilities = stated(997)
    labels = rightly(probabilities, probabilities[:, 0] ** 2)
    confidence, is_right = probabilities.max(1), probabilities.argmax(1) == labels
    gaps = [
        (inside := (confidence > i / 15) & (confidence <= (i + 1) / 15)).sum()
        * abs(confidence[inside].mean() - is_right[inside].mean())
        for i in range(7, 15)
    ]
    order = np.argsort(confidence)
    parts = np.array_split(order, 15)
    even_gaps = [len(part) * abs(confidence[part].mean() - is_right[part].mean()) for part in parts]
    measured = measure_calibration(probabilities, labels)
    assert measured.ece == pytest.approx(sum(gaps) / 997)
    assert measured.ece == score(probabilities, labels, ("a", "b")).expected_calibration_error
    assert measured.adaptive_ece == pytest.approx(sum(even_gaps) / 997, abs=1e-3)  # parts differ by one image at most
    assert measured.log_loss == log_loss(probabilities, labels)


def test_bins_hold_all_images_and_only_bins_with_images_are_told() -> None:
    probabilities = stated(500)
    measured = measure_calibration(probabilities, rightly(probabilities, probabilities[:, 0]))
    assert sum(one.num_images for one in measured.bins) == measured.num_images == 500
    assert [one.low for one in measured.bins] == [i / 15 for i in range(7, 15)]
    assert all(one.low < one.confidence <= one.high for one in measured.bins)
    gaps = [one.num_images * abs(one.confidence - one.accuracy) for one in measured.bins]
    assert sum(gaps) / 500 == pytest.approx(measured.ece)


def test_a_perfect_classifier_shows_the_floor_and_a_boastful_one_more() -> None:
    probabilities = stated(2000)
    perfect = [
        measure_calibration(probabilities, rightly(probabilities, probabilities[:, 0], seed)) for seed in range(30)
    ]
    errors = np.array([one.ece for one in perfect])
    assert np.mean(errors) == pytest.approx(perfect[0].floor, abs=3 * errors.std() / np.sqrt(30))
    boastful = measure_calibration(probabilities, rightly(probabilities, probabilities[:, 0] - 0.1))
    assert boastful.ece > 3 * boastful.floor


def test_the_floor_falls_with_more_images_and_is_the_same_each_time() -> None:
    few, many = stated(200), stated(20_000)
    floors = [measure_calibration(one, np.zeros(len(one), np.int64)).floor for one in (few, many, many)]
    assert floors[0] > 5 * floors[1]
    assert floors[1] == floors[2]
