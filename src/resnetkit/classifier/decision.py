"""From logits to answers, in numpy: the only step between what a network computes and what is told of it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from resnetkit.config import frozen
from resnetkit.errors import require

Logits = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float32]


@frozen
class Decision:
    """Way from logits to an answer; part of every classifier.

    Attributes:
        temperature: what logits are divided by (Guo et al. 2017, arXiv:1706.04599); above 1 all answers are less sure,
            below 1 more. Each view's most probable class stays what it was.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        require(
            self.temperature > 0 and math.isfinite(self.temperature),
            f"decision.temperature must be positive and finite, got {self.temperature}",
        )

    def probabilities(self, logits: Logits) -> Probabilities:
        """Return the class probabilities ``(N, K)`` for the logits ``(N, V, K)`` of V views of each image.

        They are the mean of the views' softmax, computed in float64 and rounded once. A logit that is NaN or +inf
        makes all probabilities of its image NaN.

        >>> Decision().probabilities(np.zeros((1, 1, 4), np.float32))
        array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
        """
        with np.errstate(invalid="ignore"):  # inf - inf
            scaled = logits.astype(np.float64) / self.temperature
            exponentials = np.exp(scaled - scaled.max(axis=2, keepdims=True))
        views = exponentials / exponentials.sum(axis=2, keepdims=True)
        answer: Probabilities = views.mean(axis=1).astype(np.float32)
        return answer
