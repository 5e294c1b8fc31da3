"""The plan of a network: all its steps, derived from its spec: the one walk for all readers (no torch here).

Modules (:mod:`~resnetkit.models.block`, :mod:`~resnetkit.models.resnet`) are built from a plan, costs are counted and
receptive fields measured over it, pictures draw it, ONNX graphs are written and norms are folded along it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from resnetkit.models.block_plan import BlockPlan, Layers, plan_block
from resnetkit.models.places import iter_places
from resnetkit.models.spec import ResNetSpec, Stem
from resnetkit.models.steps import (
    Blur,
    GlobalPool,
    Layer,
    Linear,
    MaxPool,
    MeanPool,
    PadSame,
    PadZeros,
    Relu,
    Step,
    Steps,
)

FIRST_CONVS = ("conv1.weight", "conv1.0.weight")  # what a stem of one conv, and one of several, calls its first weights


@dataclass(frozen=True)
class Part:
    """A part of a network: steps, or the blocks of a stage.

    Attributes:
        name: ``stem``, ``max-pool`` or ``pool``, ``stage 1`` …, ``tail``, ``avg-pool`` or ``max-pool``, ``head``.
        ends_with: the child of the network that is called last in it; empty for global pooling, which is no module.
    """

    name: str
    ends_with: str
    steps: Steps = ()
    blocks: tuple[BlockPlan, ...] = ()

    def iter_paths(self) -> Iterator[Steps]:
        """All its steps, with the names that layers have in the network; along a path each step reads the last one."""
        yield self.steps
        for i, block in enumerate(self.blocks):
            for path in block.paths:
                yield tuple(replace(step, name=step.name and f"{self.ends_with}.{i}.{step.name}") for step in path)


def plan_network(spec: ResNetSpec) -> tuple[Part, ...]:
    """The parts of a network in the order of their calls.

    >>> from resnetkit.models.spec import cifar_resnet
    >>> [part.name for part in plan_network(cifar_resnet(20))]
    ['stem', 'stage 1', 'stage 2', 'stage 3', 'avg-pool', 'head']

    Raises:
        ResnetkitError: for channels that do not meet, or that groups do not divide.
    """
    make = Layers(spec.norm, spec.conv, spec.padding)
    parts = [Part("stem", "act1", tuple(_plan_stem(spec, make)))]
    pool = plan_stem_pool(spec.stem, make)
    if pool:
        parts.append(Part("max-pool" if "max" in spec.stem.pool else "pool", "maxpool", pool))
    stages: list[list[BlockPlan]] = [[] for _ in spec.depths]
    plans: dict[tuple[object, ...], BlockPlan] = {}  # of a thousand blocks few are unlike
    for number, place in enumerate(iter_places(spec), start=1):
        drop_rate = spec.stochastic_depth_rate * number / sum(spec.depths)
        kind = (id(place.block), place.in_channels, place.width, place.stride, place.starts_stage, drop_rate)
        if kind not in plans:
            plans[kind] = plan_block(place, make, drop_branch_rate=drop_rate)
        stages[place.stage - 1].append(replace(plans[kind], place=place))
    parts += [Part(f"stage {i}", f"layer{i}", blocks=tuple(blocks)) for i, blocks in enumerate(stages, start=1)]
    channels = stages[-1][-1].place.out_channels
    kinds = _tail_kinds(spec)
    tail = [Step("norm", make.make_norm(channels))] if "bn" in kinds else []
    tail += [Step("act", Relu(in_place="bn" in kinds))] if "act" in kinds else []
    if tail:
        parts.append(Part("tail", "act", tuple(tail)))
    if spec.pooling != "none":
        parts.append(Part(f"{spec.pooling}-pool", "", (Step("", GlobalPool(spec.pooling)),)))
    if spec.num_classes is not None:
        parts.append(Part("head", "fc", (Step("fc", Linear(channels, spec.num_classes)),)))
    return tuple(parts)


def map_names(spec: ResNetSpec) -> tuple[str, ...]:
    """Names of the feature maps of a network, in order: ``stem``, ``stage1`` …, and ``tail`` where there is one.

    A stage's map is what its last block returns. Where blocks are pre-activated that is a sum as it came, neither
    normalised nor activated; the tail does both, and its map is what the head reads, pooled.

    >>> from resnetkit.models.spec import cifar_resnet
    >>> map_names(cifar_resnet(20))
    ('stem', 'stage1', 'stage2', 'stage3')
    """
    stages = (f"stage{number}" for number in range(1, len(spec.depths) + 1))
    return ("stem", *stages, "tail") if _tail_kinds(spec) else ("stem", *stages)


def _tail_kinds(spec: ResNetSpec) -> tuple[str, ...]:
    return spec.block.order.preact if spec.tail is None else spec.tail


def _plan_stem(spec: ResNetSpec, make: Layers) -> Iterator[Step]:
    stem, channels, last = spec.stem, spec.in_channels, len(spec.stem.widths) - 1
    for i, (kernel_size, width) in enumerate(zip(stem.kernel_sizes, stem.widths, strict=True)):
        conv = make.make_conv(channels, width, kernel_size, stride=stem.stride if i == 0 else 1, bias=stem.bias)
        yield Step("conv1" if last == 0 else f"conv1.{3 * i}", conv)
        if i < last:
            yield Step(f"conv1.{3 * i + 1}", make.make_norm(width))
            yield Step(f"conv1.{3 * i + 2}", Relu())
        channels = width
    kinds = spec.block.order.stem if stem.steps is None else stem.steps
    if "bn" in kinds:
        yield Step("bn1", make.make_norm(channels))
    if "act" in kinds:
        yield Step("act1", Relu())


def plan_stem_pool(stem: Stem, make: Layers) -> Steps:
    """Steps that halve the size after the stem's convs."""
    channels = stem.widths[-1]
    match stem.pool:
        case "none":
            layers: tuple[Layer, ...] = ()
        case "max" | "zero_padded_max" if make.padding == "same":
            layers = PadSame(3, 2, 0.0 if stem.pool == "zero_padded_max" else float("-inf")), MaxPool(3, 2)
        case "max":
            layers = (MaxPool(3, 2, padding=1),)
        case "zero_padded_max":
            layers = PadZeros(1), MaxPool(3, 2)
        case "blurred_max":
            layers = MaxPool(3, 1, padding=1), Blur(2)
        case "avg":
            layers = (MeanPool(2, rounds_up=False),)
        case "conv":
            layers = make.make_conv(channels, channels, 3, stride=2), make.make_norm(channels), Relu()
        case _:
            assert_never(stem.pool)
    return _name("maxpool", layers)


def _name(parent: str, layers: tuple[Layer, ...]) -> Steps:
    """Steps that are one child of a network: itself where it is one, a sequence of them where there are several."""
    if len(layers) == 1:
        return (Step(parent, layers[0]),)
    return tuple(Step(f"{parent}.{i}", layer) for i, layer in enumerate(layers))
