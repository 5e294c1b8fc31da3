"""The lesion study: what a network still knows with blocks left out or swapped: arXiv:1605.06431, Section 4."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from resnetkit.analysis.figure import Bar, Bars, Figure, Line, Lines
from resnetkit.analysis.rewiring import (
    Wiring,
    draw_swapped,
    draw_without,
    keeps_shape,
    kendall_tau,
    score_wirings,
    whole,
    without,
)
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.models.places import iter_places
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import NoSkip, ResNetSpec
from resnetkit.pages.formatting import percent

COUNTS = (1, 2, 3, 5, 8, 13, 21, 34)  # of blocks left out or pairs swapped, as far as there are so many
NUM_DRAWS = 4


@dataclass(frozen=True)
class Lesion:
    """A network with blocks left out or swapped, and what it still scores.

    Attributes:
        count: blocks left out, or pairs swapped one after the other.
        tau: Kendall's rank correlation of the order of its blocks with theirs; 1 where none was swapped.
    """

    accuracy: Accuracy
    count: int
    tau: float = 1.0


@dataclass(frozen=True)
class LesionStudy:
    """Scores of a network, whole and damaged.

    Attributes:
        each: with one block left out, by its name.
        some: with several left out, drawn from those that keep the shape; empty where there are too few.
        swapped: with pairs of blocks swapped that are of one stage and keep the shape; empty where there are none.
    """

    whole: Accuracy
    each: dict[str, Accuracy]
    some: tuple[Lesion, ...]
    swapped: tuple[Lesion, ...]

    @property
    def median(self) -> float:
        """Median top-1 with one block left out."""
        return statistics.median(accuracy.value for accuracy in self.each.values())


def study_lesions(network: ResNet, sample: Sample, *, num_draws: int = NUM_DRAWS, seed: int = 0) -> LesionStudy:
    """Score a network with each block left out, with some, and with some swapped; all of them in one pass.

    Args:
        num_draws: how often an order to leave blocks out in, and swaps, are drawn.
    """
    spec, names = network.spec, [name for name, _ in network.iter_blocks()]
    draw, length = np.random.default_rng(seed), len(names)
    num_candidates = sum(map(keeps_shape, iter_places(spec)))
    counts = [count for count in COUNTS if count < num_candidates]  # to leave all of them out there is one way only
    some = [drawn for _ in range(num_draws) for drawn in draw_without(spec, counts, draw)]
    swapped = [drawn for _ in range(num_draws) for drawn in draw_swapped(spec, counts, draw)]
    singles = [without(length, [number]) for number in range(length)]
    wirings: list[Wiring] = [whole(length), *singles, *(wiring for _, wiring in some + swapped)]
    kinds = list(dict.fromkeys(wirings))  # the same one may be drawn twice
    score_of = dict(zip(kinds, score_wirings(network, sample, kinds), strict=True))
    return LesionStudy(
        whole=score_of[whole(length)],
        each={name: score_of[wiring] for name, wiring in zip(names, singles, strict=True)},
        some=tuple(Lesion(score_of[wiring], count) for count, wiring in some),
        swapped=tuple(Lesion(score_of[wiring], count, kendall_tau(_order(wiring))) for count, wiring in swapped),
    )


def _order(wiring: Wiring) -> list[int]:
    return [way for way in wiring if way is not None]


def show_lesions(subject: Subject) -> Figure:
    """Study and draw the lesions of a subject."""
    study = study_lesions(subject.network, subject.shown(), seed=subject.seed)
    figure = draw_lesions(study, subject.spec)
    if not subject.shown().preprocessing.average_mirrored:
        return figure
    return replace(figure, notes=(*figure.notes, "every image is seen once, not averaged with its mirror image"))


def draw_lesions(study: LesionStudy, spec: ResNetSpec) -> Figure:
    """The figure: each block left out, several, and swaps."""
    start = study.whole.value
    panels: list[Bars | Lines] = [
        Bars(
            "one block left out",
            "top-1",
            tuple(Bar(name, score.value, score.low, score.high) for name, score in study.each.items()),
            start,
            "whole network",
        )
    ]
    band = "least and greatest of the draws"
    if study.some:
        some = _mean_line("blocks left out", study.some, start)
        panels.append(Lines("several blocks left out", "blocks left out", "top-1", (some,), band=band))
    if study.swapped:
        swaps, by_tau = _mean_line("swaps", study.swapped, start), _tau_line(study, start)
        panels.append(Lines("blocks swapped", "swaps", "top-1", (swaps,), band=band))
        panels.append(Lines("blocks swapped, by their order", "Kendall's tau", "top-1", (by_tau,), band=band))
    worst = min(study.each, key=lambda name: study.each[name].value)
    least = study.each[worst].value
    numbers = {"top1": start, "median_top1_without_one": study.median, "least_top1_without_one": least}
    numbers["top1_of_guessing"] = 1 / (spec.num_classes or 1)
    seen = (
        f"{percent(start, 1)} right as it is (n = {study.whole.num_images:,}); with one of {len(study.each)} blocks "
        f"left out {percent(study.median, 1)} (median), and {percent(least, 1)} without {worst}"
    )
    if study.some:
        # About a fifth of the blocks: with fewer little is lost, with more all of it, whatever the network.
        count = min({lesion.count for lesion in study.some}, key=lambda count: abs(count - max(2, len(study.each) / 5)))
        numbers |= {"several": float(count), "top1_without_several": _mean(study.some, count)}
        seen += f"; with {count} left out {percent(numbers['top1_without_several'], 1)}"
        if study.swapped:
            numbers["top1_after_several_swaps"] = _mean(study.swapped, count)
            seen += f", after {count} swaps {percent(numbers['top1_after_several_swaps'], 1)}"
        seen += " (means)"
    return Figure(
        name="lesions",
        title="Accuracy with blocks left out or swapped",
        source="arXiv:1605.06431, Figures 3 and 5",
        expected="A residual network hardly misses one block, most of all those that change the shape, and gets worse "
        "smoothly with more of them left out or swapped. A plain one falls to guessing with any block left out.",
        seen=f"{seen}.",
        panels=tuple(panels),
        numbers=numbers,
        notes=_notes(spec, study),
    )


def _notes(spec: ResNetSpec, study: LesionStudy) -> tuple[str, ...]:
    notes = ["several blocks, and swaps, are drawn from the blocks that keep the shape; swaps stay within a stage"]
    if isinstance(spec.block.join, NoSkip):
        notes.append(
            "there are no skips: the map is handed on past a block that is left out, and where the shape changes, "
            "every stride-th pixel of it with channels of zeros"
        )
    else:
        notes.append("a block that is left out hands on what its skip gives; a projection stays")
    if not study.some:
        notes.append("too few blocks keep the shape to draw from them")
    elif not study.swapped:
        notes.append("no stage has two blocks that keep the shape, to swap them")
    return tuple(notes)


def _mean_line(name: str, lesions: Sequence[Lesion], start: float) -> Line:
    """Means by count, from none on, between the least and the greatest of the draws."""
    counts = sorted({lesion.count for lesion in lesions})
    values = [[lesion.accuracy.value for lesion in lesions if lesion.count == count] for count in counts]
    return Line(
        name,
        (0.0, *map(float, counts)),
        (start, *map(statistics.fmean, values)),
        (start, *map(min, values)),
        (start, *map(max, values)),
    )


def _tau_line(study: LesionStudy, start: float) -> Line:
    """The means of the swaps over the mean correlation of the blocks' order with their own."""
    counts = sorted({lesion.count for lesion in study.swapped})
    taus = [1.0, *(statistics.fmean(one.tau for one in study.swapped if one.count == count) for count in counts)]
    by_count = _mean_line("swaps", study.swapped, start)
    order = sorted(range(len(taus)), key=taus.__getitem__)
    x, y, low, high = (tuple(values[i] for i in order) for values in (taus, by_count.y, by_count.low, by_count.high))
    return Line("swaps", x, y, low, high)


def _mean(lesions: Sequence[Lesion], count: int) -> float:
    return statistics.fmean(lesion.accuracy.value for lesion in lesions if lesion.count == count)
