"""ONNX models that are whole: from a decoded image, or a batch of prepared ones, to probabilities and logits.

They stand around the graph of :mod:`resnetkit.graphs.onnx`: in front of it what :mod:`resnetkit.images.preprocessing`
does, behind it what the classifier's decision does.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
import onnx
from onnx import helper

from resnetkit.classifier.decision import Decision
from resnetkit.errors import require
from resnetkit.exporting.resizing_graph import DOUBLE, FILTERS, INT64, Side, resize
from resnetkit.graphs.names import IMAGE, INPUT, OUTPUT, PROBABILITIES
from resnetkit.graphs.onnx import Graph
from resnetkit.images.preprocessing import LONGEST_SIDE_RATIO
from resnetkit.images.spec import Preprocessing

OPSET = 18


def prepared_model(graph: bytes, decision: Decision) -> onnx.ModelProto:
    """The model from prepared images ``pixels``, uint8 ``(N, C, S, S)``, to their ``probabilities``, float32
    ``(N, K)``, and ``logits``, float32 ``(N, V, K)`` of V views.

    Args:
        graph: as :func:`resnetkit.graphs.onnx.write_graph` writes it.
    """
    model = onnx.load_from_string(graph)
    return _between(Graph(), model, decision, model.graph.input[0])


def image_model(graph: bytes, preprocessing: Preprocessing, decision: Decision) -> onnx.ModelProto:
    """The model from one ``image``, uint8 ``(H, W, C)`` of any size, to what :func:`prepared_model` gives of it.

    Raises:
        ResnetkitError: for a filter that is none of :data:`~resnetkit.exporting.resizing_graph.FILTERS`.
    """
    require(
        preprocessing.interpolation in FILTERS,
        f"a graph does not resize by {preprocessing.interpolation}, as this classifier does",
        fix="prepare images before they are given to the model",
    )
    before = Graph("prepare_")
    _prepare(before, preprocessing)
    given = helper.make_tensor_value_info(IMAGE, onnx.TensorProto.UINT8, ["H", "W", preprocessing.channels])
    return _between(before, onnx.load_from_string(graph), decision, given)


def _between(before: Graph, model: onnx.ModelProto, decision: Decision, given: onnx.ValueInfoProto) -> onnx.ModelProto:
    """A graph with nodes in front that give its pixels, and behind it those that decide."""
    inner, after = model.graph, Graph("decide_")
    scaled = after.add("Div", OUTPUT, float(decision.temperature))
    after.add("ReduceMean", after.add("Softmax", scaled, axis=2), np.array([1]), keepdims=0, output=PROBABILITIES)
    (logits,) = inner.output
    num_images, _, num_classes = (axis.dim_param or axis.dim_value for axis in logits.type.tensor_type.shape.dim)
    answers = helper.make_tensor_value_info(PROBABILITIES, onnx.TensorProto.FLOAT, [num_images, num_classes])
    body = helper.make_graph(
        [*before.nodes, *inner.node, *after.nodes],
        "classifier",
        [given],
        [answers, logits],
        [*before.constants, *inner.initializer, *after.constants],
    )
    versions = {own.domain: own.version for own in model.opset_import}
    versions[""] = max(OPSET, versions[""])
    return helper.make_model(
        body,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in versions.items()],
        ir_version=model.ir_version,
        producer_name="resnetkit",
    )


def _prepare(graph: Graph, preprocessing: Preprocessing) -> None:
    """Make a square of :data:`IMAGE`, as :func:`resnetkit.images.preprocessing.prepare_for_evaluation` does."""
    part, sides = IMAGE, graph.add("Shape", IMAGE, end=2)
    wanted = np.array([preprocessing.image_size_px] * 2)
    match preprocessing.fit:
        case "crop":
            part, sides = _without_ends(graph, sides)
            shortest, least = graph.add("ReduceMin", sides, keepdims=0), preprocessing.resize_px
            size = _scaled(graph, sides, shortest, preprocessing.resize_px, least=least)
        case "squeeze":
            size = graph.constant(wanted)
        case "pad":
            longest = graph.add("ReduceMax", sides, keepdims=0)
            size = _scaled(graph, sides, longest, preprocessing.image_size_px, least=1)
        case _:
            assert_never(preprocessing.fit)
    # What is cut off, and what is missing, at the top and the left: half of it, rounded down.
    cut, missing = (
        graph.add("Div", graph.add("Max", graph.add("Sub", *pair), np.array(0)), np.array(2))
        for pair in ((size, wanted), (wanted, size))
    )
    corner = graph.add("Sub", cut, missing)
    rows, columns = (
        Side(
            before=graph.add("Gather", sides, np.array(axis)),
            after=graph.add("Gather", size, np.array(axis)),
            corner=graph.add("Gather", corner, np.array(axis)),
            wanted=preprocessing.image_size_px,
        )
        for axis in (0, 1)
    )
    channels = graph.add("Transpose", part, perm=[2, 0, 1])
    square = resize(graph, channels, rows, columns, preprocessing.interpolation)
    if preprocessing.fit == "pad":
        square = _filled(graph, square, missing, size, preprocessing)
    # With a shape that is no surprise to whoever plans the rest.
    graph.add("Reshape", square, np.array([1, *preprocessing.image_shape]), output=INPUT)


def _without_ends(graph: Graph, sides: str) -> tuple[str, str]:
    """The image and its sides, without the ends of a very long one."""
    longest = graph.add("Mul", graph.add("ReduceMin", sides), np.array(LONGEST_SIDE_RATIO))
    start = graph.add("Max", graph.add("Div", graph.add("Sub", sides, longest), np.array(2)), np.array(0))
    end = graph.add("Min", sides, graph.add("Add", start, longest))
    return graph.add("Slice", IMAGE, start, end, np.array([0, 1])), graph.add("Sub", end, start)


def _scaled(graph: Graph, sides: str, reference: str, target: int, *, least: int) -> str:
    """Sides multiplied so that the side ``reference`` becomes ``target``, rounded in float64 as Python rounds them."""
    scale = graph.add("Div", np.array(float(target)), graph.add("Cast", reference, to=DOUBLE))
    exact = graph.add("Mul", graph.add("Cast", sides, to=DOUBLE), scale)
    rounded = graph.add("Cast", graph.add("Add", exact, np.array(0.5)), to=INT64)
    return graph.add("Max", rounded, np.array(least))


def _filled(graph: Graph, square: str, missing: str, size: str, preprocessing: Preprocessing) -> str:
    """The square, of the colour to fill with where the image does not reach."""
    places = np.arange(preprocessing.image_size_px)
    end = graph.add("Add", missing, size)
    is_inside = []
    for axis, shape in ((0, [-1, 1]), (1, [1, -1])):
        first, behind = (graph.add("Gather", values, np.array(axis)) for values in (missing, end))
        inside = graph.add("And", graph.add("Not", graph.add("Less", places, first)), graph.add("Less", places, behind))
        is_inside.append(graph.add("Reshape", inside, np.array(shape)))
    fill = np.array(preprocessing.fill, np.uint8).reshape(-1, 1, 1)
    return graph.add("Where", graph.add("And", *is_inside), square, fill)
