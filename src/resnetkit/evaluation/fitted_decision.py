"""A decision fitted to a classifier's answers on images that it was not trained on: temperature, then yardstick."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from resnetkit.classifier.decision import Decision, Logits
from resnetkit.classifier.yardstick import Yardstick, kept_rows
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.metrics import SMALLEST_PROBABILITY
from resnetkit.images.digests import Digests
from resnetkit.images.types import Indices
from resnetkit.recipes.demands import Demands

LEAST_IMAGES = 50  # that a temperature is fitted to
HIGHEST = 32.0  # temperature that is looked at; the lowest is its inverse
MISTAKEN = 0.5  # of an image


@dataclass(frozen=True)
class FittedDecision:
    """A temperature, and the yardstick for thresholds on the probabilities that it gives."""

    temperature: float
    yardstick: Yardstick

    def granted(self, demands: Demands) -> tuple[Decision, tuple[str, ...]]:
        """The decision with the thresholds that can be had of these images, and for each other demand, why not."""
        decision, refusals = Decision(self.temperature), []
        for demand in _one_by_one(demands):
            try:
                made = self.yardstick.decision(self.temperature, demand)
            except ResnetkitError as error:
                refusals.append(f"{error.what}{error.why and f': {error.why}'}")
            else:
                made = replace(made, unknown=made.unknown or decision.unknown, sure=made.sure or decision.sure)
                decision = replace(made, sets=made.sets or decision.sets)
        return decision, tuple(refusals)


def fit_decision(logits: Logits, labels: Indices, digests: Digests, images: str) -> FittedDecision:
    """Fit to the logits ``(N, V, K)`` of images, at least one, with their true classes and digests ``(N,)``.

    The temperature stays 1 where they are fewer than :data:`LEAST_IMAGES`.

    Args:
        images: what they are, for people to read: ``val of digits``.
    """
    rows = kept_rows(len(labels))
    is_enough = len(labels) >= LEAST_IMAGES and logits.shape[2] > 1
    temperature = fit_temperature(logits[rows], labels[rows]) if is_enough else 1.0
    return FittedDecision(temperature, Yardstick.of(logits, labels, Decision(temperature), images, digests))


def fit_temperature(logits: Logits, labels: Indices) -> float:
    """The temperature of least log loss (Guo et al. 2017, arXiv:1706.04599, Sec. 4.2), to four digits.

    The loss is that of the answer, which is the mean of the views' softmax. Half an image more is counted, like the
    others on average, whose true class is the second most probable one: without, where all N are answered rightly, no
    temperature would be too low (as Platt 1999 does, for a few images; of many it changes nothing that can be seen).
    """
    from scipy.optimize import minimize_scalar

    num_images, every = len(labels), np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        probabilities = Decision(math.exp(log_temperature)).probabilities(logits)
        of_true, of_second = probabilities[every, labels], np.partition(probabilities, -2, axis=1)[:, -2]
        losses = [-np.log(np.maximum(p, SMALLEST_PROBABILITY, dtype=np.float64)) for p in (of_true, of_second)]
        return float(losses[0].sum() + MISTAKEN * losses[1].mean()) / (num_images + MISTAKEN)

    limit = math.log(HIGHEST)
    found = minimize_scalar(loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-5})
    return float(f"{math.exp(found.x):.4g}")


def _one_by_one(demands: Demands) -> Iterator[Demands]:
    """Each demand alone; the rule of sets goes with their coverage."""
    yield Demands(unknown_at=demands.unknown_at)
    yield Demands(precision_at=demands.precision_at)
    yield replace(demands, unknown_at=None, precision_at=None)
