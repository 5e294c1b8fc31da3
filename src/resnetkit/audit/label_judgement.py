"""Labels judged by images alone: each by a linear head that was fitted to the labels of other images.

That is confident learning (arXiv:1911.00068) on features of a network. Of the ways that were tried on CIFAR-10's test
images and on photographs of flowers, this one is the plainest, and no other finds more (benchmarks/trust.md): features
of length one, one head for each fold, images ranked by the probability of their own label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from resnetkit.audit.features import Features
from resnetkit.data.folds import folds_in_order
from resnetkit.evaluation.metrics import Probabilities
from resnetkit.images.types import Indices
from resnetkit.training.first_look import of_length_one

Mask = npt.NDArray[np.bool_]

NUM_FOLDS = 5
INVERSE_PENALTY = 3.0  # scikit-learn's C, for features of length one: three times more or less makes little difference
MOST_ITERATIONS = 300
LEAST_OTHERS = 5  # images of a class that a head has learned from: with fewer, it knows too little of the class


@dataclass(frozen=True, eq=False)
class Judgement:
    """The labels of N images, as heads see them that were fitted to other images.

    Attributes:
        labels: int64 ``(N,)``, as given.
        probabilities: float64 ``(N, K)``, of each class; not by the image's own label, nor by one of its set.
        is_judged: bool ``(N,)``; not where the others of its class are too few to say what it looks like.
    """

    labels: Indices
    probabilities: Probabilities
    is_judged: Mask

    @cached_property
    def given(self) -> Probabilities:
        """Probability ``(N,)`` of each image's own label: its self-confidence (arXiv:1911.00068, Sec. 3)."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @cached_property
    def ranked(self) -> Indices:
        """The rows that are judged, the most doubtful label first."""
        rows = np.flatnonzero(self.is_judged)
        return rows[np.argsort(self.given[rows], kind="stable")]

    @cached_property
    def confident(self) -> Indices:
        """The class ``(N,)`` that each image is confidently taken for; its own label where that is none.

        That is the most probable one among those that are as probable, at least, as they are on average for images
        labelled so (arXiv:1911.00068, eq. 1 and 2): classes that heads are rarely sure of need less.
        """
        num_classes = self.probabilities.shape[1]
        counts = np.bincount(self.labels[self.is_judged], minlength=num_classes)
        sums = np.bincount(self.labels[self.is_judged], self.given[self.is_judged], minlength=num_classes)
        thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
        reached = np.where(self.probabilities >= thresholds, self.probabilities, -1.0)
        is_any = self.is_judged & (reached.max(1) >= 0)
        return np.where(is_any, reached.argmax(1), self.labels)

    @cached_property
    def num_wrong(self) -> int:
        """The estimated number of wrong labels: of images that are confidently taken for another class."""
        return int(np.count_nonzero(self.confident != self.labels))

    @cached_property
    def is_suspect(self) -> Mask:
        """Mask ``(N,)`` of the labels that are probably wrong: so many as are estimated, the most doubtful ones.

        More of these are wrong than of the images that are counted for the estimate (benchmarks/trust.md).
        """
        suspect = np.zeros(len(self.labels), np.bool_)
        suspect[self.ranked[: self.num_wrong]] = True
        return suspect

    @cached_property
    def suggested(self) -> Indices:
        """The class ``(N,)`` that an image is taken for if not for its own: the confident one, else the likeliest."""
        others = self.probabilities.copy()
        others[np.arange(len(others)), self.labels] = -1.0
        return np.where(self.confident != self.labels, self.confident, others.argmax(1))


def can_judge(labels: Indices) -> bool:
    """Tell whether any of these labels could be judged by the others: of two classes at least there are enough."""
    counts = np.sort(np.bincount(labels))
    return len(counts) > 1 and bool(counts[-1] > LEAST_OTHERS and counts[-2] >= LEAST_OTHERS)


def judge_labels(
    features: Features,
    labels: Indices,
    sets: Indices,
    num_classes: int,
    advance: Callable[[int], None] = lambda _: None,
) -> Judgement:
    """Judge each label by a logistic regression on the features ``(N, F)`` of the four fifths that it is not among.

    Args:
        sets: ``(N,)``, alike for images that show the same: they are in one fifth, so that none confirms another.
        advance: is told of each number of images that have been judged.
    """
    scaled = of_length_one(features)
    folds = folds_in_order(labels, sets, NUM_FOLDS)
    probabilities = np.zeros((len(labels), num_classes))
    is_judged = np.zeros(len(labels), np.bool_)
    for fold in range(int(folds.max(initial=-1)) + 1):
        held = folds == fold
        counts = np.bincount(labels[~held], minlength=num_classes)
        known = ~held & (counts[labels] >= LEAST_OTHERS)
        if (counts >= LEAST_OTHERS).sum() > 1:
            classes, answers = _answer(scaled[known], labels[known], scaled[held])
            probabilities[np.ix_(held, classes)] = answers
            is_judged |= held & (counts[labels] >= LEAST_OTHERS)
        advance(int(held.sum()))
    return Judgement(labels, probabilities, is_judged)


def _answer(features: Features, labels: Indices, asked: Features) -> tuple[Indices, Probabilities]:
    """Classes, and their probabilities for other features, by a logistic regression."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    head = LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a ranking needs no last digit
        head.fit(features, labels)
    return head.classes_.astype(np.int64), head.predict_proba(asked)
