"""Decide what runs say about a claim of a paper (numpy and scipy).

A claim is about a way to train, not about two classifiers that came out of it, so the unit is the run: the runs of each
seed are compared with one another, and the differences tested over seeds by Student's t. What was measured on images
varies with them too, and all runs see the same ones. A test of the images alone, such as McNemar's, would call two
classifiers different that differ by their seeds only; a test of the seeds alone would take a test set of a few hundred
images for all there are. So both variances are added, those of the images being taken from the differences image by
image, and the degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946). That counts chance which belongs to
neither seed nor image twice, which errs on the side of deciding nothing.

Of several claims of a study, Holm's procedure (Scand. J. Statist. 6, 1979) keeps the probability that any is decided by
chance at 5 %. One run of each arm decides nothing, whatever came out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from resnetkit.evaluation.spread import spread_of

Ruling = Literal["same direction", "not decided", "opposite"]
Floats = npt.NDArray[np.floating[Any]]

LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A mean over runs with its 95 % interval; None: one run has no interval, nor have equal readings."""

    mean: float
    low: float | None
    high: float | None
    num_runs: int


@dataclass(frozen=True)
class Difference:
    """Difference between arms, over seeds, with its 95 % interval.

    Attributes:
        value: of two arms, the second minus the first; of more, that between the ends of the line that fits them best.
        p_value: probability of a difference as large by chance alone; None, as ``low`` and ``high``: chance cannot be
            judged, because there is one run of each, or no spread.
        num_seeds: that all arms have.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    num_seeds: int


def estimate_mean(values: Sequence[float]) -> Estimate:
    """The mean of a reading over runs, with Student's interval.

    >>> one = estimate_mean([8.0, 9.0, 10.0])
    >>> f"{one.mean:.2f}, {one.low:.2f} to {one.high:.2f}"
    '9.00, 6.52 to 11.48'
    """
    spread = spread_of(values)
    return Estimate(spread.mean, spread.low, spread.high, spread.num_runs)


def compare_arms(values: Floats, by_image: Floats | None = None) -> Difference:
    """Compare arms, in the order that a claim says is ascending, by the runs of the same seeds.

    Args:
        values: readings ``(A, S)`` of A arms and S seeds.
        by_image: the same, ``(A, N)``, for each of N images as a mean over seeds; None: a reading of no images.
    """
    num_arms, num_seeds = values.shape
    weights = _weights(num_arms)
    of_seeds = weights @ values
    value = float(of_seeds.mean())
    if num_seeds < 2:
        return Difference(value, None, None, None, num_seeds)
    variances, freedoms = [float(of_seeds.var(ddof=1)) / num_seeds], [num_seeds - 1]
    if by_image is not None and by_image.shape[1] >= 2:
        of_images = weights @ by_image
        variances.append(float(of_images.var(ddof=1)) / len(of_images))
        freedoms.append(len(of_images) - 1)
    variance = sum(variances)
    if variance <= (1e-9 * float(np.abs(values).max())) ** 2:  # nothing but rounding
        return Difference(value, None, None, None, num_seeds)
    freedom = variance**2 / sum(own**2 / free for own, free in zip(variances, freedoms, strict=True))
    error = math.sqrt(variance)
    half = float(stats.t.ppf(1 - LEVEL / 2, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(value) / error, freedom))
    return Difference(value, value - half, value + half, p_value, num_seeds)


def _weights(num_arms: int) -> Floats:
    """Weights of the arms in the rise of their best line from the first arm to the last.

    >>> _weights(2).tolist()
    [-1.0, 1.0]
    """
    places = np.arange(num_arms) - (num_arms - 1) / 2
    return np.asarray((num_arms - 1) * places / np.square(places).sum())


def rule_on_claims(differences: Sequence[Difference]) -> list[Ruling]:
    """Rulings on the claims of a study, each of which says that its difference is above 0, by Holm's procedure."""
    rulings: list[Ruling] = ["not decided"] * len(differences)
    tested = sorted((d.p_value, i) for i, d in enumerate(differences) if d.p_value is not None)
    for rank, (p_value, i) in enumerate(tested):
        if p_value > LEVEL / (len(differences) - rank):
            break
        rulings[i] = "same direction" if differences[i].value > 0 else "opposite"
    return rulings
