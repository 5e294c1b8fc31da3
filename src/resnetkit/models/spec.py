"""A residual network as plain data (no torch here).

A ResNet is one stream ``conv -> bn -> act -> conv -> bn -> act …``. An activation order only says where in that
stream a block starts and where its addition falls; a variant is another value, never another class.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Literal, assert_never

from pydantic import AliasChoices, BeforeValidator, Field

from resnetkit.config import frozen
from resnetkit.errors import require

StreamStep = Literal["conv", "bn", "act"]


@frozen
class ActivationOrder:
    """A block's place in the stream: where it starts, where its addition falls (arXiv:1603.05027, Figure 4).

    Attributes:
        unit: the three steps repeated once per conv of the branch.
        after_add: the tail of the last unit, moved behind the addition.
        act_again: whether the act that ends the branch acts once more behind the addition.
    """

    unit: tuple[StreamStep, StreamStep, StreamStep]
    after_add: tuple[StreamStep, ...] = ()
    act_again: bool = False

    def __post_init__(self) -> None:
        require(
            self.unit in (("conv", "bn", "act"), ("bn", "act", "conv"), ("act", "conv", "bn")),
            f"order.unit must be the stream conv, bn, act, begun at any of the three, got {self.unit}",
        )
        tail = self.unit[3 - len(self.after_add) :]
        require(
            self.after_add == tail and "conv" not in tail,
            f"order.after_add must be the last steps of the unit without its conv, got {self.after_add}",
        )
        require(
            not self.act_again or (self.unit[-1] == "act" and not self.after_add),
            f"order.act_again repeats the act that ends a branch, and none does where the unit is {self.unit} and "
            f"{self.after_add or 'nothing'} stands behind the addition",
            fix="set order.act_again to false, or the unit to conv, bn, act with nothing in after_add",
        )

    @property
    def preact(self) -> tuple[StreamStep, ...]:
        """Steps of a block before its first conv; empty unless pre-activated."""
        return self.unit[: self.unit.index("conv")]

    @property
    def stem(self) -> tuple[Literal["bn", "act"], ...]:
        """Steps of a stem's end: those that the blocks do not start with."""
        steps: tuple[Literal["bn", "act"], ...] = ("bn", "act")
        return tuple(step for step in steps if step not in self.preact)

    def layer_names(self, num_convs: int) -> tuple[tuple[str, ...], ...]:
        """Names of the (pre-activation, branch, after-addition) layers, in call order.

        >>> ORIGINAL.layer_names(2)
        ((), ('conv1', 'bn1', 'act1', 'conv2', 'bn2'), ('act2',))
        >>> FULL_PREACT.layer_names(2)
        (('bn1', 'act1'), ('conv1', 'bn2', 'act2', 'conv2'), ())
        """
        names = [f"{step}{i}" for i in range(1, num_convs + 1) for step in self.unit]
        start, end = len(self.preact), len(names) - len(self.after_add)
        if self.act_again:
            names.append(f"act{num_convs + 1}")
        return tuple(names[:start]), tuple(names[start:end]), tuple(names[end:])


ORIGINAL = ActivationOrder(("conv", "bn", "act"), after_add=("act",))  # Figure 4 (a), v1
NORM_AFTER_ADD = ActivationOrder(("conv", "bn", "act"), after_add=("bn", "act"))  # (b)
ACT_BEFORE_ADD = ActivationOrder(("conv", "bn", "act"))  # (c)
ACT_ONLY_PREACT = ActivationOrder(("act", "conv", "bn"))  # (d)
FULL_PREACT = ActivationOrder(("bn", "act", "conv"))  # (e), v2
ACT_AROUND_ADD = ActivationOrder(("conv", "bn", "act"), act_again=True)  # no paper's: (a) and (c) at once


# --- how the skip meets the branch (arXiv:1603.05027, Section 3 and Table 1) ---


@frozen
class Add:
    """``skip + branch``."""

    kind: Literal["add"] = "add"


@frozen
class ScaledAdd:
    """``skip_scale * skip + branch_scale * branch``."""

    skip_scale: float = 0.5
    branch_scale: float = 0.5
    kind: Literal["scaled_add"] = "scaled_add"


