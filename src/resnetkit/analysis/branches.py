"""Lengths of what blocks add to what they read: the branch beside the skip, where they meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resnetkit.analysis.figure import Figure, Line, Lines
from resnetkit.analysis.hooks import attached
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.machine.device import exact_float32
from resnetkit.models.block import Joiner
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import NoSkip

LOW, HIGH = 10, 90  # percentiles of the images between which most lie


@dataclass(frozen=True)
class Ratio:
    """Length of what a block's branch adds, over that of what its skip brings: ``‖F(x)‖ / ‖x‖`` on an identity.

    Attributes:
        block: its name.
        mean, low, high: over images; the lowest and highest tenth lie outside.
    """

    block: str
    mean: float
    low: float
    high: float


def measure_ratios(network: ResNet, sample: Sample) -> tuple[Ratio, ...]:
    """Measure the ratio of every block with a skip; without a skip there is none.

    Branch and skip are measured as they enter the sum: behind a projection, a scale or a gate.
    """
    joiners = {
        f"{name}.joiner": block.joiner
        for name, block in network.iter_blocks()
        if not isinstance(block.joiner.join, NoSkip)
    }
    found: dict[str, list[Tensor]] = {name: [] for name in joiners}

    def look(name: str, joiner: Joiner, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
        skip, branch, fork = inputs
        # The join is linear in both; not called as a module, which would look again.
        brought = joiner.forward(skip, torch.zeros_like(branch), fork)
        added = joiner.forward(torch.zeros_like(skip), branch, fork)
        found[name].append((added.flatten(1).norm(dim=1) / brought.flatten(1).norm(dim=1)).cpu())

    hooks: list[Callable[[], Any]] = [
        partial(joiner.register_forward_pre_hook, partial(look, name)) for name, joiner in joiners.items()
    ]
    device = next(network.parameters()).device
    with attached(hooks), torch.inference_mode(), exact_float32(device):
        for images, _ in sample.batches(device):
            network(images)
    return tuple(
        Ratio(name.removesuffix(".joiner"), *_summary(torch.cat(ratios).numpy())) for name, ratios in found.items()
    )


def _summary(ratios: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Mean and percentiles of those that are finite: of an image whose skip brings nothing there is no ratio."""
    finite = ratios[np.isfinite(ratios)]
    if not len(finite):
        return 0.0, 0.0, 0.0
    low, high = np.percentile(finite, (LOW, HIGH))
    return float(finite.mean()), float(low), float(high)


def draw_ratios(ratios: tuple[Ratio, ...]) -> Figure:
    """The figure: block by block."""
    if ratios:
        largest = max(ratios, key=lambda ratio: ratio.mean)
        half = len(ratios) // 2
        early, late, mean = (
            sum(ratio.mean for ratio in part) / max(1, len(part)) for part in (ratios[:half], ratios[half:], ratios)
        )
        seen = (
            f"On average a block adds {mean:.2f} times the length of what its skip brings: {early:.2f} in the first "
            f"half of the blocks, {late:.2f} in the second; the most is {largest.block} with {largest.mean:.2f}."
        )
        numbers = {"mean_ratio": mean, "largest_ratio": largest.mean}
    else:
        seen, numbers = "There are no skips here, so nothing to compare the branches with.", {}
    places = tuple(float(i) for i in range(1, len(ratios) + 1))
    line = Line(
        "ratio",
        places,
        tuple(ratio.mean for ratio in ratios),
        tuple(ratio.low for ratio in ratios),
        tuple(ratio.high for ratio in ratios),
    )
    panel = Lines(
        "block by block",
        "block",
        "‖branch‖ / ‖skip‖",
        (line,),
        tuple(ratio.block for ratio in ratios),
        band="the middle four fifths of the images",
    )
    return Figure(
        name="branches",
        title="Length of what each block adds, over that of what it reads",
        source="arXiv:1710.04773, Section 4; arXiv:1512.03385, Section 4.2",
        expected="In a deep network that was trained, the first blocks, and those that change the shape, add most; the "
        "others add much less than they read: they refine. A shallow one has no blocks to spare, and each adds much.",
        seen=seen,
        panels=(panel,) if ratios else (),
        numbers=numbers,
        notes=("both are measured as they enter the sum: behind a projection, a scale or a gate",) if ratios else (),
    )


def show_ratios(subject: Subject) -> Figure:
    """Measure and draw the ratios of a subject's blocks."""
    return draw_ratios(measure_ratios(subject.network, subject.shown()))
