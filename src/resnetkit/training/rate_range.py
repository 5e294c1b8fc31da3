"""Sweeps of the learning rate, read: where the loss falls, where it is lowest, and what a run may use (no torch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SMOOTHED_STEPS = 3.0  # standard deviation of the weights of neighbours, of a hundred steps
FAR = 3.0  # times a range beyond which a rate is said to be out of it
# Of the fall of the loss, how much the first rate of the range has behind it; half was worse, and 90 % worse than the
# lowest loss, which is what is suggested (benchmarks/trust.md).
BEGINS = 0.8
NEAR_END = 0.05  # of the steps of a sweep
START = 5  # updates whose mean is the loss at the start
LEAST_FALL = 0.05  # of the loss at the start


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes:
        losses: of the updates at the first so many rates.
        diverged_at: the rate at which the loss ran away; None where it did not.
    """

    seed: int
    losses: tuple[float, ...]
    diverged_at: float | None

    def told(self, rates: Sequence[float]) -> str:
        """A sentence on it."""
        if not self.losses:
            return "the first update ran away"
        end = "did not run away" if self.diverged_at is None else f"ran away at {self.diverged_at:.3g}"
        lowest = rates[int(np.argmin(smoothed(self.losses, len(rates))))]
        return f"the loss was lowest at {lowest:.3g} and {end}"


@dataclass(frozen=True)
class Reading:
    """Rates of one sweep.

    Attributes:
        begins: the first with most of the fall behind it.
        lowest: of the lowest loss.
        steepest: where the loss falls most from one update to the next.
        valley: fastai's suggestion, about two thirds into the longest falling stretch.
    """

    begins: float
    lowest: float
    steepest: float
    valley: float


@dataclass(frozen=True)
class RateRange:
    """All sweeps together.

    Attributes:
        low, high: rates between which a run may choose: the medians of where the sweeps' begin and are lowest.
        spread: the least and the highest rate at which a sweep's loss is lowest.
        readings: by sweep; empty, like the range, where the loss of a sweep did not fall.
        warnings: sentences on what the sweeps do not say.
    """

    rates: tuple[float, ...]
    sweeps: tuple[Sweep, ...]
    own: float
    readings: tuple[Reading, ...]
    low: float | None
    high: float | None
    spread: tuple[float, float] | None
    warnings: tuple[str, ...]

    @property
    def suggested(self) -> float | None:
        """The upper end: within the range, no rate trained better beyond chance."""
        return self.high

    @property
    def diverged_at(self) -> tuple[float, ...]:
        """The rates at which sweeps ran away, ascending."""
        return tuple(sorted(one.diverged_at for one in self.sweeps if one.diverged_at is not None))

    def mean_curve(self) -> list[tuple[float, float]]:
        """Rates with the smoothed loss there, as a mean over the sweeps, as far as all of them go."""
        curves = [smoothed(one.losses, len(self.rates)) for one in self.sweeps if one.losses]
        length = min(map(len, curves), default=0)
        means = np.mean([curve[:length] for curve in curves], axis=0).tolist() if length else []
        return list(zip(self.rates[:length], means, strict=True))

    @property
    def verdict(self) -> str:
        """A sentence on the recipe's own rate."""
        if self.low is None or self.high is None:
            return "the sweeps say nothing of the recipe's own rate"
        name = f"the recipe's own {self.own:g}"
        if self.low <= self.own <= self.high:
            return f"{name} lies within: nothing to change"
        side, factor = ("below", self.low / self.own) if self.own < self.low else ("above", self.own / self.high)
        if factor <= FAR:
            return f"{name} lies {side} by a factor of {factor:.1f}: near enough, nothing to change"
        return f"{name} lies {side} by a factor of {factor:.1f}: {self.high:.2g} is worth a try"


