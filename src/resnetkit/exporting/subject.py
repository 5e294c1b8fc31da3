"""A classifier that is exported, in a precision that its model is to compute in."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from resnetkit.classifier.classifier import Classifier
from resnetkit.exporting.precision import ExportPrecision
from resnetkit.images.types import UInt8Images


@dataclass(frozen=True)
class Subject:
    """A classifier that is exported.

    Attributes:
        name: what people call it.
        calibration: images that int8 is calibrated on, uint8 ``(N, C, S, S)``; None: it is not asked for.
        runtime_folder: of the runtime that goes along to the web; None: npm is asked for it.
    """

    classifier: Classifier
    name: str
    precision: ExportPrecision = "fp32"
    calibration: UInt8Images | None = field(default=None, repr=False)
    runtime_folder: Path | None = None

    @cached_property
    def graph(self) -> bytes:
        """The classifier's graph in that precision, the bytes of an ONNX file."""
        from resnetkit.graphs.onnx import write_graph

        graph = write_graph(self.classifier)
        if self.calibration is None:
            return graph
        from resnetkit.graphs.quantization import quantize

        return quantize(graph, self.calibration)
