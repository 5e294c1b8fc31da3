"""Exponential moving average of the weights (Polyak averaging; as in arXiv:1905.11946)."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """Averaged copy of a network; with decay 0 it *is* the network, and updating does nothing.

    The decay starts low, ``min(decay, (1 + step) / (10 + step))``, so that the random start is soon forgotten.
    Batch-norm statistics are averaged like weights.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self.source = network
        self.network = copy.deepcopy(network).requires_grad_(False) if decay else network
        # Collected once: walking through the modules would cost more than the averaging itself.
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._floats = tuple(zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True))
        self._counters = tuple(zip(*(pair for pair in pairs if not pair[0].is_floating_point()), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number ``step`` (from 1)."""
        if self.network is self.source:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, newest = self._floats
        torch._foreach_lerp_(averaged, newest, 1 - decay)
        if self._counters:  # batch norms'
            mine, theirs = self._counters
            torch._foreach_copy_(mine, theirs)

    def tensors(self) -> dict[str, Tensor]:
        """The averaged weights; empty where averaging is off."""
        return {} if self.network is self.source else dict(self.network.state_dict())

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what :meth:`tensors` gave."""
        if tensors:
            self.network.load_state_dict(tensors)
