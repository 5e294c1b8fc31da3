"""Calibration of stated probabilities: errors, beside those that a perfect classifier would show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from resnetkit.config import frozen
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.metrics import (
    NUM_BINS,
    Labels,
    Probabilities,
    bin_numbers,
    expected_calibration_error,
    log_loss,
    mean_gap,
)

NUM_DRAWS = 200  # of labels, from which the floor is the mean: its standard error is below 2 % of it

Shares = npt.NDArray[np.float64]


@frozen
class Bin:
    """Images whose most probable class has a probability in ``(low, high]``.

    Attributes:
        confidence: mean of those probabilities.
        accuracy: share of these images that were answered rightly.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    num_images: int


@frozen
class Calibration:
    """Calibration measured on N images.

    Attributes:
        ece: expected calibration error: the mean gap between stated probability and accuracy, over bins of equal width
            (Guo et al. 2017, arXiv:1706.04599, eq. 3).
        adaptive_ece: the same over bins of equally many images (Nguyen and O'Connor 2015, arXiv:1508.05154).
        log_loss: in nats.
        floor: ``ece`` that a classifier would show on so few images by chance, if its answers were right exactly as
            often as these say.
        bins: of equal width, those that hold images.
    """

    num_images: int
    ece: float
    adaptive_ece: float
    log_loss: float
    floor: float
    bins: tuple[Bin, ...]


@frozen
class Calibrated:
    """Calibration of the same answers before their temperature was fitted, that is at 1, and after."""

    before: Calibration
    after: Calibration


def measure_calibration(probabilities: Probabilities, labels: Labels, num_bins: int = NUM_BINS) -> Calibration:
    """Measure the calibration of probabilities ``(N, K)``, N at least 1, with the true classes ``(N,)``.

    >>> measured = measure_calibration(np.float32([[0.9, 0.1], [0.7, 0.3]]), np.array([0, 1]))
    >>> round(measured.ece, 3), [(bin.num_images, bin.accuracy) for bin in measured.bins]
    (0.4, [(1, 0.0), (1, 1.0)])
    """
    confidence = probabilities.max(1).astype(np.float64)
    is_right = probabilities.argmax(1) == labels
    bins = bin_numbers(confidence, num_bins)
    equally_many = np.empty(len(labels), np.int64)
    equally_many[np.argsort(confidence, kind="stable")] = np.arange(len(labels)) * num_bins // len(labels)
    return Calibration(
        num_images=len(labels),
        ece=expected_calibration_error(confidence, is_right, num_bins),
        adaptive_ece=mean_gap(confidence - is_right, equally_many),
        log_loss=log_loss(probabilities, labels),
        floor=_floor(confidence, bins),
        bins=tuple(
            _bin(number, num_bins, confidence[bins == number], is_right[bins == number])
            for number in np.unique(bins).tolist()
        ),
    )


def calibration_of(answers: Answers) -> Calibration:
    """Calibration of the answers, at least one, for images that the weights were not trained on."""
    rows = ~answers.trained_on
    return measure_calibration(answers.probabilities[rows], answers.labels[rows])


def _floor(confidence: Shares, bins: npt.NDArray[np.int64]) -> float:
    """Mean error over draws of which answers are right, each with the probability that it states; always the same."""
    draws = np.random.default_rng(0)
    errors = [mean_gap(confidence - (draws.random(len(bins)) < confidence), bins) for _ in range(NUM_DRAWS)]
    return float(np.mean(errors))


def _bin(number: int, num_bins: int, confidence: Shares, is_right: npt.NDArray[np.bool_]) -> Bin:
    low, high = number / num_bins, (number + 1) / num_bins
    return Bin(low, high, float(confidence.mean()), float(is_right.mean()), len(confidence))
