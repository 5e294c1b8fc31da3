"""What a network is, stage by stage: shapes, blocks, parameters, multiply-adds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from typing import assert_never

import torch
from torch import Tensor, nn

from resnetkit.anatomy.receptive_field import Window, see_through
from resnetkit.anatomy.wiring import skip_kind
from resnetkit.models.block import ResidualBlock
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec

WEIGHED = (nn.Conv1d, nn.Conv2d, nn.Linear)  # the layers with weights; norms are not counted as layers


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
        """Of convs and linear layers, for one image."""
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
        """How the layers are counted, such as ``52 layers …: 3 in the stem, 48 in the blocks, 1 in the head``."""
        places: Counter[str] = Counter()
        for row in self.rows:
            places["blocks" if row.name.startswith("stage") else row.name] += row.num_layers
        counted = ", ".join(f"{count} in the {place}" for place, count in places.items() if count)
        beside = sum(row.num_beside for row in self.rows)
        others = f"; {beside} more on skips and in attention are not counted" if beside else ""
        return f"{self.num_layers} layers with weights on the longest path: {counted}{others}"

    @property
    def receptive_field_px(self) -> int:
        """Side of what one pixel of the last feature map sees; it may reach beyond the image, into the padding."""
        return max(row.receptive_field_px for row in self.rows if row.receptive_field_px is not None)


@dataclass(frozen=True)
class Part:
    """A row's modules in the order of their calls; none for global pooling, which is no module."""

    name: str
    modules: tuple[nn.Module, ...]


def list_parts(network: ResNet) -> list[Part]:
    """The rows of a network's table."""
    spec = network.spec
    pool = "max-pool" if "max" in spec.stem.pool else "pool"
    tail = (network.norm, network.act)
    return [
        Part("stem", (network.conv1, network.bn1, network.act1)),
        *([Part(pool, (network.maxpool,))] if spec.stem.pool != "none" else []),
        *(Part(f"stage {i}", (network.get_submodule(name),)) for i, name in enumerate(network.stage_names, start=1)),
        *([Part("tail", tail)] if any(not isinstance(module, nn.Identity) for module in tail) else []),
        *([Part(f"{spec.pooling}-pool", ())] if spec.pooling != "none" else []),
        *([Part("head", (network.fc,))] if spec.num_classes is not None else []),
    ]


def describe(spec: ResNetSpec, image_size_px: int) -> Description:
    """Table of a network for square images; nothing is computed, so any size is instant.

    >>> from resnetkit.models.catalog import CATALOG
    >>> table = describe(CATALOG["resnet50"].spec, 224)
    >>> table.parameters, table.multiply_adds, table.rows[-3].output_shape
    (25557032, 4089184256, (2048, 7, 7))
    """
    with torch.device("meta"):
        network = ResNet(spec).eval()
        images = torch.empty(1, spec.in_channels, image_size_px, image_size_px)
    cost = _Cost(network)
    with torch.no_grad():
        network(images)
    window: Window | None = Window(image_size_px)
    rows = []
    for part in list_parts(network):
        if part.modules and part.name != "head":
            assert window is not None, "convs stand before the pooling"
            window = reduce(see_through, part.modules, window)
        else:
            window = None  # from here on every number comes from the whole image
        rows.append(cost.row(network, part, window))
    return Description((spec.in_channels, image_size_px, image_size_px), tuple(rows))


