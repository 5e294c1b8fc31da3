"""A comparison of classifiers by their answers for the same images, as values, and what can be said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from resnetkit.config import to_dict
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.evaluation.paired import LEVEL, Interval, PairedDifference
from resnetkit.evaluation.shared_images import SharedImages


@dataclass(frozen=True)
class SideScores:
    """Scores of one side on the shared images.

    Attributes:
        split: which of its splits these images are of.
        val_chose: as in :class:`~resnetkit.comparing.sides.Side`.
    """

    name: str
    split: str
    val_chose: bool | None
    top1: Accuracy
    log_loss: float
    calibration_error: float


@dataclass(frozen=True)
class ClassDifference:
    """Recall of one class by both.

    Attributes:
        p_corrected: by Holm's procedure, over all classes.
    """

    name: str
    num_images: int
    a: float
    b: float
    top1: PairedDifference
    p_value: float
    p_corrected: float


@dataclass(frozen=True)
class AnsweredOnce:
    """An image that one of two alone answers rightly; ``right`` is its place, 0 or 1.

    Attributes:
        row: of the shared images.
        identifiers: by which each of the two knows it.
    """

    row: int
    identifiers: tuple[str, str]
    digest: int
    true: str
    right: int
    answered: tuple[str, str]
    probabilities: tuple[float, float]


@dataclass(frozen=True)
class PairComparison:
    """Two sides, ``b`` against ``a``.

    Attributes:
        top1, log_loss, calibration_error: differences, the second minus the first. The last has no interval: errors are
            means of absolute values, which chance alone makes larger, and drawing images anew does so once more.
        p_value: of McNemar's exact test.
        p_corrected: by Holm's procedure, over all pairs that are compared; the same for a single one.
        more_images: how many more would decide, were the true difference what it looks like; None: it is decided, or
            no number would.
        only_one: images that one alone answers rightly, those first where it is surest.
    """

    a: str
    b: str
    top1: PairedDifference
    p_value: float
    p_corrected: float
    more_images: int | None
    log_loss: Interval
    calibration_error: float
    classes: tuple[ClassDifference, ...] = field(repr=False)
    only_one: tuple[AnsweredOnce, ...] = field(repr=False)

    @property
    def is_decided(self) -> bool:
        """Tell whether the two differ by more than chance."""
        return self.p_corrected < LEVEL

    @property
    def better(self) -> str | None:
        """The one that is ahead, decided or not; None where neither is."""
        return None if self.top1.value == 0 else self.b if self.top1.value > 0 else self.a

    @property
    def verdict(self) -> str:
        """The sentence that can be said of the two."""
        ahead = self.top1 if self.top1.value >= 0 else _turned(self.top1)
        points = f"{100 * ahead.value:.1f} points apart"
        interval = f"95 % interval {in_points(ahead.low)} to {in_points(ahead.high)}"
        if self.is_decided:
            return f"{self.better} is better: {points}, {interval}, {p_words(self.p_corrected)}"
        if self.better is None:
            return f"Not decided: equally many right, {interval}; no number of images decides a difference of 0"
        if self.more_images is None:
            more = "more images than can be had would be needed"
        else:
            more = f"were that the true difference, about {rounded(self.more_images):,} more images would decide"
        return f"Not decided: {points} ({self.better} ahead), {interval}, {p_words(self.p_corrected)}; {more}"

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON; of the images, how many, which is in ``top1``."""
        plain = ("a", "b", "p_value", "p_corrected", "more_images", "calibration_error")
        values = {name: getattr(self, name) for name in plain}
        values |= {name: to_dict(getattr(self, name)) for name in ("top1", "log_loss")}
        classes = [{**vars(one), "top1": to_dict(one.top1)} for one in self.classes]
        return {**values, "is_decided": self.is_decided, "verdict": self.verdict, "classes": classes}


@dataclass(frozen=True)
class AnswersComparison:
    """Two or more sides on the images that all of them answered and none was trained on.

    Attributes:
        pairs: each with each.
        notes: what is to be known of the images, in sentences.
    """

    num_images: int
    sides: tuple[SideScores, ...]
    pairs: tuple[PairComparison, ...]
    notes: tuple[str, ...]
    images: SharedImages = field(repr=False)

    @property
    def verdicts(self) -> list[str]:
        """A sentence for each pair, which says of whom it speaks where there are several."""
        if len(self.pairs) == 1:
            return [self.pairs[0].verdict]
        return [f"{pair.a} and {pair.b}: {pair.verdict}" for pair in self.pairs]

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "num_images": self.num_images,
            "sides": [{**vars(side), "top1": to_dict(side.top1)} for side in self.sides],
            "pairs": [pair.as_values() for pair in self.pairs],
            "notes": list(self.notes),
        }


def p_words(p_value: float) -> str:
    """A probability as sentences have it.

    >>> p_words(0.0312), p_words(1e-9)
    ('p = 0.031', 'p < 0.0001')
    """
    return f"p = {p_value:.2g}" if p_value >= 0.0001 else "p < 0.0001"


def rounded(number: int) -> int:
    """A whole number to two digits, as is fit for one that is known roughly.

    >>> rounded(1234), rounded(7)
    (1200, 7)
    """
    return int(float(f"{number:.2g}"))


def in_points(share: float, decimals: int = 1) -> str:
    """A share of images in points, with a true minus sign."""
    return f"{100 * share:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _turned(difference: PairedDifference) -> PairedDifference:
    lost, won = difference.num_won, difference.num_lost
    return PairedDifference(-difference.value, -difference.high, -difference.low, lost, won, difference.num_images)
