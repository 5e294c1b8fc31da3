"""Two classifiers' answers for the same images: the difference between their scores, with what can be said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from resnetkit.config import frozen

Floats = npt.NDArray[np.floating[Any]]

Z = 1.959964  # 97.5 % of a normal distribution lie below
TAILS = (0.025, 0.975)
LEVEL = 0.05
POWER = 0.8

SEED = 0
NUM_RESAMPLES = 10_000  # the ends of an interval then vary by a fiftieth of its width
FEW_RESAMPLES = 2_000  # where every image is drawn one by one
NUMBERS_TOGETHER = 1 << 22


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


def mcnemar(num_lost: int, num_won: int) -> float:
    """Probability of counts at least as uneven if both classifiers were equally good: McNemar's test, exact, two-sided.

    Images that both answer rightly, or both wrongly, say nothing of which is better (Psychometrika 12, 1947). Of the
    others, each would as likely be lost as won: a binomial test, which errs on the side of deciding nothing.

    >>> round(mcnemar(2, 10), 4), mcnemar(0, 0)
    (0.0386, 1.0)
    """
    from scipy.stats import binomtest

    num_apart = num_lost + num_won
    return float(binomtest(num_lost, num_apart, 0.5).pvalue) if num_apart else 1.0


def images_to_decide(num_lost: int, num_won: int, num_images: int, level: float = LEVEL) -> int | None:
    """Number of images by which :func:`mcnemar` would tell the two apart with a probability of :data:`POWER`.

    It takes the shares of lost and won images for the true ones. With ``d`` their sum, ``e`` their difference, and
    ``z`` of a normal distribution for half of ``level`` and for 1 − :data:`POWER`, the square root of the number
    solves ``e x² = (z1 √d + z2 √(d − e²)) x + 1`` (R. J. Connor, Biometrics 43, 1987, with Edwards' correction by 1,
    Psychometrika 13, 1948, which comes close to the exact test). Where few images are lost or won, their shares are
    known roughly, and so is this number. None: as many are lost as won, which no number of images tells apart.

    >>> images_to_decide(20, 33, 1000)
    2611
    """
    if num_lost == num_won:
        return None
    apart, distance = (num_lost + num_won) / num_images, abs(num_won - num_lost) / num_images
    normal = NormalDist()
    width = normal.inv_cdf(1 - level / 2) * math.sqrt(apart) + normal.inv_cdf(POWER) * math.sqrt(apart - distance**2)
    return math.ceil(((width + math.sqrt(width**2 + 4 * distance)) / (2 * distance)) ** 2)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected probabilities of several tests, in their order: of those below a level, all are right at that level.

    The probability that chance alone brings any of them below it is at most the level, however they depend on one
    another (S. Holm, Scand. J. Statist. 6, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, p_values[i] * (len(order) - rank)))
        corrected[i] = highest
    return corrected


@frozen
class Interval:
    """A difference, the second minus the first, with its 95 % interval ``[low, high]``."""

    value: float
    low: float
    high: float


def resampled_top1(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> PairedDifference:
    """The difference of two accuracies with the interval of a paired bootstrap (B. Efron, Ann. Statist. 7, 1979).

    The images are drawn anew :data:`NUM_RESAMPLES` times, each with both its answers, and two more with them, one that
    each of the two alone answers rightly. Without these, which are Bonett and Price's too, the interval would be too
    narrow for few images, and of width 0 where nothing was answered differently. The same answers give the same
    interval.
    """
    num_images = len(first)
    num_lost, num_won = int((first & ~second).sum()), int((second & ~first).sum())
    size = num_images + 2
    shares = np.array([num_lost + 1, num_won + 1, num_images - num_lost - num_won]) / size
    drawn = np.random.default_rng(SEED).multinomial(size, shares, size=NUM_RESAMPLES)
    low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / size, TAILS)
    return PairedDifference((num_won - num_lost) / num_images, float(low), float(high), num_lost, num_won, num_images)


def resampled(columns: Floats, statistics: Callable[[Floats], Floats]) -> list[Interval]:
    """Statistics of means over images, with the intervals of a paired bootstrap of :data:`FEW_RESAMPLES` draws.

    Args:
        columns: ``(N, C)``, what is known of each of N images, of both classifiers.
        statistics: from means of the columns, ``(R, C)``, to S statistics, ``(R, S)``.
    """
    num_images = len(columns)
    random, found = np.random.default_rng(SEED), []
    together = max(1, min(FEW_RESAMPLES, NUMBERS_TOGETHER // num_images))
    for start in range(0, FEW_RESAMPLES, together):
        num_rows = min(together, FEW_RESAMPLES - start)
        drawn = random.integers(num_images, size=(num_rows, num_images), dtype=np.int32)
        counts = np.stack([np.bincount(row, minlength=num_images) for row in drawn])
        found.append(statistics(counts @ columns / num_images))
    values = statistics(columns.mean(0, keepdims=True))[0]
    ends = np.quantile(np.concatenate(found), TAILS, axis=0)
    return [Interval(*map(float, one)) for one in zip(values, *ends, strict=True)]