@frozen
class GatedAdd:
    """``(1 - g) * skip + branch`` with a learned gate ``g``; ``g * branch`` too where the gate is exclusive.

    Attributes:
        gate_bias: initial bias of the gate; below 0 the skip starts nearly open.
    """

    exclusive: bool = False
    gate_bias: float = -6.0
    kind: Literal["gated_add"] = "gated_add"


@frozen
class DropoutAdd:
    """``dropout(skip) + branch``."""

    drop_rate: float = 0.5
    kind: Literal["dropout_add"] = "dropout_add"

    def __post_init__(self) -> None:
        require(0 <= self.drop_rate < 1, f"join.drop_rate must be in [0, 1), got {self.drop_rate}")


@frozen
class NoSkip:
    """``branch`` alone: a plain, non-residual network."""

    kind: Literal["no_skip"] = "no_skip"


Join = Annotated[Add | ScaledAdd | GatedAdd | DropoutAdd | NoSkip, Field(discriminator="kind")]


# --- the skip where the shape changes ---

Padding = Literal["symmetric", "same"]
ProjectionStep = Literal["conv", "bn", "act", "avgpool", "subsample", "pad", "pad_around"]
Fork = Literal["input", "preact"]


@frozen
class Projection:
    """Steps of the skip to the branch's shape; its first ``conv``, ``avgpool`` or ``subsample`` strides.

    Attributes:
        steps: ``conv`` is 1×1, ``pad`` appends zero channels, ``pad_around`` puts half of them in front,
            ``subsample`` keeps every stride-th pixel (a max-pool of kernel 1).
        reads: the block's input, or what its pre-activation made of it (the same thing without pre-activation).
    """

    steps: tuple[ProjectionStep, ...] = ("conv", "bn")
    reads: Fork = "preact"

    def __post_init__(self) -> None:
        require(
            bool({"conv", "avgpool", "subsample"} & set(self.steps)),
            f"projection.steps must hold conv, avgpool or subsample to change the size, got {self.steps}",
        )
        require(
            len({"conv", "pad", "pad_around"} & set(self.steps)) <= 1,
            f"projection.steps must hold at most one of conv, pad and pad_around, got {self.steps}",
        )


CONV_BN = Projection(("conv", "bn"))  # option B, arXiv:1512.03385
ZERO_PAD = Projection(("subsample", "pad"), reads="input")  # option A
ZERO_PAD_AROUND = Projection(("subsample", "pad_around"), reads="input")
AVGPOOL_CONV_BN = Projection(("avgpool", "conv", "bn"))  # ResNet-D, arXiv:1812.01187
CONV_OF_PREACT = Projection(("conv",))  # v2: its input is already normalised
AVGPOOL_CONV_OF_PREACT = Projection(("avgpool", "conv"))
CONV_OF_INPUT = Projection(("conv",), reads="input")
OWN_BN_ACT_CONV = Projection(("bn", "act", "conv"), reads="input")
SUBSAMPLE = Projection(("subsample",), reads="input")


# --- attention: a gate per channel at the end of the branch ---


@frozen
class NoAttention:
    """The branch as it is."""

    kind: Literal["none"] = "none"


@frozen
class SqueezeExcitation:
    """Two 1×1 convs on the pooled branch gate its channels (arXiv:1709.01507).

    Attributes:
        ratio: hidden channels as a share of the block's, rounded to a multiple of 8 as timm does.
    """

    ratio: float = 1 / 16
    kind: Literal["se"] = "se"

    def __post_init__(self) -> None:
        require(0 < self.ratio <= 1, f"attention.ratio must be in (0, 1], got {self.ratio}")

    def hidden_channels(self, channels: int) -> int:
        """Number of channels between the two convs: a multiple of 8, as in timm."""
        return max(8, 8 * math.floor(channels * self.ratio / 8 + 0.5))


@frozen
class EfficientChannelAttention:
    """One 1-D conv across the pooled branch's channels gates them (arXiv:1910.03151)."""

    kind: Literal["eca"] = "eca"

    def kernel_size(self, channels: int) -> int:
        """Kernel size of the conv: odd, and wider for more channels."""
        size = int(abs(math.log2(channels) + 1) / 2)
        return max(size if size % 2 else size + 1, 3)


SomeAttention = SqueezeExcitation | EfficientChannelAttention
Attention = Annotated[NoAttention | SomeAttention, Field(discriminator="kind")]

