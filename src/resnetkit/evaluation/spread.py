"""The mean of a score over several runs, and how far runs lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from resnetkit.config import frozen
from resnetkit.evaluation.paired import LEVEL

ROUNDING = 1e-12  # of the largest score: what lies no farther apart is equal


@frozen
class Spread:
    """A score of several runs.

    Attributes:
        mean: over the runs.
        sd: standard deviation of one run's score, with n - 1; None of a single run.
        low, high: 95 % interval of the mean by Student's t, for scores that vary as a normal distribution does
            (Biometrika 6, 1908); None where there is nothing to judge by: of a single run, and of equal scores.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    num_runs: int


def spread_of(values: Sequence[float]) -> Spread:
    """The mean of a score over runs, at least one, with its interval.

    >>> one = spread_of([8.0, 9.0, 10.0])
    >>> f"{one.mean:.2f} ± {one.sd:.2f}, {one.low:.2f} to {one.high:.2f}"
    '9.00 ± 1.00, 6.52 to 11.48'
    """
    from scipy.stats import t  # a second that other commands need not wait

    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Spread(mean, None, None, None, count)
    sd = float(np.std(values, ddof=1))
    if sd <= ROUNDING * float(np.abs(values).max()):
        return Spread(mean, 0.0, None, None, count)
    half = float(t.ppf(1 - LEVEL / 2, count - 1)) * sd / math.sqrt(count)
    return Spread(mean, sd, mean - half, mean + half, count)
