"""The one residual block; every variant is a :class:`~resnetkit.models.spec.Block` value."""

from __future__ import annotations

from typing import assert_never

from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.errors import require
from resnetkit.models.attention import make_attention
from resnetkit.models.layers import Blur, Layers, StochasticDepth, Subsample, ZeroPad
from resnetkit.models.spec import Add, Block, DropoutAdd, GatedAdd, Join, NoSkip, Projection, ScaledAdd


def make_projection(
    projection: Projection, in_channels: int, out_channels: int, stride: int, *, bias: bool, make: Layers
) -> nn.Sequential:
    """The projection's steps as layers, ``(N, in, H, W)`` to ``(N, out, H / stride, W / stride)``."""
    layers: list[nn.Module] = []
    channels = in_channels
    for step in projection.steps:
        match step:
            case "conv":
                layers.append(make.make_conv(channels, out_channels, 1, stride=stride, bias=bias))
                channels, stride = out_channels, 1
            case "bn":
                layers.append(make.make_norm(channels))
            case "act":
                # In place only on a conv's or norm's own output: the other steps can hand on a view of what
                # the branch reads too.
                layers.append(
                    nn.ReLU(inplace=bool(layers) and isinstance(layers[-1], nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm))
                )
            case "avgpool":
                pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
                layers.append(pool if stride > 1 else nn.Identity())
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
                layers.append(ZeroPad(extra, num_before=extra // 2 if step == "pad_around" else 0))
                channels = out_channels
            case _:
                assert_never(step)
    require(
        channels == out_channels,
        f"the projection {projection.steps} gives {channels} channels, the branch {out_channels}",
        fix="add a conv or pad step",
    )
    return nn.Sequential(*layers)


class Joiner(nn.Module):
    """Merges skip and branch as a :data:`~resnetkit.models.spec.Join` says; ``fork`` is what a gate reads."""

    def __init__(self, join: Join, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.join = join
        if isinstance(join, GatedAdd):
            self.gate = nn.Conv2d(in_channels, out_channels, 1, stride)

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
    """``after_add(join(skip(x), branch(x)))``, wired from a spec; ``(N, in, H, W)`` to ``(N, out, H', W')``.

    Children carry the stream's own numbers (``conv1 bn1 act1 conv2 … downsample.0``), which are torchvision's
    and timm's names, so their weights load without renaming.

    Args:
        starts_stage: whether it is the first block of its stage, for ``block.project``.
        drop_path_rate: how often the branch is dropped for an image in training.

    Attributes:
        preact, branch, after_add: names of the children that run before the fork, in the branch, and after the
            addition, in call order.
        reads: what the skip reads: ``input``, or what the pre-activation made of it.
    """

    def __init__(
        self,
        block: Block,
        in_channels: int,
        width: int,
        stride: int,
        make: Layers,
        *,
        starts_stage: bool = False,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.block = block
        self.in_channels, self.stride = in_channels, stride
        self.out_channels = width * block.expansion
        self.preact, self.branch, self.after_add = block.order.layer_names(len(block.kernel_sizes))
        self._add_stream(width, make)
        self._add_extras(drop_path_rate)
        projection = block.find_projection(in_channels, self.out_channels, stride, starts_stage=starts_stage)
        self.reads = block.identity_reads if projection is None else projection.reads
        self.downsample = (
            None
            if projection is None
            else make_projection(
                projection, in_channels, self.out_channels, stride, bias="projection" in block.conv_bias, make=make
            )
        )
        self.joiner = Joiner(block.join, in_channels, self.out_channels, stride)

    def _add_stream(self, width: int, make: Layers) -> None:
        block, num_convs = self.block, len(self.block.kernel_sizes)
        inner = width * block.group_width // 64 * block.groups
        require(
            inner >= 1 or num_convs == 1,
            f"a stage of width {width} leaves no channels for block.group_width={block.group_width}",
            fix=f"width × group_width must be at least 64, got {width * block.group_width}",
        )
        channels = [self.in_channels, *[inner] * (num_convs - 1), self.out_channels]
        strided = block.strided_conv if block.downsampling == "stride" else None
        convs = 0
        names = self.preact + self.branch + self.after_add
        for position, name in enumerate(names):
            if name.startswith("conv"):
                kernel_size = block.kernel_sizes[convs]
                require(
                    kernel_size == 1 or channels[convs] % block.groups == channels[convs + 1] % block.groups == 0,
                    f"{name} maps {channels[convs]} to {channels[convs + 1]} channels, which block.groups="
                    f"{block.groups} does not divide",
                    fix="group a bottleneck (kernel_sizes 1, 3, 1), or choose widths that are multiples of groups",
                )
                layer: nn.Module = make.make_conv(
                    channels[convs],
                    channels[convs + 1],
                    kernel_size,
                    stride=self.stride if convs == strided else 1,
                    groups=block.groups if kernel_size > 1 else 1,
                    bias=("last" if convs == num_convs - 1 else "inner") in block.conv_bias,
                )
                convs += 1
            elif name.startswith("bn"):
                layer = make.make_norm(channels[convs])
            else:
                # In place, but for an act that reads the block's own input, which the skip still needs, or what an act
                # has made (where it acts again, without a skip), which that one's gradient needs.
                layer = nn.ReLU(inplace=position > 0 and not names[position - 1].startswith("act"))
            self.add_module(name, layer)

    def _add_extras(self, drop_path_rate: float) -> None:
        """What variants add to the branch: a filter, dropout, attention, stochastic depth."""
        block, branch = self.block, list(self.branch)
        if self.stride > 1:
            self._add_filter(branch)
        if block.drop_rate:
            self.drop = nn.Dropout(block.drop_rate)
            branch.insert(branch.index(f"conv{len(block.kernel_sizes)}"), "drop")
        attention = make_attention(block.attention, self.out_channels)
        if attention is not None:
            self.se = attention
            branch.append("se")
        if drop_path_rate:
            self.drop_path = StochasticDepth(drop_path_rate)
            branch.append("drop_path")
        self.branch = tuple(branch)

    def _add_filter(self, branch: list[str]) -> None:
        """What shrinks the branch in the place of a strided conv."""
        kind, strided = self.block.downsampling, self.block.strided_conv + 1
        match kind:
            case "stride":
                return
            case "max":
                self.pool = nn.MaxPool2d(self.stride, ceil_mode=True)
                branch.insert(branch.index(f"conv{strided}") + 1, "pool")
            case "blur" | "avg":
                mean = nn.AvgPool2d(self.stride, ceil_mode=True, count_include_pad=False)
                self.aa = Blur(self.stride) if kind == "blur" else mean
                branch.insert(branch.index(f"conv{strided + 1}"), "aa")
            case _:
                assert_never(kind)

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
