"""A network layer by layer, as ``model.summary()`` of Keras lists it (no torch here)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from resnetkit.anatomy.block_picture import KIND_WORDS
from resnetkit.anatomy.cost import cost_of
from resnetkit.anatomy.wiring import describe_layer
from resnetkit.models.block_plan import BlockPlan, walk_block
from resnetkit.models.plan import plan_network
from resnetkit.models.sliding import Map, apply
from resnetkit.models.spec import BatchNorm, ResNetSpec
from resnetkit.models.steps import GlobalPool, Layer, Linear, Normalize, Steps


@dataclass(frozen=True)
class SummaryRow:
    """One layer, or a block with all its layers, which follow.

    Attributes:
        name: the layer's name in the network; empty for arithmetic.
        level: 0, or 1 inside a block; the rows of level 0 add up to the network.
        output_shape: (C, H, W), or (C,) after pooling.
        parameters: numbers that training changes by their gradients.
        statistics: numbers that it sets otherwise: running means and variances of batch norms.
    """

    name: str
    level: int
    layer: str
    output_shape: tuple[int, ...]
    parameters: int
    statistics: int


@dataclass(frozen=True)
class Summary:
    """All layers of a network in the order of their calls, for images of one shape (C, H, W)."""

    input_shape: tuple[int, int, int]
    rows: tuple[SummaryRow, ...]

    @property
    def parameters(self) -> int:
        """Trainable numbers of the network."""
        return sum(row.parameters for row in self.rows if row.level == 0)

    @property
    def statistics(self) -> int:
        """Numbers of the network that are not trainable."""
        return sum(row.statistics for row in self.rows if row.level == 0)


def summarize(spec: ResNetSpec, image_size_px: int) -> Summary:
    """List a network's layers for square images; nothing is computed.

    >>> from resnetkit.models.catalog import CATALOG
    >>> summary = summarize(CATALOG["resnet50"].spec, 224)
    >>> summary.parameters, summary.statistics
    (25557032, 53120)

    Raises:
        ResnetkitError: for channels that do not meet, and for images that are too small.
    """
    x = Map(spec.in_channels, image_size_px)
    rows: list[SummaryRow] = []
    for part in plan_network(spec):
        steps, x = _summarize_steps(part.steps, x, "", level=0)
        rows += steps
        for i, block in enumerate(part.blocks):
            layers, x = _summarize_block(block, x, f"{part.ends_with}.{i}")
            rows += layers
    return Summary((spec.in_channels, image_size_px, image_size_px), tuple(rows))


def as_values(summary: Summary) -> dict[str, Any]:
    """A summary as plain values, for JSON."""
    totals = {"parameters": summary.parameters, "statistics": summary.statistics}
    return {"input_shape": summary.input_shape, **totals, "rows": [dataclasses.asdict(row) for row in summary.rows]}


def _summarize_block(plan: BlockPlan, x: Map, name: str) -> tuple[list[SummaryRow], Map]:
    """The row of a block and those of its layers, path by path, and the map that it makes of ``x``."""
    rows: list[SummaryRow] = []

    def run(steps: Steps, x: Map, _gate: Map | None) -> Map:
        layers, x = _summarize_steps(steps, x, f"{name}.", level=1)
        rows.extend(layers)
        return x

    def add(branch: Map, _skip: Map) -> Map:
        rows.append(SummaryRow("", 1, "branch + skip", _shape(branch), 0, 0))
        return branch

    out = walk_block(plan, x, run, add)
    parameters, statistics = sum(row.parameters for row in rows), sum(row.statistics for row in rows)
    return [SummaryRow(name, 0, KIND_WORDS[plan.skip_kind], _shape(out), parameters, statistics), *rows], out


def _summarize_steps(steps: Steps, x: Map, prefix: str, *, level: int) -> tuple[list[SummaryRow], Map]:
    rows = []
    for step in steps:
        parameters = cost_of(step.layer, x).parameters
        x = apply(step.layer, x)
        if not step.does_nothing:
            shape = (x.channels,) if isinstance(step.layer, GlobalPool | Linear) else _shape(x)
            name = step.name and prefix + step.name
            rows.append(SummaryRow(name, level, describe_layer(step.layer)[1], shape, parameters, _count(step.layer)))
    return rows, x


def _count(layer: Layer) -> int:
    """Number of running means and variances of a layer."""
    return 2 * layer.channels if isinstance(layer, Normalize) and isinstance(layer.norm, BatchNorm) else 0


def _shape(x: Map) -> tuple[int, int, int]:
    return x.channels, x.size_px, x.size_px
