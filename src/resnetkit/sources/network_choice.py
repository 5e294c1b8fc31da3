"""Chooses among weights to start from: by what fine-tuning costs here, and how good they are (no torch here)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MINUTES = 10.0  # that a choice among networks allows where nobody says otherwise
# Multiply-adds a second that a core does, and passes over the images that fine-tuning comes to, with scores and report:
# of few photographs features are computed once, of others in several views, and the last stage trains for some epochs.
# All are for choosing among networks, and no promise; the first two are of benchmarks/fine_tuning.md.
CORE_MULTIPLY_ADDS = 20e9
PASSES_OF_FEW, PASSES = 3, 10


@dataclass(frozen=True)
class Startable:
    """Weights that a run could start from.

    Attributes:
        multiply_adds: of their network, for one image of the size that they were trained with.
        top1: accuracy in [0, 1] that their publisher states; None: unstated.
        is_preferred: among weights of one network, those to start from.
    """

    name: str
    network: str
    multiply_adds: int
    top1: float | None = None
    is_preferred: bool = False


@dataclass(frozen=True)
class Speed:
    """The speed of what computes, in multiply-adds a second, and how it is called."""

    words: str
    multiply_adds: float


A_GPU = Speed("a GPU", 250 * CORE_MULTIPLY_ADDS)


def cores(number: int) -> Speed:
    """The speed of so many processor cores.

    >>> cores(1).words, cores(2).words
    ('1 core', '2 cores')
    """
    return Speed(f"{number} core{'' if number == 1 else 's'}", number * CORE_MULTIPLY_ADDS)


@dataclass(frozen=True)
class Effort:
    """Images to train on, what computes, the time that it has, and how often it passes over the images."""

    num_images: int
    speed: Speed
    minutes: float = MINUTES
    passes: int = PASSES

    def minutes_of(self, multiply_adds: int) -> float:
        """Estimated minutes of fine-tuning a network that needs so many multiply-adds for one image."""
        return self.num_images * multiply_adds * self.passes / self.speed.multiply_adds / 60


def choose_start(weights: Sequence[Startable], effort: Effort) -> tuple[Startable, str]:
    """The weights to start from, of one or more, and why: the largest network that the time allows.

    One that a cheaper one beats by its stated accuracy, as ResNet-34 is by ResNet-26-D, is passed over. Where the time
    allows none, the cheapest is taken.

    >>> small, large = Startable("a", "resnet18", 1_800_000_000), Startable("b", "resnet50", 4_100_000_000)
    >>> best, why = choose_start((small, large), Effort(500, cores(2)))
    >>> best.name, why
    ('b', 'the largest of 2 at hand that 500 images on 2 cores allow in 10 minutes: an estimated 8.5')
    """
    cheapest = min(weights, key=lambda one: (one.multiply_adds, not one.is_preferred, -(one.top1 or 0)))
    allowed = [one for one in weights if effort.minutes_of(one.multiply_adds) <= effort.minutes]
    unbeaten = [one for one in allowed if not any(_beats(other, one) for other in allowed)]
    best = max(unbeaten, key=lambda one: (one.multiply_adds, one.is_preferred, one.top1 or 0), default=cheapest)
    minutes = effort.minutes_of(best.multiply_adds)
    work = f"{effort.num_images:,} images on {effort.speed.words}"
    limit, took = f"{effort.minutes:.3g} minutes", f"{minutes:.2g}"
    if len({one.network for one in weights}) == 1:
        return best, f"the only network at hand; {work} take it an estimated {took} minutes"
    if not allowed:
        return best, f"the cheapest of {len(weights)} at hand: {work} take it an estimated {took} minutes"
    why = f"the largest of {len(weights)} at hand that {work} allow in {limit}: an estimated {took}"
    return best, why


def _beats(one: Startable, other: Startable) -> bool:
    both = one.top1 is not None and other.top1 is not None
    return both and one.multiply_adds < other.multiply_adds and (one.top1 or 0) > (other.top1 or 0)
