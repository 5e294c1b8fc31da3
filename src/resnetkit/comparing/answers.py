"""Classifiers by what they answered for the same images: which is better, by how much, and which images say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from resnetkit.comparing.compared_answers import (
    AnsweredOnce,
    AnswersComparison,
    ClassDifference,
    PairComparison,
    SideScores,
)
from resnetkit.comparing.sides import Side, about_choosing, about_copies, shared_by
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.metrics import SMALLEST_PROBABILITY, Accuracy, expected_calibration_error
from resnetkit.evaluation.paired import (
    LEVEL,
    Floats,
    holm,
    images_to_decide,
    mcnemar,
    resampled,
    resampled_top1,
)
from resnetkit.evaluation.shared_images import SharedImages
from resnetkit.images.types import Indices

MOST_MORE_IMAGES = 10_000_000  # beyond, nobody looks for them


def compare_answers(sides: Sequence[Side]) -> AnswersComparison:
    """Compare two or more sides, each with each.

    Raises:
        ResnetkitError: where they have no image in common that none was trained on.
    """
    images = shared_by(sides)
    facts = [_Facts.of(side.answers, rows) for side, rows in zip(sides, images.rows, strict=True)]
    pairs = [_compare(sides, facts, images, *both) for both in combinations(range(len(sides)), 2)]
    corrected = holm([pair.p_value for pair in pairs])
    level = LEVEL / len(pairs)  # of the least of them, by Holm's procedure: what suffices for it suffices
    scores = tuple(
        SideScores(side.name, side.answers.split, side.val_chose, *one.scores())
        for side, one in zip(sides, facts, strict=True)
    )
    return AnswersComparison(
        len(images),
        scores,
        tuple(_decided(pair, p_value, level) for pair, p_value in zip(pairs, corrected, strict=True)),
        (
            *images.notes([side.name for side in sides]),
            *about_copies(sides, images),
            *about_choosing(sides),
            *_about_measures(len(pairs)),
        ),
        images,
    )


@dataclass(frozen=True, eq=False)
class _Facts:
    """One side's answers for N images, for scores: ``(N,)`` each."""

    is_right: npt.NDArray[np.bool_]
    losses: Floats
    confidences: npt.NDArray[np.float64]

    @classmethod
    def of(cls, answers: Answers, rows: Indices) -> _Facts:
        is_right, confidences = answers.is_right[rows], answers.confidences[rows].astype(np.float64)
        losses = -np.log(np.clip(answers.true_probabilities[rows].astype(np.float64), SMALLEST_PROBABILITY, 1))
        return cls(is_right, losses, confidences)

    @property
    def calibration_error(self) -> float:
        return expected_calibration_error(self.confidences, self.is_right)

    def scores(self) -> tuple[Accuracy, float, float]:
        accuracy = Accuracy.of(int(self.is_right.sum()), len(self.is_right))
        return accuracy, float(self.losses.mean()), self.calibration_error


def _compare(
    sides: Sequence[Side], facts: Sequence[_Facts], images: SharedImages, first: int, second: int
) -> PairComparison:
    a, b = facts[first], facts[second]
    top1 = resampled_top1(a.is_right, b.is_right)
    p_value = mcnemar(top1.num_lost, top1.num_won)
    (log_loss,) = resampled((b.losses - a.losses)[:, np.newaxis], lambda means: means)
    return PairComparison(
        sides[first].name,
        sides[second].name,
        top1,
        p_value,
        p_value,
        None,
        log_loss,
        b.calibration_error - a.calibration_error,
        _class_by_class(a, b, images),
        _answered_once((sides[first].answers, sides[second].answers), (a, b), images, (first, second)),
    )


def _decided(pair: PairComparison, p_corrected: float, level: float) -> PairComparison:
    pair = replace(pair, p_corrected=p_corrected)
    top1 = pair.top1
    needed = images_to_decide(top1.num_lost, top1.num_won, top1.num_images, level)
    if pair.is_decided or needed is None or needed > MOST_MORE_IMAGES:
        return pair
    return replace(pair, more_images=max(1, needed - top1.num_images))


def _class_by_class(a: _Facts, b: _Facts, images: SharedImages) -> tuple[ClassDifference, ...]:
    """Classes that have images, those first where the two are furthest apart."""
    found = []
    for label, name in enumerate(images.class_names):
        own = images.labels == label
        if own.any():
            top1 = resampled_top1(a.is_right[own], b.is_right[own])
            recall_a, recall_b = (float(one.is_right[own].mean()) for one in (a, b))
            p_value = mcnemar(top1.num_lost, top1.num_won)
            found.append(ClassDifference(name, top1.num_images, recall_a, recall_b, top1, p_value, p_value))
    corrected = holm([one.p_value for one in found])
    told = [replace(one, p_corrected=p_value) for one, p_value in zip(found, corrected, strict=True)]
    return tuple(sorted(told, key=lambda one: (one.p_value, -abs(one.top1.value))))


def _answered_once(
    answers: tuple[Answers, Answers], facts: tuple[_Facts, _Facts], images: SharedImages, places: tuple[int, int]
) -> tuple[AnsweredOnce, ...]:
    differs = np.flatnonzero(facts[0].is_right != facts[1].is_right)
    right = facts[1].is_right[differs].astype(np.int64)
    sure = np.where(right == 1, facts[1].confidences[differs], facts[0].confidences[differs])
    first, second = answers
    found = []
    for place in np.argsort(-sure, kind="stable"):
        row = int(differs[place])
        of_first, of_second = (int(images.rows[side][row]) for side in places)
        found.append(
            AnsweredOnce(
                row,
                (first.identifiers[of_first], second.identifiers[of_second]),
                int(first.digests[of_first]),
                images.class_names[images.labels[row]],
                int(right[place]),
                (first.class_names[first.predicted[of_first]], second.class_names[second.predicted[of_second]]),
                (float(first.confidences[of_first]), float(second.confidences[of_second])),
            )
        )
    return tuple(found)


def _about_measures(num_pairs: int) -> list[str]:
    told = ["calibration errors come out too large on few images, so they have no intervals"]
    if num_pairs > 1:
        told.append(
            "intervals are not corrected for several comparisons, as p-values are: one without 0 decides nothing"
        )
    return told
