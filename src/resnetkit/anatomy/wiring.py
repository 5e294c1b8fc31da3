"""What happens to an image in a block and in a network, step by step in words: the data that every picture draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, assert_never

import torch
from torch import Tensor, nn

from resnetkit.models.attention import EfficientChannelGate, SqueezeExcite
from resnetkit.models.block import ResidualBlock
from resnetkit.models.layers import Blur, FlexibleConv2d, SamePad, StochasticDepth, Subsample, ZeroPad
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import Add, DropoutAdd, Fork, GatedAdd, NoSkip, ResNetSpec, ScaledAdd

Shape = tuple[int, ...]
StepKind = Literal["conv", "norm", "act", "pool", "dropout", "attention", "scale", "shape"]
SkipKind = Literal["identity", "projection", "shape-matching", "plain"]
Shapes = Mapping[nn.Module, tuple[Shape, Shape]]  # of each module: its input's and its output's


@dataclass(frozen=True)
class Step:
    """One layer or one piece of arithmetic.

    Attributes:
        name: the layer's name in the network; empty for arithmetic.
        output_shape: (C, H, W), or (C,) after pooling.
    """

    kind: StepKind
    name: str
    words: str
    output_shape: Shape


@dataclass(frozen=True)
class BlockWiring:
    """``input -> preact -> fork -> branch and skip -> addition -> after_add``, each part in the order of its calls.

    Attributes:
        places: which blocks of the network are wired like this, as (stage, block), both from 1; the numbers of
            channels and the shapes are those of the first.
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
    preact: tuple[Step, ...]
    branch: tuple[Step, ...]
    skip: tuple[Step, ...]
    skip_reads: Fork
    gate: tuple[Step, ...]
    after_add: tuple[Step, ...]

    @property
    def convs(self) -> tuple[str, ...]:
        """The branch's convs in words, and the pool or low-pass between them where one shrinks."""
        return tuple(step.words for step in self.branch if step.kind in ("conv", "pool"))


@dataclass(frozen=True)
class NetworkWiring:
    """The whole network: steps before the blocks, blocks by stage, steps behind them."""

    input_shape: Shape
    stem: tuple[Step, ...]
    stages: tuple[tuple[BlockWiring, ...], ...]
    tail: tuple[Step, ...]

    def block_kinds(self) -> tuple[BlockWiring, ...]:
        """The first block of each kind the network has, with all the places where blocks of that kind stand.

        Two blocks are of one kind if the same steps, in the same order, stand on the same paths, and both shrink or
        neither does; their numbers of channels may differ.
        """
        kinds: dict[tuple[object, ...], list[BlockWiring]] = {}
        for block in (block for stage in self.stages for block in stage):
            paths = (block.preact, block.branch, block.skip, block.gate, block.after_add)
            steps = tuple(tuple((step.kind, step.name) for step in path) for path in paths)
            kinds.setdefault((block.kind, block.skip_reads, block.stride > 1, steps), []).append(block)
        return tuple(
            replace(blocks[0], places=tuple(place for block in blocks for place in block.places))
            for blocks in kinds.values()
        )


def wire(spec: ResNetSpec, image_size_px: int) -> NetworkWiring:
    """How a network is wired, with the shapes for square images; nothing is computed.

    >>> from resnetkit.models.catalog import CATALOG
    >>> network = wire(CATALOG["resnet18"].spec, 224)
    >>> [step.name for step in network.stages[0][0].branch]
    ['conv1', 'bn1', 'act1', 'conv2', 'bn2']
    """
    with torch.device("meta"):
        network = ResNet(spec).eval()
        images = torch.empty(1, spec.in_channels, image_size_px, image_size_px)
    shapes = note_shapes(network)
    network(images)
    stem = [step for name in ("conv1", "bn1", "act1", "maxpool") for step in _steps(network, name, shapes)]
    stages = tuple(
        tuple(
            wire_block(block, shapes, place=(number, position))
            for position, block in enumerate(network.get_submodule(name).children(), start=1)
            if isinstance(block, ResidualBlock)
        )
        for number, name in enumerate(network.stage_names, start=1)
    )
    tail = [step for name in ("norm", "act") for step in _steps(network, name, shapes)]
    if spec.pooling != "none":
        words = {"avg": "global mean", "max": "global maximum"}[spec.pooling]
        tail.append(Step("pool", "", words, (network.num_features,)))
    tail += _steps(network, "fc", shapes)
    return NetworkWiring(tuple(images.shape[1:]), tuple(stem), stages, tuple(tail))


