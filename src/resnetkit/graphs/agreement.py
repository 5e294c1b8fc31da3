"""Measure how far the answers of one way to compute a classifier lie from those of another."""

from __future__ import annotations

import numpy as np

from resnetkit.classifier.decision import Decision, Logits
from resnetkit.config import frozen


@frozen
class Agreement:
    """Answers for the same images, compared.

    Attributes:
        max_logit_difference: largest difference of a logit, of any view.
        max_difference: largest difference of a probability.
        num_turned: images on which another class is the most probable one.
        num_images: of how many.
    """

    max_logit_difference: float
    max_difference: float
    num_turned: int
    num_images: int


def measure_agreement(logits: Logits, expected: Logits, decision: Decision) -> Agreement:
    """Compare logits ``(N, V, K)`` with those expected of the same images, and the answers that they make."""
    answers, expected_answers = decision.probabilities(logits), decision.probabilities(expected)
    with np.errstate(invalid="ignore"):  # inf - inf
        differences = np.abs(logits.astype(np.float64) - expected)
    return Agreement(
        max_logit_difference=float(differences.max()),
        max_difference=float(np.abs(answers.astype(np.float64) - expected_answers).max()),
        num_turned=int((answers.argmax(1) != expected_answers.argmax(1)).sum()),
        num_images=len(logits),
    )
