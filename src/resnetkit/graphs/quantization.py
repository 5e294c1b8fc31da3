"""A classifier's ONNX graph in int8: static, from the ranges that its maps have on some images.

Activations are uint8 with one range a map, weights int8 with one a channel, written as pairs of ``QuantizeLinear`` and
``DequantizeLinear`` (QDQ) around convs, the head, additions of two maps and pools; everything between is float32. One
file serves ONNX Runtime and OpenVINO. Signed activations are not offered: their kernels are slower than float32 in
small networks. Measured in ``benchmarks/inference.md``.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.extras import import_extra
from resnetkit.graphs.names import INPUT
from resnetkit.graphs.runtimes import import_onnxruntime
from resnetkit.images.types import UInt8Images

MULTIPLYING = ("Conv", "Gemm")
QUANTIZED = (*MULTIPLYING, "Add", "MaxPool", "AveragePool", "Relu")
# A map's range is the mean of the ranges that it has on so many images at a time. A single outlier then widens it by
# little: of CIFAR-10's 10,000 test images, ResNet-20 gives 99.3 % the float32 network's class, and 99.1 % with the
# range over all images; of 200 photographs ResNet-50 93.5 % and 90.5 %.
IMAGES_A_RANGE = 20


@dataclass(frozen=True)
class Multiplications:
    """Names of the convs and matrix products of a graph, by what they are computed in."""

    quantized: tuple[str, ...]
    floating: tuple[str, ...]


def quantize(graph: bytes, pixels: UInt8Images) -> bytes:
    """Quantize a graph by the ranges that its maps have on preprocessed images, uint8 ``(N, C, S, S)``.

    It takes and gives what ``graph`` does, the bytes of an ONNX file as :func:`resnetkit.graphs.onnx.write_graph`
    writes it, and is about a quarter of its size. The images should be like those it will be asked for, and never
    those that it is scored on.

    Raises:
        ResnetkitError: without ONNX Runtime; for no images, or of another shape; where a conv would stay in float32.
    """
    model = onnx.load_from_string(graph)
    _check_images(model, pixels)
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"  # what has no name is passed over, silently
    _stride_by_pools(model)
    constants = {constant.name for constant in model.graph.initializer}
    quantized = onnx.load_from_string(_quantize_static(model, pixels, _to_quantize(model, constants)))
    quantized.producer_name, quantized.producer_version = model.producer_name, ""
    floating = find_multiplications(quantized).floating
    require(
        not floating,
        f"{len(floating)} convs or matrix products stayed in float32",
        why=f"no int8 weights or input at {', '.join(floating[:5])}",
        fix="--precision fp32, and tell the project",
        code=Code.CHECK_FAILED,
    )
    onnx.checker.check_model(quantized)
    content: bytes = quantized.SerializeToString(deterministic=True)
    return content


def find_multiplications(model: onnx.ModelProto) -> Multiplications:
    """Tell which convs and matrix products of a graph have an input of uint8 and weights of int8, and which not."""
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    made_by = {output: node for node in model.graph.node for output in node.output}

    def stored_as(name: str) -> int:
        """The type that a value is stored in before it is made float32; 0 for one that is not."""
        node = made_by.get(name)
        if node is None or node.op_type != "DequantizeLinear":
            return 0
        kind: int = types.get(node.input[2], 0)  # its zero point's, which is the value's
        return kind

    wanted = [onnx.TensorProto.UINT8, onnx.TensorProto.INT8]
    kinds: dict[bool, list[str]] = {True: [], False: []}
    for node in model.graph.node:
        if node.op_type in MULTIPLYING:
            kinds[[stored_as(name) for name in node.input[:2]] == wanted].append(node.name)
    return Multiplications(tuple(kinds[True]), tuple(kinds[False]))


def _check_images(model: onnx.ModelProto, pixels: UInt8Images) -> None:
    _, *wanted = (dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim)
    require(len(pixels) > 0, "no images to calibrate on", fix="give some like those that will be classified")
    require(
        list(pixels.shape[1:]) == wanted and str(pixels.dtype) == "uint8",
        f"images to calibrate on must be uint8 (N, {', '.join(map(str, wanted))}), got {pixels.dtype} {pixels.shape}",
    )


def _stride_by_pools(model: onnx.ModelProto) -> None:
    """Let a max-pool of kernel 1 take the steps of strided 1×1 convs, which then have fewer pixels to read.

    Where all readers of a map are such convs, as in ResNet-50 v1, OpenVINO does so itself, but between a pair of QDQ,
    and then computes them in float32 (seen in 2026.4: 10.5 ms instead of 7.3 for an image of ResNet-50 v1).
    """
    pooled: dict[tuple[str, ...], str] = {}
    nodes = []
    for node in model.graph.node:
        attributes = {attribute.name: attribute.ints for attribute in node.attribute if attribute.ints}
        if node.op_type == "Conv" and set(attributes["kernel_shape"]) == {1} and max(attributes["strides"]) > 1:
            assert not any(attributes["pads"])
            source, strides = node.input[0], list(attributes["strides"])
            place = (source, *map(str, strides))
            if place not in pooled:
                pooled[place] = f"{source}_every_{strides[0]}"
                pool = helper.make_node("MaxPool", [source], [pooled[place]], kernel_shape=[1, 1], strides=strides)
                pool.name = f"MaxPool_{pooled[place]}"
                nodes.append(pool)
            node.input[0] = pooled[place]
            attributes["strides"][:] = [1, 1]
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _to_quantize(model: onnx.ModelProto, constants: set[str]) -> list[str]:
    """Names of the nodes around which values are quantized.

    Not those of additions of a constant, as of a batch norm, nor of a pool before padding: OpenVINO cannot compute
    uint8 with a zero point that are padded by channels (seen in 2026.4).
    """
    padded = {node.input[0] for node in model.graph.node if node.op_type == "Pad"}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in QUANTIZED
        and not (node.op_type == "Add" and constants.intersection(node.input))
        and not (node.op_type == "MaxPool" and padded.intersection(node.output))
    ]


def _quantize_static(model: onnx.ModelProto, pixels: UInt8Images, names: list[str]) -> bytes:
    """ONNX Runtime's own quantization of the nodes of these names."""
    try:
        import_onnxruntime()
    except ImportError:
        raise ResnetkitError(
            Code.USAGE, "quantizing needs ONNX Runtime, which is not installed", fix="pip install 'resnetkit[int8]'"
        ) from None
    tool = import_extra("onnxruntime.quantization", extra="int8", what="quantizing needs ONNX Runtime's own tools")
    with tempfile.TemporaryDirectory(prefix="resnetkit-") as folder, _told_errors_only():
        file = Path(folder, "quantized.onnx")
        tool.quantize_static(
            model,
            str(file),
            _Batches(pixels),
            quant_format=tool.QuantFormat.QDQ,
            activation_type=tool.QuantType.QUInt8,
            weight_type=tool.QuantType.QInt8,
            per_channel=True,
            calibrate_method=tool.CalibrationMethod.MinMax,
            op_types_to_quantize=list(QUANTIZED),
            nodes_to_quantize=names,
            extra_options={"CalibMovingAverage": True},
        )
        return file.read_bytes()


class _Batches:
    """Images as ONNX Runtime's quantization asks for them: batch by batch, by the input's name, then None."""

    def __init__(self, pixels: UInt8Images) -> None:
        starts = range(0, len(pixels), IMAGES_A_RANGE)
        self._batches = ({INPUT: pixels[start : start + IMAGES_A_RANGE]} for start in starts)

    def get_next(self) -> Any:
        """The next batch."""
        return next(self._batches, None)


@contextmanager
def _told_errors_only() -> Iterator[None]:
    """Keep ONNX Runtime's tools from advice to prepare the graph, which is written so that nothing is left to do."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
