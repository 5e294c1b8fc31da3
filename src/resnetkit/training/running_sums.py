"""What training steps add up on the device; the host reads it now and then, because asking makes the device wait."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from resnetkit.data.batches import Shard
from resnetkit.training.distributed import sum_over_ranks
from resnetkit.training.interruption import StopRequest


@dataclass(frozen=True)
class Sums:
    """Sums over some steps of all processes, up to the first whose loss or gradient was out of bounds.

    Attributes:
        loss: of the steps' mean losses.
        num_correct: right answers.
        good_steps: how many.
        bad_loss, bad_norm: loss and length of the gradient of the first bad step; 0 where all were good.
    """

    loss: float
    num_correct: int
    good_steps: int
    bad_loss: float
    bad_norm: float


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
        """End the step, before the update: the update is held back where something is out of bounds."""
        was_bad = self.is_bad.clone()
        values = torch.stack([self._step[0], gradient_norm.double()])
        bad = was_bad | ~values.isfinite().all() | (values[0] > self._largest_loss / self._shard.num_ranks)
        self._bad_step.copy_(torch.where(bad & ~was_bad, values, self._bad_step))
        self.is_bad.copy_(bad)
        self._sums += torch.where(bad, 0.0, torch.cat([self._step, torch.ones_like(self._step[:1])]))
        self._step.zero_()

    def read(self, stop: StopRequest) -> Sums:
        """The sums since the last reading, which begin anew; all processes agree here on a request to stop too."""
        votes = self._sums.new_tensor(stop.votes())
        together = sum_over_ranks(torch.cat([self._sums, self._bad_step, votes]), self._shard)
        loss, correct, good, bad_loss, bad_norms, *votes_of_all = together.tolist()
        stop.agree(votes_of_all)
        self._sums.zero_()
        ranks = self._shard.num_ranks
        return Sums(loss, int(correct), int(good // ranks), bad_loss, bad_norms / ranks)
