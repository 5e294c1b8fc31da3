"""A first look: what the weights that a run starts from know of its classes, scored before they are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from resnetkit.evaluation.metrics import Accuracy
from resnetkit.runs.folder import RunFolder

EVENT = "first_look"
# With fewer training images of a class, on average, those held back for validation are so few that their score says
# little: of 40 images, the interval of 85 % reaches from 71 to 93.
FEW_PER_CLASS = 50


@dataclass(frozen=True)
class FirstLook:
    """Cross-validated score of a linear head on what the frozen parts make of training images, unchanged.

    Attributes:
        correct, num_images: each image was answered by a head that had not seen it, nor one of the same pixels.
        num_folds: heads that were fitted.
        images_per_class: training images there are of a class, on average; not all of them need be looked at.
    """

    correct: int
    num_images: int
    num_folds: int
    images_per_class: float

    @property
    def top1(self) -> Accuracy:
        """The share of right answers, with its interval."""
        return Accuracy.of(self.correct, self.num_images)

    @property
    def says_more(self) -> bool:
        """True where images are so few that this score tells as much as that of validation."""
        return self.images_per_class < FEW_PER_CLASS

    def __str__(self) -> str:
        return (
            f"first look: {self.top1} of training images, each answered by a linear head fitted to others on what the "
            f"weights make of them ({self.num_folds} folds); what the weights know, not the final score"
        )

    def beside_validation(self, num_val: int) -> str:
        """A sentence on why it stands beside the score of so many validation images, where :attr:`says_more`."""
        few = f"the {num_val:,} validation images say little" if num_val else "no images validate"
        return (
            f"With {self.images_per_class:.0f} training images a class, {few}. Beside them stands a cross-validated "
            f"score of {self.num_images:,} training images, each answered by a linear head fitted to others on what "
            f"the weights that the run started from make of them: {self.top1}."
        )

    def record(self, folder: RunFolder) -> None:
        """Write it down as an event of a run that has not done a step."""
        folder.record(EVENT, step=0, **vars(self))


def recorded_look(folder: RunFolder) -> FirstLook | None:
    """The first look of a run; None where it had none."""
    for event in folder.events(EVENT):
        look = _read(event)
        if look is not None:
            return look
    return None


def _read(event: dict[str, Any]) -> FirstLook | None:
    """The look that an event tells of; None for one of other numbers, as somebody else's program may write."""
    counts = [event.get(name) for name in ("correct", "num_images", "num_folds")]
    per_class = event.get("images_per_class")
    correct, num_images, num_folds = (count if type(count) is int else -1 for count in counts)
    if not (0 <= correct <= num_images and num_images > 0 and num_folds > 1 and isinstance(per_class, int | float)):
        return None
    return FirstLook(correct, num_images, num_folds, float(per_class))
