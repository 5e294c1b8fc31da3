"""Engines that run a classifier's ONNX graph; no torch here.

A batch is divided among streams that do not wait for each other, one thread each where there
are enough images; a single image is computed by all threads together. Its idle threads spin only for a moment and then
sleep: beside them, the next images are being decoded. Measured in ``benchmarks/inference.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from resnetkit.classifier.decision import Logits
from resnetkit.classifier.engine import Engine
from resnetkit.graphs.names import INPUT, OUTPUT
from resnetkit.graphs.runtimes import import_onnxruntime, import_openvino
from resnetkit.images.types import UInt8Images
from resnetkit.machine.precision import UsePrecision

Run = Callable[[UInt8Images], Logits]
# Longer than a thread waits between two layers of an image, so that it need not be woken there.
SPIN_MICROSECONDS = "100"
# What is computed where the graph itself does not say int8.
OPENVINO_PRECISIONS: Mapping[UsePrecision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


@dataclass(frozen=True)
class Streams:
    """Division of threads and images.

    Attributes:
        number: pieces computed at the same time.
        num_threads: of each.
        piece_size: images in a piece.
    """

    number: int
    num_threads: int
    piece_size: int


def divide(batch_size: int, num_threads: int) -> Streams:
    """Divide into as many streams as there are threads or images.

    >>> divide(8, 2), divide(1, 2)
    (Streams(number=2, num_threads=1, piece_size=4), Streams(number=1, num_threads=2, piece_size=1))
    """
    number = min(batch_size, num_threads)
    return Streams(number, num_threads // number, -(-batch_size // number))


class GraphEngine:
    """An opened graph.

    Args:
        runs: one for each stream; computes at most ``piece_size`` images, and is called by one thread at a time.
        fills: whether it computes exactly so many, so that a smaller piece is filled up with black images.
    """

    def __init__(self, name: str, runs: Sequence[Run], piece_size: int, *, fills: bool) -> None:
        self.name = name
        self._piece_size, self._fills, self._num_runs = piece_size, fills, len(runs)
        self._idle: SimpleQueue[Run] = SimpleQueue()
        for run in runs:
            self._idle.put(run)
        self._pool = ThreadPoolExecutor(len(runs), thread_name_prefix=name) if len(runs) > 1 else None

    def logits(self, pixels: UInt8Images) -> Logits:
        """Return the logits ``(N, V, K)`` of V views of preprocessed images, uint8 ``(N, C, S, S)``."""
        # A few images are divided among all; where a piece is filled up, one that is full costs no more.
        size = self._piece_size if self._fills else min(self._piece_size, -(-len(pixels) // self._num_runs))
        pieces = [pixels[start : start + size] for start in range(0, len(pixels), size)]
        several = self._pool is not None and len(pieces) > 1
        answers = self._pool.map(self._compute, pieces) if several and self._pool else map(self._compute, pieces)
        return np.concatenate(list(answers))

    def _compute(self, piece: UInt8Images) -> Logits:
        missing = self._piece_size - len(piece) if self._fills else 0
        whole = np.concatenate([piece, np.zeros((missing, *piece.shape[1:]), np.uint8)]) if missing else piece
        run = self._idle.get()
        try:
            return run(np.ascontiguousarray(whole))[: len(piece)]
        finally:
            self._idle.put(run)


def open_onnxruntime(graph: bytes, *, batch_size: int, num_threads: int, precision: UsePrecision) -> Engine:
    """ONNX Runtime's CPU provider, which has float32, and int8 where the graph says so."""
    assert precision != "bf16"
    onnxruntime = import_onnxruntime()
    streams = divide(batch_size, num_threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = streams.num_threads
    options.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_MICROSECONDS)
    options.log_severity_level = 3  # errors only: they are raised, the rest is for its own developers
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(pixels: UInt8Images) -> Logits:
        result: Logits = session.run([OUTPUT], {INPUT: pixels})[0]
        return result

    # A session may be run by several threads at once, each of which then computes for itself.
    return GraphEngine("onnxruntime", [run] * streams.number, streams.piece_size, fills=False)


def open_openvino(graph: bytes, *, batch_size: int, num_threads: int, precision: UsePrecision) -> Engine:
    """OpenVINO's CPU device, with the number of images fixed: it plans better for shapes that it knows.

    Raises:
        RuntimeError: where it computes in another precision than it was told to.
    """
    openvino = import_openvino()
    streams = divide(batch_size, num_threads)
    core = openvino.Core()
    model = core.read_model(graph)
    _, *image = model.input(INPUT).get_partial_shape()
    model.reshape(openvino.PartialShape([streams.piece_size, *image]))
    settings = {
        # Its default on processors with bfloat16 units is bfloat16.
        "INFERENCE_PRECISION_HINT": OPENVINO_PRECISIONS[precision],
        "INFERENCE_NUM_THREADS": streams.number * streams.num_threads,
        "NUM_STREAMS": str(streams.number),
    }
    compiled = core.compile_model(model, "CPU", settings)
    used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if used != OPENVINO_PRECISIONS[precision]:
        raise RuntimeError(f"computes in {used} on this processor")

    def make_run() -> Run:
        request = compiled.create_infer_request()

        def run(pixels: UInt8Images) -> Logits:
            # A copy: the request's own output is overwritten by the next call.
            result: Logits = request.infer({INPUT: pixels}, share_inputs=True)[OUTPUT].copy()
            return result

        return run

    return GraphEngine("openvino", [make_run() for _ in range(streams.number)], streams.piece_size, fills=True)