ConvRole = Literal["inner", "last", "projection"]


# Files of earlier versions call it antialias, and the stride none.
Downsampling = Annotated[
    Literal["stride", "blur", "avg", "max"],
    BeforeValidator(lambda value: "stride" if value == "none" else value),
    Field(validation_alias=AliasChoices("downsampling", "antialias")),
]


@frozen
class Block:
    """One residual block: ``after_add(join(skip(x), branch(x)))``.

    Attributes:
        kernel_sizes: one conv of the branch each; (1, 3, 1) is the bottleneck.
        strided_conv: index of the conv that carries the stride (v1: 0, v1.5: 1).
        expansion: output channels = expansion × stage width.
        groups, group_width: cardinality (arXiv:1611.05431) and channels per group where the stage width is 64.
        projection: what a projecting skip does.
        project: which skips project: where the shape changes (option B); in the first block of every stage too, as in
            the networks of 18 and 34 layers of MXNet and of TensorFlow's TPU models, whose first stage would
            otherwise have none; or always (option C).
        shrink: the skip where only the size changes; None: as ``projection``.
        identity_reads: where an identity skip forks off.
        conv_bias: which convs have a bias.
        attention: channel gate at the end of the branch.
        downsampling: what shrinks the branch: the stride of its strided conv; or a low-pass filter behind that conv's
            activation, binomial ``blur`` (arXiv:1904.11486) or ``avg``; or a max-pool behind that conv itself, so that
            norm and activation have less to do (as in the networks of arXiv:2404.00498).
        drop_rate: dropout before the branch's last conv (wide networks, arXiv:1605.07146).
    """

    kernel_sizes: tuple[int, ...] = (3, 3)
    strided_conv: int = 0
    expansion: int = 1
    groups: int = 1
    group_width: int = 64
    order: ActivationOrder = ORIGINAL
    join: Join = Add()
    projection: Projection = CONV_BN
    project: Literal["shape_change", "stage_start", "always"] = "shape_change"
    shrink: Projection | None = None
    identity_reads: Fork = "input"
    conv_bias: tuple[ConvRole, ...] = ()
    attention: Attention = NoAttention()
    downsampling: Downsampling = "stride"
    drop_rate: float = 0.0

    def __post_init__(self) -> None:
        require(bool(self.kernel_sizes), "block.kernel_sizes must name at least one conv")
        require(
            all(size > 0 and size % 2 for size in self.kernel_sizes),
            f"block.kernel_sizes must be odd, got {self.kernel_sizes}",
        )
        require(
            0 <= self.strided_conv < len(self.kernel_sizes),
            f"block.strided_conv must index kernel_sizes {self.kernel_sizes}, got {self.strided_conv}",
        )
        for name in ("expansion", "groups", "group_width"):
            require(getattr(self, name) >= 1, f"block.{name} must be at least 1, got {getattr(self, name)}")
        require(0 <= self.drop_rate < 1, f"block.drop_rate must be in [0, 1), got {self.drop_rate}")
        require(
            self.downsampling in ("stride", "max") or self.strided_conv < len(self.kernel_sizes) - 1,
            f"block.downsampling={self.downsampling} filters between the strided conv's activation and the next conv, "
            "so the last conv cannot be the strided one",
            fix=f"set block.strided_conv below {len(self.kernel_sizes) - 1}",
        )
        require(
            self.shrink is None or not {"conv", "pad", "pad_around"} & set(self.shrink.steps),
            "block.shrink changes only the size, so it holds no conv and no pad",
        )

    def find_projection(
        self, in_channels: int, out_channels: int, stride: int, *, starts_stage: bool
    ) -> Projection | None:
        """Find what the skip does to change shape where it has to or is to; None for an identity and without a skip."""
        widens, shrinks = in_channels != out_channels, stride != 1
        match self.project:
            case "always":
                projects = True
            case "stage_start":
                projects = starts_stage
            case "shape_change":
                projects = False
            case _:
                assert_never(self.project)
        if isinstance(self.join, NoSkip) or not (widens or shrinks or projects):
            return None
        only_shrinks = shrinks and not widens and not projects
        return self.shrink if only_shrinks and self.shrink is not None else self.projection


