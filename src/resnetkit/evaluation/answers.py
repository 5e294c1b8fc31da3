"""Answers of a classifier, image by image: all that scores are computed from, and whatever else is asked later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from resnetkit.classifier.decision import Decided, Decision, Probabilities
from resnetkit.evaluation.metrics import Scores, score
from resnetkit.images.digests import Digests
from resnetkit.images.types import Indices


@dataclass(frozen=True, eq=False)
class Answers:
    """A classifier's answers for the N images of one split, a row each.

    Attributes:
        split: ``train``, ``val``, ``test``, or ``all`` of a folder that has none.
        class_names: those of the classifier, K of them.
        identifiers, digests: of the images, as in :class:`~resnetkit.data.types.Split`.
        labels: int64 ``(N,)``, the true classes, positions in ``class_names``.
        trained_on: bool ``(N,)``, of each image, whether the weights were trained on it; those are in no score.
        probabilities: float32 ``(N, K)``.
        num_exact: how many of an image's probabilities are as they were given, beside that of its true class: the
            highest; among the other classes the rest is spread evenly. None: all of them.
        familiarity: float32 ``(N,)``, of each image, see :func:`~resnetkit.classifier.decision.familiarity`; None where
            it was not kept.
    """

    split: str
    class_names: tuple[str, ...]
    identifiers: Sequence[str]
    digests: Digests
    labels: Indices
    trained_on: npt.NDArray[np.bool_]
    probabilities: Probabilities
    num_exact: int | None = None
    familiarity: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: Indices) -> Answers:
        """Only the answers at these rows, in their order."""
        names = [self.identifiers[row] for row in rows.tolist()]
        return replace(
            self,
            identifiers=names,
            digests=self.digests[rows],
            labels=self.labels[rows],
            trained_on=self.trained_on[rows],
            probabilities=self.probabilities[rows],
            familiarity=None if self.familiarity is None else self.familiarity[rows],
        )

    def decided_by(self, decision: Decision) -> Decided:
        """All that a decision of the temperature by which these were answered makes of them."""
        return decision.judge(self.probabilities, self.familiarity)

    @cached_property
    def predicted(self) -> Indices:
        """The most probable classes ``(N,)``; of equally probable ones the first, as in the scores."""
        classes: Indices = self.probabilities.argmax(1)
        return classes

    @cached_property
    def confidences(self) -> Probabilities:
        """The probabilities ``(N,)`` of the most probable classes."""
        highest: Probabilities = self.probabilities.max(1)
        return highest

    @cached_property
    def true_probabilities(self) -> Probabilities:
        """The probabilities ``(N,)`` of the true classes."""
        return self.probabilities[np.arange(len(self)), self.labels]

    @cached_property
    def is_right(self) -> npt.NDArray[np.bool_]:
        """Mask ``(N,)`` of the images whose most probable class is the true one."""
        right: npt.NDArray[np.bool_] = self.predicted == self.labels
        return right


def score_answers(answers: Answers, *, trained_on: bool = False) -> Scores | None:
    """Scores of the answers for images that the weights were not trained on; None where there are no such images.

    Args:
        trained_on: score the images that the weights were trained on, instead.
    """
    rows = answers.trained_on == trained_on
    return score(answers.probabilities[rows], answers.labels[rows], answers.class_names) if rows.any() else None


def join_answers(split: str, parts: Sequence[Answers]) -> Answers:
    """One classifier's answers on several splits, at least one, as those on a single one called ``split``."""
    if len(parts) == 1:
        return replace(parts[0], split=split)
    familiarities = [part.familiarity for part in parts if part.familiarity is not None]
    return Answers(
        split,
        parts[0].class_names,
        tuple(identifier for part in parts for identifier in part.identifiers),
        np.concatenate([part.digests for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.trained_on for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        familiarity=np.concatenate(familiarities) if len(familiarities) == len(parts) else None,
    )
