"""What a network is, stage by stage: shapes, blocks, parameters, multiply-adds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resnetkit.models.block import ResidualBlock
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec


@dataclass(frozen=True)
class StageRow:
    """One line of the table: a stage or a part around the stages.

    Attributes:
        output_shape: (C, H, W), or (C,) after pooling.
        blocks: identity and projection blocks, in words; empty outside the stages.
        layers: kernel sizes, channels and stride, in words.
        multiply_adds: of convs and linear layers, for one image.
    """

    name: str
    output_shape: tuple[int, ...]
    blocks: str
    layers: str
    parameters: int
    multiply_adds: int


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
    network(images)
    rows = [
        cost.row("stem", [network.conv1, network.bn1, network.act1], layers=_stem_layers(spec)),
        *([cost.row("max-pool", [network.maxpool], layers="3×3, stride 2")] if spec.stem.pool != "none" else []),
        *(_stage_row(cost, network, i) for i in range(len(spec.depths))),
        *([cost.row("tail", [network.norm, network.act], layers=_tail_layers(network))] if _has_tail(network) else []),
    ]
    if spec.pooling != "none":
        pooled = StageRow(f"{spec.pooling}-pool", (network.num_features,), "", "global", 0, 0)
        rows.append(pooled)
    if spec.num_classes is not None:
        rows.append(cost.row("head", [network.fc], layers=f"linear {network.num_features} → {spec.num_classes}"))
    return Description((spec.in_channels, image_size_px, image_size_px), tuple(rows))


class _Cost:
    """Shapes and multiply-adds of every module, noted by forward hooks."""

    def __init__(self, network: nn.Module) -> None:
        self.multiply_adds: Counter[nn.Module] = Counter()
        self.output_shapes: dict[nn.Module, tuple[int, ...]] = {}
        for module in network.modules():
            module.register_forward_hook(self._note)

    def _note(self, module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.output_shapes[module] = tuple(output.shape[1:])
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            self.multiply_adds[module] += output.numel() * module.weight[0].numel()

    def row(self, name: str, parts: list[nn.Module], *, layers: str, blocks: str = "") -> StageRow:
        modules = [module for part in parts for module in part.modules()]
        return StageRow(
            name,
            self.output_shapes[parts[-1]],
            blocks,
            layers,
            sum(p.numel() for part in parts for p in part.parameters()),
            sum(self.multiply_adds[module] for module in modules),
        )


def _has_tail(network: ResNet) -> bool:
    return not (isinstance(network.norm, nn.Identity) and isinstance(network.act, nn.Identity))


def _tail_layers(network: ResNet) -> str:
    has = {"BN": network.norm, "ReLU": network.act}
    return " ".join(name for name, layer in has.items() if not isinstance(layer, nn.Identity))


def _stem_layers(spec: ResNetSpec) -> str:
    stem = spec.stem
    convs = [f"{k}×{k}, {w}" for k, w in zip(stem.kernel_sizes, stem.widths, strict=True)]
    return " → ".join(convs) + (f", stride {stem.stride}" if stem.stride > 1 else "")


def _stage_row(cost: _Cost, network: ResNet, index: int) -> StageRow:
    name = network.stage_names[index]
    stage = getattr(network, name)
    blocks: list[ResidualBlock] = list(stage)
    kinds = Counter(_block_kind(block) for block in blocks)
    block, stride = blocks[-1], network.spec.strides[index]
    convs = [getattr(block, n) for n in block.branch if n.startswith("conv")]
    layers = " → ".join(
        f"{c.kernel_size[0]}×{c.kernel_size[0]}, {c.out_channels}" + (f" ({c.groups} groups)" if c.groups > 1 else "")
        for c in convs
    )
    where = f", stride {stride} in the {network.spec.strided_block} block" if stride > 1 else ""
    summary = " + ".join(f"{count} {kind}" for kind, count in kinds.items())
    return cost.row(f"stage {index + 1}", [stage], layers=f"[{layers}] × {len(blocks)}{where}", blocks=summary)


def _block_kind(block: ResidualBlock) -> str:
    if block.block.join.kind == "no_skip":
        return "plain"
    if block.downsample is None:
        return "identity"
    has_weights = any(True for _ in block.downsample.parameters())
    return "projection" if has_weights else "shape-matching"  # zero padding or subsampling: nothing to learn


def as_rows(description: Description) -> list[dict[str, object]]:
    """The table's rows as plain values, for JSON and reports."""
    return [dataclasses.asdict(row) for row in description.rows]