BASIC = Block()
BOTTLENECK_V1 = Block(kernel_sizes=(1, 3, 1), expansion=4)
BOTTLENECK = replace(BOTTLENECK_V1, strided_conv=1)  # v1.5
BASIC_PREACT = replace(BASIC, order=FULL_PREACT, projection=CONV_OF_PREACT)  # v2
BOTTLENECK_PREACT = replace(BOTTLENECK, order=FULL_PREACT, projection=CONV_OF_PREACT)  # v2


@frozen
class Stem:
    """The part before the first block: convs, then what the blocks do not start with, then a pool.

    Attributes:
        kernel_sizes, widths: one conv each; between two convs stand bn and act.
        stride: of the first conv.
        steps: after the last conv; None: those of (bn, act) that the blocks do not start with.
        pool: what halves the size once more. ``max``: 3×3 max-pool, padded with -inf; ``zero_padded_max``: the
            same padded with zeros (Keras, Big Transfer); ``blurred_max``: dense 3×3 max-pool, then a blur of stride 2
            (arXiv:1904.11486); ``avg``: 2×2 means; ``conv``: 3×3 conv of stride 2, norm, act (arXiv:2103.07579).
    """

    kernel_sizes: tuple[int, ...] = (7,)
    widths: tuple[int, ...] = (64,)
    stride: int = 2
    bias: bool = False
    steps: tuple[Literal["bn", "act"], ...] | None = None
    pool: Literal["none", "max", "zero_padded_max", "blurred_max", "avg", "conv"] = "max"

    def __post_init__(self) -> None:
        require(
            len(self.kernel_sizes) == len(self.widths) >= 1,
            f"stem needs one width per conv, got kernels {self.kernel_sizes} and widths {self.widths}",
        )
        require(self.stride >= 1, f"stem.stride must be at least 1, got {self.stride}")
        require(all(width >= 1 for width in self.widths), f"stem.widths must be at least 1, got {self.widths}")
        require(
            all(size > 0 and size % 2 for size in self.kernel_sizes),
            f"stem.kernel_sizes must be odd, got {self.kernel_sizes}",
        )
        require(
            self.steps in (None, (), ("bn",), ("act",), ("bn", "act")),
            f"stem.steps must be bn, act, both in this order or none, got {self.steps}",
        )


STEM_7X7 = Stem()
STEM_3X3 = Stem(kernel_sizes=(3,), widths=(16,), stride=1, pool="none")  # small images
STEM_DEEP = Stem(kernel_sizes=(3, 3, 3), widths=(32, 32, 64))  # ResNet-C, arXiv:1812.01187
STEM_TIERED = Stem(kernel_sizes=(3, 3, 3), widths=(24, 32, 64))  # timm's "t" networks


@frozen
class BatchNorm:
    """Batch normalisation (arXiv:1502.03167); ``momentum`` is the weight of the newest batch in the running mean."""

    eps: float = 1e-5
    momentum: float = 0.1
    kind: Literal["batch_norm"] = "batch_norm"


@frozen
class GroupNorm:
    """Group normalisation (arXiv:1803.08494): each image by itself, over ``groups`` groups of channels."""

    groups: int = 32
    eps: float = 1e-5
    kind: Literal["group_norm"] = "group_norm"

    def __post_init__(self) -> None:
        require(self.groups >= 1, f"norm.groups must be at least 1, got {self.groups}")


Norm = Annotated[BatchNorm | GroupNorm, Field(discriminator="kind")]


@frozen
class HeNormal:
    """Normal with variance 2 / fan (arXiv:1502.01852)."""

    fan: Literal["in", "out"] = "out"
    kind: Literal["he_normal"] = "he_normal"


@frozen
class Normal:
    """Normal with a fixed standard deviation."""

    std: float = 0.05
    kind: Literal["normal"] = "normal"


@frozen
class GlorotUniform:
    """Uniform with variance 2 / (fan in + fan out), Keras' default."""

    kind: Literal["glorot_uniform"] = "glorot_uniform"


@frozen
class FanInUniform:
    """Uniform in ±1 / sqrt(fan in), for the bias too: torch's default for a linear layer."""

    kind: Literal["fan_in_uniform"] = "fan_in_uniform"


Distribution = Annotated[HeNormal | Normal | GlorotUniform | FanInUniform, Field(discriminator="kind")]


