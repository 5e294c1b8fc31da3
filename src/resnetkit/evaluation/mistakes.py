"""Wrongly classified images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resnetkit.data.types import Split
from resnetkit.evaluation.answers import Answers


@dataclass(frozen=True)
class Mistake:
    """A wrongly classified image.

    Attributes:
        pixels: uint8 (C, H, W); of other than one or three channels only the first is shown.
        probability: what the classifier gave the predicted class.
        true_probability: what it gave the true one.
    """

    identifier: str
    pixels: npt.NDArray[np.uint8]
    true_name: str
    predicted_name: str
    probability: float
    true_probability: float


def worst_mistakes(answers: Answers, split: Split, *, limit: int = 24) -> list[Mistake]:
    """The wrong answers given with the most confidence, worst first; of images that were trained on, none.

    Args:
        split: the images that were answered for, in the same order.
    """
    wrong = np.flatnonzero(~answers.is_right & ~answers.trained_on)
    worst = wrong[np.argsort(-answers.confidences[wrong], kind="stable")][:limit]
    pixels = split.images.read(worst) if len(worst) else ()
    names = answers.class_names
    return [
        Mistake(
            identifier=answers.identifiers[row],
            pixels=image,
            true_name=names[answers.labels[row]],
            predicted_name=names[answers.predicted[row]],
            probability=float(answers.confidences[row]),
            true_probability=float(answers.true_probabilities[row]),
        )
        for row, image in zip(worst, pixels, strict=True)
    ]
