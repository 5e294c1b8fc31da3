"""Scores of a classifier, from its probabilities (N, K) and the true labels (N,): numpy only.

Every share of images comes with the number of images and a 95 % interval, and what is undefined is None, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator

from resnetkit.config import frozen
from resnetkit.errors import Code, require
from resnetkit.pages.formatting import percent_digits, plain_percent

Probabilities = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]

SMALLEST_PROBABILITY = 1e-12
NUM_BINS = 15  # of a calibration error


@frozen
class Accuracy:
    """A share of images that were answered correctly, with its 95 % Wilson interval ``[low, high]``.

    >>> print(Accuracy.of(correct=9431, num_images=10_000))
    94.31 % (95 % interval 93.84 to 94.75, n = 10,000)
    """

    value: float
    correct: int
    num_images: int
    low: float
    high: float

    @classmethod
    def of(cls, correct: int, num_images: int) -> Accuracy:
        """The accuracy of ``correct`` right answers among ``num_images``, at least one."""
        low, high = wilson_interval(correct, num_images)
        return cls(correct / num_images, correct, num_images, low, high)

    def __str__(self) -> str:
        interval = f"{percent_digits(self.low, 2)} to {percent_digits(self.high, 2)}"
        return f"{plain_percent(self.value, 2)} (95 % interval {interval}, n = {self.num_images:,})"


@frozen
class ClassScore:
    """Scores of one class.

    Attributes:
        num_images: images that truly are of this class.
        precision: share of the images given this class that are of it; None if it was never predicted.
        recall: share of the images of this class that were given it; None without such images.
        f1: harmonic mean of the two; None for a class that is neither there nor predicted.
        recall_low, recall_high: 95 % Wilson interval of the recall.
    """

    name: str
    num_images: int
    precision: float | None
    recall: float | None
    f1: float | None
    recall_low: float
    recall_high: float


@frozen
class Cell:
    """A cell of the confusion matrix that is not empty: images of class ``true`` that were taken for ``predicted``.

    Both are positions in the class names.
    """

    true: int
    predicted: int
    num_images: int


def _cells(confusion: Any) -> Any:
    """The cells of a whole matrix, row by row, as files of earlier versions have it; anything else as it is."""
    if not (isinstance(confusion, list | tuple) and confusion and isinstance(confusion[0], list | tuple)):
        return confusion
    return [
        {"true": true, "predicted": predicted, "num_images": count}
        for true, row in enumerate(confusion)
        for predicted, count in enumerate(row)
        if count
    ]


@frozen
class Scores:
    """Everything measured on one split.

    Attributes:
        top5: None with fewer than six classes, where it would say nothing.
        log_loss: mean of -ln(probability of the true class).
        macro_f1: mean F1 of the classes that are there or were predicted, each counting the same.
        confusion: the confusion matrix, which is nearly empty where classes are many.
    """

    top1: Accuracy
    top5: Accuracy | None
    log_loss: float
    expected_calibration_error: float
    macro_f1: float
    classes: tuple[ClassScore, ...]
    confusion: Annotated[tuple[Cell, ...], BeforeValidator(_cells)]

    @property
    def confusion_matrix(self) -> npt.NDArray[np.int64]:
        """Number of images ``(K, K)``, rows true classes, columns predicted ones."""
        matrix = np.zeros((len(self.classes),) * 2, np.int64)
        for cell in self.confusion:
            matrix[cell.true, cell.predicted] = cell.num_images
        return matrix


@frozen
class ConfusedPair:
    """Images of one class that were taken for another; ``rate`` is their share of the true class."""

    true_name: str
    predicted_name: str
    num_images: int
    rate: float


def score(probabilities: Probabilities, labels: Labels, class_names: Sequence[str]) -> Scores:
    """Measure probabilities (N, K) against the true labels (N,), positions in ``class_names``.

    Equal probabilities rank in class order, so a classifier that answers everything alike earns no more than
    the first classes are worth.

    Raises:
        ResnetkitError: for no images, shapes that do not fit, or rows that are not probabilities.
    """
    _check(probabilities, labels, class_names)
    num_images, num_classes = probabilities.shape
    ranks = _ranks(probabilities, labels)
    # argmax takes the first of equal values, the same order as in the ranks.
    predicted = probabilities.argmax(axis=1)
    classes = _class_scores(predicted, labels, class_names)
    return Scores(
        top1=Accuracy.of(int((ranks < 1).sum()), num_images),
        top5=Accuracy.of(int((ranks < 5).sum()), num_images) if num_classes > 5 else None,
        log_loss=log_loss(probabilities, labels),
        expected_calibration_error=expected_calibration_error(probabilities.max(axis=1), predicted == labels),
        macro_f1=float(np.mean([c.f1 for c in classes if c.f1 is not None])),
        classes=classes,
        confusion=_count_cells(predicted, labels, num_classes),
    )


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share (E. B. Wilson, JASA 22, 1927); without trials it is all of [0, 1].

    Unlike value ± 1.96 standard errors it stays inside [0, 1] and is honest near 0 and 1, where good
    classifiers live.

    >>> low, high = wilson_interval(10, 10)
    >>> round(low, 3), high
    (0.722, 1.0)
    """
    require(0 <= successes <= n, f"successes must be between 0 and n = {n}, got {successes}")
    require(0 < confidence < 1, f"confidence must be between 0 and 1, got {confidence}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exact in theory; rounding must not leave the share itself outside.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def log_loss(probabilities: Probabilities, labels: Labels) -> float:
    """Mean of -ln(probability of the true class), at most 27.6 per image.

    Probabilities are clipped at 1e-12: one that has underflowed to 0 would make the mean infinite and
    hide what all other images say.
    """
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # "+ 0.0" turns the -0.0 of a perfect answer into 0.0.
    return float(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0)).mean()) + 0.0


