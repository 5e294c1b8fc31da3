"""The files of an export to the web: one model, and the page that runs it."""

from __future__ import annotations

from pathlib import Path

import onnx

from resnetkit.errors import require
from resnetkit.exporting.image_graph import image_model
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.targets import resizes_in_onnx
from resnetkit.exporting.web_page import MODEL_FILE, write_page
from resnetkit.exporting.web_runtime import read_runtime


def write_web(subject: Subject, folder: Path) -> None:
    """Write ``model.onnx``, the page, its runtime and ``serve.py``.

    Raises:
        ResnetkitError: for a classifier whose images a model does not resize, and where the runtime cannot be had.
    """
    classifier = subject.classifier
    preprocessing = classifier.preprocessing
    require(
        resizes_in_onnx(preprocessing),
        f"a page cannot prepare images as this classifier has them: resized by {preprocessing.interpolation}",
        fix="--to onnx, whose predict.py prepares them",
    )
    write_page(folder, read_runtime(subject.runtime_folder))
    model = image_model(subject.graph, preprocessing, classifier.decision)
    onnx.checker.check_model(model, full_check=True)
    (folder / MODEL_FILE).write_bytes(model.SerializeToString(deterministic=True))
