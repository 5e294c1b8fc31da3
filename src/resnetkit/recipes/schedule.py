"""The learning rate as a pure function of the step, and what trains as one of the epoch (no torch here)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from resnetkit.recipes.recipe import FineTuning, Schedule

FEW_STEPS = 50  # with fewer a network hardly leaves its start
# With fewer, what follows the weights by moving averages has not caught up with them. Measured on digits: with 30
# updates, statistics taken anew answer 92 % instead of 89 %, with 10 of them 66 % instead of 54 %; with 80 the same.
SHORT_RUN_STEPS = 100


def is_short(num_steps: int) -> bool:
    """Tell whether a run of so many updates should have the statistics of its batch norms taken anew."""
    return num_steps < SHORT_RUN_STEPS


def learning_rate_share(schedule: Schedule, step: int, num_steps: int) -> float:
    """Share of the full learning rate at ``step`` (from 0) of ``num_steps``.

    >>> cosine = Schedule(shape="cosine", warmup_share=0.25)
    >>> [round(learning_rate_share(cosine, step, 40), 2) for step in (0, 9, 10, 25, 39)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    warmup_steps = min(round(schedule.warmup_share * num_steps), num_steps - 1)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, num_steps - warmup_steps)
    match schedule.shape:
        case "cosine":
            share = 0.5 * (1 + math.cos(math.pi * progress))
            return schedule.final_share + (1 - schedule.final_share) * share
        case "linear":
            return 1 - (1 - schedule.final_share) * progress
        case "step":
            passed = sum(step >= milestone * num_steps for milestone in schedule.milestones)
            return float(schedule.step_factor**passed)
        case "constant":
            return 1.0


def num_frozen_parts(fine_tuning: FineTuning, parts: Sequence[str], epoch: int) -> int:
    """Number of the parts, from below, that are held in ``epoch`` (from 0).

    >>> gradual = FineTuning(freeze="stage1", thaw_every_epochs=2)
    >>> [num_frozen_parts(gradual, ("stem", "stage1", "head"), epoch) for epoch in range(6)]
    [2, 2, 1, 1, 0, 0]
    """
    if fine_tuning.freeze == "none":
        return 0
    frozen = parts.index(fine_tuning.freeze) + 1
    if not fine_tuning.thaw_every_epochs:
        return frozen
    return min(frozen, max(parts.index(fine_tuning.thaw_to), frozen - epoch // fine_tuning.thaw_every_epochs))


def schedule_epochs(fine_tuning: FineTuning, parts: Sequence[str], num_epochs: int, epoch: int) -> range:
    """The epochs, ``epoch`` among them, over which the schedule of the learning rate runs from its start to its end.

    >>> gradual = FineTuning(freeze="stage1", thaw_every_epochs=2, thaw_to="stage1", restart_at_thaw=True)
    >>> [schedule_epochs(gradual, ("stem", "stage1", "head"), 6, epoch) for epoch in (1, 2)]
    [range(0, 2), range(2, 6)]
    """
    if not fine_tuning.restart_at_thaw:
        return range(num_epochs)
    held = [num_frozen_parts(fine_tuning, parts, each) for each in range(num_epochs)]
    first = held.index(held[epoch])
    return range(first, first + held.count(held[epoch]))


def rate_factors(fine_tuning: FineTuning, parts: Sequence[str]) -> dict[str, float]:
    """Factors of each part's learning rate.

    >>> rate_factors(FineTuning(layer_decay=0.5, head_factor=4), ("stem", "stage1", "head"))
    {'stem': 0.25, 'stage1': 0.5, 'head': 4.0}
    """
    *body, head = parts
    decayed = {part: fine_tuning.layer_decay ** (len(body) - i) for i, part in enumerate(body)}
    return decayed | {head: float(fine_tuning.head_factor)}