def wire_block(block: ResidualBlock, shapes: Shapes, *, place: tuple[int, int] = (1, 1)) -> BlockWiring:
    """How one block of a network is wired; ``shapes`` as :func:`note_shapes` noted them in a forward pass."""
    start, end = shapes[block]
    skip = [] if block.downsample is None else list(_steps(block, "downsample", shapes))
    branch = [step for name in block.branch for step in _steps(block, name, shapes)]
    gate: list[Step] = []
    match block.block.join:
        case ScaledAdd(skip_scale=skip_scale, branch_scale=branch_scale):
            skip.append(Step("scale", "", f"× {skip_scale:g}", end))
            branch.append(Step("scale", "", f"× {branch_scale:g}", end))
        case DropoutAdd(drop_rate=rate):
            skip.append(Step("dropout", "", f"dropout {rate:g}", end))
        case GatedAdd(exclusive=exclusive):
            gate = [*_steps(block, "joiner.gate", shapes), Step("act", "", "sigmoid = g", end)]
            skip.append(Step("scale", "", "× (1 − g)", end))
            if exclusive:
                branch.append(Step("scale", "", "× g", end))
        case Add() | NoSkip():
            pass
        case _:
            assert_never(block.block.join)
    return BlockWiring(
        places=(place,),
        kind=skip_kind(block),
        stride=block.stride,
        input_shape=start,
        output_shape=end,
        preact=tuple(step for name in block.preact for step in _steps(block, name, shapes)),
        branch=tuple(branch),
        skip=tuple(skip),
        skip_reads=block.reads if block.preact else "input",
        gate=tuple(gate),
        after_add=tuple(step for name in block.after_add for step in _steps(block, name, shapes)),
    )


def skip_kind(block: ResidualBlock) -> SkipKind:
    """What the skip of a block is."""
    if isinstance(block.block.join, NoSkip):
        return "plain"
    if block.downsample is None or all(_does_nothing(layer) for layer in block.downsample):
        return "identity"
    has_weights = any(True for _ in block.downsample.parameters())
    return "projection" if has_weights else "shape-matching"  # zero padding or subsampling: nothing to learn


def note_shapes(network: nn.Module) -> Shapes:
    """A table that a forward pass fills: of each module, the shapes (C, H, W) of its input and output."""
    shapes: dict[nn.Module, tuple[Shape, Shape]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        shapes[module] = (tuple(inputs[0].shape[1:]), tuple(output.shape[1:]))

    for module in network.modules():
        module.register_forward_hook(note)
    return shapes


def _steps(parent: nn.Module, name: str, shapes: Shapes) -> Iterator[Step]:
    """The child's steps: several where it is a sequence, none where it does nothing."""
    layer = parent.get_submodule(name)
    if isinstance(layer, nn.Sequential):
        for child, _ in layer.named_children():
            yield from _steps(parent, f"{name}.{child}", shapes)
    elif not _does_nothing(layer):
        kind, words = describe_layer(layer)
        yield Step(kind, name, words, shapes[layer][1])


def _does_nothing(layer: nn.Module) -> bool:
    match layer:
        case nn.Identity():
            return True
        case Subsample():
            return layer.stride == 1
        case ZeroPad():
            return layer.extra_channels == 0
        case _:
            return False


def describe_layer(layer: nn.Module) -> tuple[StepKind, str]:
    """Kind of a layer, and what it does in words.

    >>> describe_layer(nn.Conv2d(64, 128, 3, stride=2, padding=1, bias=False))
    ('conv', '3×3 conv, 64 → 128, stride 2')
    """
    match layer:
        case nn.Conv2d():
            return "conv", _conv_words(layer)
        case nn.Linear():
            return "conv", f"linear, {layer.in_features} → {layer.out_features}"
        case nn.BatchNorm2d():
            return "norm", "batch norm"
        case nn.GroupNorm():
            return "norm", f"group norm, {layer.num_groups} groups"
        case nn.ReLU():
            return "act", "ReLU"
        case nn.MaxPool2d():
            return "pool", f"{layer.kernel_size}×{layer.kernel_size} max-pool" + _stride_words(layer.stride)
        case nn.AvgPool2d():
            return "pool", f"{layer.kernel_size}×{layer.kernel_size} mean" + _stride_words(layer.stride)
        case Blur():
            return "pool", "3×3 blur" + _stride_words(layer.stride)
        case Subsample():
            return "shape", f"every {_ordinal(layer.stride)} pixel"
        case ZeroPad():
            return "shape", f"{layer.extra_channels} zero channels"
        case nn.ZeroPad2d() | SamePad():
            is_zero = isinstance(layer, nn.ZeroPad2d) or layer.value == 0
            return "shape", "pad with zeros" if is_zero else "pad with −∞"
        case nn.Dropout():
            return "dropout", f"dropout {layer.p:g}"
        case StochasticDepth():
            return "dropout", f"stochastic depth {layer.rate:.3g}"
        case SqueezeExcite():
            return "attention", f"squeeze-excite, {layer.fc1.in_channels} → {layer.fc1.out_channels}"
        case EfficientChannelGate():
            return "attention", f"channel attention over {layer.conv.kernel_size[0]}"
        case _:
            raise NotImplementedError(f"a layer of kind {type(layer).__name__} has no words")


def _conv_words(conv: nn.Conv2d) -> str:
    kernel_size = conv.kernel_size[0]
    same = conv.in_channels == conv.out_channels
    channels = f"{conv.out_channels}" if same else f"{conv.in_channels} → {conv.out_channels}"
    words = f"{kernel_size}×{kernel_size} conv, {channels}" + _stride_words(conv.stride[0])
    words += f", {conv.groups} groups" if conv.groups > 1 else ""
    words += ", bias" if conv.bias is not None else ""
    standardizes = isinstance(conv, FlexibleConv2d) and conv.standardizes
    return words + (", standardised" if standardizes else "")


def _stride_words(stride: object) -> str:
    return f", stride {stride}" if stride != 1 else ""


def _ordinal(number: int) -> str:
    """2 as ``2nd``; strides are small."""
    return f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') }"
