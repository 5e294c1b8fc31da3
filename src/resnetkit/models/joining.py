"""Joins, step by step: what each does to the ends of skip and branch (no torch here)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from resnetkit.models.places import Place
from resnetkit.models.spec import Add, DropoutAdd, GatedAdd, NoSkip, ScaledAdd
from resnetkit.models.steps import Conv, Dropout, Scale, Sigmoid, Step, Steps, TimesGate


@dataclass(frozen=True)
class Joining:
    """A join: what it does to skip and branch before they are added.

    Attributes:
        gate: makes ``g`` of what the skip reads, for :class:`~resnetkit.models.steps.TimesGate`.
        adds: False where the branch alone goes on.
    """

    on_skip: Steps = ()
    on_branch: Steps = ()
    gate: Steps = ()
    adds: bool = True


def plan_join(place: Place) -> Joining:
    """The steps of a block's join, with the names of the layers that its joiner has."""
    join = place.block.join
    match join:
        case Add():
            return Joining()
        case ScaledAdd(skip_scale=skip_scale, branch_scale=branch_scale):
            return Joining((Step("", Scale(skip_scale)),), (Step("", Scale(branch_scale)),))
        case DropoutAdd(drop_rate=rate):
            return Joining((Step("", Dropout(rate)),))
        case GatedAdd(exclusive=exclusive):
            conv = Conv(place.in_channels, place.out_channels, 1, place.stride, bias=True)
            return Joining(
                on_skip=(Step("", TimesGate(complement=True)),),
                on_branch=(Step("", TimesGate()),) if exclusive else (),
                gate=(Step("joiner.gate", conv), Step("", Sigmoid())),
            )
        case NoSkip():
            return Joining(adds=False)
        case _:
            assert_never(join)
