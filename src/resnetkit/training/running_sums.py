"""Sums over training steps, kept on the device: the host reads them now and then, because asking makes it wait."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from resnetkit.data.batches import Shard
from resnetkit.training.distributed import sum_over_ranks
from resnetkit.training.divergence import Divergence


@dataclass(frozen=True)
class Sums:
    """Sums over some steps of all processes, up to the first whose loss or gradient was out of bounds.

    Attributes:
        loss: of the steps' mean losses.
        num_correct: right answers.
        good_steps: how many.
        bad_loss, bad_norm: loss and length of the gradient of the first bad step; 0 where all were good.
        votes: what else was summed over the processes.
        divergence: the first bad step, where that has been made out.
    """

    loss: float
    num_correct: int
    good_steps: int
    bad_loss: float
    bad_norm: float
    votes: tuple[float, ...] = ()
    divergence: Divergence | None = None


class Tally:
    """Sums since the last reading.

    Args:
        largest_loss: more than this, like what is not finite, is out of bounds.

    Attributes:
        is_bad: bool scalar on the device, true from the first step on whose loss or gradient is out of bounds; updates
            are held back while it is.
    """

    def __init__(self, device: torch.device, shard: Shard, largest_loss: float = math.inf) -> None:
        self._shard, self._largest_loss = shard, largest_loss
        # Loss and right answers of the step that is under way, then the same over the finished ones, and their number.
        self._step = torch.zeros(2, dtype=torch.float64, device=device)
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)
        self._bad_step = torch.zeros(2, dtype=torch.float64, device=device)
        self.is_bad = torch.zeros((), dtype=torch.bool, device=device)

    @torch.no_grad()
    def add(self, loss: Tensor, num_correct: Tensor) -> None:
        """Add a part of the step under way: its share of the mean loss (float64), and its right answers."""
        self._step += torch.stack([loss, num_correct.double()])

    @torch.no_grad()
    def end_step(self, gradient_norm: Tensor) -> None:
        """End the step, before the update, which is held back, in all processes, where something is out of bounds.

        Args:
            gradient_norm: the same in all processes.
        """
        was_bad = self.is_bad.clone()
        step = sum_over_ranks(self._step, self._shard)
        values = torch.stack([step[0], gradient_norm.double()])
        bad = was_bad | ~values.isfinite().all() | (values[0] > self._largest_loss)
        self._bad_step.copy_(torch.where(bad & ~was_bad, values, self._bad_step))
        self.is_bad.copy_(bad)
        self._sums += torch.where(bad, 0.0, torch.cat([step, torch.ones_like(step[:1])]))
        self._step.zero_()

    def read(self, votes: Sequence[float] = ()) -> Sums:
        """The sums since the last reading, which begin anew; the votes are summed over the processes here."""
        all_votes = sum_over_ranks(self._sums.new_tensor(votes), self._shard)
        loss, num_correct, good, bad_loss, bad_norm, *votes_of_all = torch.cat(
            [self._sums, self._bad_step, all_votes]
        ).tolist()
        self._sums.zero_()
        return Sums(loss, int(num_correct), int(good), bad_loss, bad_norm, tuple(votes_of_all))
