"""A network's table, stage by stage: shapes, blocks, parameters, multiply-adds (no torch here)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import assert_never

from resnetkit.anatomy.cost import Cost, count_part
from resnetkit.anatomy.receptive_field import Window, see_through
from resnetkit.models.plan import Part, plan_network
from resnetkit.models.sliding import Map
from resnetkit.models.spec import Block, ResNetSpec
from resnetkit.models.steps import Conv, GlobalPool, Linear, Normalize, Step
from resnetkit.pages.showing import show


@dataclass(frozen=True)
class StageRow:
    """One line of the table: a stage or a part around the stages.

    Attributes:
        output_shape: (C, H, W), or (C,) after pooling.
        blocks: identity and projection blocks, in words; empty outside the stages.
        layers: kernel sizes, channels and stride, in words.
        multiply_adds: of convs and linear layers, for one image.
        activations: numbers that convs and linear layers put out for one image; those of the convs are the
            activations of arXiv:2003.13678.
        receptive_field_px: side of the square of the image that one output pixel sees; None: the whole image.
        jump_px: distance between what neighbouring output pixels see, the product of the strides so far; None: as
            above.
        strided_layer: which layer of which block carries the stage's stride; empty without one.
        num_layers: convs and linear layers on the longest path: those a network's name counts. Not among them are
            convs on skips (projections, gates) and in attention.
        num_beside: convs and linear layers that are not: on skips and in attention.
    """

    name: str
    output_shape: tuple[int, ...]
    blocks: str
    layers: str
    parameters: int
    multiply_adds: int
    activations: int = 0
    receptive_field_px: int | None = None
    jump_px: int | None = None
    strided_layer: str = ""
    num_layers: int = 0
    num_beside: int = 0


@dataclass(frozen=True)
class Description:
    """A network's table and totals for one input shape (C, H, W)."""

    input_shape: tuple[int, int, int]
    rows: tuple[StageRow, ...]

    @property
    def parameters(self) -> int:
        """Trainable numbers; batch-norm statistics are not counted."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of convs and linear layers, for one image."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activations(self) -> int:
        """Numbers that convs and linear layers put out for one image."""
        return sum(row.activations for row in self.rows)

    @property
    def num_layers(self) -> int:
        """Convs and linear layers on the longest path, such as the 50 of ResNet-50."""
        return sum(row.num_layers for row in self.rows)

    @property
    def layers_in_words(self) -> str:
        """Say how the layers are counted, such as ``52 layers …: 3 in the stem, 48 in the blocks, 1 in the head``."""
        places: Counter[str] = Counter()
        for row in self.rows:
            places["blocks" if row.name.startswith("stage") else row.name] += row.num_layers
        counted = ", ".join(f"{count} in the {place}" for place, count in places.items() if count)
        beside = sum(row.num_beside for row in self.rows)
        others = f"; {beside} more on skips or in attention are not counted" if beside else ""
        return f"{self.num_layers} layers with weights on the longest path: {counted}{others}"

    @property
    def receptive_field_px(self) -> int:
        """Side of what one pixel of the last feature map sees; it may reach beyond the image, into the padding."""
        return max(row.receptive_field_px for row in self.rows if row.receptive_field_px is not None)

    def _repr_html_(self) -> str:
        return show(self)


def describe(spec: ResNetSpec, image_size_px: int) -> Description:
    """Table of a network for square images; nothing is computed, so any size is instant.

    >>> from resnetkit.models.catalog import CATALOG
    >>> table = describe(CATALOG["resnet50"].spec, 224)
    >>> table.parameters, table.multiply_adds, table.rows[-3].output_shape
    (25557032, 4089184256, (2048, 7, 7))

    Raises:
        ResnetkitError: for channels that do not meet, and for images that are too small.
    """
    x = Map(spec.in_channels, image_size_px)
    window: Window | None = Window(image_size_px)
    rows = []
    for part in plan_network(spec):
        x, cost = count_part(part, x)
        # From global pooling on, which is no module, every number comes from the whole image.
        window = see_through(window, part) if window and part.ends_with else None
        shape = (x.channels, x.size_px, x.size_px) if window else (x.channels,)
        rows.append(_row(spec, part, cost, shape, window))
    return Description((spec.in_channels, image_size_px, image_size_px), tuple(rows))


def _row(spec: ResNetSpec, part: Part, cost: Cost, shape: tuple[int, ...], window: Window | None) -> StageRow:
    blocks, layers, strided_layer = _stage_words(spec, part) if part.blocks else ("", _layers(spec, part), "")
    num_layers = sum(len(block.place.block.kernel_sizes) for block in part.blocks) or cost.num_layers
    return StageRow(
        name=part.name,
        output_shape=shape,
        blocks=blocks,
        layers=layers,
        parameters=cost.parameters,
        multiply_adds=cost.multiply_adds,
        activations=cost.activations,
        receptive_field_px=None if window is None else window.size_px,
        jump_px=None if window is None else window.jump,
        strided_layer=strided_layer,
        num_layers=num_layers,
        num_beside=cost.num_layers - num_layers,
    )


POOL_WORDS = {
    "max": "3×3, stride 2",
    "zero_padded_max": "3×3, stride 2, padded with zeros",
    "blurred_max": "3×3 → 3×3 blur, stride 2",
    "avg": "2×2 mean, stride 2",
    "conv": "3×3 conv, stride 2",
}


def _layers(spec: ResNetSpec, part: Part) -> str:
    """Words for what stands around the stages."""
    match part.name, part.steps:
        case "stem", _:
            convs = [f"{k}×{k}, {w}" for k, w in zip(spec.stem.kernel_sizes, spec.stem.widths, strict=True)]
            return " → ".join(convs) + (f", stride {spec.stem.stride}" if spec.stem.stride > 1 else "")
        case "tail", steps:
            norm = {"batch_norm": "BN", "group_norm": "GN"}[spec.norm.kind]
            return " ".join(norm if isinstance(step.layer, Normalize) else "ReLU" for step in steps)
        case _, (Step(layer=Linear() as head),):
            return f"linear {head.in_channels} → {head.out_channels}"
        case _, (Step(layer=GlobalPool()),):
            return "global"
        case _:
            return POOL_WORDS[spec.stem.pool]


def _stage_words(spec: ResNetSpec, part: Part) -> tuple[str, str, str]:
    """Words for a stage: its blocks, their layers, and which layer of which block has the stride."""
    kinds = Counter(block.skip_kind for block in part.blocks)
    convs = [step.layer for step in part.blocks[-1].branch if isinstance(step.layer, Conv)]
    layers = " → ".join(
        f"{conv.kernel_size}×{conv.kernel_size}, {conv.out_channels}"
        + (f" ({conv.groups} groups)" if conv.groups > 1 else "")
        for conv in convs
    )
    strided = next((block.place for block in part.blocks if block.place.stride > 1), None)
    where = f", stride {strided.stride} in the {spec.strided_block} block" if strided else ""
    return (
        " + ".join(f"{count} {kind}" for kind, count in kinds.items()),
        f"[{layers}] × {len(part.blocks)}{where}",
        f"block {strided.position}, {_strided_layer(strided.block)}" if strided else "",
    )


def _strided_layer(block: Block) -> str:
    """The layer of the branch that carries the block's stride, which is above 1."""
    match block.downsampling:
        case "stride":
            kernel_size = block.kernel_sizes[block.strided_conv]
            return f"conv{block.strided_conv + 1} ({kernel_size}×{kernel_size})"
        case "blur":
            return "aa (blur)"
        case "avg":
            return "aa (mean)"
        case "max":
            return "max-pool"
        case _:
            assert_never(block.downsampling)


def as_rows(description: Description) -> list[dict[str, object]]:
    """The table's rows as plain values, for JSON and reports."""
    return [dataclasses.asdict(row) for row in description.rows]
