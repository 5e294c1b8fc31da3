"""The blocks of a network where they stand: what each reads, and with which stride (no torch here)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from resnetkit.models.spec import Block, Projection, ResNetSpec


@dataclass(frozen=True)
class Place:
    """One block in its network.

    Attributes:
        stage, position: its stage, and its number in that stage; both from 1.
        width: channels of its stage before expansion.
    """

    stage: int
    position: int
    block: Block
    in_channels: int
    width: int
    stride: int

    @property
    def out_channels(self) -> int:
        """Channels that the block hands on."""
        return self.width * self.block.expansion

    @property
    def starts_stage(self) -> bool:
        """True for the first of its stage."""
        return self.position == 1

    @property
    def projection(self) -> Projection | None:
        """The skip's way to change shape; None for an identity, or without a skip."""
        return self.block.find_projection(
            self.in_channels, self.out_channels, self.stride, starts_stage=self.starts_stage
        )


def iter_places(spec: ResNetSpec) -> Iterator[Place]:
    """The blocks of a network in the order of their calls.

    >>> from resnetkit.models.spec import BASIC
    >>> [(place.in_channels, place.stride) for place in iter_places(ResNetSpec(BASIC, (2, 1), (64, 128), (1, 2)))]
    [(64, 1), (64, 1), (64, 2)]
    """
    channels = spec.stem.widths[-1]
    for stage, (depth, width, stride) in enumerate(zip(spec.depths, spec.widths, spec.strides, strict=True), start=1):
        match spec.strided_block:
            case "first":
                strided = 1
            case "last":
                strided = depth
            case _:
                assert_never(spec.strided_block)
        for position in range(1, depth + 1):
            is_first = stage == position == 1
            block = spec.first_block if is_first and spec.first_block is not None else spec.block
            place = Place(stage, position, block, channels, width, stride if position == strided else 1)
            yield place
            channels = place.out_channels
