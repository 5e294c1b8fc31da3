"""Times that can be believed: warmed up, taken in rounds that alternate between what is compared, told with spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

# Rounds that differ by more than this share of their median were disturbed.
LARGE_SPREAD = 0.2
# Fewer times than this say nothing about their slowest twentieth.
MIN_FOR_TAIL = 20

Key = TypeVar("Key")


@dataclass(frozen=True)
class Figure:
    """The median of ``n`` rounds, with the lowest and the highest.

    >>> Figure.of([90.0, 110.0, 100.0])
    Figure(median=100.0, low=90.0, high=110.0, n=3)
    """

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The figure of some rounds, at least one."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    @property
    def spread(self) -> float:
        """(high - low) / median."""
        return (self.high - self.low) / self.median

    @property
    def is_steady(self) -> bool:
        """Tell whether the rounds agree well enough to be believed."""
        return self.spread <= LARGE_SPREAD


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all lie at or below.

    >>> percentile([5.0, 1.0, 4.0, 2.0, 3.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.95)
    (3.0, 4.0)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


# Does that many steps and gives the seconds that each of them took.
Work = Callable[[int], list[float]]


def time_rounds(works: Mapping[Key, Work], *, rounds: int, seconds: float) -> dict[Key, list[list[float]]]:
    """Seconds of every step, by work and round.

    In each round every work has its turn, so that whatever else the machine does falls on all of them alike. Works are
    expected to be warm. A turn lasts its share of ``seconds`` in all, but at least one step.
    """
    turn_seconds = seconds / (rounds * max(1, len(works)))
    num_steps = {key: max(1, round(turn_seconds / max(work(1)[0], 1e-9))) for key, work in works.items()}
    times: dict[Key, list[list[float]]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            times[key].append(work(num_steps[key]))
    return times
