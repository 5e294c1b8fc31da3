"""The plan of a block: its steps, path by path, derived from its spec (no torch here)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar, assert_never

from resnetkit.errors import require
from resnetkit.models.joining import Joining, plan_join
from resnetkit.models.places import Place
from resnetkit.models.spec import (
    Fork,
    GroupNorm,
    NoAttention,
    Norm,
    Padding,
    Projection,
)
from resnetkit.models.steps import (
    Attend,
    Blur,
    Conv,
    DropBranch,
    Dropout,
    Layer,
    MaxPool,
    MeanPool,
    Normalize,
    PadChannels,
    Relu,
    Step,
    Steps,
    Subsample,
)

T = TypeVar("T")
SkipKind = Literal["identity", "projection", "shape-matching", "plain"]


@dataclass(frozen=True)
class BlockPlan:
    """``input -> preact -> fork -> branch and skip -> join -> after_add``, each path in the order of its calls.

    Attributes:
        skip: what the skip does to change shape; nothing on an identity, and without a skip.
        skip_reads: whether the skip forks off before (``input``) or behind (``preact``) the pre-activation.
    """

    place: Place
    preact: Steps
    branch: Steps
    skip: Steps
    skip_reads: Fork
    joining: Joining
    after_add: Steps

    @property
    def paths(self) -> tuple[Steps, ...]:
        """All steps, path by path: along each of them one step reads what the one before it made."""
        branch, skip = self.branch + self.joining.on_branch, self.skip + self.joining.on_skip
        return self.preact, branch, skip, self.joining.gate, self.after_add

    @property
    def skip_kind(self) -> SkipKind:
        """Kind of its skip; ``shape-matching`` changes the shape without weights."""
        if not self.joining.adds:
            return "plain"
        if all(step.does_nothing for step in self.skip):
            return "identity"
        has_weights = any(isinstance(step.layer, Conv | Normalize) for step in self.skip)
        return "projection" if has_weights else "shape-matching"


def walk_block(plan: BlockPlan, x: T, run: Callable[[Steps, T, T | None], T], add: Callable[[T, T], T]) -> T:
    """Take ``x``, whatever it is, along all paths of a block: ``ResidualBlock.forward`` for values of any kind.

    Args:
        run: takes a path's steps, what the first of them reads, and the gate where the block has one.
        add: takes the ends of branch and skip.
    """
    start = run(plan.preact, x, None)
    fork = x if plan.skip_reads == "input" else start
    joining = plan.joining
    gate = run(joining.gate, fork, None) if joining.gate else None
    end = run(plan.branch + joining.on_branch, start, gate)
    if joining.adds:
        end = add(end, run(plan.skip + joining.on_skip, fork, gate))
    return run(plan.after_add, end, None)


@dataclass(frozen=True)
class Layers:
    """The layers whose kind is one choice for the whole network."""

    norm: Norm
    conv: Literal["plain", "weight_standardized"] = "plain"
    padding: Padding = "symmetric"

    def make_conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> Conv:
        """A conv; without a stride, or over single pixels, all paddings are one."""
        pads_same = self.padding == "same" and stride > 1 and kernel_size > 1
        standardizes = self.conv == "weight_standardized"
        return Conv(in_channels, out_channels, kernel_size, stride, groups, bias, pads_same, standardizes)

    def make_norm(self, channels: int) -> Normalize:
        """The normalisation of ``channels`` channels."""
        if isinstance(self.norm, GroupNorm):
            groups = self.norm.groups
            require(
                channels % groups == 0,
                f"norm.groups must divide the channels of every layer, got {groups} groups for {channels} channels",
                fix="set norm.groups to a common divisor of the widths",
            )
        return Normalize(channels, self.norm)


def plan_block(place: Place, make: Layers, *, drop_branch_rate: float = 0.0) -> BlockPlan:
    """The paths of one block.

    >>> from resnetkit.models.spec import BASIC, BatchNorm
    >>> plan = plan_block(Place(1, 1, BASIC, 64, 64, stride=1), Layers(BatchNorm()))
    >>> [[step.name for step in path] for path in plan.paths]
    [[], ['conv1', 'bn1', 'act1', 'conv2', 'bn2'], [], [], ['act2']]

    Args:
        drop_branch_rate: how often the branch is dropped for an image in training.
    """
    block, projection = place.block, place.projection
    names = block.order.layer_names(len(block.kernel_sizes))
    stream = _plan_stream(place, make)
    preact, branch, after_add = (tuple(Step(name, stream[name]) for name in path) for path in names)
    return BlockPlan(
        place=place,
        preact=preact,
        branch=tuple(_with_additions(place, branch, drop_branch_rate)),
        skip=() if projection is None else _plan_projection(projection, place, make),
        skip_reads=block.identity_reads if projection is None else projection.reads,
        joining=plan_join(place),
        after_add=after_add,
    )


def _plan_stream(place: Place, make: Layers) -> dict[str, Layer]:
    """The block's convs, norms and acts by name."""
    block, num_convs = place.block, len(place.block.kernel_sizes)
    inner = place.width * block.group_width // 64 * block.groups
    require(
        inner >= 1 or num_convs == 1,
        f"a stage of width {place.width} leaves no channels for block.group_width={block.group_width}",
        fix=f"width × group_width must be at least 64, got {place.width * block.group_width}",
    )
    channels = [place.in_channels, *[inner] * (num_convs - 1), place.out_channels]
    strided = block.strided_conv if block.downsampling == "stride" else None
    names = [name for path in block.order.layer_names(num_convs) for name in path]
    stream: dict[str, Layer] = {}
    convs = 0
    for position, name in enumerate(names):
        if name.startswith("conv"):
            kernel_size = block.kernel_sizes[convs]
            require(
                kernel_size == 1 or channels[convs] % block.groups == channels[convs + 1] % block.groups == 0,
                f"{name} maps {channels[convs]} to {channels[convs + 1]} channels, which block.groups="
                f"{block.groups} does not divide",
                fix="group a bottleneck (kernel_sizes 1, 3, 1), or choose widths that are multiples of groups",
            )
            stream[name] = make.make_conv(
                channels[convs],
                channels[convs + 1],
                kernel_size,
                stride=place.stride if convs == strided else 1,
                groups=block.groups if kernel_size > 1 else 1,
                bias=("last" if convs == num_convs - 1 else "inner") in block.conv_bias,
            )
            convs += 1
        elif name.startswith("bn"):
            stream[name] = make.make_norm(channels[convs])
        else:
            # In place, but for an act that reads the block's own input, which the skip still needs, or what an act
            # has made (where it acts again, without a skip), which that one's gradient needs.
            stream[name] = Relu(in_place=position > 0 and not names[position - 1].startswith("act"))
    return stream


