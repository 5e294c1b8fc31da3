"""Only sure answers taken: how many there are at each threshold, and how many of them are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from resnetkit.classifier.decision import Mask
from resnetkit.evaluation.metrics import Accuracy, Probabilities
from resnetkit.pages.charts import Series, line_chart
from resnetkit.pages.formatting import percent

NUM_STEPS = 1000
# Those that a page without scripts tells.
TOLD = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class Thresholds:
    """Numbers of answers that are at least so sure, by threshold in steps of a thousandth from 0 to 1.

    Attributes:
        num_images: that were asked about.
        kept, right: of each threshold, the answers that are given, and those among them that are right.
    """

    num_images: int
    kept: Sequence[int]
    right: Sequence[int]

    @classmethod
    def of(cls, confidences: Probabilities, is_right: Mask, is_unknown: Mask | None = None) -> Thresholds:
        """Count the answers ``(N,)`` that are at least so sure; an image that is unknown gets none at any threshold.

        >>> found = Thresholds.of(np.array([0.5, 0.9, 1.0]), np.array([False, True, True]))
        >>> [(found.kept[step], found.right[step]) for step in (0, 500, 501, 1000)]
        [(3, 2), (3, 2), (2, 2), (1, 1)]
        """
        num_images = len(confidences)
        if is_unknown is not None:
            confidences, is_right = confidences[~is_unknown], is_right[~is_unknown]
        # An answer is given up to this step; the 1e-6 is for what rounding to float32 took.
        last = np.floor(confidences.astype(np.float64) * NUM_STEPS + 1e-3).astype(np.int64)
        kept, right = (np.bincount(found, minlength=NUM_STEPS + 1) for found in (last, last[is_right]))
        return cls(num_images, *(np.cumsum(counts[::-1])[::-1].tolist() for counts in (kept, right)))

    @property
    def num_unknown(self) -> int:
        """Number of the images that are answered at no threshold."""
        return self.num_images - self.kept[0]

    @property
    def told(self) -> list[tuple[float, float, Accuracy]]:
        """Some thresholds, the share of images that is answered, and how many of these are right."""
        steps = [round(threshold * NUM_STEPS) for threshold in TOLD]
        return [
            (step / NUM_STEPS, self.kept[step] / self.num_images, Accuracy.of(self.right[step], self.kept[step]))
            for step in steps
            if self.kept[step]
        ]

    def chart(self) -> Markup:
        """Accuracy of what is answered, by the share that is."""
        points = {
            kept / self.num_images: right / kept for kept, right in zip(self.kept, self.right, strict=True) if kept
        }
        shares = sorted(points)
        xs = [100 * share for share in shares]
        return line_chart(
            [Series("", xs, [points[share] for share in shares])], "% of images answered", "Right among them", percent
        )
