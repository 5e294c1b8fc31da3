"""The one residual block; every variant is a :class:`~resnetkit.models.spec.Block` value."""

from __future__ import annotations

import itertools
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.models.block_plan import BlockPlan
from resnetkit.models.layers import FlexibleConv2d, build, build_child
from resnetkit.models.spec import Add, DropoutAdd, GatedAdd, Join, NoSkip, ScaledAdd


class Joiner(nn.Module):
    """Merges skip and branch as a :data:`~resnetkit.models.spec.Join` says; ``fork`` is what a gate reads."""

    def __init__(self, join: Join, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.join = join
        if isinstance(join, GatedAdd):
            self.gate = FlexibleConv2d(in_channels, out_channels, 1, stride)

    def reset(self) -> None:
        """Set what starts at a value of the join's own."""
        match self.join:
            case GatedAdd(gate_bias=gate_bias):
                assert self.gate.bias is not None
                nn.init.constant_(self.gate.bias, gate_bias)
            case Add() | ScaledAdd() | DropoutAdd() | NoSkip():
                pass
            case _:
                assert_never(self.join)

    def forward(self, skip: Tensor, branch: Tensor, fork: Tensor) -> Tensor:
        """Merge two maps of one shape ``(N, C, H, W)``."""
        match self.join:
            case Add():
                return skip + branch
            case ScaledAdd(skip_scale=skip_scale, branch_scale=branch_scale):
                return skip_scale * skip + branch_scale * branch
            case DropoutAdd(drop_rate=drop_rate):
                return F.dropout(skip, drop_rate, self.training) + branch
            case GatedAdd(exclusive=exclusive):
                gate: Tensor = self.gate(fork).sigmoid()
                return (1 - gate) * skip + (gate * branch if exclusive else branch)
            case NoSkip():
                return branch
            case _:
                assert_never(self.join)


class ResidualBlock(nn.Module):
    """``after_add(join(skip(x), branch(x)))``, wired from a plan; ``(N, in, H, W)`` to ``(N, out, H', W')``.

    Children carry the stream's own numbers (``conv1 bn1 act1 conv2 … downsample.0``), which are torchvision's
    and timm's names, so their weights load without renaming.

    Attributes:
        preact, branch, after_add: names of the children that run before the fork, in the branch, and after the
            addition, in call order.
        reads: what the skip reads: ``input``, or what the pre-activation made of it.
    """

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        self.plan = plan
        self.preact, self.branch, self.after_add = (
            tuple(step.name for step in path) for path in (plan.preact, plan.branch, plan.after_add)
        )
        self.reads = plan.skip_reads
        place, block = plan.place, plan.place.block
        layers = {step.name: step.layer for step in plan.preact + plan.branch + plan.after_add}
        stream = itertools.chain(*block.order.layer_names(len(block.kernel_sizes)))
        # What variants add to the branch is registered behind the stream: optimizers count parameters in this order.
        for name in dict.fromkeys([*stream, *layers]):
            self.add_module(name, build(layers[name]))
        self.downsample = build_child("downsample", plan.skip) if plan.skip else None
        self.joiner = Joiner(block.join, place.in_channels, place.out_channels, place.stride)

    def _run(self, names: tuple[str, ...], x: Tensor) -> Tensor:
        for name in names:
            x = getattr(self, name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on ``x`` ``(N, in, H, W)``."""
        # Nothing else is given a name here: what no layer reads any more is then not kept in memory.
        skip_is_clean = self.reads == "input"
        fork = x if skip_is_clean else self._run(self.preact, x)
        branch = self._run(self.preact + self.branch if skip_is_clean else self.branch, fork)
        skip = fork if self.downsample is None else self.downsample(fork)
        return self._run(self.after_add, self.joiner(skip, branch, fork))

    def forward_skip(self, x: Tensor) -> Tensor:
        """Run the block on ``x`` as if its branch gave zeros; without a skip, zeros are all it has to add."""
        fork = x if self.reads == "input" else self._run(self.preact, x)
        skip = fork if self.downsample is None else self.downsample(fork)
        return self._run(self.after_add, self.joiner(skip, torch.zeros_like(skip), fork))