def _with_additions(place: Place, branch: Steps, drop_branch_rate: float) -> Iterator[Step]:
    """The branch with what variants add to it: a filter, dropout, attention, stochastic depth."""
    block, stride = place.block, place.stride
    shrinks = block.downsampling if stride > 1 else "stride"
    strided, last = block.strided_conv + 1, len(block.kernel_sizes)
    for step in branch:
        if step.name == f"conv{strided + 1}" and shrinks in ("blur", "avg"):
            yield Step("aa", Blur(stride) if shrinks == "blur" else MeanPool(stride))
        if step.name == f"conv{last}" and block.drop_rate:
            yield Step("drop", Dropout(block.drop_rate))
        yield step
        if step.name == f"conv{strided}" and shrinks == "max":
            yield Step("pool", MaxPool(stride, stride, rounds_up=True))
    if not isinstance(block.attention, NoAttention):
        yield Step("se", Attend(block.attention, place.out_channels))
    if drop_branch_rate:
        yield Step("drop_path", DropBranch(drop_branch_rate))


def _plan_projection(projection: Projection, place: Place, make: Layers) -> Steps:
    channels, out_channels, stride = place.in_channels, place.out_channels, place.stride
    layers: list[Layer] = []
    for step in projection.steps:
        match step:
            case "conv":
                bias = "projection" in place.block.conv_bias
                layers.append(make.make_conv(channels, out_channels, 1, stride=stride, bias=bias))
                channels, stride = out_channels, 1
            case "bn":
                layers.append(make.make_norm(channels))
            case "act":
                # In place only on a conv's or norm's own output: the other steps can hand on a view of what
                # the branch reads too.
                layers.append(Relu(in_place=bool(layers) and isinstance(layers[-1], Conv | Normalize)))
            case "avgpool":
                layers.append(MeanPool(stride))
                stride = 1
            case "subsample":
                layers.append(Subsample(stride))
                stride = 1
            case "pad" | "pad_around":
                require(
                    out_channels >= channels,
                    f"zero padding cannot reduce {channels} channels to {out_channels}",
                    fix="use a projection with a conv",
                )
                extra = out_channels - channels
                layers.append(PadChannels(extra, num_before=extra // 2 if step == "pad_around" else 0))
                channels = out_channels
            case _:
                assert_never(step)
    require(
        channels == out_channels,
        f"the projection {projection.steps} gives {channels} channels, the branch {out_channels}",
        fix="add a conv or pad step",
    )
    return tuple(Step(f"downsample.{i}", layer) for i, layer in enumerate(layers))
