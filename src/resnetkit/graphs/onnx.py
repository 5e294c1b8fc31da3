"""A classifier as an ONNX graph: uint8 pixels ``(N, C, S, S)`` in, float32 logits ``(N, V, K)`` of V views out.

Normalisation, channel order and the mirror image are part of the graph, batch norms are folded, N is free and S is
fixed, so every padding is a number. What answer the logits make, the classifier's decision says. One function per kind
of layer says which nodes it is; a layer without one is an error, never an approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from resnetkit.classifier.classifier import Classifier
from resnetkit.errors import Code, ResnetkitError
from resnetkit.graphs.folding import fold
from resnetkit.graphs.names import INPUT, OUTPUT
from resnetkit.images.spec import Preprocessing
from resnetkit.models.block import ResidualBlock
from resnetkit.models.block_plan import walk_block
from resnetkit.models.layers import Blur, FlexibleConv2d, SamePad, StochasticDepth, Subsample, ZeroPad
from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.sliding import same_padding
from resnetkit.models.steps import Arithmetic, Attend, Dropout, GlobalPool, Layer, Relu, Scale, Sigmoid, Step, TimesGate

OPSET = 17
IR_VERSION = 8  # the one that came with this opset, so that older runtimes read it

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Map:
    """A feature map in the graph: its name and its shape ``(N, channels, height, width)``."""

    name: str
    channels: int
    height: int
    width: int


@dataclass
class Graph:
    """Nodes and constants, as they are written; where graphs are joined, each has a ``prefix`` for its own names."""

    prefix: str = ""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(
        self, operator: str, *inputs: str | Array | Tensor | float, output: str | None = None, **attributes: Any
    ) -> str:
        """Add a node; arrays and numbers among its inputs become constants. Returns the name of its output."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = output or f"{self.prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def constant(self, value: Array | Tensor | float) -> str:
        """Add a constant; returns its name."""
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        array = np.array(array, np.float32) if isinstance(array, float) else array
        name = f"{self.prefix}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def write_graph(classifier: Classifier) -> bytes:
    """The classifier as the bytes of an ONNX file.

    Raises:
        ResnetkitError: for a network with a layer that has no ONNX form here.
    """
    graph, preprocessing = Graph(), classifier.preprocessing
    network = fold(classifier.network).float()
    size, num_classes = preprocessing.image_size_px, len(classifier.class_names)
    images = _normalize(graph, preprocessing)
    with torch.no_grad():
        logits = _write(network, graph, Map(images, preprocessing.channels, size, size)).name
    num_views = 2 if preprocessing.average_mirrored else 1
    views = graph.add("Reshape", logits, np.array([num_views, -1, num_classes]))
    graph.add("Transpose", views, perm=[1, 0, 2], output=OUTPUT)
    shape: list[str | int | None] = ["N", preprocessing.channels, size, size]
    body = helper.make_graph(
        graph.nodes,
        "classifier",
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["N", num_views, num_classes])],
        graph.constants,
    )
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="resnetkit"
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _normalize(graph: Graph, preprocessing: Preprocessing) -> str:
    """Normalize as :func:`resnetkit.images.normalization.normalize`; mirror images follow behind where averaged."""
    mean, std = (np.array(v, np.float32).reshape(1, -1, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    pixels = INPUT
    if preprocessing.channel_order == "bgr":
        pixels = graph.add("Gather", pixels, np.array([2, 1, 0]), axis=1)
    images = graph.add("Cast", pixels, to=onnx.TensorProto.FLOAT)
    images = graph.add("Mul", images, np.float32(1) / (np.float32(255) * std))
    images = graph.add("Sub", images, mean / std)
    if not preprocessing.average_mirrored:
        return images
    # From the last column backwards past the first; the end is exclusive, so it lies beyond any index.
    mirrored = graph.add("Slice", images, *(np.array([v]) for v in (-1, -(2**31), 3, -1)))
    return graph.add("Concat", images, mirrored, axis=0)


@singledispatch
def _write(layer: nn.Module, graph: Graph, x: Map) -> Map:
    """Write what ``layer`` does with ``x``."""
    raise ResnetkitError(
        Code.USAGE, f"a layer of kind {type(layer).__name__} has no ONNX form here", fix="use the engine torch"
    )


@_write.register(nn.Identity)
@_write.register(nn.Dropout)
@_write.register(StochasticDepth)
def _(layer: nn.Module, graph: Graph, x: Map) -> Map:
    return x


@_write.register
def _(layer: nn.Sequential, graph: Graph, x: Map) -> Map:
    for child in layer:
        x = _write(child, graph, x)
    return x


@_write.register
def _(layer: nn.Conv2d, graph: Graph, x: Map) -> Map:
    kernel, stride, pads = layer.kernel_size[0], layer.stride[0], [int(layer.padding[0])] * 4
    if isinstance(layer, FlexibleConv2d):
        assert not layer.standardizes, "folding stores standardised weights"
        pads = _same_pads(x, kernel, stride) if layer.pads_same else pads
    bias = () if layer.bias is None else (layer.bias,)
    name = graph.add(
        "Conv",
        x.name,
        layer.weight,
        *bias,
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        pads=pads,
        group=layer.groups,
    )
    return _windowed(x, name, kernel, stride, pads, channels=layer.out_channels)


@_write.register
def _(layer: nn.BatchNorm2d, graph: Graph, x: Map) -> Map:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    scale = layer.weight.double() / (layer.running_var.double() + layer.eps).sqrt()
    shift = layer.bias.double() - layer.running_mean.double() * scale
    scaled = graph.add("Mul", x.name, scale.float().view(1, -1, 1, 1))
    return replace(x, name=graph.add("Add", scaled, shift.float().view(1, -1, 1, 1)))


@_write.register
def _(layer: nn.GroupNorm, graph: Graph, x: Map) -> Map:
    ones, zeros = np.ones(layer.num_groups, np.float32), np.zeros(layer.num_groups, np.float32)
    grouped = graph.add("Reshape", x.name, np.array([0, layer.num_groups, -1]))
    normed = graph.add("InstanceNormalization", grouped, ones, zeros, epsilon=layer.eps)
    restored = graph.add("Reshape", normed, np.array([0, x.channels, x.height, x.width]))
    scaled = graph.add("Mul", restored, layer.weight.view(1, -1, 1, 1))
    return replace(x, name=graph.add("Add", scaled, layer.bias.view(1, -1, 1, 1)))


@_write.register
def _(layer: nn.ReLU, graph: Graph, x: Map) -> Map:
    return replace(x, name=graph.add("Relu", x.name))


@_write.register
def _(layer: nn.MaxPool2d, graph: Graph, x: Map) -> Map:
    kernel, stride, padding = int(layer.kernel_size), int(layer.stride), int(layer.padding)  # type: ignore[arg-type]
    assert not layer.ceil_mode or (kernel == stride and not padding)
    pads = [padding, padding, *(padding + over for over in _beyond_edge(layer.ceil_mode, stride, x))]
    name = graph.add("MaxPool", x.name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads)
    return _windowed(x, name, kernel, stride, pads)


def _beyond_edge(ceil_mode: bool, stride: int, x: Map) -> list[int]:
    """Count how far the last windows of a pool reach beyond the bottom and right edges."""
    return [-size % stride if ceil_mode else 0 for size in (x.height, x.width)]


@_write.register
def _(layer: nn.AvgPool2d, graph: Graph, x: Map) -> Map:
    kernel, stride = int(layer.kernel_size), int(layer.stride)  # type: ignore[arg-type]
    assert kernel == stride
    assert layer.padding == 0
    # Runtimes differ in what a window beyond the edge counts; padding that is left out of the mean says it for all.
    pads = [0, 0, *_beyond_edge(layer.ceil_mode, stride, x)]
    name = graph.add(
        "AveragePool", x.name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, count_include_pad=0
    )
    return _windowed(x, name, kernel, stride, pads)


@_write.register
def _(layer: SamePad, graph: Graph, x: Map) -> Map:
    return _pad(graph, x, _same_pads(x, layer.kernel_size, layer.stride), layer.value)


@_write.register
def _(layer: nn.ZeroPad2d, graph: Graph, x: Map) -> Map:
    left, right, top, bottom = layer.padding
    # Not 0 but the smallest normal number: ONNX Runtime moves padding of 0 into a max-pool that follows, where it is
    # taken for padding that loses against every value (seen in 1.31; wrong where all values are negative).
    return _pad(graph, x, [top, left, bottom, right], float(np.finfo(np.float32).tiny))


@_write.register
def _(layer: ZeroPad, graph: Graph, x: Map) -> Map:
    before, after = layer.num_before, layer.extra_channels - layer.num_before
    name = graph.add("Pad", x.name, np.array([0, before, 0, 0, 0, after, 0, 0]), 0.0)
    return replace(x, name=name, channels=x.channels + layer.extra_channels)


@_write.register
def _(layer: Subsample, graph: Graph, x: Map) -> Map:
    # A max-pool of kernel 1, which keeps the blocked layouts that runtimes give to convs; a slice would undo them.
    name = graph.add("MaxPool", x.name, kernel_shape=[1, 1], strides=[layer.stride] * 2)
    return _windowed(x, name, 1, layer.stride, [0] * 4)


@_write.register
def _(layer: Blur, graph: Graph, x: Map) -> Map:
    mode = "reflect" if min(x.height, x.width) > 1 else "edge"
    padded = graph.add("Pad", x.name, np.array([0, 0, 1, 1, 0, 0, 1, 1]), mode=mode)
    weight = layer.get_buffer("kernel").expand(x.channels, 1, 3, 3)
    name = graph.add(
        "Conv", padded, weight, kernel_shape=[3, 3], strides=[layer.stride] * 2, pads=[0] * 4, group=x.channels
    )
    return _windowed(x, name, 3, layer.stride, [1] * 4)


@_write.register
def _(layer: nn.Conv1d, graph: Graph, x: Map) -> Map:
    # Channels as the height of a one-channel image: the conv across them is an ordinary one.
    column = graph.add("Reshape", x.name, np.array([0, 1, x.channels, 1]))
    kernel = layer.kernel_size[0]
    mixed = graph.add(
        "Conv", column, layer.weight.unsqueeze(-1), kernel_shape=[kernel, 1], pads=[kernel // 2, 0, kernel // 2, 0]
    )
    return replace(x, name=graph.add("Reshape", mixed, np.array([0, x.channels, 1, 1])))


@_write.register
def _(layer: nn.Linear, graph: Graph, x: Map) -> Map:
    features = graph.add("Flatten", x.name)
    logits = graph.add("Gemm", features, layer.weight, layer.bias, transB=1)
    return Map(logits, layer.out_features, 1, 1)


@_write.register
def _(layer: ResidualBlock, graph: Graph, x: Map) -> Map:
    return walk_block(
        layer.plan,
        x,
        run=lambda path, x, gate: _run(layer, path, graph, x, gate),
        add=lambda branch, skip: replace(branch, name=graph.add("Add", branch.name, skip.name)),
    )


@_write.register
def _(layer: ResNet, graph: Graph, x: Map) -> Map:
    for part in plan_network(layer.spec):
        x = _run(layer, part.steps, graph, x)
        if part.blocks:
            x = _write(layer.get_submodule(part.ends_with), graph, x)
    return x


def _run(owner: nn.Module, path: Sequence[Step], graph: Graph, x: Map, gate: Map | None = None) -> Map:
    """Write the steps of a path, one after the other, with the layers that ``owner`` has for them."""
    for step in path:
        if isinstance(step.layer, Attend):
            weights = _run(owner.get_submodule(step.name), step.layer.steps, graph, x)
            x = replace(x, name=graph.add("Mul", x.name, weights.name))
        elif step.name:
            x = _write(owner.get_submodule(step.name), graph, x)
        else:
            x = _compute(step.layer, graph, x, gate)
    return x


def _compute(layer: Layer, graph: Graph, x: Map, gate: Map | None) -> Map:
    """Write a step that is no layer of the network."""
    assert isinstance(layer, Arithmetic | Relu | Dropout), f"{layer} is a layer, and has no name"
    match layer:
        case Relu():
            return replace(x, name=graph.add("Relu", x.name))
        case Sigmoid():
            return replace(x, name=graph.add("Sigmoid", x.name))
        case GlobalPool():
            operator = {"avg": "GlobalAveragePool", "max": "GlobalMaxPool"}[layer.kind]
            return replace(x, name=graph.add(operator, x.name), height=1, width=1)
        case Scale():
            return replace(x, name=graph.add("Mul", x.name, float(layer.factor)))
        case TimesGate():
            assert gate is not None
            factor = graph.add("Sub", 1.0, gate.name) if layer.complement else gate.name
            return replace(x, name=graph.add("Mul", factor, x.name))
        case Dropout():
            return x
        case _:
            assert_never(layer)


def _pad(graph: Graph, x: Map, pads: Sequence[int], value: float) -> Map:
    """``x`` with ``pads`` (top, left, bottom, right) of ``value`` around it."""
    top, left, bottom, right = pads
    # Runtimes may compute 0 · inf where they fuse; the lowest number loses against every value just as well.
    value = max(value, float(np.finfo(np.float32).min))
    name = graph.add("Pad", x.name, np.array([0, 0, top, left, 0, 0, bottom, right]), value)
    return replace(x, name=name, height=x.height + top + bottom, width=x.width + left + right)


def _same_pads(x: Map, kernel: int, stride: int) -> list[int]:
    """TensorFlow's ``same`` padding of ``x``: top, left, bottom, right."""
    (top, bottom), (left, right) = (same_padding(size, kernel, stride) for size in (x.height, x.width))
    return [top, left, bottom, right]


def _windowed(x: Map, name: str, kernel: int, stride: int, pads: Sequence[int], *, channels: int | None = None) -> Map:
    """The map that a window of ``kernel`` pixels leaves of ``x``."""
    top, left, bottom, right = pads
    return Map(
        name,
        x.channels if channels is None else channels,
        (x.height + top + bottom - kernel) // stride + 1,
        (x.width + left + right - kernel) // stride + 1,
    )
