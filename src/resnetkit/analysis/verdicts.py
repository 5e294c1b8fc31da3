"""Sentences on two networks, computed from the numbers of a figure of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from resnetkit.analysis.figure import Figure
from resnetkit.pages.formatting import percent

Numbers = Mapping[str, float]

UNEQUAL = 2.0  # times as much: so far apart, two networks have not learned equally well


@dataclass(frozen=True)
class Comparison:
    """A value by which two figures are compared.

    Attributes:
        of: the value, from the figure's numbers.
        lesser: what is said of the network with the lesser one.
        form: how the value is written.
        margin: two values that are less apart than this are said to hardly differ.
        caution: what is to be said where the two had better not be compared, from the numbers of both; else empty.
    """

    of: Callable[[Numbers], float]
    lesser: str
    form: Callable[[float], str]
    margin: float
    caution: Callable[[Numbers, Numbers], str] = lambda a, b: ""


def _learned(numbers: Numbers) -> float:
    """Top-1 above that of guessing."""
    return max(0.0, numbers["top1"] - numbers["top1_of_guessing"])


def _kept(numbers: Numbers) -> float:
    """The share of what a network has above guessing that it keeps, damaged; who has nothing keeps nothing."""
    learned, left = _learned(numbers), numbers["median_top1_without_one"] - numbers["top1_of_guessing"]
    return min(1.0, max(0.0, left / learned)) if learned else 0.0


def _unequally_skilled(a: Numbers, b: Numbers) -> str:
    (low, worse), (high, better) = sorted((_learned(numbers), numbers["top1"]) for numbers in (a, b))
    if high <= UNEQUAL * low:
        return ""
    return (
        f"they have not learned equally well (top-1 {percent(worse, 1)} and {percent(better, 1)}), and who knows "
        "little has little to lose"
    )


def _at_unequal_losses(a: Numbers, b: Numbers) -> str:
    low, high = sorted((a["loss"], b["loss"]))
    if high <= UNEQUAL * low:
        return ""
    return f"they have not learned equally well (losses {low:.3g} and {high:.3g}), and that shapes a landscape too"


COMPARISONS: dict[str, Comparison] = {
    "responses": Comparison(
        lambda numbers: numbers["mean_std"], "responds less strongly, by the mean of its layers", "{:.3f}".format, 0.02
    ),
    "lesions": Comparison(
        _kept,
        "keeps less of what it has above guessing with a block left out (median)",
        partial(percent, decimals=0),
        0.05,
        _unequally_skilled,
    ),
    "landscape": Comparison(
        lambda numbers: numbers["not_convex"],
        "lies in the smoother landscape, by the share that is not convex",
        partial(percent, decimals=0),
        0.03,
        _at_unequal_losses,
    ),
}


def judge(a: Figure, b: Figure, names: tuple[str, str]) -> str:
    """Compare a figure of two networks in a sentence or two; empty for figures without a :class:`Comparison`.

    >>> def responses(mean: float) -> Figure:
    ...     return Figure("responses", "", "", "", "", (), {"mean_std": mean})
    >>> judge(responses(1.5), responses(0.7), ("plain", "residual"))
    'residual responds less strongly, by the mean of its layers: 0.700 against 1.500 of plain.'
    """
    comparison = COMPARISONS.get(a.name)
    if comparison is None:
        return ""
    (low, lesser), (high, greater) = sorted(
        zip((comparison.of(a.numbers), comparison.of(b.numbers)), names, strict=True)
    )
    low_text, high_text = comparison.form(low), comparison.form(high)
    if high - low < comparison.margin:
        sentence = f"The two hardly differ: {low_text} and {high_text}."
    else:
        sentence = f"{lesser} {comparison.lesser}: {low_text} against {high_text} of {greater}."
    caution = comparison.caution(a.numbers, b.numbers)
    return f"{sentence} But {caution}." if caution else sentence