def read_sweeps(rates: Sequence[float], sweeps: Sequence[Sweep], own: float) -> RateRange:
    """Read sweeps over the same rates."""
    each = [(sweep, _read(rates, sweep)) for sweep in sweeps]
    if unread := [sweep for sweep, one in each if one is None]:
        told = _reasons(unread)
        return RateRange(tuple(rates), tuple(sweeps), own, (), None, None, None, tuple(told))
    readings = [one for _, one in each if one is not None]
    lowest = [one.lowest for one in readings]
    # In every sweep the range begins below the lowest loss, and so do the medians.
    low, high = _median([one.begins for one in readings]), _median(lowest)
    warnings = _warnings(rates, sweeps, readings, (low, high))
    spread = (min(lowest), max(lowest))
    return RateRange(tuple(rates), tuple(sweeps), own, tuple(readings), low, high, spread, tuple(warnings))


def smoothed(losses: Sequence[float], num_steps: int) -> Floats:
    """Means ``(N,)`` over neighbours, weighted by their distance, so that none comes late."""
    steps = np.arange(len(losses))
    width = SMOOTHED_STEPS * num_steps / 100
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / width) ** 2)
    means: Floats = weights @ np.asarray(losses) / weights.sum(1)
    return means


def _median(rates: Sequence[float]) -> float:
    """The middle rate; of an even number the geometric mean of both."""
    return float(np.sqrt(np.prod(np.sort(rates)[[(len(rates) - 1) // 2, len(rates) // 2]])))


def _reasons(unread: Sequence[Sweep]) -> list[str]:
    """Sentences on why sweeps give no rates, with what would mend it."""
    reasons = list[str]()
    if any(sweep.diverged_at is not None for sweep in unread):
        reasons.append("some sweeps ran away before the loss fell: begin lower (--from), or give more --steps")
    if any(sweep.diverged_at is None for sweep in unread):
        reasons.append("the loss hardly fell in some sweeps: raise --to, or give more --steps")
    return reasons


def _read(rates: Sequence[float], sweep: Sweep) -> Reading | None:
    """The rates that a sweep gives; None where its loss hardly fell."""
    if len(sweep.losses) < 10:
        return None
    curve = smoothed(sweep.losses, len(rates))
    start, bottom = float(curve[:START].mean()), int(curve.argmin())
    fall = start - float(curve[bottom])
    if bottom < START or fall < LEAST_FALL * start:
        return None
    begins = int(np.argmax(curve <= start - BEGINS * fall))
    steepest = int(np.gradient(curve)[: bottom + 1].argmin())
    return Reading(rates[begins], rates[bottom], rates[steepest], rates[_valley(curve)])


def _valley(curve: Floats) -> int:
    """fastai's ``valley``: in the longest falling subsequence, half a third behind its first third."""
    length, before = np.ones(len(curve), np.int64), np.arange(len(curve))
    for end in range(len(curve)):
        for begin in range(end):
            if curve[end] < curve[begin] and length[end] < length[begin] + 1:
                length[end], before[end] = length[begin] + 1, begin
    end = int(length.argmax())
    first, third = end - int(length[end]), int(length[end]) / 3
    return min(len(curve) - 1, max(0, first + int(third) + int(third / 2)))


def _warnings(
    rates: Sequence[float], sweeps: Sequence[Sweep], readings: Sequence[Reading], ends: tuple[float, float]
) -> list[str]:
    low, high = ends
    near, found = max(2, round(NEAR_END * len(rates))), list[str]()
    if any(one.begins <= rates[2 * near] for one in readings):
        found.append(f"the loss fell from the lowest rates on: begin lower than {rates[0]:.2g} (--from)")
    if any(one.lowest >= rates[-near] for one in readings):
        found.append(f"the loss was still falling at the highest rates: go beyond {rates[-1]:.2g} (--to)")
    elif all(sweep.diverged_at is None for sweep in sweeps):
        found.append(f"no sweep ran away up to {rates[-1]:.2g}: where training diverges is not known")
    lowest = [one.lowest for one in readings]
    if low == high:
        found.append("nearly all of the fall is in one update: more --steps, or a --from and --to that lie closer")
    apart = any(one.lowest < low or one.begins > high for one in readings)
    if apart or max(lowest) > FAR * min(lowest):
        found.append("the sweeps disagree: more of them (--sweeps), or longer ones (--steps), would tell more")
    return found
