"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math

from resnetkit.training.recipe import Schedule


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