class _Cost:
    """Shapes, multiply-adds and activations of every module, noted by forward hooks."""

    def __init__(self, network: nn.Module) -> None:
        self.multiply_adds: Counter[nn.Module] = Counter()
        self.activations: Counter[nn.Module] = Counter()
        self.output_shapes: dict[nn.Module, tuple[int, ...]] = {}
        for module in network.modules():
            module.register_forward_hook(self._note)

    def _note(self, module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.output_shapes[module] = tuple(output.shape[1:])
        if isinstance(module, WEIGHED):
            self.multiply_adds[module] += output.numel() * module.weight[0].numel()
            self.activations[module] += output.numel()

    def row(self, network: ResNet, part: Part, window: Window | None) -> StageRow:
        if not part.modules:
            return StageRow(part.name, (network.num_features,), "", "global", 0, 0)
        modules = [module for top in part.modules for module in top.modules()]
        words = _stage_words(network, part) if part.name.startswith("stage") else {"layers": _layers(network, part)}
        return StageRow(
            name=part.name,
            output_shape=self.output_shapes[part.modules[-1]],
            blocks=words.get("blocks", ""),
            layers=words["layers"],
            parameters=sum(p.numel() for top in part.modules for p in top.parameters()),
            multiply_adds=sum(self.multiply_adds[module] for module in modules),
            activations=sum(self.activations[module] for module in modules),
            receptive_field_px=None if window is None else window.size_px,
            jump_px=None if window is None else window.jump,
            strided_layer=words.get("strided_layer", ""),
            num_layers=(num_layers := _count_layers(part)),
            num_beside=sum(isinstance(module, WEIGHED) for module in modules) - num_layers,
        )


def _count_layers(part: Part) -> int:
    blocks = [module for top in part.modules for module in top.modules() if isinstance(module, ResidualBlock)]
    if blocks:
        return sum(len(block.block.kernel_sizes) for block in blocks)
    return sum(isinstance(module, WEIGHED) for top in part.modules for module in top.modules())


POOL_WORDS = {
    "max": "3×3, stride 2",
    "zero_padded_max": "3×3, stride 2, padded with zeros",
    "blurred_max": "3×3 → 3×3 blur, stride 2",
    "avg": "2×2 mean, stride 2",
    "conv": "3×3 conv, stride 2",
}


def _layers(network: ResNet, part: Part) -> str:
    """Words for what stands around the stages."""
    spec = network.spec
    match part.name:
        case "stem":
            convs = [f"{k}×{k}, {w}" for k, w in zip(spec.stem.kernel_sizes, spec.stem.widths, strict=True)]
            return " → ".join(convs) + (f", stride {spec.stem.stride}" if spec.stem.stride > 1 else "")
        case "tail":
            words = {nn.BatchNorm2d: "BN", nn.GroupNorm: "GN", nn.ReLU: "ReLU"}
            return " ".join(words[type(module)] for module in part.modules if not isinstance(module, nn.Identity))
        case "head":
            return f"linear {network.num_features} → {spec.num_classes}"
        case _:
            return POOL_WORDS[spec.stem.pool]


def _stage_words(network: ResNet, part: Part) -> dict[str, str]:
    (stage,) = part.modules
    blocks: list[ResidualBlock] = [module for module in stage.children() if isinstance(module, ResidualBlock)]
    kinds = Counter(skip_kind(block) for block in blocks)
    convs = [blocks[-1].get_submodule(name) for name in blocks[-1].branch if name.startswith("conv")]
    layers = " → ".join(
        f"{c.kernel_size[0]}×{c.kernel_size[0]}, {c.out_channels}" + (f" ({c.groups} groups)" if c.groups > 1 else "")
        for c in convs
        if isinstance(c, nn.Conv2d)
    )
    strided = next((block for block in blocks if block.stride > 1), None)
    where = f", stride {strided.stride} in the {network.spec.strided_block} block" if strided else ""
    return {
        "blocks": " + ".join(f"{count} {kind}" for kind, count in kinds.items()),
        "layers": f"[{layers}] × {len(blocks)}{where}",
        "strided_layer": f"block {blocks.index(strided) + 1}, {_strided_layer(strided)}" if strided else "",
    }


def _strided_layer(block: ResidualBlock) -> str:
    """The layer of the branch that carries the block's stride, which is above 1."""
    match block.block.downsampling:
        case "stride":
            kernel_size = block.block.kernel_sizes[block.block.strided_conv]
            return f"conv{block.block.strided_conv + 1} ({kernel_size}×{kernel_size})"
        case "blur":
            return "aa (blur)"
        case "avg":
            return "aa (mean)"
        case "max":
            return "max-pool"
        case _:
            assert_never(block.block.downsampling)


def as_rows(description: Description) -> list[dict[str, object]]:
    """The table's rows as plain values, for JSON and reports."""
    return [dataclasses.asdict(row) for row in description.rows]
