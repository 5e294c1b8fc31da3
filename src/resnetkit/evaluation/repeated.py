"""Scores of several runs a side, which differ by their seeds or folds: the difference between two ways to train.

The unit is the run. Its seed moves a score, as an image that happens to be in the test set does, and only other runs
tell by how much. All by Student's t, which takes the scores of one side to vary as a normal distribution does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from resnetkit.config import frozen
from resnetkit.evaluation.paired import LEVEL, POWER

LEAST_SD = 1e-12  # below, scores differ by rounding alone
Method = Literal["paired t", "Welch's t", "one run beside several"]


@frozen
class RunsDifference:
    """The mean of the second side minus that of the first, with its 95 % interval.

    Attributes:
        low, high, p_value: None where no spread is known: see :attr:`lacks`.
        num_a, num_b: runs.
        sd: standard deviation of one run's score about the mean of its side, over both sides.
        tells_apart: least true difference that so many runs a side would find with a probability of 80 %.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    num_a: int
    num_b: int
    method: Method
    sd: float | None
    tells_apart: float | None

    @property
    def lacks(self) -> Literal["", "runs", "spread", "spread of differences"]:
        """The thing for want of which there is no interval: a second run, or scores or differences that vary."""
        if self.low is not None:
            return ""
        return "runs" if self.sd is None else "spread" if self.sd <= LEAST_SD else "spread of differences"


def compare_repeats(a: Sequence[float], b: Sequence[float], *, is_paired: bool) -> RunsDifference:
    """Compare the scores of two sides, at least one run each.

    ``is_paired``: by what is common to the first of both, the second of both, …, as a seed or a fold (Student,
    Biometrika 6, 1908); else by Welch's test, for which both sides may vary differently (Biometrika 34, 1947). One run
    beside several is taken to vary as these do.

    >>> compare_repeats([0.90, 0.92, 0.91], [0.94, 0.95, 0.93], is_paired=False).low > 0
    True
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    value = float(right.mean() - left.mean())
    sizes = (len(left), len(right))
    spreads = [(len(one) - 1, float(one.var(ddof=1))) for one in (left, right) if len(one) > 1]
    freedom = sum(free for free, _ in spreads)
    sd = math.sqrt(sum(free * variance for free, variance in spreads) / freedom) if spreads else None
    method: Method = "paired t" if is_paired else "Welch's t" if min(sizes) > 1 else "one run beside several"
    if sd is None or sd <= LEAST_SD:
        return RunsDifference(value, None, None, None, *sizes, method, sd, None)
    if is_paired:
        variance, freedoms = float((right - left).var(ddof=1)) / len(left), float(len(left) - 1)
    elif method == "Welch's t":
        parts = [float(one.var(ddof=1)) / len(one) for one in (left, right)]
        variance = sum(parts)
        freedoms = variance**2 / sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    else:
        variance, freedoms = sd**2 * (1 / sizes[0] + 1 / sizes[1]), float(freedom)
    apart = least_difference(sd, min(sizes)) if min(sizes) > 1 else None
    if variance <= LEAST_SD**2:
        return RunsDifference(value, None, None, None, *sizes, method, sd, apart)
    low, high, p_value = _student(value, math.sqrt(variance), freedoms)
    return RunsDifference(value, low, high, p_value, *sizes, method, sd, apart)


def least_difference(sd: float, num_runs: int) -> float:
    """Least true difference that is found with a probability of 80 % by so many runs a side, at least two.

    ``(t1 + t2) sd √(2 / n)``, with ``t`` of ``2 n − 2`` degrees of freedom for half of the level and for the power
    (G. W. Snedecor and W. G. Cochran, Statistical Methods, 7th edition, 6.14).

    >>> [round(least_difference(0.16, n), 2) for n in (3, 5, 10)]
    [0.49, 0.32, 0.21]
    """
    from scipy.stats import t

    freedom = 2 * num_runs - 2
    return float((t.ppf(1 - LEVEL / 2, freedom) + t.ppf(POWER, freedom)) * sd * math.sqrt(2 / num_runs))


def _student(value: float, error: float, freedom: float) -> tuple[float, float, float]:
    from scipy.stats import t

    half = float(t.ppf(1 - LEVEL / 2, freedom)) * error
    return value - half, value + half, float(2 * t.sf(abs(value) / error, freedom))
