"""A block and a network, step by step in words: the data that every picture draws (no torch here)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from resnetkit.models.block_plan import BlockPlan, SkipKind
from resnetkit.models.plan import plan_network
from resnetkit.models.sliding import Map, apply
from resnetkit.models.spec import (
    BatchNorm,
    EfficientChannelAttention,
    Fork,
    GroupNorm,
    Norm,
    ResNetSpec,
    SqueezeExcitation,
)
from resnetkit.models.steps import (
    Attend,
    Blur,
    ChannelConv,
    Conv,
    DropBranch,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    Normalize,
    PadChannels,
    PadSame,
    PadZeros,
    Relu,
    Scale,
    Sigmoid,
    Step,
    Subsample,
    TimesGate,
)

Shape = tuple[int, ...]
StepKind = Literal["conv", "norm", "act", "pool", "dropout", "attention", "scale", "shape"]


@dataclass(frozen=True)
class DrawnStep:
    """One layer or one piece of arithmetic.

    Attributes:
        name: the layer's name in the network; empty for arithmetic.
        output_shape: (C, H, W), or (C,) after pooling.
    """

    kind: StepKind
    name: str
    words: str
    output_shape: Shape
    layer: Layer


@dataclass(frozen=True)
class BlockWiring:
    """``input -> preact -> fork -> branch and skip -> addition -> after_add``, each part in the order of its calls.

    Attributes:
        places: the blocks of the network that are like this, as (stage, block), both from 1.
        kind: what the skip is; ``shape-matching`` changes the shape without weights, ``plain`` is no skip at all.
        skip_reads: whether the skip forks off before (``input``) or behind (``preact``) the pre-activation.
        skip: steps on the skip, down to the addition; none on an identity.
        gate: steps that make the gate of a gated join; they read what the skip reads.
    """

    places: tuple[tuple[int, int], ...]
    kind: SkipKind
    stride: int
    input_shape: Shape
    output_shape: Shape
    preact: tuple[DrawnStep, ...]
    branch: tuple[DrawnStep, ...]
    skip: tuple[DrawnStep, ...]
    skip_reads: Fork
    gate: tuple[DrawnStep, ...]
    after_add: tuple[DrawnStep, ...]

    @property
    def convs(self) -> tuple[str, ...]:
        """The branch's convs in words, and the pool or low-pass between them where one shrinks."""
        return tuple(step.words for step in self.branch if step.kind in ("conv", "pool"))

    @property
    def paths(self) -> tuple[tuple[DrawnStep, ...], ...]:
        """All steps, path by path."""
        return self.preact, self.branch, self.skip, self.gate, self.after_add

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of all that is handed on in it, from its input on."""
        return (self.input_shape, *(step.output_shape for path in self.paths for step in path))


@dataclass(frozen=True)
class BlockKind:
    """Blocks that are wired alike: the same steps, in the same order, on the same paths.

    Attributes:
        shapes: the first block of each shape there is, with the places of all blocks of that shape.
    """

    shapes: tuple[BlockWiring, ...]

    @property
    def drawn(self) -> BlockWiring:
        """The block that lends a picture of the kind its numbers: the first."""
        return self.shapes[0]

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """All blocks of this kind, as (stage, block), both from 1."""
        return tuple(sorted(place for block in self.shapes for place in block.places))


@dataclass(frozen=True)
class NetworkWiring:
    """The whole network: steps before the blocks, blocks by stage, steps behind them."""

    input_shape: Shape
    stem: tuple[DrawnStep, ...]
    stages: tuple[tuple[BlockWiring, ...], ...]
    tail: tuple[DrawnStep, ...]

    def block_kinds(self) -> tuple[BlockKind, ...]:
        """The kinds of blocks the network has, each with every shape it comes in, in the order of their first blocks.

        Two blocks are of one kind if the same steps, in the same order, stand on the same paths, both shrink or neither
        does, and both change the number of channels or neither does.
        """
        kinds: dict[tuple[object, ...], dict[tuple[Shape, ...], BlockWiring]] = {}
        for block in (block for stage in self.stages for block in stage):
            steps = tuple(tuple((step.kind, step.name) for step in path) for path in block.paths)
            widens = block.input_shape[0] != block.output_shape[0]
            alike = kinds.setdefault((block.kind, block.skip_reads, block.stride > 1, widens, steps), {})
            first = alike.setdefault(block.shapes, replace(block, places=()))
            alike[block.shapes] = replace(first, places=first.places + block.places)
        return tuple(BlockKind(tuple(alike.values())) for alike in kinds.values())


def wire(spec: ResNetSpec, image_size_px: int) -> NetworkWiring:
    """Tell how a network is wired, with the shapes for square images; nothing is computed.

    >>> from resnetkit.models.catalog import CATALOG
    >>> network = wire(CATALOG["resnet18"].spec, 224)
    >>> [step.name for step in network.stages[0][0].branch]
    ['conv1', 'bn1', 'act1', 'conv2', 'bn2']
    """
    image = x = Map(spec.in_channels, image_size_px)
    stem: list[DrawnStep] = []
    stages: list[tuple[BlockWiring, ...]] = []
    tail: list[DrawnStep] = []
    for part in plan_network(spec):
        steps, x = _draw(part.steps, x)
        (tail if stages else stem).extend(steps)
        blocks = []
        for plan in part.blocks:
            wiring, x = wire_block(plan, x)
            blocks.append(wiring)
        if blocks:
            stages.append(tuple(blocks))
    return NetworkWiring(_shape(image), tuple(stem), tuple(stages), tuple(tail))


def wire_block(plan: BlockPlan, x: Map) -> tuple[BlockWiring, Map]:
    """Tell how one block is wired, and give the map it makes of ``x``."""
    joining = plan.joining
    preact, start = _draw(plan.preact, x)
    fork = x if plan.skip_reads == "input" else start
    branch, end = _draw(plan.branch + joining.on_branch, start)
    after_add, out = _draw(plan.after_add, end)
    wiring = BlockWiring(
        places=((plan.place.stage, plan.place.position),),
        kind=plan.skip_kind,
        stride=plan.place.stride,
        input_shape=_shape(x),
        output_shape=_shape(out),
        preact=preact,
        branch=branch,
        skip=_draw(plan.skip + joining.on_skip, fork)[0],
        skip_reads=plan.skip_reads if preact else "input",
        gate=_draw(joining.gate, fork)[0],
        after_add=after_add,
    )
    return wiring, out


def _draw(steps: Iterable[Step], x: Map) -> tuple[tuple[DrawnStep, ...], Map]:
    """The steps but for those that do nothing, and the map that they make of ``x``."""
    drawn = []
    for step in steps:
        x = apply(step.layer, x)
        if not step.does_nothing:
            kind, words = describe_layer(step.layer)
            is_pooled = isinstance(step.layer, GlobalPool | Linear)
            shape = (x.channels,) if is_pooled else _shape(x)
            drawn.append(DrawnStep(kind, step.name, words, shape, step.layer))
    return tuple(drawn), x


def _shape(x: Map) -> Shape:
    return x.channels, x.size_px, x.size_px


def describe_layer(layer: Layer) -> tuple[StepKind, str]:
    """Kind of a layer, and what it does in words.

    >>> describe_layer(Conv(64, 128, 3, stride=2))
    ('conv', '3×3 conv, 64 → 128, stride 2')
    """
    match layer:
        case Conv():
            return "conv", _conv_words(layer)
        case ChannelConv():
            return "conv", f"conv over {layer.kernel_size} channels"
        case Linear():
            return "conv", f"linear, {layer.in_channels} → {layer.out_channels}"
        case Normalize():
            return "norm", _norm_words(layer.norm)
        case Relu():
            return "act", "ReLU"
        case Sigmoid():
            return "act", "sigmoid = g"
        case MaxPool():
            return "pool", f"{layer.kernel_size}×{layer.kernel_size} max-pool" + _stride_words(layer.stride)
        case MeanPool():
            return "pool", f"{layer.stride}×{layer.stride} mean" + _stride_words(layer.stride)
        case GlobalPool():
            return "pool", {"avg": "global mean", "max": "global maximum"}[layer.kind]
        case Blur():
            return "pool", "3×3 blur" + _stride_words(layer.stride)
        case Subsample():
            return "shape", f"every {_ordinal(layer.stride)} pixel"
        case PadChannels():
            return "shape", f"{layer.extra} zero channels"
        case PadZeros():
            return "shape", "pad with zeros"
        case PadSame():
            return "shape", "pad with zeros" if layer.value == 0 else "pad with −∞"
        case Dropout():
            return "dropout", f"dropout {layer.rate:g}"
        case DropBranch():
            return "dropout", f"stochastic depth {layer.rate:.3g}"
        case Scale():
            return "scale", f"× {layer.factor:g}"
        case TimesGate():
            return "scale", "× (1 − g)" if layer.complement else "× g"
        case Attend():
            return "attention", _attention_words(layer)
        case _:
            assert_never(layer)


def _conv_words(conv: Conv) -> str:
    same = conv.in_channels == conv.out_channels
    channels = f"{conv.out_channels}" if same else f"{conv.in_channels} → {conv.out_channels}"
    words = f"{conv.kernel_size}×{conv.kernel_size} conv, {channels}" + _stride_words(conv.stride)
    words += f", {conv.groups} groups" if conv.groups > 1 else ""
    words += ", bias" if conv.bias else ""
    return words + (", standardised" if conv.standardizes else "")


def _norm_words(norm: Norm) -> str:
    match norm:
        case BatchNorm():
            return "batch norm"
        case GroupNorm():
            return f"group norm, {norm.groups} groups"
        case _:
            assert_never(norm)


def _attention_words(layer: Attend) -> str:
    match layer.attention:
        case SqueezeExcitation() as attention:
            return f"squeeze-excite, {layer.channels} → {attention.hidden_channels(layer.channels)}"
        case EfficientChannelAttention() as attention:
            return f"channel attention over {attention.kernel_size(layer.channels)}"
        case _:
            assert_never(layer.attention)


def _stride_words(stride: int) -> str:
    return f", stride {stride}" if stride != 1 else ""


def _ordinal(number: int) -> str:
    """2 as ``2nd``; strides are small."""
    return f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') }"
