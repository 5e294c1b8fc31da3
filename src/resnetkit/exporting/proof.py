"""A proof as data: how an export answered for images that its classifier answered too, and whether that is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from resnetkit.classifier.decision import Decision, Logits, Probabilities
from resnetkit.config import frozen
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.evaluation.paired import PairedDifference
from resnetkit.exporting.decided_alike import DecidedAlike, Statuses, compare_decisions
from resnetkit.exporting.precision import ExportPrecision
from resnetkit.exporting.proof_images import UNKNOWN
from resnetkit.images.types import Indices
from resnetkit.pages.formatting import plain_percent, set_percent

MAX_DIFFERENCE = 1e-3  # of a probability, in float32: rounding, and pixels that a resizing rounds to the next level
MAX_LOSS = 1.0  # points of top-1, of other precisions
LEAST_SAME = 0.95  # share of the same answers, where no labels say which are right
SHOWN_CHANGES = 20


@frozen
class Change:
    """An image that the export answers differently.

    Attributes:
        probability, exported_probability: that of the classifier's answer, and the export's of its own.
        is_tie: the classifier itself has the two classes nearer to each other than float32 need be exact.
    """

    image: str
    answer: str
    probability: float
    exported_answer: str
    exported_probability: float
    is_tie: bool


@frozen
class Refused:
    """An image that the export does not read, and why."""

    image: str
    reason: str


@frozen
class Proof:
    """Answers of an export and of its classifier for the same images, compared.

    Attributes:
        images: where they are from, in words.
        num_images: that both answered.
        num_unreadable: images that the classifier itself cannot read.
        refused: images that only the classifier reads.
        num_changed: images with another most probable class.
        changes: the first of them.
        max_difference: the largest of a probability.
        max_logit_difference: the largest of a logit, of any view.
        num_labelled: images of which the class is known; the next three are of them, None where there are none.
        difference: the export's accuracy minus the classifier's.
        versions: of what the export was run with.
        decided: how statuses and sets compare; None where the classifier's decision has no threshold.
        answered_by: how it was asked, in words that follow "it answered".
        bar: what is asked of it.
        failures: what of that it does not reach; empty for a proof that holds.
    """

    target: str
    precision: ExportPrecision
    images: str
    num_images: int
    num_unreadable: int
    refused: tuple[Refused, ...]
    num_changed: int
    num_ties: int
    changes: tuple[Change, ...]
    max_difference: float
    max_logit_difference: float
    num_labelled: int
    accuracy: Accuracy | None
    exported_accuracy: Accuracy | None
    difference: PairedDifference | None
    versions: dict[str, str]
    decided: DecidedAlike | None = None
    answered_by: str = ""
    bar: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """True where all that is asked is reached."""
        return not self.failures


@dataclass(frozen=True)
class Answered:
    """Answers of a classifier, as it is, and of its export for the same images.

    Attributes:
        names: what the images are called.
        labels: ``(N,)``, :data:`~resnetkit.exporting.proof_images.UNKNOWN` where that is not known.
        logits, exported_logits: ``(N, V, K)``.
        probabilities, exported: ``(N, K)``; the export decides itself.
        decision: the classifier's.
        statuses: what the export decided.
    """

    names: Sequence[str]
    labels: Indices
    logits: Logits
    exported_logits: Logits
    probabilities: Probabilities
    exported: Probabilities
    decision: Decision
    statuses: Statuses


@dataclass(frozen=True)
class Asked:
    """The export that is proved, and how much it may lose."""

    target: str
    precision: ExportPrecision = "fp32"
    max_loss: float = MAX_LOSS


def compare(
    answered: Answered,
    asked: Asked,
    class_names: Sequence[str],
    *,
    images: str,
    num_unreadable: int = 0,
    refused: Sequence[Refused] = (),
    versions: Mapping[str, str] | None = None,
    answered_by: str = "",
) -> Proof:
    """Compare the answers, and judge them.

    The bar of float32: no probability differs by more than :data:`MAX_DIFFERENCE`, and no answer changes but between
    classes that are as near to each other. Of other precisions: no more top-1 is lost than is allowed, and no more than
    twice of that is within the 95 % interval; or, where no class is known, so many answers stay the same as
    :data:`LEAST_SAME` says. Of all: statuses and sets are those that the thresholds make of the export's own numbers;
    in float32 they are the classifier's too, but of images that lie as near to a threshold as numbers may differ.
    """
    own, exported = answered.probabilities.argmax(1), answered.exported.argmax(1)
    is_changed = own != exported
    rows = np.flatnonzero(is_changed)
    gaps = answered.probabilities[rows, own[rows]] - answered.probabilities[rows, exported[rows]]
    changes = [
        Change(
            answered.names[row],
            class_names[own[row]],
            float(answered.probabilities[row, own[row]]),
            class_names[exported[row]],
            float(answered.exported[row, exported[row]]),
            bool(gap <= MAX_DIFFERENCE),
        )
        for row, gap in zip(rows.tolist(), gaps, strict=True)
    ]
    known = answered.labels != UNKNOWN
    num_known = int(known.sum())
    right, exported_right = (best[known] == answered.labels[known] for best in (own, exported))
    proof = Proof(
        target=asked.target,
        precision=asked.precision,
        images=images,
        num_images=len(own),
        num_unreadable=num_unreadable,
        refused=tuple(refused),
        num_changed=len(changes),
        num_ties=sum(change.is_tie for change in changes),
        changes=tuple(changes[:SHOWN_CHANGES]),
        max_difference=_largest(answered.exported, answered.probabilities),
        max_logit_difference=_largest(answered.exported_logits, answered.logits),
        num_labelled=num_known,
        accuracy=Accuracy.of(int(right.sum()), num_known) if num_known else None,
        exported_accuracy=Accuracy.of(int(exported_right.sum()), num_known) if num_known else None,
        difference=PairedDifference.of(right, exported_right) if num_known else None,
        versions=dict(versions or {}),
        decided=compare_decisions(
            answered.decision,
            (answered.probabilities, answered.logits),
            (answered.exported, answered.exported_logits),
            answered.statuses,
            tolerance=MAX_DIFFERENCE,
        ),
        answered_by=answered_by,
    )
    demands = _exact(proof) if asked.precision == "fp32" else _near_enough(proof, asked.max_loss)
    demands += _well_judged(proof)
    return replace(
        proof,
        bar=tuple(demand for demand, _, _ in demands),
        failures=tuple(found for _, is_met, found in demands if not is_met),
    )


Demand = tuple[str, bool, str]  # what is asked, whether it is reached, what was found


def _exact(proof: Proof) -> list[Demand]:
    num_real = proof.num_changed - proof.num_ties
    return [
        (
            f"no probability differs by more than {MAX_DIFFERENCE:g}",
            proof.max_difference <= MAX_DIFFERENCE,
            f"a probability differs by {proof.max_difference:.2g}",
        ),
        (
            f"no answer changes, but between classes within {MAX_DIFFERENCE:g} of each other",
            num_real == 0,
            f"{num_real:,} of {proof.num_images:,} answers change",
        ),
    ]


def _well_judged(proof: Proof) -> list[Demand]:
    decided = proof.decided
    if decided is None:
        return []
    num_other = decided.num_other - decided.num_ties
    of_all = (
        "all statuses and sets are what the thresholds make of the export's own numbers",
        decided.num_misjudged == 0,
        f"{decided.num_misjudged:,} of {proof.num_images:,} images have a status or set that its numbers do not make",
    )
    of_float32 = (
        f"no status or set changes, but of images within {MAX_DIFFERENCE:g} of a threshold",
        num_other == 0,
        f"{num_other:,} of {proof.num_images:,} images have another status or set",
    )
    return [of_all, of_float32] if proof.precision == "fp32" else [of_all]


def _near_enough(proof: Proof, max_loss: float) -> list[Demand]:
    if proof.difference is None:
        share = 1 - proof.num_changed / proof.num_images
        return [
            (
                f"{set_percent(LEAST_SAME)} of the answers stay the same",
                share >= LEAST_SAME,
                f"{plain_percent(share, 1)} of the answers stay the same",
            )
        ]
    lost, most = -100 * proof.difference.value, -100 * proof.difference.low
    return [
        (
            f"at most {_points(max_loss)} of top-1 {'is' if max_loss == 1 else 'are'} lost",
            lost <= max_loss,
            f"{lost:.2f} points of top-1 are lost",
        ),
        (
            f"the 95 % interval of the loss ends at {_points(2 * max_loss)} or below",
            most <= 2 * max_loss,
            f"by {proof.num_labelled:,} labelled images up to {most:.2f} may be",
        ),
    ]


def _largest(values: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    """The largest difference; infinite where something is not finite, which is no answer."""
    differences = np.abs(values.astype(np.float64) - expected)
    return float(np.nan_to_num(differences, nan=np.inf).max(initial=0.0))


def _points(number: float) -> str:
    return "1 point" if number == 1 else f"{number:g} points"
