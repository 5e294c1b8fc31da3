"""Sentences on two networks, computed from the numbers of a figure of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from resnetkit.analysis.figure import Figure

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """A value by which two figures are compared.

    Attributes:
        of: the value, from the figure's numbers.
        lesser: what is said of the network with the lesser one.
        form: how the value is written.
        margin: two values that are less apart than this are said to hardly differ.
    """

    of: Callable[[Numbers], float]
    lesser: str
    form: Callable[[float], str]
    margin: float


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _kept_above_guessing(numbers: Numbers) -> float:
    """The share that a damaged network keeps; who guesses from the start, and keeps guessing, has kept nothing."""
    start, guessing = numbers["top1"], numbers["top1_of_guessing"]
    return max(0.0, (numbers["median_top1_without_one"] - guessing) / (start - guessing)) if start > guessing else 0.0


COMPARISONS: dict[str, Comparison] = {
    "responses": Comparison(
        lambda numbers: numbers["mean_std"], "responds less strongly, by the mean of its layers", "{:.3f}".format, 0.02
    ),
    "lesions": Comparison(
        _kept_above_guessing,
        "keeps less of what it has above guessing with a block left out (median)",
        _percent,
        0.05,
    ),
    "landscape": Comparison(
        lambda numbers: numbers["not_convex"],
        "lies in the smoother landscape, by the share that is not convex",
        _percent,
        0.03,
    ),
}
UNEQUAL_LOSSES = 2.0


def judge(a: Figure, b: Figure, names: tuple[str, str]) -> str:
    """Compare a figure of two networks in a sentence; empty for figures without a :class:`Comparison`.

    >>> numbers = {"not_convex": 0.3, "loss": 0.1}
    >>> plain = Figure("landscape", "", "", "", "", (), numbers)
    >>> judge(plain, Figure("landscape", "", "", "", "", (), numbers | {"not_convex": 0.1}), ("plain", "residual"))
    'residual lies in the smoother landscape, by the share that is not convex: 10 % against 30 % of plain.'
    """
    comparison = COMPARISONS.get(a.name)
    if comparison is None:
        return ""
    (low, lesser), (high, greater) = sorted(
        zip((comparison.of(a.numbers), comparison.of(b.numbers)), names, strict=True)
    )
    low_text, high_text = comparison.form(low), comparison.form(high)
    if high - low < comparison.margin:
        return f"The two hardly differ: {low_text} and {high_text}."
    sentence = f"{lesser} {comparison.lesser}: {low_text} against {high_text} of {greater}."
    losses = sorted(figure.numbers.get("loss", 1.0) for figure in (a, b))
    if a.name == "landscape" and losses[1] > UNEQUAL_LOSSES * losses[0]:
        sentence += (
            f" But they have not learned equally well (losses {losses[0]:.3g} and {losses[1]:.3g}), and that shapes a "
            "landscape too."
        )
    return sentence
