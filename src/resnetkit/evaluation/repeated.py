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
NUM_SHARES = 200  # places at which the power of Welch's test is summed up
Method = Literal["paired t", "Welch's t", "one run beside several"]


@frozen
class RunsDifference:
    """The mean of the second side minus that of the first, with its 95 % interval.

    Attributes:
        low, high, p_value: None where no spread is known: see :attr:`lacks`.
        num_a, num_b: runs.
        sd: standard deviation of one run's score about the mean of its side, over both sides; of paired runs, of the
            difference between the two of a pair.
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
    def is_paired(self) -> bool:
        """Tell whether run was compared with run."""
        return self.method == "paired t"

    @property
    def lacks(self) -> Literal["", "runs", "spread", "spread of differences"]:
        """The thing for want of which there is no interval: a second run, or scores or differences that vary."""
        if self.low is not None:
            return ""
        return "runs" if self.sd is None else "spread of differences" if self.is_paired else "spread"


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
    samples = [right - left] if is_paired else [left, right]
    spreads = [(len(one) - 1, float(one.var(ddof=1))) for one in samples if len(one) > 1]
    freedom = sum(free for free, _ in spreads)
    sd = math.sqrt(sum(free * variance for free, variance in spreads) / freedom) if spreads else None
    method: Method = "paired t" if is_paired else "Welch's t" if min(sizes) > 1 else "one run beside several"
    if sd is None or sd <= LEAST_SD:
        return RunsDifference(value, None, None, None, *sizes, method, sd, None)
    if is_paired:
        variance, freedoms = sd**2 / len(left), float(freedom)
    elif method == "Welch's t":
        parts = [float(one.var(ddof=1)) / len(one) for one in samples]
        variance = sum(parts)
        freedoms = variance**2 / sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    else:
        variance, freedoms = sd**2 * (1 / sizes[0] + 1 / sizes[1]), float(freedom)
    apart = least_difference(sd, min(sizes), is_paired=is_paired) if min(sizes) > 1 else None
    low, high, p_value = _student(value, math.sqrt(variance), freedoms)
    return RunsDifference(value, low, high, p_value, *sizes, method, sd, apart)


def least_difference(sd: float, num_runs: int, *, is_paired: bool) -> float:
    """Least true difference that is found with a probability of 80 % by so many runs a side, at least two.

    Student's t has then a noncentral distribution, by how many standard errors the difference is from 0 (N. L. Johnson
    and B. L. Welch, Biometrika 31, 1940). For sides of one size it is the same in Welch's test, which takes fewer
    degrees of freedom the less alike the two variances came out, independently of their sum: its power is the mean over
    their shares in it, which have a beta distribution.

    Args:
        sd: as in :class:`RunsDifference`; unpaired sides are taken to vary alike.

    >>> [round(least_difference(0.16, n, is_paired=False), 2) for n in (3, 5, 10)]
    [0.56, 0.33, 0.21]
    >>> [round(least_difference(0.16, n, is_paired=True), 2) for n in (3, 5, 10)]
    [0.52, 0.27, 0.16]
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr, nctdtrinc
    from scipy.stats import beta, t

    free = num_runs - 1
    highest = float(t.ppf(1 - LEVEL / 2, free))
    if is_paired:
        return float(nctdtrinc(free, 1 - POWER, highest)) * sd / math.sqrt(num_runs)
    shares = beta.ppf((np.arange(NUM_SHARES) + 0.5) / NUM_SHARES, free / 2, free / 2)
    bounds = t.ppf(1 - LEVEL / 2, free / (shares**2 + (1 - shares) ** 2))
    most = highest + float(t.ppf(POWER, free))  # enough even with as few degrees of freedom as one side has
    errors = brentq(lambda errors: float(nctdtr(2 * free, errors, bounds).mean()) - (1 - POWER), 0, most)
    return float(errors) * sd * math.sqrt(2 / num_runs)


def _student(value: float, error: float, freedom: float) -> tuple[float, float, float]:
    from scipy.stats import t

    half = float(t.ppf(1 - LEVEL / 2, freedom)) * error
    return value - half, value + half, float(2 * t.sf(abs(value) / error, freedom))
