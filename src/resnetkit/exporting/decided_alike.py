"""Statuses and sets of an export compared with those of its classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from resnetkit.classifier.decision import Decided, Decision, Logits, Mask, Probabilities, familiarity
from resnetkit.config import frozen


@dataclass(frozen=True)
class Statuses:
    """Statuses of N images by name, and the classes in their sets, bool ``(N, K)``; None where none are made."""

    names: Sequence[str]
    in_set: Mask | None

    @classmethod
    def of(cls, decided: Decided) -> Statuses:
        """Those of a decision of ours."""
        return cls(decided.statuses, decided.in_set)

    def differ(self, other: Statuses) -> Mask:
        """Images ``(N,)`` of which the status or the set is another."""
        is_other: Mask = np.array(self.names, np.str_) != np.array(other.names, np.str_)
        if self.in_set is not None and other.in_set is not None:
            is_other |= (self.in_set != other.in_set).any(axis=1)
        elif self.in_set is not other.in_set:  # one makes none
            is_other |= True
        return is_other


@frozen
class DecidedAlike:
    """Images on which an export and its classifier decide otherwise.

    Attributes:
        num_misjudged: whose status or set is not what the thresholds make of the export's own numbers.
        num_other: whose status or set is not the classifier's.
        num_ties: those of them that are as near to a threshold as numbers may differ.
    """

    num_misjudged: int
    num_other: int
    num_ties: int


def compare_decisions(
    decision: Decision,
    own: tuple[Probabilities, Logits],
    exported: tuple[Probabilities, Logits],
    found: Statuses,
    *,
    tolerance: float,
) -> DecidedAlike | None:
    """Compare what an export decided, ``found``, with the classifier's decision; None where that has no threshold.

    Args:
        own, exported: probabilities ``(N, K)`` and logits ``(N, V, K)`` of both.
        tolerance: by which numbers may differ.
    """
    if not decision.has_thresholds:
        return None
    is_other = _judged(decision, *own).differ(found)
    below, above = (_judged(_moved(decision, by), *own) for by in (-tolerance, tolerance))
    return DecidedAlike(
        num_misjudged=int(_judged(decision, *exported).differ(found).sum()),
        num_other=int(is_other.sum()),
        num_ties=int((is_other & below.differ(above)).sum()),
    )


def _judged(decision: Decision, probabilities: Probabilities, logits: Logits) -> Statuses:
    return Statuses.of(decision.judge(probabilities, familiarity(logits)))


def _moved(decision: Decision, by: float) -> Decision:
    """The decision with all of its thresholds moved."""
    unknown, sure, sets = decision.unknown, decision.sure, decision.sets
    return replace(
        decision,
        unknown=unknown and replace(unknown, below=unknown.below + by),
        sure=sure and replace(sure, least=min(1, max(0, sure.least + by))),
        sets=sets and replace(sets, most=min(1, max(0, sets.most + by))),
    )
