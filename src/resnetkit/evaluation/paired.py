"""The difference between two classifiers' accuracies on the same images, with what can be said of it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from resnetkit.config import frozen

Z = 1.959964  # 97.5 % of a normal distribution lie below


@frozen
class PairedDifference:
    """Accuracy of the second minus that of the first, in [-1, 1], with its 95 % interval ``[low, high]``.

    Both answered the same images, most of them alike, so the interval is far narrower than those of the two accuracies.
    It is Bonett and Price's (Br. J. Math. Stat. Psychol. 65, 2012), which holds for few images too: it never has the
    width 0, and where nothing was answered differently it tells how little so few images can show.

    Attributes:
        num_lost: images that only the first answers rightly.
        num_won: images that only the second answers rightly.

    >>> print(PairedDifference.of(np.ones(998, bool), np.arange(998) >= 10))
    -1.00 points (95 % interval -1.68 to -0.32, n = 998)
    """

    value: float
    low: float
    high: float
    num_lost: int
    num_won: int
    num_images: int

    @classmethod
    def of(cls, first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> PairedDifference:
        """Compare which of the same images ``(N,)``, at least one, each of two classifiers answers rightly."""
        num_images = len(first)
        num_lost, num_won = int((first & ~second).sum()), int((second & ~first).sum())
        lost, won = ((number + 1) / (num_images + 2) for number in (num_lost, num_won))
        centre = won - lost
        half = Z * math.sqrt((lost + won - centre**2) / (num_images + 2))
        value = (num_won - num_lost) / num_images
        return cls(value, max(-1.0, centre - half), min(1.0, centre + half), num_lost, num_won, num_images)

    def __str__(self) -> str:
        interval = f"{100 * self.low:.2f} to {100 * self.high:.2f}"
        return f"{100 * self.value:+.2f} points (95 % interval {interval}, n = {self.num_images:,})"
