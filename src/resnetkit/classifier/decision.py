"""From logits to answers, in numpy: the only step between what a network computes and what is told of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from resnetkit.config import frozen
from resnetkit.errors import require
from resnetkit.recipes.demands import SetRule

Logits = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float32]
Familiarities = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Status = Literal["ok", "unsure", "unknown", "error"]

NO_NUMBER = "has an answer that is not a number"  # why an image has the status error
ROUNDING = 1e-5  # by so much engines may differ in a probability: what lies on a threshold is within it


@frozen
class Unknown:
    """Threshold below which an image is of no class that the classifier knows.

    Attributes:
        below: of :func:`familiarity`.
        rate: share of images of its own classes that it was set to call unknown.
    """

    below: float
    rate: float

    def __post_init__(self) -> None:
        require(math.isfinite(self.below), f"decision.unknown.below must be finite, got {self.below}")
        require(0 < self.rate < 1, f"decision.unknown.rate must be between 0 and 1, got {self.rate}")

    def holds(self, familiarities: Familiarities) -> Mask:
        """Mask of the images that are unknown, by their familiarity ``(N,)``."""
        unknown: Mask = familiarities < self.below - ROUNDING
        return unknown


@frozen
class Sure:
    """Threshold from which on an answer is sure.

    Attributes:
        least: probability of the most probable class.
        precision: share of right ones among sure answers that it was set to reach.
    """

    least: float
    precision: float

    def __post_init__(self) -> None:
        require(0 <= self.least <= 1, f"decision.sure.least must be in [0, 1], got {self.least}")
        require(0 < self.precision < 1, f"decision.sure.precision must be between 0 and 1, got {self.precision}")

    def holds(self, probabilities: Probabilities) -> Mask:
        """Mask of the images with a sure answer, by their probabilities ``(N, K)``."""
        sure: Mask = probabilities.max(1) >= self.least - ROUNDING
        return sure


@frozen
class Sets:
    """Threshold of sets of classes that hold the true one with a wanted probability.

    Attributes:
        rule: see :func:`strangeness`.
        most: the classes of an image that are no stranger than this are its set, and the most probable one always is.
        coverage: share of images whose set was to hold their true class.
    """

    rule: SetRule
    most: float
    coverage: float

    def __post_init__(self) -> None:
        require(0 <= self.most <= 1, f"decision.sets.most must be in [0, 1], got {self.most}")
        require(0 < self.coverage < 1, f"decision.sets.coverage must be between 0 and 1, got {self.coverage}")

    def of(self, probabilities: Probabilities) -> Mask:
        """The sets ``(N, K)`` of images with these probabilities ``(N, K)``."""
        within: Mask = strangeness(self.rule, probabilities) <= self.most + ROUNDING
        within[np.arange(len(probabilities)), probabilities.argmax(1)] = True
        return within


@dataclass(frozen=True)
class Decided:
    """Answers for N images.

    Attributes:
        probabilities: float32 ``(N, K)``.
        is_unknown: bool ``(N,)``; nowhere, where the decision has no such threshold.
        is_unsure: bool ``(N,)``, as above.
        in_set: bool ``(N, K)``, the classes in the set of each image; None where the decision makes no sets.
    """

    probabilities: Probabilities
    is_unknown: Mask
    is_unsure: Mask
    in_set: Mask | None

    @cached_property
    def statuses(self) -> tuple[Status, ...]:
        """The status of each image: ``error`` where its probabilities are no numbers, for then it has no answer; else
        ``unknown`` goes before ``unsure``, and what is neither is ``ok``.
        """
        is_number = np.isfinite(self.probabilities).all(axis=1)
        kinds = [~is_number, self.is_unknown, self.is_unsure]
        return tuple(np.select(kinds, ["error", "unknown", "unsure"], "ok").tolist())

    @property
    def is_ok(self) -> Mask:
        """Mask ``(N,)`` of the images with status ``ok``: those whose answer is a class."""
        return np.array([status == "ok" for status in self.statuses], np.bool_)

    def set_of(self, row: int) -> Mask | None:
        """The classes ``(K,)`` in the set of one image; None as above."""
        return None if self.in_set is None else self.in_set[row]


@frozen
class Decision:
    """Way from logits to an answer; part of every classifier.

    Attributes:
        temperature: what logits are divided by (Guo et al. 2017, arXiv:1706.04599); above 1 all answers are less sure,
            below 1 more. Each view's most probable class stays what it was.
        unknown, sure, sets: thresholds, each where that was asked for.
    """

    temperature: float = 1.0
    unknown: Unknown | None = None
    sure: Sure | None = None
    sets: Sets | None = None

    def __post_init__(self) -> None:
        require(
            self.temperature > 0 and math.isfinite(self.temperature),
            f"decision.temperature must be positive and finite, got {self.temperature}",
        )

    @property
    def has_thresholds(self) -> bool:
        """True where an image can have another status than ok, or a set."""
        return (self.unknown, self.sure, self.sets) != (None, None, None)

    @property
    def is_fitted(self) -> bool:
        """True where images have set the temperature, a threshold, or both."""
        return self.temperature != 1 or self.has_thresholds

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

    def decide(self, logits: Logits) -> Decided:
        """Everything that is answered for the logits ``(N, V, K)``.

        >>> decision = Decision(sure=Sure(least=0.9, precision=0.99), sets=Sets("lac", most=0.8, coverage=0.95))
        >>> decided = decision.decide(np.float32([[[3, 2, -9]], [[9, 2, 1]]]))
        >>> decided.is_unsure
        array([ True, False])
        >>> decided.in_set
        array([[ True,  True, False],
               [ True, False, False]])
        """
        return self.judge(self.probabilities(logits), familiarity(logits))

    def judge(self, probabilities: Probabilities, familiarities: Familiarities | None) -> Decided:
        """The same of what was computed from the logits already.

        Args:
            probabilities: ``(N, K)``.
            familiarities: ``(N,)``, see :func:`familiarity`; None where they were not kept: then no image is unknown.
        """
        nobody = np.zeros(len(probabilities), np.bool_)
        is_unknown = nobody
        if self.unknown is not None and familiarities is not None:
            is_unknown = self.unknown.holds(familiarities)
        return Decided(
            probabilities,
            is_unknown,
            nobody if self.sure is None else ~self.sure.holds(probabilities),
            None if self.sets is None else self.sets.of(probabilities),
        )


def familiarity(logits: Logits) -> Familiarities:
    """Measure ``(N,)`` by which images of known classes lie above others, for logits ``(N, V, K)``.

    It is the negative energy, ``log(sum(exp(logits)))``, as a mean over views (Liu et al. 2020, arXiv:2010.03759, eq. 4
    at temperature 1), computed in float64 and rounded once, so that numbers that were kept decide as fresh ones do.

    >>> familiarity(np.zeros((1, 1, 4), np.float32)).round(3)
    array([1.386], dtype=float32)
    """
    exact = logits.astype(np.float64)
    highest = exact.max(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):  # inf - inf
        energies = highest[:, :, 0] + np.log(np.exp(exact - highest).sum(axis=2))
    measured: Familiarities = energies.mean(axis=1).astype(np.float32)
    return measured


def strangeness(rule: SetRule, probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """Measure ``(N, K)`` of how little each class is to be expected, in [0, 1].

    ``lac`` is one minus its probability (Sadinle et al. 2019, arXiv:1609.00451): the smallest sets on average.
    ``aps`` is the probability of all more probable classes together (Romano et al. 2020, arXiv:2006.02544): larger sets
    for hard images, smaller ones for easy ones. The paper adds a random share of the class's own probability; here that
    share is 0, so that an image has the same set each time.

    >>> strangeness("aps", np.float32([[0.2, 0.5, 0.3]])).round(3)
    array([[0.8, 0. , 0.5]])
    """
    exact = probabilities.astype(np.float64)
    if rule == "lac":
        return np.clip(1 - exact, 0, 1)
    order = np.argsort(-exact, axis=1, kind="stable")
    descending = np.take_along_axis(exact, order, axis=1)
    before = np.empty_like(exact)
    np.put_along_axis(before, order, descending.cumsum(axis=1) - descending, axis=1)
    return np.clip(before, 0, 1)
