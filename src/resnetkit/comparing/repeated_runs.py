"""Two ways to train, each by several runs: whether they differ by more than their seeds or folds do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from resnetkit.comparing.compared_answers import in_points, p_words
from resnetkit.comparing.sides import Answered, Side, about_choosing, about_copies, shared_by
from resnetkit.config import to_dict
from resnetkit.errors import Code, require
from resnetkit.evaluation.paired import LEVEL
from resnetkit.evaluation.repeated import RunsDifference, compare_repeats, least_difference
from resnetkit.images.types import Indices
from resnetkit.terminal import first_few

SEEDS_TOLD = (3, 5, 10)
LACKING = {
    "runs": "one run a side tells of no spread: compare the two runs themselves, image by image",
    "spread": "all scores of a side are the same, which is no spread to judge it by",
    "spread of differences": "every two runs are exactly as far apart, which is no spread to judge it by",
}


@dataclass(frozen=True)
class RepeatedSide:
    """The runs of one side: ``top1`` of each, in [0, 1], on ``num_images`` each."""

    name: str
    runs: tuple[str, ...]
    top1: tuple[float, ...]
    num_images: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return sum(self.top1) / len(self.top1)


@dataclass(frozen=True)
class RepeatsComparison:
    """Two sides of which one at least has several runs.

    Attributes:
        by: ``seeds`` or ``folds``.
        difference: of mean top-1, ``b`` minus ``a``.
        notes: what it can say and what not, in sentences.
    """

    a: RepeatedSide
    b: RepeatedSide
    by: str
    difference: RunsDifference
    notes: tuple[str, ...]

    @property
    def is_decided(self) -> bool:
        """Tell whether the two differ by more than chance."""
        return self.difference.p_value is not None and self.difference.p_value < LEVEL

    @property
    def better(self) -> str | None:
        """The one whose mean is higher; None where neither is."""
        value = self.difference.value
        return None if value == 0 else self.b.name if value > 0 else self.a.name

    @property
    def verdict(self) -> str:
        """The sentence that can be said of the two."""
        one = self.difference
        points = f"{100 * abs(one.value):.2f} points apart"
        ahead = f" ({self.better} ahead)" if self.better else ""
        if one.low is None or one.high is None or one.p_value is None:
            return f"Not decided: {points}{ahead}; {LACKING[one.lacks]}"
        low, high = (one.low, one.high) if one.value >= 0 else (-one.high, -one.low)
        interval = f"95 % interval {in_points(low, 2)} to {in_points(high, 2)}"
        told = f"{interval}, {p_words(one.p_value)} ({one.method} over {self.by})"
        if self.is_decided:
            return f"{self.better} is better: {points}, {told}"
        return f"Not decided: {points}{ahead}, {told}"

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "by": self.by,
            "sides": [{**vars(side), "mean": side.mean} for side in (self.a, self.b)],
            "difference": to_dict(self.difference),
            "is_decided": self.is_decided,
            "verdict": self.verdict,
            "notes": list(self.notes),
        }


def compare_repeated(a: Answered, b: Answered) -> RepeatsComparison:
    """Compare the scores of two sides over seeds, or over folds, image for image the same.

    Raises:
        ResnetkitError: for a run that is on both sides, where one side's runs are of folds and the other's are not, for
            folds that are not the same, and where there is no image that all runs answered and none was trained on.
    """
    both = [run.name for run, place in zip(a.runs, a.places, strict=True) if place in b.places]
    require(
        not both,
        f"{first_few(both)} would be on both sides",
        why="a run tells nothing of a side that it belongs to",
        fix="compare it with another run, or with another folder",
        code=Code.DATA,
    )
    by = "folds" if "folds" in (a.by, b.by) else "seeds"
    require(
        by == "seeds" or a.by == b.by,
        f"{a.name} and {b.name} are not both over folds",
        why="each fold is scored on other images",
        fix="compare folds with folds, and seeds with seeds",
        code=Code.DATA,
    )
    of_a, of_b, told = _over_folds(a, b) if by == "folds" else _over_seeds(a, b)
    num_runs = len(a.runs)
    is_same = by == "folds" or (num_runs > 1 and len(b.runs) == num_runs and a.seeds == b.seeds and bool(a.seeds))
    difference = compare_repeats(of_a.top1, of_b.top1, is_paired=is_same and num_runs > 1)
    chosen = about_choosing([replace(one.runs[0], name=one.name) for one in (a, b)])
    notes = (*a.notes, *b.notes, *told, *chosen, *_limits(difference, by, (of_a, of_b)))
    return RepeatsComparison(of_a, of_b, by, difference, notes)


Scored = tuple[RepeatedSide, RepeatedSide, list[str]]
"""Both sides, and sentences about images that are not compared."""


def _over_seeds(a: Answered, b: Answered) -> Scored:
    runs = [*a.runs, *b.runs]
    shared = shared_by(runs)
    shares = [_share_right(run, rows) for run, rows in zip(runs, shared.rows, strict=True)]
    of_a, of_b = shares[: len(a.runs)], shares[len(a.runs) :]
    told = shared.notes([one.name for one in (a, b) for _ in one.runs]) + about_copies(runs, shared)
    sizes = [len(shared)] * len(runs)
    return _side(a, of_a, sizes[: len(of_a)]), _side(b, of_b, sizes[len(of_a) :]), list(dict.fromkeys(told))


def _over_folds(a: Answered, b: Answered) -> Scored:
    require(
        len(a.runs) == len(b.runs),
        f"{a.name} has {len(a.runs)} folds that have finished, and {b.name} has {len(b.runs)}",
        fix="compare the same number of folds",
        code=Code.DATA,
    )
    each = [shared_by(both) for both in zip(a.runs, b.runs, strict=True)]
    of_a, of_b = (
        [_share_right(run, shared.rows[place]) for run, shared in zip(side.runs, each, strict=True)]
        for place, side in enumerate((a, b))
    )
    sizes = [len(shared) for shared in each]
    told = []
    for place, (both, shared) in enumerate(zip(zip(a.runs, b.runs, strict=True), each, strict=True), 1):
        found = shared.notes((a.name, b.name)) + about_copies(both, shared)
        told += [f"fold {place}: {text}" for text in found]
    return _side(a, of_a, sizes), _side(b, of_b, sizes), told


def _share_right(run: Side, rows: Indices) -> float:
    return float(run.answers.is_right[rows].mean())


def _side(answered: Answered, top1: Sequence[float], num_images: Sequence[int]) -> RepeatedSide:
    return RepeatedSide(answered.name, tuple(run.name for run in answered.runs), tuple(top1), tuple(num_images))


def _limits(difference: RunsDifference, by: str, sides: Sequence[RepeatedSide]) -> list[str]:
    """Sentences on what such a comparison can say and what not."""
    told = []
    if difference.sd is not None and difference.p_value is not None:
        least = [least_difference(difference.sd, number, is_paired=difference.is_paired) for number in SEEDS_TOLD]
        numbers, points = "/".join(map(str, SEEDS_TOLD)), "/".join(f"{100 * one:.2f}" for one in least)
        spread = f"at sd {100 * difference.sd:.2f} points {'of differences ' if difference.is_paired else ''}over {by}"
        told.append(f"{spread}, {numbers} {by} a side tell {points} points apart, four times in five")
    if difference.method == "one run beside several" and difference.sd is not None:
        told.append("the single run is taken to vary with its seed as the others do")
    if by == "folds":
        told.append("folds share most of their training images, so the interval is a little too narrow")
    else:
        num_images = f"{sides[0].num_images[0]:,}"
        told.append(f"it speaks of ways to train, scored on these {num_images} images; others would move both sides")
    return told
