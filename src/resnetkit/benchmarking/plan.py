"""Plan of a benchmark: modes, image sizes and batch sizes, and how much time to give them (no torch here)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

from resnetkit.errors import require
from resnetkit.images.spec import SMALL_PX
from resnetkit.machine.precision import Precision

Mode = Literal["predict", "train"]
# Prediction first: it needs less memory, and what a process has once had it may keep.
MODES: tuple[Mode, ...] = ("predict", "train")
SMALLEST_PX = 8


@dataclass(frozen=True)
class Plan:
    """Cases to measure; what is left empty is chosen for the subject.

    Attributes:
        rounds: every row has its turn in each of them.
        seconds: to spend on timed steps in all; every round of every row takes at least one step.
        engine, precision: what predicts, by name, and what it computes in; training is as the recipe says.
    """

    modes: tuple[Mode, ...] = MODES
    batch_sizes: tuple[int, ...] = ()
    image_sizes_px: tuple[int, ...] = ()
    rounds: int = 5
    seconds: float = 30.0
    engine: str = "torch"
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        for size in self.image_sizes_px:
            require(size >= SMALLEST_PX, f"an image size must be at least {SMALLEST_PX} pixels, got {size}")
        for size in self.batch_sizes:
            require(size >= 1, f"a batch size must be at least 1, got {size}")
        require(self.rounds >= 1, f"rounds must be at least 1, got {self.rounds}")
        require(self.seconds > 0, f"seconds must be above 0, got {self.seconds:g}")


@dataclass(frozen=True)
class Case:
    """One thing to measure."""

    mode: Mode
    image_size_px: int
    batch_size: int


def list_cases(plan: Plan, own_size_px: int) -> list[Case]:
    """Every mode with every image and batch size, from small to large.

    Left open, the image sizes are ``own_size_px`` and half of it, the batch sizes some that a CPU does in a second;
    a training batch of 1 is left out then, because few networks can normalise over it.
    """
    sizes = plan.image_sizes_px or (max(SMALLEST_PX, own_size_px // 2), own_size_px)
    usual = (1, 32, 128) if own_size_px <= SMALL_PX else (1, 8, 32)
    return [
        Case(mode, image_size_px, batch_size)
        for mode, image_size_px, batch_size in product(
            plan.modes, sorted(set(sizes)), sorted(set(plan.batch_sizes or usual))
        )
        if plan.batch_sizes or mode == "predict" or batch_size > 1
    ]
