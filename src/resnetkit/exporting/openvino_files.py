"""The files of an export to OpenVINO: its own form of the model for prepared images."""

from __future__ import annotations

from pathlib import Path

from resnetkit.exporting.image_graph import prepared_model
from resnetkit.exporting.subject import Subject
from resnetkit.graphs.runtimes import import_openvino

MODEL_FILE = "prepared.xml"  # beside it, its weights


def write_openvino(subject: Subject, folder: Path) -> None:
    """Write ``prepared.xml`` and ``prepared.bin``."""
    openvino = import_openvino()
    model = prepared_model(subject.graph, subject.classifier.decision)
    read = openvino.Core().read_model(model.SerializeToString())
    try:
        openvino.save_model(read, folder / MODEL_FILE, compress_to_fp16=False)  # which it does unless told otherwise
    except RuntimeError as error:  # of its stream, where the disk is full
        raise OSError(f"OpenVINO cannot save its model ({error})") from error