def expected_calibration_error(
    stated: Probabilities, is_right: npt.NDArray[np.bool_], num_bins: int = NUM_BINS
) -> float:
    """Mean gap between stated probability and accuracy, over equal-width bins (arXiv:1706.04599, eq. 3).

    Images fall into bins ``(i / num_bins, (i + 1) / num_bins]``, and each bin counts as much as it holds.

    Args:
        stated: probabilities ``(N,)`` of the most probable classes.
        is_right: mask ``(N,)`` of the images whose most probable class is the true one.
    """
    exact = stated.astype(np.float64)
    return mean_gap(exact - is_right, bin_numbers(exact, num_bins))


def mean_gap(differences: npt.NDArray[np.float64], bins: npt.NDArray[np.int64]) -> float:
    """Mean distance from 0 of the means of bins, each counting as it holds, of ``(N,)`` in bins of these numbers."""
    return float(np.abs(np.bincount(bins, weights=differences)).sum() / len(bins))


def bin_numbers(stated: npt.NDArray[np.float64], num_bins: int = NUM_BINS) -> npt.NDArray[np.int64]:
    """The numbers ``(N,)``, from 0, of the bins ``(i / num_bins, (i + 1) / num_bins]`` that probabilities fall into."""
    numbers: npt.NDArray[np.int64] = np.clip(np.ceil(stated * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return numbers


def confused_pairs(scores: Scores) -> list[ConfusedPair]:
    """Pairs of classes that were taken for one another, the most frequent first."""
    pairs = [
        ConfusedPair(
            scores.classes[cell.true].name,
            scores.classes[cell.predicted].name,
            cell.num_images,
            cell.num_images / scores.classes[cell.true].num_images,
        )
        for cell in scores.confusion
        if cell.true != cell.predicted
    ]
    return sorted(pairs, key=lambda pair: (pair.num_images, pair.rate), reverse=True)


def _ranks(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.int64]:
    """Number of classes that come before the true one, for each image."""
    given = probabilities[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    before = (probabilities > given) | ((probabilities == given) & earlier)
    ranks: npt.NDArray[np.int64] = before.sum(axis=1)
    return ranks


def _count_cells(predicted: Labels, labels: Labels, num_classes: int) -> tuple[Cell, ...]:
    numbers, counts = np.unique(labels.astype(np.int64) * num_classes + predicted, return_counts=True)
    return tuple(
        Cell(number // num_classes, number % num_classes, count)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
    )


def _class_scores(predicted: Labels, labels: Labels, class_names: Sequence[str]) -> tuple[ClassScore, ...]:
    num_classes = len(class_names)
    counts = (
        np.bincount(found, minlength=num_classes).tolist() for found in (labels[predicted == labels], labels, predicted)
    )
    return tuple(
        _class_score(name, hits, num_images, num_predicted)
        for name, hits, num_images, num_predicted in zip(class_names, *counts, strict=True)
    )


def _class_score(name: str, hits: int, num_images: int, num_predicted: int) -> ClassScore:
    low, high = wilson_interval(hits, num_images)
    return ClassScore(
        name=name,
        num_images=num_images,
        precision=hits / num_predicted if num_predicted else None,
        recall=hits / num_images if num_images else None,
        f1=2 * hits / (num_images + num_predicted) if num_images + num_predicted else None,
        recall_low=low,
        recall_high=high,
    )


def _check(probabilities: Probabilities, labels: Labels, class_names: Sequence[str]) -> None:
    num_classes = len(class_names)
    require(
        probabilities.ndim == 2 and probabilities.shape[1] == num_classes,
        f"probabilities must have shape (N, {num_classes}), one column per class name, got {probabilities.shape}",
    )
    require(
        labels.shape == probabilities.shape[:1],
        f"labels must have shape ({len(probabilities)},), one per row of probabilities, got {labels.shape}",
    )
    require(len(labels) > 0, "there are no images to score", fix="choose a split that has images", code=Code.DATA)
    require(np.issubdtype(labels.dtype, np.integer), f"labels must be integers, got {labels.dtype}")
    require(
        labels.min() >= 0 and labels.max() < num_classes,
        f"labels must be in [0, {num_classes}), got {labels.min()} to {labels.max()}",
    )
    require(len(set(class_names)) == num_classes, "class names must differ from one another")
    num_bad = np.count_nonzero(~np.isfinite(probabilities).all(axis=1))
    require(num_bad == 0, f"probabilities must be finite, {num_bad} of {len(probabilities)} rows are not")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    require(
        probabilities.min() >= 0 and bool((np.abs(sums - 1) < 1e-3).all()),
        "probabilities must be at least 0 and each row must sum to 1, "
        f"got values from {probabilities.min():.4g} and sums from {sums.min():.4g} to {sums.max():.4g}",
        fix="apply a softmax to logits first",
    )
