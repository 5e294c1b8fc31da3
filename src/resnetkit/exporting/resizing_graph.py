"""Pillow's resizing in ONNX operators: the same pixels, to the last of them.

ONNX has an operator for it, but runtimes compute its weights in float32 and round otherwise: one pixel in five hundred
was off by a grey level or two, which moved probabilities of ResNet-50 by up to 0.007; OpenVINO ignores that it is to
antialias. So the weights are computed here, in float64 from Pillow's formulas, rounded to its 22 bits, and multiplied
with the pixels in float64, where sums of such numbers are exact. An axis is resized in blocks, because the weights of a
whole one are nearly all 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from onnx import helper

from resnetkit.graphs.onnx import Graph
from resnetkit.images.spec import Interpolation

Axis = Literal[1, 2]  # rows and columns of an image (C, H, W)

BLOCK = 16  # values of the resized axis that are computed together
BITS = 22  # of Pillow's weights behind the point
CUBIC = -0.5  # Pillow's a
DOUBLE, INT64, UINT8 = onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64, onnx.TensorProto.UINT8


@dataclass(frozen=True)
class Filter:
    """One of Pillow's filters.

    Attributes:
        support: how far from its centre it is not 0, in pixels of the smaller image.
        weigh: adds the nodes that compute its weights at distances in that unit.
    """

    support: float
    weigh: Callable[[Graph, str], str]


def _linear(graph: Graph, distance: str) -> str:
    return graph.add("Max", graph.add("Sub", np.array(1.0), graph.add("Abs", distance)), np.array(0.0))


def _cubic(graph: Graph, distance: str) -> str:
    x = graph.add("Abs", distance)
    near = _polynomial(graph, x, (CUBIC + 2, -(CUBIC + 3), 0, 1))
    far = _polynomial(graph, x, (CUBIC, -5 * CUBIC, 8 * CUBIC, -4 * CUBIC))
    beyond = graph.add("Where", graph.add("Less", x, np.array(2.0)), far, np.array(0.0))
    return graph.add("Where", graph.add("Less", x, np.array(1.0)), near, beyond)


def _lanczos(graph: Graph, distance: str) -> str:
    # sin(0) / 0 is 1; so near to 0 the quotient is too.
    x = graph.add("Max", graph.add("Abs", distance), np.array(1e-12))
    wave = graph.add("Mul", *(_sinc(graph, graph.add("Div", x, np.array(slower))) for slower in (1.0, 3.0)))
    return graph.add("Where", graph.add("Less", x, np.array(3.0)), wave, np.array(0.0))


def _sinc(graph: Graph, x: str) -> str:
    angle = graph.add("Mul", x, np.array(math.pi))
    return graph.add("Div", graph.add("Sin", angle), angle)


def _polynomial(graph: Graph, x: str, factors: Sequence[float]) -> str:
    """The polynomial with these factors, of the highest power first."""
    value = graph.constant(np.array(float(factors[0])))
    for factor in factors[1:]:
        value = graph.add("Add", graph.add("Mul", value, x), np.array(float(factor)))
    return value


FILTERS: Mapping[Interpolation, Filter] = {
    "bilinear": Filter(1.0, _linear),
    "bicubic": Filter(2.0, _cubic),
    "lanczos": Filter(3.0, _lanczos),
}
"""Filters by name; the pixels that ``nearest`` takes depend on how Pillow adds up rounding errors."""


@dataclass(frozen=True)
class Side:
    """One side of an image that is resized, by the names of int64 scalars in a graph.

    Attributes:
        before, after: its length.
        corner: where in the resized side the first value lies that is wanted; it can lie before all of them.
        wanted: how many values are wanted; those beyond the side are the nearest ones in it.
    """

    before: str
    after: str
    corner: str
    wanted: int


def resize(graph: Graph, image: str, rows: Side, columns: Side, interpolation: Interpolation) -> str:
    """Resize an image, uint8 ``(C, H, W)``, and cut out what is wanted: uint8 ``(C, rows.wanted, columns.wanted)``.

    Pillow 13 begins with the rows where that takes away more than twice as many of them as there are columns too many,
    and with the columns everywhere else; what the first axis gives is rounded before the second.
    """
    lost_rows, lost_columns = (graph.add("Sub", side.before, side.after) for side in (rows, columns))
    takes_most = graph.add("Greater", lost_rows, graph.add("Mul", lost_columns, np.array(2)))
    rows_first = graph.add("And", takes_most, graph.add("Greater", lost_rows, np.array(0)))
    orders: Mapping[str, Sequence[tuple[Axis, Side]]] = {
        "then_branch": ((1, rows), (2, columns)),
        "else_branch": ((2, columns), (1, rows)),
    }
    branches = {}
    for name, order in orders.items():
        inner = Graph(f"{graph.prefix}{name}_")
        resized = image
        for axis, side in order:
            resized = _resize_axis(inner, resized, axis, side, FILTERS[interpolation])
        branches[name] = _subgraph(inner, [], [(resized, UINT8)])
    return graph.add("If", rows_first, **branches)


def _resize_axis(graph: Graph, image: str, axis: Axis, side: Side, used: Filter) -> str:
    """Resize one axis of an image ``(C, H, W)``, block by block."""
    num_blocks = -(-side.wanted // BLOCK)
    places = graph.add("Add", np.arange(num_blocks * BLOCK), side.corner)
    places = graph.add("Max", graph.add("Min", places, graph.add("Sub", side.after, np.array(1))), np.array(0))
    scale = graph.add("Div", *(graph.add("Cast", length, to=DOUBLE) for length in (side.before, side.after)))
    centres = graph.add("Mul", graph.add("Add", graph.add("Cast", places, to=DOUBLE), np.array(0.5)), scale)
    reach = graph.add("Max", scale, np.array(1.0))  # pixels that a distance of 1 is; never less than one

    block = Graph(f"{graph.prefix}axis_{axis}_")
    start = block.add("Mul", f"{block.prefix}number", np.array([BLOCK]))
    own = block.add("Slice", centres, start, block.add("Add", start, np.array([BLOCK])), np.array([0]))
    first, last = (block.add("Gather", own, np.array([place])) for place in (0, BLOCK - 1))
    support = block.add("Mul", reach, np.array(used.support))
    low = block.add("Max", _whole(block, block.add("Sub", first, support)), np.array(0))
    high = block.add("Min", _whole(block, block.add("Add", last, support)), side.before)
    part = block.add("Cast", block.add("Slice", image, low, high, np.array([axis])), to=DOUBLE)
    scalars = (block.add("Squeeze", value) for value in (low, high))
    pixels = block.add("Add", block.add("Cast", block.add("Range", *scalars, np.array(1)), to=DOUBLE), np.array(0.5))
    distances = block.add(
        "Sub", block.add("Unsqueeze", pixels, np.array([0])), block.add("Unsqueeze", own, np.array([1]))
    )
    weights = _rounded_weights(block, used.weigh(block, block.add("Div", distances, reach)))
    if axis == 1:
        sums = block.add("MatMul", weights, part)
    else:
        sums = block.add("MatMul", part, block.add("Transpose", weights))
    level = block.add("Floor", block.add("Add", block.add("Mul", sums, np.array(2.0**-BITS)), np.array(0.5)))
    resized = block.add("Cast", block.add("Clip", level, np.array(0.0), np.array(255.0)), to=UINT8)

    number = helper.make_tensor_value_info(f"{block.prefix}number", INT64, [])
    goes_on = helper.make_tensor_value_info(f"{block.prefix}goes_on", onnx.TensorProto.BOOL, [])
    body = _subgraph(
        block, [number, goes_on], [(block.add("Identity", goes_on.name), onnx.TensorProto.BOOL), (resized, UINT8)]
    )
    blocks = graph.add("Loop", np.array(num_blocks), "", body=body)  # the first axis counts them
    height, width = (graph.add("Shape", image, start=place, end=place + 1) for place in (1, 2))
    length = np.array([num_blocks * BLOCK])
    whole: Sequence[str | np.ndarray] = [length, width] if axis == 1 else [height, length]
    together = graph.add("Transpose", blocks, perm=[1, 0, 2, 3] if axis == 1 else [1, 2, 0, 3])
    joined = graph.add("Reshape", together, graph.add("Concat", np.array([-1]), *whole, axis=0))
    return graph.add("Slice", joined, np.array([0]), np.array([side.wanted]), np.array([axis]))


def _rounded_weights(graph: Graph, weights: str) -> str:
    """Weights that sum to 1 in each row, times 2^22 and rounded, halves away from 0."""
    shares = graph.add("Div", weights, graph.add("ReduceSum", weights, np.array([1]), keepdims=1))
    rounded = graph.add(
        "Floor", graph.add("Add", graph.add("Mul", graph.add("Abs", shares), np.array(2.0**BITS)), np.array(0.5))
    )
    return graph.add("Mul", graph.add("Sign", shares), rounded)


def _whole(graph: Graph, value: str) -> str:
    """A number, half more of it, cut to a whole one."""
    return graph.add("Cast", graph.add("Add", value, np.array(0.5)), to=INT64)


def _subgraph(
    graph: Graph, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[tuple[str, int]]
) -> onnx.GraphProto:
    named = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
    return helper.make_graph(graph.nodes, graph.prefix, inputs, named, graph.constants)