@frozen
class Initialization:
    """The start of all weights; biases start at 0 unless the distribution says otherwise.

    Attributes:
        zero_last: the last layer with weights of every branch starts at 0, so that every block starts as
            its skip (arXiv:1706.02677); that is bn3 in v1 and conv3 in v2.
        stem: ``cosine_pairs``: the filters of the stem's first conv start as DCT filters (products of cosines) and
            their negatives, as many as fit, scaled to whiten patches of photographs: nearly what whitening filters are
            (arXiv:2404.00498), without the images. ``as_conv``: drawn like all convs.
    """

    conv: Distribution = HeNormal()
    head: Distribution = FanInUniform()
    zero_last: bool = False
    stem: Literal["as_conv", "cosine_pairs"] = "as_conv"


@frozen
class ResNetSpec:
    """A whole network: stem, stages of blocks, tail, pooling and head.

    Attributes:
        depths, widths, strides: blocks per stage, channels per stage before expansion, size reduction per stage.
        strided_block: which block of a stage carries its stride (Keras' v2: the last).
        first_block: the network's very first block where it differs from the others.
        tail: after the last block; None: what the blocks start with.
        num_classes: None leaves the head away: the network returns pooled features.
        conv: ``weight_standardized``: every filter is brought to mean 0 and variance 1 before use (arXiv:1903.10520).
        padding: ``symmetric``, or TensorFlow's ``same``, which pads one more at the end where the stride needs it.
        stochastic_depth_rate: in training, how often the last block's branch is dropped for an image; the rate grows
            linearly over the blocks (arXiv:1603.09382, Section 3).
    """

    block: Block
    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    strides: tuple[int, ...] = (1, 2, 2, 2)
    strided_block: Literal["first", "last"] = "first"
    first_block: Block | None = None
    stem: Stem = STEM_7X7
    tail: tuple[Literal["bn", "act"], ...] | None = None
    pooling: Literal["avg", "max", "none"] = "avg"
    num_classes: int | None = 1000
    in_channels: int = 3
    norm: Norm = BatchNorm()
    conv: Literal["plain", "weight_standardized"] = "plain"
    padding: Padding = "symmetric"
    stochastic_depth_rate: float = 0.0
    initialization: Initialization = Initialization()

    def __post_init__(self) -> None:
        require(
            len(self.depths) == len(self.widths) == len(self.strides) >= 1,
            f"depths, widths and strides must have one value per stage, got {self.depths}, {self.widths}, "
            f"{self.strides}",
        )
        for name in ("depths", "widths", "strides"):
            require(all(v >= 1 for v in getattr(self, name)), f"{name} must be at least 1, got {getattr(self, name)}")
        require(
            self.tail in (None, (), ("bn",), ("act",), ("bn", "act")),
            f"tail must be bn, act, both in this order or none, got {self.tail}",
        )
        require(
            0 <= self.stochastic_depth_rate < 1,
            f"stochastic_depth_rate must be in [0, 1), got {self.stochastic_depth_rate}",
        )
        require(self.in_channels >= 1, f"in_channels must be at least 1, got {self.in_channels}")
        require(
            self.num_classes is None or self.num_classes >= 1,
            f"num_classes must be at least 1, or null for no head, got {self.num_classes}",
        )
        require(
            self.pooling != "none" or self.num_classes is None,
            "pooling 'none' returns a feature map, which a head cannot read",
            fix="set num_classes to null (no head), or pooling to avg or max",
        )


def cifar_resnet(depth: int, block: Block = BASIC, *, first_block: Block | None = None) -> ResNetSpec:
    """Three-stage network for small images (arXiv:1512.03385, Section 4.2).

    ``depth`` counts layers with weights: 6n+2 for two convs a block, 9n+2 for bottlenecks.

    >>> cifar_resnet(20).depths
    (3, 3, 3)
    """
    convs = 3 * len(block.kernel_sizes)
    n, rest = divmod(depth - 2, convs)
    require(n >= 1 and rest == 0, f"depth must be {convs}n+2 for this block, got {depth}")
    return ResNetSpec(
        block,
        (n, n, n),
        widths=(16, 32, 64),
        strides=(1, 2, 2),
        stem=STEM_3X3,
        num_classes=10,
        first_block=first_block,
    )
